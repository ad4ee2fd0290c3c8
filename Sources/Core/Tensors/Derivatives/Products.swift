// Products of Jacobians and Hessians with vectors, and whole ones for small problems.
//
// A pullback u -> uᵀJ is linear, so its own pullback is the product v -> Jv: one rule an operation serves both
// directions (the double-backward trick; Townsend, "A new trick for calculating Jacobian vector products", 2017).

/// The forward derivative of a recorded function: the pullback of its pullback.
private struct ForwardProduct<Scalar: RealScalar> {
  private let tape: Tape
  private let cotangents: [Node]
  private let shapes: [[Int]]
  private let gradients: [Node?]

  /// - Parameter tape: one made before the recording's, so that walking the recording back is recorded here.
  init(of recording: Recording<Scalar>, on tape: Tape) {
    self.tape = tape
    shapes = recording.values.map(\.shape)
    let leaves = recording.values.map { _ in Node(tape: tape, outer: nil) }
    cotangents = leaves
    let zeros = zip(shapes, leaves).map { Tensor<Scalar>.zeros($0).with(trace: $1) }
    gradients = recording.pullback(zeros, keepingTape: true).map { $0.node(on: tape) }
  }

  /// Jv for each value of the function.
  func callAsFunction(_ directions: [Tensor<Scalar>], keepingTape: Bool = false) -> [Tensor<Scalar>] {
    for (node, direction) in zip(gradients, directions) { node?.add(direction) }
    if keepingTape { tape.replay() } else { tape.unwind() }
    return zip(cotangents, shapes).map { node, shape in node.take() ?? .zeros(shape) }
  }
}

private func requireDirections<Scalar: RealScalar>(_ directions: [Tensor<Scalar>], _ inputs: [Tensor<Scalar>]) {
  precondition(
    directions.map(\.shape) == inputs.map(\.shape),
    "directions of shapes \(directions.map(\.shape)) for inputs of shapes \(inputs.map(\.shape))")
}

/// The value of `function`, and its derivative Jv along `directions`, one of each input's shape.
///
/// - Complexity: about four evaluations in time; the memory of two.
public func jacobianVectorProduct<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], along directions: [Tensor<Scalar>],
  of function: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, derivative: Tensor<Scalar>) {
  let (values, derivatives) = try jacobianVectorProduct(at: inputs, along: directions, ofAll: { [try function($0)] })
  return (values[0], derivatives[0])
}

/// The same for a function of one tensor.
public func jacobianVectorProduct<Scalar: RealScalar>(
  at x: Tensor<Scalar>, along direction: Tensor<Scalar>, of function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, derivative: Tensor<Scalar>) {
  try jacobianVectorProduct(at: [x], along: [direction]) { try function($0[0]) }
}

/// The same for a function with several results.
public func jacobianVectorProduct<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], along directions: [Tensor<Scalar>],
  ofAll function: ([Tensor<Scalar>]) throws -> [Tensor<Scalar>]
) rethrows -> (values: [Tensor<Scalar>], derivatives: [Tensor<Scalar>]) {
  requireDirections(directions, inputs)
  let tape = Tape()
  defer { tape.clear() }
  let recording = try Recording(at: inputs, of: function)
  defer { recording.tape.clear() }
  return (recording.values, ForwardProduct(of: recording, on: tape)(directions))
}

/// The value of `function`, which must be one number, its gradient g, and Hv for its Hessian H and the vector v of
/// `directions`, one of each input's shape.
///
/// - Complexity: about twice the gradient in time and memory.
public func hessianVectorProduct<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], along directions: [Tensor<Scalar>],
  of function: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, gradients: [Tensor<Scalar>], products: [Tensor<Scalar>]) {
  requireDirections(directions, inputs)
  let recording = try gradientRecording(at: inputs, of: function)
  defer { recording.tape.clear() }
  let gradients = Array(recording.values.dropFirst())
  return (recording.values[0], gradients, recording.pullback([nil] + directions))
}

/// The same for a function of one tensor.
public func hessianVectorProduct<Scalar: RealScalar>(
  at x: Tensor<Scalar>, along direction: Tensor<Scalar>, of function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, gradient: Tensor<Scalar>, product: Tensor<Scalar>) {
  let (value, gradients, products) = try hessianVectorProduct(at: [x], along: [direction]) { try function($0[0]) }
  return (value, gradients[0], products[0])
}

/// Records the value of `function` and its gradients: value first.
private func gradientRecording<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], of function: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> Recording<Scalar> {
  try Recording(at: inputs) { inputs in
    let (value, gradients) = try valueAndGradients(at: inputs, of: function)
    return [value] + gradients
  }
}

