import CatalogueCore
import Compression
import LinearAlgebra
import SpecialFunctions
import Tensors

/// Hidden groups of blocks, clustered under each bound and by k-means.
struct ConcatSVDClaim {
  let settings: ClaimSettings
  private let tolerance = 0.15
  private let rank = 8

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try hiddenGroups(&evidence)
    try tightness(&evidence)
    try decayingNorms(&evidence)
    try ConcatSVDDigits(settings: settings).add(to: &evidence)
    if settings.isFull { try scaling(&evidence) }
    evidence.notes.append(
      "Blocks are drawn from Apus's own random streams: figures differ a little from the specification's prototype.")
    return evidence
  }

  /// Blocks basis[group] G s + noise; the inner factor G has as many rows as the basis has columns.
  private func blocks(
    _ count: Int, groups: Int, rows: Int = 96, dimension: Int = 8, width: Int = 8, noise: Double = 0.03,
    random: inout RandomStream, scale: (Int) -> Double? = { _ in nil }
  ) throws -> [Tensor<Double>] {
    let bases = try (0..<groups).map { _ in
      try QRDecomposition(of: random.normal([rows, dimension], of: Double.self)).orthogonal
    }
    return (0..<count).map { i in
      let drawn = random.uniform([1], in: 0.5..<1.5, of: Double.self).scalar
      let factor = scale(i) ?? drawn
      let inner = random.normal([dimension, width], of: Double.self) * factor
      let spread = noise * (scale(i) ?? 1)
      return bases[i % groups].matmul(inner) + random.normal([rows, width], of: Double.self) * spread
    }
  }

  // MARK: Panels

  private func hiddenGroups(_ evidence: inout Evidence) throws {
    let methods: [(String, ConcatenationBound, CompressionClustering.Order)] = [
      ("incremental, by residual", .incremental(oversampling: 5), .residual),
      ("incremental, by norm", .incremental(oversampling: 5), .norm), ("residual", .residual, .residual),
      ("weyl", .weylBase, .norm),
    ]
    var table = Table(
      "64 blocks in 8 hidden groups",
      columns: ["method", "seed", "clusters", "largest exact error", "stored / raw", "adjusted Rand index"],
      caption: "Rank 8, tolerance 0.15. Ratios above one: factors of single 96 x 8 blocks are larger than the blocks.")
    var largest = [Double](repeating: 0, count: methods.count)
    var agreement = Double.infinity
    var ratio = 0.0
    var byKMeans = Double.infinity
    var together = Double.infinity
    for seed in settings.seed..<settings.seed + 3 {
      var random = RandomStream(seed: seed)
      let blocks = try blocks(64, groups: 8, random: &random)
      let truth = blocks.indices.map { $0 % 8 }
      for (i, (name, bound, order)) in methods.enumerated() {
        let method = CompressionClustering(
          tolerance: tolerance, rank: rank, bound: bound, order: order, verifiesErrors: true)
        let result = try method.fit(blocks, progress: settings.progress)
        let error = result.largestExactError ?? .infinity
        let index = adjustedRandIndex(result.labels, truth)
        table.add([name, Int(seed), result.clusters.count, error, result.compressionRatio, index])
        largest[i].keepMaximum(of: error)
        guard i == 0 else { continue }
        agreement.keepMinimum(of: index)
        ratio.keepMaximum(of: result.compressionRatio)
        let flat = Tensor.stacked(blocks.map(\.flattened))
        let labels = try KMeans(clusters: result.clusters.count).fit(flat, random: &random).labels
        var worst = 0.0
        for label in Set(labels) {
          let members = blocks.indices.filter { labels[$0] == label }.map { blocks[$0] }
          worst.keepMaximum(of: try concatenationError(members, rank: rank))
        }
        table.add(["k-means", Int(seed), Set(labels).count, worst, nil as Double?, adjustedRandIndex(labels, truth)])
        byKMeans.keepMinimum(of: worst)
        together.keepMinimum(of: try concatenationError(blocks, rank: rank))
        if seed == settings.seed { evidence.plots += try growth(blocks, result) }
      }
    }
    evidence.tables.append(table)
    for (error, method) in zip(largest, methods) {
      evidence.check("largest exact error, \(method.0)", claimed: "≤ 0.15", measured: error, .atMost(tolerance))
    }
    evidence.check(
      "adjusted Rand index, least of 3 seeds", claimed: "0.95, 0.96, 1.00", measured: agreement, .atLeast(0.85))
    evidence.check("stored / raw, most of 3 seeds", claimed: "0.21 to 0.24", measured: ratio, .atMost(0.30))
    evidence.check(
      "largest error of a k-means cluster, least of 3 seeds", claimed: "violates 0.15", measured: byKMeans,
      .above(tolerance))
    evidence.check("error of all blocks together", claimed: "above 0.6", measured: together, .above(0.6))
  }

  /// Predicted and exact error while the first cluster grows, and the sizes of all.
  private func growth(_ blocks: [Tensor<Double>], _ result: BlockClustering) throws -> [Plot] {
    guard let cluster = result.clusters.max(by: { $0.members.count < $1.members.count }) else { return [] }
    let steps = 1...cluster.members.count
    func errors(_ bound: ConcatenationBound) throws -> [Double] {
      try steps.map { count in
        try concatenationErrorBound(cluster.members.prefix(count).map { blocks[$0] }, rank: rank, bound: bound)
      }
    }
    let exact = try steps.map { try concatenationError(cluster.members.prefix($0).map { blocks[$0] }, rank: rank) }
    return [
      Plot(
        "Errors while a cluster grows", caption: "The incremental estimate follows the exact error; the others do not.",
        x: "blocks", y: "relative error at rank 8",
        [
          Series("exact", exact, .lineAndPoints),
          Series("incremental", try errors(.incremental(oversampling: 5)), .lineAndPoints),
          Series("residual", try errors(.residual), .lineAndPoints),
          Series("Weyl", try errors(.weylBase), .lineAndPoints),
        ], marks: [.horizontal(at: tolerance, "tolerance")]),
      Plot(
        "Cluster sizes", x: "cluster", y: "blocks",
        [Series("", result.clusters.map { Double($0.members.count) }, .bars)]),
    ]
  }

  private func tightness(_ evidence: inout Evidence) throws {
    var random = RandomStream(seed: settings.seed)
    let all = try blocks(24, groups: 4, width: 16, random: &random)
    let bounds: [(String, ConcatenationBound)] = [
      ("incremental", .incremental(oversampling: 5)), ("residual", .residual), ("weyl", .weylBase),
    ]
    var table = Table("How tight the bounds are", columns: ["blocks", "exact", "incremental", "residual", "weyl"])
    for (name, chosen) in [("four groups", all), ("one group", all.indices.filter { $0 % 4 == 0 }.map { all[$0] })] {
      let exact = try concatenationError(chosen, rank: rank)
      let errors = try bounds.map { try concatenationErrorBound(chosen, rank: rank, bound: $0.1) }
      table.add([name, exact, errors[0], errors[1], errors[2]])
      evidence.check(
        "incremental minus exact error, \(name)", claimed: name == "one group" ? "0.000" : "0.007",
        measured: errors[0] - exact, .within(-1e-9...0.02))
      var least = Double.infinity
      for error in errors { least.keepMinimum(of: error) }
      evidence.check(
        "least bound minus exact error, \(name)", claimed: "never below", measured: least - exact, .atLeast(-1e-9))
    }
    evidence.tables.append(table)
  }

  private func decayingNorms(_ evidence: inout Evidence) throws {
    var random = RandomStream(seed: settings.seed)
    // Inside a group every block is half as large as the one before it.
    let blocks = try blocks(32, groups: 4, random: &random) { i in
      Double(sign: .plus, exponent: -(i / 4), significand: 1)
    }
    var table = Table(
      "Norms that halve inside each of 4 groups", columns: ["bound", "clusters", "largest exact error", "stored / raw"])
    for (name, bound) in [("weyl", ConcatenationBound.weylBase), ("residual", .residual)] {
      let method = CompressionClustering(tolerance: 0.3, rank: rank, bound: bound, patience: 40, verifiesErrors: true)
      let result = try method.fit(blocks)
      let error = result.largestExactError ?? .infinity
      table.add([name, result.clusters.count, error, result.compressionRatio])
      evidence.check(
        "clusters of 32 blocks, \(name)", claimed: "merges", measured: Double(result.clusters.count), .below(32))
      evidence.check("largest exact error, \(name), halving norms", claimed: "≤ 0.3", measured: error, .atMost(0.3))
    }
    evidence.tables.append(table)
  }

  /// Time against the number of blocks, for a given number of groups.
  private func scaling(_ evidence: inout Evidence) throws {
    let counts = [500, 1000, 2000]
    var seconds: [Double] = []
    for count in counts {
      var random = RandomStream(seed: settings.seed)
      let blocks = try blocks(count, groups: 16, rows: 512, dimension: 16, width: 16, noise: 0.01, random: &random)
      let method = CompressionClustering(tolerance: tolerance, rank: 16)
      let clock = ContinuousClock()
      var best = Double.infinity
      for _ in 0..<3 {
        let time = try clock.measure { _ = try method.fit(blocks, progress: settings.progress) }
        best = min(best, time / .seconds(1))
      }
      seconds.append(best)
    }
    let slope = logarithmicSlope(counts.map(Double.init), seconds)
    evidence.check(
      "exponent of time in the number of blocks, 512 rows", claimed: "linear", measured: slope, .within(0.7...1.25))
    evidence.plots.append(
      Plot(
        "Time to cluster", x: .logarithmic("blocks"), y: .logarithmic("seconds"),
        [Series("measured", x: counts.map(Double.init), y: seconds, .lineAndPoints)]))
  }
}
