import LinearAlgebra
import Tensors

/// The leading singular triplets of a matrix G by the eigenvalues of the smaller of G Gᵀ and Gᵀ G.
///
/// In double precision: of matrices that were single once, squaring takes digits that they never had.
struct GramFactors {
  /// All squared singular values, decreasing.
  let energies: [Double]
  /// U_r Σ_r^(1/2), shape [m, r].
  let left: Tensor<Double>
  /// Σ_r^(1/2) V_rᵀ, shape [r, n].
  let right: Tensor<Double>

  /// - Parameter gram: G Gᵀ when m <= n, else Gᵀ G, where it is known already.
  init(of matrix: Tensor<Double>, rank: Int, gram: Tensor<Double>? = nil) throws {
    let isWide = matrix.rows <= matrix.columns
    let gram = gram ?? matrix.multipliedByOwnTranspose(transposing: !isWide)
    let eigen = try SymmetricEigendecomposition(of: gram)
    energies = eigen.values.scalars.reversed().map { max($0, 0) }
    let (values, basis) = eigen.largest(rank)
    let roots = Tensor(balancingRoots(values.scalars.map { max($0, 0).squareRoot() }))
    if isWide {
      left = (basis * roots).dense
      right = (basis / roots).dense.matmul(matrix, transposingA: true)
    } else {
      left = matrix.matmul((basis / roots).dense)
      right = (basis * roots).transposed.dense
    }
  }
}

/// Throws unless 1 <= rank <= the short side of a matrix of this shape.
func requireRank(_ rank: Int, of shape: [Int]) throws {
  let limit = min(shape[0], shape[1])
  guard 1...max(limit, 1) ~= rank else {
    throw InvalidArgument("rank", found: "\(rank)", wanted: "1 to \(limit) for shape \(shape)")
  }
}

/// <A, B>.
func inner(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double { a.flattened.dot(b.flattened).scalar }
