import Compression
import Datasets
import Experiments
import Networks
import Optimizers
import Tensors

/// Searched and random sub-networks of several parents, trained alike: what the command and the claim share.
struct SubnetworkExperiment: Sendable {
  var train: LabelledData<Float>
  var test: LabelledData<Float>
  var hidden: [Int]
  var epochs: Int
  var budget: Int
  var strategy = RandomArchitectureSearch.Strategy.random

  /// A trained sub-network.
  struct Trained: Sendable {
    var initialLoss: Double
    var accuracy: Double
    /// Test accuracy after each epoch.
    var accuracies: [Double]

    /// Epochs until nine tenths of the final accuracy.
    var epochsToMost: Double {
      Double((accuracies.firstIndex { $0 >= 0.9 * accuracy } ?? accuracies.count - 1) + 1)
    }
  }

  struct Comparison: Sendable {
    var searches: [SearchResult<NodeMask>]
    var searched: [Trained]
    var random: [[Trained]]
    var report: NeutralityReport
  }

  func parent(_ seed: UInt64) -> MLP<Float> {
    var random = RandomStream(seed: seed)
    return MLP(
      [train.features.columns] + hidden + [train.classes], initializer: .kaimingNormal, random: &random)
  }

  /// Trains a network from where it stands.
  func trained(_ network: MLP<Float>, initialLoss: Double, seed: UInt64) throws -> Trained {
    var network = network
    var optimizer = Adam<Float>()
    let perEpoch = (train.count + 63) / 64
    var accuracies: [Double] = []
    try ClassifierTraining(steps: epochs * perEpoch, seed: seed).run(
      &network, optimizer: &optimizer, on: train,
      afterStep: { step, network in
        if (step + 1) % perEpoch == 0 { accuracies.append(accuracy(of: network, on: test)) }
      })
    return Trained(initialLoss: initialLoss, accuracy: accuracies[accuracies.count - 1], accuracies: accuracies)
  }

  func compare(
    sparsity: Double, parents count: Int, randomCandidates: Int, margin: Double, seed: UInt64, progress: WorkProgress
  ) throws -> Comparison {
    // The search sees a part of the training data only; the test data it never sees.
    let batch = train.taken(Tensor<Int>(0..<min(1_000, train.count)))
    var searches: [SearchResult<NodeMask>] = []
    var jobs: [(parent: Int, mask: NodeMask, loss: Double)] = []
    let parents = (0..<count).map { parent(seed + UInt64($0)) }
    for (p, parent) in parents.enumerated() {
      let loss = try SubnetworkLoss(parent: parent, x: batch.features, labels: batch.labels)
      let sample: (inout RandomStream) throws -> NodeMask = { random in
        try NodeMask(randomOf: hidden, sparsity: sparsity, random: &random)
      }
      let found = try RandomArchitectureSearch(budget: budget, strategy: strategy).run(
        seed: seed + UInt64(p), sample: sample,
        mutate: { mask, random in mask.exchanging(2, random: &random) },
        evaluate: { mask, _ in try loss(mask) })
      searches.append(found)
      jobs.append((p, found.best, found.bestValue))
      var random = RandomStream(seed: seed + UInt64(p)).child(1 << 20)
      for _ in 0..<randomCandidates {
        let mask = try sample(&random)
        jobs.append((p, mask, try loss(mask)))
      }
    }
    let results = try parallelMap(jobs.count) { i in
      let job = jobs[i]
      let network = try parents[job.parent].extracted(job.mask)
      let result = try trained(network, initialLoss: job.loss, seed: seed + UInt64(job.parent))
      try progress.report(i + 1, of: jobs.count, "networks")
      return result
    }
    let each = 1 + randomCandidates
    let random = (0..<count).map { Array(results[($0 * each + 1)..<(($0 + 1) * each)]) }
    let searched = (0..<count).map { results[$0 * each] }
    let report = try NeutralityReport(
      searched: searched.map(\.accuracy), random: random.map { $0.map(\.accuracy) },
      starts: random.map { $0.map(\.initialLoss) }, margin: margin, seed: seed)
    return Comparison(searches: searches, searched: searched, random: random, report: report)
  }
}
