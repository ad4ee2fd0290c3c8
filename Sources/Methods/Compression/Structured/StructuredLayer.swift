public import Networks
public import Tensors

/// A linear layer of any ``LinearStructure``.
public struct StructuredLayer<Scalar: RealScalar>: StructuredLinear {
  public let structure: LinearStructure
  // One of them is there.
  private var plain: Linear<Scalar>?
  private var lowRank: LowRankLinear<Scalar>?
  private var blockShuffle: BlockShuffleLinear<Scalar>?
  private var blockDense: BlockDenseLinear<Scalar>?

  /// A layer with random weights; see the single layers for how they start.
  ///
  /// - Throws: `InvalidArgument` for extents that the structure does not fit.
  public init(
    _ inputs: Int, _ outputs: Int, structure: LinearStructure, hasBias: Bool = true, random: inout RandomStream
  ) throws {
    try structure.validate(inputs: inputs, outputs: outputs)
    self.structure = structure
    switch structure {
    case .dense:
      plain = Linear(
        weight: Initializer.leCunNormal([outputs, inputs], from: &random), bias: hasBias ? .zeros([outputs]) : nil)
    case .lowRank(let rank): lowRank = try LowRankLinear(inputs, outputs, rank: rank, hasBias: hasBias, random: &random)
    case .blockShuffle(let blocks):
      blockShuffle = try BlockShuffleLinear(inputs, outputs, blocks: blocks, hasBias: hasBias, random: &random)
    case .blockDense(let rank, let blocks):
      blockDense = try BlockDenseLinear(
        inputs, outputs, rank: rank, blocks: blocks, hasBias: hasBias, random: &random)
    }
  }

  /// The nearest layer of a structure to a dense weight, of shape [outputs, inputs], in the Frobenius norm.
  ///
  /// - Throws: `InvalidArgument` for extents that the structure does not fit and numbers that are not finite.
  public init(projecting weight: Tensor<Scalar>, onto structure: LinearStructure, bias: Tensor<Scalar>? = nil) throws {
    try weight.requireMatrix("weight")
    self.structure = structure
    let numbers = Tensor<Double>(weight)
    switch structure {
    case .dense: plain = Linear(weight: weight, bias: bias)
    case .lowRank(let rank): lowRank = try LowRankLinear(approximating: numbers, rank: rank, bias: bias)
    case .blockShuffle(let blocks):
      blockShuffle = try BlockShuffleLinear(approximating: numbers, blocks: blocks, bias: bias)
    case .blockDense(let rank, let blocks):
      blockDense = try BlockDenseLinear(approximating: numbers, rank: rank, blocks: blocks, bias: bias)
    }
  }

  private var layer: any StructuredLinear<Scalar> {
    if let lowRank { return lowRank }
    if let blockShuffle { return blockShuffle }
    if let blockDense { return blockDense }
    guard let plain else { preconditionFailure("a layer without weights") }
    return plain
  }

  public var inputs: Int { layer.inputs }
  public var outputs: Int { layer.outputs }
  public var bias: Tensor<Scalar>? { layer.bias }
  public var weightCount: Int { layer.weightCount }
  public func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> { layer.product(x) }
  public func dense() -> Tensor<Scalar> { layer.dense() }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    plain?.visit(visitor)
    lowRank?.visit(visitor)
    blockShuffle?.visit(visitor)
    blockDense?.visit(visitor)
  }
}

extension Linear: StructuredLinear {
  public var weightCount: Int { weight.count }
  public func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> { x.matmul(weight, transposingB: true) }
  public func dense() -> Tensor<Scalar> { weight }
}
