// Factors that keep to the places of the matrix: exact where there is no fill, and preconditioners elsewhere.
//
// Source: Meijerink and van der Vorst, "An iterative solution method for linear systems of which the coefficient matrix
// is a symmetric M-matrix", Math. Comp. 31 (1977); Saad, "Iterative methods for sparse linear systems", 2003, chapter 10.

import CVectorKernels
public import Tensors

/// A ≈ L Lᵀ, where L has entries only where the lower triangle of A has: IC(0).
///
/// It exists for M-matrices, such as Laplacians, and for matrices near to them; others need a shift of the diagonal.
public struct IncompleteCholesky<Scalar: LinearScalar>: LinearOperator, Sendable {
  /// L, by rows.
  public let lower: SparseMatrix<Scalar>
  public var shape: [Int] { lower.shape }

  /// Factors a symmetric positive definite matrix; its lower triangle is used.
  ///
  /// - Parameter shift: the diagonal is multiplied by 1 + shift first, which makes a factor exist where it is large
  ///   enough, and a worse preconditioner where it is larger.
  /// - Throws: `InvalidArgument` for a matrix that is not square and finite or a negative shift;
  ///   `DecompositionError.notPositiveDefinite` where a pivot is missing or not positive: try a shift, 1e-3 and up.
  public init(of matrix: SparseMatrix<Scalar>, shift: Scalar = 0) throws {
    guard shift >= 0 else { throw InvalidArgument("shift", found: "\(shift)", wanted: "at least 0") }
    let a = try matrix.validSquare()
    var triangle = a.triangle(.lower)
    if shift > 0 { triangle = triangle + SparseMatrix(diagonal: a.diagonal * shift) }
    var values = triangle.values
    let failed = triangle.withKernels { kernels, view in
      values.withUnsafeMutableBuffer {
        kernels.incomplete_cholesky(a.rows, view.pointee.starts, view.pointee.indices, $0.baseAddress!)
      }
    }
    guard failed < 0 else { throw DecompositionError.notPositiveDefinite(leadingMinor: failed + 1) }
    lower = triangle.withValues(values)
  }

  /// (L Lᵀ)⁻¹ x.
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try lower.substituted(lower.substituted(x, .lower), .lower, transposing: true)
  }
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> { try apply(y) }
}

/// A ≈ L U, where both have entries only where A has: ILU(0), without pivoting.
public struct IncompleteLU<Scalar: LinearScalar>: LinearOperator, Sendable {
  /// The strict lower triangle of L, whose diagonal is one, and U, in one matrix by rows.
  public let factors: SparseMatrix<Scalar>
  public var shape: [Int] { factors.shape }

  /// Factors a square matrix.
  ///
  /// - Throws: `InvalidArgument` for a matrix that is not square and finite; `DecompositionError.singular` where a pivot
  ///   is missing or zero.
  public init(of matrix: SparseMatrix<Scalar>) throws {
    let a = try matrix.validSquare()
    var values = a.values
    let failed = a.withKernels { kernels, view in
      values.withUnsafeMutableBuffer { values in
        var marker = [Int32](repeating: -1, count: max(a.columns, 1))
        return kernels.incomplete_lu(
          a.rows, view.pointee.starts, view.pointee.indices, values.baseAddress!, &marker)
      }
    }
    guard failed < 0 else { throw DecompositionError.singular(pivot: failed) }
    factors = a.withValues(values)
  }

  /// (L U)⁻¹ x.
  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try factors.substituted(factors.substituted(x, .lower, unitDiagonal: true), .upper)
  }
  /// (L U)⁻ᵀ y.
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let between = try factors.substituted(y, .upper, transposing: true)
    return try factors.substituted(between, .lower, transposing: true, unitDiagonal: true)
  }
}
