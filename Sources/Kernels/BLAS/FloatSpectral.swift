// LAPACK's single-precision routines around the Schur form and for structured matrices.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

extension Float: SpectralKernels {
  public static func decomposeSchur(
    size: Int, _ a: UnsafeMutablePointer<Float>, leading: Int, real: UnsafeMutablePointer<Float>,
    imaginary: UnsafeMutablePointer<Float>, _ q: UnsafeMutablePointer<Float>
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
    withWorkspace(of: Float.self) { work, count in
      sgees_(&job, &order, nil, &n, a, &lda, &selected, real, imaginary, q, &ldq, work, count, &unused, &info, 1, 1)
    }
    return Int(info)
  }

  public static func reorderSchur(
    size: Int, selected: UnsafePointer<Int32>, _ t: UnsafeMutablePointer<Float>, _ q: UnsafeMutablePointer<Float>,
    real: UnsafeMutablePointer<Float>, imaginary: UnsafeMutablePointer<Float>
  ) -> Int {
    _ = LibraryThreads.single
    var job = letter("N")
    var vectors = letter("V")
    var n = Int32(size)
    var ldt = Int32(size)
    var ldq = Int32(size)
    var count: Int32 = 0
    var condition: Float = 0
    var separation: Float = 0
    var info: Int32 = 0
    let selected = UnsafeMutablePointer(mutating: selected)
    withWorkspaces(of: Float.self) { work, size, integers, integerSize in
      strsen_(
        &job, &vectors, selected, &n, t, &ldt, q, &ldq, real, imaginary, &count, &condition, &separation, work, size,
        integers, integerSize, &info, 1, 1)
    }
    return Int(info)
  }

  public static func solveSylvester(
    transposingA: Bool, transposingB: Bool, sign: Int, rows: Int, columns: Int, _ a: UnsafePointer<Float>,
    leadingA: Int, _ b: UnsafePointer<Float>, leadingB: Int, _ c: UnsafeMutablePointer<Float>, leadingC: Int,
    isPerturbed: inout Bool
  ) -> Float {
    _ = LibraryThreads.single
    var first = letter(transposingA ? "T" : "N")
    var second = letter(transposingB ? "T" : "N")
    var sign = Int32(sign)
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(leadingA)
    var ldb = Int32(leadingB)
    var ldc = Int32(leadingC)
    var scale: Float = 1
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    let b = UnsafeMutablePointer(mutating: b)
    strsyl_(&first, &second, &sign, &m, &n, a, &lda, b, &ldb, c, &ldc, &scale, &info, 1, 1)
    if info != 0 { isPerturbed = true }
    return scale
  }

  public static func decomposeGeneralPencil(
    size: Int, _ a: UnsafeMutablePointer<Float>, _ b: UnsafeMutablePointer<Float>, real: UnsafeMutablePointer<Float>,
    imaginary: UnsafeMutablePointer<Float>, scales: UnsafeMutablePointer<Float>,
    vectors: UnsafeMutablePointer<Float>?
  ) -> Int {
    _ = LibraryThreads.single
    var left = letter("N")
    var right = letter(vectors == nil ? "N" : "V")
    var n = Int32(size)
    var lda = Int32(size)
    var ldb = Int32(size)
    var ldl: Int32 = 1
    var ldr = Int32(vectors == nil ? 1 : max(size, 1))
    var unused: Float = 0
    var info: Int32 = 0
    withUnsafeMutablePointer(to: &unused) { unused in
      withWorkspace(of: Float.self) { work, count in
        sggev_(
          &left, &right, &n, a, &lda, b, &ldb, real, imaginary, scales, unused, &ldl, vectors ?? unused, &ldr, work,
          count,
          &info, 1, 1)
      }
    }
    return Int(info)
  }

  public static func factorSymmetric(
    size: Int, _ a: UnsafeMutablePointer<Float>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(size)
    var info: Int32 = 0
    withWorkspace(of: Float.self) { work, count in ssytrf_(&triangle, &n, a, &lda, pivots, work, count, &info, 1) }
    return Int(info)
  }

