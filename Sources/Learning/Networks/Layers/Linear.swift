public import Tensors

/// x Wᵀ + b on the last axis.
///
/// The matrix W may be kept in other forms than its numbers, such as the product of two thin ones: see ``LinearForm``.
public struct Linear<Scalar: RealScalar>: Layer {
  /// How W is kept, and by what products it is applied.
  public var form: LinearForm<Scalar>
  /// Shape [outputs].
  public var bias: Tensor<Scalar>?
  /// Told of what goes through this layer; no part of its state, and nothing to those that have none.
  public var tap: LinearTap<Scalar>?

  public init(form: LinearForm<Scalar>, bias: Tensor<Scalar>? = nil) {
    let outputs = form.shape[0]
    precondition(
      bias.map { $0.shape == [outputs] } ?? true,
      "bias of shape \(bias?.shape ?? []) for a weight of shape \(form.shape)")
    self.form = form
    self.bias = bias
  }

  public init(weight: Tensor<Scalar>, bias: Tensor<Scalar>? = nil) {
    precondition(weight.rank == 2, "a linear layer's weight is a matrix, but its shape is \(weight.shape)")
    self.init(form: .dense(weight), bias: bias)
  }

  public init(
    _ inputs: Int, _ outputs: Int, hasBias: Bool = true, initializer: Initializer = .fanInUniform,
    random: inout RandomStream
  ) {
    form = .dense(initializer([outputs, inputs], from: &random))
    let bound = 1 / Double(max(1, inputs)).squareRoot()
    bias = hasBias ? Initializer.uniform(bound: bound)([outputs], from: &random) : nil
  }

  /// W, shape [outputs, inputs]: multiplied out where the layer keeps factors. Setting it makes the layer dense.
  public var weight: Tensor<Scalar> {
    get { form.dense }
    set { form = .dense(newValue) }
    _modify {
      var weight = form.dense
      // No second reference while the caller writes: it would cost a copy.
      form = .dense(Tensor.zeros([]))
      defer { form = .dense(weight) }
      yield &weight
    }
  }

  public var inputs: Int { form.shape[1] }
  public var outputs: Int { form.shape[0] }

  /// - Parameter x: shape [..., inputs].
  /// - Returns: shape [..., outputs].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    tap?.input?(x)
    let product = form.product(x)
    let result = bias.map { product + $0 } ?? product
    return tap?.output?(result) ?? result
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    if let body = visitor.linearBody { return body(visitor.path, &self) }
    form.visit(visitor)
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
