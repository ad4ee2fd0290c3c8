public import Tensors

/// A = Rᵀ R of a symmetric positive definite matrix that changes by one vector at a time.
public struct UpdatableCholesky<Scalar: LinearScalar>: Sendable {
  /// R, of shape [n, n], upper triangular with a positive diagonal.
  public private(set) var upper: Tensor<Scalar>

  /// - Precondition: the matrix is not being differentiated.
  public init(_ decomposition: CholeskyDecomposition<Scalar>) {
    upper = decomposition.upper
    upper.requireConstant()
  }

  /// - Throws: as ``CholeskyDecomposition``.
  public init(of matrix: Tensor<Scalar>) throws { self.init(try CholeskyDecomposition(of: matrix)) }

  /// Makes it the factor of A + x xᵀ, for x of shape [n].
  ///
  /// - Throws: `InvalidArgument` for an x of another shape or with numbers that are not finite.
  /// - Complexity: 3 n² operations; backward stable.
  /// - Source: Gill, Golub, Murray and Saunders, "Methods for modifying matrix factorizations", Math. Comp. 28 (1974).
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public mutating func update(_ x: Tensor<Scalar>) throws {
    let size = upper.rows
    try x.requireShape([size], "x")
    guard size > 0 else { return }
    var x = x.dense
    upper.withUnsafeMutableBuffer { r in
      x.withUnsafeMutableBuffer { x in
        let (r, x) = (r.baseAddress!, x.baseAddress!)
        for k in 0..<size {
          let row = r + k * size
          let (c, s, length) = rotation(row[k], x[k])
          row[k] = length
          rotateRows(row + k + 1, x + k + 1, count: size - k - 1, cosine: c, sine: s)
        }
      }
    }
  }

  /// Makes it the factor of A - x xᵀ, for x of shape [n]; on an error it stays as it is.
  ///
  /// Errors grow as A - x xᵀ nears a singular matrix.
  /// - Throws: `InvalidArgument`; `DecompositionError.notPositiveDefinite`, with the first leading block that is not.
  /// - Complexity: 4 n² operations.
  /// - Source: the method of LINPACK's chdd; Stewart, "The effects of rounding error on an algorithm for downdating a
  ///   Cholesky factorization", J. Inst. Math. Appl. 23 (1979).
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public mutating func downdate(_ x: Tensor<Scalar>) throws {
    let size = upper.rows
    try x.requireShape([size], "x")
    guard size > 0 else { return }
    var p = x.dense
    upper.solveTriangular(&p, .upper, transposing: true, unitDiagonal: false)
    var rest: Scalar = 1
    for (k, value) in p.scalars.enumerated() {
      rest -= value * value
      guard rest > 0 else { throw DecompositionError.notPositiveDefinite(leadingMinor: k + 1) }
    }
    var length = Scalar.sqrt(rest)
    var work = Tensor<Scalar>.zeros([size])
    upper.withUnsafeMutableBuffer { r in
      p.withUnsafeBuffer { p in
        work.withUnsafeMutableBuffer { work in
          let (r, work) = (r.baseAddress!, work.baseAddress!)
          for k in stride(from: size - 1, through: 0, by: -1) {
            // (work, row) ← (c work + s row, c row - s work).
            let (c, s, next) = rotation(length, p[k])
            length = next
            rotateRows(work + k, r + k * size + k, count: size - k, cosine: c, sine: s)
          }
        }
      }
    }
  }

  /// log(det A), without overflow.
  public var logDeterminant: Scalar { 2 * upper.diagonal.log().sum().scalar }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    var x = try rightSide.validRightSide(rows: upper.rows).dense
    upper.solveTriangular(&x, .upper, transposing: true, unitDiagonal: false)
    upper.solveTriangular(&x, .upper, transposing: false, unitDiagonal: false)
    return x
  }

  /// Rᵀ R.
  public func reconstructed() -> Tensor<Scalar> { upper.multipliedByOwnTranspose(transposing: true) }
}
