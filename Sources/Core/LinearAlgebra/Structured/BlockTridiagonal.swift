public import Tensors

/// A block tridiagonal matrix as L U by blocks, with row exchanges inside each diagonal block.
///
/// Stable for matrices that are symmetric positive definite or dominated by their diagonal blocks.
public struct BlockTridiagonalDecomposition<Scalar: LinearScalar>: Sendable {
  private let factors: [LUDecomposition<Scalar>]
  private let lower: Tensor<Scalar>
  /// Dᵢ⁻¹ Uᵢ, where Dᵢ is the block left of diagonal block i by elimination.
  private let ratios: [Tensor<Scalar>]
  private let size: Int

  /// - Parameters: lower: of shape [k - 1, n, n], the blocks (i + 1, i); diagonal: of shape [k, n, n]; upper: of shape
  ///   [k - 1, n, n], the blocks (i, i + 1).
  /// - Throws: `InvalidArgument`; `DecompositionError.singular`, with the row, when an eliminated block is singular.
  /// - Complexity: O(k n³) time; O(k n²) memory.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, section 4.5.1.
  public init(lower: Tensor<Scalar>, diagonal: Tensor<Scalar>, upper: Tensor<Scalar>) throws {
    guard diagonal.rank == 3, diagonal.shape[1] == diagonal.shape[2] else {
      throw InvalidArgument("diagonal", found: "shape \(diagonal.shape)", wanted: "shape [k, n, n]")
    }
    let (count, size) = (diagonal.shape[0], diagonal.shape[1])
    try diagonal.requireShape(diagonal.shape, "diagonal")
    try lower.requireShape([max(count - 1, 0), size, size], "lower")
    try upper.requireShape([max(count - 1, 0), size, size], "upper")
    var factors: [LUDecomposition<Scalar>] = []
    var ratios: [Tensor<Scalar>] = []
    for i in 0..<count {
      let block = i == 0 ? diagonal[0] : diagonal[i] - lower[i - 1].matmul(ratios[i - 1])
      let lu = try LUDecomposition(of: block)
      if let pivot = lu.zeroPivot { throw DecompositionError.singular(pivot: i * size + pivot) }
      factors.append(lu)
      if i + 1 < count { ratios.append(try lu.solve(upper[i])) }
    }
    (self.factors, self.lower, self.ratios, self.size) = (factors, lower, ratios, size)
  }

  /// x with A x = b, for b of shape [k n] or [k n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let b = try rightSide.validRightSide(rows: factors.count * size)
    guard b.count > 0 else { return b }
    var parts: [Tensor<Scalar>] = []
    for (i, lu) in factors.enumerated() {
      var part = b.slice(axis: 0, i * size..<(i + 1) * size)
      if i > 0 { part -= lower[i - 1].matmul(parts[i - 1]) }
      parts.append(try lu.solve(part))
    }
    for i in stride(from: factors.count - 2, through: 0, by: -1) { parts[i] -= ratios[i].matmul(parts[i + 1]) }
    return .concatenated(parts, axis: 0)
  }
}
