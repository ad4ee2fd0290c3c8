// Derivatives of least squares solutions and of the pseudo-inverse, for matrices of full rank: below it, neither is
// continuous.
//
// Source: Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
// separate", SIAM J. Numer. Anal. 10 (1973).

import Tensors

extension Tensor where Scalar: LinearScalar {
  /// `leastSquares` where the matrix or the right side is being differentiated.
  func differentiatedLeastSquares(
    _ rightSide: Tensor, method: LeastSquaresMethod, tolerance: Scalar?
  ) throws -> LeastSquaresSolution<Scalar> {
    let numbers = try withoutDerivative.leastSquares(
      rightSide.withoutDerivative, method: method, tolerance: tolerance)
    try requireFullRank(numbers.rank)
    let factors = try QRDecomposition(of: rows >= columns ? withoutDerivative : withoutDerivative.transposed)
    let x = solution(numbers.solution, rightSide, (factors.orthogonal, factors.upper))
    return LeastSquaresSolution(
      solution: x, residualNorms: (matmul(x) - rightSide).norm(axis: 0), rank: numbers.rank)
  }

  private func requireFullRank(_ rank: Int) throws {
    let extent = Swift.min(rows, columns)
    guard rank == extent else { throw DecompositionError.rankDeficient(rank: rank, columns: extent) }
  }

  /// The numbers `x` as the solution for this matrix and b, given the factors Q R of the matrix, or of its transpose when
  /// it is wide.
  private func solution(
    _ numbers: Tensor, _ b: Tensor, _ factors: (orthogonal: Tensor, upper: Tensor)
  ) -> Tensor {
    guard isDifferentiated || b.isDifferentiated else { return numbers }
    return customDerivatives(at: [self, b]) { arguments in
      let (a, b) = (arguments[0], arguments[1])
      let x = a.solution(numbers, b, factors)
      let isTall = a.rows >= a.columns
      let (q, r) = differentiatedQR(factors, of: isTall ? a : a.transposed)
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          guard isTall else {
            // A⁺ = Q R⁻ᵀ: b's cotangent is y = R⁻¹ Qᵀ g; A's is R⁻¹ Qᵀ x (g - Q Qᵀ g)ᵀ - y xᵀ.
            let inner = q.matmul(g, transposingA: true)
            let y = r.triangularSolution(inner, .upper)
            guard wanted[0] else { return [nil, y] }
            let multipliers = r.triangularSolution(q.matmul(x, transposingA: true), .upper)
            return [multipliers.outerSum(g - q.matmul(inner)) - y.outerSum(x), y]
          }
          // A⁺ = R⁻¹ Qᵀ: with z = R⁻ᵀ g, b's cotangent is Q z; A's is (b - A x) (R⁻¹ z)ᵀ - Q z xᵀ.
          let z = r.triangularSolution(g, .upper, transposing: true)
          let y = q.matmul(z)
          guard wanted[0] else { return [nil, y] }
          return [(b - a.matmul(x)).outerSum(r.triangularSolution(z, .upper)) - y.outerSum(x), y]
        }
      )
    }[0]
  }

  /// `pseudoInverse` where the matrix is being differentiated.
  func differentiatedPseudoInverse(tolerance: Scalar?) throws -> Tensor {
    let svd = try SingularValueDecomposition(of: withoutDerivative)
    try requireFullRank(svd.rank(tolerance: tolerance))
    let numbers = (svd.right / svd.values).matmul(svd.left, transposingB: true)
    return pseudoInverse(numbers)
  }

  /// The numbers P as the pseudo-inverse of this matrix: its cotangent is
  /// -Pᵀ g Pᵀ + (I - A P) gᵀ P Pᵀ + Pᵀ P gᵀ (I - P A).
  private func pseudoInverse(_ numbers: Tensor) -> Tensor {
    guard isDifferentiated else { return numbers }
    return customDerivative(at: self) { a in
      let p = a.pseudoInverse(numbers)
      return (
        p,
        { g in
          var result = inverseCotangent(p, g)
          if a.rows > a.columns {
            let part = g.transposed.matmul(p).matmul(p, transposingB: true)
            result = result + part - a.matmul(p.matmul(part))
          }
          if a.rows < a.columns {
            let part = p.matmul(p, transposingA: true).matmul(g, transposingB: true)
            result = result + part - part.matmul(p).matmul(a)
          }
          return result
        }
      )
    }
  }
}
