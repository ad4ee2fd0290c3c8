public import Tensors

/// A = L Lᵀ of a symmetric positive definite matrix, with a lower triangular L and a positive diagonal.
public struct CholeskyDecomposition<Scalar: LinearScalar>: Sendable {
  private let matrix: Tensor<Scalar>
  /// Lᵀ, of shape [n, n]: upper triangular, zeros below.
  public let upper: Tensor<Scalar>
  /// L, of shape [n, n]: lower triangular, zeros above.
  public var lower: Tensor<Scalar> { upper.transposed }

  /// Decomposes a symmetric positive definite `matrix`, of shape [n, n].
  ///
  /// The triangles may differ by rounding; the upper one is used.
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric and finite; `DecompositionError.notPositiveDefinite`.
  /// - Complexity: n³/3 operations; O(n²) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    self.matrix = try matrix.validSymmetric()
    let size = matrix.rows
    var factor = self.matrix
    // LAPACK reads the row-major buffer as Aᵀ: its lower triangle is our upper one, and its L our Lᵀ.
    let minor = factor.withUnsafeMutableBuffer { a in
      for i in 0..<size { (a.baseAddress! + i * size).update(repeating: 0, count: i) }
      return size == 0 ? 0 : factorCholesky(a.baseAddress!, size: size)
    }
    guard minor == 0 else { throw DecompositionError.notPositiveDefinite(leadingMinor: minor) }
    upper = factor
  }

  /// log(det A), without overflow.
  public var logDeterminant: Scalar { 2 * upper.diagonal.log().sum().scalar }

  public var determinant: Scalar { .exp(logDeterminant) }

  /// An estimate of 1 / (‖A‖ ‖A⁻¹‖) in the one-norm: near the precision when solutions are meaningless.
  public var reciprocalCondition: Scalar {
    let size = matrix.rows
    guard size > 0 else { return 1 }
    let norm = matrix.oneNorm()
    return upper.withUnsafeBuffer {
      Scalar.reciprocalConditionCholesky(size: size, $0.baseAddress!, leading: size, norm: norm)
    }
  }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    var x = try rightSide.validRightSide(rows: upper.rows)
    upper.solveTriangular(&x, .upper, transposing: true, unitDiagonal: false)
    upper.solveTriangular(&x, .upper, transposing: false, unitDiagonal: false)
    return x
  }

  /// A⁻¹. To apply it, ``solve(_:)`` is faster and more accurate.
  public func inverse() -> Tensor<Scalar> {
    var inverse = Tensor<Scalar>.identity(upper.rows)
    upper.solveTriangular(&inverse, .upper, transposing: true, unitDiagonal: false)
    return inverse.multipliedByOwnTranspose(transposing: true)
  }

  /// L Lᵀ.
  public func reconstructed() -> Tensor<Scalar> { upper.multipliedByOwnTranspose(transposing: true) }
}
