// The shape and scale of a generalized Gaussian law from weights.

import Numerics
public import SpecialFunctions
public import Tensors

/// A generalized Gaussian law that was fitted to numbers about a centre.
public struct GeneralizedGaussianFit: Sendable, Hashable {
  public var law: GeneralizedGaussian
  /// What was subtracted first: the mean, or zero.
  public var centre: Double
  /// How many numbers there were.
  public var count: Int
  /// Of Newton's method on the likelihood; at once converged for moments.
  public var convergence: Convergence

  public var shape: Double { law.shape }
  public var scale: Double { law.scale }
}

/// Estimates the generalized Gaussian law of weights.
///
/// - `moments`: the shape at which Γ(1/ν) Γ(3/ν) / Γ(2/ν)² is E x² / (E |x|)²: one pass over the numbers.
/// - `maximumLikelihood`: from there Newton's method on the derivative of the likelihood with respect to the shape;
///   about five passes with a logarithm and an exponential each.
///
/// Shapes are sought between 0.05 and 20. The estimator of moments of a shape of 0.5 or less has a large variance.
///
/// - Source: Mallat, IEEE PAMI 1989, and Sharifi and Leon-Garcia, 1995, for moments; Varanasi and Aazhang, J. Acoust.
///   Soc. Am. 1989, for likelihood; used for weights by Wu et al., 2025, arXiv 2506.00486.
public struct GeneralizedGaussianFitting: Sendable, Hashable {
  public enum Method: String, Sendable, Hashable, CaseIterable {
    case moments
    case maximumLikelihood = "likelihood"
  }

  public var method: Method
  /// Whether the mean is subtracted first.
  public var centres: Bool
  /// The relative change of the shape at which Newton's method ends.
  public var tolerance: Double
  public var iterationLimit: Int

  public static let shapes = 0.05...20.0

  public init(
    method: Method = .moments, centres: Bool = true, tolerance: Double = 1e-7, iterationLimit: Int = 40
  ) {
    (self.method, self.centres) = (method, centres)
    (self.tolerance, self.iterationLimit) = (tolerance, iterationLimit)
  }

  /// - Throws: `InvalidArgument` for no numbers, numbers that are all equal or not finite.
  public func fit<Scalar: RealScalar>(
    _ weights: Tensor<Scalar>, name: String = "weights"
  ) throws -> GeneralizedGaussianFit {
    guard weights.count > 0 else { throw InvalidArgument(name, found: "no numbers", wanted: "at least two") }
    try weights.requireFinite(name)
    let numbers = weights.dense
    let centre = centres ? Double(numbers.mean().scalar) : 0
    // In units of the largest number, so that no square overflows.
    let largest = (numbers - Scalar(centre)).absolute().maximum().scalar
    let least = Scalar(numbers.absolute().maximum().scalar) * Scalar.ulpOfOne
    guard largest > least else {
      throw InvalidArgument(
        name, found: "\(weights.count) numbers that are all \(centres ? "equal" : "zero")",
        wanted: "numbers that differ")
    }
    var magnitudes = ScaledMagnitudes(numbers: numbers, centre: centre, scale: Double(largest))
    let count = Double(weights.count)
    let sums = magnitudes.momentSums()
    let meanMagnitude = sums.magnitudes / count
    var shape = Self.shape(momentRatio: sums.squares / count / (meanMagnitude * meanMagnitude))
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    guard method == .maximumLikelihood else {
      let unit = try GeneralizedGaussian(shape: shape)
      _ = convergence.continues(residual: 0)
      let law = try GeneralizedGaussian(shape: shape, scale: Double(largest) * meanMagnitude / unit.meanMagnitude)
      return GeneralizedGaussianFit(law: law, centre: centre, count: weights.count, convergence: convergence)
    }
    magnitudes.scale *= meanMagnitude
    var last = shape
    var powers = 0.0
    repeat {
      last = shape
      let step = likelihoodStep(magnitudes, shape)
      powers = step.powers
      shape = min(max(step.shape, Self.shapes.lowerBound, last / 2), Self.shapes.upperBound, last * 2)
    } while convergence.continues(residual: (shape - last).magnitude / last)
    // The scale belongs to the shape at which the sum was taken; the change since is below the tolerance.
    let scale = magnitudes.scale * .pow(last / count * powers, 1 / last)
    let law = try GeneralizedGaussian(shape: last, scale: scale)
    return GeneralizedGaussianFit(law: law, centre: centre, count: weights.count, convergence: convergence)
  }

  /// The shape with a given E x² / (E |x|)²; at the end of the range where it is outside.
  public static func shape(momentRatio ratio: Double) -> Double {
    // The ratio falls in the shape; its logarithm is nearly straight in log shape.
    var low = Double.log(shapes.lowerBound)
    var high = Double.log(shapes.upperBound)
    let target = Double.log(ratio)
    func excess(_ logShape: Double) -> Double {
      .log(GeneralizedGaussian.momentRatio(shape: .exp(logShape))) - target
    }
    if excess(low) <= 0 { return shapes.lowerBound }
    if excess(high) >= 0 || target.isNaN { return shapes.upperBound }
    while high - low > 1e-13 * max(1, low.magnitude) {
      let middle = (low + high) / 2
      if middle == low || middle == high { break }
      if excess(middle) > 0 { low = middle } else { high = middle }
    }
    return .exp((low + high) / 2)
  }

  /// One step of Newton's method on the slope of the likelihood in the shape, with the best scale at each.
  private func likelihoodStep<Scalar: RealScalar>(
    _ magnitudes: ScaledMagnitudes<Scalar>, _ shape: Double
  ) -> (shape: Double, powers: Double) {
    let sums = magnitudes.powerSums(shape)
    let count = Double(magnitudes.numbers.count)
    let inverse = 1 / shape
    let digamma = Double.digamma(inverse)
    let meanLog = sums.logarithms / sums.powers
    let varianceLog = sums.squaredLogarithms / sums.powers - meanLog * meanLog
    let logPower = Double.log(shape / count * sums.powers)
    let value = 1 + digamma * inverse - meanLog + logPower * inverse
    let curvature = (1 - digamma - Double.trigamma(inverse) * inverse - logPower) * inverse * inverse
    let slope = curvature - varianceLog + meanLog * inverse
    // Where the slope has the wrong sign the solution lies on the side that the value says.
    let step = slope < 0 ? -value / slope : (value > 0 ? shape : -shape / 2)
    return (shape + step, sums.powers)
  }
}
