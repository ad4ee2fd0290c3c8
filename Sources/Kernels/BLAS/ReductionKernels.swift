// Reductions to tridiagonal and bidiagonal form, and the decompositions of those: what the symmetric eigenvalue problem
// and the singular value decomposition consist of, for callers who spread the rest over threads.

/// A scalar with the parts of LAPACK's spectral decompositions: `Float` and `Double`.
///
/// Matrices are column-major, and arguments are not checked, as in ``FactorizationKernels``.
public protocol ReductionKernels: Sendable {
  /// A = Q T Qᵀ of a symmetric matrix given by its lower triangle. Below the first subdiagonal of a are the vectors of
  /// Q's reflections, whose scales go to `scales`; T's diagonal and subdiagonal to the other two.
  static func reduceToTridiagonal(
    size: Int, _ a: UnsafeMutablePointer<Self>, diagonal: UnsafeMutablePointer<Self>,
    below: UnsafeMutablePointer<Self>, scales: UnsafeMutablePointer<Self>)

  /// Replaces a tridiagonal matrix's diagonal by its eigenvalues, increasing, with vectors in the columns of `vectors`.
  /// Returns zero, or a positive number when the iteration failed.
  static func decomposeTridiagonal(
    size: Int, diagonal: UnsafeMutablePointer<Self>, below: UnsafeMutablePointer<Self>,
    vectors: UnsafeMutablePointer<Self>
  ) -> Int

  /// A = Q B Pᵀ with B upper bidiagonal where rows >= columns, lower otherwise. The vectors of Q's reflections are in the
  /// columns of a, below B; those of P in its rows, beyond B.
  static func reduceToBidiagonal(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Self>, diagonal: UnsafeMutablePointer<Self>,
    beside: UnsafeMutablePointer<Self>, leftScales: UnsafeMutablePointer<Self>,
    rightScales: UnsafeMutablePointer<Self>)

  /// B = U diag(s) Vᵀ: replaces B's diagonal by its singular values, decreasing; U is of shape [size, size] with leading
  /// dimension `leadingU`, Vᵀ of shape [size, size]. Returns zero, or a positive number when the iteration failed.
  static func decomposeBidiagonal(
    isUpper: Bool, size: Int, diagonal: UnsafeMutablePointer<Self>, beside: UnsafeMutablePointer<Self>,
    u: UnsafeMutablePointer<Self>, leadingU: Int, transposedV: UnsafeMutablePointer<Self>
  ) -> Int
}
