// The polar factor of a matrix: the nearest one with orthonormal columns (or rows).

public import Tensors

/// A = Q H with orthonormal columns (or rows) in Q and a symmetric positive semi-definite H.
///
/// Of a matrix of rank r below min(m, n), Q is the partial isometry of rank r that belongs to its nonzero singular
/// values; the directions that A does not determine are left out instead of being invented.
public struct PolarDecomposition<Scalar: LinearScalar>: Sendable {
  /// Q = U Vᵀ, of shape [m, n].
  public let factor: Tensor<Scalar>
  /// H = V diag(s) Vᵀ, of shape [n, n].
  public let positive: Tensor<Scalar>
  /// The numerical rank of A.
  public let rank: Int

  /// Decomposes `matrix`, of shape [m, n], by its singular values.
  ///
  /// Derivatives flow through both factors of a matrix of full rank, also where singular values coincide.
  /// - Parameter tolerance: singular values below this times the largest count as zero; by default the precision times
  ///   the larger extent.
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers; for one that is being differentiated,
  ///   also `DecompositionError.rankDeficient`.
  public init(of matrix: Tensor<Scalar>, tolerance: Scalar? = nil) throws {
    let svd = try SingularValueDecomposition(of: matrix.withoutDerivative)
    rank = svd.rank(tolerance: tolerance)
    let part = svd.truncated(rank: rank)
    let numbers = part.left.matmul(part.right, transposingB: true)
    guard matrix.isDifferentiated else {
      factor = numbers
      positive = (svd.right * svd.values.sqrt()).multipliedByOwnTranspose()
      return
    }
    let extent = min(matrix.rows, matrix.columns)
    guard rank == extent else { throw DecompositionError.rankDeficient(rank: rank, columns: extent) }
    factor = differentiatedPolarFactor(numbers, of: matrix)
    positive = factor.matmul(matrix, transposingA: true).symmetrized
  }
}

/// The polar factor of a matrix of full rank, whose numbers are known, with derivatives.
///
/// For a tall matrix and a cotangent g of Q, A's is Q Z + (g - Q Qᵀ g) H⁻¹, where H Z + Z H = Qᵀ g - gᵀ Q.
///
/// Source: Higham, "Functions of matrices", section 8.3, in reverse mode.
func differentiatedPolarFactor<Scalar: LinearScalar>(
  _ numbers: Tensor<Scalar>, of matrix: Tensor<Scalar>
) -> Tensor<Scalar> {
  guard matrix.isDifferentiated else { return numbers }
  guard matrix.rows >= matrix.columns else {
    return differentiatedPolarFactor(numbers.transposed, of: matrix.transposed).transposed
  }
  return customDerivative(at: matrix) { a in
    let q = differentiatedPolarFactor(numbers, of: a)
    return (
      q,
      { g in
        let h = q.matmul(a, transposingA: true).symmetrized
        let inner = q.matmul(g, transposingA: true)
        return orNotANumber(a.shape) {
          let eigen = try SymmetricEigendecomposition(of: h)
          let turned = q.matmul(SymmetricKroneckerSum(eigen, eigen).solution(inner - inner.transposed))
          guard a.rows > a.columns else { return turned }
          let outside = g - q.matmul(inner)
          return turned + (try CholeskyDecomposition(of: h).solve(outside.transposed)).transposed
        }
      }
    )
  }
}
