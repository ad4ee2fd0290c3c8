public import Tensors

/// The conjugate gradient method for symmetric positive definite operators.
///
/// The error shrinks in the norm xᵀ A x with every step; the residual need not. Several right sides run side by side,
/// each with its own coefficients, and share the products.
///
/// ```swift
/// let laplacian = SparseMatrix<Double>.gridLaplacian([100, 100])
/// let factor = try IncompleteCholesky(of: laplacian)
/// let found = try ConjugateGradients().solve(laplacian, load, preconditioner: factor)
/// ```
///
/// - Source: Hestenes and Stiefel, "Methods of conjugate gradients for solving linear systems", 1952; Saad, "Iterative
///   methods for sparse linear systems", 2003, algorithm 9.1.
public struct ConjugateGradients: Sendable, Hashable {
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance = 1e-10
  public var iterationLimit = 10_000

  public init(tolerance: Double = 1e-10, iterationLimit: Int = 10_000) {
    (self.tolerance, self.iterationLimit) = (tolerance, iterationLimit)
  }

  /// x with A x = b.
  ///
  /// An operator that turns out not to be positive definite ends the iteration with that ``IterativeSolution/stop``.
  /// - Parameters:
  ///   - rightSide: b, of shape [n] or, several at once, [n, p].
  ///   - preconditioner: M ≈ A⁻¹, symmetric positive definite.
  ///   - guess: where to start instead of zero, of the shape of b.
  ///   - observe: called with each iterate.
  /// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite, also in products;
  ///   `CancellationError`.
  /// - Complexity: one product with A and one with M an iteration, and memory for four vectors (of each right side).
  public func solve<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>,
    preconditioner: (any LinearOperator<Scalar>)? = nil, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent, observe: ((Tensor<Scalar>) -> Void)? = nil
  ) throws -> IterativeSolution<Scalar> {
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    let system = try LinearSystem(matrix, rightSide, preconditioner: preconditioner, severalRightSides: true)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var x = try system.start(guess)
    var residual = guess == nil ? system.rightSide : try system.trueResidual(x)
    var sizes = system.relativeNorms(residual)
    if try system.isSolved(sizes, &convergence) { return try system.solution(x, convergence, .converged) }
    var verification = Verification(tolerance: tolerance)
    var direction = try system.preconditioned(residual)
    var slopes = residual.columnProducts(direction)
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "conjugate gradients")
      // A right side that has arrived waits for the others where it is.
      let isMoving = sizes.map { $0 > tolerance }
      let image = try system.product(direction)
      let curvatures = direction.columnProducts(image)
      for j in isMoving.indices where isMoving[j] {
        try system.requireFinite(Double(slopes[j]) + Double(curvatures[j]))
        if slopes[j] <= 0 { return try system.solution(x, convergence, .preconditionerNotPositiveDefinite) }
        if curvatures[j] <= 0 { return try system.solution(x, convergence, .notPositiveDefinite) }
      }
      let steps = isMoving.indices.map { isMoving[$0] ? slopes[$0] / curvatures[$0] : 0 }
      x.add(steps, timesColumns: direction)
      var squares = residual.subtract(steps, timesColumns: image)
      observe?(x.reshaped(rightSide.shape))
      sizes = system.relativeNorms(residual, squares: squares)
      let isVerified = verification.isDue(sizes.max() ?? 0)
      if isVerified {
        residual = try system.trueResidual(x)
        squares = nil
        sizes = system.relativeNorms(residual)
      }
      let size = sizes.max() ?? 0
      try system.requireFinite(size)
      guard convergence.continues(residual: size) else {
        return try system.solution(x, convergence, convergence.stop(Scalar.self))
      }
      if isVerified && !verification.allowsAnother(size) { return try system.solution(x, convergence, .stagnation) }
      let scaled = try system.preconditioned(residual)
      let previous = slopes
      slopes =
        preconditioner == nil
        ? squares.map { [$0] } ?? residual.columnProducts(scaled) : residual.columnProducts(scaled)
      // After the residual was replaced, the old direction no longer fits it.
      let ratios = isMoving.indices.map { isMoving[$0] && !isVerified ? slopes[$0] / previous[$0] : 0 }
      direction.scaleColumns(ratios, adding: scaled)
    }
  }
}

/// When a recurrence's residual is to be compared with the true one, and when that has shown that no more can be had.
struct Verification {
  private let tolerance: Double
  private var target: Double
  private var best = Double.infinity
  private var failures = 0

  init(tolerance: Double) { (self.tolerance, target) = (tolerance, tolerance) }

  func isDue(_ estimate: Double) -> Bool { estimate <= target }

  /// An estimate to be recorded: one below the tolerance that a true residual has refuted is replaced by that.
  func believable(_ estimate: Double) -> Double {
    estimate <= tolerance && best.isFinite ? max(estimate, best) : estimate
  }

  /// After a true residual above the tolerance: whether to go on. Three that do not halve are the limit of rounding.
  ///
  /// - Parameter estimate: what the recurrence believed, if it goes on with that: it must then become smaller by what
  ///   the truth lacks before another look.
  mutating func allowsAnother(_ trueResidual: Double, estimate: Double? = nil) -> Bool {
    if trueResidual < best / 2 { failures = 0 } else { failures += 1 }
    best = min(best, trueResidual)
    if let estimate { target = estimate * min(0.5, 0.9 * tolerance / trueResidual) }
    return failures < 3
  }
}
