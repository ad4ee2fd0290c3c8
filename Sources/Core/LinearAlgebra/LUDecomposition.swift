public import Tensors

/// P A = L U with row exchanges P, a unit lower triangular (or trapezoidal) L and an upper triangular U.
public struct LUDecomposition<Scalar: LinearScalar>: Sendable {
  private let matrix: Tensor<Scalar>
  /// L and U column by column, that is of shape [n, m].
  private let packed: Tensor<Scalar>
  /// Row i of P A is row `permutation[i]` of A.
  public let permutation: [Int]
  private let isPermutationOdd: Bool
  /// The first row, counted from zero, whose pivot is exactly zero: A is then singular.
  public let zeroPivot: Int?

  /// Decomposes `matrix`, of shape [m, n], with partial pivoting. A singular matrix has a decomposition too.
  ///
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers.
  /// - Complexity: O(m n min(m, n)) time; O(m n) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    self.matrix = try matrix.validMatrix()
    let (m, n) = (matrix.rows, matrix.columns)
    let k = min(m, n)
    var work = self.matrix.transposed
    var pivots = [Int32](repeating: 0, count: k)
    var info = 0
    if k > 0 {
      work.withUnsafeMutableBuffer { a in
        info = factorLU(a.baseAddress!, rows: m, columns: n, pivots: &pivots)
      }
    }
    var order = Array(0..<m)
    var isOdd = false
    for (i, pivot) in pivots.enumerated() where Int(pivot) - 1 != i {
      order.swapAt(i, Int(pivot) - 1)
      isOdd.toggle()
    }
    (packed, permutation, isPermutationOdd, zeroPivot) = (work, order, isOdd, info == 0 ? nil : info - 1)
  }

  /// L, of shape [m, k] with k = min(m, n).
  public var lower: Tensor<Scalar> {
    let (m, k) = (matrix.rows, min(matrix.rows, matrix.columns))
    var lower = packed[0..<k, .all]
    lower.withUnsafeMutableBuffer { buffer in
      for j in 0..<k {
        (buffer.baseAddress! + j * m).update(repeating: 0, count: j)
        buffer[j * m + j] = 1
      }
    }
    return lower.transposed
  }

  /// U, of shape [k, n] with k = min(m, n).
  public var upper: Tensor<Scalar> {
    let (n, k) = (matrix.columns, min(matrix.rows, matrix.columns))
    var upper = packed[.all, 0..<k]
    upper.withUnsafeMutableBuffer { buffer in
      for j in 0..<min(n, k) { (buffer.baseAddress! + j * k + j + 1).update(repeating: 0, count: k - j - 1) }
    }
    return upper.transposed
  }

  /// Pᵀ L U.
  public func reconstructed() -> Tensor<Scalar> {
    let product = lower.matmul(upper)
    var result = product
    for (i, row) in permutation.enumerated() { result[row] = product[i] }
    return result
  }

  /// det A, of a square matrix; it may overflow where ``logDeterminant`` does not.
  public var determinant: Scalar {
    requireSquare()
    let product = packed.diagonal.product().scalar
    return isPermutationOdd ? -product : product
  }

  /// The sign of det A (zero for a singular matrix) and log |det A|, of a square matrix.
  public var logDeterminant: (sign: Scalar, logarithm: Scalar) {
    requireSquare()
    let diagonal = packed.diagonal
    let sign = diagonal.sign().product().scalar
    return (isPermutationOdd ? -sign : sign, diagonal.absolute().log().sum().scalar)
  }

  /// An estimate of 1 / (‖A‖ ‖A⁻¹‖) in the one-norm, of a square matrix: zero when it is singular, near the precision
  /// when solutions are meaningless.
  public var reciprocalCondition: Scalar {
    requireSquare()
    let size = matrix.rows
    guard size > 0 else { return 1 }
    guard zeroPivot == nil else { return 0 }
    let norm = matrix.oneNorm()
    return packed.withUnsafeBuffer {
      Scalar.reciprocalConditionLU(size: size, $0.baseAddress!, leading: size, norm: norm)
    }
  }

  /// x with A x = b, for a square A and b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite;
  ///   `DecompositionError.singular`.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    requireSquare()
    let b = try rightSide.validRightSide(rows: matrix.rows).dense
    if let zeroPivot { throw DecompositionError.singular(pivot: zeroPivot) }
    let width = b.rank == 1 ? 1 : b.columns
    var x = Tensor<Scalar>(uninitializedShape: b.shape) { x in
      b.withUnsafeBuffer { b in
        for (i, row) in permutation.enumerated() {
          (x.baseAddress! + i * width).update(from: b.baseAddress! + row * width, count: width)
        }
      }
    }
    // Read row by row, the packed buffer holds Lᵀ (unit upper) and Uᵀ (lower).
    packed.solveTriangular(&x, .upper, transposing: true, unitDiagonal: true)
    packed.solveTriangular(&x, .lower, transposing: true, unitDiagonal: false)
    return x
  }

  private func requireSquare() {
    precondition(matrix.rows == matrix.columns, "a square matrix was expected, but the shape is \(matrix.shape)")
  }
}

extension Tensor where Scalar: LinearScalar {
  /// x with A x = b, for this square matrix A and b of shape [n] or [n, p], by Gaussian elimination.
  ///
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite; `DecompositionError.singular` for an
  ///   exactly singular matrix. A nearly singular one shows in ``LUDecomposition/reciprocalCondition``.
  public func solve(_ rightSide: Tensor) throws -> Tensor {
    try LUDecomposition(of: validSquare()).solve(rightSide)
  }

  /// A⁻¹ of this square matrix. To apply it, ``solve(_:)`` is faster and more accurate.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite; `DecompositionError.singular`.
  public func inverse() throws -> Tensor {
    var result = try validSquare()
    let size = rows
    guard size > 0 else { return result }
    // The inverse of the transpose is the transpose of the inverse: LAPACK may read the buffer as Aᵀ.
    let info = result.withUnsafeMutableBuffer { a in
      var pivots = [Int32](repeating: 0, count: size)
      let info = factorLU(a.baseAddress!, rows: size, columns: size, pivots: &pivots)
      return info != 0 ? info : Scalar.invertLU(size: size, a.baseAddress!, leading: size, pivots: pivots)
    }
    guard info == 0 else { throw DecompositionError.singular(pivot: info - 1) }
    return result
  }

  /// The determinant of this square matrix; one for an empty matrix.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite.
  public func determinant() throws -> Scalar { try LUDecomposition(of: validSquare()).determinant }

  /// The sign of the determinant (zero for a singular matrix) and log |det A| (then minus infinity).
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite.
  public func logDeterminant() throws -> (sign: Scalar, logarithm: Scalar) {
    try LUDecomposition(of: validSquare()).logDeterminant
  }
}
