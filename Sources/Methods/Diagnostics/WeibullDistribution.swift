import Numerics
import Tensors

/// The law with distribution function F(x) = 1 - exp(-(x / scale)^shape) on the positive numbers, in closed form.
public struct WeibullDistribution: Sendable, Hashable {
  /// k: one for an exponential law, larger for lighter tails.
  public let shape: Double
  /// lambda, in the units of x: the quantile of 1 - 1/e.
  public let scale: Double

  /// - Throws: `InvalidArgument` unless both are positive and finite.
  public init(shape: Double, scale: Double) throws {
    guard shape > 0, shape.isFinite else {
      throw InvalidArgument("shape", found: "\(shape)", wanted: "a positive number")
    }
    guard scale > 0, scale.isFinite else {
      throw InvalidArgument("scale", found: "\(scale)", wanted: "a positive number")
    }
    self.shape = shape
    self.scale = scale
  }

  public var mean: Double { scale * .gamma(1 + 1 / shape) }
  /// E[x^2], whose root is the standard deviation of weights with these magnitudes and symmetric signs.
  public var secondMoment: Double { scale * scale * .gamma(1 + 2 / shape) }
  public var standardDeviation: Double {
    let first = Double.gamma(1 + 1 / shape)
    return scale * max(.gamma(1 + 2 / shape) - first * first, 0).squareRoot()
  }
  public var median: Double { scale * .pow(.log(2), 1 / shape) }
  /// Q90/Q10: how heavy the body is, whatever the scale.
  public var interdecileRatio: Double { .pow(.log(0.1) / .log(0.9), 1 / shape) }

  /// The x below which a value falls with the given probability; NaN for a probability outside [0, 1].
  public func quantile(_ probability: Double) -> Double {
    guard probability >= 0, probability <= 1 else { return .nan }
    return scale * .pow(-.log(onePlus: -probability), 1 / shape)
  }

  public func cumulativeProbability(_ x: Double) -> Double {
    x <= 0 ? 0 : -.expMinusOne(-.pow(x / scale, shape))
  }
}
