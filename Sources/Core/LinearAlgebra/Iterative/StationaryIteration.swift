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
    try requireRelaxation(relaxation)
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

  /// In which order a sweep takes the unknowns.
  public enum Ordering: String, Sendable, Hashable, Codable {
    /// By their numbers: one thread.
    case natural
    /// All unknowns of one colour after those of another, where no two of a colour are coupled: on several threads, with
    /// the same result on any number of them. Grids with couplings between nearest neighbours have two colours, red and
    /// black, and keep their rates of convergence.
    case colored
  }

  public var splitting: Splitting
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance = 1e-10
  public var iterationLimit = 10_000
  /// Of Gauss–Seidel and successive over-relaxation.
  public var ordering = Ordering.natural

  public init(
    _ splitting: Splitting = .gaussSeidel, tolerance: Double = 1e-10, iterationLimit: Int = 10_000,
    ordering: Ordering = .natural
  ) {
    (self.splitting, self.tolerance, self.iterationLimit) = (splitting, tolerance, iterationLimit)
    self.ordering = ordering
  }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// An iteration ends with stop `diverged` when its residual has grown by 1e8.
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, a factor out of range, or an
  ///   ordering that the splitting does not have; `DecompositionError.singular` for a zero on the diagonal;
  ///   `CancellationError`.
  /// - Complexity: of over-relaxation with one right side, one pass over the matrix an iteration, the residual included;
  ///   half a pass of a symmetric one in natural order.
  public func solve<Scalar: LinearScalar>(
    _ matrix: SparseMatrix<Scalar>, _ rightSide: Tensor<Scalar>, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Scalar> {
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    let sweeps = try RelaxationSweeps(matrix, relaxation: factor)
    let system = try LinearSystem(sweeps.matrix, rightSide, preconditioner: nil, severalRightSides: true)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var verification = Verification(tolerance: tolerance)
    var x = try system.start(guess).copied()
    var residual = try system.trueResidual(x).copied()
    let first = system.relativeNorms(residual)
    if try system.isSolved(first, &convergence) { return try system.solution(x, convergence, .converged) }
    let bound = 1e8 * max(1, first.max() ?? 0)
    let iteration = try iteration(sweeps, system)
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "relaxation")
      iteration.step(&x, &residual)
      if !iteration.updatesResidual { residual = try system.trueResidual(x) }
      var size = system.relativeNorm(residual)
      // What a recurrence believes is compared with what is true.
      let isVerified = iteration.updatesResidual && verification.isDue(size)
      if isVerified {
        residual = try system.trueResidual(x)
        size = system.relativeNorm(residual)
      }
      guard convergence.continues(residual: size) else {
        return try system.solution(x, convergence, size.isFinite ? convergence.stop(Scalar.self) : .diverged)
      }
      if size > bound { return try system.solution(x, convergence, .diverged) }
      if isVerified && !verification.allowsAnother(size) { return try system.solution(x, convergence, .stagnation) }
    }
  }

  private var factor: Double {
    switch splitting {
    case .jacobi(let factor), .overRelaxation(let factor), .symmetricOverRelaxation(let factor): factor
    case .gaussSeidel: 1
    }
  }

  /// What an iteration does to x and, if it `updatesResidual`, to b - A x.
  private struct Iteration<Scalar: LinearScalar> {
    var updatesResidual = false
    let step: (inout Tensor<Scalar>, inout Tensor<Scalar>) -> Void
  }

  private func iteration<Scalar: LinearScalar>(
    _ sweeps: RelaxationSweeps<Scalar>, _ system: LinearSystem<Scalar>
  ) throws -> Iteration<Scalar> {
    let b = system.rightSide
    switch splitting {
    case .jacobi, .symmetricOverRelaxation:
      guard ordering == .natural else {
        throw InvalidArgument(
          "ordering", found: "\(ordering) of \(splitting)", wanted: "natural, but for Gauss–Seidel and over-relaxation")
      }
      if case .jacobi(let factor) = splitting {
        let factors = (sweeps.inverse * Scalar(factor)).expanded(axis: 1)
        return Iteration { x, residual in x += residual * factors }
      }
      return Iteration { x, _ in
        sweeps.sweep(&x, b, backward: false)
        sweeps.sweep(&x, b, backward: true)
      }
    case .gaussSeidel, .overRelaxation:
      if ordering == .colored {
        guard system.width == 1 else {
          throw InvalidArgument("rightSide", found: "\(system.width) columns", wanted: "one, in coloured order")
        }
        let sweep = try ColoredRelaxationSweep(sweeps.matrix, relaxation: factor)
        return Iteration(updatesResidual: true) { x, residual in sweep.sweep(&x, b, &residual) }
      }
      guard system.width == 1 else { return Iteration { x, _ in sweeps.sweep(&x, b, backward: false) } }
      let sweep = try RelaxationSweep(valid: sweeps.matrix, relaxation: factor)
      var steps = Tensor<Scalar>.zeros(b.shape)
      return Iteration(updatesResidual: true) { x, residual in
        sweep.sweep(solution: &x, residual: &residual, steps: &steps)
      }
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

/// Symmetric sweeps of over-relaxation, forwards then backwards, from zero: one pair of them is
/// ω (2 - ω) (D + ω U)⁻¹ D (D + ω L)⁻¹ of A = L + D + U, known as SSOR.
///
/// Symmetric positive definite when A is. With relaxation 1 this is the symmetric Gauss–Seidel preconditioner.
/// - Complexity: of a symmetric matrix, one pair takes one pass over a triangle each way.
public struct RelaxationPreconditioner<Scalar: LinearScalar>: LinearOperator, Sendable {
  private let sweeps: RelaxationSweeps<Scalar>
  private let transposedSweeps: RelaxationSweeps<Scalar>
  private let count: Int
  /// Of a symmetric matrix, for one pair of sweeps over a vector.
  private let splitting: TriangularSplitting<Scalar>?
  /// Whether A is symmetric, number by number.
  public let isSymmetric: Bool
  public var shape: [Int] { sweeps.matrix.shape }

  /// - Parameter sweeps: how many pairs of sweeps one application takes.
  /// - Throws: `InvalidArgument` for a matrix that is not square and finite or settings out of range;
  ///   `DecompositionError.singular` for a zero on its diagonal.
  public init(of matrix: SparseMatrix<Scalar>, relaxation: Double = 1, sweeps: Int = 1) throws {
    guard sweeps >= 1 else { throw InvalidArgument("sweeps", found: "\(sweeps)", wanted: "at least 1") }
    self.sweeps = try RelaxationSweeps(matrix, relaxation: relaxation)
    let splitting = try TriangularSplitting(self.sweeps.matrix)
    isSymmetric = splitting.isSymmetric
    let isPlain = sweeps == 1 && isSymmetric
    self.splitting = isPlain ? splitting : nil
    transposedSweeps = isSymmetric ? self.sweeps : try RelaxationSweeps(matrix.transposed, relaxation: relaxation)
    count = sweeps
  }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> { applied(sweeps, x) }
  public func applyTransposed(_ y: Tensor<Scalar>) -> Tensor<Scalar> { applied(transposedSweeps, y) }

  private func applied(_ sweeps: RelaxationSweeps<Scalar>, _ rightSide: Tensor<Scalar>) -> Tensor<Scalar> {
    if let splitting, rightSide.rank == 1 {
      return splitting.symmetricSweep(relaxation: Scalar(sweeps.relaxation), rightSide)
    }
    var x = Tensor<Scalar>.zeros(rightSide.shape)
    for _ in 0..<count {
      sweeps.sweep(&x, rightSide, backward: false)
      sweeps.sweep(&x, rightSide, backward: true)
    }
    return x
  }
}
