public import Tensors

/// The stabilized biconjugate gradient method for any square operator, in memory for a few vectors.
///
/// Residuals may rise and fall on the way. Where a recurrence breaks down it starts anew from the iterate; a second
/// breakdown at once is the end, as is a residual that has grown by 1e8, or that has reached no new low for a long time.
/// The result is never worse than the start.
///
/// - Source: van der Vorst, "Bi-CGSTAB", SIAM J. Sci. Stat. Comput. 13 (1992), with right preconditioning.
public struct BiCGSTAB: Sendable, Hashable {
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance = 1e-10
  /// Of pairs of products with A.
  public var iterationLimit = 10_000

  public init(tolerance: Double = 1e-10, iterationLimit: Int = 10_000) {
    (self.tolerance, self.iterationLimit) = (tolerance, iterationLimit)
  }

  /// x with A x = b, for b of shape [n].
  ///
  /// - Parameters:
  ///   - preconditioner: M ≈ A⁻¹.
  ///   - guess: where to start instead of zero.
  /// - Throws: as ``ConjugateGradients/solve(_:_:preconditioner:startingFrom:progress:observe:)``.
  /// - Complexity: two products with A and two with M an iteration, and memory for seven vectors.
  public func solve<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>,
    preconditioner: (any LinearOperator<Scalar>)? = nil, startingFrom guess: Tensor<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> IterativeSolution<Scalar> {
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    let system = try LinearSystem(matrix, rightSide, preconditioner: preconditioner)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    let start = try system.start(guess)
    var x = start
    var residual = guess == nil ? system.rightSide : try system.trueResidual(x)
    let sizes = system.relativeNorms(residual)
    if try system.isSolved(sizes, &convergence) { return try system.solution(x, convergence, .converged) }
    func ended(_ stop: IterativeSolution<Scalar>.Stop) throws -> IterativeSolution<Scalar> {
      let found = try system.solution(x, convergence, stop)
      return found.residual <= sizes[0] ? found : try system.solution(start, convergence, stop)
    }
    /// An iteration that diverges ends; a product that is not finite is an error.
    func overflowed(_ factor: Tensor<Scalar>) throws -> IterativeSolution<Scalar> {
      if factor.isFinite { try system.requireFinite(.nan) }
      return try ended(.breakdown)
    }
    var low = (size: sizes[0], iteration: 0)
    let patience = max(200, 2 * system.size)
    var verification = Verification(tolerance: tolerance)
    var shadow = residual
    var direction = residual
    var product = residual * 0
    var rho = shadow.innerProduct(residual)
    var isFresh = true
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "BiCGSTAB")
      let scaled = try system.preconditioned(direction)
      product = try system.product(scaled)
      let projection = shadow.innerProduct(product)
      guard projection.isFinite else { return try overflowed(scaled) }
      var next = rho
      var (alpha, omega): (Scalar, Scalar) = (0, 0)
      var isBroken = projection.magnitude <= .ulpOfOne * shadow.length() * product.length()
      if !isBroken {
        alpha = rho / projection
        x.add(alpha, times: scaled)
        residual.add(-alpha, times: product)
        let scaledRest = try system.preconditioned(residual)
        let image = try system.product(scaledRest)
        let square = image.innerProduct(image)
        guard square.isFinite else { return try overflowed(scaledRest) }
        // An overlap that is nothing but rounding would send x far along the null space.
        let overlap = image.innerProduct(residual)
        omega = overlap.magnitude > .ulpOfOne * image.length() * residual.length() ? overlap / square : 0
        x.add(omega, times: scaledRest)
        residual.add(-omega, times: image)
        next = shadow.innerProduct(residual)
        isBroken = omega == 0 || next.magnitude <= .ulpOfOne * shadow.length() * residual.length()
      }
      let estimate = system.relativeNorm(residual)
      guard estimate.isFinite else { return try overflowed(x) }
      if estimate < low.size { low = (estimate, convergence.iterations) }
      // What cannot go on starts anew, from what is true.
      let isVerified = verification.isDue(estimate) || isBroken
      if isVerified { residual = try system.trueResidual(x) }
      let size = isVerified ? system.relativeNorm(residual) : estimate
      guard convergence.continues(residual: size) else {
        return try ended(convergence.stop(Scalar.self))
      }
      if size > 1e8 * max(1, sizes[0]) { return try ended(.breakdown) }
      if convergence.iterations - low.iteration > patience { return try ended(.stagnation) }
      if isVerified {
        if isBroken && isFresh { return try ended(.breakdown) }
        if !isBroken && !verification.allowsAnother(size) { return try ended(.stagnation) }
        (shadow, direction) = (residual, residual)
        rho = shadow.innerProduct(residual)
        isFresh = true
        continue
      }
      // p = r + beta (p - omega A M p)
      let beta = next / rho * (alpha / omega)
      direction.add(-omega, times: product)
      direction.scale(beta, adding: residual)
      rho = next
      isFresh = false
    }
  }
}
