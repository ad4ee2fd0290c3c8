import CatalogueCore
import Compression
import Datasets
import SpecialFunctions
import Tensors

/// Real blocks: the pixels of handwritten digits by the images of one class, whole and in eight parts.
struct ConcatSVDDigits {
  let settings: ClaimSettings
  private let rank = 8
  /// Above the error of each class by itself, and below that of all images together.
  private let tolerance = 0.25
  private let partWidth = 22

  func add(to evidence: inout Evidence) throws {
    var table = Table(
      "Handwritten digits, 64 pixels by images",
      columns: [
        "blocks", "method", "clusters", "largest bound", "largest exact error", "stored / raw",
        "adjusted Rand index with the digit",
      ], caption: "Rank \(rank), tolerance \(tolerance). Digits share much: clusters need not be digits.")
    let classes = digits()
    try cluster(classes, labels: Array(0..<10), name: "10 classes", &table, &evidence)
    let parts = classes.flatMap { block in
      (0..<8).map { block[.all, $0 * partWidth..<min(($0 + 1) * partWidth, block.columns)].copied() }
    }
    try cluster(parts, labels: parts.indices.map { $0 / 8 }, name: "80 parts of classes", &table, &evidence)
    evidence.tables.append(table)
    evidence.check(
      "error of all images together, digits", claimed: "above \(tolerance)",
      measured: try concatenationError(classes, rank: rank), .above(tolerance))
  }

  /// For each digit the images as columns, pixels from zero to one.
  private func digits() -> [Tensor<Double>] {
    let data: LabelledData<Float> = Datasets.digits()
    let pixels = Tensor<Double>(data.features.reshaped([data.count, 64]))
    let largest = max(pixels.maximum().scalar, .leastNormalMagnitude)
    let labels = data.labels.scalars
    return (0..<10).map { digit in
      let members = labels.indices.filter { labels[$0] == digit }
      return (pixels.gathered(Tensor<Int>(members)) / largest).transposed.dense
    }
  }

  private func cluster(
    _ blocks: [Tensor<Double>], labels: [Int], name: String, _ table: inout Table, _ evidence: inout Evidence
  ) throws {
    let bounds: [(String, ConcatenationBound)] = [
      ("incremental", .incremental(oversampling: 5)), ("residual", .residual), ("weyl", .weylBase),
    ]
    var count = blocks.count
    for (title, bound) in bounds {
      let method = CompressionClustering(
        tolerance: tolerance, rank: rank, bound: bound, patience: blocks.count, verifiesErrors: true)
      let result = try method.fit(blocks, progress: settings.progress)
      let error = result.largestExactError ?? .infinity
      table.add([
        name, title, result.clusters.count, result.clusters.map(\.predictedError).max(), error,
        result.compressionRatio, adjustedRandIndex(result.labels, labels),
      ])
      evidence.check(
        "largest exact error, \(name) of digits, \(title)", claimed: "≤ \(tolerance)", measured: error,
        .atMost(tolerance))
      if title == "incremental" { count = result.clusters.count }
    }
    evidence.check(
      "clusters of \(name) of digits, incremental", claimed: "merges", measured: Double(count),
      .below(Double(blocks.count)))
    guard Set(blocks.map(\.count)).count == 1 else { return }
    var random = settings.random
    let found = try KMeans(clusters: count).fit(.stacked(blocks.map(\.flattened)), random: &random).labels
    var worst = 0.0
    for label in Set(found) {
      let members = blocks.indices.filter { found[$0] == label }.map { blocks[$0] }
      worst.keepMaximum(of: try concatenationError(members, rank: rank))
    }
    table.add([
      name, "k-means", Set(found).count, nil as Double?, worst, nil as Double?, adjustedRandIndex(found, labels),
    ])
  }
}
