import Numerics
public import Tensors

/// Which part of the empirical distribution a Weibull plot is fitted to: tails say little about the body, and much about
/// a few outliers.
public enum MagnitudeTrim: String, Sendable, Hashable, CaseIterable {
  /// Probabilities from 0.1 to 0.9: the protocol's standard.
  case middle80
  /// Probabilities from 0.05 to 0.95.
  case middle90
  /// Everything.
  case full

  /// The probabilities that are kept.
  public var probabilities: ClosedRange<Double> {
    switch self {
    case .middle80: 0.1...0.9
    case .middle90: 0.05...0.95
    case .full: 0...1
    }
  }

  func keeps(_ probability: Double) -> Bool {
    // The margins are computed as the reference computes them, so that a bin on a margin falls on the same side.
    switch self {
    case .middle80: probability >= (1 - 0.8) / 2 && probability <= 1 - (1 - 0.8) / 2
    case .middle90: probability >= (1 - 0.9) / 2 && probability <= 1 - (1 - 0.9) / 2
    case .full: probability > 0 && probability < 1
    }
  }
}

/// A two-parameter Weibull law fitted to the magnitudes of weights.
public struct WeibullFit: Sendable, Hashable {
  public var distribution: WeibullDistribution
  /// How straight the Weibull plot is; below 0.95 two parameters do not describe the weights.
  public var rSquared: Double
  /// The largest distance of the empirical from the fitted distribution function, over the whole range.
  public var kolmogorovSmirnov: Double
  /// The weights that were counted, and those outside the histogram's range, zeros among them.
  public var count: Int
  public var dropped: Int
  /// Bins (or values) inside the trim.
  public var pointsUsed: Int
  public var trim: MagnitudeTrim
  /// Standard errors of shape and scale by the jackknife over consecutive blocks; nil when there were no blocks or too
  /// few weights in one of them.
  public var shapeStandardError: Double?
  public var scaleStandardError: Double?

  /// k: 1.2054 for Gaussian weights of any variance.
  public var shape: Double { distribution.shape }
  /// lambda: 0.8875 standard deviations for Gaussian weights.
  public var scale: Double { distribution.scale }

  /// The shape relative to that of Gaussian weights: zero at initialization, negative for heavier tails.
  public var departure: Double { shape / WeibullAnchor.gaussian(trim).shape - 1 }

  /// Whether the shape is within two standard errors of that of Gaussian weights; nil without a standard error.
  public var isIndistinguishableFromInitialization: Bool? {
    shapeStandardError.map { (shape - WeibullAnchor.gaussian(trim).shape).magnitude < 2 * $0 }
  }
}

/// Fits a Weibull law to weight magnitudes by weighted least squares on the Weibull plot.
///
/// With F the empirical distribution function at the middle of a bin, the points (ln |w|, ln(-ln(1 - F))) of a Weibull
/// law lie on a line of slope k and intercept -k ln(lambda). Bins count by the number of their weights; bins outside
/// the trim are left out.
///
/// The numbers of this protocol are its own: a maximum-likelihood Weibull fit of the same weights gives others (k = 1.263
/// instead of 1.205 for Gaussian weights), see `MagnitudeModelComparison`.
///
/// - Complexity: O(weights) for the histogram, O(1024) for the fit.
/// - Source: Ding 2026, arXiv 2605.18898, appendices A.3 and A.7.
public struct WeibullFitting: Sendable {
  public var trim = MagnitudeTrim.middle80
  /// Consecutive blocks of weights for the jackknife; fewer than two means no standard errors.
  public var jackknifeBlocks = 10

  public init(trim: MagnitudeTrim = .middle80, jackknifeBlocks: Int = 10) {
    self.trim = trim
    self.jackknifeBlocks = jackknifeBlocks
  }

