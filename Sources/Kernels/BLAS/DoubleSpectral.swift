// LAPACK's double-precision routines around the Schur form and for structured matrices.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

extension Double: SpectralKernels {
  public static func decomposeSchur(
    size: Int, _ a: UnsafeMutablePointer<Double>, leading: Int, real: UnsafeMutablePointer<Double>,
    imaginary: UnsafeMutablePointer<Double>, _ q: UnsafeMutablePointer<Double>
  ) -> Int {
    _ = LibraryThreads.single
    var job = letter("V")
    var order = letter("N")
    var n = Int32(size)
    var lda = Int32(leading)
    var ldq = Int32(size)
    var selected: Int32 = 0
    var unused: Int32 = 0
    var info: Int32 = 0
    withWorkspace(of: Double.self) { work, count in
      dgees_(&job, &order, nil, &n, a, &lda, &selected, real, imaginary, q, &ldq, work, count, &unused, &info, 1, 1)
    }
    return Int(info)
  }

  public static func reorderSchur(
    size: Int, selected: UnsafePointer<Int32>, _ t: UnsafeMutablePointer<Double>, _ q: UnsafeMutablePointer<Double>,
    real: UnsafeMutablePointer<Double>, imaginary: UnsafeMutablePointer<Double>
  ) -> Int {
    _ = LibraryThreads.single
    var job = letter("N")
    var vectors = letter("V")
    var n = Int32(size)
    var ldt = Int32(size)
    var ldq = Int32(size)
    var count: Int32 = 0
    var condition: Double = 0
    var separation: Double = 0
    var info: Int32 = 0
    let selected = UnsafeMutablePointer(mutating: selected)
    withWorkspaces(of: Double.self) { work, size, integers, integerSize in
      dtrsen_(
        &job, &vectors, selected, &n, t, &ldt, q, &ldq, real, imaginary, &count, &condition, &separation, work, size,
        integers, integerSize, &info, 1, 1)
    }
    return Int(info)
  }

