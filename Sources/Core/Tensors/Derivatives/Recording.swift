// How operations state their rules. A rule gets the arguments one level down, and returns the value and the pullbacks.
//
// A pullback lives until the way back has passed it, and so does all that it captures: it should capture shapes, not
// tensors, where shapes are enough.

/// The tape of the innermost transform that any of the arguments belongs to.
func innermostTape(_ a: Node?) -> Tape? { a?.tape }

func innermostTape(_ a: Node?, _ b: Node?) -> Tape? {
  guard let a else { return b?.tape }
  guard let b else { return a.tape }
  return a.tape.level >= b.tape.level ? a.tape : b.tape
}

/// The tape of the innermost transform that any of the tensors belongs to.
func innermostTape<Scalar: TensorScalar>(of tensors: [Tensor<Scalar>]) -> Tape? {
  var top: Tape?
  for tensor in tensors {
    if let tape = tensor.trace?.tape, tape.level > top?.level ?? -1 { top = tape }
  }
  return top
}

/// Applies `rule` to the argument one level down and records its pullback.
///
/// - Parameter onParameter: what the operation means for a parameter whose gradients are kept apart by example.
func record<A: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ a: Tensor<A>, onParameter: ParameterRule = .refused, operation: StaticString = #function,
  _ rule: (Tensor<A>) -> (Tensor<R>, (Tensor<R>) -> Tensor<A>)
) -> Tensor<R> {
  let (value, pullback) = rule(a.lowered(below: tape))
  guard let towards = a.node(on: tape) else { return value }
  tape.requireBelow(value.trace, operation)
  let result = Node(tape: tape, outer: value.trace, isParameter: towards.isParameter)
  let onParameter = towards.isParameter ? onParameter.checked(operation, a.shape) : .leadingAxes
  tape.push {
    guard let cotangent: Tensor<R> = result.take() else { return }
    towards.add(onParameter == .byExample ? byExample(cotangent, pullback) : pullback(cotangent))
  }
  return value.with(trace: result)
}

/// The same for two arguments, either of which may be a constant to this tape: its pullback is then never run, nor what
/// it captures kept.
func record<A: TensorScalar, B: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ a: Tensor<A>, _ b: Tensor<B>, operation: StaticString = #function,
  _ rule: (Tensor<A>, Tensor<B>) -> (Tensor<R>, (Tensor<R>) -> Tensor<A>, (Tensor<R>) -> Tensor<B>)
) -> Tensor<R> {
  let (value, pullbackA, pullbackB) = rule(a.lowered(below: tape), b.lowered(below: tape))
  tape.requireBelow(value.trace, operation)
  let towardsA = a.node(on: tape)
  let towardsB = b.node(on: tape)
  if tape.exampleCount > 0 {
    if towardsA?.isParameter == true { refuseParameter(operation, a.shape) }
    if towardsB?.isParameter == true { refuseParameter(operation, b.shape) }
  }
  let result = Node(tape: tape, outer: value.trace)
  if let towardsA, let towardsB {
    tape.push {
      guard let cotangent: Tensor<R> = result.take() else { return }
      towardsA.add(pullbackA(cotangent))
      towardsB.add(pullbackB(cotangent))
    }
  } else if let towardsA {
    tape.push { if let cotangent: Tensor<R> = result.take() { towardsA.add(pullbackA(cotangent)) } }
  } else if let towardsB {
    tape.push { if let cotangent: Tensor<R> = result.take() { towardsB.add(pullbackB(cotangent)) } }
  }
  return value.with(trace: result)
}

/// The same for an element-wise operation on two tensors whose shapes broadcast. The pullbacks give a change for each
/// element of the result; summing over what was stretched is done here.
func recordElementwise<S: TensorScalar>(
  _ tape: Tape, _ a: Tensor<S>, _ b: Tensor<S>, operation: StaticString = #function,
  _ rule: (Tensor<S>, Tensor<S>) -> (Tensor<S>, (Tensor<S>) -> Tensor<S>, (Tensor<S>) -> Tensor<S>)
) -> Tensor<S> {
  let (value, pullbackA, pullbackB) = rule(a.lowered(below: tape), b.lowered(below: tape))
  tape.requireBelow(value.trace, operation)
  if tape.exampleCount > 0 {
    return recordPerExample(tape, operation, a, b, value, pullbackA, pullbackB)
  }
  let towardsA = a.node(on: tape)
  let towardsB = b.node(on: tape)
  let result = Node(tape: tape, outer: value.trace)
  let shapeA = a.shape
  let shapeB = b.shape
  if let towardsA, let towardsB {
    tape.push {
      guard let cotangent: Tensor<S> = result.take() else { return }
      towardsA.add(summed(pullbackA(cotangent), to: shapeA))
      towardsB.add(summed(pullbackB(cotangent), to: shapeB))
    }
  } else if let towardsA {
    tape.push {
      if let cotangent: Tensor<S> = result.take() { towardsA.add(summed(pullbackA(cotangent), to: shapeA)) }
    }
  } else if let towardsB {
    tape.push {
      if let cotangent: Tensor<S> = result.take() { towardsB.add(summed(pullbackB(cotangent), to: shapeB)) }
    }
  }
  return value.with(trace: result)
}

private func summed<S: TensorScalar>(_ change: Tensor<S>, to shape: [Int]) -> Tensor<S> {
  change.shape == shape ? change : S.summed(change, to: shape)
}

/// The same for any number of arguments of one type, with one pullback for all of them.
func record<A: TensorScalar, R: TensorScalar>(
  _ tape: Tape, _ arguments: [Tensor<A>], operation: StaticString = #function,
  _ rule: ([Tensor<A>]) -> (Tensor<R>, (Tensor<R>) -> [Tensor<A>])
) -> Tensor<R> {
  let (value, pullback) = rule(arguments.map { $0.lowered(below: tape) })
  tape.requireBelow(value.trace, operation)
  let towards = arguments.map { $0.node(on: tape) }
  let isParameter = allAreParameters(tape, arguments, operation)
  let result = Node(tape: tape, outer: value.trace, isParameter: isParameter)
  tape.push {
    guard let cotangent: Tensor<R> = result.take() else { return }
    let shares = isParameter ? byExample(cotangent, pullback) : pullback(cotangent)
    for (node, share) in zip(towards, shares) { node?.add(share) }
  }
  return value.with(trace: result)
}
