public import Tensors

/// Batch normalisation of each channel over all examples and places, for data of any number of spatial dimensions.
///
/// In training the batch's own mean and variance are used, and the running ones follow them; at inference the running
/// ones stand in.
///
/// Source: Ioffe and Szegedy, "Batch normalization: accelerating deep network training", ICML 2015.
public struct BatchNorm<Scalar: RealScalar>: Layer {
  /// Shape [channels], all three.
  public var weight: Tensor<Scalar>?
  public var bias: Tensor<Scalar>?
  public var runningMean: Tensor<Scalar>
  /// Of the unbiased variances of the batches.
  public var runningVariance: Tensor<Scalar>
  /// The share of the newest batch in the running statistics.
  public var momentum = 0.1
  /// Added to the variance.
  public var epsilon = 1e-5

  /// - Parameter isAffine: whether each channel has a learned weight and bias.
  public init(_ channels: Int, isAffine: Bool = true) {
    weight = isAffine ? .ones([channels]) : nil
    bias = isAffine ? .zeros([channels]) : nil
    runningMean = .zeros([channels])
    runningVariance = .ones([channels])
  }

  /// - Parameter x: shape [examples, channels, ...]; in training with more than one value a channel.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    self(x, in: pass, adding: nil)
  }

  /// activation(normalised x + residual), in one pass over memory.
  public func callAsFunction(
    _ x: Tensor<Scalar>, in pass: ForwardPass, adding residual: Tensor<Scalar>?,
    then activation: Activation = .identity
  ) -> Tensor<Scalar> {
    guard pass.isTraining else { return evaluated(x, residual, activation) }
    let normalization = ChannelNormalization<Scalar>(
      groups: .channelsOfBatch, epsilon: epsilon, activation: activation)
    let values = x.count / max(1, runningMean.count)
    precondition(values > 1, "batch normalisation in training needs two values a channel, but x has shape \(x.shape)")
    let (value, statistics) = normalization(x, weight: weight, bias: bias, adding: residual)
    let unbiased = statistics.variance * (Scalar(values) / Scalar(values - 1))
    pass.update(runningMean, to: moved(pass.current(runningMean), towards: statistics.mean))
    pass.update(runningVariance, to: moved(pass.current(runningVariance), towards: unbiased))
    return value
  }

  private func moved(_ old: Tensor<Scalar>, towards new: Tensor<Scalar>) -> Tensor<Scalar> {
    old * Scalar(1 - momentum) + new.withoutDerivative * Scalar(momentum)
  }

  /// With the running statistics: an affine map of each channel.
  private func evaluated(
    _ x: Tensor<Scalar>, _ residual: Tensor<Scalar>?, _ activation: Activation
  ) -> Tensor<Scalar> {
    let perChannel = [1, runningMean.count] + [Int](repeating: 1, count: x.rank - 2)
    let inverse = (runningVariance + Scalar(epsilon)).reciprocalSqrt()
    let scale = weight.map { $0 * inverse } ?? inverse
    let shift = (bias ?? Tensor(0)) - runningMean * scale
    let value = x * scale.reshaped(perChannel) + shift.reshaped(perChannel)
    return activation(residual.map { value + $0 } ?? value)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
    visitor.buffer("running_mean", &runningMean)
    visitor.buffer("running_var", &runningVariance)
  }
}
