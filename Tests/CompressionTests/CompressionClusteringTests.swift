import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct CompressionClusteringTests {
  private static let bounds: [ConcatenationBound] = [.weylBase, .weylMax, .residual, .incremental(oversampling: 5)]

  @Test(arguments: 0..<40)
  func everyClusterIsCertified(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let blocks = randomBlocks(&generator)
    let method = CompressionClustering(
      tolerance: Double.random(in: 0...0.8, using: &generator), rank: Int.random(in: 1...10, using: &generator),
      bound: Self.bounds[Int(seed % 4)], order: Bool.random(using: &generator) ? .norm : .residual,
      patience: Int.random(in: 1...4, using: &generator), verifiesErrors: true)
    let result = try method.fit(blocks)
    #expect(result.clusters.flatMap(\.members).sorted() == Array(blocks.indices), "a partition; seed \(seed)")
    for (number, cluster) in result.clusters.enumerated() {
      for i in cluster.members { #expect(result.labels[i] == number) }
      let error = try directError(cluster.members.map { blocks[$0] }, rank: method.rank)
      #expect(cluster.isUncompressible ? error > method.tolerance : error <= method.tolerance + 1e-7, "seed \(seed)")
      #expect(cluster.history.allSatisfy { $0 <= method.tolerance })
      let exact = try #require(cluster.exactError)
      #expect(abs(exact - (cluster.isUncompressible ? 0 : error)) < 2e-7, "seed \(seed)")
      #expect(cluster.predictedError >= exact - 2e-7)
    }
  }

  @Test func findsHiddenGroups() throws {
    var generator = TestGenerator(seed: 1)
    let blocks = try groupedBlocks(24, groups: 3, &generator)
    let result = try CompressionClustering(tolerance: 0.12, rank: 4, verifiesErrors: true).fit(blocks)
    #expect(result.clusters.count == 3)
    for cluster in result.clusters { #expect(Set(cluster.members.map { $0 % 3 }).count == 1) }
    #expect(result.compressionRatio < 0.4 && result.storedScalars == 3 * 4 * (48 + 32))
    #expect(result.rawScalars == 24 * 48 * 4)
    let single = try CompressionClustering(tolerance: 0.12, rank: 4).fit(blocks.map { Tensor<Float>($0) })
    #expect(single.clusters.map(\.members) == result.clusters.map(\.members), "the same in single precision")
  }

  @Test func limitsOfTheTolerance() throws {
    var generator = TestGenerator(seed: 2)
    let blocks: [Tensor<Double>] = (0..<9).map { _ in generator.tensor([20, 6]) }
    for bound in Self.bounds {
      let all = try CompressionClustering(tolerance: 1, rank: 3, bound: bound).fit(blocks)
      #expect(all.clusters.count == 1, "\(bound)")
      let none = try CompressionClustering(tolerance: 0, rank: 6, bound: bound).fit(blocks)
      #expect(none.clusters.count == 9 && none.clusters.allSatisfy { !$0.isUncompressible })
      let raw = try CompressionClustering(tolerance: 0, rank: 3, bound: bound).fit(blocks)
      #expect(raw.clusters.allSatisfy(\.isUncompressible) && raw.compressionRatio == 1)
    }
    // What lies in the span, and nothing else, joins at zero.
    var mixed = blocks
    mixed.insert(blocks[4].matmul(generator.tensor([6, 3])), at: 0)
    mixed.append(.zeros([20, 2]))
    let exact = try CompressionClustering(tolerance: 0, rank: 6, patience: 20).fit(mixed)
    #expect(exact.labels[0] == exact.labels[5] && exact.clusters.count == 9)
    for (i, cluster) in exact.clusters.enumerated() where i != exact.labels[0] && i != exact.labels[10] {
      #expect(cluster.members.count == 1)
    }
  }

  @Test(arguments: 0..<10)
  func duplicatesJoin(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var blocks: [Tensor<Double>] = (0..<6).map { _ in generator.tensor([30, 5]) }
    let original = Int.random(in: 0..<6, using: &generator)
    blocks.append(blocks[original])
    let result = try CompressionClustering(tolerance: 0.05, rank: 5).fit(blocks)
    #expect(result.labels[6] == result.labels[original], "seed \(seed)")
    #expect(result.clusters.count == 6)
  }

  @Test func narrowBlocksFillTheBaseAndPatienceStops() throws {
    var generator = TestGenerator(seed: 4)
    let narrow: [Tensor<Double>] = (0..<12).map { _ in generator.tensor([40, 2]) }
    let result = try CompressionClustering(tolerance: 0, rank: 8).fit(narrow)
    #expect(result.clusters.map(\.members.count) == [4, 4, 4])
    let stopped = try CompressionClustering(tolerance: 0, rank: 8, patience: 1).fit(narrow)
    #expect(stopped.clusters.map(\.members.count) == [4] + [Int](repeating: 1, count: 8))
  }

  @Test(arguments: 0..<8)
  func compressionReconstructs(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var blocks = try groupedBlocks(12, groups: 3, rows: 30, &generator)
    blocks.append(generator.tensor([30, 9]) * 5)  // wider than the rank, and far from it
    let method = CompressionClustering(tolerance: 0.25, rank: 4, verifiesErrors: true)
    let result = try method.fit(blocks)
    let shared = try result.compress(blocks)
    #expect(shared.storedScalars == result.storedScalars && shared.blockCount == 13)
    #expect(result.clusters[result.labels[12]].isUncompressible && shared.reconstruct(12) == blocks[12])
    for cluster in result.clusters {
      let error = try relativeError(shared, blocks, cluster.members)
      #expect(abs(error - (try #require(cluster.exactError))) < 1e-7, "seed \(seed)")
    }
    for i in blocks.indices {
      let x: Tensor<Double> = generator.tensor([blocks[i].columns, 2])
      #expect(distance(shared.apply(i, x), shared.reconstruct(i).matmul(x)) < 1e-12)
    }
    let least = try result.compress(blocks, rank: .minimal(tolerance: 0.4))
    #expect(least.storedScalars < shared.storedScalars)
    for cluster in least.clusters {
      let members = cluster.members.map { blocks[$0] }
      let rank = cluster.left.columns
      #expect(try relativeError(least, blocks, cluster.members) <= 0.4 + 1e-9, "seed \(seed)")
      if rank > 1 { #expect(try directError(members, rank: rank - 1) > 0.4) }
    }
    let smaller = try CompressionClustering(tolerance: 0, rank: 4).fit(Array(blocks.prefix(2)))
    #expect(
      try smaller.compress(Array(blocks.prefix(2)), keepsSmaller: true).storedScalars == smaller.leastStoredScalars)
    let floats = try result.compress(blocks.map { Tensor<Float>($0) })
    #expect(distance(floats.reconstruct(3), Tensor<Float>(shared.reconstruct(3))) < 1e-5)
  }

  private func relativeError(
    _ shared: SharedBasisCompression<Double>, _ blocks: [Tensor<Double>], _ members: [Int]
  ) throws -> Double {
    let missed = members.reduce(0.0) { $0 + (blocks[$1] - shared.reconstruct($1)).sumOfSquares().scalar }
    let total = members.reduce(0.0) { $0 + blocks[$1].sumOfSquares().scalar }
    return (missed / total).squareRoot()
  }

  @Test func refinementMergesWhatGreedyGrowthSplit() throws {
    var generator = TestGenerator(seed: 5)
    let blocks = try groupedBlocks(18, groups: 3, noise: 0.01, &generator)
    let method = CompressionClustering(tolerance: 0.2, rank: 4, bound: .weylBase, verifiesErrors: true)
    let split = try method.fit(blocks)
    #expect(split.clusters.count == 18)
    let refined = try method.refined(split, of: blocks)
    #expect(refined.clusters.count == 3 && refined.clusters.flatMap(\.members).sorted() == Array(0..<18))
    for cluster in refined.clusters {
      #expect(Set(cluster.members.map { $0 % 3 }).count == 1)
      let exact = try #require(cluster.exactError)
      #expect(cluster.predictedError <= 0.2 && exact <= cluster.predictedError + 1e-9)
    }
    #expect(throws: InvalidArgument.self) { try method.refined(split, of: Array(blocks.prefix(4))) }
  }

  @Test func resultsDoNotDependOnTheNumberOfThreads() throws {
    var generator = TestGenerator(seed: 6)
    let blocks = try groupedBlocks(30, groups: 4, rows: 64, width: 6, &generator)
    let method = CompressionClustering(tolerance: 0.2, rank: 6, verifiesErrors: true)
    let one = try withThreads(1) { try method.fit(blocks) }
    for threads in [2, 3] { #expect(try withThreads(threads) { try method.fit(blocks) } == one, "\(threads) threads") }
  }

  @Test func badInput() throws {
    let a = Tensor<Double>.ones([3, 2])
    let none: [Tensor<Double>] = []
    #expect(throws: InvalidArgument.self) { try CompressionClustering().fit(none) }
    let error = #expect(throws: InvalidArgument.self) { try CompressionClustering().fit([a, .ones([2, 2])]) }
    #expect(error?.name == "block 1")
    let wrong = [
      CompressionClustering(tolerance: -0.1), CompressionClustering(tolerance: .nan), CompressionClustering(rank: 0),
      CompressionClustering(bound: .incremental(oversampling: -1)), CompressionClustering(patience: 0),
    ]
    for method in wrong { #expect(throws: InvalidArgument.self) { try method.fit([a]) } }
    #expect(throws: InvalidArgument.self) { try CompressionClustering().fit([Tensor<Double>([[.nan]])]) }
    let result = try CompressionClustering(rank: 4).fit([a])
    #expect(throws: InvalidArgument.self) { try result.compress([a]) }
    #expect(throws: InvalidArgument.self) { try result.compress([a, a]) }
    let fine = try CompressionClustering(rank: 2).fit([a])
    #expect(throws: InvalidArgument.self) { try fine.compress([a], rank: .minimal(tolerance: -1)) }
  }
}
