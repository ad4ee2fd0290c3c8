// Jacobi, Gauss–Seidel and over-relaxation: as solvers, and as the smoothers of better ones.

import CVectorKernels
public import Tensors

/// The inverses of a diagonal without zeros.
private func inverseDiagonal<Scalar: LinearScalar>(_ matrix: SparseMatrix<Scalar>) throws -> Tensor<Scalar> {
  let diagonal = matrix.diagonal
  if let zero = diagonal.scalars.firstIndex(of: 0) { throw DecompositionError.singular(pivot: zero) }
  return diagonal.reciprocal()
}

/// Sweeps of successive over-relaxation over a sparse matrix: each unknown in turn is corrected by a multiple of what
/// its equation lacks.
struct RelaxationSweeps<Scalar: LinearScalar>: Sendable {
  let matrix: SparseMatrix<Scalar>
  let inverse: Tensor<Scalar>
  let relaxation: Double

  init(_ matrix: SparseMatrix<Scalar>, relaxation: Double) throws {
    guard relaxation > 0 && relaxation < 2 else {
      throw InvalidArgument("relaxation", found: "\(relaxation)", wanted: "above 0, below 2")
    }
    self.matrix = try matrix.validSquare()
    self.relaxation = relaxation
    inverse = try inverseDiagonal(self.matrix)
  }

  /// One sweep over x, of shape [n] or [n, p], towards A x = b.
  func sweep(_ x: inout Tensor<Scalar>, _ rightSide: Tensor<Scalar>, backward: Bool) {
    precondition(
      (1...2).contains(x.rank) && x.shape[0] == matrix.rows && rightSide.shape == x.shape,
      "a sweep of \(matrix.rows) rows over shape \(x.shape), with a right side of shape \(rightSide.shape)")
    let width = x.rank == 1 ? 1 : x.columns
    x.withUnsafeMutableBuffer { x in
      rightSide.withUnsafeBuffer { b in
        inverse.withUnsafeBuffer { inverse in
          matrix.withKernels { kernels, view in
            kernels.sweep(
              view, inverse.baseAddress!, relaxation, backward, b.baseAddress!, x.baseAddress!, width)
          }
        }
      }
    }
  }
}

/// The classical iterations x ← x + N⁻¹ (b - A x), where N is a part of A that is easy to invert.
///
/// They converge for symmetric positive definite matrices (Jacobi: if 2 D - A is so, too) and for strictly diagonally
/// dominant ones; elsewhere they may diverge, which shows in the result.
///
/// - Source: Young, "Iterative solution of large linear systems", 1971.
public struct StationaryIteration: Sendable, Hashable {
  public enum Splitting: Sendable, Hashable {
    /// N is the diagonal, divided by a damping factor.
    case jacobi(damping: Double = 1)
    /// N is the lower triangle.
    case gaussSeidel
    /// Successive over-relaxation: N is the lower triangle with its diagonal divided by `relaxation`, between 0 and 2.
    case overRelaxation(_ relaxation: Double)
    /// A sweep forwards, then one backwards.
    case symmetricOverRelaxation(_ relaxation: Double = 1)
  }

  public var splitting: Splitting
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance = 1e-10
  public var iterationLimit = 10_000

  public init(_ splitting: Splitting = .gaussSeidel, tolerance: Double = 1e-10, iterationLimit: Int = 10_000) {
    (self.splitting, self.tolerance, self.iterationLimit) = (splitting, tolerance, iterationLimit)
  }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// An iteration that diverges ends when its residual has grown by 1e8, with stop `stagnation`.
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, or a factor out of range;
  ///   `DecompositionError.singular` for a zero on the diagonal; `CancellationError`.
  public func solve<Scalar: LinearScalar>(
    _ matrix: SparseMatrix<Scalar>, _ rightSide: Tensor<Scalar>, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Scalar> {
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    let relaxation =
      switch splitting {
      case .jacobi(let factor), .overRelaxation(let factor), .symmetricOverRelaxation(let factor): factor
      case .gaussSeidel: 1.0
      }
    let sweeps = try RelaxationSweeps(matrix, relaxation: relaxation)
    let system = try LinearSystem(sweeps.matrix, rightSide, preconditioner: nil, severalRightSides: true)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var x = try system.start(guess)
    var residual = try system.trueResidual(x)
    let first = system.relativeNorms(residual)
    if try system.isSolved(first, &convergence) { return try system.solution(x, convergence, .converged) }
    let factors = (sweeps.inverse * Scalar(relaxation)).expanded(axis: 1)
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "relaxation")
      switch splitting {
      case .jacobi: x += residual * factors
      case .gaussSeidel, .overRelaxation: sweeps.sweep(&x, system.rightSide, backward: false)
      case .symmetricOverRelaxation:
        sweeps.sweep(&x, system.rightSide, backward: false)
        sweeps.sweep(&x, system.rightSide, backward: true)
      }
      residual = try system.trueResidual(x)
      let size = system.relativeNorm(residual)
      guard convergence.continues(residual: size) else {
        return try system.solution(x, convergence, convergence.stop(Scalar.self))
      }
      if size > 1e8 * max(1, first.max() ?? 0) { return try system.solution(x, convergence, .stagnation) }
    }
  }
}

/// Division by the diagonal.
public struct JacobiPreconditioner<Scalar: LinearScalar>: LinearOperator, Sendable {
  private let inverse: Tensor<Scalar>
  public var shape: [Int] { [inverse.count, inverse.count] }

  /// - Throws: `InvalidArgument` for a matrix that is not square and finite; `DecompositionError.singular` for a zero on
  ///   its diagonal.
  public init(of matrix: SparseMatrix<Scalar>) throws { inverse = try inverseDiagonal(matrix.validSquare()) }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> { x * (x.rank == 1 ? inverse : inverse.expanded(axis: 1)) }
  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> { apply(y) }
}

/// Symmetric sweeps of over-relaxation, forwards then backwards, from zero.
///
/// Symmetric positive definite when A is. With relaxation 1 this is the symmetric Gauss–Seidel preconditioner.
public struct RelaxationPreconditioner<Scalar: LinearScalar>: LinearOperator, Sendable {
  private let sweeps: RelaxationSweeps<Scalar>
  private let transposedSweeps: RelaxationSweeps<Scalar>
  private let count: Int
  public var shape: [Int] { sweeps.matrix.shape }

  /// - Parameter sweeps: how many pairs of sweeps one application takes.
  /// - Throws: `InvalidArgument` for a matrix that is not square and finite or settings out of range;
  ///   `DecompositionError.singular` for a zero on its diagonal.
  public init(of matrix: SparseMatrix<Scalar>, relaxation: Double = 1, sweeps: Int = 1) throws {
    guard sweeps >= 1 else { throw InvalidArgument("sweeps", found: "\(sweeps)", wanted: "at least 1") }
    self.sweeps = try RelaxationSweeps(matrix, relaxation: relaxation)
    transposedSweeps = try RelaxationSweeps(matrix.transposed, relaxation: relaxation)
    count = sweeps
  }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> { applied(sweeps, x) }
  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> { applied(transposedSweeps, y) }

  private func applied(_ sweeps: RelaxationSweeps<Scalar>, _ rightSide: Tensor<Scalar>) -> Tensor<Scalar> {
    var x = Tensor<Scalar>.zeros(rightSide.shape)
    for _ in 0..<count {
      sweeps.sweep(&x, rightSide, backward: false)
      sweeps.sweep(&x, rightSide, backward: true)
    }
    return x
  }
}
