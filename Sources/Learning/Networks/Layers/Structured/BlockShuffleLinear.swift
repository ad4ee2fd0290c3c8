import LinearAlgebra
public import Tensors

/// A linear layer of two block-diagonal matrices with a shuffle behind each, as in Monarch matrices.
///
/// With b blocks, q = min(inputs, outputs) / b: z_k = A_k x_k for the parts x_k of the input; the numbers l, l + b, ...
/// of all z one behind the other are z'_l; y[s b + l] = (B_l z'_l)[s]; then the bias.
///
/// - Source: Wei et al., NeurIPS 2024, arXiv 2406.16450; Dao et al., "Monarch", ICML 2022.
public struct BlockShuffleLinear<Scalar: RealScalar>: StructuredLinear {
  /// A, of shape [b, q, inputs / b].
  public var first: Tensor<Scalar>
  /// B, of shape [b, outputs / b, q].
  public var second: Tensor<Scalar>
  public var bias: Tensor<Scalar>?

  public init(first: Tensor<Scalar>, second: Tensor<Scalar>, bias: Tensor<Scalar>? = nil) {
    precondition(
      first.rank == 3 && second.rank == 3 && first.shape[0] == second.shape[0] && first.shape[1] == second.shape[2],
      "blocks of shapes \(first.shape) and \(second.shape) do not fit")
    (self.first, self.second, self.bias) = (first, second, bias)
  }

  /// Blocks with orthonormal rows or columns, so that a random input of q columns keeps its length.
  ///
  /// - Throws: `InvalidArgument` unless the number of blocks divides both extents.
  public init(_ inputs: Int, _ outputs: Int, blocks: Int, hasBias: Bool = true, random: inout RandomStream) throws {
    try LinearStructure.blockShuffle(blocks: blocks).validate(inputs: inputs, outputs: outputs)
    let q = min(inputs, outputs) / blocks
    self.init(
      first: orthogonalBlocks([blocks, q, inputs / blocks], gain: 1, random: &random),
      second: orthogonalBlocks([blocks, outputs / blocks, q], gain: 1, random: &random),
      bias: hasBias ? .zeros([outputs]) : nil)
  }

  /// The nearest matrix of this structure to a dense weight, of shape [outputs, inputs].
  ///
  /// Undoing the output's shuffle, block (l, k) of the weight is reached through those numbers of z_k alone that z'_l
  /// takes: their number is its rank, and the best such blocks are truncated singular value decompositions.
  ///
  /// - Throws: `InvalidArgument` unless the number of blocks divides both extents.
  public init(approximating weight: Tensor<Double>, blocks b: Int, bias: Tensor<Scalar>? = nil) throws {
    try weight.requireMatrix("weight")
    let (m, n) = (weight.rows, weight.columns)
    try LinearStructure.blockShuffle(blocks: b).validate(inputs: n, outputs: m)
    let (q, w, p) = (min(n, m) / b, n / b, m / b)
    var first = Tensor<Double>.zeros([b, q, w])
    var second = Tensor<Double>.zeros([b, p, q])
    for l in 0..<b {
      let rows = weight.gathered(Tensor<Int>((0..<p).map { $0 * b + l }))
      for k in 0..<b {
        // z_k's number j is number k q + j of all; z'_l takes it where that is l modulo b.
        let shared = (0..<q).filter { (k * q + $0) % b == l }
        let block = rows[.all, k * w..<(k + 1) * w].dense
        let rank = min(shared.count, p, w)
        guard rank > 0 else { continue }
        let svd = try SingularValueDecomposition(of: block).truncated(rank: rank)
        let left = (svd.left * svd.values.sqrt()).dense
        let right = (svd.right * svd.values.sqrt()).dense
        first.withUnsafeMutableBuffer { first in
          second.withUnsafeMutableBuffer { second in
            for (i, j) in shared.prefix(rank).enumerated() {
              for c in 0..<w { first[(k * q + j) * w + c] = right[at: c, i] }
              for r in 0..<p { second[(l * p + r) * q + (k * q + j) / b] = left[at: r, i] }
            }
          }
        }
      }
    }
    self.init(first: Tensor<Scalar>(first), second: Tensor<Scalar>(second), bias: bias)
  }

  public var blocks: Int { first.shape[0] }
  public var inputs: Int { first.shape[0] * first.shape[2] }
  public var outputs: Int { second.shape[0] * second.shape[1] }
  public var weightCount: Int { first.count + second.count }

  public func product(_ x: Tensor<Scalar>) -> Tensor<Scalar> { shuffledBlockProduct(x, first, second) }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("first", &first)
    visitor.parameter("second", &second)
    visitor.parameter("bias", &bias)
  }
}
