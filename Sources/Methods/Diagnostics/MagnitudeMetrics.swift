import Numerics
public import Tensors

/// Figures of a magnitude distribution that assume no law: what to read where a Weibull plot is not straight.
public struct MagnitudeMetrics: Sendable, Hashable {
  public var median: Double
  /// Q90/Q10: how wide the body is.
  public var interdecileRatio: Double
  /// Q99/Q50 and Q99.9/Q50: how far the tail reaches.
  public var tailRatio: Double
  public var extremeTailRatio: Double
  /// Gini's coefficient, one minus twice the area under the Lorenz curve: zero when all magnitudes are equal, near one
  /// when a few carry everything.
  public var gini: Double

  /// - Throws: `InvalidArgument` for fewer than 100 magnitudes in the histogram's range.
  public init(_ histogram: MagnitudeHistogram, name: String = "weights") throws {
    try WeibullLine.requireEnough(Int(histogram.count), name: name)
    median = histogram.quantile(0.5)
    interdecileRatio = histogram.quantile(0.9) / histogram.quantile(0.1)
    tailRatio = histogram.quantile(0.99) / median
    extremeTailRatio = histogram.quantile(0.999) / median
    gini = histogram.gini
  }

  /// - Throws: `InvalidArgument` for elements that are not finite, or fewer than 100 magnitudes in range.
  public init<Scalar: RealScalar>(_ weights: Tensor<Scalar>, name: String = "weights") throws {
    try self.init(MagnitudeHistogram(weights, name: name), name: name)
  }
}

extension MagnitudeHistogram {
  /// The magnitude below which a weight lies with the given probability, interpolated in log |w| inside its bin; NaN
  /// for an empty histogram or a probability outside [0, 1].
  public func quantile(_ probability: Double) -> Double {
    let total = Double(count)
    guard total > 0, probability >= 0, probability <= 1 else { return .nan }
    let target = probability * total
    var cumulative = 0.0
    for bin in occupied where counts[bin] > 0 {
      let weight = Double(counts[bin])
      if cumulative + weight >= target {
        return .exp(Self.logEdge(bin) + (target - cumulative) / weight * (Self.logEdge(bin + 1) - Self.logEdge(bin)))
      }
      cumulative += weight
    }
    return .exp(Self.logEdge(occupied.upperBound))
  }

  /// Trapezoids under the Lorenz curve: the share of all magnitude that the smallest p of the weights have.
  fileprivate var gini: Double {
    let total = Double(count)
    var magnitude = 0.0
    var area = 0.0
    for bin in occupied where counts[bin] > 0 {
      let share = Double(counts[bin]) / total
      let added = share * .exp(Self.logCenter(of: bin))
      area += share * (magnitude + 0.5 * added)
      magnitude += added
    }
    return 1 - 2 * area / magnitude
  }
}
