public import Tensors

/// A = L Lᵀ of a symmetric positive definite matrix, with a lower triangular L and a positive diagonal.
public struct CholeskyDecomposition<Scalar: LinearScalar>: Sendable {
  private let matrix: Tensor<Scalar>
  /// The numbers of Lᵀ, as constants.
  private let factor: Tensor<Scalar>

  /// Decomposes a symmetric positive definite `matrix`, of shape [n, n].
  ///
  /// The triangles may differ by rounding; the upper one is used. Derivatives flow through everything that is a tensor;
  /// with respect to `matrix` they are symmetric.
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric and finite; `DecompositionError.notPositiveDefinite`.
  /// - Complexity: n³/3 operations; O(n²) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    let numbers = try matrix.withoutDerivative.validSymmetric()
    let size = numbers.rows
    var factor = numbers
    // LAPACK reads the row-major buffer as Aᵀ: its lower triangle is our upper one, and its L our Lᵀ.
    let minor = factor.withUnsafeMutableBuffer { a in
      for i in 0..<size { (a.baseAddress! + i * size).update(repeating: 0, count: i) }
      return size == 0 ? 0 : factorCholesky(a.baseAddress!, size: size)
    }
    guard minor == 0 else { throw DecompositionError.notPositiveDefinite(leadingMinor: minor) }
    self.init(matrix: matrix.isDifferentiated ? matrix : numbers, factor: factor)
  }

  /// The factor of a matrix that is known already.
  private init(matrix: Tensor<Scalar>, factor: Tensor<Scalar>) { (self.matrix, self.factor) = (matrix, factor) }

  /// L, of shape [n, n]: lower triangular, zeros above.
  public var lower: Tensor<Scalar> { upper.transposed }

  /// Lᵀ, of shape [n, n]: upper triangular, zeros below.
  public var upper: Tensor<Scalar> {
    guard matrix.isDifferentiated else { return factor }
    // With Φ halving the diagonal of a lower triangle, A's cotangent is the symmetric part of L⁻ᵀ Φ(Lᵀ g) L⁻¹.
    // Source: Murray, "Differentiation of the Cholesky decomposition", 2016, equation (10).
    return customDerivative(at: matrix) { matrix in
      let upper = CholeskyDecomposition(matrix: matrix, factor: factor).upper
      return (
        upper,
        { g in
          let middle = upper.matmul(g, transposingB: true).keeping(.lower, diagonal: 0.5)
          let half = upper.triangularSolution(middle, .upper)
          return half.dividedFromTheRight(by: upper, .upper).symmetrized
        }
      )
    }
  }

  /// log(det A), without overflow.
  ///
  /// - Precondition: A is not being differentiated; ``logDeterminantTensor`` is for that.
  public var logDeterminant: Scalar {
    matrix.requireConstant(insteadUse: "logDeterminantTensor")
    return 2 * factor.diagonal.log().sum().scalar
  }

  /// log(det A) as a tensor of shape [], through which derivatives flow.
  public var logDeterminantTensor: Tensor<Scalar> {
    guard matrix.isDifferentiated else { return Tensor(logDeterminant) }
    return customDerivative(at: matrix) { matrix in
      let cholesky = CholeskyDecomposition(matrix: matrix, factor: factor)
      return (cholesky.logDeterminantTensor, { g in cholesky.inverse() * g })
    }
  }

  /// - Precondition: as for ``logDeterminant``.
  public var determinant: Scalar { .exp(logDeterminant) }

  /// An estimate of 1 / (‖A‖ ‖A⁻¹‖) in the one-norm: near the precision when solutions are meaningless.
  public var reciprocalCondition: Scalar {
    let size = matrix.rows
    guard size > 0 else { return 1 }
    let norm = matrix.withoutDerivative.oneNorm()
    return factor.withUnsafeBuffer {
      Scalar.reciprocalConditionCholesky(size: size, $0.baseAddress!, leading: size, norm: norm)
    }
  }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try rightSide.requireRightSide(rows: matrix.rows)
    return solution(rightSide)
  }

  /// The same without checks. With y = A⁻¹ g for a cotangent g of x, that of b is y, that of A the symmetric part of
  /// -y xᵀ.
  private func solution(_ b: Tensor<Scalar>) -> Tensor<Scalar> {
    guard matrix.isDifferentiated || b.isDifferentiated else {
      var x = b
      factor.solveTriangular(&x, .upper, transposing: true, unitDiagonal: false)
      factor.solveTriangular(&x, .upper, transposing: false, unitDiagonal: false)
      return x
    }
    return customDerivatives(at: [matrix, b]) { arguments in
      let cholesky = CholeskyDecomposition(matrix: arguments[0], factor: factor)
      let x = cholesky.solution(arguments[1])
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          let y = cholesky.solution(g)
          return [wanted[0] ? -y.outerSum(x).symmetrized : nil, y]
        }
      )
    }[0]
  }

  /// A⁻¹. To apply it, ``solve(_:)`` is faster and more accurate.
  public func inverse() -> Tensor<Scalar> {
    guard matrix.isDifferentiated else {
      var inverse = Tensor<Scalar>.identity(factor.rows)
      factor.solveTriangular(&inverse, .upper, transposing: true, unitDiagonal: false)
      return inverse.multipliedByOwnTranspose(transposing: true)
    }
    return customDerivative(at: matrix) { matrix in
      let inverse = CholeskyDecomposition(matrix: matrix, factor: factor).inverse()
      return (inverse, { g in inverseCotangent(inverse, g).symmetrized })
    }
  }

  /// L Lᵀ.
  public func reconstructed() -> Tensor<Scalar> { upper.multipliedByOwnTranspose(transposing: true) }
}
