import LinearAlgebra
public import Tensors

/// A linear layer of a block-diagonal matrix and a dense one, y = B (blockdiag(A) x) + bias.
///
/// One block gives a ``LowRankLinear``.
///
/// - Source: Wei et al., NeurIPS 2024, arXiv 2406.16450.
public struct BlockDenseLinear<Scalar: RealScalar>: StructuredLinear {
  /// A, of shape [blocks, rank / blocks, inputs / blocks].
  public var down: Tensor<Scalar>
  /// B, of shape [outputs, rank].
  public var up: Tensor<Scalar>
  public var bias: Tensor<Scalar>?

  public init(down: Tensor<Scalar>, up: Tensor<Scalar>, bias: Tensor<Scalar>? = nil) {
    precondition(
      down.rank == 3 && up.rank == 2 && up.columns == down.shape[0] * down.shape[1],
      "factors of shapes \(up.shape) and \(down.shape) do not fit")
    (self.down, self.up, self.bias) = (down, up, bias)
  }

  /// Blocks with orthonormal rows, and a dense part with orthonormal columns.
  ///
  /// - Throws: `InvalidArgument` unless the number of blocks divides the inputs and the rank, and the rank is from one to
  ///   the smaller extent.
  public init(
    _ inputs: Int, _ outputs: Int, rank: Int, blocks: Int, hasBias: Bool = true, random: inout RandomStream
  ) throws {
    try LinearStructure.blockDense(rank: rank, blocks: blocks).validate(inputs: inputs, outputs: outputs)
    self.init(
      down: orthogonalBlocks([blocks, rank / blocks, inputs / blocks], gain: 1, random: &random),
      up: Initializer.orthogonal(gain: 1)([outputs, rank], from: &random), bias: hasBias ? .zeros([outputs]) : nil)
  }

  /// The nearest matrix of this structure to a dense weight: the parts of its columns are approximated apart, each at
  /// rank / blocks, for part k is B_k A_k alone.
  ///
  /// - Throws: `InvalidArgument` for extents that do not fit.
  public init(approximating weight: Tensor<Double>, rank: Int, blocks b: Int, bias: Tensor<Scalar>? = nil) throws {
    try weight.requireMatrix("weight")
    try LinearStructure.blockDense(rank: rank, blocks: b).validate(inputs: weight.columns, outputs: weight.rows)
    let width = weight.columns / b
    let share = rank / b
    let parts = try (0..<b).map { k -> (down: Tensor<Double>, up: Tensor<Double>) in
      let part = weight[.all, k * width..<(k + 1) * width].dense
      let kept = min(share, part.rows, width)
      let svd = try SingularValueDecomposition(of: part).truncated(rank: kept)
      let roots = svd.values.sqrt()
      return (
        (svd.right * roots).transposed.padded([(0, share - kept), (0, 0)]),
        (svd.left * roots).padded([(0, 0), (0, share - kept)])
      )
    }
    self.init(
      down: Tensor<Scalar>(.stacked(parts.map(\.down))), up: Tensor<Scalar>(.concatenated(parts.map(\.up), axis: 1)),
      bias: bias)
  }

  public var blocks: Int { down.shape[0] }
  public var inputs: Int { down.shape[0] * down.shape[2] }
  public var outputs: Int { up.rows }
  public var weightCount: Int { down.count + up.count }

  public func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    blockDiagonalProduct(x, down).matmul(up, transposingB: true)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("down", &down)
    visitor.parameter("up", &up)
    visitor.parameter("bias", &bias)
  }
}
