import Compression
import Networks
import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct NodeMaskTests {
  private func parent(_ seed: UInt64) -> (MLP<Double>, RandomStream) {
    var random = RandomStream(seed: seed)
    let model = MLP<Double>([5, 8, 6, 3], random: &random)
    return (model, random)
  }

  /// The parent with the activations of dropped nodes set to zero.
  private func masked(_ model: MLP<Double>, _ mask: NodeMask, _ x: Tensor<Double>) -> Tensor<Double> {
    var x = x
    for (l, layer) in model.layers.enumerated() {
      x = layer(x)
      guard l < mask.layers.count else { continue }
      let isKept = Tensor((0..<mask.widths[l]).map { mask.layers[l].contains($0) ? 1.0 : 0 })
      x = model.activation(x) * isKept
    }
    return x
  }

  @Test(arguments: 0..<10) func extractionIsMasking(seed: UInt64) throws {
    var (model, random) = parent(seed)
    let sparsity = Double(seed % 5) / 5
    let sampling: NodeMask.Sampling = seed % 2 == 0 ? .exact : .bernoulli
    let mask = try NodeMask(randomOf: [8, 6], sparsity: sparsity, sampling: sampling, random: &random)
    let x: Tensor<Double> = random.normal([7, 5])
    let labels = random.integers([7], in: 0..<3)
    let small = try model.extracted(mask)
    let expected = masked(model, mask, x)
    #expect(distance(small(x), expected) < 1e-12, "seed \(seed)")
    #expect(small.parameterCount == mask.parameterCount(inputs: 5, outputs: 3))
    #expect(distance(try model.embedding(small, mask)(x), expected) < 1e-12)
    let loss = try SubnetworkLoss(parent: model, x: x, labels: labels)
    #expect(distance(try loss.logits(mask), expected) < 1e-12)
    #expect(abs(try loss(mask) - crossEntropy(expected, labels: labels).scalar) < 1e-12)
    let right = (expected.argmax(axis: 1) .== labels).scalars.count { $0 }
    #expect(abs(try loss.errorRate(mask) - (1 - Double(right) / 7)) < 1e-12)
  }

  @Test func withoutSparsityItIsTheParent() throws {
    var (model, random) = parent(1)
    let mask = try NodeMask(randomOf: [8, 6], sparsity: 0, random: &random)
    let x: Tensor<Double> = random.normal([4, 5])
    #expect(distance(try model.extracted(mask)(x), model(x)) == 0)
    #expect(mask.sparsity == 0 && mask.weightSparsity(inputs: 5, outputs: 3) == 0)
  }

  @Test func countsByHand() throws {
    var random = RandomStream(seed: 1)
    let mask = try NodeMask(randomOf: [10, 4, 1], sparsity: 0.9, random: &random)
    // max(1, round(0.1 · 10)), max(1, round(0.4)), max(1, round(0.1))
    #expect(mask.layers.map(\.count) == [1, 1, 1])
    #expect(mask.parameterCount(inputs: 5, outputs: 3) == 5 + 1 + 1 + 1 + 1 + 1 + 3 + 3)
    #expect(abs(mask.sparsity - 0.8) < 1e-15)
    #expect(abs(mask.weightSparsity(inputs: 5, outputs: 3) - (1 - 10.0 / 97)) < 1e-15)
  }

  @Test(arguments: 0..<6) func exchangesChangeThatManyNodes(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let mask = try NodeMask(randomOf: [12, 3], sparsity: 0.5, random: &random)
    let changed = mask.exchanging(2, random: &random)
    #expect(changed.layers.map(\.count) == mask.layers.map(\.count))
    #expect(Set(changed.layers[0]).subtracting(mask.layers[0]).count == 2)
    #expect(Set(changed.layers[1]).subtracting(mask.layers[1]).count == 1, "only one node is left out")
    #expect(throws: Never.self) { try NodeMask(layers: changed.layers, widths: changed.widths) }
  }

  @Test func badInputIsRefused() throws {
    var (model, random) = parent(1)
    for sparsity in [-0.1, 1, 1.5, .nan] {
      #expect(throws: InvalidArgument.self) { try NodeMask(randomOf: [4], sparsity: sparsity, random: &random) }
    }
    #expect(throws: InvalidArgument.self) { try NodeMask(randomOf: [4, 0], sparsity: 0.5, random: &random) }
    #expect(throws: InvalidArgument.self) { try NodeMask(layers: [[0], []], widths: [2, 2]) }
    #expect(throws: InvalidArgument.self) { try NodeMask(layers: [[2]], widths: [2]) }
    #expect(throws: InvalidArgument.self) { try NodeMask(layers: [[1, 0]], widths: [2]) }
    let other = try NodeMask(layers: [[0], [0]], widths: [8, 5])
    #expect(throws: InvalidArgument.self) { try model.extracted(other) }
    #expect(throws: InvalidArgument.self) {
      try SubnetworkLoss(parent: model, x: .zeros([3, 4]), labels: .zeros([3]))
    }
  }
}

@Suite struct RandomArchitectureSearchTests {
  private func run(_ search: RandomArchitectureSearch, seed: UInt64 = 1) throws -> SearchResult<Double> {
    try search.run(
      seed: seed, sample: { Double.random(in: 0..<1, using: &$0) },
      mutate: { $0 + Double.random(in: -0.1..<0.1, using: &$1) }, evaluate: { candidate, _ in abs(candidate - 0.3) })
  }

