import DataSelection
import Datasets
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct ImportanceScoreTests {
  private func probabilities(_ seed: UInt64, _ count: Int, _ classes: Int) -> (Tensor<Double>, Tensor<Int>) {
    var random = RandomStream(seed: seed)
    let logits: Tensor<Double> = random.normal([count, classes])
    return ((logits * 3.0).softmax(axis: 1), random.integers([count], in: 0..<classes))
  }

  @Test(arguments: 0..<8) func scoresFollowTheirDefinitions(seed: UInt64) {
    let classes = 2 + Int(seed) % 5
    let (p, labels) = probabilities(seed, 20, classes)
    let el2n = ImportanceScore.el2n.of(probabilities: p, labels: labels)
    let l1 = ImportanceScore.l1Error.of(probabilities: p, labels: labels)
    let largest = ImportanceScore.maxMargin.of(probabilities: p, labels: labels)
    let sum = ImportanceScore.sumMargin.of(probabilities: p, labels: labels)
    for i in 0..<20 {
      let y = labels[at: i]
      let row = (0..<classes).map { p[at: i, $0] }
      let error = row.indices.map { row[$0] - ($0 == y ? 1 : 0) }
      let others = row.indices.filter { $0 != y }.map { row[$0] }
      #expect(abs(el2n[at: i] - error.reduce(0) { $0 + $1 * $1 }.squareRoot()) < 1e-12, "seed \(seed)")
      #expect(el2n[at: i] >= 0 && el2n[at: i] <= 2.0.squareRoot())
      #expect(abs(l1[at: i] - error.reduce(0) { $0 + abs($1) }) < 1e-12)
      #expect(abs(largest[at: i] - (others.max()! - row[y])) < 1e-12)
      #expect(abs(sum[at: i] - others.reduce(0) { $0 + $1 - row[y] }) < 1e-12)
    }
  }

  @Test func el2nOfCertainAndOfUniformPredictions() {
    for classes in 2..<8 {
      let labels = Tensor<Int>(0..<classes)
      let right = ImportanceScore.el2n.of(probabilities: Tensor<Double>.identity(classes), labels: labels)
      #expect(right.scalars.allSatisfy { $0 == 0 })
      let uniform = Tensor(repeating: 1 / Double(classes), shape: [classes, classes])
      let expected = (1 - 1 / Double(classes)).squareRoot()
      let scores = ImportanceScore.el2n.of(probabilities: uniform, labels: labels)
      #expect(scores.scalars.allSatisfy { abs($0 - expected) < 1e-14 })
      let wrong = Tensor<Double>.identity(classes).gathered(Tensor((0..<classes).map { ($0 + 1) % classes }))
      let worst = ImportanceScore.el2n.of(probabilities: wrong, labels: labels)
      #expect(worst.scalars.allSatisfy { abs($0 - 2.0.squareRoot()) < 1e-14 })
    }
  }

  private func data(_ seed: UInt64, shape: [Int], classes: Int) -> LabelledData<Double> {
    var random = RandomStream(seed: seed)
    return LabelledData(
      features: random.normal(shape), labels: random.integers([shape[0]], in: 0..<classes),
      classNames: (0..<classes).map { "\($0)" })
  }

  /// Gradients one example at a time, as plain gradients of a loss.
  private func explicitNorms<Model: Layer<Double>>(_ model: Model, _ data: LabelledData<Double>) -> [Double] {
    (0..<data.count).map { i in
      let one = data.taken(Tensor([i]))
      return model.valueAndGradient { crossEntropy($0(one.features), labels: one.labels) }.gradient.norm
    }
  }

  @Test(arguments: 0..<4) func gradientNormsOfDenseNetworksAreThoseOfSingleExamples(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let data = data(seed, shape: [9, 7], classes: 4)
    let model = MLP<Double>([7, 6, 5, 4], random: &random)
    let norms = model.importanceScores(of: data, .grand, batchSize: 4)
    for (norm, expected) in zip(norms.scalars, explicitNorms(model, data)) {
      #expect(abs(norm - expected) < 1e-6 * max(1, expected), "seed \(seed)")
    }
  }

  @Test func gradientNormsOfConvolutionsAreThoseOfSingleExamples() {
    var random = RandomStream(seed: 3)
    let data = data(3, shape: [6, 2, 9, 9], classes: 3)
    let model = Sequential<Double>(
      Convolution(2, 4, kernel: [3, 3], .init(stride: 2), random: &random), Mapping { $0.relu() },
      Convolution(4, 3, kernel: [2, 2], .init(padding: 1), random: &random), Mapping { $0.tanh() }, Flatten(),
      Linear(3 * 5 * 5, 3, random: &random))
    let norms = model.perExampleGradientNorms(of: data, batchSize: 5)
    for (norm, expected) in zip(norms.scalars, explicitNorms(model, data)) {
      #expect(abs(norm - expected) < 1e-6 * max(1, expected))
    }
  }

  @Test func gradientsOfExamplesAddUpToTheGradientOfTheBatch() {
    var random = RandomStream(seed: 5)
    let data = data(5, shape: [11, 6], classes: 3)
    let model = MLP<Double>([6, 5, 3], random: &random)
    let apart = model.perExampleGradients(examples: 11) {
      crossEntropy($0(data.features), labels: data.labels, reduction: .none)
    }.gradients
    let together = model.valueAndGradient { crossEntropy($0(data.features), labels: data.labels, reduction: .sum) }
    for (a, b) in zip(apart.tensors, together.gradient.tensors) { #expect(distance(a.sum(axis: 0), b) < 1e-12) }
    let squares = apart.tensors.reduce(0) { $0 + $1.sumOfSquares().scalar }
    let norms = model.importanceScores(of: data, .grand)
    #expect(abs(norms.sumOfSquares().scalar - squares) < 1e-10 * squares)
  }

  @Test(arguments: 0..<4) func aLinearClassifiersGradientIsTheErrorTimesTheInput(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let data = data(seed, shape: [12, 5], classes: 4)
    let model = Linear<Double>(5, 4, random: &random)
    let grand = model.importanceScores(of: data, .grand).scalars
    let el2n = model.importanceScores(of: data, .el2n).scalars
    for i in 0..<12 {
      let length = (data.features[i].sumOfSquares().scalar + 1).squareRoot()
      #expect(abs(grand[i] - el2n[i] * length) < 1e-12 * max(1, grand[i]), "seed \(seed)")
    }
  }

  @Test func theLastLayerAloneCanBeScored() {
    var random = RandomStream(seed: 9)
    let data = data(9, shape: [8, 5], classes: 3)
    let model = MLP<Double>([5, 4, 3], random: &random)
    let norms = model.perExampleGradientNorms(of: data, where: { $0.hasPrefix("2.") })
    let el2n = model.importanceScores(of: data, .el2n)
    let hidden = model.features(data.features)[0]
    for i in 0..<8 {
      let expected = el2n[at: i] * (hidden[i].sumOfSquares().scalar + 1).squareRoot()
      #expect(abs(norms[at: i] - expected) < 1e-12)
    }
  }
}

@Suite struct ForgettingTests {
  private func track(_ answers: [[Bool]]) -> [Double] {
    var tracker = ForgettingTracker(count: answers[0].count)
    for visit in answers { tracker.visit(Tensor(Array(visit.indices)), isRight: Tensor(visit)) }
    return tracker.scores.scalars
  }

  @Test func eventsAreFallsFromRightToWrong() {
    #expect(track([false, true, false, true, false].map { [$0] }) == [2])
    #expect(track([true, true, true].map { [$0] }) == [0])
    #expect(track([false, false].map { [$0] }) == [.infinity])
    #expect(track([false, false, true].map { [$0] }) == [0])
  }

  @Test(arguments: 0..<4) func anExamplesCountDoesNotDependOnTheOthers(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let visits = (0..<30).map { _ in random.bernoulli([6], probability: 0.5).scalars }
    let together = track(visits)
    for i in 0..<6 { #expect(track(visits.map { [$0[i]] }) == [together[i]], "seed \(seed)") }
    // In mini-batches of another order.
    var tracker = ForgettingTracker(count: 6)
    for visit in visits {
      let order = random.permutation(6)
      for part in [order[0..<2], order[2..<6]] {
        tracker.visit(part, isRight: Tensor(part.scalars.map { visit[$0] }))
      }
    }
    #expect(tracker.scores.scalars == together)
  }
}
