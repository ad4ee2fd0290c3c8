// What GRU and LSTM share: weights by layer and direction under PyTorch's names, and the walk over time.

public import Tensors

/// The outputs of a recurrent network at all times, and the states it ends with.
public struct RecurrentOutput<Scalar: RealScalar>: Sendable {
  /// Shape [examples, times, directions · width], of the last layer.
  public var outputs: Tensor<Scalar>
  /// Shape [layers · directions, examples, width]: the output of each layer after its last step.
  public var hidden: Tensor<Scalar>
  /// Of an LSTM, the state of its cells; of the shape of `hidden`.
  public var cells: Tensor<Scalar>?
}

/// The weights of one layer in one direction; gates one below another.
struct RecurrentWeights<Scalar: RealScalar>: Sendable {
  /// Shape [gates · width, inputs].
  var input: Tensor<Scalar>
  /// Shape [gates · width, width].
  var hidden: Tensor<Scalar>
  /// Shape [gates · width], both.
  var inputBias: Tensor<Scalar>?
  var hiddenBias: Tensor<Scalar>?

  var width: Int { hidden.columns }

  /// PyTorch's start: everything uniform within 1 / √width.
  init(inputs: Int, width: Int, gates: Int, hasBias: Bool, random: inout RandomStream) {
    let start = Initializer.uniform(bound: 1 / Double(width).squareRoot())
    input = start([gates * width, inputs], from: &random)
    hidden = start([gates * width, width], from: &random)
    inputBias = hasBias ? start([gates * width], from: &random) : nil
    hiddenBias = hasBias ? start([gates * width], from: &random) : nil
  }

  mutating func visit(_ visitor: Visitor<Scalar>, suffix: String) {
    visitor.parameter("weight_ih_\(suffix)", &input)
    visitor.parameter("weight_hh_\(suffix)", &hidden)
    visitor.parameter("bias_ih_\(suffix)", &inputBias)
    visitor.parameter("bias_hh_\(suffix)", &hiddenBias)
  }
}

/// Layers of recurrent weights, one or two directions each.
struct RecurrentStack<Scalar: RealScalar>: Sendable {
  /// Layer by layer, forward before backward.
  var weights: [RecurrentWeights<Scalar>] = []
  let isBidirectional: Bool
  let dropout: Dropout<Scalar>

  init(
    inputs: Int, width: Int, layers: Int, gates: Int, isBidirectional: Bool, hasBias: Bool, dropout: Double,
    random: inout RandomStream
  ) {
    precondition(
      inputs > 0 && width > 0 && layers > 0, "a recurrent network of \(layers) layers, \(inputs) to \(width)")
    self.isBidirectional = isBidirectional
    self.dropout = Dropout(dropout)
    let directions = isBidirectional ? 2 : 1
    for layer in 0..<layers {
      for _ in 0..<directions {
        let part = RecurrentWeights<Scalar>(
          inputs: layer == 0 ? inputs : directions * width, width: width, gates: gates, hasBias: hasBias,
          random: &random)
        weights.append(part)
      }
    }
  }

  var directions: Int { isBidirectional ? 2 : 1 }

  mutating func visit(_ visitor: Visitor<Scalar>) {
    for i in weights.indices {
      let isReverse = i % directions == 1
      weights[i].visit(visitor, suffix: "l\(i / directions)\(isReverse ? "_reverse" : "")")
    }
  }

  /// States of every layer and direction: `count` tensors of shape [examples, width] each, zero unless given.
  typealias States = [Tensor<Scalar>]

  /// Runs all layers over x, shape [examples, times, inputs].
  ///
  /// - Parameters:
  ///   - initial: the states of each layer and direction, nil for zeros; how many there are is `stateCount`.
  ///   - step: from the projected input [examples, gates · width] and the states to the next states, the first of which
  ///     is the output.
  /// - Returns: the outputs, and the last states stacked over layers and directions.
  func run(
    _ x: Tensor<Scalar>, stateCount: Int, initial: [Tensor<Scalar>]?, in pass: ForwardPass,
    step: (RecurrentWeights<Scalar>, Tensor<Scalar>, States) -> States
  ) -> (outputs: Tensor<Scalar>, last: [Tensor<Scalar>]) {
    precondition(
      x.rank == 3 && x.shape[2] == weights[0].input.columns && x.shape[1] > 0,
      "a recurrent network takes shape [examples, times, \(weights[0].input.columns)], but is given \(x.shape)")
    let examples = x.shape[0]
    for state in initial ?? [] {
      precondition(
        state.shape == [weights.count, examples, weights[0].width],
        "an initial state has shape \([weights.count, examples, weights[0].width]), but is given \(state.shape)")
    }
    var last: [States] = []
    // The examples stay on the first axis wherever weights are used, for gradients by example.
    var sequence = x
    for layer in 0..<weights.count / directions {
      if layer > 0 { sequence = dropout(sequence, in: pass) }
      let results = (0..<directions).map { direction in
        let index = layer * directions + direction
        let start = initial.map { $0.map { $0.slice(axis: 0, at: index) } }
        let states = start ?? (0..<stateCount).map { _ in .zeros([examples, weights[index].width]) }
        let walk = steps(over: sequence, weights[index], from: states, isReverse: direction == 1, step)
        last.append(walk.last)
        return walk.outputs
      }
      sequence = results.count == 1 ? results[0] : Tensor.concatenated(results, axis: 2)
    }
    let stacked = (0..<stateCount).map { state in Tensor.stacked(last.map { $0[state] }) }
    return (sequence, stacked)
  }

  private func steps(
    over sequence: Tensor<Scalar>, _ weights: RecurrentWeights<Scalar>, from start: States, isReverse: Bool,
    _ step: (RecurrentWeights<Scalar>, Tensor<Scalar>, States) -> States
  ) -> (outputs: Tensor<Scalar>, last: States) {
    // The input's share of all steps is one product.
    let projected = slices(of: linear(sequence, weight: weights.input, bias: weights.inputBias))
    var states = start
    var outputs = projected
    for time in isReverse ? Array(projected.indices.reversed()) : Array(projected.indices) {
      states = step(weights, projected[time], states)
      outputs[time] = states[0]
    }
    return (Tensor.stacked(outputs, axis: 1), states)
  }
}

/// The slices along the second axis, whose cotangents are stacked again: linear in their number, where the derivatives
/// of single slices would each fill a whole tensor.
private func slices<Scalar: RealScalar>(of x: Tensor<Scalar>) -> [Tensor<Scalar>] {
  customDerivatives(at: [x]) { arguments in
    // The numbers of one step side by side.
    let x = arguments[0].permuted([1, 0, 2]).dense
    return (
      (0..<x.shape[0]).map { x[$0] },
      { cotangents, _ in
        let zero = Tensor<Scalar>.zeros(Array(x.shape.dropFirst()))
        return [Tensor.stacked(cotangents.map { $0 ?? zero }, axis: 1)]
      }
    )
  }
}
