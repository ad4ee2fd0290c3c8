import CVectorKernels
public import LinearAlgebra
public import Tensors

/// How the least-squares problem of each row is solved.
public enum CompletionSolver: Sendable, Hashable {
  /// A few steps of conjugate gradients from the last sweep's solution: time linear in entries and rank.
  case conjugateGradients(steps: Int = 2)
  /// Conjugate gradients to a relative gradient, preconditioned by a sparse sketch of the row's equations with four times
  /// as many rows as the rank. Rows shorter than twice the sketch are solved directly.
  case sketched(tolerance: Double = 1e-6)
  /// Normal equations: time quadratic in the rank.
  case direct
}

/// Completion of a low-rank matrix from some of its entries, by alternating least squares with inexact solves.
///
/// M ≈ U Vᵀ of rank k. Each sweep solves for V with U fixed, orthonormalizes V, and the same the other way round. Between
/// orthonormalizations the product is kept, so that every row starts from its last solution; orthonormal factors of
/// incoherent matrices make the rows' equations well conditioned, and two steps of conjugate gradients keep the linear
/// convergence of exact solves.
///
/// ```swift
/// let observed = try SparseObservations(rows: m, columns: n, rowIndices: i, columnIndices: j, values: ratings)
/// let result = try MatrixCompletion(rank: 10).complete(observed)
/// result.predict(row: 3, column: 14)
/// ```
///
/// - Complexity: O(|Ω| k + (m + n) k²) time a sweep with conjugate gradients; O(|Ω| + (m + n) k) memory.
/// - Source: Gu, Song, Yin and Zhang, "Low Rank Matrix Completion via Robust Alternating Minimization in Nearly Linear
///   Time", ICLR 2024, arXiv 2302.11068. Warm starts stand for its sketched solver, which is `.sketched`.
public struct MatrixCompletion: Sendable, Hashable {
  /// The rank of the completed matrix (k).
  public var rank: Int
  public var solver = CompletionSolver.conjugateGradients()
  /// λ in ‖P_Ω(U Vᵀ - M)‖² + λ (‖U‖² + ‖V‖²), for noisy data. With zero, factors are orthonormalized in turn; with more,
  /// they are left as they are, for the penalty depends on their sizes.
  public var ridge = 0.0
  /// Residuals above this count linearly instead of squared (Huber's loss), against gross errors; nil for squares only.
  public var huberThreshold: Double?
  /// Solves every row on so many random blocks of its entries, and takes the solution that is nearest to most of the
  /// others, against a few entries that are entirely wrong; an odd number of at least 3, or nil. Rows with fewer than
  /// twice as many entries in a block as the rank has are solved as a whole. The start is chosen from blocks likewise.
  ///
  /// Source: Hsu and Sabato, "Loss minimization and parameter estimation with heavy tails", JMLR 17 (2016).
  public var medianBlocks: Int?
  /// Uses a fresh random part of the entries for each half of a sweep, as the analysis of the method does. For studies:
  /// it wastes data.
  public var splitsSamples = false
  /// Sets rows of the spectral start to zero that are four times as long as on average.
  public var clipsStart = true
  /// Half-width of the power iteration behind the spectral start: products with M Mᵀ.
  public var startPowerIterations = 4
  public var sweepLimit = 100
  /// Relative change of the observed residual at which sweeps end.
  public var tolerance = 1e-8
  /// ‖P_Ω(U Vᵀ - M)‖ / ‖P_Ω(M)‖ at which they end too.
  public var wantedError = 0.0
  /// Relative size of a random error added to each solution, to study robustness.
  public var perturbation = 0.0
  /// Whether the observed residual is noted after every half of a sweep.
  public var notesHalfSweeps = false
  public var seed: UInt64 = 1

  public init(rank: Int) { self.rank = rank }

