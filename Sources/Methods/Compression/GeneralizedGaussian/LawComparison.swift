// Is it a generalized Gaussian? Four laws of the same weights, by Akaike's criterion.

import Numerics
import SpecialFunctions
public import Tensors

/// How well four laws describe the same weights.
public struct LawComparison: Sendable, Hashable {
  public enum Law: String, Sendable, Hashable, CaseIterable {
    case generalizedGaussian = "generalized Gaussian"
    case gaussian = "Gaussian"
    case laplace = "Laplace"
    case student = "Student"
  }

  /// The fit by maximum likelihood.
  public var fit: GeneralizedGaussianFit
  /// Degrees of freedom of the fitted Student law.
  public var studentDegrees: Double
  /// 2 k - 2 log L of each law, with k parameters besides the centre.
  public var akaike: [Law: Double]
  /// The largest distance of the empirical distribution from the fitted generalized Gaussian.
  public var kolmogorovSmirnov: Double
  /// On how many weights this was evaluated.
  public var count: Int

  /// The law with the least criterion.
  public var best: Law { akaike.min { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }?.key ?? .gaussian }

  /// How much a law's criterion exceeds that of the generalized Gaussian, for each weight.
  public func excess(of law: Law) -> Double {
    ((akaike[law] ?? .nan) - (akaike[.generalizedGaussian] ?? .nan)) / Double(count)
  }

  /// Fits all four laws to at most `limit` weights, evenly spaced in the tensor.
  ///
  /// - Throws: `InvalidArgument` as the fit does.
  /// - Complexity: about two hundred passes over the weights used, most of them for the Student law.
  public init<Scalar: RealScalar>(
    of weights: Tensor<Scalar>, limit: Int = 1 << 16, name: String = "weights"
  ) throws {
    try weights.requireFinite(name)
    let flat = Tensor<Double>(weights.flattened)
    let stride = max(1, flat.count / max(limit, 2))
    let kept = min(flat.count, max(limit, 2))
    let sample = stride == 1 ? flat : flat.gathered(Tensor<Int>((0..<kept).map { $0 * stride }))
    let fit = try GeneralizedGaussianFitting(method: .maximumLikelihood).fit(sample, name: name)
    let magnitudes = ScaledMagnitudes(numbers: sample, centre: fit.centre)
    let n = Double(sample.count)
    let sums = magnitudes.momentSums()
    let deviation = (sums.squares / n).squareRoot()
    let mean = sums.magnitudes / n
    // The mean of (|x| / α)^ν under the law of greatest likelihood is 1/ν.
    let general = -n * (Double.log(2 * fit.scale) + logHalfWidth(fit.shape) + 1 / fit.shape)
    let gaussian = -n * (Double.log(deviation) + 0.5 * Double.log(2 * .pi) + 0.5)
    let laplace = -n * (Double.log(2 * mean) + 1)
    let student = StudentFit(magnitudes, deviation: deviation)
    self.fit = fit
    studentDegrees = student.degrees
    akaike = [
      .generalizedGaussian: 4 - 2 * general, .gaussian: 2 - 2 * gaussian, .laplace: 2 - 2 * laplace,
      .student: 4 - 2 * student.logLikelihood,
    ]
    count = sample.count
    kolmogorovSmirnov = Self.distance((sample - fit.centre).sorted(axis: 0), fit.law)
  }

  private static func distance(_ sorted: Tensor<Double>, _ law: GeneralizedGaussian) -> Double {
    let levels = law.cumulative(sorted)
    let steps = Tensor<Double>(from: 0, through: 1, count: sorted.count + 1)
    let above = (levels - steps[0..<sorted.count]).maximum().scalar
    let below = (steps[1...] - levels).maximum().scalar
    return max(above, below)
  }
}

private func logHalfWidth(_ shape: Double) -> Double { Double.logGamma(1 / shape) - .log(shape) }

/// The Student law of greatest likelihood about zero: golden sections in the logarithms of degrees and scale.
private struct StudentFit {
  var degrees = 1.0
  var logLikelihood = -Double.infinity

  init(_ magnitudes: ScaledMagnitudes<Double>, deviation: Double) {
    let n = Double(magnitudes.numbers.count)
    func likelihood(_ degrees: Double, _ scale: Double) -> Double {
      let constant = Double.logGamma((degrees + 1) / 2) - Double.logGamma(degrees / 2)
      let normal = constant - 0.5 * Double.log(degrees * .pi) - Double.log(scale)
      return n * normal - (degrees + 1) / 2 * magnitudes.studentSum(degrees * scale * scale)
    }
    func best(_ degrees: Double) -> Double {
      let logScale = goldenSection(from: .log(deviation) - 3, to: .log(deviation) + 0.1, tolerance: 1e-3) {
        likelihood(degrees, .exp($0))
      }
      return likelihood(degrees, .exp(logScale))
    }
    degrees = .exp(goldenSection(from: .log(0.5), to: .log(300), tolerance: 0.02) { best(.exp($0)) })
    logLikelihood = best(degrees)
  }
}

/// Where a function with one maximum has it.
private func goldenSection(from low: Double, to high: Double, tolerance: Double, _ value: (Double) -> Double) -> Double
{
  let ratio = (5.0.squareRoot() - 1) / 2
  var (low, high) = (low, high)
  var left = high - ratio * (high - low)
  var right = low + ratio * (high - low)
  var (atLeft, atRight) = (value(left), value(right))
  while high - low > tolerance {
    if atLeft > atRight {
      (high, right, atRight) = (right, left, atLeft)
      left = high - ratio * (high - low)
      atLeft = value(left)
    } else {
      (low, left, atLeft) = (left, right, atRight)
      right = low + ratio * (high - low)
      atRight = value(right)
    }
  }
  return (low + high) / 2
}
