public import Networks
public import Tensors

/// The feed-forward layer of a transformer with structured matrices: output(activation(input(x))), or with a gate,
/// output(activation(gate(x)) · input(x)).
///
/// - Source: Wei et al., NeurIPS 2024, arXiv 2406.16450. There the first block of a model stays dense.
public struct StructuredFeedForward<Scalar: RealScalar>: Layer {
  public var input: SelfGuided<StructuredLayer<Scalar>>
  public var gate: SelfGuided<StructuredLayer<Scalar>>?
  public var output: SelfGuided<StructuredLayer<Scalar>>
  public let activation: Activation

  /// - Parameters:
  ///   - hidden: the width between the layers; four times `width` unless given.
  ///   - structure: of all matrices.
  ///   - isGated: whether there is a gate; the activation should then be `.silu`.
  ///   - isGuided, isStochastic: see ``SelfGuided``; a dense layer has no guide.
  /// - Throws: `InvalidArgument` for extents that the structure does not fit.
  public init(
    _ width: Int, hidden: Int? = nil, structure: LinearStructure, activation: Activation = .gelu, isGated: Bool = false,
    hasBias: Bool = true, isGuided: Bool = false, isStochastic: Bool = false, random: inout RandomStream
  ) throws {
    let hidden = hidden ?? 4 * width
    func layer(_ inputs: Int, _ outputs: Int) throws -> SelfGuided<StructuredLayer<Scalar>> {
      let layer = try StructuredLayer<Scalar>(
        inputs, outputs, structure: structure, hasBias: hasBias, random: &random)
      return SelfGuided(layer, isGuided: isGuided && structure != .dense, isStochastic: isStochastic)
    }
    input = try layer(width, hidden)
    gate = isGated ? try layer(width, hidden) : nil
    output = try layer(hidden, width)
    self.activation = activation
  }

  /// How many numbers the matrices are made of, without guides and biases.
  public var weightCount: Int {
    input.structured.weightCount + (gate?.structured.weightCount ?? 0) + output.structured.weightCount
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let hidden = input(x, in: pass)
    guard let gate else { return output(activation(hidden), in: pass) }
    return output(activation(gate(x, in: pass)) * hidden, in: pass)
  }

  /// Forgets the guides.
  public mutating func dropGuides() {
    input.dropGuide()
    gate?.dropGuide()
    output.dropGuide()
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("input", &input)
    visitor.module("gate", &gate)
    visitor.module("output", &output)
  }
}
