// Values and gradients with respect to all parameters of a module at once.

public import Tensors

extension Module {
  /// The value of `loss`, which must be one number, and its gradient with respect to the parameters.
  ///
  /// - Parameter isTrainable: which parameters are learned, by name; the others count as constants, and have no entry
  ///   in the result.
  /// - Complexity: about three times one evaluation; memory for its intermediate results.
  public func valueAndGradient(
    where isTrainable: (String) -> Bool = { _ in true }, of loss: (Self) throws -> Tensor<Scalar>
  ) rethrows -> (value: Tensor<Scalar>, gradient: NamedTensors<Scalar>) {
    var learned = NamedTensors<Scalar>()
    var walked = self
    walked.forEachParameter { name, tensor in if isTrainable(name) { learned.append(name, tensor) } }
    let (value, gradients) = try valueAndGradients(at: learned.tensors) { tensors in
      try loss(with(tensors, named: learned.names))
    }
    return (value, NamedTensors(names: learned.names, tensors: gradients))
  }

  /// The value of `loss` and its gradient in one training step; running statistics noted in `pass` are taken over.
  ///
  /// - Parameter isTrainable: which parameters are learned, by name.
  public mutating func valueAndGradient(
    in pass: ForwardPass, where isTrainable: (String) -> Bool = { _ in true },
    of loss: (Self, ForwardPass) throws -> Tensor<Scalar>
  ) rethrows -> (value: Tensor<Scalar>, gradient: NamedTensors<Scalar>) {
    var tracked = self
    let hasBuffers = tracked.makeBuffersUnique()
    let result = try tracked.valueAndGradient(where: isTrainable) { try loss($0, pass) }
    if hasBuffers { adoptStatistics(of: tracked, from: pass) }
    return result
  }

  /// Runs `body` as a training pass without a gradient, and takes over the running statistics it notes.
  public mutating func withStatistics<Result>(
    in pass: ForwardPass, _ body: (Self, ForwardPass) throws -> Result
  ) rethrows -> Result {
    var tracked = self
    let hasBuffers = tracked.makeBuffersUnique()
    let result = try body(tracked, pass)
    if hasBuffers { adoptStatistics(of: tracked, from: pass) }
    return result
  }

  /// This module with the named parameters replaced; `names` in the order of `visit`.
  func with(_ tensors: [Tensor<Scalar>], named names: [String]) -> Self {
    var result = self
    var next = 0
    result.forEachParameter { name, tensor in
      guard next < names.count, names[next] == name else { return }
      tensor = tensors[next]
      next += 1
    }
    precondition(next == names.count, "visit does not hand out its parameters in a fixed order")
    return result
  }

  /// Statistics are noted under the identity of the buffer, so that no two may share one.
  private mutating func makeBuffersUnique() -> Bool {
    var found = false
    forEachTensor { _, role, tensor in
      guard role == .buffer else { return }
      found = true
      tensor = tensor.copied()
    }
    return found
  }

  private mutating func adoptStatistics(of tracked: Self, from pass: ForwardPass) {
    let updated = tracked.buffers.tensors.map { pass.current($0) }
    var next = 0
    forEachTensor { _, role, tensor in
      guard role == .buffer else { return }
      tensor = updated[next]
      next += 1
    }
    pass.forgetStatistics()
  }
}
