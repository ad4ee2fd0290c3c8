public import Tensors

/// The minimal residual method for symmetric operators, definite or not.
///
/// The residual ‖b - A x‖ never grows (with a preconditioner, its norm rᵀ M r). A singular system without a solution
/// ends with stop `stagnation` at a least-squares solution.
///
/// - Source: Paige and Saunders, "Solution of sparse indefinite systems of linear equations", SIAM J. Numer. Anal. 12
///   (1975), section 6.
public struct MINRES: Sendable, Hashable {
  /// Of ‖b - A x‖ / ‖b‖; also of ‖A r‖ / (‖A‖ ‖r‖), at which x counts as a least-squares solution.
  public var tolerance = 1e-10
  public var iterationLimit = 10_000

  public init(tolerance: Double = 1e-10, iterationLimit: Int = 10_000) {
    (self.tolerance, self.iterationLimit) = (tolerance, iterationLimit)
  }

  /// x with A x = b, for b of shape [n].
  ///
  /// - Parameters:
  ///   - preconditioner: M ≈ |A|⁻¹, symmetric positive definite.
  ///   - guess: where to start instead of zero.
  /// - Throws: as ``ConjugateGradients/solve(_:_:preconditioner:startingFrom:progress:observe:)``.
  /// - Complexity: one product with A and one with M an iteration, and memory for seven vectors.
  public func solve<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>,
    preconditioner: (any LinearOperator<Scalar>)? = nil, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Scalar> {
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    let system = try LinearSystem(matrix, rightSide, preconditioner: preconditioner)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var x = try system.start(guess)
    // The Lanczos process: `current` and `previous` are multiples of its vectors before preconditioning.
    var current = guess == nil ? system.rightSide : try system.trueResidual(x)
    let sizes = system.relativeNorms(current)
    if try system.isSolved(sizes, &convergence) { return try system.solution(x, convergence, .converged) }
    var previous = current
    var image = try system.preconditioned(current)
    let first = current.innerProduct(image)
    try system.requireFinite(Double(first))
    guard first > 0 else { return try system.solution(x, convergence, .preconditionerNotPositiveDefinite) }

    var verification = Verification(tolerance: tolerance)
    var beta = Scalar.sqrt(first)
    var previousBeta: Scalar = 0
    var remaining = beta
    var rotation: (cosine: Scalar, sine: Scalar) = (-1, 0)
    var (diagonal, second): (Scalar, Scalar) = (0, 0)
    var directions = (Tensor<Scalar>.zeros(x.shape), Tensor<Scalar>.zeros(x.shape))
    var normSquared: Scalar = 0
    let smallestSlope = max(Scalar(tolerance), 4 * .ulpOfOne)
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "MINRES")
      // One step of Lanczos: A v = previousBeta v₋ + alpha v + beta v₊.
      let vector = image / beta
      image = try system.product(vector)
      if previousBeta > 0 { image.add(-beta / previousBeta, times: previous) }
      let alpha = vector.innerProduct(image)
      image.add(-alpha / beta, times: current)
      (previous, current) = (current, image)
      image = try system.preconditioned(current)
      let squared = current.innerProduct(image)
      try system.requireFinite(Double(alpha) + Double(squared))
      guard squared >= 0 else { return try system.solution(x, convergence, .preconditionerNotPositiveDefinite) }
      previousBeta = beta
      beta = .sqrt(squared)
      normSquared += alpha * alpha + previousBeta * previousBeta + squared

      // The QR factors of the tridiagonal matrix get a column: the last rotation acts on it, the next removes beta.
      let third = second
      let above = rotation.cosine * diagonal + rotation.sine * alpha
      let rest = rotation.sine * diagonal - rotation.cosine * alpha
      second = rotation.sine * beta
      diagonal = -rotation.cosine * beta
      let pivot = Scalar.hypot(rest, beta)
      let norm = Scalar.sqrt(normSquared)
      // ‖A r‖ / (‖A‖ ‖r‖) of the iterate before this step.
      let slope = Scalar.hypot(rest, diagonal) / norm
      guard norm > 0, pivot > .ulpOfOne * norm, slope > smallestSlope || convergence.iterations == 0 else {
        return try system.solution(x, convergence, .stagnation)
      }
      rotation = (rest / pivot, beta / pivot)
      let step = rotation.cosine * remaining
      remaining *= rotation.sine

      var direction = vector
      direction.add(-third, times: directions.0)
      direction.add(-above, times: directions.1)
      direction /= pivot
      directions = (directions.1, direction)
      x.add(step, times: direction)

      let estimate = Double((remaining / .sqrt(first)).magnitude) * sizes[0]
      let isLast = beta <= .ulpOfOne * norm
      let isVerified = verification.isDue(estimate) || isLast
      let size = isVerified ? system.relativeNorm(try system.trueResidual(x)) : verification.believable(estimate)
      guard convergence.continues(residual: size) else {
        return try system.solution(x, convergence, convergence.stop(Scalar.self))
      }
      if isLast || (isVerified && !verification.allowsAnother(size, estimate: estimate)) {
        return try system.solution(x, convergence, .stagnation)
      }
    }
  }
}
