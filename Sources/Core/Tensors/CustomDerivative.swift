// Stating the derivative of an operation outside this module: a fused loss, a decomposition, a convolution.
//
// A rule gets its arguments one level down and returns the value together with its pullback: how a change of the
// result falls back on each argument. Written in differentiable tensor operations, a rule has derivatives of any order;
// a pullback that computes on raw buffers ends at the first.

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

/// An operation of several tensors with several results, such as a decomposition, and its pullback.
///
/// - Parameters:
///   - arguments: the tensors that the operation depends on differentiably.
///   - rule: returns the results, and the pullback. The pullback gets one cotangent for each result, nil where the final
///     value does not depend on it, and which arguments' cotangents are wanted; it returns one for each argument, nil
///     for those not wanted or not changing.
/// - Throws: what `rule` throws.
public func customDerivatives<A: TensorScalar, R: TensorScalar>(
  at arguments: [Tensor<A>],
  _ rule: ([Tensor<A>]) throws -> (
    values: [Tensor<R>], pullback: (_ cotangents: [Tensor<R>?], _ wanted: [Bool]) -> [Tensor<A>?]
  )
) rethrows -> [Tensor<R>] {
  let tapes = arguments.compactMap { $0.trace?.tape }
  guard let tape = tapes.max(by: { $0.level < $1.level }) else { return try rule(arguments).values }
  let (values, pullback) = try rule(arguments.map { $0.lowered(below: tape) })
  let towards = arguments.map { $0.node(on: tape) }
  let wanted = towards.map { $0 != nil }
  let results = values.map { Node<R>(tape: tape, outer: $0.trace) }
  tape.push {
    let cotangents = results.map { $0.take() }
    guard cotangents.contains(where: { $0 != nil }) else { return }
    for (node, share) in zip(towards, pullback(cotangents, wanted)) {
      if let node, let share { node.add(share) }
    }
  }
  return zip(values, results).map { $0.with(trace: $1) }
}
