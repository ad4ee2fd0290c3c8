// LAPACK's double-precision routines. The trailing ones are the lengths of the letters, which Fortran passes last.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

extension Double: FactorizationKernels {
  public static func factorLU(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var info: Int32 = 0
    dgetrf_(&m, &n, a, &lda, pivots, &info)
    return Int(info)
  }

  public static func exchangeRows(
    columns: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, count: Int, pivots: UnsafePointer<Int32>
  ) {
    _ = LibraryThreads.single
    var n = Int32(columns)
    var lda = Int32(leading)
    var first: Int32 = 1
    var last = Int32(count)
    var step: Int32 = 1
    dlaswp_(&n, a, &lda, &first, &last, UnsafeMutablePointer(mutating: pivots), &step)
  }

  public static func invertLU(
    size: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, pivots: UnsafePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var n = Int32(size)
    var lda = Int32(leading)
    var info: Int32 = 0
    let pivots = UnsafeMutablePointer(mutating: pivots)
    withWorkspace(of: Double.self) { work, count in dgetri_(&n, a, &lda, pivots, work, count, &info) }
    return Int(info)
  }

  public static func reciprocalConditionLU(
    size: Int, _ a: UnsafePointer<Double>, leading: Int, norm: Double
  ) -> Double {
    _ = LibraryThreads.single
    var kind = letter("1")
    var n = Int32(size)
    var lda = Int32(leading)
    var norm = norm
    var result = 0.0
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: size) { integers in
        dgecon_(&kind, &n, a, &lda, &norm, &result, work.baseAddress!, integers.baseAddress!, &info, 1)
      }
    }
    return result
  }

  public static func factorCholesky(size: Int, _ a: UnsafeMutablePointer<Double>, leading: Int) -> Int {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(leading)
    var info: Int32 = 0
    dpotrf_(&triangle, &n, a, &lda, &info, 1)
    return Int(info)
  }

  public static func reciprocalConditionCholesky(
    size: Int, _ a: UnsafePointer<Double>, leading: Int, norm: Double
  ) -> Double {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(leading)
    var norm = norm
    var result = 0.0
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 3 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: size) { integers in
        dpocon_(&triangle, &n, a, &lda, &norm, &result, work.baseAddress!, integers.baseAddress!, &info, 1)
      }
    }
    return result
  }

  public static func factorQR(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, scales: UnsafeMutablePointer<Double>
  ) {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var info: Int32 = 0
    withWorkspace(of: Double.self) { work, count in dgeqrf_(&m, &n, a, &lda, scales, work, count, &info) }
  }

  public static func factorPivotedQR(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, pivots: UnsafeMutablePointer<Int32>,
    scales: UnsafeMutablePointer<Double>
  ) {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var info: Int32 = 0
    pivots.update(repeating: 0, count: columns)  // zero: every column may move
    withWorkspace(of: Double.self) { work, count in dgeqp3_(&m, &n, a, &lda, pivots, scales, work, count, &info) }
  }

  public static func formReflectorTriangle(
    rows: Int, count: Int, _ vectors: UnsafePointer<Double>, leading: Int, scales: UnsafePointer<Double>,
    _ triangle: UnsafeMutablePointer<Double>, leadingT: Int
  ) {
    _ = LibraryThreads.single
    var direction = letter("F")
    var storage = letter("C")
    var n = Int32(rows)
    var k = Int32(count)
    var ldv = Int32(leading)
    var ldt = Int32(leadingT)
    let vectors = UnsafeMutablePointer(mutating: vectors)
    let scales = UnsafeMutablePointer(mutating: scales)
    dlarft_(&direction, &storage, &n, &k, vectors, &ldv, scales, triangle, &ldt, 1, 1)
  }

  public static func decomposeSingular(
    vectors: SingularVectors, rows: Int, columns: Int, _ a: UnsafeMutablePointer<Double>, leading: Int,
    values: UnsafeMutablePointer<Double>, u: UnsafeMutablePointer<Double>, leadingU: Int,
    v: UnsafeMutablePointer<Double>, leadingV: Int
  ) -> Int {
    _ = LibraryThreads.single
    var job = vectors.job
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var ldu = Int32(leadingU)
    var ldv = Int32(leadingV)
    var info: Int32 = 0
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: 8 * min(rows, columns)) { integers in
      withWorkspace(of: Double.self) { work, count in
        dgesdd_(
          &job, &m, &n, a, &lda, values, u, &ldu, v, &ldv, work, count, integers.baseAddress!, &info, 1)
      }
    }
    return Int(info)
  }

  public static func decomposeSymmetric(
    vectors: Bool, size: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, values: UnsafeMutablePointer<Double>
  ) -> Int {
    _ = LibraryThreads.single
    var job = letter(vectors ? "V" : "N")
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(leading)
    var info: Int32 = 0
    withWorkspaces(of: Double.self) { work, count, integers, integerCount in
      dsyevd_(&job, &triangle, &n, a, &lda, values, work, count, integers, integerCount, &info, 1, 1)
    }
    return Int(info)
  }

  public static func decomposeGeneral(
    size: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, real: UnsafeMutablePointer<Double>,
    imaginary: UnsafeMutablePointer<Double>, vectors: UnsafeMutablePointer<Double>?
  ) -> Int {
    _ = LibraryThreads.single
    var left = letter("N")
    var right = letter(vectors == nil ? "N" : "V")
    var n = Int32(size)
    var lda = Int32(leading)
    var ldl: Int32 = 1
    var ldr = Int32(vectors == nil ? 1 : max(size, 1))
    var unused = 0.0
    var info: Int32 = 0
    withUnsafeMutablePointer(to: &unused) { unused in
      withWorkspace(of: Double.self) { work, count in
        dgeev_(
          &left, &right, &n, a, &lda, real, imaginary, unused, &ldl, vectors ?? unused, &ldr, work, count, &info, 1, 1)
      }
    }
    return Int(info)
  }
}