  /// - Parameters: weights of any shape; `name` is what an error calls them.
  /// - Throws: `InvalidArgument` for elements that are not finite, fewer than 100 magnitudes in [1e-12, 100), or fewer
  ///   than 5 bins inside the trim, as for a constant tensor.
  public func fit<Scalar: RealScalar>(_ weights: Tensor<Scalar>, name: String = "weights") throws -> WeibullFit {
    let blocks = try MagnitudeHistogram.blocks(max(jackknifeBlocks, 1), of: weights, name: name)
    return try fit(blocks: blocks, name: name)
  }

  /// Without standard errors.
  /// - Throws: `InvalidArgument` for fewer than 100 weights or 5 bins inside the trim.
  public func fit(_ histogram: MagnitudeHistogram, name: String = "weights") throws -> WeibullFit {
    let line = try WeibullLine(histogram, trim: trim, name: name)
    return WeibullFit(
      distribution: line.distribution, rSquared: line.rSquared,
      kolmogorovSmirnov: histogram.distance { line.distribution.cumulativeProbability($0) },
      count: Int(histogram.count), dropped: Int(histogram.dropped), pointsUsed: line.pointsUsed, trim: trim)
  }

  /// With standard errors from leaving out one block at a time. The blocks are parts of the same weights, for example of
  /// a stream.
  public func fit(blocks: [MagnitudeHistogram], name: String = "weights") throws -> WeibullFit {
    let whole = blocks.reduce(into: MagnitudeHistogram()) { $0 += $1 }
    var result = try fit(whole, name: name)
    let partial = blocks.compactMap { try? WeibullLine(whole.removing($0), trim: trim, name: name).distribution }
    guard blocks.count >= 2, partial.count == blocks.count else { return result }
    result.shapeStandardError = jackknifeError(partial.map(\.shape))
    result.scaleStandardError = jackknifeError(partial.map(\.scale))
    return result
  }

  /// The fit to the sorted values themselves, at F = (i - 1/2) / n, instead of to a histogram. Without standard errors;
  /// zeros are left out.
  /// - Complexity: O(n log n) time, O(n) memory.
  public func fitExactly<Scalar: RealScalar>(
    _ weights: Tensor<Scalar>, name: String = "weights"
  ) throws -> WeibullFit {
    try weights.requireFinite(name)
    let sorted = Tensor<Double>(weights).absolute().reshaped([weights.count]).sorted().scalars
    let magnitudes = sorted[(sorted.firstIndex { $0 > 0 } ?? sorted.count)...]
    try WeibullLine.requireEnough(magnitudes.count, name: name)
    let count = Double(magnitudes.count)
    var points: [WeibullPoint] = []
    for (i, magnitude) in magnitudes.enumerated() {
      let probability = (Double(i) + 0.5) / count
      if trim.keeps(probability) {
        points.append(WeibullPoint(log: .log(magnitude), probability: probability, weight: 1))
      }
    }
    let line = try WeibullLine(points, name: name)
    var distance = 0.0
    for (i, magnitude) in magnitudes.enumerated() {
      let fitted = line.distribution.cumulativeProbability(magnitude)
      distance = max(distance, fitted - Double(i) / count, Double(i + 1) / count - fitted)
    }
    return WeibullFit(
      distribution: line.distribution, rSquared: line.rSquared, kolmogorovSmirnov: distance, count: magnitudes.count,
      dropped: weights.count - magnitudes.count, pointsUsed: line.pointsUsed, trim: trim)
  }

  private func jackknifeError(_ values: [Double]) -> Double {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return ((count - 1) / count * squares).squareRoot()
  }
}

extension MagnitudeHistogram {
  /// The largest distance between the empirical distribution function and another, at the upper edges of the bins.
  ///
  /// Between empty bins at either end the distance only falls, so one of them is enough.
  func distance(to cumulativeProbability: (Double) -> Double) -> Double {
    let total = Double(count)
    let occupied = self.occupied
    var cumulative = 0.0
    var largest = 0.0
    for bin in max(occupied.lowerBound - 1, 0)..<occupied.upperBound {
      cumulative += Double(counts[bin])
      let edge = Double.exp(Self.logEdge(bin + 1))
      largest = max(largest, (cumulative / total - cumulativeProbability(edge)).magnitude)
    }
    return largest
  }
}
