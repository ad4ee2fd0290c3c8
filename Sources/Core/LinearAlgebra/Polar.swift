// The polar factor of a matrix: the nearest one with orthonormal columns (or rows).

public import Tensors

/// A = Q H with orthonormal columns (or rows) in Q and a symmetric positive semi-definite H.
///
/// Of a matrix of rank r below min(m, n), Q is the partial isometry of rank r that belongs to its nonzero singular
/// values; the directions that A does not determine are left out instead of being invented.
public struct PolarDecomposition<Scalar: LinearScalar>: Sendable {
  /// Q = U Vᵀ, of shape [m, n].
  public let factor: Tensor<Scalar>
  /// H = V diag(s) Vᵀ, of shape [n, n].
  public let positive: Tensor<Scalar>
  /// The numerical rank of A.
  public let rank: Int

  /// Decomposes `matrix`, of shape [m, n], by its singular values.
  ///
  /// Derivatives flow through both factors of a matrix of full rank, also where singular values coincide.
  /// - Parameter tolerance: singular values below this times the largest count as zero; by default the precision times
  ///   the larger extent.
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers; for one that is being differentiated,
  ///   also `DecompositionError.rankDeficient`.
  public init(of matrix: Tensor<Scalar>, tolerance: Scalar? = nil) throws {
    let svd = try SingularValueDecomposition(of: matrix.withoutDerivative)
    rank = svd.rank(tolerance: tolerance)
    let part = svd.truncated(rank: rank)
    let numbers = part.left.matmul(part.right, transposingB: true)
    guard matrix.isDifferentiated else {
      factor = numbers
      positive = (svd.right * svd.values.sqrt()).multipliedByOwnTranspose()
      return
    }
    let extent = min(matrix.rows, matrix.columns)
    guard rank == extent else { throw DecompositionError.rankDeficient(rank: rank, columns: extent) }
    factor = differentiatedPolarFactor(numbers, of: matrix)
    positive = factor.matmul(matrix, transposingA: true).symmetrized
  }
}

/// The polar factor of a matrix of full rank, whose numbers are known, with derivatives.
///
/// For a tall matrix and a cotangent g of Q, A's is Q Z + (g - Q Qᵀ g) H⁻¹, where H Z + Z H = Qᵀ g - gᵀ Q.
///
/// Source: Higham, "Functions of matrices", section 8.3, in reverse mode.
private func differentiatedPolarFactor<Scalar: LinearScalar>(
  _ numbers: Tensor<Scalar>, of matrix: Tensor<Scalar>
) -> Tensor<Scalar> {
  guard matrix.isDifferentiated else { return numbers }
  guard matrix.rows >= matrix.columns else {
    return differentiatedPolarFactor(numbers.transposed, of: matrix.transposed).transposed
  }
  return customDerivative(at: matrix) { a in
    let q = differentiatedPolarFactor(numbers, of: a)
    return (
      q,
      { g in
        let h = q.matmul(a, transposingA: true).symmetrized
        let inner = q.matmul(g, transposingA: true)
        return orNotANumber(a.shape) {
          let eigen = try SymmetricEigendecomposition(of: h)
          let turned = q.matmul(SymmetricKroneckerSum(eigen, eigen).solution(inner - inner.transposed))
          guard a.rows > a.columns else { return turned }
          let outside = g - q.matmul(inner)
          return turned + (try CholeskyDecomposition(of: h).solve(outside.transposed)).transposed
        }
      }
    )
  }
}

/// Polynomials in X Xᵀ that push all singular values of a matrix towards one, by matrix products alone.
///
/// Each step is X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X, after X was divided by its Frobenius norm. Singular values of zero
/// stay zero. There are three families:
///
/// - ``muon``: five steps that grow small singular values fastest. They do not converge: values end up anywhere in
///   about 0.7...1.2, which is enough for an optimizer's direction.
/// - ``convergent(steps:)``: third-order convergence to one, but small values grow only by 15/8 a step.
/// - ``polarExpress(steps:smallest:)``: for a fixed number of steps, the smallest possible largest error over all
///   singular values between `smallest` and one.
public struct NewtonSchulz: Sendable, Hashable {
  /// The coefficients of one step.
  public struct Step: Sendable, Hashable {
    public var a: Double, b: Double, c: Double
    public init(_ a: Double, _ b: Double, _ c: Double) { (self.a, self.b, self.c) = (a, b, c) }

    /// What the step makes of a singular value.
    public func callAsFunction(_ x: Double) -> Double { x * (a + x * x * (b + x * x * c)) }

    /// Taylor's polynomial of 1 / sqrt at one: the step that all optimal steps approach.
    public static let taylor = Step(15.0 / 8, -10.0 / 8, 3.0 / 8)
  }

  public var steps: [Step]

  public init(steps: [Step]) { self.steps = steps }

  /// The five equal steps of the Muon optimizer.
  ///
  /// Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
  public static let muon = NewtonSchulz(steps: Array(repeating: Step(3.4445, -4.7750, 2.0315), count: 5))

  public static func convergent(steps: Int) -> NewtonSchulz {
    NewtonSchulz(steps: Array(repeating: .taylor, count: steps))
  }