  public static func solveSymmetric(
    size: Int, columns: Int, _ a: UnsafePointer<Float>, pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Float>
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
    ssytrs_(&triangle, &n, &width, a, &lda, pivots, b, &ldb, &info, 1)
  }

  public static func reciprocalConditionSymmetric(
    size: Int, _ a: UnsafePointer<Float>, pivots: UnsafePointer<Int32>, norm: Float
  ) -> Float {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(size)
    var norm = norm
    var result: Float = 0
    var info: Int32 = 0
    let a = UnsafeMutablePointer(mutating: a)
    let pivots = UnsafeMutablePointer(mutating: pivots)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: size) { integers in
        ssycon_(&triangle, &n, a, &lda, pivots, &norm, &result, work.baseAddress!, integers.baseAddress!, &info, 1)
      }
    }
    return result
  }

  public static func factorTridiagonal(
    size: Int, lower: UnsafeMutablePointer<Float>, diagonal: UnsafeMutablePointer<Float>,
    upper: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var n = Int32(size)
    var info: Int32 = 0
    sgttrf_(&n, lower, diagonal, upper, second, pivots, &info)
    return Int(info)
  }

  public static func solveTridiagonal(
    size: Int, columns: Int, lower: UnsafePointer<Float>, diagonal: UnsafePointer<Float>,
    upper: UnsafePointer<Float>, second: UnsafePointer<Float>, pivots: UnsafePointer<Int32>,
    _ b: UnsafeMutablePointer<Float>
  ) {
    _ = LibraryThreads.single
    var transposition = letter("N")
    var n = Int32(size)
    var ldb = Int32(size)
    var width = Int32(columns)
    var info: Int32 = 0
    sgttrs_(
      &transposition, &n, &width, UnsafeMutablePointer(mutating: lower), UnsafeMutablePointer(mutating: diagonal),
      UnsafeMutablePointer(mutating: upper), UnsafeMutablePointer(mutating: second),
      UnsafeMutablePointer(mutating: pivots), b, &ldb, &info, 1)
  }

  public static func factorBand(
    size: Int, below: Int, above: Int, _ a: UnsafeMutablePointer<Float>, pivots: UnsafeMutablePointer<Int32>
  ) -> Int {
    _ = LibraryThreads.single
    var n = Int32(size)
    var m = Int32(size)
    var kl = Int32(below)
    var ku = Int32(above)
    var lda = Int32(2 * below + above + 1)
    var info: Int32 = 0
    sgbtrf_(&m, &n, &kl, &ku, a, &lda, pivots, &info)
    return Int(info)
  }

  public static func solveBand(
    transposing: Bool, size: Int, below: Int, above: Int, columns: Int, _ a: UnsafePointer<Float>,
    pivots: UnsafePointer<Int32>, _ b: UnsafeMutablePointer<Float>
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
    sgbtrs_(&transposition, &n, &kl, &ku, &width, a, &lda, pivots, b, &ldb, &info, 1)
  }

  public static func factorPositiveBand(size: Int, width: Int, _ a: UnsafeMutablePointer<Float>) -> Int {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var kd = Int32(width)
    var lda = Int32(width + 1)
    var info: Int32 = 0
    spbtrf_(&triangle, &n, &kd, a, &lda, &info, 1)
    return Int(info)
  }

  public static func solvePositiveBand(
    size: Int, width: Int, columns: Int, _ a: UnsafePointer<Float>, _ b: UnsafeMutablePointer<Float>
  ) {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var ldb = Int32(size)
    var kd = Int32(width)
    var count = Int32(columns)
    var lda = Int32(width + 1)
    var info: Int32 = 0
    spbtrs_(&triangle, &n, &kd, &count, UnsafeMutablePointer(mutating: a), &lda, b, &ldb, &info, 1)
  }
}
