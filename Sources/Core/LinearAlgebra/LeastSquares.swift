// Systems that have no solution, or many.

public import Tensors

/// The minimizer of ‖A x - b‖, of least length where there are several.
public struct LeastSquaresSolution<Scalar: LinearScalar>: Sendable {
  /// x, of shape [n] or [n, p].
  public let solution: Tensor<Scalar>
  /// ‖A x - b‖ for each column of b, of shape [] or [p].
  public let residualNorms: Tensor<Scalar>
  /// The numerical rank of A.
  public let rank: Int
}

/// Ways to solve least squares problems, from fast to careful.
public enum LeastSquaresMethod: Sendable, Hashable {
  /// Householder QR: needs independent columns.
  case qr
  /// QR with column pivoting, then QR from the other side: any rank, the shortest solution.
  case completeOrthogonal
  /// Singular values: any rank, the shortest solution, and the most reliable decision about the rank.
  case singularValues
}

extension Tensor where Scalar: LinearScalar {
  /// The shortest x that minimizes ‖A x - b‖, for this matrix A of shape [m, n].
  ///
  /// Derivatives flow to A and b where A has full rank.
  ///
  /// - Parameters:
  ///   - rightSide: b, of shape [m] or [m, p].
  ///   - tolerance: what is smaller than this times the largest (singular value, or diagonal entry of R) counts as
  ///     zero; by default the precision times the larger extent.
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite; `DecompositionError.rankDeficient`
  ///   with the method `.qr`, and where an operand is being differentiated: then for any rank below min(m, n).
  /// - Complexity: O(m n min(m, n)) time.
  public func leastSquares(
    _ rightSide: Tensor, method: LeastSquaresMethod = .completeOrthogonal, tolerance: Scalar? = nil
  ) throws -> LeastSquaresSolution<Scalar> {
    if isDifferentiated || rightSide.isDifferentiated {
      return try differentiatedLeastSquares(rightSide, method: method, tolerance: tolerance)
    }
    let a = try validMatrix()
    let right = try rightSide.validRightSide(rows: rows)
    let b = right.rank == 1 ? right.expanded(axis: 1) : right
    let threshold = tolerance ?? .ulpOfOne * Scalar(Swift.max(rows, columns))
    let (x, rank): (Tensor, Int) =
      switch method {
      case .qr: try solveByQR(a, b, threshold)
      case .completeOrthogonal: try solveByCompleteOrthogonal(a, b, threshold)
      case .singularValues: try solveBySingularValues(a, b, threshold)
      }
    let residual = (a.matmul(x) - b).columnNorms()
    return right.rank == 1
      ? LeastSquaresSolution(solution: x.squeezed(axis: 1), residualNorms: residual.squeezed(axis: 0), rank: rank)
      : LeastSquaresSolution(solution: x, residualNorms: residual, rank: rank)
  }

  /// The length of each column.
  func columnNorms() -> Tensor { sumOfSquares(axes: [0]).sqrt() }

  /// The Moore–Penrose inverse V diag(1/s) Uᵀ, of shape [n, m], over the singular values above `tolerance` times the
  /// largest (by default the precision times the larger extent); the others count as zero.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers; where it is being differentiated, also
  ///   `DecompositionError.rankDeficient`.
  /// - Complexity: that of the singular value decomposition.
  public func pseudoInverse(tolerance: Scalar? = nil) throws -> Tensor {
    if isDifferentiated { return try differentiatedPseudoInverse(tolerance: tolerance) }
    let svd = try SingularValueDecomposition(of: self)
    let part = svd.truncated(rank: svd.rank(tolerance: tolerance))
    return (part.right / part.values).matmul(part.left, transposingB: true)
  }
}

private func solveByQR<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>, _ b: Tensor<Scalar>, _ tolerance: Scalar
) throws -> (Tensor<Scalar>, Int) {
  let n = a.columns
  let factors = HouseholderFactors(a)
  let magnitudes = factors.diagonal.absolute().scalars
  let floor = tolerance * (magnitudes.max() ?? 0)
  let rank = magnitudes.count { $0 > floor }
  guard rank == n else { throw DecompositionError.rankDeficient(rank: rank, columns: n) }
  var x = factors.multiply(b, transposing: true)[0..<n, .all]
  factors.upper(rows: n).solveTriangular(&x, .upper, transposing: false, unitDiagonal: false)
  return (x, rank)
}

/// A P = Q [R; 0] with R of r rows, then Rᵀ = Z T: the shortest solution is P Z T⁻ᵀ (Qᵀ b)₁.
///
/// Source: Golub and Van Loan, "Matrix computations", 4th edition, section 5.5.
private func solveByCompleteOrthogonal<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>, _ b: Tensor<Scalar>, _ tolerance: Scalar
) throws -> (Tensor<Scalar>, Int) {
  let n = a.columns
  if a.rows > 2 * n && n > 0 {
    // Tall: pivoting costs a pass over the matrix for each column, so let it work on the small triangle.
    let factors = HouseholderFactors(a)
    let reduced = factors.multiply(b, transposing: true)[0..<n, .all]
    return try solveByCompleteOrthogonal(factors.upper(rows: n), reduced, tolerance)
  }
  let factors = HouseholderFactors(a, pivoting: true)
  let rank = numericalRank(factors.diagonal.absolute(), tolerance: tolerance)
  guard rank > 0 else { return (.zeros([n, b.columns]), 0) }
  let upper = factors.upper(rows: rank)
  var y = factors.multiply(b, transposing: true)[0..<rank, .all]
  if rank < n {
    let other = HouseholderFactors(upper.transposed.dense)
    other.upper(rows: rank).solveTriangular(&y, .upper, transposing: true, unitDiagonal: false)
    let padded = Tensor.concatenated([y, .zeros([n - rank, b.columns])], axis: 0)
    y = other.multiply(padded, transposing: false)
  } else {
    upper.solveTriangular(&y, .upper, transposing: false, unitDiagonal: false)
  }
  var x = y.dense
  for (j, column) in factors.permutation.enumerated() { x[column] = y[j] }
  return (x, rank)
}

private func solveBySingularValues<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>, _ b: Tensor<Scalar>, _ tolerance: Scalar
) throws -> (Tensor<Scalar>, Int) {
  let svd = try SingularValueDecomposition(of: a)
  let rank = svd.rank(tolerance: tolerance)
  let part = svd.truncated(rank: rank)
  let coefficients = part.left.matmul(b, transposingA: true) / part.values.expanded(axis: 1)
  return (part.right.matmul(coefficients), rank)
}
