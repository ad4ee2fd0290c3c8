public import LinearAlgebra
import Numerics
public import Tensors

/// min ‖A x - b‖_p, with a lower bound that says how good the answer is.
///
/// p = 1 is robust to outliers, large p minds the worst rows. Solved as min ‖[A b] z‖_p over z with a last entry of -1, by
/// reweighted least squares, and for p = 1 exactly, along the edges of the polytope.
///
/// ```swift
/// let fit = try LpRegression(p: 1).solve(a, b)
/// let quick = try LpRegression(p: 1).solve(a, b, samplingRows: 500)
/// ```
///
/// - Complexity: O(n d²) an iteration of about thirty; with a sample of m rows, O(n d²) for the scores, and O(m d²) an
///   iteration.
/// - Source: Woodruff and Yasuda, "Sharper bounds for ℓp sensitivity sampling", ICML 2023, section 1.2.
public struct LpRegression: Sendable, Hashable {
  public var p: Double
  public var tolerance: Double
  public var iterationLimit: Int
  public var seed: UInt64

  public init(p: Double, tolerance: Double = 1e-10, iterationLimit: Int = 200, seed: UInt64 = 1) {
    (self.p, self.tolerance, self.iterationLimit, self.seed) = (p, tolerance, iterationLimit, seed)
  }

  /// The minimizer for A of shape [n, d] and b of shape [n]; with weights s of shape [n], of ‖diag(s) (A x - b)‖_p.
  ///
  /// A matrix with dependent columns has several minimizers, of which one is given.
  /// - Throws: `InvalidArgument` for shapes, numbers or settings that cannot be used.
  public func solve<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, _ rightSide: Tensor<Scalar>, weights: Tensor<Double>? = nil
  ) throws -> LpRegressionSolution {
    var (a, b) = try validated(matrix, rightSide)
    if let weights {
      guard weights.shape == [a.rows], weights.minimum().scalar >= 0 else {
        throw InvalidArgument(
          "weights", found: "shape \(weights.shape)", wanted: "shape [\(a.rows)], none of them negative")
      }
      try weights.requireFinite("weights")
      (a, b) = (a * weights.expanded(axis: 1), b * weights)
    }
    return try solve(a, b)
  }

  /// The minimizer over a sample of about `rows` rows, by the scores of [A b].
  ///
  /// The cost is that over all rows. Of the bound only that over the sample is known, which is a guess of the whole's.
  public func solve<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, _ rightSide: Tensor<Scalar>, samplingRows rows: Int, scheme: LpImportance = .lewis
  ) throws -> LpRegressionSolution {
    let (a, b) = try validated(matrix, rightSide)
    let joined = Tensor.concatenated([a, b.expanded(axis: 1)], axis: 1)
    let sample = try LpRowSampling(p: p, rows: rows, scheme: scheme, seed: seed).sample(joined)
    guard sample.indices.count >= a.columns else {
      throw InvalidArgument(
        "rows", found: "a sample of \(sample.indices.count) rows", wanted: "more than the \(a.columns) columns")
    }
    var result = try solve(sample.apply(to: a), sample.apply(to: b))
    result.costPower = cost(a, b, result.solution)
    result.sampledRows = sample.indices.count
    return result
  }

  private func validated<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, _ rightSide: Tensor<Scalar>
  ) throws -> (Tensor<Double>, Tensor<Double>) {
    try requireExponent(p)
    guard tolerance >= 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0") }
    guard iterationLimit >= 1 else {
      throw InvalidArgument("iterationLimit", found: "\(iterationLimit)", wanted: "at least 1")
    }
    try matrix.requireMatrix("matrix")
    guard rightSide.shape == [matrix.rows] else {
      throw InvalidArgument("rightSide", found: "shape \(rightSide.shape)", wanted: "shape [\(matrix.rows)]")
    }
    try rightSide.requireFinite("rightSide")
    return (matrix as? Tensor<Double> ?? Tensor(matrix), rightSide as? Tensor<Double> ?? Tensor(rightSide))
  }

  private func cost(_ a: Tensor<Double>, _ b: Tensor<Double>, _ x: Tensor<Double>) -> Double {
    (a.matmul(x) - b).absolute().power(p).sum().scalar
  }

  private func solve(_ a: Tensor<Double>, _ b: Tensor<Double>) throws -> LpRegressionSolution {
    let d = a.columns
    let least = try a.leastSquares(b)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    // b in the range of A: every norm has the same minimizer.
    let scale = b.norm().scalar
    if least.residualNorms.scalar <= 1e-13 * scale || p == 2 {
      _ = convergence.continues(residual: 0)
      let cost = cost(a, b, least.solution)
      return LpRegressionSolution(
        solution: least.solution, p: p, costPower: cost, lowerBoundPower: p == 2 ? cost : 0, rank: least.rank,
        convergence: convergence)
    }
    // In orthonormal coordinates of [A, factor b]: z = T y, of which the last entry must be -1. The factor makes b as
    // large as A, so that rounding does not take it for dependent.
    let factor = max(a.absolute().maximum().scalar, .leastNormalMagnitude) / b.absolute().maximum().scalar
    let space = try ColumnSpace(of: .concatenated([a, (b * factor).expanded(axis: 1)], axis: 1))
    let constraint = (-space.coefficients[d].dense).scalars
    let minimizer = LpMinimizer(p: p, basis: space.basis, iterationLimit: iterationLimit, tolerance: tolerance)
    let minimum = minimizer.minimize(constraint, LpMinimizer.Workspace(minimizer))
    let z = space.coefficients.matmul(Tensor(minimum.x))
    let x = (z[0..<d] / factor).dense
    let cost = cost(a, b, x)
    let bound = min(minimum.lowerBound / Double.pow(factor, p), cost)
    for _ in 1..<max(minimum.iterations, 1) { _ = convergence.continues(residual: 1) }
    _ = convergence.continues(residual: minimum.isConverged ? 0 : 1 - bound / cost)
    return LpRegressionSolution(
      solution: x, p: p, costPower: cost, lowerBoundPower: bound, rank: least.rank, convergence: convergence)
  }
}

/// A solution of ℓp regression.
public struct LpRegressionSolution: Sendable {
  /// x, of shape [d].
  public let solution: Tensor<Double>
  public let p: Double
  var costPower: Double
  let lowerBoundPower: Double
  /// The rank of A (or of its sample).
  public let rank: Int
  /// The residual is the relative gap of cost and bound where the iteration did not settle, else zero.
  public let convergence: Convergence
  /// The rows of the sample that was solved; `nil` where all were.
  public internal(set) var sampledRows: Int?

  /// ‖A x - b‖_p over all rows.
  public var cost: Double { Double.pow(costPower, 1 / p) }
  /// No x has a smaller cost, over the rows that were solved for.
  public var lowerBound: Double { Double.pow(lowerBoundPower, 1 / p) }
}
