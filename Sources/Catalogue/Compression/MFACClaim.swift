import CatalogueCore
import Compression
import Datasets
import Experiments
import Networks
import Optimizers
import Tensors

/// Pruning a perceptron on MNIST without fine-tuning, M-FAC as an optimizer, and the cost of a product.
struct MFACClaim {
  let settings: ClaimSettings
  private typealias Data = LabelledData<Float>

  fileprivate struct Row {
    var magnitude = 0.0, random = 0.0, diagonal = 0.0, block = 0.0, oneShot = 0.0, still = 0.0, recomputed = 0.0
  }

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    let sparsities = settings.size(quick: [0.8, 0.9, 0.95], full: [0.5, 0.8, 0.9, 0.95, 0.98])
    let seeds = settings.size(quick: [0], full: [0, 1, 2])
    var rows = sparsities.map { _ in Row() }
    var dense = 0.0
    for (i, seed) in seeds.enumerated() {
      let (model, split) = try trained(seed: settings.seed + UInt64(seed))
      dense += accuracy(of: model, on: split.test) / Double(seeds.count)
      for (k, sparsity) in sparsities.enumerated() {
        let row = try measure(model, split, sparsity)
        rows[k].add(row, share: 1 / Double(seeds.count))
        try settings.progress.report(i * sparsities.count + k + 1, of: seeds.count * sparsities.count + 1)
      }
    }
    report(sparsities, rows, dense, seeds.count, &evidence)
    try optimizer(&evidence)
    try timing(&evidence)
    evidence.notes += [
      "5,000 images of MNIST, 4,000 to learn from and 1,000 to test on; a perceptron 784-64-32-10 (52,650 numbers), Adam at "
        + "1e-3, 25 epochs. 256 gradients of batches of 16 for each round, damping 1e-5, no fine-tuning; biases are not "
        + "pruned. Rows are means of \(seeds.count) networks.",
      "Of the optimizer only the training loss beside Adam's is asserted. Tuned descent with momentum is better here in loss, "
        + "and by 0.02 in accuracy; that the latter is within 0.015, as in a prototype, does not show over three seeds.",
    ]
    return evidence
  }

  private func trained(seed: UInt64) throws -> (MLP<Float>, Split<Data>) {
    let split = ClassifierTraining.mnist(seed: seed)
    var random = RandomStream(seed: seed)
    var model = MLP<Float>([784, 64, 32, 10], random: &random)
    var optimizer = Adam<Float>(learningRate: 1e-3)
    try ClassifierTraining(epochs: 25, of: split.train, seed: seed).run(&model, optimizer: &optimizer, on: split.train)
    return (model, split)
  }

  private func measure(_ model: MLP<Float>, _ split: Split<Data>, _ sparsity: Double) throws -> Row {
    var batches = Batches(count: split.train.count, size: 16, random: settings.random.child(7))
    func gradient(_ model: MLP<Float>, _ index: Int) -> NamedTensors<Float> {
      let batch = split.train.taken(batches.positions(at: index))
      return model.valueAndGradient { crossEntropy($0(batch.features), labels: batch.labels) }.gradient
    }
    func accuracyAfter(_ pruner: MFACPruner) throws -> Double {
      var pruned = model
      _ = try pruner.prune(&pruned, to: sparsity, gradient: gradient)
      return accuracy(of: pruned, on: split.test)
    }
    var row = Row()
    var pruned = model
    _ = try MagnitudePruner().prune(&pruned, to: sparsity)
    row.magnitude = accuracy(of: pruned, on: split.test)
    pruned = model
    _ = try RandomPruner(seed: settings.seed).prune(&pruned, to: sparsity)
    row.random = accuracy(of: pruned, on: split.test)
    let base = MFACPruner(gradientCount: 256, recomputations: 1)
    row.oneShot = try accuracyAfter(base)
    var other = base
    other.blockSize = 1
    row.diagonal = try accuracyAfter(other)
    other.blockSize = 128
    row.block = try accuracyAfter(other)
    other = base
    other.compensation = .none
    row.still = try accuracyAfter(other)
    other = base
    other.recomputations = settings.size(quick: 8, full: 16)
    row.recomputed = try accuracyAfter(other)
    return row
  }

  private func report(
    _ sparsities: [Double], _ rows: [Row], _ dense: Double, _ networks: Int, _ evidence: inout Evidence
  ) {
    let rounds = settings.size(quick: 8, full: 16)
    var table = Table(
      "Test accuracy after pruning",
      columns: [
        "sparsity", "random", "magnitude", "diagonal Fisher", "blocks of 128", "one shot, others still", "one shot",
        "\(rounds) rounds",
      ], caption: "The dense network has \(Datum.number(dense).text).")
    for (sparsity, row) in zip(sparsities, rows) {
      table.add([
        sparsity, row.random, row.magnitude, row.diagonal, row.block, row.still, row.oneShot, row.recomputed,
      ])
    }
    evidence.tables.append(table)
    let paper = [0.9: (0.12, "0.899 against 0.708"), 0.95: (0.30, "0.874 against 0.429")]
    for (sparsity, row) in zip(sparsities, rows) {
      if let (margin, text) = paper[sparsity] {
        evidence.check(
          "accuracy above magnitude at \(sparsity), \(rounds) rounds", claimed: text,
          measured: row.recomputed - row.magnitude, .atLeast(margin))
      }
      if (0.8...0.95).contains(sparsity) {
        evidence.check(
          "accuracy above magnitude at \(sparsity), one shot", claimed: "not below",
          measured: row.oneShot - row.magnitude, .atLeast(0))
      }
      if sparsity == 0.95 {
        evidence.check(
          "accuracy above diagonal Fisher at 0.95, one shot", claimed: "0.55 against 0.465",
          measured: row.oneShot - row.diagonal, .atLeast(0.03))
      }
    }
    func series(_ label: String, _ value: KeyPath<Row, Double>) -> Series {
      Series(label, x: sparsities, y: rows.map { $0[keyPath: value] }, .lineAndPoints)
    }
    evidence.plots.append(
      Plot(
        "Accuracy after pruning without fine-tuning", x: "sparsity", y: "test accuracy",
        [
          series("\(rounds) rounds", \.recomputed), series("one shot", \.oneShot), series("diagonal", \.diagonal),
          series("magnitude", \.magnitude), series("random", \.random),
        ], marks: [.horizontal(at: dense, "dense")]))
  }

  /// Three epochs from the same starts with each optimizer.
  private func optimizer(_ evidence: inout Evidence) throws {
    let seeds: Range<UInt64> = 0..<3
    let splits = seeds.map { ClassifierTraining.mnist(seed: settings.seed + $0) }
    let starts = seeds.map { seed in
      var random = settings.random.child(3 + seed)
      return MLP<Float>([784, 64, 32, 10], random: &random)
    }
    var table = Table(
      "Three epochs of batches of 64, means of three seeds",
      columns: ["optimizer", "training loss, last 30", "test accuracy"])
    func run(_ name: String, _ optimizer: some Optimizer<Float>) throws -> (loss: Double, accuracy: Double) {
      var (loss, right) = (0.0, 0.0)
      for (split, start) in zip(splits, starts) {
        var (model, optimizer) = (start, optimizer)
        let losses = try ClassifierTraining(epochs: 3, of: split.train, seed: settings.seed).run(
          &model, optimizer: &optimizer, on: split.train)
        loss += losses.suffix(30).reduce(0, +) / 30 / Double(splits.count)
        right += accuracy(of: model, on: split.test) / Double(splits.count)
      }
      table.add([name, loss, right])
      return (loss, right)
    }
    for rate in [0.05, 0.1] {
      _ = try run("SGD, momentum 0.9, rate \(rate)", SGD<Float>(learningRate: rate, momentum: 0.9))
    }
    let adam = try run("Adam, rate 1e-3", Adam<Float>(learningRate: 1e-3))
    let ours = try run(
      "M-FAC, momentum 0.9, window 32, rate 0.01", MFAC<Float>(learningRate: 0.01, momentum: 0.9, window: 32))
    _ = try run("M-FAC, rate 0.03", MFAC<Float>(learningRate: 0.03, momentum: 0.9, window: 32))
    _ = try run("M-FAC, rate 0.001 (the reference's)", MFAC<Float>(learningRate: 1e-3, momentum: 0.9, window: 32))
    evidence.tables.append(table)
    evidence.check(
      "training loss of M-FAC minus that of Adam", claimed: "0.315 against 0.396", measured: ours.loss - adam.loss,
      .below(0))
  }

  /// The time of a product against the number of weights.
  private func timing(_ evidence: inout Evidence) throws {
    var table = Table(
      "Milliseconds of a product, best of 5", columns: ["weights", "32 gradients", "128 gradients"],
      caption: "Not asserted: a machine with other work on it makes these numbers uncertain.")
    var random = settings.random.child(5)
    let sizes = settings.size(quick: [100_000, 400_000], full: [100_000, 1_000_000])
    var series = [Series("32 gradients", x: [], y: []), Series("128 gradients", x: [], y: [])]
    for size in sizes {
      var cells: [any DatumConvertible] = [size]
      for (k, count) in [32, 128].enumerated() {
        let inverse = try InverseFisher<Float>(gradients: random.normal([count, size]), damping: 1e-3)
        let x: Tensor<Float> = random.normal([size])
        var best = Double.infinity
        for _ in 0..<5 {
          let time = try ContinuousClock().measure { _ = try inverse.apply(x) }
          best = min(best, time / .milliseconds(1))
        }
        cells.append(best)
        series[k].x.append(Double(size))
        series[k].y.append(best)
      }
      table.add(cells)
    }
    evidence.tables.append(table)
    evidence.plots.append(
      Plot(
        "Time of a product", x: .logarithmic("weights"), y: .logarithmic("milliseconds"),
        series.map { Series($0.label, x: $0.x, y: $0.y, .lineAndPoints) }))
  }
}

extension MFACClaim.Row {
  fileprivate mutating func add(_ other: Self, share: Double) {
    let fields: [WritableKeyPath<Self, Double>] = [
      \.magnitude, \.random, \.diagonal, \.block, \.oneShot, \.still, \.recomputed,
    ]
    for field in fields { self[keyPath: field] += share * other[keyPath: field] }
  }
}
