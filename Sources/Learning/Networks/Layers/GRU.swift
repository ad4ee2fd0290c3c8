public import Tensors

/// Gated recurrent units: r, z = σ(...), n = tanh(W x + b + r (U h + c)), h ← (1 - z) n + z h.
///
/// Weights, names and results are PyTorch's with the examples first; the gates lie in the order r, z, n.
///
/// Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, with the reset gate
/// applied after the product.
public struct GRU<Scalar: RealScalar>: Layer {
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
      inputs: inputs, width: width, layers: layers, gates: 3, isBidirectional: isBidirectional, hasBias: hasBias,
      dropout: dropout, random: &random)
  }

  /// - Parameters:
  ///   - x: shape [examples, times, inputs].
  ///   - hidden: shape [layers · directions, examples, width]; zeros by default.
  public func run(
    _ x: Tensor<Scalar>, hidden: Tensor<Scalar>? = nil, in pass: ForwardPass = .inference
  ) -> RecurrentOutput<Scalar> {
    let initial = hidden.map { [$0] }
    let (outputs, last) = stack.run(x, stateCount: 1, initial: initial, in: pass) { weights, input, states in
      let recurrent = linear(states[0], weight: weights.hidden, bias: weights.hiddenBias)
      return [unitStep(input, recurrent, states[0])]
    }
    return RecurrentOutput(outputs: outputs, hidden: last[0], cells: nil)
  }

  /// The outputs at all times, from a state of zeros.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> { run(x, in: pass).outputs }

  /// One step of the units as one operation, from the gates' shares of the input and of the state, and the state.
  private func unitStep(
    _ input: Tensor<Scalar>, _ recurrent: Tensor<Scalar>, _ hidden: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    let values = customDerivatives(at: [input, recurrent, hidden]) { arguments in
      let hidden = arguments[2]
      let (inputs, recurrents) = (arguments[0].split(count: 3, axis: 1), arguments[1].split(count: 3, axis: 1))
      let reset = (inputs[0] + recurrents[0]).sigmoid()
      let update = (inputs[1] + recurrents[1]).sigmoid()
      let candidate = (inputs[2] + reset * recurrents[2]).tanh()
      return (
        [candidate + update * (hidden - candidate)],
        { cotangents, _ in
          guard let dh = cotangents[0] else { return [nil, nil, nil] }
          let dUpdate = dh * (hidden - candidate) * (update * (1 - update))
          let dCandidate = dh * (1 - update) * (1 - candidate.squared())
          let dReset = dCandidate * recurrents[2] * (reset * (1 - reset))
          return [
            Tensor.concatenated([dReset, dUpdate, dCandidate], axis: 1),
            Tensor.concatenated([dReset, dUpdate, dCandidate * reset], axis: 1), dh * update,
          ]
        }
      )
    }
    return values[0]
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) { stack.visit(visitor) }
}
