public import LinearAlgebra
public import Tensors

/// Orthonormal coordinates of the columns of a matrix.
///
/// Sensitivities, Lewis weights and leverage scores depend on the column space alone; in these coordinates everything is
/// as well conditioned as it can be, and dependent columns are gone.
struct ColumnSpace: Sendable {
  /// U, of shape [n, rank], with orthonormal columns; rows of zeros stay exact.
  let basis: Tensor<Double>
  /// U = A T for the independent columns of A: T maps coordinates in U to coefficients of all columns, [columns, rank].
  let coefficients: Tensor<Double>
  var rank: Int { basis.columns }

  /// - Throws: `InvalidArgument` unless the matrix has elements, all finite, that are not all zero.
  init<Scalar: LinearScalar>(of matrix: Tensor<Scalar>, _ name: String = "matrix") throws {
    try matrix.requireMatrix(name)
    let a = matrix as? Tensor<Double> ?? Tensor<Double>(matrix)
    let factors = try QRDecomposition(of: a)
    let pivoted = try PivotedQRDecomposition(of: factors.upper)
    let rank = pivoted.rank(tolerance: .ulpOfOne * Double(max(a.rows, a.columns)))
    guard rank > 0 else {
      throw InvalidArgument(name, found: "zeros only", wanted: "a matrix with an entry that is not zero")
    }
    // A = Q R and R P = Q₂ R₂, so that A P = (Q Q₂) R₂, of which the first columns carry the rank.
    var basis = factors.orthogonal
    let triangle: Tensor<Double>
    let chosen: [Int]
    if rank == a.columns {
      triangle = factors.upper
      chosen = Array(0..<rank)
    } else {
      basis = basis.matmul(pivoted.orthogonal[.all, 0..<rank])
      triangle = pivoted.upper[0..<rank, 0..<rank].dense
      chosen = Array(pivoted.permutation.prefix(rank))
    }
    let inverse = try triangle.solveTriangular(.identity(rank), .upper)
    coefficients = Tensor.zeros([a.columns, rank]).scatterAdded(inverse, at: Tensor(chosen))
    let isZero = a.absolute().maximum(axis: 1) .== 0
    self.basis = isZero.expanded(axis: 1).select(Tensor(0.0).broadcast(to: basis.shape), basis.dense)
  }
}

/// The leverage score τ_i = a_iᵀ (AᵀA)⁺ a_i of each row, of shape [n]: between zero and one, and in sum the rank.
///
/// - Throws: `InvalidArgument` unless the matrix has elements, all finite, that are not all zero.
/// - Complexity: that of a QR factorization, O(n d²) time.
public func leverageScores<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) throws -> Tensor<Double> {
  ColumnSpace.leverageScores(try ColumnSpace(of: matrix).basis)
}

extension ColumnSpace {
  static func leverageScores(_ basis: Tensor<Double>) -> Tensor<Double> {
    basis.sumOfSquares(axes: [1]).minimum(1)
  }
}
