// LAPACK's single-precision routines. The trailing ones are the lengths of the letters, which Fortran passes last.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

extension Float: FactorizationKernels {
  public static func factorLU(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var info: Int32 = 0
    sgetrf_(&m, &n, a, &lda, pivots, &info)
    return Int(info)
  }

  public static func exchangeRows(
    columns: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, count: Int, pivots: UnsafePointer<Int32>
  ) {
    _ = LibraryThreads.single
    var n = Int32(columns)
    var lda = Int32(leading)
    var first: Int32 = 1
    var last = Int32(count)
    var step: Int32 = 1
    slaswp_(&n, a, &lda, &first, &last, UnsafeMutablePointer(mutating: pivots), &step)
  }

  public static func invertLU(
    size: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, pivots: UnsafePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var n = Int32(size)
    var lda = Int32(leading)
    var info: Int32 = 0
    let pivots = UnsafeMutablePointer(mutating: pivots)
    withWorkspace(of: Float.self) { work, count in sgetri_(&n, a, &lda, pivots, work, count, &info) }
    return Int(info)
  }

  public static func reciprocalConditionLU(
    size: Int, _ a: UnsafePointer<Float>, leading: Int, norm: Float
  ) -> Float {
    _ = LibraryThreads.single
    var kind = letter("1")
    var n = Int32(size)
    var lda = Int32(leading)
    var norm = norm
    var result: Float = 0
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 4 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: size) { integers in
        sgecon_(&kind, &n, a, &lda, &norm, &result, work.baseAddress!, integers.baseAddress!, &info, 1)
      }
    }
    return result
  }

  public static func factorCholesky(size: Int, _ a: UnsafeMutablePointer<Float>, leading: Int) -> Int {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(leading)
    var info: Int32 = 0
    spotrf_(&triangle, &n, a, &lda, &info, 1)
    return Int(info)
  }

  public static func reciprocalConditionCholesky(
    size: Int, _ a: UnsafePointer<Float>, leading: Int, norm: Float
  ) -> Float {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(leading)
    var norm = norm
    var result: Float = 0
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: size) { integers in
        spocon_(&triangle, &n, a, &lda, &norm, &result, work.baseAddress!, integers.baseAddress!, &info, 1)
      }
    }
    return result
  }

  public static func factorQR(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, scales: UnsafeMutablePointer<Float>
  ) {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var info: Int32 = 0
    withWorkspace(of: Float.self) { work, count in sgeqrf_(&m, &n, a, &lda, scales, work, count, &info) }
  }

  public static func factorPivotedQR(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, pivots: UnsafeMutablePointer<Int32>,
    scales: UnsafeMutablePointer<Float>
  ) {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leading)
    var info: Int32 = 0
    pivots.update(repeating: 0, count: columns)  // zero: every column may move
    withWorkspace(of: Float.self) { work, count in sgeqp3_(&m, &n, a, &lda, pivots, scales, work, count, &info) }
  }

  public static func formReflectorTriangle(
    rows: Int, count: Int, _ vectors: UnsafePointer<Float>, leading: Int, scales: UnsafePointer<Float>,
    _ triangle: UnsafeMutablePointer<Float>, leadingT: Int
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
    slarft_(&direction, &storage, &n, &k, vectors, &ldv, scales, triangle, &ldt, 1, 1)
  }

  public static func decomposeSingular(
    vectors: SingularVectors, rows: Int, columns: Int, _ a: UnsafeMutablePointer<Float>, leading: Int,
    values: UnsafeMutablePointer<Float>, u: UnsafeMutablePointer<Float>, leadingU: Int,
    v: UnsafeMutablePointer<Float>, leadingV: Int
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
      withWorkspace(of: Float.self) { work, count in
        sgesdd_(
          &job, &m, &n, a, &lda, values, u, &ldu, v, &ldv, work, count, integers.baseAddress!, &info, 1)
      }
    }
    return Int(info)
  }

  public static func decomposeSymmetric(
    vectors: Bool, size: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, values: UnsafeMutablePointer<Float>
  ) -> Int {
    _ = LibraryThreads.single
    var job = letter(vectors ? "V" : "N")
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(leading)
    var info: Int32 = 0
    withWorkspaces(of: Float.self) { work, count, integers, integerCount in
      ssyevd_(&job, &triangle, &n, a, &lda, values, work, count, integers, integerCount, &info, 1, 1)
    }
    return Int(info)
  }

  public static func decomposeGeneral(
    size: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, real: UnsafeMutablePointer<Float>,
    imaginary: UnsafeMutablePointer<Float>, vectors: UnsafeMutablePointer<Float>?
  ) -> Int {
    _ = LibraryThreads.single
    var left = letter("N")
    var right = letter(vectors == nil ? "N" : "V")
    var n = Int32(size)
    var lda = Int32(leading)
    var ldl: Int32 = 1
    var ldr = Int32(vectors == nil ? 1 : max(size, 1))
    var unused: Float = 0
    var info: Int32 = 0
    withUnsafeMutablePointer(to: &unused) { unused in
      withWorkspace(of: Float.self) { work, count in
        sgeev_(
          &left, &right, &n, a, &lda, real, imaginary, unused, &ldl, vectors ?? unused, &ldr, work, count, &info, 1, 1)
      }
    }
    return Int(info)
  }
}
