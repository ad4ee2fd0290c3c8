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

/// The records of one transform, in the order in which they were made.
final class Tape: @unchecked Sendable {
  private static let levels = Atomic<Int>(0)

  /// A later transform has a higher level; operations record on the highest of their arguments.
  let level: Int
  private var records: [() -> Void] = []

  init() { level = Self.levels.wrappingAdd(1, ordering: .relaxed).newValue }

  func push(_ record: @escaping () -> Void) { records.append(record) }

  /// Runs the records from the last to the first, freeing each before the next.
  func unwind() {
    while let record = records.popLast() { record() }
  }

  /// Forgets all records. Needed on every way out: records hold nodes, and nodes the tape.
  func clear() { records.removeAll() }
}

/// A tensor's place on a tape, and its place on the enclosing transform's tape if it has one.
class Trace: @unchecked Sendable {
  let tape: Tape
  let outer: Trace?

  init(tape: Tape, outer: Trace?) {
    self.tape = tape
    self.outer = outer
  }
}

/// A recorded tensor: collects the derivative of the final value with respect to it.
final class Node<Scalar: TensorScalar>: Trace, @unchecked Sendable {
  private var cotangent: Tensor<Scalar>?

  func add(_ more: Tensor<Scalar>) {
    cotangent = cotangent.map { Scalar.added($0, more) } ?? more
  }

  func take() -> Tensor<Scalar>? {
    defer { cotangent = nil }
    return cotangent
  }
}

extension Tensor {
  /// The node of this tensor on `tape`, when it is recorded there.
  func node(on tape: Tape) -> Node<Scalar>? {
    guard let trace, trace.tape === tape else { return nil }
    return unsafeDowncast(trace, to: Node<Scalar>.self)
  }

  /// This tensor as the enclosing transforms see it.
  func lowered(below tape: Tape) -> Tensor {
    guard let trace, trace.tape === tape else { return self }
    return with(trace: trace.outer)
  }

  func with(trace: Trace?) -> Tensor {
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

// MARK: Stating a rule

/// The tape of the innermost transform that any of the arguments belongs to.
func innermostTape(_ a: Trace?, _ b: Trace? = nil, _ c: Trace? = nil) -> Tape? {
  var top = a?.tape
  for tape in [b?.tape, c?.tape] {
    if let tape, tape.level > top?.level ?? -1 { top = tape }
  }
  return top
}

/// Applies `rule` to the argument one level down and records its pullback.
func record<A: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ a: Tensor<A>, _ rule: (Tensor<A>) -> (Tensor<R>, (Tensor<R>) -> Tensor<A>)
) -> Tensor<R> {
  let (value, pullback) = rule(a.lowered(below: tape))
  guard let towards = a.node(on: tape) else { return value }
  let result = Node<R>(tape: tape, outer: value.trace)
  tape.push {
    guard let cotangent = result.take() else { return }
    towards.add(pullback(cotangent))
  }
  return value.with(trace: result)
}

/// The same for two arguments, either of which may be a constant to this tape: its pullback is then never run.
func record<A: TensorScalar, B: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ a: Tensor<A>, _ b: Tensor<B>,
  _ rule: (Tensor<A>, Tensor<B>) -> (Tensor<R>, (Tensor<R>) -> Tensor<A>, (Tensor<R>) -> Tensor<B>)
) -> Tensor<R> {
  let (value, pullbackA, pullbackB) = rule(a.lowered(below: tape), b.lowered(below: tape))
  let towardsA = a.node(on: tape)
  let towardsB = b.node(on: tape)
  let result = Node<R>(tape: tape, outer: value.trace)
  tape.push {
    guard let cotangent = result.take() else { return }
    if let towardsA { towardsA.add(pullbackA(cotangent)) }
    if let towardsB { towardsB.add(pullbackB(cotangent)) }
  }
  return value.with(trace: result)
}

/// The same for any number of arguments of one type, with one pullback for all of them.
func record<A: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ arguments: [Tensor<A>], _ rule: ([Tensor<A>]) -> (Tensor<R>, (Tensor<R>) -> [Tensor<A>])
) -> Tensor<R> {
  let (value, pullback) = rule(arguments.map { $0.lowered(below: tape) })
  let towards = arguments.map { $0.node(on: tape) }
  let result = Node<R>(tape: tape, outer: value.trace)
  tape.push {
    guard let cotangent = result.take() else { return }
    for (node, share) in zip(towards, pullback(cotangent)) { node?.add(share) }
  }
  return value.with(trace: result)
}

// MARK: Transforms

/// The value of `function` at `x`, and its gradient there.
///
/// The function must return one number. The gradient of a function that does not depend on `x` is zero. Transforms
/// nest: the gradient of a function that takes a gradient is the second derivative.
///
/// - Complexity: a small multiple of one evaluation in time; memory for the intermediate results of one evaluation.
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
  let tape = Tape()
  defer { tape.clear() }
  let leaves = inputs.map { Node<Scalar>(tape: tape, outer: $0.trace) }
  let value = try function(zip(inputs, leaves).map { $0.with(trace: $1) })
  let lowered = value.lowered(below: tape)
  if let node = value.node(on: tape) {
    let direction = try direction(lowered)
    precondition(
      direction.shape == lowered.shape, "a direction of shape \(direction.shape) for a value of \(lowered.shape)")
    node.add(direction)
    tape.unwind()
  }
  return (lowered, zip(inputs, leaves).map { input, leaf in leaf.take() ?? .zeros(input.shape) })
}
