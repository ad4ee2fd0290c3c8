public import LinearAlgebra
public import Tensors

/// Blocks in clusters that share a left basis: a partition, with the certified error of each part.
public struct BlockClustering: Sendable, Hashable {
  public struct Cluster: Sendable, Hashable {
    /// Indices of blocks in the order in which they joined.
    public var members: [Int]
    /// The certified error after the first blocks, and after each one that joined; empty when uncompressible.
    public var history: [Double]
    /// The exact relative error at rank r, if it was asked for; zero for a block that is kept as it is.
    public var exactError: Double?
    /// One block whose own error exceeds the tolerance: it is kept as it is.
    public var isUncompressible: Bool

    init(members: [Int], history: [Double] = [], isUncompressible: Bool = false) {
      (self.members, self.history, self.isUncompressible) = (members, history, isUncompressible)
    }

    /// The certified relative error; zero for a block that is kept as it is.
    public var predictedError: Double { history.last ?? 0 }
  }

  public var clusters: [Cluster]
  /// For each block, the number of its cluster.
  public let labels: [Int]
  public let rank: Int
  /// The rows that all blocks have, and the columns of each.
  public let rows: Int
  public let widths: [Int]

  init(_ clusters: [Cluster], _ blocks: BlockList, rank: Int, verifying: Bool) throws {
    self.clusters = clusters
    var labels = [Int](repeating: 0, count: blocks.indices.count)
    for (number, cluster) in clusters.enumerated() { for i in cluster.members { labels[i] = number } }
    (self.labels, self.rank, rows, widths) = (labels, rank, blocks.rows, blocks.widths)
    guard verifying else { return }
    let errors = try parallelMap(clusters.count) { i in
      clusters[i].isUncompressible ? 0 : try blocks.exactError(clusters[i].members, rank: rank)
    }
    for i in clusters.indices { self.clusters[i].exactError = errors[i] }
  }

  /// The numbers in the blocks themselves.
  public var rawScalars: Int { rows * widths.reduce(0, +) }
  /// The numbers in factors of rank r, r (m + sum n_i) for each cluster; uncompressible blocks as they are.
  public var storedScalars: Int { clusters.reduce(0) { $0 + factorScalars($1) } }
  /// The same, with the blocks themselves wherever factors would be larger.
  public var leastStoredScalars: Int {
    clusters.reduce(0) { $0 + min(factorScalars($1), rows * width($1)) }
  }
  /// Stored over raw: below one is a saving.
  public var compressionRatio: Double { Double(storedScalars) / Double(rawScalars) }
  /// The largest certified error of a cluster.
  public var largestPredictedError: Double { clusters.map(\.predictedError).max() ?? 0 }
  /// The largest exact error of a cluster, if errors were verified.
  public var largestExactError: Double? {
    let errors = clusters.compactMap(\.exactError)
    return errors.count == clusters.count ? errors.max() : nil
  }

  private func width(_ cluster: Cluster) -> Int { cluster.members.reduce(0) { $0 + widths[$1] } }
  private func factorScalars(_ cluster: Cluster) -> Int {
    let width = width(cluster)
    return cluster.isUncompressible ? rows * width : min(rank, rows, width) * (rows + width)
  }
}

extension CompressionClustering {
  /// Merges whole clusters while the certified error of the union stays within the tolerance, best pair first.
  ///
  /// Works on the states of ``IncrementalSVD``, whatever bound the clustering used.
  /// - Throws: `InvalidArgument` when the clustering is not one of these blocks, and as ``fit(_:progress:)``.
  /// - Complexity: O(C² m k² + C² k³) time for C clusters and k = r + p directions.
  public func refined<Scalar: LinearScalar>(
    _ clustering: BlockClustering, of blocks: [Tensor<Scalar>]
  ) throws -> BlockClustering {
    try validateSettings()
    let blocks = try BlockList(blocks)
    try clustering.require(blocks)
    let oversampling = if case .incremental(let oversampling) = bound { oversampling } else { 5 }
    var open = clustering.clusters.filter { !$0.isUncompressible }
    var states = try open.map { cluster in
      var state = IncrementalSVD<Double>(rank: rank, oversampling: oversampling)
      for i in cluster.members { try state.append(blocks[i]) }
      return state
    }
    func merged(_ i: Int, _ j: Int) throws -> IncrementalSVD<Double> {
      var state = states[i]
      try state.merge(states[j])
      return state
    }
    /// errors[i][j] of the union of i and j, for j < i.
    var errors = try states.indices.map { i in try (0..<i).map { try merged(i, $0).relativeError } }
    while true {
      var best = (error: Double.infinity, i: 0, j: 0)
      for i in errors.indices { for j in 0..<i where errors[i][j] < best.error { best = (errors[i][j], i, j) } }
      guard best.error <= tolerance else { break }
      let (i, j) = (best.i, best.j)
      states[j] = try merged(j, i)
      open[j].members += open[i].members
      open[j].history.append(states[j].relativeError)
      states.remove(at: i)
      open.remove(at: i)
      errors.remove(at: i)
      for k in i..<errors.count { errors[k].remove(at: i) }
      for k in states.indices where k != j { errors[max(j, k)][min(j, k)] = try merged(j, k).relativeError }
    }
    let kept = clustering.clusters.filter(\.isUncompressible)
    return try BlockClustering(open + kept, blocks, rank: rank, verifying: verifiesErrors)
  }
}

extension BlockClustering {
  func require(_ blocks: BlockList) throws {
    guard blocks.rows == rows, blocks.widths == widths else {
      throw InvalidArgument(
        "blocks", found: "\(blocks.indices.count) blocks of \(blocks.rows) rows",
        wanted: "the \(labels.count) blocks of \(rows) rows that were clustered, in their order")
    }
  }
}
