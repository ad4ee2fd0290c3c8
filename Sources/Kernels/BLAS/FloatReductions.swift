// LAPACK's single-precision reductions. The trailing ones are the lengths of the letters, which Fortran passes last.

#if canImport(Accelerate)
  import Accelerate
#else
  import COpenBLAS
#endif

extension Float: ReductionKernels {
  public static func reduceToTridiagonal(
    size: Int, _ a: UnsafeMutablePointer<Float>, diagonal: UnsafeMutablePointer<Float>,
    below: UnsafeMutablePointer<Float>, scales: UnsafeMutablePointer<Float>
  ) {
    _ = LibraryThreads.single
    var triangle = letter("L")
    var n = Int32(size)
    var lda = Int32(size)
    var info: Int32 = 0
    withWorkspace(of: Float.self) { work, count in
      ssytrd_(&triangle, &n, a, &lda, diagonal, below, scales, work, count, &info, 1)
    }
  }

  public static func decomposeTridiagonal(
    size: Int, diagonal: UnsafeMutablePointer<Float>, below: UnsafeMutablePointer<Float>,
    vectors: UnsafeMutablePointer<Float>
  ) -> Int {
    _ = LibraryThreads.single
    var job = letter("I")
    var n = Int32(size)
    var ldz = Int32(size)
    var info: Int32 = 0
    withWorkspaces(of: Float.self) { work, count, integers, integerCount in
      sstedc_(&job, &n, diagonal, below, vectors, &ldz, work, count, integers, integerCount, &info, 1)
    }
    return Int(info)
  }

  public static func reduceToBidiagonal(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Float>, diagonal: UnsafeMutablePointer<Float>,
    beside: UnsafeMutablePointer<Float>, leftScales: UnsafeMutablePointer<Float>,
    rightScales: UnsafeMutablePointer<Float>
  ) {
    _ = LibraryThreads.single
    var m = Int32(rows)
    var n = Int32(columns)
    var lda = Int32(rows)
    var info: Int32 = 0
    withWorkspace(of: Float.self) { work, count in
      sgebrd_(&m, &n, a, &lda, diagonal, beside, leftScales, rightScales, work, count, &info)
    }
  }

  public static func decomposeBidiagonal(
    isUpper: Bool, size: Int, diagonal: UnsafeMutablePointer<Float>, beside: UnsafeMutablePointer<Float>,
    u: UnsafeMutablePointer<Float>, leadingU: Int, transposedV: UnsafeMutablePointer<Float>
  ) -> Int {
    _ = LibraryThreads.single
    var triangle = letter(isUpper ? "U" : "L")
    var job = letter("I")
    var n = Int32(size)
    var ldu = Int32(leadingU)
    var ldv = Int32(size)
    var info: Int32 = 0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * size * size + 4 * size) { work in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: 8 * size) { integers in
        sbdsdc_(
          &triangle, &job, &n, diagonal, beside, u, &ldu, transposedV, &ldv, nil, nil, work.baseAddress!,
          integers.baseAddress!, &info, 1, 1)
      }
    }
    return Int(info)
  }
}
