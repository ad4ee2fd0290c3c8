// Row-major matrix products over raw buffers: the one place where Apus meets CBLAS.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

/// A scalar with BLAS products: `Float` and `Double`.
///
/// All matrices are row-major; a leading dimension is the distance between two rows, in elements. Arguments are not
/// checked: CBLAS prints a message and returns when they are wrong, so callers check first.
public protocol MatrixKernels: Sendable {
  /// c = alpha op(a) op(b) + beta c, with c of shape [rows, columns] and `inner` terms in every sum.
  static func multiply(
    transposingA: Bool, transposingB: Bool, rows: Int, columns: Int, inner: Int, alpha: Self,
    _ a: UnsafePointer<Self>, leadingA: Int, _ b: UnsafePointer<Self>, leadingB: Int, beta: Self,
    _ c: UnsafeMutablePointer<Self>, leadingC: Int)

  /// y = alpha op(a) x + beta y, with a of shape [rows, columns] as it is stored.
  static func multiplyVector(
    transposing: Bool, rows: Int, columns: Int, alpha: Self, _ a: UnsafePointer<Self>, leadingA: Int,
    _ x: UnsafePointer<Self>, strideX: Int, beta: Self, _ y: UnsafeMutablePointer<Self>, strideY: Int)

  /// The upper triangle of c = alpha a aᵀ + beta c (or aᵀ a when `transposing`), with c of shape [size, size].
  static func multiplyByOwnTranspose(
    transposing: Bool, size: Int, inner: Int, alpha: Self, _ a: UnsafePointer<Self>, leadingA: Int, beta: Self,
    _ c: UnsafeMutablePointer<Self>, leadingC: Int)

  /// Replaces b, of shape [rows, columns], by the solution x of op(a) x = alpha b, or of x op(a) = alpha b when
  /// `right`.
  static func solveTriangular(
    right: Bool, upper: Bool, transposing: Bool, unitDiagonal: Bool, rows: Int, columns: Int, alpha: Self,
    _ a: UnsafePointer<Self>, leadingA: Int, _ b: UnsafeMutablePointer<Self>, leadingB: Int)
}

extension Float: MatrixKernels {
  public static func multiply(
    transposingA: Bool, transposingB: Bool, rows: Int, columns: Int, inner: Int, alpha: Float,
    _ a: UnsafePointer<Float>, leadingA: Int, _ b: UnsafePointer<Float>, leadingB: Int, beta: Float,
    _ c: UnsafeMutablePointer<Float>, leadingC: Int
  ) {
    _ = LibraryThreads.single
    cblas_sgemm(
      CblasRowMajor, transposition(transposingA), transposition(transposingB), Int32(rows), Int32(columns),
      Int32(inner), alpha, a, Int32(leadingA), b, Int32(leadingB), beta, c, Int32(leadingC))
  }

  public static func multiplyVector(
    transposing: Bool, rows: Int, columns: Int, alpha: Float, _ a: UnsafePointer<Float>, leadingA: Int,
    _ x: UnsafePointer<Float>, strideX: Int, beta: Float, _ y: UnsafeMutablePointer<Float>, strideY: Int
  ) {
    _ = LibraryThreads.single
    cblas_sgemv(
      CblasRowMajor, transposition(transposing), Int32(rows), Int32(columns), alpha, a, Int32(leadingA), x,
      Int32(strideX), beta, y, Int32(strideY))
  }

  public static func multiplyByOwnTranspose(
    transposing: Bool, size: Int, inner: Int, alpha: Float, _ a: UnsafePointer<Float>, leadingA: Int, beta: Float,
    _ c: UnsafeMutablePointer<Float>, leadingC: Int
  ) {
    _ = LibraryThreads.single
    cblas_ssyrk(
      CblasRowMajor, CblasUpper, transposition(transposing), Int32(size), Int32(inner), alpha, a, Int32(leadingA),
      beta, c, Int32(leadingC))
  }

  public static func solveTriangular(
    right: Bool, upper: Bool, transposing: Bool, unitDiagonal: Bool, rows: Int, columns: Int, alpha: Float,
    _ a: UnsafePointer<Float>, leadingA: Int, _ b: UnsafeMutablePointer<Float>, leadingB: Int
  ) {
    _ = LibraryThreads.single
    cblas_strsm(
      CblasRowMajor, right ? CblasRight : CblasLeft, upper ? CblasUpper : CblasLower, transposition(transposing),
      unitDiagonal ? CblasUnit : CblasNonUnit, Int32(rows), Int32(columns), alpha, a, Int32(leadingA), b,
      Int32(leadingB))
  }
}

extension Double: MatrixKernels {
  public static func multiply(
    transposingA: Bool, transposingB: Bool, rows: Int, columns: Int, inner: Int, alpha: Double,
    _ a: UnsafePointer<Double>, leadingA: Int, _ b: UnsafePointer<Double>, leadingB: Int, beta: Double,
    _ c: UnsafeMutablePointer<Double>, leadingC: Int
  ) {
    _ = LibraryThreads.single
    cblas_dgemm(
      CblasRowMajor, transposition(transposingA), transposition(transposingB), Int32(rows), Int32(columns),
      Int32(inner), alpha, a, Int32(leadingA), b, Int32(leadingB), beta, c, Int32(leadingC))
  }

  public static func multiplyVector(
    transposing: Bool, rows: Int, columns: Int, alpha: Double, _ a: UnsafePointer<Double>, leadingA: Int,
    _ x: UnsafePointer<Double>, strideX: Int, beta: Double, _ y: UnsafeMutablePointer<Double>, strideY: Int
  ) {
    _ = LibraryThreads.single
    cblas_dgemv(
      CblasRowMajor, transposition(transposing), Int32(rows), Int32(columns), alpha, a, Int32(leadingA), x,
      Int32(strideX), beta, y, Int32(strideY))
  }

  public static func multiplyByOwnTranspose(
    transposing: Bool, size: Int, inner: Int, alpha: Double, _ a: UnsafePointer<Double>, leadingA: Int, beta: Double,
    _ c: UnsafeMutablePointer<Double>, leadingC: Int
  ) {
    _ = LibraryThreads.single
    cblas_dsyrk(
      CblasRowMajor, CblasUpper, transposition(transposing), Int32(size), Int32(inner), alpha, a, Int32(leadingA),
      beta, c, Int32(leadingC))
  }

  public static func solveTriangular(
    right: Bool, upper: Bool, transposing: Bool, unitDiagonal: Bool, rows: Int, columns: Int, alpha: Double,
    _ a: UnsafePointer<Double>, leadingA: Int, _ b: UnsafeMutablePointer<Double>, leadingB: Int
  ) {
    _ = LibraryThreads.single
    cblas_dtrsm(
      CblasRowMajor, right ? CblasRight : CblasLeft, upper ? CblasUpper : CblasLower, transposition(transposing),
      unitDiagonal ? CblasUnit : CblasNonUnit, Int32(rows), Int32(columns), alpha, a, Int32(leadingA), b,
      Int32(leadingB))
  }
}

private func transposition(_ transposing: Bool) -> CBLAS_TRANSPOSE { transposing ? CblasTrans : CblasNoTrans }
