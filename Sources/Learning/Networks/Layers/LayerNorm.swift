public import Tensors

/// Each vector of the last axis with mean zero and variance one, then scaled and shifted; see `layerNorm`.
public struct LayerNorm<Scalar: RealScalar>: Layer {
  /// Shape [width].
  public var weight: Tensor<Scalar>
  /// Shape [width].
  public var bias: Tensor<Scalar>?
  public var epsilon: Double

  public init(_ width: Int, epsilon: Double = 1e-5, hasBias: Bool = true) {
    weight = .ones([width])
    bias = hasBias ? .zeros([width]) : nil
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
  }
}

/// Each vector of the last axis divided by its root mean square, then scaled; see `rmsNorm`.
public struct RMSNorm<Scalar: RealScalar>: Layer {
  /// Shape [width].
  public var weight: Tensor<Scalar>
  public var epsilon: Double

  public init(_ width: Int, epsilon: Double = 1e-6) {
    weight = .ones([width])
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    rmsNorm(x, weight: weight, epsilon: epsilon)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) { visitor.parameter("weight", &weight) }
}
