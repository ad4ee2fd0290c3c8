public import Tensors

/// Every matrix on its own, by truncated singular value decomposition: the baseline of all low-rank methods.
///
/// - `keepingParameters`: the same fraction of the rank everywhere, as large as the budget allows. Spectra do not matter,
///   so planning reads nothing.
/// - `rank(K)`: rank K everywhere, or the short side where it is smaller.
/// - `relativeError(e)`: for each matrix the least rank that is within e.
///
/// Where factors would be no smaller than the matrix, it stays dense.
public struct TruncatedSVD: CheckpointCompressor {
  public init() {}

  public func plan(
    for matrices: [MatrixSource], budget: CompressionBudget, progress: WorkProgress
  ) throws -> CompressionPlan {
    try budget.validate()
    try validate(matrices.map(\.name))
    let shapes = matrices.map(\.shape)
    switch budget {
    case .rank(let rank):
      return CompressionPlan(
        groups: shapes.map { shape in .init([shape], rank: min(rank, shape.shortSide)) { _ in nil } })
    case .keepingParameters(let ratio):
      let ranks = try uniformRanks(shapes, keeping: ratio)
      return CompressionPlan(groups: zip(shapes, ranks).map { shape, rank in .init([shape], rank: rank) { _ in nil } })
    case .relativeError(let error):
      let energies = try survey(matrices, progress: progress) { try singularSpectrum(of: $0).map { $0 * $0 } }
      return CompressionPlan(
        groups: zip(shapes, energies).map { shape, energies in
          .init([shape], rank: leastRank(energies, dropping: error * error)) { truncationError(energies, rank: $0) }
        })
    }
  }
}

/// Ranks floor(f q), and at least one, for the largest fraction f at which at most `ratio` of the parameters are stored.
func uniformRanks(_ shapes: [MatrixShape], keeping ratio: Double) throws -> [Int] {
  let layouts = shapes.map { GroupLayout([$0], sharing: .left) }
  let search = ThresholdSearch(keys: shapes.map { uniformKeys(shortSide: $0.shortSide) })
  let total = Double(shapes.reduce(0) { $0 + $1.count })
  func stored(_ ranks: [Int]) -> Double { Double(zip(layouts, ranks).reduce(0) { $0 + $1.0.stored(rank: $1.1) }) }
  guard let solution = search.least(where: { stored($0) <= ratio * total }) else {
    throw InvalidArgument.unreachable(ratio, least: stored(search.smallest) / total)
  }
  return solution.ranks
}
