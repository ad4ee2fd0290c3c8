// Derivatives of Q and R.
//
// Source: Walter and Lehmann, "Algorithmic differentiation of linear algebra functions with application in optimum
// experimental design", 2010; in reverse mode: Seeger et al., "Auto-differentiating linear algebra", 2017, section 4.3.

import Tensors

/// A = Q R for `numbers` Q and R of a matrix of full column rank, with derivatives.
///
/// With M = R gRᵀ - gQᵀ Q and C its lower triangle mirrored to the upper one, A's cotangent is (gQ + Q C) R⁻ᵀ.
func differentiatedQR<Scalar: LinearScalar>(
  _ numbers: (orthogonal: Tensor<Scalar>, upper: Tensor<Scalar>), of matrix: Tensor<Scalar>
) -> (orthogonal: Tensor<Scalar>, upper: Tensor<Scalar>) {
  guard matrix.isDifferentiated else { return numbers }
  let results = customDerivatives(at: [matrix]) { arguments in
    let (q, r) = differentiatedQR(numbers, of: arguments[0])
    return (
      [q, r],
      { cotangents, _ in
        var middle = Tensor<Scalar>.zeros(r.shape)
        if let g = cotangents[1] { middle = r.matmul(g, transposingB: true) }
        if let g = cotangents[0] { middle = middle - g.matmul(q, transposingA: true) }
        let mirrored = middle.keeping(.lower) + middle.keeping(.lower, diagonal: 0).transposed
        var sum = q.matmul(mirrored)
        if let g = cotangents[0] { sum = g + sum }
        return [sum.dividedFromTheRight(by: r, .upper)]
      }
    )
  }
  return (results[0], results[1])
}

/// The same for any shape of full rank: of a wide matrix [X, Y] with a square X = Q U, R is [U, Qᵀ Y].
///
/// - Throws: `InvalidArgument` for a full basis of a tall matrix; `DecompositionError.rankDeficient`.
func differentiatedFactors<Scalar: LinearScalar>(
  _ numbers: (orthogonal: Tensor<Scalar>, upper: Tensor<Scalar>), of matrix: Tensor<Scalar>, _ basis: OrthonormalBasis
) throws -> (orthogonal: Tensor<Scalar>, upper: Tensor<Scalar>) {
  let (m, n) = (matrix.rows, matrix.columns)
  guard basis == .thin || m <= n else { throw InvalidArgument.fullBasis }
  let diagonal = numbers.upper.diagonal.absolute().scalars
  let floor = .ulpOfOne * Scalar(max(m, n)) * (diagonal.max() ?? 0)
  let rank = diagonal.count { $0 > floor }
  guard rank == min(m, n) else { throw DecompositionError.rankDeficient(rank: rank, columns: min(m, n)) }
  guard m < n else { return differentiatedQR(numbers, of: matrix) }
  let (q, u) = differentiatedQR(
    (numbers.orthogonal, numbers.upper[.all, 0..<m].dense), of: matrix[.all, 0..<m])
  let rest = q.matmul(matrix[.all, m..<n], transposingA: true)
  return (q, .concatenated([u, rest], axis: 1))
}

extension InvalidArgument {
  /// A matrix says nothing about the rest of a basis, so that it has no derivative.
  static var fullBasis: InvalidArgument {
    InvalidArgument("basis", found: "a full one, of a matrix that is being differentiated", wanted: "a thin one")
  }
}