  public static func solveSylvester(
    transposingA: Bool, transposingB: Bool, sign: Int, rows: Int, columns: Int, _ a: UnsafePointer<Double>,
    leadingA: Int, _ b: UnsafePointer<Double>, leadingB: Int, _ c: UnsafeMutablePointer<Double>, leadingC: Int,
    isPerturbed: inout Bool
  ) -> Double {
    _ = LibraryThreads.single
    var first = letter(transposingA ? "T" : "N")
    var second = letter(transposingB ? "T" : "N")
    var sign = Int32(sign)
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leadingA)
    var ldb = Int32(leadingB)
    var ldc = Int32(leadingC)
    var scale: Double = 1
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    let b = UnsafeMutablePointer(mutating: b)
    dtrsyl_(&first, &second, &sign, &m, &n, a, &lda, b, &ldb, c, &ldc, &scale, &info, 1, 1)
    if info != 0 { isPerturbed = true }
    return scale
  }

  public static func decomposeGeneralPencil(
    size: Int, _ a: UnsafeMutablePointer<Double>, _ b: UnsafeMutablePointer<Double>, real: UnsafeMutablePointer<Double>,
    imaginary: UnsafeMutablePointer<Double>, scales: UnsafeMutablePointer<Double>,
    vectors: UnsafeMutablePointer<Double>?
  ) -> Int {
    _ = LibraryThreads.single
    var left = letter("N")
    var right = letter(vectors == nil ? "N" : "V")
    var n = Int32(size)
    var lda = Int32(size)
    var ldb = Int32(size)
    var ldl: Int32 = 1
    var ldr = Int32(vectors == nil ? 1 : max(size, 1))
    var unused: Double = 0
    var info: Int32 = 0
    withUnsafeMutablePointer(to: &unused) { unused in
      withWorkspace(of: Double.self) { work, count in
        dggev_(
          &left, &right, &n, a, &lda, b, &ldb, real, imaginary, scales, unused, &ldl, vectors ?? unused, &ldr, work,
          count,
          &info, 1, 1)
      }
    }
    return Int(info)
  }

  public static func factorSymmetric(
    size: Int, _ a: UnsafeMutablePointer<Double>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(size)
    var info: Int32 = 0
    withWorkspace(of: Double.self) { work, count in dsytrf_(&triangle, &n, a, &lda, pivots, work, count, &info, 1) }
    return Int(info)
  }

  public static func solveSymmetric(
    size: Int, columns: Int, _ a: UnsafePointer<Double>, pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Double>
  ) {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(size)
    var ldb = Int32(size)
    var width = Int32(columns)
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    let pivots = UnsafeMutablePointer(mutating: pivots)
    dsytrs_(&triangle, &n, &width, a, &lda, pivots, b, &ldb, &info, 1)
  }

  public static func reciprocalConditionSymmetric(
    size: Int, _ a: UnsafePointer<Double>, pivots: UnsafePointer<Int32>, norm: Double
  ) -> Double {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(size)
    var norm = norm
    var result: Double = 0
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    let pivots = UnsafeMutablePointer(mutating: pivots)
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: size) { integers in
        dsycon_(&triangle, &n, a, &lda, pivots, &norm, &result, work.baseAddress!, integers.baseAddress!, &info, 1)
      }
    }
    return result
  }

  public static func factorTridiagonal(
    size: Int, lower: UnsafeMutablePointer<Double>, diagonal: UnsafeMutablePointer<Double>,
    upper: UnsafeMutablePointer<Double>, second: UnsafeMutablePointer<Double>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var n = Int32(size)
    var info: Int32 = 0
    dgttrf_(&n, lower, diagonal, upper, second, pivots, &info)
    return Int(info)
  }

  public static func solveTridiagonal(
    size: Int, columns: Int, lower: UnsafePointer<Double>, diagonal: UnsafePointer<Double>,
    upper: UnsafePointer<Double>, second: UnsafePointer<Double>, pivots: UnsafePointer<Int32>,
    _ b: UnsafeMutablePointer<Double>
  ) {
    _ = LibraryThreads.single
    var transposition = letter("N")
    var n = Int32(size)
    var ldb = Int32(size)
    var width = Int32(columns)
    var info: Int32 = 0
    dgttrs_(
      &transposition, &n, &width, UnsafeMutablePointer(mutating: lower), UnsafeMutablePointer(mutating: diagonal),
      UnsafeMutablePointer(mutating: upper), UnsafeMutablePointer(mutating: second),
      UnsafeMutablePointer(mutating: pivots), b, &ldb, &info, 1)
  }

  public static func factorBand(
    size: Int, below: Int, above: Int, _ a: UnsafeMutablePointer<Double>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var n = Int32(size)
    var m = Int32(size)
    var kl = Int32(below)
    var ku = Int32(above)
    var lda = Int32(2 * below + above + 1)
    var info: Int32 = 0
    dgbtrf_(&m, &n, &kl, &ku, a, &lda, pivots, &info)
    return Int(info)
  }

  public static func solveBand(
    transposing: Bool, size: Int, below: Int, above: Int, columns: Int, _ a: UnsafePointer<Double>,
    pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Double>
  ) {
    _ = LibraryThreads.single
    var transposition = letter(transposing ? "T" : "N")
    var n = Int32(size)
    var ldb = Int32(size)
    var kl = Int32(below)
    var ku = Int32(above)
    var width = Int32(columns)
    var lda = Int32(2 * below + above + 1)
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    let pivots = UnsafeMutablePointer(mutating: pivots)
    dgbtrs_(&transposition, &n, &kl, &ku, &width, a, &lda, pivots, b, &ldb, &info, 1)
  }

  public static func factorPositiveBand(size: Int, width: Int, _ a: UnsafeMutablePointer<Double>) -> Int {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var kd = Int32(width)
    var lda = Int32(width + 1)
    var info: Int32 = 0
    dpbtrf_(&triangle, &n, &kd, a, &lda, &info, 1)
    return Int(info)
  }

  public static func solvePositiveBand(
    size: Int, width: Int, columns: Int, _ a: UnsafePointer<Double>, _ b: UnsafeMutablePointer<Double>
  ) {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var ldb = Int32(size)
    var kd = Int32(width)
    var count = Int32(columns)
    var lda = Int32(width + 1)
    var info: Int32 = 0
    dpbtrs_(&triangle, &n, &kd, &count, UnsafeMutablePointer(mutating: a), &lda, b, &ldb, &info, 1)
  }
}
