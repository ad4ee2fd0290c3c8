// The parameters of a model as one vector: what methods work on that know no layers.

import Networks
import Tensors

/// Which parameters lie where in the vector of all.
struct ParameterLayout<Scalar: RealScalar>: Sendable {
  let names: [String]
  let shapes: [[Int]]
  /// Where each begins, and the end of the last.
  let starts: [Int]

  init(_ tensors: NamedTensors<Scalar>) {
    names = tensors.names
    shapes = tensors.tensors.map(\.shape)
    var starts = [0]
    for tensor in tensors.tensors { starts.append(starts[starts.count - 1] + tensor.count) }
    self.starts = starts
  }

  var count: Int { starts[starts.count - 1] }

  func range(_ index: Int) -> Range<Int> { starts[index]..<starts[index + 1] }

  /// Tensors of these names and shapes, one behind the other.
  func flat(_ tensors: NamedTensors<Scalar>) -> Tensor<Scalar> {
    precondition(
      tensors.names == names && tensors.tensors.map(\.shape) == shapes,
      "tensors \(tensors.names) of shapes \(tensors.tensors.map(\.shape)) where \(names) of \(shapes) were expected")
    return .concatenated(tensors.tensors.map { $0.reshaped([-1]) })
  }

  /// The parameters of a model that this layout names.
  func flat(of model: some Module<Scalar>) -> Tensor<Scalar> {
    var model = model
    var parts: [Tensor<Scalar>] = []
    walk(&model) { _, tensor in parts.append(tensor.reshaped([-1])) }
    return .concatenated(parts)
  }

  /// A vector in parts.
  func split(_ vector: Tensor<Scalar>) -> [Tensor<Scalar>] {
    shapes.indices.map { vector[range($0)].reshaped(shapes[$0]) }
  }

  /// Adds a vector to the parameters.
  func add(_ vector: Tensor<Scalar>, to model: inout some Module<Scalar>) {
    walk(&model) { i, tensor in tensor += vector[range(i)].reshaped(shapes[i]) }
  }

  /// Makes a vector the parameters.
  func assign(_ vector: Tensor<Scalar>, to model: inout some Module<Scalar>) {
    walk(&model) { i, tensor in tensor = vector[range(i)].reshaped(shapes[i]).copied() }
  }

  private func walk(_ model: inout some Module<Scalar>, _ body: (Int, inout Tensor<Scalar>) -> Void) {
    var next = 0
    model.forEachParameter { name, tensor in
      guard next < names.count, names[next] == name else { return }
      precondition(
        tensor.shape == shapes[next], "parameter \(name) has shape \(tensor.shape), but was expected of \(shapes[next])"
      )
      body(next, &tensor)
      next += 1
    }
    precondition(
      next == names.count,
      "\(next < names.count ? names[next] : "") is not a parameter of the model, or is out of order")
  }
}
