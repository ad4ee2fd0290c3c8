public import LinearAlgebra
public import Tensors

/// A matrix kept as a product of two thin ones, W = L R.
///
/// Multiplying a vector costs r (m + n) instead of m n, and so does storing it: a saving when r < m n / (m + n).
public struct FactoredMatrix<Scalar: LinearScalar>: Sendable {
  /// L, of shape [m, r].
  public let left: Tensor<Scalar>
  /// R, of shape [r, n].
  public let right: Tensor<Scalar>

  public init(left: Tensor<Scalar>, right: Tensor<Scalar>) {
    precondition(
      left.columns == right.rows, "factors of shapes \(left.shape) and \(right.shape) do not share an inner extent")
    (self.left, self.right) = (left, right)
  }

  /// The nearest matrix of rank `rank` in the Frobenius norm: its truncated singular value decomposition, the square
  /// roots of the singular values in either factor.
  ///
  /// Single precision goes through the smaller of A Aᵀ and Aᵀ A in double precision (see ``singularSpectrum(of:)``).
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers and 1 <= rank <= min(m, n).
  /// - Complexity: O(m n min(m, n)) time.
  public init(truncating matrix: Tensor<Scalar>, rank: Int) throws {
    try matrix.requireMatrix("matrix")
    let limit = min(matrix.rows, matrix.columns)
    guard 1...limit ~= rank else {
      throw InvalidArgument("rank", found: "\(rank)", wanted: "1 to \(limit) for shape \(matrix.shape)")
    }
    let factors = try SharedFactors(of: [matrix], rank: rank)
    self.init(left: factors.left, right: factors.rights[0])
  }

  public var rows: Int { left.rows }
  public var columns: Int { right.columns }
  public var rank: Int { left.columns }
  /// Numbers stored: r (m + n).
  public var parameterCount: Int { left.count + right.count }
  /// Wᵀ = Rᵀ Lᵀ.
  public var transposed: FactoredMatrix { FactoredMatrix(left: right.transposed.dense, right: left.transposed.dense) }

  /// L R, of shape [m, n].
  public func reconstructed() -> Tensor<Scalar> { left.matmul(right) }

  /// W x for x of shape [n], or [n, p] for p vectors as columns, without forming W.
  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> { left.matmul(right.matmul(x)) }

  /// ‖A - L R‖ / ‖A‖ in the Frobenius norm. Of the zero matrix: zero when L R is zero too, infinite otherwise.
  public func relativeError(to matrix: Tensor<Scalar>) -> Double {
    precondition(
      matrix.shape == [rows, columns], "factors of a [\(rows), \(columns)] matrix against shape \(matrix.shape)")
    let error = Double((matrix - reconstructed()).frobeniusNorm())
    let norm = Double(matrix.frobeniusNorm())
    return norm > 0 ? error / norm : error > 0 ? .infinity : 0
  }
}
