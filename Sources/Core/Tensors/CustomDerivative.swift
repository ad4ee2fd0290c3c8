// Stating the derivative of an operation outside this module: a fused loss, a decomposition, a convolution.
//
// A rule gets its arguments one level down and returns the value together with its pullback: how a change of the
// result falls back on each argument. Written in differentiable tensor operations, a rule has derivatives of any order;
// a pullback that computes on raw buffers ends at the first, unless it takes tensor operations when its arguments or
// cotangents are differentiated themselves (`isDifferentiated`).
//
// A rule must not use differentiated tensors that are not among its arguments: their derivatives would be lost. That
// traps.

/// The value of `rule` at `x`, differentiated by the pullback that `rule` returns beside it.
public func customDerivative<A: TensorScalar, R: TensorScalar>(
  at x: Tensor<A>, _ rule: (Tensor<A>) -> (value: Tensor<R>, pullback: (Tensor<R>) -> Tensor<A>)
) -> Tensor<R> {
  guard let tape = innermostTape(x.trace) else { return rule(x).value }
  return record(tape, x) { x in
    let (value, pullback) = rule(x)
    return (value, pullback)
  }
}

/// How a change of an operation's results falls back on its arguments: one cotangent for each result, nil where the
/// final value does not depend on it, and which arguments' cotangents are wanted; returns one for each argument, nil for
/// those not wanted or not changing.
public typealias Pullback<A: TensorScalar, R: TensorScalar> = (
  _ cotangents: [Tensor<R>?], _ wanted: [Bool]
) -> [Tensor<A>?]

/// An operation of several tensors with several results, such as a decomposition, and its pullback.
///
/// - Parameters:
///   - arguments: the tensors that the operation depends on differentiably.
///   - rule: returns the results and the pullback.
/// - Throws: what `rule` throws.
public func customDerivatives<A: TensorScalar, R: TensorScalar>(
  at arguments: [Tensor<A>],
  _ rule: ([Tensor<A>]) throws -> (values: [Tensor<R>], pullback: Pullback<A, R>)
) rethrows -> [Tensor<R>] {
  guard let tape = innermostTape(of: arguments) else { return try rule(arguments).values }
  let (values, pullback) = try rule(arguments.map { $0.lowered(below: tape) })
  if tape.exampleCount > 0, let parameter = arguments.first(where: { $0.node(on: tape)?.isParameter == true }) {
    refuseParameter("an operation with a rule of its own", parameter.shape)
  }
  return recordAll(tape, arguments, values, pullback, nil)
}

/// The same for an operation that can also keep the gradients of the examples of a batch apart.
///
/// Under `perExampleGradients` some of the arguments are parameters, common to all examples, and the others and the
/// results have the examples on their first axis. For the parameters the rule's third part is asked instead of its
/// second:
///
/// ```swift
/// /// x * scale, for x of shape [examples, ..., width] and scale of shape [width].
/// customDerivatives(at: [x, scale], perExample: { arguments in
///   let (x, scale) = (arguments[0], arguments[1])
///   let middle = Array(1..<(x.rank - 1))
///   return (
///     values: [x * scale],
///     pullback: { g, wanted in [wanted[0] ? g[0]! * scale : nil, wanted[1] ? (g[0]! * x).sum(to: scale.shape) : nil] },
///     perExamplePullback: { g, _ in [nil, (g[0]! * x).sum(axes: middle)] }                  // [examples, width]
///   )
/// })
/// ```
///
/// - Parameter rule: returns the results, the pullback, and one for parameters: the same signature, but `wanted` holds
///   for parameters only, and what is returned for one has shape [examples] + its shape.
public func customDerivatives<A: TensorScalar, R: TensorScalar>(
  at arguments: [Tensor<A>],
  perExample rule: ([Tensor<A>]) throws -> (
    values: [Tensor<R>], pullback: Pullback<A, R>, perExamplePullback: Pullback<A, R>
  )
) rethrows -> [Tensor<R>] {
  guard let tape = innermostTape(of: arguments) else { return try rule(arguments).values }
  let (values, pullback, perExamplePullback) = try rule(arguments.map { $0.lowered(below: tape) })
  return recordAll(tape, arguments, values, pullback, perExamplePullback)
}

extension Tensor {
  /// Whether this is a parameter, or computed from parameters alone, whose gradients `perExampleGradients` keeps apart
  /// by example: an operation with a fused rule may then take its definition in tensor operations instead.
  public var isPerExampleParameter: Bool { trace?.isParameter == true }
}

private func recordAll<A: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ arguments: [Tensor<A>], _ values: [Tensor<R>], _ pullback: @escaping Pullback<A, R>,
  _ perExamplePullback: Pullback<A, R>?
) -> [Tensor<R>] {
  let towards = arguments.map { $0.node(on: tape) }
  let isParameter = towards.map { $0?.isParameter == true }
  let wanted = zip(towards, isParameter).map { $0 != nil && !$1 }
  let results = values.map { value in
    tape.requireBelow(value.trace, "an operation with a rule of its own")
    return Node(tape: tape, outer: value.trace)
  }
  let shapes = arguments.map(\.shape)
  let count = tape.exampleCount
  let hasParameters = isParameter.contains(true)
  if hasParameters, let value = values.first(where: { $0.shape.first != count }) {
    preconditionFailure(
      "per-example gradients: an operation with a rule of its own on parameters needs results with the \(count) examples "
        + "on the first axis, but one has shape \(value.shape)")
  }
  func send(_ shares: [Tensor<A>?], where isWanted: [Bool], leading: [Int]) {
    for (i, share) in shares.enumerated() where isWanted[i] {
      guard let node = towards[i], let share else { continue }
      precondition(
        share.shape == leading + shapes[i],
        "a pullback returned shape \(share.shape) for an argument of shape \(shapes[i])"
          + (leading.isEmpty ? "" : " and \(leading[0]) examples"))
      node.add(share)
    }
  }
  tape.push {
    let cotangents: [Tensor<R>?] = results.map { $0.take() }
    guard cotangents.contains(where: { $0 != nil }) else { return }
    if wanted.contains(true) { send(pullback(cotangents, wanted), where: wanted, leading: []) }
    if hasParameters, let perExamplePullback {
      send(perExamplePullback(cotangents, isParameter), where: isParameter, leading: [count])
    }
  }
  return zip(values, results).map { $0.with(trace: $1) }
}
