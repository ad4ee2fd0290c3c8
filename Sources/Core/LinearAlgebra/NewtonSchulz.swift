// Orthogonalization by matrix products alone.

public import Tensors

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
///
/// The products of f32 matrices may be taken in bfloat16 (``precision``), which is twice as fast or more.
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
  /// Of the products of f32 matrices; everything else, and what is being differentiated, is computed in full.
  ///
  /// In bfloat16 singular values come out within a few per cent, relative: less than ``muon`` leaves them apart, and no
  /// match for the convergent families.
  public var precision = ProductPrecision.full

  public init(steps: [Step], precision: ProductPrecision = .full) {
    self.steps = steps
    self.precision = precision
  }

  /// The five equal steps of the Muon optimizer, in bfloat16 as in its original.
  ///
  /// Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
  public static let muon = NewtonSchulz(
    steps: Array(repeating: Step(3.4445, -4.7750, 2.0315), count: 5), precision: .bfloat16)

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
    if precision == .bfloat16, let single = matrix as? Tensor<Float>,
      let result = orthogonalizeInBFloat16(single) as? Tensor<Scalar>
    {
      return result
    }
    let isTall = matrix.rows > matrix.columns
    let wide = isTall ? matrix.transposed : matrix
    let norm = matrix.sumOfSquares().sqrt().maximum(.leastNormalMagnitude)
    let result = steps.reduce(wide / norm) { x, step in Self.apply(step, to: x) }
    return isTall ? result.transposed : result
  }

  /// Nil where f32 is the faster way: see ``ProductPrecision``.
  private func orthogonalizeInBFloat16(_ matrix: Tensor<Float>) -> Tensor<Float>? {
    let isTall = matrix.rows > matrix.columns
    let (rows, columns) = isTall ? (matrix.columns, matrix.rows) : (matrix.rows, matrix.columns)
    guard !matrix.isDifferentiated, let products = BFloat16Products(rows: rows, columns: columns) else { return nil }
    let norm = matrix.sumOfSquares().sqrt().maximum(.leastNormalMagnitude).scalar
    // Only what the next product reads is kept, and rounded once.
    var x = BFloat16Matrix(rounding: isTall ? matrix.transposed : matrix, dividedBy: norm)
    var next = BFloat16Matrix(rows: rows, columns: columns)
    let gram = BFloat16Matrix(rows: rows, columns: rows)
    let polynomial = BFloat16Matrix(rows: rows, columns: rows)
    for step in steps {
      products.symmetric(x, into: gram)
      products.symmetric(gram, scaledBy: Float(step.c), plus: gram, scaledBy: Float(step.b), into: polynomial)
      products.product(polynomial, x, plus: x, scaledBy: Float(step.a), into: next)
      swap(&x, &next)
    }
    return x.widened(transposing: isTall)
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
