public import LinearAlgebra
public import Tensors

/// A Hadamard sketch of Kronecker products that never forms their rows.
///
/// S = sqrt(n₁ n₂ / rows) P (H D₁ ⊗ H D₂), where P chooses rows (i, j) of the product independently and uniformly: entry r
/// of S (x ⊗ y) is sqrt(n₁ n₂ / rows) (H D₁ x)[i_r] (H D₂ y)[j_r].
///
/// - Complexity: that of two transforms of the factors, and rows · d₁ d₂ products for factors of d₁ and d₂ columns.
/// - Source: Song, Ye, Yin and Zhang, ICML 2023, definition 2.11.
public struct TensorHadamardSketch<Scalar: LinearScalar>: Sendable {
  /// The rows of the sketch.
  public let rows: Int
  /// The rows of the factors, n₁ and n₂.
  public let factorRows: [Int]
  private let lengths: [Int]
  private let signs: [Tensor<Scalar>]
  private let chosen: [Tensor<Int>]

  /// - Throws: `InvalidArgument` for extents below one, or more rows than the transform of the product has.
  public init(rows: Int, firstRows: Int, secondRows: Int, random: inout RandomStream) throws {
    factorRows = [firstRows, secondRows]
    guard firstRows >= 1, secondRows >= 1 else {
      throw InvalidArgument("factors", found: "\(firstRows) and \(secondRows) rows", wanted: "at least 1 each")
    }
    lengths = factorRows.map(nextPowerOfTwo)
    try requireSketchExtents(rows: rows, columns: firstRows * secondRows, most: lengths[0] * lengths[1])
    self.rows = rows
    var drawn: [Tensor<Scalar>] = []
    for count in factorRows {
      let positive = random.bernoulli([count, 1], probability: 0.5)
      drawn.append(positive.select(Tensor(repeating: 1, shape: [count, 1]), Tensor(repeating: -1, shape: [count, 1])))
    }
    signs = drawn
    chosen = [random.integers([rows], in: 0..<lengths[0]), random.integers([rows], in: 0..<lengths[1])]
  }

  /// S (A ⊗ B), of shape [rows, d₁ d₂], for A of shape [n₁, d₁] and B of shape [n₂, d₂]; S (x ⊗ y), of shape [rows], for
  /// vectors.
  public func apply(_ first: Tensor<Scalar>, _ second: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(first.rank == second.rank, "factors of shapes \(first.shape) and \(second.shape)")
    let left = transformed(first, 0)
    let right = transformed(second, 1)
    let product = left.expanded(axis: 2) * right.expanded(axis: 1)
    return first.rank == 1 ? product.reshaped([rows]) : product.reshaped([rows, left.columns * right.columns])
  }

  /// The chosen rows of H D x, so scaled that the product over both factors has the scale of S.
  private func transformed(_ x: Tensor<Scalar>, _ k: Int) -> Tensor<Scalar> {
    let data = x.asColumns(rows: factorRows[k], [rows, factorRows[0] * factorRows[1]])
    let padded = (data * signs[k]).padded([(0, lengths[k] - factorRows[k]), (0, 0)])
    return padded.walshHadamard(axis: 0).gathered(chosen[k]) / Scalar.sqrt(Scalar.sqrt(Scalar(rows)))
  }
}
