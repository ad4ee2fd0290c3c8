import Numerics
import SpecialFunctions
public import Tensors

/// A two-parameter law of positive numbers.
public enum MagnitudeModel: Sendable, Hashable {
  case weibull(shape: Double, scale: Double)
  /// log x is normal with this mean and standard deviation.
  case logNormal(mean: Double, standardDeviation: Double)
  case gamma(shape: Double, scale: Double)

  public var name: String {
    switch self {
    case .weibull: "Weibull"
    case .logNormal: "log-normal"
    case .gamma: "gamma"
    }
  }

  /// The probabilities of less and of more than x, given log x, each precise where it is small.
  func probabilities(atLog logX: Double) -> (lower: Double, upper: Double) {
    switch self {
    case .weibull(let shape, let scale):
      let power = Double.exp(shape * (logX - .log(scale)))
      return (-.expMinusOne(-power), .exp(-power))
    case .logNormal(let mean, let standardDeviation):
      let z = (logX - mean) / standardDeviation
      return (.normalCDF(z), .normalCDF(-z))
    case .gamma(let shape, let scale):
      let x = Double.exp(logX) / scale
      let lower = Double.regularizedGammaP(a: shape, x: x)
      return (lower, lower < 0.5 ? 1 - lower : .regularizedGammaQ(a: shape, x: x))
    }
  }

  /// The model with these two numbers, logarithms where a parameter must be positive, and its own two numbers.
  fileprivate func with(_ numbers: [Double]) -> MagnitudeModel {
    switch self {
    case .weibull: .weibull(shape: .exp(numbers[0]), scale: .exp(numbers[1]))
    case .logNormal: .logNormal(mean: numbers[0], standardDeviation: .exp(numbers[1]))
    case .gamma: .gamma(shape: .exp(numbers[0]), scale: .exp(numbers[1]))
    }
  }

  fileprivate var numbers: [Double] {
    switch self {
    case .weibull(let shape, let scale), .gamma(let shape, let scale): [.log(shape), .log(scale)]
    case .logNormal(let mean, let standardDeviation): [mean, .log(standardDeviation)]
    }
  }
}

/// A law fitted by maximum likelihood.
public struct MagnitudeModelFit: Sendable, Hashable {
  public var model: MagnitudeModel
  /// The logarithm of the probability of the histogram's bins.
  public var logLikelihood: Double
  /// Akaike's criterion, 4 - 2 log-likelihood; and how far it lies above the best model's.
  public var akaikeCriterion: Double
  public var akaikeDifference: Double
  /// The largest distance of the empirical from the fitted distribution function.
  public var kolmogorovSmirnov: Double
  public var convergence: Convergence
}

/// Weibull, log-normal and gamma laws of the same magnitudes, by maximum likelihood on the histogram.
///
/// Bin probabilities are differences of distribution functions, not densities at bin middles, so the width of the bins
/// does no harm. The Weibull law is fitted to all weights here: its shape is another number than that of `WeibullFitting`.
///
/// - Complexity: some hundred evaluations of O(1024) each; the gamma law takes the most, about 0.1 s.
public struct MagnitudeModelComparison: Sendable {
  /// The spread of the parameters (logarithms of scales and shapes) at which the search ends.
  public var tolerance = 1e-9
  public var iterationLimit = 400

  public init(tolerance: Double = 1e-9, iterationLimit: Int = 400) {
    self.tolerance = tolerance
    self.iterationLimit = iterationLimit
  }

  /// The three fits, the best one first.
  /// - Throws: `InvalidArgument` for fewer than 100 weights or 5 distinct magnitudes.
  public func compare(_ histogram: MagnitudeHistogram, name: String = "weights") throws -> [MagnitudeModelFit] {
    let line = try WeibullLine(histogram, trim: .full, name: name)
    let moments = LogMoments(histogram)
    // The maximum-likelihood gamma shape, to two digits, from log(mean) - mean(log) (Minka 2002).
    let s = max(Double.log(moments.mean) - moments.meanLog, 1e-9)
    let gammaShape = (3 - s + ((s - 3) * (s - 3) + 24 * s).squareRoot()) / (12 * s)
    let starts: [MagnitudeModel] = [
      .weibull(shape: line.distribution.shape, scale: line.distribution.scale),
      .logNormal(mean: moments.meanLog, standardDeviation: moments.deviationOfLog),
      .gamma(shape: gammaShape, scale: moments.mean / gammaShape),
    ]
    var fits = starts.map { fit($0, to: histogram) }
    fits.sort { $0.akaikeCriterion < $1.akaikeCriterion }
    let best = fits[0].akaikeCriterion
    for i in fits.indices { fits[i].akaikeDifference = fits[i].akaikeCriterion - best }
    return fits
  }

  /// - Throws: also for elements that are not finite.
  public func compare<Scalar: RealScalar>(
    _ weights: Tensor<Scalar>, name: String = "weights"
  ) throws -> [MagnitudeModelFit] {
    try compare(MagnitudeHistogram(weights, name: name), name: name)
  }

  private func fit(_ start: MagnitudeModel, to histogram: MagnitudeHistogram) -> MagnitudeModelFit {
    let total = Double(histogram.count)
    let search = NelderMead(initialStep: 0.05, tolerance: tolerance, iterationLimit: iterationLimit)
    let minimum = search.minimize(from: start.numbers) { -start.with($0).logLikelihood(of: histogram) / total }
    let model = start.with(minimum.point)
    let logLikelihood = -minimum.value * total
    return MagnitudeModelFit(
      model: model, logLikelihood: logLikelihood, akaikeCriterion: 4 - 2 * logLikelihood, akaikeDifference: 0,
      kolmogorovSmirnov: histogram.distance { model.probabilities(atLog: .log($0)).lower },
      convergence: minimum.convergence)
  }
}

extension MagnitudeModel {
  fileprivate func logLikelihood(of histogram: MagnitudeHistogram) -> Double {
    let occupied = histogram.occupied
    var sum = 0.0
    var (lower, upper) = probabilities(atLog: MagnitudeHistogram.logEdge(occupied.lowerBound))
    for bin in occupied {
      let next = probabilities(atLog: MagnitudeHistogram.logEdge(bin + 1))
      // Of the two differences, the one of the smaller numbers.
      let probability = next.lower < 0.5 ? next.lower - lower : upper - next.upper
      if histogram.counts[bin] > 0 { sum += Double(histogram.counts[bin]) * .log(max(probability, 1e-30)) }
      (lower, upper) = next
    }
    return sum
  }
}

/// Moments of magnitudes and of their logarithms, from bin middles.
private struct LogMoments {
  var mean = 0.0
  var meanLog = 0.0
  var deviationOfLog = 0.0

  init(_ histogram: MagnitudeHistogram) {
    let total = Double(histogram.count)
    for bin in histogram.occupied {
      let share = Double(histogram.counts[bin]) / total
      let log = MagnitudeHistogram.logCenter(of: bin)
      mean += share * .exp(log)
      meanLog += share * log
    }
    for bin in histogram.occupied {
      let distance = MagnitudeHistogram.logCenter(of: bin) - meanLog
      deviationOfLog += Double(histogram.counts[bin]) / total * distance * distance
    }
    deviationOfLog = deviationOfLog.squareRoot()
  }
}
