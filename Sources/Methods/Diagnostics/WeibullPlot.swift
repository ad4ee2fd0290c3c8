import Numerics
import Tensors

/// A point of an empirical distribution: ln |w|, the probability of less, and how many weights it stands for.
struct WeibullPoint {
  var log: Double
  var probability: Double
  var weight: Double

  /// ln(-ln(1 - F)), in which a Weibull law is a line.
  var plotted: Double { .log(-.log(onePlus: -probability)) }
}

extension MagnitudeHistogram {
  /// The points of the Weibull plot inside the trim, at the middles of the bins.
  func points(_ trim: MagnitudeTrim) -> [WeibullPoint] {
    let total = Double(count)
    var cumulative = 0.0
    var points: [WeibullPoint] = []
    for bin in occupied where counts[bin] > 0 {
      let weight = Double(counts[bin])
      cumulative += weight
      let probability = (cumulative - 0.5 * weight) / total
      if trim.keeps(probability) {
        points.append(WeibullPoint(log: Self.logCenter(of: bin), probability: probability, weight: weight))
      }
    }
    return points
  }

  /// The Weibull plot: ln |w| against ln(-ln(1 - F)), a line for a Weibull law.
  public func weibullPlot(_ trim: MagnitudeTrim = .full) -> [(logMagnitude: Double, plotted: Double)] {
    points(trim).map { ($0.log, $0.plotted) }
  }
}

/// The weighted least-squares line through the points of a Weibull plot.
struct WeibullLine {
  var distribution: WeibullDistribution
  var rSquared: Double
  var pointsUsed: Int

  init(_ histogram: MagnitudeHistogram, trim: MagnitudeTrim, name: String) throws {
    try Self.requireEnough(Int(histogram.count), name: name)
    try self.init(histogram.points(trim), name: name)
  }

  init(_ points: [WeibullPoint], name: String) throws {
    guard points.count >= 5 else {
      throw InvalidArgument(
        name, found: "\(points.count) distinct magnitudes in the middle of the distribution", wanted: "at least 5")
    }
    var total = 0.0
    var x = 0.0
    var y = 0.0
    let plotted = points.map(\.plotted)
    for (point, value) in zip(points, plotted) {
      total += point.weight
      x += point.weight * point.log
      y += point.weight * value
    }
    x /= total
    y /= total
    var xx = 0.0
    var xy = 0.0
    var yy = 0.0
    for (point, value) in zip(points, plotted) {
      let dx = point.log - x
      let dy = value - y
      xx += point.weight * dx * dx
      xy += point.weight * dx * dy
      yy += point.weight * dy * dy
    }
    guard xx > 0, xy > 0 else {
      throw InvalidArgument(name, found: "equal magnitudes", wanted: "magnitudes that vary")
    }
    let slope = xy / xx
    distribution = try WeibullDistribution(shape: slope, scale: .exp(x - y / slope))
    rSquared = xy * xy / (xx * yy)
    pointsUsed = points.count
  }

  static func requireEnough(_ count: Int, name: String) throws {
    guard count >= 100 else {
      throw InvalidArgument(name, found: "\(count) magnitudes in [1e-12, 100)", wanted: "at least 100")
    }
  }
}
