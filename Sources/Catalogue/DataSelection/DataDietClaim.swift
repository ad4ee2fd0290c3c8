import CatalogueCore
import DataSelection
import Datasets
import Experiments
import Networks
import Optimizers
import SpecialFunctions
import Tensors

/// Half of the data, flipped labels, and scores from a smaller network.
struct DataDietClaim {
  let settings: ClaimSettings

  private static let widths = [784, 128, 64, 10]
  private var seeds: [UInt64] {
    let count = settings.size(quick: 1, full: 3)
    return (0..<count).map { settings.seed + UInt64($0) }
  }
  /// Trainings of each choice, for means.
  private var repeats: Int { 2 }
  private var runs: Int { settings.size(quick: 3, full: 5) }

  /// One network to train: on which examples, and from which start.
  private struct Training: Sendable {
    var choice: String
    var widths = DataDietClaim.widths
    var positions: Tensor<Int>?
    var seed: UInt64
  }

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try clean(&evidence)
    try noisy(&evidence)
    if settings.isFull { try transfer(&evidence) }
    evidence.notes += [
      "MNIST's bundled part of 5,000 images instead of CIFAR-10: 4,000 to learn from, 1,000 to test on. Every network is "
        + "trained for 1,200 steps of 64 examples, whatever it is given; accuracies are means over seeds.",
      "Scores of networks before training (GraNd at initialization, as the paper also proposes) do not rank the examples "
        + "as later ones do. This is not asserted; later replications of the paper did not find it to work either.",
    ]
    if !settings.isFull {
      evidence.notes.append("The quick form trains twice a choice, scores by three runs, and keeps one half only.")
    }
    return evidence
  }

  private func scoring(_ scores: [ImportanceScore], _ epochs: [Int], _ runs: Int) -> ImportanceScoring {
    ImportanceScoring(scores: scores, epochs: epochs, runs: runs)
  }

  private func report(
    _ scoring: ImportanceScoring, of data: LabelledData<Float>, seed: UInt64, widths: [Int] = Self.widths
  ) throws -> ImportanceReport {
    try scoring.evaluate(data, seed: seed, optimizer: Adam<Float>(), progress: settings.progress) { random in
      MLP<Float>(widths, random: &random)
    }
  }

  /// Test accuracies by choice, each the mean of its trainings.
  private func accuracies(
    _ trainings: [Training], _ data: LabelledData<Float>, test: LabelledData<Float>
  ) throws -> [String: Double] {
    let results = try parallelMap(trainings.count) { i in
      let training = trainings[i]
      var random = RandomStream(seed: training.seed).child(100)
      var model = MLP<Float>(training.widths, random: &random)
      var optimizer = Adam<Float>()
      let part = training.positions.map(data.taken) ?? data
      try ClassifierTraining(steps: 1_200, seed: training.seed).run(&model, optimizer: &optimizer, on: part)
      return accuracy(of: model, on: test)
    }
    let byChoice = Dictionary(grouping: trainings.indices, by: { trainings[$0].choice })
    return byChoice.mapValues { members in members.reduce(0) { $0 + results[$1] } / Double(members.count) }
  }

  /// Adds the accuracies of one seed to the sums over seeds.
  private func add(_ found: [String: Double], to sums: inout [String: Double]) {
    for (choice, value) in found { sums[choice, default: 0] += value / Double(seeds.count) }
  }

  private func trainings(
    _ choice: String, _ positions: Tensor<Int>?, seed: UInt64, widths: [Int] = Self.widths
  ) -> [Training] {
    (0..<repeats).map { Training(choice: choice, widths: widths, positions: positions, seed: 10 * seed + UInt64($0)) }
  }

  private func positions(_ rule: SubsetRule, _ count: Int, by scores: Tensor<Double>) throws -> Tensor<Int> {
    try SubsetSelection(rule, count: count).positions(by: scores)
  }

  // MARK: Clean labels

  private func clean(_ evidence: inout Evidence) throws {
    let fractions = settings.size(quick: [0.5], full: [0.9, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2])
    var sums: [String: Double] = [:]
    var correlations = [0.0, 0.0, 0.0]
    var hardest: Tensor<Double>?
    for seed in seeds {
      let data = ClassifierTraining.mnist(seed: seed)
      let scores: [ImportanceScore] = settings.isFull ? [.el2n, .grand, .forgetting] : [.el2n, .grand]
      let report = try report(scoring(scores, [0, 1, 3], runs), of: data.train, seed: seed)
      let el2n = report.table(.el2n, epoch: 3).mean
      let grand = report.table(.grand, epoch: 3).mean
      let initial = report.table(.grand, epoch: 0).mean
      for (i, other) in [grand, report.table(.el2n, epoch: 1).mean, initial].enumerated() {
        correlations[i] += (spearmanCorrelation(el2n.scalars, other.scalars) ?? .nan) / Double(seeds.count)
      }
      var all = trainings("all", nil, seed: seed)
      for fraction in fractions {
        let count = Int((fraction * Double(data.train.count)).rounded())
        let name = "\(fraction)"
        all += trainings("highest EL2N \(name)", try positions(.highest, count, by: el2n), seed: seed)
        all += trainings("lowest EL2N \(name)", try positions(.lowest, count, by: el2n), seed: seed)
        all += trainings("GraNd \(name)", try positions(.highest, count, by: grand), seed: seed)
        all += trainings("GraNd at start \(name)", try positions(.highest, count, by: initial), seed: seed)
        all += trainings("random \(name)", try positions(.random(seed: seed), count, by: el2n), seed: seed)
        if settings.isFull {
          let forgotten = report.table(.forgetting, epoch: 3).mean
          all += trainings("forgetting \(name)", try positions(.highest, count, by: forgotten), seed: seed)
        }
      }
      add(try accuracies(all, data.train, test: data.test), to: &sums)
      if hardest == nil { hardest = try tiles(of: data.train, by: el2n) }
    }
    func of(_ choice: String) -> Double { sums[choice] ?? .nan }
    let choices = ["highest EL2N", "random", "lowest EL2N", "GraNd", "GraNd at start"]
    let shown = choices + (settings.isFull ? ["forgetting"] : [])
    var table = Table("Test accuracy by kept fraction", columns: ["kept"] + shown)
    table.add([1.0] + shown.map { _ in of("all") })
    for fraction in fractions { table.add([fraction] + shown.map { of("\($0) \(fraction)") }) }
    evidence.tables.append(table)
    if fractions.count > 1 {
      let x = [1.0] + fractions
      evidence.plots.append(
        Plot(
          "Accuracy on the kept part", x: "kept fraction", y: "test accuracy",
          shown.map { choice in
            Series(choice, x: x, y: [of("all")] + fractions.map { of("\(choice) \($0)") }, .lineAndPoints)
          }))
    }
    if let hardest {
      evidence.plots.append(
        Plot("The 25 hardest digits", caption: "Highest mean EL2N first.", x: "column", y: "row", heatMap: hardest))
    }
    evidence.check(
      "accuracy on the half of highest EL2N less that on all", claimed: "not lower",
      measured: of("highest EL2N 0.5")
        - of("all"), .atLeast(-0.005))
    evidence.check(
      "the same less that on a random half", claimed: "higher", measured: of("highest EL2N 0.5") - of("random 0.5"),
      .atLeast(0.01))
    evidence.check(
      "accuracy on the half of lowest EL2N less that on a random half", claimed: "lower",
      measured: of("lowest EL2N 0.5") - of("random 0.5"), .atMost(-0.02))
    evidence.check(
      "accuracy by GraNd less that by EL2N, after three epochs", claimed: "alike",
      measured: of("GraNd 0.5") - of("highest EL2N 0.5"), .near(0, tolerance: 0.015))
    evidence.check(
      "rank correlation of EL2N and GraNd after three epochs", claimed: "high", measured: correlations[0],
      .atLeast(0.95))
    evidence.check(
      "rank correlation of EL2N after one and three epochs", claimed: "high", measured: correlations[1], .atLeast(0.8))
    evidence.tables.append(
      Table(
        "Scores before training", columns: ["quantity", "value"],
        rows: [
          ["rank correlation of GraNd at the start with EL2N after three epochs", correlations[2]],
          ["accuracy on its half less that on a random half", of("GraNd at start 0.5") - of("random 0.5")],
        ], caption: "Not asserted."))
  }

  /// The 25 examples of the highest scores, as one picture.
  private func tiles(of data: LabelledData<Float>, by scores: Tensor<Double>) throws -> Tensor<Double> {
    let hardest = scores.argsort(descending: true)[0..<25]
    let images = Tensor<Double>(data.features.gathered(hardest)).reshaped([5, 5, 28, 28])
    return images.permuted([0, 2, 1, 3]).reshaped([140, 140])
  }

  // MARK: Flipped labels

  private func noisy(_ evidence: inout Evidence) throws {
    let epochs = settings.size(quick: [0, 1, 3], full: [0, 1, 3, 8])
    var areas = epochs.map { _ in 0.0 }
    var recall = 0.0
    var sums: [String: Double] = [:]
    for seed in seeds {
      let data = ClassifierTraining.mnist(seed: seed)
      var train = data.train
      var random = RandomStream(seed: seed).child(7)
      let flipped = random.sample(train.count / 10, below: train.count).scalars
      var labels = train.labels.scalars
      for position in flipped { labels[position] = (labels[position] + Int.random(in: 1...9, using: &random)) % 10 }
      train.labels = Tensor(labels)
      let isWrong = train.labels .!= data.train.labels
      let report = try report(scoring([.el2n], epochs, 3), of: train, seed: seed)
      for (e, epoch) in epochs.enumerated() {
        let noise = try NoiseReport(scores: report.table(.el2n, epoch: epoch).mean, isWrong: isWrong)
        areas[e] += noise.areaUnderROC / Double(seeds.count)
        if epoch == 3 { recall += noise.recall / Double(seeds.count) }
      }
      let scores = report.table(.el2n, epoch: 3).mean
      let half = train.count / 2
      var all = trainings("all", nil, seed: seed)
      all += trainings("highest", try positions(.highest, half, by: scores), seed: seed)
      all += trainings("random", try positions(.random(seed: seed), half, by: scores), seed: seed)
      all += trainings("window 10 %", try positions(.skippingHardest(train.count / 10), half, by: scores), seed: seed)
      all += trainings(
        "window 15 %", try positions(.skippingHardest(train.count * 3 / 20), half, by: scores), seed: seed)
      add(try accuracies(all, train, test: data.test), to: &sums)
    }
    func of(_ choice: String) -> Double { sums[choice] ?? .nan }
    evidence.tables.append(
      Table(
        "One label in ten flipped", columns: ["kept", "test accuracy"],
        rows: ["all", "highest", "random", "window 10 %", "window 15 %"].map { [$0, of($0)] },
        caption: "Half of the data but in the first row; a window leaves out the hardest."))
    evidence.tables.append(
      Table(
        "Finding flipped labels by EL2N", columns: ["epoch", "area under the ROC curve"],
        rows: zip(epochs, areas).map { [$0, $1] }))
    evidence.check(
      "area under the ROC curve of EL2N for flipped labels, epoch 3", claimed: "near 1",
      measured: areas[epochs.firstIndex(of: 3) ?? 0], .atLeast(0.97))
    evidence.check(
      "share of the flipped labels among the highest tenth", claimed: "most", measured: recall, .atLeast(0.75))
    evidence.check(
      "with flips, accuracy on the window less that on the highest half", claimed: "higher",
      measured: of("window 10 %") - of("highest"), .atLeast(0.1))
    evidence.check(
      "with flips, accuracy on the window less that on a random half", claimed: "higher",
      measured: of("window 10 %") - of("random"), .atLeast(0.02))
  }

  // MARK: Scores from a smaller network

  private func transfer(_ evidence: inout Evidence) throws {
    let large = [784, 256, 128, 10]
    var sums: [String: Double] = [:]
    for seed in seeds {
      let data = ClassifierTraining.mnist(seed: seed)
      let half = data.train.count / 2
      let small = try report(scoring([.el2n], [3], runs), of: data.train, seed: seed, widths: [784, 64, 10])
      let own = try report(scoring([.el2n], [3], runs), of: data.train, seed: seed, widths: large)
      let scores = small.table(.el2n, epoch: 3).mean
      var all = trainings("all", nil, seed: seed, widths: large)
      all += trainings("small", try positions(.highest, half, by: scores), seed: seed, widths: large)
      all += trainings(
        "own", try positions(.highest, half, by: own.table(.el2n, epoch: 3).mean), seed: seed, widths: large)
      all += trainings("random", try positions(.random(seed: seed), half, by: scores), seed: seed, widths: large)
      add(try accuracies(all, data.train, test: data.test), to: &sums)
    }
    func of(_ choice: String) -> Double { sums[choice] ?? .nan }
    evidence.tables.append(
      Table(
        "Half of the data for 784-256-128-10", columns: ["scores of", "test accuracy"],
        rows: [["all data", of("all")]] + ["small", "own", "random"].map { [$0, of($0)] }))
    evidence.check(
      "a small network's scores, less a random half", claimed: "higher", measured: of("small") - of("random"),
      .atLeast(0.01))
    evidence.check(
      "a small network's scores, less the network's own", claimed: "no worse", measured: of("small") - of("own"),
      .atLeast(-0.01))
  }
}