  /// Steps of which each is the best one for the interval that the steps before have left.
  ///
  /// - Parameter smallest: the smallest singular value, relative to the Frobenius norm, that is to reach one.
  /// - Source: Amsel, Persson, Musco and Gower, "The Polar Express", 2025, arXiv 2505.16932, algorithm 1.
  public static func polarExpress(steps count: Int, smallest: Double = 1e-3) -> NewtonSchulz {
    precondition(0 < smallest && smallest < 1, "the smallest singular value lies in (0, 1), but is \(smallest)")
    var lower = smallest
    var upper = 1.0
    let steps = (0..<count).map { _ in
      let step = optimalStep(lower, upper)
      // The error is equal and opposite at the ends of the interval.
      lower = min(step(lower), 1)
      upper = 2 - lower
      return step
    }
    return NewtonSchulz(steps: steps)
  }

  /// The odd quintic p that minimizes max |1 - p| on [lower, upper], by Remez' exchange.
  private static func optimalStep(_ lower: Double, _ upper: Double) -> Step {
    // Where the interval is nearly one point, the equations lose all digits and Taylor's step is as good.
    guard 1 - lower / upper > 5e-6 else {
      return Step(Step.taylor.a / upper, Step.taylor.b / (upper * upper * upper), Step.taylor.c / .pow(upper, 5))
    }
    var inner = ((3 * lower + upper) / 4, (lower + 3 * upper) / 4)
    var step = Step.taylor
    var error = Double.infinity
    for _ in 0..<100 {
      // p(x) = 1 ∓ error, alternating over four points.
      let points = [lower, inner.0, inner.1, upper]
      let rows = points.enumerated().map { i, x in [x, x * x * x, .pow(x, 5), i % 2 == 0 ? 1 : -1] }
      guard let solution = try? Tensor<Double>(rows).solve(Tensor<Double>.ones([4])).scalars else { break }
      let previous = error
      step = Step(solution[0], solution[1], solution[2])
      error = solution[3]
      if abs(error - previous) <= 1e-15 { break }
      // The extremes of p inside the interval, where a + 3 b x² + 5 c x⁴ = 0.
      let root = (9 * step.b * step.b - 20 * step.a * step.c).squareRoot()
      inner = (((-3 * step.b - root) / (10 * step.c)).squareRoot(), ((-3 * step.b + root) / (10 * step.c)).squareRoot())
    }
    return step
  }

  /// The matrix with its singular values pushed towards one, of the same shape [m, n].
  ///
  /// Made of differentiable products. The zero matrix stays zero; numbers that are not finite stay so.
  /// - Complexity: one and a half products of the m × n matrix with a square one of min(m, n) = k, and k³ more, a step.
  public func orthogonalize<Scalar: RealScalar>(_ matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    let isTall = matrix.rows > matrix.columns
    let wide = isTall ? matrix.transposed : matrix
    let norm = matrix.sumOfSquares().sqrt().maximum(.leastNormalMagnitude)
    let result = steps.reduce(wide / norm) { x, step in Self.apply(step, to: x) }
    return isTall ? result.transposed : result
  }

  private static func apply<Scalar: RealScalar>(_ step: Step, to x: Tensor<Scalar>) -> Tensor<Scalar> {
    // Gram is symmetric, so its square costs half a product; a X is part of the last product, by the diagonal.
    let gram = x.multipliedByOwnTranspose()
    let identity = Tensor<Scalar>.identity(gram.rows) * Scalar(step.a)
    let polynomial = gram.multipliedByOwnTranspose() * Scalar(step.c) + gram * Scalar(step.b) + identity
    return polynomial.matmul(x)
  }

  /// The polar factor by convergent steps, until max |X Xᵀ - I| is at most `tolerance`.
  ///
  /// Of a matrix that has not full rank, rounding would grow into arbitrary directions while the residual stays at one:
  /// the result then has not converged and says so. ``PolarDecomposition`` gives the partial isometry.
  ///
  /// Derivatives are those of the polar factor itself, not of the iteration.
  ///
  /// - Parameter tolerance: by default the precision times ten times the smaller extent.
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers.
  public static func polarFactor<Scalar: LinearScalar>(
    of matrix: Tensor<Scalar>, tolerance: Double? = nil, iterationLimit: Int = 40
  ) throws -> (factor: Tensor<Scalar>, convergence: Convergence) {
    if matrix.isDifferentiated {
      let (factor, convergence) = try polarFactor(
        of: matrix.withoutDerivative, tolerance: tolerance, iterationLimit: iterationLimit)
      return (differentiatedPolarFactor(factor, of: matrix), convergence)
    }
    let a = try matrix.validMatrix()
    let isTall = a.rows > a.columns
    let size = min(a.rows, a.columns)
    var x = isTall ? a.transposed : a
    var convergence = Convergence(
      tolerance: tolerance ?? 10 * Double(Scalar.ulpOfOne) * Double(size + 1), iterationLimit: iterationLimit)
    let norm = x.frobeniusNorm()
    if norm > 0 { x = x / norm }
    func defect(_ x: Tensor<Scalar>) -> Double {
      Double((x.multipliedByOwnTranspose() - Tensor.identity(size)).maximumNorm())
    }
    while convergence.continues(residual: defect(x)) { x = apply(.taylor, to: x) }
    return (isTall ? x.transposed : x, convergence)
  }
}
