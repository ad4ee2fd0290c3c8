public import Tensors

/// Normalisation of equal parts of each example's channels, over their channels and places.
///
/// Source: Wu and He, "Group normalization", ECCV 2018.
public struct GroupNorm<Scalar: RealScalar>: Layer {
  public var groups: Int
  /// Shape [channels], both.
  public var weight: Tensor<Scalar>?
  public var bias: Tensor<Scalar>?
  /// Added to the variance.
  public var epsilon = 1e-5

  /// - Parameter isAffine: whether each channel has a learned weight and bias.
  public init(groups: Int, channels: Int, isAffine: Bool = true) {
    precondition(groups > 0 && channels % groups == 0, "\(channels) channels do not split into \(groups) groups")
    self.groups = groups
    weight = isAffine ? .ones([channels]) : nil
    bias = isAffine ? .zeros([channels]) : nil
  }

  /// - Parameter x: shape [examples, channels, ...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    self(x, then: .identity)
  }

  /// activation(normalised x), in one pass over memory.
  public func callAsFunction(_ x: Tensor<Scalar>, then activation: Activation) -> Tensor<Scalar> {
    let normalization = ChannelNormalization<Scalar>(
      groups: .partsOfExample(groups), epsilon: epsilon, activation: activation)
    return normalization(x, weight: weight, bias: bias).value
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
  }
}

/// Normalisation of each channel of each example over its places.
///
/// Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization: the missing ingredient for fast stylization", 2016.
public struct InstanceNorm<Scalar: RealScalar>: Layer {
  /// Shape [channels], both; absent unless asked for.
  public var weight: Tensor<Scalar>?
  public var bias: Tensor<Scalar>?
  /// Added to the variance.
  public var epsilon = 1e-5

  /// - Parameter isAffine: whether each channel has a learned weight and bias.
  public init(_ channels: Int, isAffine: Bool = false) {
    weight = isAffine ? .ones([channels]) : nil
    bias = isAffine ? .zeros([channels]) : nil
  }

  /// - Parameter x: shape [examples, channels, ...] with more than one place.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    precondition(x.rank > 2, "instance normalisation needs shape [examples, channels, ...], but is given \(x.shape)")
    let normalization = ChannelNormalization<Scalar>(
      groups: .partsOfExample(x.shape[1]), epsilon: epsilon, activation: .identity)
    return normalization(x, weight: weight, bias: bias).value
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
  }
}
