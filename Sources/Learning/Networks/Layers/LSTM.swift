public import Tensors

/// Long short-term memory: i, f, o = σ(...), g = tanh(...), c ← f c + i g, h = o tanh(c).
///
/// Weights, names and results are PyTorch's with the examples first; the gates lie in the order i, f, g, o.
///
/// Source: Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 1997; forget gates: Gers et al. 2000.
public struct LSTM<Scalar: RealScalar>: Layer {
  private var stack: RecurrentStack<Scalar>

  /// - Parameters:
  ///   - layers: each takes the outputs of the one before.
  ///   - isBidirectional: each layer also runs back in time, and gives both outputs side by side.
  ///   - dropout: the probability with which outputs between layers are dropped in training.
  public init(
    _ inputs: Int, _ width: Int, layers: Int = 1, isBidirectional: Bool = false, hasBias: Bool = true,
    dropout: Double = 0, random: inout RandomStream
  ) {
    stack = RecurrentStack(
      inputs: inputs, width: width, layers: layers, gates: 4, isBidirectional: isBidirectional, hasBias: hasBias,
      dropout: dropout, random: &random)
  }

  /// - Parameters:
  ///   - x: shape [examples, times, inputs].
  ///   - hidden, cells: shape [layers · directions, examples, width]; zeros by default.
  public func run(
    _ x: Tensor<Scalar>, hidden: Tensor<Scalar>? = nil, cells: Tensor<Scalar>? = nil, in pass: ForwardPass = .inference
  ) -> RecurrentOutput<Scalar> {
    var initial: [Tensor<Scalar>]?
    if let some = hidden ?? cells {
      initial = [hidden ?? .zeros(some.shape), cells ?? .zeros(some.shape)]
    }
    let (outputs, last) = stack.run(x, stateCount: 2, initial: initial, in: pass) { weights, input, states in
      let gates = input + linear(states[0], weight: weights.hidden, bias: weights.hiddenBias)
      return cellStep(gates, states[1])
    }
    return RecurrentOutput(outputs: outputs, hidden: last[0], cells: last[1])
  }

  /// The outputs at all times, from a state of zeros.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> { run(x, in: pass).outputs }

  /// One step of the cells as one operation: [h, c'] from the gates before their functions, and c.
  private func cellStep(_ gates: Tensor<Scalar>, _ cell: Tensor<Scalar>) -> [Tensor<Scalar>] {
    customDerivatives(at: [gates, cell]) { arguments in
      let (gates, cell) = (arguments[0], arguments[1])
      let parts = gates.split(count: 4, axis: 1)
      let (input, forget, output) = (parts[0].sigmoid(), parts[1].sigmoid(), parts[3].sigmoid())
      let candidate = parts[2].tanh()
      let next = forget * cell + input * candidate
      let squashed = next.tanh()
      return (
        [output * squashed, next],
        { cotangents, _ in
          let zero = Tensor<Scalar>.zeros(cell.shape)
          let dh = cotangents[0] ?? zero
          let dc = (cotangents[1] ?? zero) + dh * output * (1 - squashed.squared())
          let dInput = dc * candidate * (input * (1 - input))
          let dForget = dc * cell * (forget * (1 - forget))
          let dCandidate = dc * input * (1 - candidate.squared())
          let dOutput = dh * squashed * (output * (1 - output))
          return [Tensor.concatenated([dInput, dForget, dCandidate, dOutput], axis: 1), dc * forget]
        }
      )
    }
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) { stack.visit(visitor) }
}
