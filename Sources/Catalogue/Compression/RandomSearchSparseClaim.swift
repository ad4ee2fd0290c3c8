import CatalogueCore
import Compression
import Datasets
import Experiments
import Networks
import Tensors

/// Searched against random sub-networks at several sparsities, and the dense parent.
struct RandomSearchSparseClaim {
  let settings: ClaimSettings

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try compare(on: ClassifierTraining.mnist(seed: settings.seed), named: "MNIST", asserting: true, &evidence)
    if settings.isFull {
      try compare(on: ClassifierTraining.digits(seed: settings.seed), named: "digits", asserting: false, &evidence)
      try climbing(&evidence)
    }
    evidence.notes += [
      "4,000 images of MNIST's bundled part to learn from and 1,000 to test on; the search sees 1,000 of the former. "
        + "Parent 784-256-256-10 with rectified units, 8 epochs of Adam at 1e-3, batches of 64.",
      "Only the paper's abstract was at hand: budget, sizes and statistics were chosen here.",
    ]
    if !settings.isFull {
      evidence.notes.append(
        "Two parents are too few for an equivalence test with power: its probability is in the table, and asserted in the "
          + "full form, over ten parents.")
    }
    return evidence
  }

  private func compare(
    on data: Split<LabelledData<Float>>, named name: String, asserting: Bool, _ evidence: inout Evidence
  ) throws {
    let sparsities = settings.size(quick: [0.8, 0.95], full: [0.5, 0.8, 0.9, 0.95])
    let parents = settings.size(quick: 2, full: 10)
    let experiment = SubnetworkExperiment(
      train: data.train, test: data.test, hidden: [256, 256], epochs: 8, budget: 200)
    let denseCount = settings.size(quick: 1, full: 3)
    let dense = try parallelMap(denseCount) { i in
      try experiment.trained(
        experiment.parent(settings.seed + UInt64(i)), initialLoss: .nan, seed: settings.seed + UInt64(i)
      ).accuracy
    }
    let denseAccuracy = dense.reduce(0, +) / Double(dense.count)
    var table = Table(
      "Sub-networks on \(name)",
      columns: [
        "sparsity", "best initial loss", "mean", "deviation", "searched", "random", "difference", "lower", "upper",
        "equivalence p", "sign p", "percentile", "loss–accuracy correlation", "expected best of 1,000",
      ])
    var means: [Double] = []
    var equivalent = 0
    var scatter: [Series] = []
    for (i, sparsity) in sparsities.enumerated() {
      let result = try experiment.compare(
        sparsity: sparsity, parents: parents, randomCandidates: 5, margin: 0.02, seed: settings.seed + 100 * UInt64(i),
        progress: settings.progress)
      let report = result.report
      var leads: [Double] = []
      for search in result.searches {
        let values = Tensor(search.values)
        leads.append((values.mean().scalar - search.bestValue) / values.standardDeviation().scalar)
      }
      let first = Tensor(result.searches[0].values)
      let searched = result.searched.map(\.accuracy).reduce(0, +) / Double(parents)
      let random = searched - report.meanDifference
      means.append(random)
      if report.equivalence.isEquivalent() { equivalent += 1 }
      table.add([
        sparsity, result.searches[0].bestValue, first.mean().scalar, first.standardDeviation().scalar, searched, random,
        report.meanDifference, report.interval.lowerBound, report.interval.upperBound, report.equivalence.probability,
        report.signProbability, report.percentile, report.correlationWithStart,
        expectedMinimum(of: search(result).values, draws: 1_000),
      ])
      let all = result.random.flatMap { $0 }
      scatter.append(Series("sparsity \(sparsity)", x: all.map(\.initialLoss), y: all.map(\.accuracy), .points))
      guard asserting else { continue }
      evidence.check(
        "deviations by which the best initial loss is below the mean, sparsity \(sparsity), least of \(parents) parents",
        claimed: "search finds better starts", measured: leads.min() ?? .nan, .atLeast(2))
      evidence.check(
        "accuracy of searched less random, sparsity \(sparsity)", claimed: "no difference",
        measured: report.meanDifference, .near(0, tolerance: 0.015))
      let most = result.searched.map(\.epochsToMost).reduce(0, +) / Double(parents)
      let others = all.map(\.epochsToMost).reduce(0, +) / Double(all.count)
      evidence.check(
        "epochs to nine tenths of the final accuracy, searched less random, sparsity \(sparsity)",
        claimed: "no faster", measured: most - others, .near(0, tolerance: 1))
      if sparsity == 0.8 {
        evidence.check(
          "accuracy lost at sparsity 0.8 against the dense parent", claimed: "little",
          measured: denseAccuracy - random, .atMost(0.045))
        evidence.plots.append(
          Plot(
            "Accuracy while training, sparsity 0.8", x: "epoch", y: "test accuracy",
            [Series("searched", result.searched[0].accuracies)]
              + result.random[0].map { Series("random", $0.accuracies) }))
      }
    }
    evidence.tables.append(table)
    evidence.plots.append(
      Plot("Initial loss and final accuracy", x: "initial loss", y: "test accuracy", scatter))
    guard asserting else { return }
    evidence.plots.append(
      Plot(
        "Accuracy by sparsity", x: "sparsity", y: "test accuracy",
        [Series("random", x: [0] + sparsities, y: [denseAccuracy] + means, .lineAndPoints)]))
    let accuracies = [denseAccuracy] + means
    evidence.check(
      "accuracy falls with sparsity: smallest step", claimed: "monotone",
      measured: zip(accuracies, accuracies.dropFirst()).map { $0 - $1 }.min() ?? .nan, .above(0))
    if settings.isFull {
      evidence.check(
        "sparsities where both are equivalent within 0.02, of 4", claimed: "most", measured: Double(equivalent),
        .atLeast(3))
    }
  }

  private func search(_ comparison: SubnetworkExperiment.Comparison) -> SearchResult<NodeMask> {
    comparison.searches[0]
  }

  /// The same budget spent by changing the best so far.
  private func climbing(_ evidence: inout Evidence) throws {
    let data = ClassifierTraining.mnist(seed: settings.seed)
    var experiment = SubnetworkExperiment(
      train: data.train, test: data.test, hidden: [256, 256], epochs: 8, budget: 200)
    experiment.strategy = .hillClimbing
    let result = try experiment.compare(
      sparsity: 0.9, parents: 3, randomCandidates: 3, margin: 0.02, seed: settings.seed, progress: settings.progress)
    evidence.tables.append(
      Table(
        "Hill climbing, sparsity 0.9", columns: ["best initial loss", "difference of accuracy", "lower", "upper"],
        rows: [
          [
            result.searches[0].bestValue, result.report.meanDifference, result.report.interval.lowerBound,
            result.report.interval.upperBound,
          ]
        ], caption: "Not asserted."))
  }
}
