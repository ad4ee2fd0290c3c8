public import LinearAlgebra
public import Tensors

/// Non-uniform low-rank reduction: one threshold on the normalised singular values of all matrices.
///
/// Matrices whose spectra fall fast keep few directions, those with heavy tails keep many; the threshold is as low as the
/// budget allows. Data-free and one-shot.
///
/// - `keepingParameters`: at most that fraction of all parameters is stored.
/// - `rank(K)`: the same total rank as rank K everywhere, spread by the threshold.
/// - `relativeError(e)`: the highest threshold at which every matrix is within e.
///
/// ```swift
/// let survey = try SpectrumSurvey(named: weights)
/// let plan = try survey.allocateRanks(.parameters(0.5))
/// let compressed = try plan.applied(to: weights)
/// ```
///
/// - Source: Jaiswal et al., "From GaLore to WeLore: how low-rank weights non-uniformly emerge from low-rank gradients",
///   2024, arXiv 2407.11239.
public struct WeLore: CheckpointCompressor {
  /// What decides which singular values stay; the other rules are baselines.
  public var rule: RankRule
  /// See ``SpectrumSurvey/allocateRanks(_:rule:minimumReduction:)``.
  public var minimumReduction: Double?

  public init(rule: RankRule = .normalizedThreshold, minimumReduction: Double? = nil) {
    (self.rule, self.minimumReduction) = (rule, minimumReduction)
  }

  public func plan(
    for matrices: [MatrixSource], budget: CompressionBudget, progress: WorkProgress
  ) throws -> CompressionPlan {
    try budget.validate()
    let survey = try SpectrumSurvey(matrices, progress: progress)
    return try rankPlan(survey, budget: budget).compressionPlan
  }

  /// The ranks behind ``plan(for:budget:progress:)``.
  public func rankPlan(_ survey: SpectrumSurvey, budget: CompressionBudget) throws -> RankPlan {
    try budget.validate()
    let search = ThresholdSearch(keys: try survey.keys(of: rule))
    switch budget {
    case .keepingParameters(let ratio):
      if ratio < 1 {
        return try survey.allocateRanks(.parameters(ratio), rule: rule, minimumReduction: minimumReduction)
      }
      let everything = search.least { _ in true } ?? .init(threshold: 0, ranks: survey.entries.map(\.shape.shortSide))
      return survey.plan(everything, rule: rule, minimumReduction: minimumReduction)
    case .rank(let rank):
      let wanted = survey.entries.reduce(0) { $0 + min(rank, $1.shape.shortSide) }
      guard let solution = search.least(where: { $0.reduce(0, +) <= wanted }) else {
        let least = (Double(search.smallest.reduce(0, +)) / Double(survey.entries.count)).rounded(.up)
        throw InvalidArgument(
          "rank", found: "\(rank)", wanted: "at least \(Int(least)), the least mean rank possible here")
      }
      return survey.plan(solution, rule: rule, minimumReduction: minimumReduction)
    case .relativeError(let error):
      let needed = survey.entries.map { leastRank($0.energies, dropping: error * error) }
      let solution =
        search.greatest { ranks in
          // Within the error once factored, or not factored at all.
          let plan = survey.plan(.init(threshold: 0, ranks: ranks), rule: rule, minimumReduction: minimumReduction)
          return zip(plan.entries, needed).allSatisfy { $0.component == .notLowRank || $0.rank >= $1 }
        } ?? .init(threshold: 0, ranks: survey.entries.map(\.shape.shortSide))
      return survey.plan(solution, rule: rule, minimumReduction: minimumReduction)
    }
  }
}

extension RankPlan {
  /// The plan as it is carried out on a checkpoint.
  public var compressionPlan: CompressionPlan {
    CompressionPlan(
      groups: entries.map { entry in
        let saves = GroupLayout([entry.shape], sharing: .left).saves(rank: entry.rank)
        let decision: CompressionPlan.Decision =
          switch entry.component {
          case .lowRank: .factored(rank: entry.rank)
          case .notLowRank:
            .dense(saves ? .reductionTooSmall(rank: entry.rank) : .factorsNotSmaller(rank: entry.rank))
          }
        return .init(members: [entry.shape], decision: decision, predictedError: entry.relativeError)
      })
  }

  /// The low-rank components as factors, the square roots of the singular values in either; the others as they are.
  ///
  /// - Throws: `InvalidArgument` when the matrices are not those of the plan, by name and shape.
  /// - Complexity: O(m n min(m, n)) time for each low-rank component, several at a time.
  public func applied<Scalar: LinearScalar>(
    to matrices: [(name: String, matrix: Tensor<Scalar>)], progress: WorkProgress = .silent
  ) throws -> [(name: String, matrix: CompressedMatrix<Scalar>)] {
    guard matrices.map(\.name) == entries.map(\.name) else {
      throw InvalidArgument(
        "matrices", found: "\(matrices.count) matrices", wanted: "those of the plan, in its order: \(entries.count)")
    }
    for (entry, matrix) in zip(entries, matrices.map(\.matrix)) {
      guard matrix.shape == [entry.shape.rows, entry.shape.columns] else {
        throw InvalidArgument(
          entry.name, found: "shape \(matrix.shape)", wanted: "[\(entry.shape.rows), \(entry.shape.columns)]")
      }
    }
    try progress.report(0, of: entries.count)
    let parts = try parallelMap(entries.count) { i -> CompressedMatrix<Scalar> in
      guard entries[i].component == .lowRank else { return .dense(matrices[i].matrix) }
      return .factored(try FactoredMatrix(truncating: matrices[i].matrix, rank: entries[i].rank))
    }
    try progress.report(entries.count, of: entries.count)
    return zip(entries, parts).map { ($0.name, $1) }
  }
}

/// A matrix after compression: as factors, or as it was.
public enum CompressedMatrix<Scalar: LinearScalar>: Sendable {
  case factored(FactoredMatrix<Scalar>)
  case dense(Tensor<Scalar>)

  public func reconstructed() -> Tensor<Scalar> {
    switch self {
    case .factored(let factors): factors.reconstructed()
    case .dense(let matrix): matrix
    }
  }

  public func apply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    switch self {
    case .factored(let factors): factors.apply(x)
    case .dense(let matrix): matrix.matmul(x)
    }
  }

  public var parameterCount: Int {
    switch self {
    case .factored(let factors): factors.parameterCount
    case .dense(let matrix): matrix.count
    }
  }
}
