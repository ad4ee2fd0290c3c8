import Datasets
import Tensors
import TestSupport
import Testing

@Suite struct SplitTests {
  /// A data set whose single feature is the example's number.
  private func numbered(_ labels: [Int]) -> LabelledData<Float> {
    LabelledData(
      features: Tensor<Float>(shape: [labels.count, 1], scalars: labels.indices.map { Float($0) }),
      labels: Tensor(labels), classNames: (0...(labels.max() ?? 0)).map(String.init))
  }

  private func numbers(_ data: LabelledData<Float>) -> [Int] { data.features.scalars.map { Int($0) } }

  @Test(arguments: 0..<12) func partsAreDisjointStratifiedAndDeterministic(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let labels = (0..<Int.random(in: 20...300, using: &generator)).map { _ in Int.random(in: 0..<4, using: &generator) }
    let data = numbered(labels)
    let parts = try data.split(validation: 0.15, test: 0.25, seed: seed)
    let all = [parts.train, parts.validation, parts.test].flatMap(numbers)
    #expect(all.sorted() == Array(labels.indices), "seed \(seed)")
    #expect(numbers(parts.test) == numbers(parts.test).sorted())
    #expect(parts.test.count == Int((Double(labels.count) * 0.25).rounded(.down)), "seed \(seed)")
    for k in 0..<4 {
      let total = labels.count { $0 == k }
      let tested = parts.test.labels.scalars.count { $0 == k }
      let validated = parts.validation.labels.scalars.count { $0 == k }
      #expect(abs(Double(tested) - 0.25 * Double(total)) <= 1, "seed \(seed)")
      #expect(abs(Double(validated) - 0.15 * Double(total)) <= 1.5, "seed \(seed)")
    }
    for i in 0..<data.count where i < parts.train.count {
      #expect(parts.train.labels[at: i] == labels[numbers(parts.train)[i]])
    }
    let again = try data.split(validation: 0.15, test: 0.25, seed: seed)
    let other = try data.split(validation: 0.15, test: 0.25, seed: seed + 1)
    #expect(numbers(again.test) == numbers(parts.test) && numbers(other.test) != numbers(parts.test))
  }

  @Test func foldsCoverAllOnce() throws {
    let data = numbered((0..<53).map { $0 % 3 })
    let folds = try data.folds(5, seed: 3)
    #expect(folds.flatMap { numbers($0.test) }.sorted() == Array(0..<53))
    for fold in folds {
      #expect((numbers(fold.train) + numbers(fold.test)).sorted() == Array(0..<53))
      #expect((10...11).contains(fold.test.count))
    }
    #expect(throws: InvalidArgument.self) { try data.folds(1) }
    #expect(throws: InvalidArgument.self) { try data.folds(54) }
  }

  @Test(arguments: [(0.5, 0.5), (-0.1, 0.2), (0, 1), (.nan, 0.1)]) func badFractions(validation: Double, test: Double) {
    #expect(throws: InvalidArgument.self) { try numbered([0, 1, 0]).split(validation: validation, test: test) }
  }

  @Test(arguments: 0..<8) func batchesSeeEveryExampleOnceAnEpoch(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let count = Int.random(in: 1...90, using: &generator)
    let size = Int.random(in: 1...40, using: &generator)
    var batches = Batches(count: count, size: size, random: RandomStream(seed: seed))
    var epochs: [[Int]] = []
    for epoch in 0..<3 {
      let steps = epoch * batches.perEpoch..<(epoch + 1) * batches.perEpoch
      let seen = steps.flatMap { batches.positions(at: $0).scalars }
      #expect(seen.sorted() == Array(0..<count), "seed \(seed)")
      epochs.append(seen)
    }
    if count > 8 { #expect(epochs[0] != epochs[1] && epochs[1] != epochs[2], "seed \(seed)") }
    // From any step on, a fresh value continues as the first one would have.
    let step = Int.random(in: 0..<3 * batches.perEpoch, using: &generator)
    var fresh = Batches(count: count, size: size, random: RandomStream(seed: seed))
    #expect(fresh.positions(at: step) == batches.positions(at: step), "seed \(seed)")
  }

  @Test func incompleteBatchesCanBeLeftOut() {
    var batches = Batches(count: 10, size: 4, dropsRest: true, random: RandomStream(seed: 1))
    #expect(batches.perEpoch == 2 && (0..<8).allSatisfy { batches.positions(at: $0).count == 4 })
    #expect(Batches(count: 10, size: 64, dropsRest: true, random: RandomStream(seed: 1)).perEpoch == 1)
  }

  @Test func standardizationInverts() {
    var random = RandomStream(seed: 5)
    var x: Tensor<Double> = random.normal([200, 3], mean: 4, standardDeviation: 7)
    x = Tensor.concatenated([x, Tensor(repeating: 1234.5678, shape: [200, 1])], axis: 1)
    let standardization = Standardization(fittedTo: x)
    let z = standardization(x)
    #expect(z.mean(axis: 0).largestMagnitude < 1e-12 && z.isFinite)
    #expect(distance(z.variance(axis: 0), Tensor([1, 1, 1, 0])) < 1e-12)
    #expect(distance(standardization.inverted(z), x) < 1e-11)
  }
}
