public import LinearAlgebra
import Numerics
public import Tensors

/// The ℓp sensitivities of the rows of a matrix: σ_i = max |a_iᵀx|^p / ‖A x‖_p^p.
///
/// They say how much of any ‖A x‖_p^p a single row can be: the smallest sound probabilities, up to a factor, to sample
/// rows by. For p = 2 they are the leverage scores.
///
/// ```swift
/// let sensitivities = try LpSensitivities(p: 1).estimate(a)
/// sensitivities.values, sensitivities.lowerBounds, sensitivities.upperBounds, sensitivities.total
/// ```
///
/// - Complexity: exact, O(n² d²) an iteration of about thirty; by a coreset of k rows, O(n k d²); memory O(n d).
/// - Source: Woodruff and Yasuda, "Sharper bounds for ℓp sensitivity sampling", ICML 2023.
public struct LpSensitivities: Sendable, Hashable {
  public enum Method: Sendable, Hashable {
    /// One convex problem over all rows for each row; bounds from duality.
    case exact
    /// One convex problem for each row over a sample of the rows by Lewis weights, right to about 1 ± ε; exact where the
    /// sample would not be smaller than the matrix. Bounds from Lewis weights.
    case coreset(accuracy: Double = 0.25)
    /// Buckets of this many rows at random, each replaced by a sum with random signs, whose sensitivity all of its rows
    /// get: one problem a bucket, over-estimates by a constant factor in expectation.
    case bucketed(rows: Int)
  }

  /// 1 <= p < infinity.
  public var p: Double
  public var method: Method
  /// Most iterations for a row.
  public var iterationLimit: Int
  public var seed: UInt64

  public init(p: Double, method: Method = .coreset(), iterationLimit: Int = 60, seed: UInt64 = 1) {
    (self.p, self.method, self.iterationLimit, self.seed) = (p, method, iterationLimit, seed)
  }

  /// The sensitivities of the rows of `matrix`, of shape [n, d].
  ///
  /// A matrix with dependent columns is taken for its column space.
  /// - Throws: `InvalidArgument` for settings or a matrix that cannot be used; `CancellationError`.
  public func estimate<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> LpSensitivityEstimate {
    try validate()
    return try estimate(basis: ColumnSpace(of: matrix).basis, progress: progress)
  }

  private func validate() throws {
    try requireExponent(p)
    guard iterationLimit >= 1 else {
      throw InvalidArgument("iterationLimit", found: "\(iterationLimit)", wanted: "at least 1")
    }
    switch method {
    case .exact: break
    case .coreset(let accuracy):
      guard accuracy > 0, accuracy.isFinite else {
        throw InvalidArgument("accuracy", found: "\(accuracy)", wanted: "above 0")
      }
    case .bucketed(let rows):
      guard rows >= 1 else { throw InvalidArgument("rows", found: "\(rows) in a bucket", wanted: "at least 1") }
    }
  }

  func estimate(basis: Tensor<Double>, progress: WorkProgress = .silent) throws -> LpSensitivityEstimate {
    try validate()
    let leverage = ColumnSpace.leverageScores(basis)
    if p == 2 {
      return LpSensitivityEstimate(
        values: leverage, lowerBounds: leverage, upperBounds: leverage, rank: basis.columns, coresetRows: nil,
        unconverged: 0)
    }
    let lewis = try LewisWeights(p: p).solve(basis: basis)
    var random = RandomStream(seed: seed)
    switch method {
    case .exact: return try solved(basis, over: basis, lewis, leverage, isExact: true, progress)
    case .coreset(let accuracy):
      let rows = coresetRows(rank: basis.columns, accuracy: accuracy)
      guard rows < basis.rows else { return try solved(basis, over: basis, lewis, leverage, isExact: true, progress) }
      let sample = LpRowSample.drawn(scores: lewis.weights, rows: rows, p: p, passes: 1, &random)
      let coreset = sample.apply(to: basis)
      let space = try ColumnSpace(of: coreset)
      guard space.rank == basis.columns else {
        return try solved(basis, over: basis, lewis, leverage, isExact: true, progress)
      }
      return try solved(basis, over: coreset, lewis, leverage, isExact: false, progress)
    case .bucketed(let size):
      return try bucketed(basis, size: size, lewis, leverage, &random, progress)
    }
  }

  private func coresetRows(rank: Int, accuracy: Double) -> Int {
    let d = Double(rank)
    return max(40 * rank, Int((8 * d * Double.log(max(d, 2)) / (accuracy * accuracy)).rounded(.up)))
  }

