// Tensors with names, in the order of a module's visit: its parameters, their gradients, an optimizer's state.

public import Tensors

/// Tensors under dotted names, in order.
public struct NamedTensors<Scalar: RealScalar>: Sendable {
  public private(set) var names: [String]
  public var tensors: [Tensor<Scalar>]

  public init(names: [String] = [], tensors: [Tensor<Scalar>] = []) {
    precondition(names.count == tensors.count, "\(names.count) names for \(tensors.count) tensors")
    self.names = names
    self.tensors = tensors
  }

  public var count: Int { names.count }

  /// The tensor of this name, or nil.
  public subscript(name: String) -> Tensor<Scalar>? { names.firstIndex(of: name).map { tensors[$0] } }

  public mutating func append(_ name: String, _ tensor: Tensor<Scalar>) {
    names.append(name)
    tensors.append(tensor)
  }

  /// The same names with other tensors.
  public func map(_ transform: (Tensor<Scalar>) throws -> Tensor<Scalar>) rethrows -> NamedTensors {
    NamedTensors(names: names, tensors: try tensors.map(transform))
  }

  /// The Euclidean norm of all tensors taken as one vector; finite where it is a `Double` and all elements are finite.
  ///
  /// The tensors' sums are added as `Double`: the norm should not depend on how a vector is cut into tensors.
  public var norm: Double {
    let norm = tensors.reduce(0.0) { $0 + Double($1.sumOfSquares().scalar) }.squareRoot()
    guard !norm.isFinite, tensors.allSatisfy(\.isFinite) else { return norm }
    // A square is beyond the type, not the numbers themselves.
    let largest = tensors.reduce(Scalar(0)) { max($0, $1.isEmpty ? 0 : $1.absolute().maximum().scalar) }
    let scaled = tensors.reduce(0.0) { $0 + Double(($1 / largest).sumOfSquares().scalar) }.squareRoot()
    return Double(largest) * scaled
  }
}

extension Module {
  /// The learned tensors.
  public var parameters: NamedTensors<Scalar> { tensors(of: .parameter) }

  /// The tensors that are kept but not learned by descent.
  public var buffers: NamedTensors<Scalar> { tensors(of: .buffer) }

  /// How many numbers are learned.
  public var parameterCount: Int { parameters.tensors.reduce(0) { $0 + $1.count } }

  private func tensors(of wanted: TensorRole) -> NamedTensors<Scalar> {
    var result = NamedTensors<Scalar>()
    var walked = self
    walked.forEachTensor { name, role, tensor in if role == wanted { result.append(name, tensor) } }
    return result
  }

  /// This module with other parameters, given in the order of `visit`.
  public func with(parameters: [Tensor<Scalar>]) -> Self {
    var result = self
    var index = 0
    result.forEachParameter { name, tensor in
      precondition(
        parameters[index].shape == tensor.shape,
        "parameter \(name) has shape \(tensor.shape), but is given \(parameters[index].shape)")
      tensor = parameters[index]
      index += 1
    }
    precondition(index == parameters.count, "\(parameters.count) tensors for \(index) parameters")
    return result
  }

  /// One line for each parameter: name, shape, count; and the total.
  public var summary: String {
    let parameters = parameters
    let rows = zip(parameters.names, parameters.tensors).map { ($0, "\($1.shape)", "\($1.count)") }
    let nameWidth = rows.map { $0.0.count }.max() ?? 0
    let shapeWidth = rows.map { $0.1.count }.max() ?? 0
    let lines = rows.map { name, shape, count in
      name.padded(to: nameWidth) + "  " + shape.padded(to: shapeWidth) + "  " + count
    }
    return (lines + ["\(parameterCount) parameters in \(parameters.count) tensors"]).joined(separator: "\n")
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
