public import LinearAlgebra
public import Tensors

/// Which matrices may share one rank-r left basis: greedy clustering with a certified error for every merge.
///
/// Clusters grow one block at a time, from the largest remaining block, while a certified bound of the cluster's relative
/// rank-r error stays within the tolerance.
///
/// ```swift
/// let clustering = try CompressionClustering(tolerance: 0.15, rank: 8).fit(blocks)
/// let shared = try clustering.compress(blocks)
/// ```
///
/// - Source: Shamrai, "Concatenated matrix SVD: compression bounds, incremental approximation, and error-constrained
///   clustering", 2026, arXiv 2601.11626.
public struct CompressionClustering: Sendable, Hashable {
  /// In which order blocks are offered to a cluster.
  public enum Order: Sendable, Hashable {
    /// Smallest Frobenius norm first.
    case norm
    /// Smallest part outside the span of the cluster's first blocks first: those that fit best. Bounds that know no span
    /// (Weyl's) use the norm.
    case residual
  }

  /// The relative error, in the Frobenius norm, that no cluster exceeds.
  public var tolerance: Double
  /// The rank r of a cluster's basis.
  public var rank: Int
  public var bound: ConcatenationBound
  public var order: Order
  /// After this many clusters in a row that accepted nothing, every remaining block gets its own.
  public var patience: Int
  /// Whether to compute the exact error of each cluster too.
  public var verifiesErrors: Bool

  public init(
    tolerance: Double = 0.1, rank: Int = 10, bound: ConcatenationBound = .incremental(oversampling: 5),
    order: Order = .residual, patience: Int = 10, verifiesErrors: Bool = false
  ) {
    (self.tolerance, self.rank, self.bound, self.order) = (tolerance, rank, bound, order)
    (self.patience, self.verifiesErrors) = (patience, verifiesErrors)
  }

  /// Clusters blocks of shapes [m, n_i].
  ///
  /// - Throws: `InvalidArgument` for an empty list, blocks of different row counts (the message names the block), numbers
  ///   that are not finite, rank < 1, a negative or undefined tolerance, oversampling < 0 or patience < 1.
  /// - Complexity: O(C m r W + N (m k n + (k + n)³)) time for C clusters, W columns in all and k directions.
  public func fit<Scalar: LinearScalar>(
    _ blocks: [Tensor<Scalar>], progress: WorkProgress = .silent
  ) throws -> BlockClustering {
    try validateSettings()
    let blocks = try BlockList(blocks)
    var candidates = CandidateStack(blocks)
    var clusters: [BlockClustering.Cluster] = []
    var lonely = 0
    while let first = candidates.largest, lonely < patience {
      try progress.report(blocks.indices.count - candidates.count, of: blocks.indices.count)
      var members = [first]
      candidates.remove(first)
      var width = blocks.widths[first]
      while let next = candidates.largest, width + blocks.widths[next] <= rank {
        width += blocks.widths[next]
        members.append(next)
        candidates.remove(next)
      }
      var certificate = try bound.certificate(rank: rank)
      try certificate.append(blocks.concatenated(members))
      guard certificate.relativeError <= tolerance else {
        // A block wider than r whose own error is too large; nothing that joins it can lower its share.
        clusters.append(.init(members: members, isUncompressible: true))
        lonely += 1
        continue
      }
      var history = [certificate.relativeError]
      for next in candidates.ordered(by: order, basis: certificate.basis) {
        var trial = certificate
        try trial.append(blocks[next])
        guard trial.relativeError <= tolerance else { break }
        certificate = trial
        members.append(next)
        candidates.remove(next)
        history.append(trial.relativeError)
      }
      lonely = history.count > 1 ? 0 : lonely + 1
      clusters.append(.init(members: members, history: history))
    }
    while let block = candidates.largest {
      candidates.remove(block)
      let error = try blocks.exactError([block], rank: rank)
      clusters.append(
        error <= tolerance
          ? .init(members: [block], history: [error]) : .init(members: [block], isUncompressible: true))
    }
    try progress.report(blocks.indices.count, of: blocks.indices.count)
    return try BlockClustering(clusters, blocks, rank: rank, verifying: verifiesErrors)
  }

  func validateSettings() throws {
    try requireRank(rank)
    guard tolerance >= 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0") }
    guard patience >= 1 else { throw InvalidArgument("patience", found: "\(patience)", wanted: "at least 1") }
    _ = try bound.certificate(rank: rank)
  }
}

/// The blocks that belong to no cluster yet.
private struct CandidateStack {
  private let blocks: BlockList
  /// Remaining indices by decreasing norm; those that were removed are skipped.
  private var byNorm: [Int]
  private var position = 0
  private var isFree: [Bool]
  private(set) var count: Int
  /// Remaining blocks side by side, and some that are gone: one product scores them all.
  private var stack = Tensor<Double>.zeros([0, 0])
  private var stacked: [Int] = []

  init(_ blocks: BlockList) {
    self.blocks = blocks
    // Ties by index: sorting is not stable by contract.
    byNorm = blocks.indices.sorted { (blocks.energies[$0], $1) > (blocks.energies[$1], $0) }
    isFree = [Bool](repeating: true, count: blocks.indices.count)
    count = blocks.indices.count
  }

  var largest: Int? {
    mutating get {
      while position < byNorm.count, !isFree[byNorm[position]] { position += 1 }
      return position < byNorm.count ? byNorm[position] : nil
    }
  }

  mutating func remove(_ block: Int) {
    isFree[block] = false
    count -= 1
  }

  /// The remaining blocks in the order in which a cluster with this basis tries them.
  mutating func ordered(by order: CompressionClustering.Order, basis: Tensor<Double>) -> [Int] {
    guard count > 0 else { return [] }
    if order == .norm || basis.isEmpty { return byNorm[position...].reversed().filter { isFree[$0] } }
    if stacked.isEmpty || stacked.count > 2 * count {
      stacked = blocks.indices.filter { isFree[$0] }
      stack = blocks.concatenated(stacked)
    }
    // ‖(I - QQᵀ) A‖² = ‖A‖² - ‖Qᵀ A‖².
    let inside = basis.matmul(stack, transposingA: true).sumOfSquares(axes: [0]).scalars
    var scores: [(residual: Double, block: Int)] = []
    scores.reserveCapacity(count)
    var column = 0
    for block in stacked {
      let end = column + blocks.widths[block]
      if isFree[block] {
        let missed = blocks.energies[block] - inside[column..<end].reduce(0, +)
        // What is rounding counts as nothing, so that exact fits come first, in the order of their index.
        scores.append((missed <= roundingShare * blocks.energies[block] ? 0 : missed, block))
      }
      column = end
    }
    scores.sort { $0 < $1 }
    return scores.map(\.block)
  }
}