  @Test func theBestSoFarNeverGetsWorse() throws {
    for strategy in [RandomArchitectureSearch.Strategy.random, .hillClimbing] {
      let result = try run(.init(budget: 60, strategy: strategy))
      #expect(result.history.count == 60 && zip(result.history, result.history.dropFirst()).allSatisfy { $0 >= $1 })
      #expect(result.bestValue == result.history.last && result.bestValue == result.values.min())
      #expect(abs(result.best - 0.3) == result.bestValue)
      let again = try run(.init(budget: 60, strategy: strategy))
      #expect(again.values == result.values)
      #expect(try run(.init(budget: 60, strategy: strategy), seed: 2).values != result.values)
    }
  }

  @Test func oneCandidateIsARandomOne() throws {
    var stream = RandomStream(seed: 9).child(0)
    let expected = Double.random(in: 0..<1, using: &stream)
    #expect(try run(.init(budget: 1), seed: 9).best == expected)
  }

  @Test func halvingKeepsTheBetterHalf() throws {
    var shares: [Double] = []
    let threads = threadCount
    threadCount = 1
    defer { threadCount = threads }
    let result = try RandomArchitectureSearch(budget: 16, strategy: .successiveHalving(rounds: 3)).run(
      seed: 1, sample: { Double.random(in: 0..<1, using: &$0) },
      evaluate: { candidate, share in
        shares.append(share)
        return candidate
      })
    #expect(
      shares == Array(repeating: 0.25, count: 16) + Array(repeating: 0.5, count: 8) + Array(repeating: 1, count: 4))
    #expect(result.bestValue == result.best && result.values.count == 4)
  }

  @Test func valuesThatAreNoNumbersAreDiscarded() throws {
    let result = try RandomArchitectureSearch(budget: 40).run(
      seed: 3, sample: { Int.random(in: 0..<10, using: &$0) },
      evaluate: { candidate, _ in candidate < 5 ? .nan : Double(candidate) })
    #expect(result.discarded > 5 && result.discarded + result.values.count == 40 && result.best >= 5)
    #expect(throws: InvalidArgument.self) {
      try RandomArchitectureSearch(budget: 3).run(seed: 1, sample: { _ in 0 }, evaluate: { _, _ in .nan })
    }
    #expect(throws: InvalidArgument.self) {
      try RandomArchitectureSearch(budget: 0).run(seed: 1, sample: { _ in 0 }, evaluate: { _, _ in 0 })
    }
  }

  @Test func theExpectedMinimumGoesFromMeanToMinimum() {
    let values = [3.0, 1, 2, 2, 7]
    #expect(abs(expectedMinimum(of: values, draws: 1) - 3) < 1e-14)
    #expect(abs(expectedMinimum(of: values, draws: 10_000) - 1) < 1e-12)
    // All pairs drawn with repetition.
    var sum = 0.0
    for a in values { for b in values { sum += min(a, b) } }
    #expect(abs(expectedMinimum(of: values, draws: 2) - sum / 25) < 1e-14)
  }
}

@Suite struct NeutralityTests {
  @Test func equalResultsAreEquivalentAndShiftedOnesAreNot() throws {
    let same = try NeutralityReport(searched: [0.9, 0.9, 0.9], random: [[0.9, 0.9], [0.9], [0.9]])
    #expect(same.meanDifference == 0 && same.percentile == 0.5 && same.signProbability == 1)
    #expect(same.equivalence.isEquivalent() && same.interval == 0...0)
    let better = try NeutralityReport(searched: [0.95, 0.95, 0.95], random: [[0.9], [0.9], [0.9]])
    #expect(!better.equivalence.isEquivalent() && better.percentile == 1 && abs(better.meanDifference - 0.05) < 1e-12)
  }

  @Test func startsThatDecideAreSeen() throws {
    let report = try NeutralityReport(
      searched: [0.5, 0.5], random: [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], starts: [[9, 8, 7], [6, 5, 4]])
    #expect(report.correlationWithStart == -1)
    #expect(abs(report.percentile - (1 + 0.5) / 2) < 1e-12)
  }

  @Test func theProtocolTrainsEveryCandidateAlike() throws {
    let report = try compareSearchToRandom(
      repetitions: 3, randomCandidates: 2, search: { 10.0 + Double($0) }, sample: { Double($0 + $1) },
      start: { candidate, _ in -candidate }, train: { candidate, _ in candidate })
    #expect(report.differences == [9.5, 9.5, 9.5])
    #expect(report.correlationWithStart == -1)
  }

  @Test func badInputIsRefused() {
    #expect(throws: InvalidArgument.self) { try NeutralityReport(searched: [1], random: [[1]]) }
    #expect(throws: InvalidArgument.self) { try NeutralityReport(searched: [1, 2], random: [[1], []]) }
    #expect(throws: InvalidArgument.self) { try NeutralityReport(searched: [1, .nan], random: [[1], [2]]) }
    #expect(throws: InvalidArgument.self) { try NeutralityReport(searched: [1, 2], random: [[1], [2]], margin: 0) }
  }
}
