// Which eight bits suit a generalized Gaussian law.

import Numerics
public import SpecialFunctions
import Tensors

/// An 8-bit format for weights of unit variance, its scale and its error.
public struct Float8Choice: Sendable, Hashable {
  public var format: Minifloat
  /// A power of two, in standard deviations.
  public var scale: Double
  /// The mean squared error over the variance.
  public var error: Double
}

/// The 8-bit float with the least mean squared error for weights of a generalized Gaussian law.
///
/// All splits of seven bits into exponent and mantissa are tried, none of the codes reserved, each with its best power of
/// two as the scale. The error is exact: partial moments over the codes' cells.
///
/// The paper's format RF8 is for weights of such a law; its bits could not be recovered. Here it is this optimum at the
/// shape the weights have.
///
/// - Throws: `InvalidArgument` for a shape that is not above zero.
/// - Complexity: some hundred thousand incomplete gamma functions, about 0.1 s.
public func optimalFloat8(shape: Double) throws -> Float8Choice {
  let law = try GeneralizedGaussian(shape: shape, standardDeviation: 1)
  var best: Float8Choice?
  for exponentBits in 1...6 {
    let format = try Minifloat(exponentBits: exponentBits, mantissaBits: 7 - exponentBits)
    let choice = try bestFloat8(format, for: law)
    if choice.error < best?.error ?? .infinity { best = choice }
  }
  guard let best else { throw InvalidArgument("shape", found: "\(shape)", wanted: "a shape that eight bits can hold") }
  return best
}

/// One format's best power-of-two scale for a law, and its error over the variance.
///
/// - Throws: `InvalidArgument` where no scale leaves an error below the variance.
public func bestFloat8(_ format: Minifloat, for law: GeneralizedGaussian) throws -> Float8Choice {
  let deviation = law.standardDeviation
  var best: Float8Choice?
  // From a largest number of one standard deviation to the law's last 1e-12.
  let tail = -law.quantile(5e-13) / deviation
  let low = Int(Double.log2(1 / Double(format.largest)).rounded(.down))
  let high = Int(Double.log2(tail / Double(format.largest)).rounded(.up))
  for exponent in low...max(low, high) {
    let scale = Double.exp2(Double(exponent))
    let error = roundingError(of: law, to: format.magnitudes.map { $0 * scale * deviation }) / law.variance
    if error < best?.error ?? 1 { best = Float8Choice(format: format, scale: scale, error: error) }
  }
  guard let best else {
    throw InvalidArgument("format", found: "\(format.name)", wanted: "a format with numbers near the weights")
  }
  return best
}

/// The error over the variance of 255 equally spaced numbers about zero with the best spacing.
///
/// - Throws: `InvalidArgument` for a shape that is not above zero.
public func integer8Error(shape: Double) throws -> (error: Double, step: Double) {
  let law = try GeneralizedGaussian(shape: shape, standardDeviation: 1)
  func error(_ logStep: Double) -> Double {
    roundingError(of: law, to: (0...127).map { Double($0) * .exp(logStep) })
  }
  // The error has one minimum in the step: a coarse look, then golden sections.
  let grid = stride(from: -6.0, through: 0, by: 0.1).map { $0 }
  let start = grid.min { error($0) < error($1) } ?? -3
  let logStep = leastPoint(from: start - 0.1, to: start + 0.1, error)
  return (error(logStep), .exp(logStep))
}

/// The mean squared distance of a law's numbers to the nearest of the points, which are given from zero upwards and
/// stand for both signs.
public func roundingError(of law: GeneralizedGaussian, to points: [Double]) -> Double {
  var sum = 0.0
  var low = 0.0
  for (i, point) in points.enumerated() {
    let high = i + 1 < points.count ? (point + points[i + 1]) / 2 : .infinity
    // The second moment about the point, from moments about zero.
    let mass = law.partialMoment(0, from: low, to: high)
    let first = law.partialMoment(1, from: low, to: high)
    let second = law.partialMoment(2, from: low, to: high)
    sum += max(second - 2 * point * first + point * point * mass, 0)
    low = high
  }
  return 2 * sum
}

private func leastPoint(from low: Double, to high: Double, _ value: (Double) -> Double) -> Double {
  let ratio = (5.0.squareRoot() - 1) / 2
  var (low, high) = (low, high)
  while high - low > 1e-5 {
    let (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
    if value(left) < value(right) { high = right } else { low = left }
  }
  return (low + high) / 2
}
