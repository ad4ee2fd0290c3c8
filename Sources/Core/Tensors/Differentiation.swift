// Reverse-mode differentiation: a transform of functions over tensors.
//
// A transform owns a tape. It marks its inputs, runs the function, and walks what was recorded backwards, dropping each
// record as it goes. An operation states its derivative once, where it is defined: the value, and for each argument how
// a change of the result falls back on it. The rule is written in tensor operations on arguments of one level down, so
// it is differentiable itself exactly when somebody outside asks for it, to any order.
//
// Source: the levels are those of nested automatic differentiation without perturbation confusion (Siskind and
// Pearlmutter, "Nesting forward-mode AD in a functional framework", HOSC 2008), applied to reverse mode.

import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The records of one transform, in the order in which they were made.
///
/// A tape belongs to the thread that made it: records have an order, and a transform is one function call. Recording
/// from another thread, say from inside `parallelTasks`, traps.
final class Tape: @unchecked Sendable {
  private static let levels = Atomic<Int>(0)

  /// A later transform has a higher level; operations record on the highest of their arguments.
  let level: Int
  /// How many examples have a gradient of their own; zero when only the sum over them is wanted.
  let exampleCount: Int
  private let thread = pthread_self()
  private var records: [() -> Void] = []

  init(exampleCount: Int = 0) {
    level = Self.levels.wrappingAdd(1, ordering: .relaxed).newValue
    self.exampleCount = exampleCount
  }

  func push(_ record: @escaping () -> Void) {
    precondition(
      pthread_equal(thread, pthread_self()) != 0,
      "a derivative is recorded on one thread, but an operation on a differentiated tensor ran on another")
    records.append(record)
  }

  /// Runs the records from the last to the first, freeing each before the next.
  func unwind() {
    while let record = records.popLast() { record() }
  }

  /// Runs the records from the last to the first and keeps them, to be run again for other cotangents.
  func replay() {
    for record in records.reversed() { record() }
  }

  /// Forgets all records. Needed on every way out: records hold nodes, and nodes the tape.
  func clear() { records.removeAll() }

  /// A value that a rule has computed must be constant to the rule's own tape.
  func requireBelow(_ value: Node?, _ operation: StaticString) {
    guard let value else { return }
    precondition(
      value.tape.level < level,
      "\(operation): the rule depends on a differentiated tensor that is not among its arguments; pass it as one")
  }
}

/// A recorded tensor's place on a tape, and on the enclosing transform's tape if it has one. Collects the derivative of
/// the final value with respect to the tensor.
final class Node: @unchecked Sendable {
  let tape: Tape
  let outer: Node?
  /// Whether this is a parameter common to all examples, on a tape that keeps the examples' gradients apart.
  let isParameter: Bool
  /// Whether this is such a parameter itself, rather than computed from some: it keeps shares of its gradients in
  /// factors, which may never have to be multiplied out.
  let keepsShares: Bool
  var shares: [PerExampleShare] = []
  private var cotangent: UntypedTensor?

  init(tape: Tape, outer: Node?, isParameter: Bool = false, keepsShares: Bool = false) {
    self.tape = tape
    self.outer = outer
    self.isParameter = isParameter
    self.keepsShares = keepsShares
  }

  var hasCotangent: Bool { cotangent != nil }

  func add<Scalar: TensorScalar>(_ more: Tensor<Scalar>) {
    // Taken out, so that the sum can be formed in place.
    guard let sum = cotangent.take() else {
      cotangent = UntypedTensor(more)
      return
    }
    cotangent = UntypedTensor(Scalar.added((consume sum).typed(), more))
  }

  func take<Scalar: TensorScalar>() -> Tensor<Scalar>? {
    guard let sum = cotangent.take() else { return nil }
    return (consume sum).typed()
  }
}

/// A tensor whose element type is known from elsewhere: nodes need not be generic, and so cost no look-ups of types.
struct UntypedTensor {
  private let storage: Storage
  private let shape: [Int]
  private let strides: [Int]
  private let offset: Int
  private let count: Int
  private let trace: Node?

  init<Scalar: TensorScalar>(_ tensor: Tensor<Scalar>) {
    storage = tensor.storage
    shape = tensor.shape
    strides = tensor.storedStrides
    offset = tensor.offset
    count = tensor.count
    trace = tensor.trace
  }

  consuming func typed<Scalar: TensorScalar>(as type: Scalar.Type = Scalar.self) -> Tensor<Scalar> {
    var tensor = Tensor<Scalar>(storage: storage, shape: shape, strides: strides, offset: offset, count: count)
    tensor.trace = trace
    return tensor
  }
}

extension Tensor {
  /// The node of this tensor on `tape`, when it is recorded there.
  func node(on tape: Tape) -> Node? {
    guard let trace, trace.tape === tape else { return nil }
    return trace
  }

  /// This tensor as the enclosing transforms see it.
  func lowered(below tape: Tape) -> Tensor {
    guard let trace, trace.tape === tape else { return self }
    return with(trace: trace.outer)
  }

  func with(trace: Node?) -> Tensor {
    var result = self
    result.trace = trace
    return result
  }

