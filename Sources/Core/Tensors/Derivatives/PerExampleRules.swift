// Gradients kept apart by example: the rules of operations that parameters take part in.
//
// On such a tape a parameter's node collects one gradient for each example, along a new leading axis, and every other
// recorded tensor has the examples on its own leading axis. Where a parameter meets one of those, the pullback sums
// over all axes but the first. What is computed from parameters alone is a parameter again.

/// What an operation of one argument means for a parameter.
enum ParameterRule {
  /// Nothing is known: refused.
  case refused
  /// The pullback works as it stands on cotangents with further axes in front.
  case leadingAxes
  /// The pullback is run for each example by itself.
  case byExample

  func checked(_ operation: StaticString, _ shape: [Int]) -> ParameterRule {
    if self == .refused { refuseParameter(operation, shape) }
    return self
  }
}

func refuseParameter(_ operation: StaticString, _ shape: [Int], _ why: String = "is not supported") -> Never {
  preconditionFailure(
    "per-example gradients: \(operation) on a parameter of shape \(shape) \(why). Supported are matrix products and "
      + "element-wise operations with tensors that have the examples on their first axis, look-ups by indices of "
      + "such a shape, functions of parameters alone, and rules stated by customDerivatives(at:perExample:)")
}

/// A pullback run for each example, the results along a new leading axis.
func byExample<A: TensorScalar, R: TensorScalar>(
  _ cotangent: Tensor<R>, _ pullback: (Tensor<R>) -> Tensor<A>
) -> Tensor<A> {
  Tensor.stacked((0..<cotangent.shape[0]).map { pullback(cotangent.slice(axis: 0, at: $0)) })
}

func byExample<A: TensorScalar, R: TensorScalar>(
  _ cotangent: Tensor<R>, _ pullback: (Tensor<R>) -> [Tensor<A>]
) -> [Tensor<A>] {
  let shares = (0..<cotangent.shape[0]).map { pullback(cotangent.slice(axis: 0, at: $0)) }
  return shares[0].indices.map { argument in Tensor.stacked(shares.map { $0[argument] }) }
}

/// A change whose leading axis is that of the examples, summed over what stretching from `shape` had added to the others:
/// shape [examples] + `shape`.
func summedByExample<S: TensorScalar>(_ change: Tensor<S>, to shape: [Int]) -> Tensor<S> {
  let count = change.shape[0]
  // A parameter with an axis of extent one for the examples has as many axes as the change.
  let inner = shape.count == change.rank ? Array(shape.dropFirst()) : shape
  let padding = [Int](repeating: 1, count: change.rank - 1 - inner.count)
  let target = [count] + padding + inner
  let sum = change.shape == target ? change : S.summed(change, to: target)
  return sum.reshaped([count] + shape)
}

/// Whether all recorded arguments are parameters; traps when only some are.
func allAreParameters<A: TensorScalar>(_ tape: Tape, _ arguments: [Tensor<A>], _ operation: StaticString) -> Bool {
  guard tape.exampleCount > 0 else { return false }
  let recorded = arguments.filter { $0.node(on: tape) != nil }
  guard let parameter = recorded.first(where: { $0.node(on: tape)?.isParameter == true }) else { return false }
  if recorded.contains(where: { $0.node(on: tape)?.isParameter == false }) {
    refuseParameter(operation, parameter.shape, "is not supported together with tensors of the examples")
  }
  return true
}

// MARK: Element-wise operations

/// An element-wise operation of which arguments may be parameters.
func recordPerExample<S: TensorScalar>(
  _ tape: Tape, _ operation: StaticString, _ a: Tensor<S>, _ b: Tensor<S>, _ value: Tensor<S>,
  _ pullbackA: @escaping (Tensor<S>) -> Tensor<S>, _ pullbackB: @escaping (Tensor<S>) -> Tensor<S>
) -> Tensor<S> {
  let nodeA = a.node(on: tape)
  let nodeB = b.node(on: tape)
  let isParameter = isParameter(tape, operation, a, b, value.shape)
  let result = Node(tape: tape, outer: value.trace, isParameter: isParameter)
  let shapes = (a.shape, b.shape)
  func send(_ change: Tensor<S>, to node: Node, _ shape: [Int]) {
    if node.isParameter {
      node.add(summedByExample(change, to: shape))
    } else {
      node.add(change.shape == shape ? change : S.summed(change, to: shape))
    }
  }
  tape.push {
    guard let cotangent: Tensor<S> = result.take() else { return }
    if let nodeA { send(pullbackA(cotangent), to: nodeA, shapes.0) }
    if let nodeB { send(pullbackB(cotangent), to: nodeB, shapes.1) }
  }
  return value.with(trace: result)
}

/// Whether the result of an element-wise operation depends on parameters alone, and not on the examples.
private func isParameter<S: TensorScalar>(
  _ tape: Tape, _ operation: StaticString, _ a: Tensor<S>, _ b: Tensor<S>, _ result: [Int]
) -> Bool {
  let count = tape.exampleCount
  let operands = [a, b]
  let activations = operands.filter { $0.node(on: tape)?.isParameter == false }
  for activation in activations where activation.rank < result.count && activation.count > 1 {
    preconditionFailure(
      "per-example gradients: \(operation) on shapes \(a.shape) and \(b.shape) stretches a tensor of the examples over "
        + "another first axis; the \(count) examples must stay on the first axis")
  }
  guard let parameter = operands.first(where: { $0.node(on: tape)?.isParameter == true }) else { return false }
  let hasRoom = parameter.rank < result.count || parameter.shape.first == 1
  let leads = { (other: Tensor<S>) in other.rank == result.count && other.shape.first == count }
  if let activation = activations.first {
    guard hasRoom && leads(activation) else {
      refuseParameter(
        operation, parameter.shape,
        "needs a tensor with the \(count) examples on an axis before the parameter's, but got shape \(activation.shape)"
      )
    }
    return false
  }
  // With a constant: data of the examples when it has their number in front of the parameter's axes.
  let constant = operands.first { $0.node(on: tape) == nil }
  return !(constant.map(leads) ?? false && hasRoom)
}

