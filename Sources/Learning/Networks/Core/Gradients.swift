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
    try valueAndGradient(at: learned(isTrainable), of: loss)
  }

  private func valueAndGradient(
    at learned: NamedTensors<Scalar>, of loss: (Self) throws -> Tensor<Scalar>
  ) rethrows -> (value: Tensor<Scalar>, gradient: NamedTensors<Scalar>) {
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
    var (tracked, learned, buffers) = (self, NamedTensors<Scalar>(), [Tensor<Scalar>]())
    tracked.forEachTensor { name, role, tensor in
      if role == .buffer {
        Self.makeUnique(&tensor, in: &buffers)
      } else if isTrainable(name) {
        learned.append(name, tensor)
      }
    }
    let result = try tracked.valueAndGradient(at: learned) { try loss($0, pass) }
    adoptStatistics(of: buffers, from: pass)
    return result
  }

  /// Runs `body` as a training pass without a gradient, and takes over the running statistics it notes.
  public mutating func withStatistics<Result>(
    in pass: ForwardPass, _ body: (Self, ForwardPass) throws -> Result
  ) rethrows -> Result {
    var (tracked, buffers) = (self, [Tensor<Scalar>]())
    tracked.forEachTensor { _, role, tensor in if role == .buffer { Self.makeUnique(&tensor, in: &buffers) } }
    let result = try body(tracked, pass)
    adoptStatistics(of: buffers, from: pass)
    return result
  }

  /// The parameters that are learned.
  func learned(_ isTrainable: (String) -> Bool) -> NamedTensors<Scalar> {
    var learned = NamedTensors<Scalar>()
    var walked = self
    walked.forEachParameter { name, tensor in if isTrainable(name) { learned.append(name, tensor) } }
    return learned
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
  private static func makeUnique(_ buffer: inout Tensor<Scalar>, in buffers: inout [Tensor<Scalar>]) {
    buffer = buffer.copied()
    buffers.append(buffer)
  }

  private mutating func adoptStatistics(of buffers: [Tensor<Scalar>], from pass: ForwardPass) {
    guard !buffers.isEmpty else { return }
    var rest = buffers[...]
    forEachTensor { _, role, tensor in if role == .buffer { tensor = pass.current(rest.removeFirst()) } }
    pass.forgetStatistics()
  }
}
