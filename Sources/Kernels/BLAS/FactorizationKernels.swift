// Matrix factorizations over raw buffers: the one place where Apus meets LAPACK.
//
// LAPACK's Fortran symbols are called directly; LAPACKE would transpose every row-major argument and search it for NaN.

/// A scalar with LAPACK's factorizations: `Float` and `Double`.
///
/// Matrices are column-major here, as LAPACK reads them: a row-major buffer holds the transpose. A leading dimension is
/// the distance between two columns, at least one and at least the number of rows. Arguments are not checked: LAPACK
/// prints a message and returns when they are wrong, so callers check first.
public protocol FactorizationKernels: MatrixKernels {
  /// P A = L U with row exchanges: row i was exchanged with row `pivots[i]` - 1, in increasing order of i.
  /// Returns the number, from one, of the first pivot that is exactly zero, or zero.
  static func factorLU(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, pivots: UnsafeMutablePointer<Int32>
  ) -> Int

  /// Exchanges rows as ``factorLU(rows:columns:_:leading:pivots:)`` did, for `count` pivots.
  static func exchangeRows(
    columns: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, count: Int, pivots: UnsafePointer<Int32>)

  /// Replaces the factors of ``factorLU(rows:columns:_:leading:pivots:)`` by the inverse.
  static func invertLU(
    size: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, pivots: UnsafePointer<Int32>
  ) -> Int

  /// An estimate of 1 / (norm(A) norm(inverse of A)), in the one-norm, from the factors of A and its norm.
  static func reciprocalConditionLU(
    size: Int, _ a: UnsafePointer<Self>, leading: Int, norm: Self
  ) -> Self

  /// A = L Lᵀ from and into the lower triangle. Returns the order of the first leading minor that is not positive, or
  /// 0.
  static func factorCholesky(size: Int, _ a: UnsafeMutablePointer<Self>, leading: Int) -> Int

  /// As ``reciprocalConditionLU(size:_:leading:norm:)``, from the Cholesky factor in the lower triangle.
  static func reciprocalConditionCholesky(
    size: Int, _ a: UnsafePointer<Self>, leading: Int, norm: Self
  ) -> Self

  /// A = Q R: R in the upper triangle, below it the Householder vectors, whose scales go to `scales`.
  static func factorQR(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, scales: UnsafeMutablePointer<Self>)

  /// A P = Q R with the diagonal of R decreasing in magnitude; column j of A P is column `pivots[j]` - 1 of A.
  static func factorPivotedQR(
    rows: Int, columns: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, pivots: UnsafeMutablePointer<Int32>,
    scales: UnsafeMutablePointer<Self>)

  /// The upper triangle T of the product of `count` reflections, I - V T Vᵀ, for V of shape [rows, count] with ones on
  /// its diagonal. The ones, and the zeros above them, are not read.
  static func formReflectorTriangle(
    rows: Int, count: Int, _ vectors: UnsafePointer<Self>, leading: Int, scales: UnsafePointer<Self>,
    _ triangle: UnsafeMutablePointer<Self>, leadingT: Int)

  /// The singular values of a, decreasing, with singular vectors as `vectors` says: the left ones are the columns of u,
  /// the right ones the rows of v. Destroys a. Returns zero, or a positive number when the iteration failed.
  static func decomposeSingular(
    vectors: SingularVectors, rows: Int, columns: Int, _ a: UnsafeMutablePointer<Self>, leading: Int,
    values: UnsafeMutablePointer<Self>, u: UnsafeMutablePointer<Self>, leadingU: Int, v: UnsafeMutablePointer<Self>,
    leadingV: Int
  ) -> Int

  /// The eigenvalues of a symmetric matrix given by its lower triangle, increasing; with `vectors`, a is replaced by
  /// the eigenvectors, as columns. Returns zero, or a positive number when the iteration failed.
  static func decomposeSymmetric(
    vectors: Bool, size: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, values: UnsafeMutablePointer<Self>
  ) -> Int

  /// The eigenvalues of a general matrix, and its right eigenvectors unless `vectors` is nil. A complex pair has its
  /// real part in one column and its imaginary part in the next. Destroys a. Returns zero, or a positive number when
  /// the iteration failed.
  static func decomposeGeneral(
    size: Int, _ a: UnsafeMutablePointer<Self>, leading: Int, real: UnsafeMutablePointer<Self>,
    imaginary: UnsafeMutablePointer<Self>, vectors: UnsafeMutablePointer<Self>?
  ) -> Int
}

/// Which singular vectors a decomposition computes: none, one for each singular value, or complete bases.
public enum SingularVectors: Sendable, Hashable { case none, thin, full }

/// A letter as Fortran takes it.
func letter(_ character: Unicode.Scalar) -> CChar { CChar(character.value) }

/// Asks a routine for the size of its workspace, by a size of -1, and calls it again with one.
func withWorkspace<Scalar: BinaryFloatingPoint>(
  of: Scalar.Type, _ call: (UnsafeMutablePointer<Scalar>, UnsafeMutablePointer<Int32>) -> Void
) {
  var answer: Scalar = 0
  var size: Int32 = -1
  call(&answer, &size)
  // A size beyond the precision of the scalar may have been rounded down.
  var count = Int32(answer.nextUp.rounded(.up))
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: max(Int(count), 1)) { call($0.baseAddress!, &count) }
}

/// The same for routines that want integers too.
func withWorkspaces<Scalar: BinaryFloatingPoint>(
  of: Scalar.Type,
  _ call: (
    UnsafeMutablePointer<Scalar>, UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>, UnsafeMutablePointer<Int32>
  ) -> Void
) {
  var answer: Scalar = 0
  var size: Int32 = -1
  var integers: Int32 = 0
  var integerSize: Int32 = -1
  call(&answer, &size, &integers, &integerSize)
  var count = Int32(answer.nextUp.rounded(.up))
  var integerCount = max(integers, 1)
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: max(Int(count), 1)) { work in
    withUnsafeTemporaryAllocation(of: Int32.self, capacity: Int(integerCount)) { integers in
      call(work.baseAddress!, &count, integers.baseAddress!, &integerCount)
    }
  }
}

extension SingularVectors {
  var job: CChar {
    switch self {
    case .none: letter("N")
    case .thin: letter("S")
    case .full: letter("A")
    }
  }
}
