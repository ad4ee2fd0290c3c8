public import Tensors

/// Matrices that share a factor where that pays, by concatenated singular value decomposition.
///
/// Matrices with the same number of rows are candidates for one left factor (with the same number of columns for one right
/// factor, when `sharedSide` is right: projections of the same input, such as query, key and value, then share what they
/// read). Clusters grow greedily from the largest matrix, as in ``CompressionClustering``, with the exact error of the
/// union in place of a bound: it needs one small Gram matrix, to which a candidate adds its own.
///
/// - `relativeError(e)`: a candidate joins when the union needs fewer numbers within e than it needs apart; every cluster
///   gets the least rank within e.
/// - `keepingParameters`: the same, at the least e for which single matrices fit into the budget. Sharing then frees
///   parameters, and e falls until they are used: no cluster has a larger error than without sharing.
/// - `rank(r)`: the published procedure; clusters of rank r grow while the error stays within `tolerance`.
///
/// - Complexity: a values-only decomposition for each matrix and each candidate tried. Memory of a few times the largest
///   matrix: where the square of the common extent is larger than that, nothing is shared.
/// - Source: Shamrai, 2026, arXiv 2601.11626. The criterion that compares numbers stored is Apus's own.
public struct ConcatenatedSVD: CheckpointCompressor {
  public var sharedSide: CompressionPlan.Group.SharedSide
  /// The relative error that no cluster exceeds under a budget of `rank(r)`; by default, that of the single matrix which
  /// rank r fits worst.
  public var tolerance: Double?
  /// After this many clusters in a row that accepted nothing, every remaining matrix stays alone.
  public var patience: Int

  public init(
    sharedSide: CompressionPlan.Group.SharedSide = .left, tolerance: Double? = nil, patience: Int = 10
  ) {
    (self.sharedSide, self.tolerance, self.patience) = (sharedSide, tolerance, patience)
  }

  public func plan(
    for matrices: [MatrixSource], budget: CompressionBudget, progress: WorkProgress
  ) throws -> CompressionPlan {
    try budget.validate()
    try validate(matrices.map(\.name))
    guard patience >= 1 else { throw InvalidArgument("patience", found: "\(patience)", wanted: "at least 1") }
    if let tolerance {
      guard tolerance >= 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0") }
    }
    let energies = try survey(matrices, progress: progress) { try singularSpectrum(of: $0).map { $0 * $0 } }
    let singles = zip(matrices, energies).map { SharingCluster($0, energies: $1, sharing: sharedSide) }
    let total = Double(singles.reduce(0) { $0 + $1.shape.count })

    switch budget {
    case .relativeError(let error):
      return plan(try grow(singles, by: .storage(share: error * error))) {
        leastRank($0.energies, dropping: error * error)
      }
    case .keepingParameters(let ratio):
      let share = Self.leastShare(singles, storing: ratio * total)?.threshold ?? 1
      let clusters = try grow(singles, by: .storage(share: share))
      guard let solution = Self.leastShare(clusters, storing: ratio * total) else {
        let least = clusters.reduce(0) { $0 + $1.layout.stored(rank: 1) }
        throw InvalidArgument.unreachable(ratio, least: Double(least) / total)
      }
      return CompressionPlan(groups: zip(clusters, solution.ranks).map { $0.group(rank: $1) })
    case .rank(let rank):
      let worst = singles.filter { $0.layout.saves(rank: min(rank, $0.shape.shortSide)) }
        .map { truncationError($0.energies, rank: rank) }.max()
      let clusters = try grow(singles, by: .error(rank: rank, limit: tolerance ?? worst ?? 0))
      return CompressionPlan(
        groups: clusters.map { cluster in
          let group = cluster.group(rank: min(rank, cluster.energies.count))
          if let tolerance, let error = group.predictedError, error > tolerance {
            // A matrix alone that rank r does not fit within the tolerance is kept as it is.
            return cluster.group(rank: leastRank(cluster.energies, dropping: tolerance * tolerance))
          }
          return group
        })
    }
  }

  private func plan(_ clusters: [SharingCluster], rank: (SharingCluster) -> Int) -> CompressionPlan {
    CompressionPlan(groups: clusters.map { $0.group(rank: rank($0)) })
  }

  /// The least squared error, as a share of each cluster's energy, at which all fit into `budget` numbers.
  private static func leastShare(_ clusters: [SharingCluster], storing budget: Double) -> ThresholdSearch.Solution? {
    ThresholdSearch(keys: clusters.map { energyKeys($0.energies) }).least { ranks in
      Double(zip(clusters, ranks).reduce(0) { $0 + $1.0.layout.stored(rank: $1.1) }) <= budget
    }
  }

  // MARK: Clusters

  /// When a union is better than its parts.
  private enum Criterion {
    case storage(share: Double)
    case error(rank: Int, limit: Double)

    func rank(_ cluster: SharingCluster) -> Int {
      switch self {
      case .storage(let share): leastRank(cluster.energies, dropping: share)
      case .error(let rank, _): min(rank, cluster.energies.count)
      }
    }

    func accepts(_ union: SharingCluster, of cluster: SharingCluster, and single: SharingCluster) -> Bool {
      switch self {
      case .storage:
        let apart = cluster.layout.stored(rank: rank(cluster)) + single.layout.stored(rank: rank(single))
        return union.layout.stored(rank: rank(union)) < apart
      case .error(let rank, let limit):
        return single.layout.saves(rank: min(rank, single.energies.count))
          && truncationError(union.energies, rank: rank) <= limit
      }
    }
  }

