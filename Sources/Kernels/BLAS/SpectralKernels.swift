// LAPACK routines around the Schur form, and factorizations of structured matrices, over raw buffers.

/// A scalar with LAPACK's routines for Schur forms, matrix equations and structured systems: `Float` and `Double`.
///
/// The conventions are those of ``FactorizationKernels``: column-major matrices, unchecked arguments, and a return value
/// of zero for success.
public protocol SpectralKernels: FactorizationKernels {
  /// A = Q T Qᵀ with T quasi-triangular: replaces a by T, and q, of order `size`, by Q. Positive when the iteration failed.
  static func decomposeSchur(
    size: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, real: UnsafeMutablePointer<Self>,
    imaginary: UnsafeMutablePointer<Self>, _ q: UnsafeMutablePointer<Self>
  ) -> Int

  /// Moves the eigenvalues whose entry in `selected` is not zero to the top of a Schur form. One when they are too close
  /// to the others to be exchanged.
  static func reorderSchur(
    size: Int, selected: UnsafePointer<Int32>, _ t: UnsafeMutablePointer<Self>, _ q: UnsafeMutablePointer<Self>,
    real: UnsafeMutablePointer<Self>, imaginary: UnsafeMutablePointer<Self>
  ) -> Int

  /// Replaces c, of shape [rows, columns], by x with op(a) x + sign x op(b) = scale c for quasi-triangular a and b, and
  /// returns the scale; `isPerturbed` tells that a and -sign b had nearly common eigenvalues.
  static func solveSylvester(
    transposingA: Bool, transposingB: Bool, sign: Int, rows: Int, columns: Int, _ a: UnsafePointer<Self>, leadingA: Int,
    _ b: UnsafePointer<Self>, leadingB: Int, _ c: UnsafeMutablePointer<Self>, leadingC: Int, isPerturbed: inout Bool
  ) -> Self

  /// A v = λ B v: λ = (real + i imaginary) / scales. Right eigenvectors as in
  /// ``decomposeGeneral(size:_:leading:real:imaginary:vectors:)``. Destroys a and b.
  static func decomposeGeneralPencil(
    size: Int, _ a: UnsafeMutablePointer<Self>, _ b: UnsafeMutablePointer<Self>, real: UnsafeMutablePointer<Self>,
    imaginary: UnsafeMutablePointer<Self>, scales: UnsafeMutablePointer<Self>, vectors: UnsafeMutablePointer<Self>?
  ) -> Int

  /// P A Pᵀ = L D Lᵀ of a symmetric matrix given by its lower triangle, with blocks of one and two rows in D. Positive:
  /// the number, from one, of a block that is exactly zero.
  static func factorSymmetric(size: Int, _ a: UnsafeMutablePointer<Self>, pivots: UnsafeMutablePointer<Int32>) -> Int

  /// Replaces b, of `columns` columns, by the solutions of A x = b, from the factors of A.
  static func solveSymmetric(
    size: Int, columns: Int, _ a: UnsafePointer<Self>, pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Self>)

  /// As ``reciprocalConditionLU(size:_:leading:norm:)``, from the factors of a symmetric matrix.
  static func reciprocalConditionSymmetric(
    size: Int, _ a: UnsafePointer<Self>, pivots: UnsafePointer<Int32>, norm: Self
  ) -> Self

  /// L U of a tridiagonal matrix with row exchanges, in place; `second` receives the second diagonal above.
  static func factorTridiagonal(
    size: Int, lower: UnsafeMutablePointer<Self>, diagonal: UnsafeMutablePointer<Self>,
    upper: UnsafeMutablePointer<Self>, second: UnsafeMutablePointer<Self>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int

  /// Replaces b, of `columns` columns, by the solutions of A x = b, from the factors of A.
  static func solveTridiagonal(
    size: Int, columns: Int, lower: UnsafePointer<Self>, diagonal: UnsafePointer<Self>, upper: UnsafePointer<Self>,
    second: UnsafePointer<Self>, pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Self>)

  /// L U with row exchanges of a band matrix. Column j of a holds column j of the matrix, with the diagonal in row
  /// `below` + `above`; the first `below` rows are room for fill-in. The leading dimension is 2 `below` + `above` + 1.
  static func factorBand(
    size: Int, below: Int, above: Int, _ a: UnsafeMutablePointer<Self>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int

  /// Replaces b, of `columns` columns, by the solutions of A x = b (or Aᵀ x = b), from the factors of A.
  static func solveBand(
    transposing: Bool, size: Int, below: Int, above: Int, columns: Int, _ a: UnsafePointer<Self>,
    pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Self>)

  /// L Lᵀ of a symmetric positive definite band matrix; column j of a holds column j from the diagonal downwards.
  static func factorPositiveBand(size: Int, width: Int, _ a: UnsafeMutablePointer<Self>) -> Int

  /// Replaces b, of `columns` columns, by the solutions of A x = b, from the factor of A.
  static func solvePositiveBand(
    size: Int, width: Int, columns: Int, _ a: UnsafePointer<Self>, _ b: UnsafeMutablePointer<Self>)
}