  /// Completes the matrix from its observed entries.
  ///
  /// - Parameter validation: entries that are not used but predicted after each sweep, of the same shape.
  /// - Throws: `InvalidArgument` for settings out of range and a rank above the smaller extent.
  public func complete<Scalar: LinearScalar>(
    _ observed: SparseObservations<Scalar>, validation: SparseObservations<Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> CompletionResult<Scalar> {
    try validate(observed, validation)
    var random = RandomStream(seed: seed)
    var parts: [SparseObservations<Scalar>] = []
    if splitsSamples { parts = try observed.parts(2 * sweepLimit + 1, random: &random) }
    let first = parts.first ?? observed
    var blocks: [SparseObservations<Scalar>] = []
    if let medianBlocks { blocks = try first.parts(medianBlocks, random: &random) }
    let start = try spectralStart(blocks.isEmpty ? [first] : blocks, random: &random)
    var iteration = try CompletionIteration(
      self, observed, start: start, parts: parts, blocks: BlockMedian(blocks, rank: rank), random: random)
    if let validation { iteration.monitor = RowRegression(validation.byRows) }
    iteration.note(halfSweep: false)

    var convergence = Convergence(tolerance: tolerance, iterationLimit: sweepLimit)
    var best = iteration.factors
    var bestError = iteration.error
    var diverged: Int?
    var goesOn = sweepLimit > 0 && bestError > 0
    if !goesOn { _ = convergence.continues(residual: 0) }
    while goesOn {
      try progress.report(convergence.iterations, of: sweepLimit, "sweep")
      let before = iteration.error
      try iteration.sweep(convergence.iterations)
      let after = iteration.error
      goesOn = convergence.continues(residual: after > 0 ? abs(before - after) / before : 0)
      // At rounding level, nothing is left to gain.
      if after <= max(wantedError, 4 * Double(Scalar.ulpOfOne)) { goesOn = false }
      if after <= bestError {
        (best, bestError) = (iteration.factors, after)
        iteration.history.returnedSweep = convergence.iterations
      }
      if !(after <= 10 * bestError), !splitsSamples, perturbation == 0 {
        diverged = convergence.iterations
        goesOn = false
      }
    }
    if diverged == nil {
      best = iteration.factors
      iteration.history.returnedSweep = convergence.iterations
    }
    return try result(best, observed, start, iteration.history, convergence, diverged)
  }

  /// The k leading singular triplets of P_Ω(M) / p, whose mean over random places is M.
  ///
  /// - Throws: `InvalidArgument` for settings out of range.
  /// - Complexity: O(|Ω| k) time a power iteration.
  public func spectralInitialization<Scalar: LinearScalar>(
    of observed: SparseObservations<Scalar>
  ) throws -> SpectralStart<Scalar> {
    try validate(observed, nil)
    var random = RandomStream(seed: seed)
    return try leadingTriplets(observed, count: rank, random: &random)
  }

  /// The rank, of 1 through `rank`, behind which the singular values of P_Ω(M) / p drop by the largest factor.
  public func estimateRank<Scalar: LinearScalar>(of observed: SparseObservations<Scalar>) throws -> Int {
    try validate(observed, nil)
    var random = RandomStream(seed: seed)
    let count = min(rank + 1, observed.rows, observed.columns)
    let values = try leadingTriplets(observed, count: count, random: &random).values.scalars
    let gaps = (1..<max(count, 2)).map { i -> Scalar in
      i < values.count ? values[i - 1] / max(values[i], .leastNormalMagnitude) : 1
    }
    return (gaps.indices.max { gaps[$0] < gaps[$1] } ?? 0) + 1
  }

  // MARK: Details

  private func validate<Scalar>(
    _ observed: SparseObservations<Scalar>, _ validation: SparseObservations<Scalar>?
  ) throws {
    let limit = min(observed.rows, observed.columns)
    guard 1 <= rank, rank <= limit else {
      throw InvalidArgument("rank", found: "\(rank)", wanted: "1 through \(limit), the smaller extent")
    }
    guard ridge >= 0, ridge.isFinite else {
      throw InvalidArgument("ridge", found: "\(ridge)", wanted: "a finite number of at least 0")
    }
    if let huberThreshold, !(huberThreshold > 0) {
      throw InvalidArgument("huberThreshold", found: "\(huberThreshold)", wanted: "above 0")
    }
    if let medianBlocks, medianBlocks < 3 || medianBlocks % 2 == 0 || splitsSamples {
      throw InvalidArgument(
        "medianBlocks", found: "\(medianBlocks)\(splitsSamples ? " with split samples" : "")",
        wanted: "an odd number of at least 3, without split samples")
    }
    if case .conjugateGradients(let steps) = solver, steps < 1 {
      throw InvalidArgument("steps", found: "\(steps)", wanted: "at least 1")
    }
    if case .sketched(let tolerance) = solver, !(tolerance > 0) {
      throw InvalidArgument("tolerance of the sketched solver", found: "\(tolerance)", wanted: "above 0")
    }
    guard sweepLimit >= 0, tolerance >= 0, startPowerIterations >= 0, perturbation >= 0 else {
      throw InvalidArgument(
        "settings",
        found: "sweepLimit \(sweepLimit), tolerance \(tolerance), startPowerIterations "
          + "\(startPowerIterations), perturbation \(perturbation)", wanted: "none of them negative")
    }
    if let validation, (validation.rows, validation.columns) != (observed.rows, observed.columns) {
      throw InvalidArgument(
        "validation", found: "shape [\(validation.rows), \(validation.columns)]",
        wanted: "[\(observed.rows), \(observed.columns)], that of the observations")
    }
  }

  private func leadingTriplets<Scalar: LinearScalar>(
    _ observed: SparseObservations<Scalar>, count: Int, random: inout RandomStream
  ) throws -> SpectralStart<Scalar> {
    let width = min(count + 8, observed.rows, observed.columns)
    let start: Tensor<Scalar> = random.normal([observed.columns, width])
    var basis = try observed.byRows.matmul(start).orthonormalFactors().orthogonal
    for _ in 0..<startPowerIterations {
      let back = try observed.byColumns.matmul(basis).orthonormalFactors().orthogonal
      basis = try observed.byRows.matmul(back).orthonormalFactors().orthogonal
    }
    // Qᵀ A, transposed.
    let small = try SingularValueDecomposition(of: observed.byColumns.matmul(basis)).truncated(rank: count)
    return SpectralStart(
      left: basis.matmul(small.right), values: small.values / Scalar(observed.density), right: small.left)
  }

  private func spectralStart<Scalar: LinearScalar>(
    _ blocks: [SparseObservations<Scalar>], random: inout RandomStream
  ) throws -> CompletionStart<Scalar> {
    let starts = try blocks.map { try leadingTriplets($0, count: rank, random: &random) }
    let svd = starts[BlockMedian<Scalar>.central(starts.map(\.left))]
    var left = svd.left
    var clipped: [Int] = []
    if clipsStart {
      // μ is taken as 4: no row of an incoherent matrix is longer than this.
      let bound = 4 * Scalar.sqrt(Scalar(rank) / Scalar(left.rows))
      let isLong = left.norm(axis: 1) .> bound
      clipped = isLong.trueIndices.scalars
      if !clipped.isEmpty {
        left = left * (1 - Tensor<Scalar>(isLong)).expanded(axis: 1)
        left = try QRDecomposition(of: left).orthogonal
      }
    }
    // With a new basis, the old coordinates are those of its projection.
    let right = svd.right * svd.values
    let turned = clipped.isEmpty ? right : right.matmul(left.matmul(svd.left, transposingA: true), transposingB: true)
    return CompletionStart(left: left, right: turned, clippedRows: clipped)
  }

  private func result<Scalar: LinearScalar>(
    _ factors: (left: Tensor<Scalar>, right: Tensor<Scalar>), _ observed: SparseObservations<Scalar>,
    _ start: CompletionStart<Scalar>, _ history: CompletionHistory, _ convergence: Convergence, _ diverged: Int?
  ) throws -> CompletionResult<Scalar> {
    let (left, right) = (
      factors.left[.all, 0..<rank].dense, factors.right[.all, 0..<rank].dense
    )
    let (a, b) = (try QRDecomposition(of: left), try QRDecomposition(of: right))
    let core = try SingularValueDecomposition(of: a.upper.matmul(b.upper, transposingB: true))
    var notices: [CompletionNotice] = []
    let (emptyRows, emptyColumns) = (observed.emptyRows, observed.emptyColumns)
    if !emptyRows.isEmpty { notices.append(.emptyRows(emptyRows)) }
    if !emptyColumns.isEmpty { notices.append(.emptyColumns(emptyColumns)) }
    if observed.duplicateCount > 0 { notices.append(.duplicatesAveraged(observed.duplicateCount)) }
    let freedom = rank * (observed.rows + observed.columns - rank)
    if observed.count < freedom { notices.append(.underdetermined(observations: observed.count, freedom: freedom)) }
    if let diverged { notices.append(.diverged(sweep: diverged)) }
    return CompletionResult(
      left: a.orthogonal.matmul(core.left), values: core.values, right: b.orthogonal.matmul(core.right),
      history: history, convergence: convergence, clippedRows: start.clippedRows, notices: notices)
  }
}

/// The leading singular triplets of the observed entries over their density, an unbiased guess at the matrix.
public struct SpectralStart<Scalar: LinearScalar>: Sendable {
  /// Shapes [m, k], [k] and [n, k]; orthonormal columns, and values that decrease.
  public let left: Tensor<Scalar>, values: Tensor<Scalar>, right: Tensor<Scalar>

  /// U diag(S) Vᵀ, of shape [m, n].
  public func reconstructed() -> Tensor<Scalar> { (left * values).matmul(right, transposingB: true) }
}

/// An orthonormal U and the V that belongs to it.
struct CompletionStart<Scalar: LinearScalar> {
  var left: Tensor<Scalar>, right: Tensor<Scalar>
  var clippedRows: [Int]
}
