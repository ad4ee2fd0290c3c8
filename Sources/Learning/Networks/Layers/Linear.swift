public import Tensors

/// x Wᵀ + b on the last axis.
public struct Linear<Scalar: RealScalar>: Layer {
  /// Shape [outputs, inputs].
  public var weight: Tensor<Scalar>
  /// Shape [outputs].
  public var bias: Tensor<Scalar>?

  public init(weight: Tensor<Scalar>, bias: Tensor<Scalar>? = nil) {
    precondition(weight.rank == 2, "a linear layer's weight is a matrix, but its shape is \(weight.shape)")
    precondition(
      bias.map { $0.shape == [weight.rows] } ?? true,
      "bias of shape \(bias?.shape ?? []) for a weight of shape \(weight.shape)")
    self.weight = weight
    self.bias = bias
  }

  public init(
    _ inputs: Int, _ outputs: Int, hasBias: Bool = true, initializer: Initializer = .fanInUniform,
    random: inout RandomStream
  ) {
    weight = initializer([outputs, inputs], from: &random)
    let bound = 1 / Double(max(1, inputs)).squareRoot()
    bias = hasBias ? Initializer.uniform(bound: bound)([outputs], from: &random) : nil
  }

  public var inputs: Int { weight.columns }
  public var outputs: Int { weight.rows }

  /// - Parameter x: shape [..., inputs].
  /// - Returns: shape [..., outputs].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    linear(x, weight: weight, bias: bias)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
  }
}

/// x Wᵀ + b on the last axis of x, as one product whatever the leading axes are.
public func linear<Scalar: RealScalar>(
  _ x: Tensor<Scalar>, weight: Tensor<Scalar>, bias: Tensor<Scalar>? = nil
) -> Tensor<Scalar> {
  let product = x.matmul(weight, transposingB: true)
  return bias.map { product + $0 } ?? product
}