/// A parameter stretched: to a tensor of the examples if their number comes to stand in front.
func broadcastPerExample<S: TensorScalar>(
  _ tape: Tape, _ x: Tensor<S>, to target: [Int]
) -> Tensor<S> {
  let value = x.lowered(below: tape).broadcast(to: target)
  guard let towards = x.node(on: tape) else { return value }
  let hasRoom = x.rank < target.count || x.shape.first == 1
  let result = Node(
    tape: tape, outer: value.trace, isParameter: !(hasRoom && target.first == tape.exampleCount))
  let shape = x.shape
  tape.push {
    guard let cotangent: Tensor<S> = result.take() else { return }
    towards.add(summedByExample(cotangent, to: shape))
  }
  return value.with(trace: result)
}

/// A look-up in a parameter, by indices whose first axis is that of the examples; other indices select from the
/// parameter for all examples.
func gatheredPerExample<S: TensorScalar>(
  _ tape: Tape, _ table: Tensor<S>, _ indices: Tensor<Int>, axis: Int, operation: StaticString = #function
) -> Tensor<S> {
  let value = table.lowered(below: tape).gathered(indices, axis: axis)
  guard let towards = table.node(on: tape) else { return value }
  let count = tape.exampleCount
  let isOfExamples = indices.shape.first == count
  if isOfExamples && axis > 0 {
    refuseParameter(operation, table.shape, "along axis \(axis) would not put the examples first")
  }
  let result = Node(tape: tape, outer: value.trace, isParameter: !isOfExamples)
  let shape = table.shape
  tape.push {
    guard let cotangent: Tensor<S> = result.take() else { return }
    if isOfExamples && towards.keepsShares {
      return towards.shares.append(.rows(indices, UntypedTensor(cotangent), shape))
    }
    let zeros = Tensor<S>(repeating: S.blank, shape: shape)
    let shares = (0..<count).map { i in
      let places = isOfExamples ? indices.slice(axis: 0, at: i) : indices
      return zeros.scatterAdded(cotangent.slice(axis: 0, at: i), at: places, axis: axis)
    }
    towards.add(Tensor.stacked(shares))
  }
  return value.with(trace: result)
}

// MARK: Matrix products

extension Tensor where Scalar: RealScalar {
  /// A matrix product on a tape that keeps the gradients of the examples apart; both operands have at least two axes.
  static func productPerExample(
    _ tape: Tape, _ a: Tensor, _ b: Tensor, _ transposingA: Bool, _ transposingB: Bool
  ) -> Tensor {
    let nodeA = a.node(on: tape)
    let nodeB = b.node(on: tape)
    let count = tape.exampleCount
    let (x, y) = (a.lowered(below: tape), b.lowered(below: tape))
    let value = x.matmul(y, transposingA: transposingA, transposingB: transposingB)
    let leadsA = a.shape[0] == count && (a.rank > 2 || !transposingA)
    let leadsB = b.shape[0] == count && b.rank > 2
    let isParameterA = nodeA?.isParameter ?? false
    let isParameterB = nodeB?.isParameter ?? false
    let isParameter =
      (isParameterA && (isParameterB || (nodeB == nil && !leadsB)))
      || (isParameterB && nodeA == nil && !leadsA)
    if !isParameter {
      let isFitA = nodeA == nil || isParameterA || (leadsA && a.rank >= b.rank)
      let isFitB = nodeB == nil || isParameterB || (leadsB && b.rank >= a.rank)
      if !isFitA || !isFitB {
        preconditionFailure(
          "per-example gradients: matmul on shapes \(a.shape) and \(b.shape) does not keep the \(count) examples "
            + "on the first axis of operands and result")
      }
    }
    let result = Node(tape: tape, outer: value.trace, isParameter: isParameter)
    let shapes = (a.shape, b.shape)
    // Examples times a matrix: the outer product is put off, for a norm does not need it.
    let isDense = isParameterB && !isParameter && b.rank == 2
    tape.push {
      guard let g: Tensor = result.take() else { return }
      if let nodeA {
        let change =
          transposingA
          ? y.matmul(g, transposingA: transposingB, transposingB: true) : g.matmul(y, transposingB: !transposingB)
        nodeA.add(isParameterA ? summedByExample(change, to: shapes.0) : change.sum(to: shapes.0))
      }
      guard let nodeB else { return }
      if isDense {
        let inputs = (transposingA ? x.transposed : x).rows(of: count)
        let changes = g.rows(of: count)
        let (left, right) = transposingB ? (changes, inputs) : (inputs, changes)
        let share = PerExampleShare.product(UntypedTensor(left), UntypedTensor(right))
        if nodeB.keepsShares {
          nodeB.shares.append(share)
        } else {
          nodeB.add(share.multipliedOut(as: Scalar.self))
        }
        return
      }
      let change =
        transposingB
        ? g.matmul(x, transposingA: true, transposingB: transposingA) : x.matmul(g, transposingA: !transposingA)
      nodeB.add(isParameterB ? summedByExample(change, to: shapes.1) : change.sum(to: shapes.1))
    }
    return value.with(trace: result)
  }

  /// Shape [count, ..., width] as [count, rows, width].
  private func rows(of count: Int) -> Tensor {
    reshaped([count, shape[1..<(rank - 1)].reduce(1, *), shape[rank - 1]])
  }
}