  /// One problem for each row of `basis`, over the rows of `coreset`.
  private func solved(
    _ basis: Tensor<Double>, over coreset: Tensor<Double>, _ lewis: LewisWeightsSolution, _ leverage: Tensor<Double>,
    isExact: Bool, _ progress: WorkProgress
  ) throws -> LpSensitivityEstimate {
    // An estimate that is right to ε anyway needs no more digits than that.
    let minimizer = LpMinimizer(
      p: p, basis: coreset, iterationLimit: iterationLimit, tolerance: isExact ? 1e-10 : 1e-3)
    let minima = try minimized(minimizer, basis, polishing: isExact, progress)
    let certified = certifiedBounds(lewis, leverage)
    let values = Tensor(minima.map { $0.map { 1 / $0.cost } ?? 0 })
    if isExact {
      let lower = values.minimum(1)
      let upper = Tensor(minima.map { $0.map { $0.lowerBound > 0 ? min(1, 1 / $0.lowerBound) : 1 } ?? 0 })
      return LpSensitivityEstimate(
        values: lower, lowerBounds: lower, upperBounds: upper.maximum(lower), rank: basis.columns, coresetRows: nil,
        unconverged: minima.count { $0?.isConverged == false })
    }
    return LpSensitivityEstimate(
      values: values.maximum(certified.lower).minimum(certified.upper), lowerBounds: certified.lower,
      upperBounds: certified.upper, rank: basis.columns, coresetRows: coreset.rows,
      unconverged: minima.count { $0?.isConverged == false })
  }

  /// The minimum for each row of `rows` as the constraint; `nil` for rows of zeros.
  private func minimized(
    _ minimizer: LpMinimizer, _ rows: Tensor<Double>, polishing: Bool, _ progress: WorkProgress
  ) throws -> [LpMinimizer.Minimum?] {
    let size = rows.columns
    let all = rows.scalars
    var minima = [LpMinimizer.Minimum?](repeating: nil, count: rows.rows)
    let batch = 256
    for first in stride(from: 0, to: rows.rows, by: batch) {
      try progress.report(first, of: rows.rows, "sensitivities")
      let last = min(first + batch, rows.rows)
      let groups = min(8, last - first)
      minima.withUnsafeMutableBufferPointer { minima in
        let results = minima.baseAddress!
        parallelTasks(groups) { group in
          let work = LpMinimizer.Workspace(minimizer)
          for i in first + (last - first) * group / groups..<first + (last - first) * (group + 1) / groups {
            let row = Array(all[i * size..<(i + 1) * size])
            if row.contains(where: { $0 != 0 }) {
              results[i] = minimizer.minimize(row, work, polishing: polishing)
            }
          }
        }
      }
    }
    return minima
  }

  /// Bounds that hold for A itself, from Lewis weights w and leverage scores τ.
  private func certifiedBounds(
    _ lewis: LewisWeightsSolution, _ leverage: Tensor<Double>
  ) -> (lower: Tensor<Double>, upper: Tensor<Double>) {
    let d = Double(lewis.rank)
    if p <= 2 { return (lewis.weights * Double.pow(d, p / 2 - 1), lewis.weights) }
    return (leverage.power(p / 2), (lewis.weights * Double.pow(d, p / 2 - 1)).minimum(1))
  }

  private func bucketed(
    _ basis: Tensor<Double>, size: Int, _ lewis: LewisWeightsSolution, _ leverage: Tensor<Double>,
    _ random: inout RandomStream, _ progress: WorkProgress
  ) throws -> LpSensitivityEstimate {
    let n = basis.rows
    let count = (n + size - 1) / size
    let buckets = random.integers([n], in: 0..<count)
    let isPositive = random.bernoulli([n, 1], probability: 0.5)
    let signs = isPositive.select(Tensor(repeating: 1.0, shape: [n, 1]), Tensor(repeating: -1.0, shape: [n, 1]))
    let sums = Tensor.zeros([count, basis.columns]).scatterAdded(basis * signs, at: buckets)
    let rows = coresetRows(rank: basis.columns, accuracy: 0.5)
    let coreset =
      rows < n
      ? LpRowSample.drawn(scores: lewis.weights, rows: rows, p: p, passes: 1, &random).apply(to: basis) : basis
    let minimizer = LpMinimizer(p: p, basis: coreset, iterationLimit: iterationLimit, tolerance: 1e-3)
    let minima = try minimized(minimizer, sums, polishing: false, progress)
    let shared = Tensor(minima.map { $0.map { 1 / $0.cost } ?? 0 }).gathered(buckets)
    let certified = certifiedBounds(lewis, leverage)
    return LpSensitivityEstimate(
      values: shared.maximum(certified.lower).minimum(certified.upper), lowerBounds: certified.lower,
      upperBounds: certified.upper, rank: basis.columns, coresetRows: coreset.rows,
      unconverged: minima.count { $0?.isConverged == false })
  }
}

/// Sensitivities, with bounds that hold for the matrix itself.
public struct LpSensitivityEstimate: Sendable {
  /// σ, of shape [n].
  public let values: Tensor<Double>
  /// No sensitivity is below: from a feasible point (exact), else from Lewis weights and leverage scores.
  public let lowerBounds: Tensor<Double>
  /// No sensitivity is above: from duality (exact), else from Lewis weights.
  public let upperBounds: Tensor<Double>
  /// The rank of the matrix.
  public let rank: Int
  /// The rows of the sample that stood in for the matrix; `nil` where all rows were used.
  public let coresetRows: Int?
  /// How many rows reached their iteration limit: their values are right between their bounds.
  public let unconverged: Int

  /// 𝔖 = Σ σ_i.
  public var total: Double { values.sum().scalar }
  public var isConverged: Bool { unconverged == 0 }
}
