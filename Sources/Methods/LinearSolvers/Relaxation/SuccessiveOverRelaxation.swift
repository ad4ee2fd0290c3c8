public import LinearAlgebra
public import Tensors

/// Successive over-relaxation: x ← x + (D / ω + L)⁻¹ (b - A x), where A = L + D + U.
///
/// A sweep and the residual after it take one pass over half the matrix, if it is symmetric: with
/// (D / ω + L) δ = r, the residual becomes ((1/ω - 1) D - U) δ.
///
/// ```swift
/// let found = try SuccessiveOverRelaxation(relaxation: 1.8).solve(matrix, load)
/// ```
/// - Complexity: O(entries) time an iteration, one thread.
/// - Source: Young, "Iterative solution of large linear systems", 1971; Khodak et al., ICLR 2024, arXiv 2310.02246.
public struct SuccessiveOverRelaxation: Sendable, Hashable {
  /// ω, above 0 and below 2; 1 is the method of Gauss and Seidel.
  public var relaxation: Double
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance: Double
  public var iterationLimit: Int

  public init(relaxation: Double = 1, tolerance: Double = 1e-8, iterationLimit: Int = 10_000) {
    (self.relaxation, self.tolerance, self.iterationLimit) = (relaxation, tolerance, iterationLimit)
  }

  /// x with A x = b, of shape [n]; converges for every symmetric positive definite A.
  ///
  /// - Parameter guess: where to start instead of zero.
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, or a setting out of range;
  ///   `DecompositionError.singular` for a zero on the diagonal; `CancellationError`.
  public func solve<Scalar: LinearScalar>(
    _ matrix: SparseMatrix<Scalar>, _ rightSide: Tensor<Scalar>, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> LinearSolution<Scalar> {
    try requireSystem(matrix, rightSide, startingFrom: guess)
    try requireSettings(tolerance: tolerance, iterationLimit: iterationLimit)
    try requireRelaxation(relaxation)
    let splitting = try TriangularSplitting(matrix)
    let size = matrix.rows
    let scale = Double(rightSide.frobeniusNorm())
    var x = (guess ?? .zeros([size])).copied()
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    func relative(_ r: Tensor<Scalar>) -> Double { scale > 0 ? Double(r.frobeniusNorm()) / scale : 0 }
    func solution(_ stop: LinearSolution<Scalar>.Stop) -> LinearSolution<Scalar> {
      LinearSolution(
        solution: x, residual: relative(rightSide - matrix.matmul(x)), convergence: convergence, stop: stop)
    }
    if scale == 0 {
      x = .zeros([size])
      return solution(.converged)
    }
    var residual = guess == nil ? rightSide.copied() : rightSide - matrix.matmul(x)
    if guess != nil && relative(residual) <= tolerance { return solution(.converged) }
    let start = max(1, relative(residual))
    var steps = Tensor<Scalar>.zeros([size])
    var refreshes = 0
    while true {
      if convergence.iterations % 64 == 0 {
        try progress.report(convergence.iterations, of: iterationLimit, "relaxation")
      }
      let squares = x.withUnsafeMutableBuffer { x in
        residual.withUnsafeMutableBuffer { r in
          steps.withUnsafeMutableBuffer { steps in
            splitting.sweep(
              relaxation: Scalar(relaxation), solution: x.baseAddress!, residual: r.baseAddress!,
              steps: steps.baseAddress!)
            return Scalar.reduce(.sumOfSquares, r.baseAddress!, stride: 1, count: size)
          }
        }
      }
      var norm = Double(squares).squareRoot() / scale
      if norm <= tolerance && convergence.iterations + 1 < iterationLimit {
        // What the sweeps believe is compared with what is true.
        let truth = rightSide - matrix.matmul(x)
        let trueNorm = relative(truth)
        if trueNorm > 1.01 * tolerance {
          (residual, norm) = (truth, trueNorm)
          refreshes += 1
        }
      }
      guard convergence.continues(residual: norm) else {
        return solution(convergence.isConverged ? .converged : norm.isFinite ? .iterationLimit : .diverged)
      }
      if norm > 1e8 * start { return solution(.diverged) }
      if refreshes > 3 { return solution(.stagnation) }
    }
  }
}

/// Sweeps of over-relaxation over a matrix that is kept: for iterations of one's own.
public struct RelaxationSweep<Scalar: LinearScalar>: Sendable {
  private let splitting: TriangularSplitting<Scalar>
  public let relaxation: Double

  /// - Throws: as ``SuccessiveOverRelaxation/solve(_:_:startingFrom:progress:)``.
  public init(_ matrix: SparseMatrix<Scalar>, relaxation: Double = 1) throws {
    try requireSystem(matrix, .zeros([matrix.rows]))
    try requireRelaxation(relaxation)
    splitting = try TriangularSplitting(matrix)
    self.relaxation = relaxation
  }

