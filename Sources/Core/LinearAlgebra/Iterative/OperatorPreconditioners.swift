// Preconditioners made of products and of other solvers.

public import Tensors

/// A polynomial in A that is near A⁻¹ on an interval of eigenvalues: steps of the Chebyshev iteration from zero.
///
/// It needs products alone, no inner products, and no triangle to solve one row after another. Symmetric positive
/// definite when A is and its eigenvalues do not exceed the interval.
/// - Source: Saad, "Iterative methods for sparse linear systems", 2003, algorithm 12.1.
public struct ChebyshevPreconditioner<Scalar: LinearScalar>: LinearOperator {
  private let matrix: any LinearOperator<Scalar>
  private let interval: ClosedRange<Scalar>
  private let degree: Int
  public var shape: [Int] { matrix.shape }

  /// - Parameters:
  ///   - eigenvalues: an interval of positive numbers that holds the eigenvalues to be damped; as a smoother, the upper
  ///     part of the spectrum.
  ///   - degree: how many products one application takes.
  /// - Throws: `InvalidArgument` for an operator that is not square or settings out of range.
  public init(
    of matrix: some LinearOperator<Scalar>, eigenvalues interval: ClosedRange<Scalar>, degree: Int = 4
  ) throws {
    _ = try matrix.squareSize()
    guard interval.lowerBound > 0, interval.lowerBound < interval.upperBound, interval.upperBound.isFinite else {
      throw InvalidArgument("eigenvalues", found: "\(interval)", wanted: "an interval of positive numbers")
    }
    guard degree >= 1 else { throw InvalidArgument("degree", found: "\(degree)", wanted: "at least 1") }
    (self.matrix, self.interval, self.degree) = (matrix, interval, degree)
  }

  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> { try iterate(x) { try matrix.apply($0) } }
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try iterate(y) { try matrix.applyTransposed($0) }
  }

  private func iterate(
    _ rightSide: Tensor<Scalar>, _ product: (Tensor<Scalar>) throws -> Tensor<Scalar>
  ) throws -> Tensor<Scalar> {
    let center = (interval.upperBound + interval.lowerBound) / 2
    let radius = (interval.upperBound - interval.lowerBound) / 2
    var ratio = radius / center
    let factor = 2 * center / radius
    var step = rightSide / center
    var x = step
    var residual = rightSide
    for _ in 1..<max(degree + 1, 2) {
      residual -= try product(step)
      let next = 1 / (factor - ratio)
      step.scale(next * ratio, adding: residual * (2 * next / radius))
      ratio = next
      x += step
    }
    return x
  }
}

/// Smoothing, a correction from a coarse space, smoothing again: one cycle of two grids.
///
/// Errors that the smoother leaves are removed in the span of the prolongation P, by solving with Pᵀ A P. With a coarse
/// solver that is such a cycle itself, this is a V-cycle.
/// - Source: Briggs, Henson and McCormick, "A multigrid tutorial", 2000, chapter 3.
public struct TwoGridPreconditioner<Scalar: LinearScalar>: LinearOperator {
  private let matrix: SparseMatrix<Scalar>
  private let prolongation: SparseMatrix<Scalar>
  private let restriction: SparseMatrix<Scalar>
  private let sweeps: RelaxationSweeps<Scalar>
  private let count: Int
  private let coarseSolver: any LinearOperator<Scalar>
  public var shape: [Int] { matrix.shape }

  /// - Parameters:
  ///   - matrix: A, symmetric positive definite, of shape [n, n].
  ///   - prolongation: P, of shape [n, coarse], with independent columns.
  ///   - sweeps: Gauss–Seidel sweeps before (forwards) and after (backwards) the correction.
  ///   - coarseSolver: what stands for (Pᵀ A P)⁻¹, given that matrix.
  /// - Throws: `InvalidArgument` for shapes that do not fit, a matrix that is not finite or a coarse solver of another
  ///   shape; `DecompositionError.singular` for a zero on the diagonal; what `coarseSolver` throws.
  public init(
    of matrix: SparseMatrix<Scalar>, prolongation: SparseMatrix<Scalar>, sweeps: Int = 1,
    coarseSolver: (SparseMatrix<Scalar>) throws -> any LinearOperator<Scalar>
  ) throws {
    guard sweeps >= 1 else { throw InvalidArgument("sweeps", found: "\(sweeps)", wanted: "at least 1") }
    guard prolongation.rows == matrix.rows else {
      throw InvalidArgument(
        "prolongation", found: "shape \(prolongation.shape)", wanted: "\(matrix.rows) rows, as the matrix has")
    }
    self.sweeps = try RelaxationSweeps(matrix, relaxation: 1)
    self.matrix = self.sweeps.matrix
    count = sweeps
    self.prolongation = prolongation.stored(by: .rows)
    restriction = prolongation.transposed.stored(by: .rows)
    let coarse = try restriction.matmul(self.matrix.matmul(self.prolongation))
    self.coarseSolver = try coarseSolver(coarse)
    guard self.coarseSolver.shape == coarse.shape else {
      throw InvalidArgument(
        "coarseSolver", found: "shape \(self.coarseSolver.shape)", wanted: "shape \(coarse.shape)")
    }
  }

  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    var result = Tensor<Scalar>.zeros(x.shape)
    for _ in 0..<count { sweeps.sweep(&result, x, backward: false) }
    let rest = x - matrix.matmul(result)
    result += prolongation.matmul(try coarseSolver.apply(restriction.matmul(rest)))
    for _ in 0..<count { sweeps.sweep(&result, x, backward: true) }
    return result
  }
  /// Symmetric, as A is.
  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> { try apply(y) }
}