  /// The same numbers as a constant: no derivative flows through them.
  public var withoutDerivative: Tensor { with(trace: nil) }

  /// Which block of memory holds the numbers: two tensors of one identity are views or copies of each other.
  package var storageIdentity: ObjectIdentifier { ObjectIdentifier(storage) }

  /// Whether a derivative with respect to this tensor is being taken.
  public var isDifferentiated: Bool { trace != nil }
}

// MARK: Transforms

/// The value of `function` at `x`, and its gradient there.
///
/// The function must return one number. The gradient of a function that does not depend on `x` is zero. Transforms
/// nest: the gradient of a function that takes a gradient is the second derivative. The function may use threads inside
/// its operations, but must apply all operations on differentiated tensors on the calling thread.
///
/// - Complexity: a small multiple of one evaluation in time; memory for the intermediate results of one evaluation,
///   which is freed as the derivative proceeds.
public func valueAndGradient<Scalar: RealScalar>(
  at x: Tensor<Scalar>, of function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, gradient: Tensor<Scalar>) {
  let (value, gradients) = try valueAndGradients(at: [x]) { try function($0[0]) }
  return (value, gradients[0])
}

/// The gradient of `function`, which must return one number, at `x`.
public func gradient<Scalar: RealScalar>(
  at x: Tensor<Scalar>, of function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> Tensor<Scalar> {
  try valueAndGradient(at: x, of: function).gradient
}

/// The value of a function of several tensors, and its gradient with respect to each of them.
public func valueAndGradients<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], of function: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, gradients: [Tensor<Scalar>]) {
  try vectorJacobianProduct(at: inputs, of: function) { value in
    precondition(value.count == 1, "a gradient is of one number, but the function's value has shape \(value.shape)")
    return Tensor(repeating: 1, shape: value.shape)
  }
}

/// The value of `function`, and vᵀJ for its Jacobian J at `inputs` and the vector v = `direction(value)`.
public func vectorJacobianProduct<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], of function: ([Tensor<Scalar>]) throws -> Tensor<Scalar>,
  direction: (Tensor<Scalar>) throws -> Tensor<Scalar>
) rethrows -> (value: Tensor<Scalar>, gradients: [Tensor<Scalar>]) {
  let recording = try Recording(at: inputs) { [try function($0)] }
  defer { recording.tape.clear() }
  let value = recording.values[0]
  return (value, recording.pullback([try direction(value)]))
}

/// The values of a function with several results, and Σᵢ vᵢᵀJᵢ over the Jacobians Jᵢ of the results and the vectors
/// v = `directions(values)`, one of each result's shape.
public func vectorJacobianProduct<Scalar: RealScalar>(
  at inputs: [Tensor<Scalar>], ofAll function: ([Tensor<Scalar>]) throws -> [Tensor<Scalar>],
  directions: ([Tensor<Scalar>]) throws -> [Tensor<Scalar>]
) rethrows -> (values: [Tensor<Scalar>], gradients: [Tensor<Scalar>]) {
  let recording = try Recording(at: inputs, of: function)
  defer { recording.tape.clear() }
  return (recording.values, recording.pullback(try directions(recording.values)))
}

/// A function's values at a point, and the tape to walk back from them. Whoever makes one clears its tape.
struct Recording<Scalar: RealScalar> {
  /// The values as the enclosing transforms see them.
  let values: [Tensor<Scalar>]
  let tape: Tape
  let leaves: [Node]
  let results: [Node?]
  private let inputs: [Tensor<Scalar>]

  init(
    at inputs: [Tensor<Scalar>], exampleCount: Int = 0, of function: ([Tensor<Scalar>]) throws -> [Tensor<Scalar>]
  ) rethrows {
    let tape = Tape(exampleCount: exampleCount)
    let leaves = inputs.map {
      Node(tape: tape, outer: $0.trace, isParameter: exampleCount > 0, keepsShares: exampleCount > 0)
    }
    var isWhole = false
    defer { if !isWhole { tape.clear() } }
    let results = try function(zip(inputs, leaves).map { $0.with(trace: $1) })
    isWhole = true
    self.inputs = inputs
    self.tape = tape
    self.leaves = leaves
    self.results = results.map { $0.node(on: tape) }
    values = results.map { $0.lowered(below: tape) }
  }

  /// Σᵢ vᵢᵀJᵢ, for each input. The tape can be walked once, unless it is kept.
  func pullback(_ cotangents: [Tensor<Scalar>?], keepingTape: Bool = false) -> [Tensor<Scalar>] {
    walk(cotangents, keepingTape: keepingTape)
    return zip(inputs, leaves).map { input, leaf in leaf.take() ?? .zeros(input.shape) }
  }

  func walk(_ cotangents: [Tensor<Scalar>?], keepingTape: Bool = false) {
    precondition(cotangents.count == values.count, "\(cotangents.count) directions for \(values.count) values")
    for (i, cotangent) in cotangents.enumerated() {
      guard let cotangent else { continue }
      precondition(
        cotangent.shape == values[i].shape, "a direction of shape \(cotangent.shape) for a value of \(values[i].shape)")
      results[i]?.add(cotangent)
    }
    if keepingTape { tape.replay() } else { tape.unwind() }
  }
}