  /// One sweep: `solution` moves on, `residual` = b - A x becomes that of the new x, and `steps` what was added.
  ///
  /// - Precondition: all have shape [n].
  /// - Complexity: one pass over half the entries of a symmetric matrix, at the speed of memory.
  public func sweep(solution: inout Tensor<Scalar>, residual: inout Tensor<Scalar>, steps: inout Tensor<Scalar>) {
    let wanted = [splitting.size]
    precondition(
      solution.shape == wanted && residual.shape == wanted && steps.shape == wanted,
      "a sweep of \(splitting.size) rows over shapes \(solution.shape), \(residual.shape) and \(steps.shape)")
    solution.withUnsafeMutableBuffer { x in
      residual.withUnsafeMutableBuffer { r in
        steps.withUnsafeMutableBuffer { steps in
          splitting.sweep(
            relaxation: Scalar(relaxation), solution: x.baseAddress!, residual: r.baseAddress!,
            steps: steps.baseAddress!)
        }
      }
    }
  }
}

/// Conjugate gradients with a symmetric sweep of over-relaxation as preconditioner,
/// P = (D + ω L) D⁻¹ (D + ω Lᵀ) / (ω (2 - ω)).
///
/// - Complexity: O(entries) time an iteration: one product and one pass over the lower triangle each way.
public struct SSORConjugateGradients: Sendable, Hashable {
  /// ω, above 0 and below 2.
  public var relaxation: Double
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance: Double
  public var iterationLimit: Int

  public init(relaxation: Double = 1, tolerance: Double = 1e-8, iterationLimit: Int = 10_000) {
    (self.relaxation, self.tolerance, self.iterationLimit) = (relaxation, tolerance, iterationLimit)
  }

  /// x with A x = b, for a symmetric positive definite A.
  ///
  /// - Throws: as ``SuccessiveOverRelaxation/solve(_:_:startingFrom:progress:)``, and `InvalidArgument` for a matrix that
  ///   is not symmetric.
  public func solve(
    _ matrix: SparseMatrix<Double>, _ rightSide: Tensor<Double>, startingFrom guess: Tensor<Double>? = nil,
    progress: WorkProgress = .silent
  ) throws -> LinearSolution<Double> {
    try requireSystem(matrix, rightSide, startingFrom: guess)
    try requireSettings(tolerance: tolerance, iterationLimit: iterationLimit)
    let preconditioner = try SSORPreconditioner(of: matrix, relaxation: relaxation)
    return try flexibleConjugateGradients(
      CompressedRows(matrix), rightSide, startingFrom: guess, tolerance: tolerance, iterationLimit: iterationLimit,
      progress: progress
    ) { preconditioner.splitting.symmetricSweep(relaxation: relaxation, $0, into: $1) }
  }
}

/// P⁻¹ of ``SSORConjugateGradients``, symmetric positive definite when A is, for any solver that takes a preconditioner.
public struct SSORPreconditioner<Scalar: LinearScalar>: LinearOperator, Sendable {
  let splitting: TriangularSplitting<Scalar>
  public let relaxation: Double
  public var shape: [Int] { [splitting.size, splitting.size] }

  /// - Throws: `InvalidArgument` for a matrix that is not square, symmetric and finite, or a factor out of range;
  ///   `DecompositionError.singular` for a zero on the diagonal.
  public init(of matrix: SparseMatrix<Scalar>, relaxation: Double) throws {
    try requireSystem(matrix, .zeros([matrix.rows]))
    try requireRelaxation(relaxation)
    splitting = try TriangularSplitting(matrix)
    guard splitting.isSymmetric else {
      throw InvalidArgument("matrix", found: "a matrix that is not symmetric", wanted: "a symmetric one")
    }
    self.relaxation = relaxation
  }

  public func apply(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    precondition(x.shape.first == splitting.size, "a preconditioner of shape \(shape) applied to \(x.shape)")
    guard x.rank == 1 else {
      return .stacked(try (0..<x.columns).map { try apply(x[.all, $0].copied()) }, axis: 1)
    }
    return Tensor(uninitializedShape: x.shape) { z in
      x.withUnsafeBuffer {
        splitting.symmetricSweep(relaxation: Scalar(relaxation), $0.baseAddress!, into: z.baseAddress!)
      }
    }
  }

  public func applyTransposed(_ y: Tensor<Scalar>) throws -> Tensor<Scalar> { try apply(y) }
}

func requireRelaxation(_ relaxation: Double) throws {
  guard relaxation > 0, relaxation < 2 else {
    throw InvalidArgument("relaxation", found: "\(relaxation)", wanted: "above 0, below 2")
  }
}