  /// Clusters in the order of their first matrices in the list.
  private func grow(_ singles: [SharingCluster], by criterion: Criterion) throws -> [SharingCluster] {
    let largest = singles.map(\.shape.count).max() ?? 0
    var pools: [Int: [Int]] = [:]
    for (i, single) in singles.enumerated() { pools[single.layout.sharedExtent, default: []].append(i) }
    let shareable = pools.filter { extent, members in members.count > 1 && extent * extent <= 4 * largest }
      .values.sorted { $0[0] < $1[0] }
    let grown = try parallelMap(shareable.count) { try grow(shareable[$0].map { singles[$0] }, from: criterion) }
    let alone = Set(singles.indices).subtracting(shareable.joined()).map { singles[$0] }
    var position: [String: Int] = [:]
    for (i, single) in singles.enumerated() { position[single.shape.name] = i }
    return (alone + grown.joined()).sorted { position[$0.shape.name] ?? 0 < position[$1.shape.name] ?? 0 }
  }

  /// Greedy growth among matrices with one common extent.
  private func grow(_ pool: [SharingCluster], from criterion: Criterion) throws -> [SharingCluster] {
    var waiting = pool.sorted { ($0.energy, $1.shape.name) > ($1.energy, $0.shape.name) }
    var clusters: [SharingCluster] = []
    var lonely = 0
    while !waiting.isEmpty, lonely < patience {
      var cluster = waiting.removeFirst()
      let rank = criterion.rank(cluster)
      // A matrix that stays dense has no factor to share.
      guard cluster.layout.saves(rank: rank), !waiting.isEmpty else {
        clusters.append(cluster)
        continue
      }
      let missed = try cluster.shareMissed(of: waiting, rank: rank)
      let order = waiting.indices.sorted { (missed[$0], $0) < (missed[$1], $1) }
      var joint = JointSpectrum(try cluster.load(0))
      var taken: Set<Int> = []
      for i in order {
        var trial = joint
        trial.append(try waiting[i].load(0))
        let union = cluster.joined(by: waiting[i], energies: try trial.squaredSingularValues())
        guard criterion.accepts(union, of: cluster, and: waiting[i]) else { break }
        (cluster, joint) = (union, trial)
        taken.insert(i)
      }
      lonely = taken.isEmpty ? lonely + 1 : 0
      waiting = waiting.indices.filter { !taken.contains($0) }.map { waiting[$0] }
      clusters.append(cluster)
    }
    return clusters + waiting
  }
}

/// Matrices that share a factor, and the squared singular values of all of them side by side.
private struct SharingCluster {
  var sources: [MatrixSource]
  var energies: [Double]
  let side: CompressionPlan.Group.SharedSide

  init(_ source: MatrixSource, energies: [Double], sharing side: CompressionPlan.Group.SharedSide) {
    (sources, self.energies, self.side) = ([source], energies, side)
  }

  var shape: MatrixShape { sources[0].shape }
  var energy: Double { energies.reduce(0, +) }
  var layout: GroupLayout { GroupLayout(sources.map(\.shape), sharing: side) }

  /// Member `index`, turned so that the shared factor is the left one.
  func load(_ index: Int) throws -> Tensor<Float> {
    let matrix = try sources[index].loaded()
    return side == .left ? matrix : matrix.transposed
  }

  func joined(by other: SharingCluster, energies: [Double]) -> SharingCluster {
    var union = self
    union.sources += other.sources
    union.energies = energies
    return union
  }

  func group(rank: Int) -> CompressionPlan.Group {
    CompressionPlan.Group(sources.map(\.shape), rank: rank, sharing: side) { truncationError(energies, rank: $0) }
  }

  /// For each candidate, the share of its energy outside the leading `rank` directions of this cluster's first matrix.
  func shareMissed(of candidates: [SharingCluster], rank: Int) throws -> [Double] {
    let first = try load(0)
    let factors = try SharedFactors<Float>.streamed(rows: first.rows, widths: [first.columns], rank: rank) { _ in first
    }
    let lengths = factors.left.sumOfSquares(axes: [0]).sqrt().maximum(.leastNormalMagnitude)
    let basis = factors.left / lengths
    return try parallelMap(candidates.count) { i in
      let inside = Double(basis.matmul(try candidates[i].load(0), transposingA: true).sumOfSquares().scalar)
      let energy = candidates[i].energy
      return energy > 0 ? 1 - inside / energy : 0
    }
  }
}

/// The singular values of blocks side by side, from the smaller Gram matrix: of the columns while there are few of them,
/// of the rows from then on. Never larger than the square of the row count.
private struct JointSpectrum {
  private var parts: [Tensor<Float>]
  private var width: Int
  private var rowGram: Tensor<Double>?

  init(_ block: Tensor<Float>) {
    (parts, width) = ([block], block.columns)
    fold()
  }

  mutating func append(_ block: Tensor<Float>) {
    parts.append(block)
    width += block.columns
    fold()
  }

  /// Sums up A Aᵀ as soon as the blocks together are wide.
  private mutating func fold() {
    guard let rows = parts.first?.rows, width >= rows else { return }
    for part in parts {
      let own = gramMatrix(part, transposing: false)
      rowGram = rowGram.map { $0 + own } ?? own
    }
    parts = []
  }

  func squaredSingularValues() throws -> [Double] {
    let gram = rowGram ?? gramMatrix(Tensor.concatenated(parts, axis: 1), transposing: true)
    return try gram.symmetricEigenvalues().scalars.reversed().map { max($0, 0) }
  }
}
