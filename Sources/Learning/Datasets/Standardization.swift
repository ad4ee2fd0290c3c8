public import Tensors

/// Shifts and scales each feature to mean zero and variance one, as measured on the training part.
public struct Standardization<Scalar: RealScalar>: Sendable {
  /// Shape of one example.
  public let mean: Tensor<Scalar>
  /// Shape of one example; one where a feature does not vary.
  public let deviation: Tensor<Scalar>

  /// - Parameter features: shape [count, ...], at least one example.
  public init(fittedTo features: Tensor<Scalar>) {
    precondition(features.rank >= 1 && features.shape[0] > 0, "there is nothing to fit in shape \(features.shape)")
    mean = features.mean(axis: 0)
    let measured = features.standardDeviation(axis: 0)
    // What is left of a constant feature's variance is rounding.
    let isConstant = measured .<= (mean.absolute() + 1) * (8 * Scalar.ulpOfOne)
    deviation = isConstant.select(.ones(measured.shape), measured)
  }

  public func callAsFunction(_ features: Tensor<Scalar>) -> Tensor<Scalar> { (features - mean) / deviation }

  /// The features as they were measured.
  public func inverted(_ features: Tensor<Scalar>) -> Tensor<Scalar> { features * deviation + mean }
}
