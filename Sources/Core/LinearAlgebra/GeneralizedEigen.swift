public import ComplexModule
public import Tensors

/// A V = B V diag(w) with a symmetric A and a symmetric positive definite B, Vᵀ B V = I and w increasing.
public struct GeneralizedSymmetricEigendecomposition<Scalar: LinearScalar>: Sendable {
  /// w, of shape [n], increasing.
  public let values: Tensor<Scalar>
  /// V, of shape [n, n]: the eigenvectors as columns, orthonormal in the inner product of B.
  public let vectors: Tensor<Scalar>

  /// Decomposes the pencil of two symmetric matrices of shape [n, n] through the Cholesky factor of B.
  ///
  /// Small eigenvalues lose accuracy in proportion to the condition number of B. Derivatives flow as in
  /// ``SymmetricEigendecomposition``, with respect to both matrices.
  /// - Throws: `InvalidArgument` unless both are symmetric, finite and of one shape;
  ///   `DecompositionError.notPositiveDefinite` for B.
  /// - Complexity: O(n³) time; O(n²) memory.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, algorithm 8.7.1.
  public init(of matrix: Tensor<Scalar>, metric: Tensor<Scalar>) throws {
    let a = try matrix.withoutDerivative.validSymmetric()
    guard metric.shape == a.shape else {
      throw InvalidArgument("metric", found: "shape \(metric.shape)", wanted: "shape \(a.shape)")
    }
    _ = try metric.withoutDerivative.validSymmetric("metric")
    let upper = try CholeskyDecomposition(of: metric).upper
    // L⁻¹ A L⁻ᵀ, by two solves with Lᵀ = upper.
    let half = upper.triangularSolution(matrix.isDifferentiated ? matrix : a, .upper, transposing: true)
    let whole = upper.triangularSolution(half.transposed.dense, .upper, transposing: true)
    let eigen = try SymmetricEigendecomposition(of: whole.symmetrized)
    values = eigen.values
    vectors = upper.triangularSolution(eigen.vectors.dense, .upper)
  }
}

/// A v = λ B v of two general square matrices.
///
/// Each eigenvalue is a ratio numerator / denominator; a zero denominator is an infinite eigenvalue, and both zero means
/// that the pencil is singular (every number is an eigenvalue).
public struct GeneralizedEigendecomposition<Scalar: LinearScalar>: Sendable {
  public let numerators: [Complex<Scalar>]
  public let denominators: [Scalar]
  /// The right eigenvectors as columns, of shape [n, n]; in each, the largest |real| + |imaginary| is one.
  public let vectors: ComplexTensor<Scalar>

  /// The ratios; infinite where the denominator is zero.
  public var values: [Complex<Scalar>] {
    zip(numerators, denominators).map { $1 == 0 ? .infinity : Complex($0.real / $1, $0.imaginary / $1) }
  }

  /// Decomposes by the QZ algorithm (LAPACK's ggev).
  ///
  /// - Throws: `InvalidArgument` unless both are square, finite and of one shape; `DecompositionError.notConverged`.
  /// - Complexity: O(n³) time; O(n²) memory.
  /// - Source: Moler and Stewart, SIAM J. Numer. Anal. 10 (1973).
  public init(of matrix: Tensor<Scalar>, metric: Tensor<Scalar>) throws {
    let a = try matrix.validSquare()
    guard metric.shape == a.shape else {
      throw InvalidArgument("metric", found: "shape \(metric.shape)", wanted: "shape \(a.shape)")
    }
    let b = try metric.validSquare("metric")
    let size = a.rows
    var real = [Scalar](repeating: 0, count: size)
    var imaginary = real
    var scales = real
    var packed = Tensor<Scalar>.zeros([size, size])
    var left = a.transposed
    var right = b.transposed
    var info = 0
    if size > 0 {
      left.withUnsafeMutableBuffer { a in
        right.withUnsafeMutableBuffer { b in
          packed.withUnsafeMutableBuffer { v in
            info = Scalar.decomposeGeneralPencil(
              size: size, a.baseAddress!, b.baseAddress!, real: &real, imaginary: &imaginary, scales: &scales,
              vectors: v.baseAddress!)
          }
        }
      }
    }
    guard info == 0 else { throw DecompositionError.notConverged("the generalized eigenvalue iteration") }
    numerators = zip(real, imaginary).map { Complex($0, $1) }
    denominators = scales
    vectors = unpacked(packed, numerators)
  }
}
