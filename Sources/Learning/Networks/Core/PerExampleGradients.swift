// Gradients by example and curvature products with respect to all parameters of a module at once.

public import Tensors

extension Module {
  /// The losses of the examples of a batch, and the gradient of each with respect to the parameters, without a loop over
  /// the examples.
  ///
  /// What the losses may be made of is said at `Tensors.perExampleGradients`: loss i must depend on example i alone, and
  /// the examples lie on the first axis throughout.
  ///
  /// - Parameters:
  ///   - count: the number of examples.
  ///   - isTrainable: which parameters, by name; the others count as constants.
  ///   - losses: returns one loss for each example, of shape [count].
  /// - Returns: the losses, and gradients of shape [count] + the parameter's shape.
  public func perExampleGradients(
    examples count: Int, where isTrainable: (String) -> Bool = { _ in true },
    of losses: (Self) throws -> Tensor<Scalar>
  ) rethrows -> (values: Tensor<Scalar>, gradients: NamedTensors<Scalar>) {
    let learned = learned(isTrainable)
    let (values, gradients) = try Tensors.perExampleGradients(at: learned.tensors, examples: count) { tensors in
      try losses(with(tensors, named: learned.names))
    }
    return (values, NamedTensors(names: learned.names, tensors: gradients))
  }

  /// The losses of the examples of a batch, and the norm of each one's gradient over all parameters; the gradients of
  /// dense layers and embeddings are not formed where that is less work.
  ///
  /// - Returns: the losses, the norms of shape [count], and their squares by parameter.
  public func perExampleGradientNorms(
    examples count: Int, where isTrainable: (String) -> Bool = { _ in true },
    of losses: (Self) throws -> Tensor<Scalar>
  ) rethrows -> (values: Tensor<Scalar>, norms: Tensor<Scalar>, squaredNorms: NamedTensors<Scalar>) {
    let learned = learned(isTrainable)
    let (values, norms, squares) = try Tensors.perExampleGradientNorms(at: learned.tensors, examples: count) {
      tensors in
      try losses(with(tensors, named: learned.names))
    }
    return (values, norms, NamedTensors(names: learned.names, tensors: squares))
  }

  /// The value of `loss`, its gradient g, and the product Hv of its Hessian with respect to the parameters.
  ///
  /// - Parameter direction: v, a tensor for each parameter that is to change, by name; the Hessian is that with respect
  ///   to these.
  public func hessianVectorProduct(
    along direction: NamedTensors<Scalar>, of loss: (Self) throws -> Tensor<Scalar>
  ) rethrows -> (value: Tensor<Scalar>, gradient: NamedTensors<Scalar>, product: NamedTensors<Scalar>) {
    let (learned, directions) = matched(direction)
    let (value, gradients, products) = try Tensors.hessianVectorProduct(at: learned.tensors, along: directions) {
      try loss(with($0, named: learned.names))
    }
    let names = learned.names
    return (value, NamedTensors(names: names, tensors: gradients), NamedTensors(names: names, tensors: products))
  }

  /// The value of `loss` at this module's outputs, and the Gauss-Newton product JᵀHJv with respect to the parameters
  /// that `direction` names.
  public func gaussNewtonVectorProduct(
    along direction: NamedTensors<Scalar>, of outputs: (Self) throws -> Tensor<Scalar>,
    loss: (Tensor<Scalar>) throws -> Tensor<Scalar>
  ) rethrows -> (value: Tensor<Scalar>, product: NamedTensors<Scalar>) {
    let (learned, directions) = matched(direction)
    let (value, products) = try Tensors.gaussNewtonVectorProduct(
      at: learned.tensors, of: { try outputs(with($0, named: learned.names)) }, loss: loss, along: directions)
    return (value, NamedTensors(names: learned.names, tensors: products))
  }

  /// The outputs of this module, and their derivative Jv along a change of the parameters that `direction` names.
  public func jacobianVectorProduct(
    along direction: NamedTensors<Scalar>, of outputs: (Self) throws -> Tensor<Scalar>
  ) rethrows -> (value: Tensor<Scalar>, derivative: Tensor<Scalar>) {
    let (learned, directions) = matched(direction)
    return try Tensors.jacobianVectorProduct(at: learned.tensors, along: directions) {
      try outputs(with($0, named: learned.names))
    }
  }

  /// The parameters that `direction` names, in the order of `visit`, and the directions in that order.
  private func matched(_ direction: NamedTensors<Scalar>) -> (NamedTensors<Scalar>, [Tensor<Scalar>]) {
    let names = Set(direction.names)
    let learned = learned { names.contains($0) }
    let directions = learned.names.compactMap { direction[$0] }
    precondition(
      directions.count == direction.count,
      "directions for \(direction.names.filter { learned[$0] == nil }), which are not parameters of this module")
    return (learned, directions)
  }
}