/// The value of `loss` at the outputs of a model, and JᵀHJv for the Jacobian J of the outputs and the Hessian H of the
/// loss with respect to them: the curvature that stays positive where the loss is convex.
///
/// - Parameters:
///   - outputs: the model.
///   - loss: returns one number.
///   - directions: v, one of each input's shape.
/// - Complexity: about five evaluations of the model; it is evaluated once.
///
/// Source: Schraudolph, "Fast curvature matrix-vector products", Neural Computation 2002.
public func gaussNewtonVectorProduct<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], of outputs: ([Tensor<Scalar>]) throws -> Tensor<Scalar>,
  loss: (Tensor<Scalar>) throws -> Tensor<Scalar>, along directions: [Tensor<Scalar>]
) rethrows -> (value: Tensor<Scalar>, products: [Tensor<Scalar>]) {
  requireDirections(directions, inputs)
  let tape = Tape()
  defer { tape.clear() }
  let recording = try Recording(at: inputs) { [try outputs($0)] }
  defer { recording.tape.clear() }
  let derivative = ForwardProduct(of: recording, on: tape)(directions)[0]
  let (value, _, curved) = try hessianVectorProduct(at: recording.values[0], along: derivative, of: loss)
  return (value, recording.pullback([curved]))
}

/// The same for a function of one tensor.
public func gaussNewtonVectorProduct<Scalar: RealScalar>(
  at x: Tensor<Scalar>, of outputs: (Tensor<Scalar>) throws -> Tensor<Scalar>,
  loss: (Tensor<Scalar>) throws -> Tensor<Scalar>, along direction: Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, product: Tensor<Scalar>) {
  let (value, products) = try gaussNewtonVectorProduct(
    at: [x], of: { try outputs($0[0]) }, loss: loss, along: [direction])
  return (value, products[0])
}

// MARK: Whole matrices

/// The Jacobian of `function` at `x`, of shape value's shape + `x.shape`.
///
/// - Complexity: one evaluation, and as many ways back as the smaller of x and the value has elements (in the forward
///   direction a way costs about two).
public func jacobian<Scalar: RealScalar>(
  at x: Tensor<Scalar>, of function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> Tensor<Scalar> {
  try jacobians(at: [x]) { try function($0[0]) }[0]
}

/// The Jacobians of a function of several tensors with respect to each of them, of shape value's shape + input's shape.
public func jacobians<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], of function: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> [Tensor<Scalar>] {
  let tape = Tape()
  defer { tape.clear() }
  let recording = try Recording(at: inputs) { [try function($0)] }
  defer { recording.tape.clear() }
  let shape = recording.values[0].shape
  let rows = recording.values[0].count
  let columns = inputs.reduce(0) { $0 + $1.count }
  guard rows > 0 else { return inputs.map { .zeros(shape + $0.shape) } }
  guard 2 * columns < rows else { return rowsOfJacobians(recording, output: 0, inputs) }
  let product = ForwardProduct(of: recording, on: tape)
  return inputs.indices.map { i -> Tensor<Scalar> in
    let columns = units(of: Scalar.self, inputs[i].shape).map { unit -> Tensor<Scalar> in
      let directions = inputs.indices.map { $0 == i ? unit : Tensor<Scalar>.zeros(inputs[$0].shape) }
      return product(directions, keepingTape: true)[0]
    }
    guard !columns.isEmpty else { return .zeros(shape + inputs[i].shape) }
    return Tensor.stacked(columns, axis: -1).reshaped(shape + inputs[i].shape)
  }
}

/// The Hessian of `function`, which must be one number, at `x`: shape `x.shape` + `x.shape`.
///
/// - Complexity: the gradient, and a Hessian-vector product for each element of x.
public func hessian<Scalar: RealScalar>(
  at x: Tensor<Scalar>, of function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> Tensor<Scalar> {
  let recording = try gradientRecording(at: [x]) { try function($0[0]) }
  defer { recording.tape.clear() }
  return x.isEmpty ? .zeros(x.shape + x.shape) : rowsOfJacobians(recording, output: 1, [x])[0]
}

/// The Jacobians of one of several values, a way back for each of its elements.
private func rowsOfJacobians<Scalar: RealScalar>(
  _ recording: Recording<Scalar>, output: Int, _ inputs: [Tensor<Scalar>]
) -> [Tensor<Scalar>] {
  let shape = recording.values[output].shape
  let rows = units(of: Scalar.self, shape).map { unit -> [Tensor<Scalar>] in
    let cotangents = recording.values.indices.map { $0 == output ? unit : nil as Tensor<Scalar>? }
    return recording.pullback(cotangents, keepingTape: true)
  }
  return inputs.indices.map { i in Tensor.stacked(rows.map { $0[i] }).reshaped(shape + inputs[i].shape) }
}

/// Every tensor of this shape with a single one and zeros elsewhere.
private func units<Scalar: RealScalar>(of type: Scalar.Type, _ shape: [Int]) -> [Tensor<Scalar>] {
  let count = Shape.count(shape)
  return (0..<count).map { i in
    Tensor<Scalar>(uninitializedShape: shape) { buffer in
      buffer.update(repeating: 0)
      buffer[i] = 1
    }
  }
}
