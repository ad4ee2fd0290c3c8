// Algebraic Riccati equations: optimal feedback for linear systems with quadratic costs.

public import Tensors

/// The stabilizing solution of an algebraic Riccati equation.
public struct RiccatiSolution<Scalar: LinearScalar>: Sendable {
  /// X, of shape [n, n], symmetric: the optimal cost from state x is xᵀ X x.
  public let solution: Tensor<Scalar>
  /// K, of shape [m, n]: the optimal feedback is u = -K x.
  public let gain: Tensor<Scalar>
  /// The residual is that of the equation in the Frobenius norm, relative to the sum of the norms of its terms.
  public let convergence: Convergence
}

/// Aᵀ X + X A - X B R⁻¹ Bᵀ X + Q = 0: feedback for ẋ = A x + B u at the cost of the integral of xᵀ Q x + uᵀ R u.
public struct ContinuousRiccatiEquation: Sendable, Hashable {
  /// Newton steps that polish the solution from the Schur vectors.
  public var refinementLimit = 3
  /// The relative residual at which no polish is needed.
  public var tolerance: Double?

  public init(refinementLimit: Int = 3, tolerance: Double? = nil) {
    (self.refinementLimit, self.tolerance) = (refinementLimit, tolerance)
  }

  /// Solves by the stable invariant subspace of the Hamiltonian matrix, and Newton–Kleinman steps.
  ///
  /// - Parameters: a: A, of shape [n, n]; b: B, of shape [n, m]; stateCost: Q, of shape [n, n], symmetric; inputCost: R, of
  ///   shape [m, m], symmetric positive definite.
  /// - Throws: `InvalidArgument`; `DecompositionError.notPositiveDefinite` for R;
  ///   `MatrixEquationError.noStabilizingSolution`.
  /// - Complexity: about 200 n³ operations for the Schur form of order 2 n, and 30 n³ a step.
  /// - Source: Laub, IEEE Trans. Autom. Control 24 (1979); Kleinman, IEEE Trans. Autom. Control 13 (1968).
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func solve<Scalar: LinearScalar>(
    a: Tensor<Scalar>, b: Tensor<Scalar>, stateCost q: Tensor<Scalar>, inputCost r: Tensor<Scalar>
  ) throws -> RiccatiSolution<Scalar> {
    let problem = try RiccatiProblem(a, b, q, r)
    let (a, q) = (problem.a, problem.q)
    let n = a.rows
    // Balance the halves of the Hamiltonian: X scaled by sqrt(‖Q‖ / ‖G‖).
    let g = problem.b.matmul(problem.weightedInput)
    let (normG, normQ) = (g.frobeniusNorm(), q.frobeniusNorm())
    let scale = normG > 0 && normQ > 0 ? Scalar.sqrt(normQ) / Scalar.sqrt(normG) : 1
    let top = Tensor.concatenated([a, g * -scale], axis: 1)
    let bottom = Tensor.concatenated([q * (-1 / scale), -a.transposed], axis: 1)
    let form = try SchurDecomposition(of: .concatenated([top, bottom], axis: 0)) { $0.real < 0 }
    guard form.values.count(where: { $0.real < 0 }) == n else { throw MatrixEquationError.noStabilizingSolution }
    let basis = form.orthogonal[.all, 0..<n]
    let lu = try LUDecomposition(of: basis[0..<n, .all].transposed.dense)
    guard lu.reciprocalCondition > 10 * .ulpOfOne else { throw MatrixEquationError.noStabilizingSolution }
    // X = U₂₁ U₁₁⁻¹, by U₁₁ᵀ Xᵀ = U₂₁ᵀ.
    var x = (try lu.solve(basis[n..<2 * n, .all].transposed.dense) * scale).symmetrized

    func residual(_ x: Tensor<Scalar>) -> Double {
      let ax = x.matmul(a)
      let xgx = x.matmul(g).matmul(x)
      let error = ax + ax.transposed - xgx + q
      let size = 2 * ax.frobeniusNorm() + xgx.frobeniusNorm() + q.frobeniusNorm()
      return size > 0 ? Double(error.frobeniusNorm() / size) : 0
    }
    var convergence = Convergence(
      tolerance: tolerance ?? 4 * Double(Scalar.ulpOfOne), iterationLimit: refinementLimit + 1)
    var last = residual(x)
    while convergence.continues(residual: last) {
      // (A - G X)ᵀ Y + Y (A - G X) = -(Q + X G X).
      let closed = a - g.matmul(x)
      let right = -(q + x.matmul(g).matmul(x)).symmetrized
      guard let next = try? LyapunovEquation(closed).solveTransposed(right) else { break }
      let improved = residual(next)
      guard improved < last else { break }
      (x, last) = (next, improved)
    }
    return RiccatiSolution(solution: x, gain: problem.weightedInput.matmul(x), convergence: convergence)
  }
}

