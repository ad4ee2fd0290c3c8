public import Tensors

/// Shifts and scales each feature to mean zero and variance one, as measured on the training part.
public struct Standardization<Scalar: RealScalar>: Sendable {
  /// Shape of one example, or [channels, 1, 1] of images.
  public let mean: Tensor<Scalar>
  /// Of the shape of `mean`; one where a feature does not vary.
  public let deviation: Tensor<Scalar>

  /// - Parameter features: shape [count, ...], at least one example.
  public init(fittedTo features: Tensor<Scalar>) {
    precondition(features.rank >= 1 && features.shape[0] > 0, "there is nothing to fit in shape \(features.shape)")
    // Squares of very large or very small features would be none: the variance is measured in units of the largest.
    let largest = features.absolute().maximum(axis: 0)
    let unit = (largest .== 0).select(.ones(largest.shape), largest)
    let inUnits = features / unit
    mean = inUnits.mean(axis: 0) * unit
    let measured = inUnits.standardDeviation(axis: 0)
    // What is left of a constant feature's variance is rounding.
    let isConstant = measured .<= 8 * Scalar.ulpOfOne
    deviation = isConstant.select(.ones(measured.shape), measured * unit)
  }

  /// One mean and one deviation for each channel.
  ///
  /// - Parameter images: shape [count, channels, height, width], at least one image.
  public init(fittedToImages images: Tensor<Scalar>) {
    precondition(images.rank == 4, "images have shape [count, channels, height, width], not \(images.shape)")
    let channels = images.shape[1]
    let pixels = Standardization(fittedTo: images.permuted([0, 2, 3, 1]).reshaped([-1, channels]))
    mean = pixels.mean.reshaped([channels, 1, 1])
    deviation = pixels.deviation.reshaped([channels, 1, 1])
  }

  public func callAsFunction(_ features: Tensor<Scalar>) -> Tensor<Scalar> { (features - mean) / deviation }

  /// The features as they were measured.
  public func inverted(_ features: Tensor<Scalar>) -> Tensor<Scalar> { features * deviation + mean }
}
