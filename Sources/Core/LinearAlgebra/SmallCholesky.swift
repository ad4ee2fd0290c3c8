/// A = L Lᵀ of a small symmetric positive definite matrix in memory of the caller's.
///
/// For loops that factor thousands of matrices of a few rows: no checks of the input, no memory, no calls of LAPACK.
/// ``CholeskyDecomposition`` is for everything else.
public enum SmallCholesky {
  /// Replaces the lower triangle of a row-major matrix by L; what is above the diagonal is neither read nor written.
  ///
  /// - Parameters:
  ///   - stride: from one row to the next.
  ///   - tolerance: what a pivot must exceed, as a share of its diagonal entry.
  /// - Returns: whether the matrix is positive definite; if not, the triangle is half done.
  /// - Complexity: size³ / 6 multiplications.
  public static func factor(
    _ a: UnsafeMutablePointer<Double>, size: Int, stride: Int, tolerance: Double = 1e-15
  ) -> Bool {
    for i in 0..<size {
      let row = a + i * stride
      let diagonal = row[i]
      for j in 0...i {
        let other = a + j * stride
        var sum = row[j]
        for k in 0..<j { sum -= row[k] * other[k] }
        if i == j {
          guard sum > tolerance * diagonal else { return false }
          row[i] = sum.squareRoot()
        } else {
          row[j] = sum / other[j]
        }
      }
    }
    return true
  }

  /// x ← (L Lᵀ)⁻¹ x.
  ///
  /// - Complexity: size² multiplications.
  public static func solve(
    _ factor: UnsafePointer<Double>, size: Int, stride: Int, _ x: UnsafeMutablePointer<Double>
  ) {
    for i in 0..<size {
      let row = factor + i * stride
      var sum = x[i]
      for k in 0..<i { sum -= row[k] * x[k] }
      x[i] = sum / row[i]
    }
    for i in (0..<size).reversed() {
      let row = factor + i * stride
      x[i] /= row[i]
      for k in 0..<i { x[k] -= row[k] * x[i] }
    }
  }
}