/// Aᵀ X A - X - Aᵀ X B (R + Bᵀ X B)⁻¹ Bᵀ X A + Q = 0: feedback for x ← A x + B u at the cost of the sum of
/// xᵀ Q x + uᵀ R u.
public struct DiscreteRiccatiEquation: Sendable, Hashable {
  public var iterationLimit = 60
  /// Of the change of X in a doubling step, relative to X.
  public var tolerance: Double?

  public init(iterationLimit: Int = 60, tolerance: Double? = nil) {
    (self.iterationLimit, self.tolerance) = (iterationLimit, tolerance)
  }

  /// Solves by the structure-preserving doubling algorithm: after k steps the error is the 2^k-th power of the closed
  /// loop's, A need not be invertible, and symmetry is never lost.
  ///
  /// A problem without stabilizing solution does not converge, and the result says so.
  /// - Parameters: a: A, of shape [n, n]; b: B, of shape [n, m]; stateCost: Q, of shape [n, n], symmetric positive
  ///   semi-definite; inputCost: R, of shape [m, m], symmetric positive definite.
  /// - Throws: `InvalidArgument`; `DecompositionError.notPositiveDefinite` for R;
  ///   `MatrixEquationError.noStabilizingSolution` when the iteration breaks down.
  /// - Complexity: about 14 n³ operations an iteration; five to ten iterations are usual.
  /// - Source: Chu, Fan, Lin and Wang, Int. J. Control 77 (2004), algorithm SDA.
  public func solve<Scalar: LinearScalar>(
    a: Tensor<Scalar>, b: Tensor<Scalar>, stateCost q: Tensor<Scalar>, inputCost r: Tensor<Scalar>
  ) throws -> RiccatiSolution<Scalar> {
    let problem = try RiccatiProblem(a, b, q, r)
    let n = problem.a.rows
    var a = problem.a
    var g = problem.b.matmul(problem.weightedInput).symmetrized
    var x = problem.q
    var convergence = Convergence(
      tolerance: tolerance ?? 10 * Double(Scalar.ulpOfOne), iterationLimit: iterationLimit)
    while true {
      let lu = try LUDecomposition(of: Tensor.identity(n) + g.matmul(x))
      guard lu.zeroPivot == nil else { throw MatrixEquationError.noStabilizingSolution }
      let both = try lu.solve(.concatenated([a, g], axis: 1))
      let (first, second) = (both[.all, 0..<n], both[.all, n..<2 * n])
      let change = a.matmul(x.matmul(first), transposingA: true).symmetrized
      g += a.matmul(second).matmul(a, transposingB: true).symmetrized
      a = a.matmul(first)
      x += change
      guard x.isFinite, g.isFinite, a.isFinite else { throw MatrixEquationError.noStabilizingSolution }
      let size = x.frobeniusNorm()
      if !convergence.continues(residual: size > 0 ? Double(change.frobeniusNorm() / size) : 0) { break }
    }
    let xb = x.matmul(problem.b)
    let weight = problem.r + problem.b.matmul(xb, transposingA: true)
    let gain = try weight.solve(xb.matmul(problem.a, transposingA: true))
    return RiccatiSolution(solution: x, gain: gain, convergence: convergence)
  }
}

/// The checked arguments of a Riccati equation.
private struct RiccatiProblem<Scalar: LinearScalar> {
  let a: Tensor<Scalar>, b: Tensor<Scalar>, q: Tensor<Scalar>, r: Tensor<Scalar>
  /// R⁻¹ Bᵀ, of shape [m, n].
  let weightedInput: Tensor<Scalar>

  init(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>, _ q: Tensor<Scalar>, _ r: Tensor<Scalar>) throws {
    self.a = try a.validSquare("a")
    let n = self.a.rows
    self.b = try b.validMatrix("b")
    guard b.rows == n else { throw InvalidArgument("b", found: "shape \(b.shape)", wanted: "\(n) rows, as A has") }
    self.q = try q.validSymmetric("stateCost")
    try q.requireShape([n, n], "stateCost")
    try r.requireShape([b.columns, b.columns], "inputCost")
    self.r = try r.validSymmetric("inputCost")
    weightedInput = try CholeskyDecomposition(of: self.r).solve(self.b.transposed.dense)
  }
}
