public import LinearAlgebra
public import Tensors

/// Blocks as products with the left basis of their cluster.
public struct SharedBasisCompression<Scalar: LinearScalar>: Sendable {
  /// A cluster's factors.
  public struct Cluster: Sendable {
    /// Indices of the blocks.
    public let members: [Int]
    /// Of shape [m, r], shared by all members.
    public let left: Tensor<Scalar>
    /// One for each member, of shape [r, n_i].
    public let rights: [Tensor<Scalar>]
  }

  /// Clusters that are kept as factors.
  public let clusters: [Cluster]
  /// Blocks that are kept as they are, by index.
  public let raw: [Int: Tensor<Scalar>]
  /// For each block, the place of its factors.
  private let places: [(cluster: Int, member: Int)?]

  init(clusters: [Cluster], raw: [Int: Tensor<Scalar>], count: Int) {
    (self.clusters, self.raw) = (clusters, raw)
    var places = [(cluster: Int, member: Int)?](repeating: nil, count: count)
    for (i, cluster) in clusters.enumerated() {
      for (j, block) in cluster.members.enumerated() { places[block] = (i, j) }
    }
    self.places = places
  }

  public var blockCount: Int { places.count }

  /// The factors of block `index`; nothing when it is kept as it is.
  public func factors(_ index: Int) -> FactoredMatrix<Scalar>? {
    guard let place = places[index] else { return nil }
    return FactoredMatrix(left: clusters[place.cluster].left, right: clusters[place.cluster].rights[place.member])
  }

  /// Block `index`, approximately; exactly when it is kept as it is.
  public func reconstruct(_ index: Int) -> Tensor<Scalar> {
    if let factors = factors(index) { return factors.reconstructed() }
    guard let block = raw[index] else { preconditionFailure("block \(index) has neither factors nor numbers") }
    return block
  }

  /// A_i x for x of shape [n_i], or [n_i, p], without forming A_i.
  public func apply(_ index: Int, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    factors(index)?.apply(x) ?? reconstruct(index).matmul(x)
  }

  /// The numbers stored: a left factor once for each cluster.
  public var storedScalars: Int {
    let factors = clusters.reduce(0) { total, cluster in
      total + cluster.left.count + cluster.rights.reduce(0) { $0 + $1.count }
    }
    return factors + raw.values.reduce(0) { $0 + $1.count }
  }
}

/// Which rank a cluster's factors get.
public enum ClusterRank: Sendable, Hashable {
  /// The rank of the clustering, or less where a cluster has fewer rows or columns.
  case fixed
  /// The least rank at which the cluster's relative error is within a tolerance.
  case minimal(tolerance: Double)
}

extension BlockClustering {
  /// The truncated singular value decomposition of each cluster, its right factor cut into one piece a block.
  ///
  /// - Parameter keepsSmaller: whether blocks stay as they are where factors would be larger.
  /// - Throws: `InvalidArgument` when these are not the blocks that were clustered, and when the rank exceeds the rows or
  ///   the columns of all blocks together.
  /// - Complexity: O(m n min(m, n)) time for a cluster of n columns, several at a time.
  public func compress<Scalar: LinearScalar>(
    _ blocks: [Tensor<Scalar>], rank choice: ClusterRank = .fixed, keepsSmaller: Bool = false
  ) throws -> SharedBasisCompression<Scalar> {
    let checked = try BlockList(blocks)
    try require(checked)
    let limit = min(rows, widths.reduce(0, +))
    guard rank <= limit else {
      throw InvalidArgument("rank", found: "\(rank)", wanted: "1 to \(limit) for \(rows) rows and these widths")
    }
    if case .minimal(let tolerance) = choice, !(tolerance >= 0) {
      throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0")
    }
    typealias Factors = SharedBasisCompression<Scalar>.Cluster
    let parts = try parallelMap(clusters.count) { i -> Factors? in
      let cluster = clusters[i]
      let width = cluster.members.reduce(0) { $0 + widths[$1] }
      guard !cluster.isUncompressible else { return nil }
      let clusterRank =
        switch choice {
        case .fixed: min(rank, rows, width)
        case .minimal(let tolerance): leastRank(try checked.spectrum(cluster.members), dropping: tolerance * tolerance)
        }
      guard !keepsSmaller || clusterRank * (rows + width) < rows * width else { return nil }
      let factors = try SharedFactors(of: cluster.members.map { blocks[$0] }, rank: clusterRank)
      return Factors(members: cluster.members, left: factors.left, rights: factors.rights)
    }
    var raw: [Int: Tensor<Scalar>] = [:]
    for (cluster, part) in zip(clusters, parts) where part == nil {
      for i in cluster.members { raw[i] = blocks[i] }
    }
    return SharedBasisCompression(clusters: parts.compactMap { $0 }, raw: raw, count: blocks.count)
  }
}
