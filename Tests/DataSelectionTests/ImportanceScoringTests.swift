import DataSelection
import Datasets
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct ImportanceScoringTests {
  private var blobs: LabelledData<Double> {
    var random = RandomStream(seed: 4)
    let labels = random.integers([40], in: 0..<3)
    let centres = Tensor<Double>([[0, 2], [2, 0], [-2, -2]])
    return LabelledData(
      features: centres.gathered(labels) + random.normal([40, 2]), labels: labels, classNames: ["a", "b", "c"])
  }

  private func evaluate(_ scoring: ImportanceScoring, seed: UInt64 = 1) throws -> ImportanceReport {
    try scoring.evaluate(blobs, seed: seed, optimizer: Adam<Double>(learningRate: 1e-2)) { random in
      MLP<Double>([2, 8, 3], random: &random)
    }
  }

  @Test func aMeanOfRunsIsTheMeanAndRunsAreReproducible() throws {
    let scoring = ImportanceScoring(scores: [.el2n, .grand, .forgetting], epochs: [0, 2], runs: 3, batchSize: 16)
    let report = try evaluate(scoring)
    #expect(report == (try evaluate(scoring)))
    #expect(report != (try evaluate(scoring, seed: 2)))
    #expect(report.tables.count == 6)
    let table = report.table(.el2n, epoch: 2)
    #expect(table.perRun.shape == [3, 40])
    let sum = (0..<3).reduce(Tensor<Double>.zeros([40])) { $0 + table.perRun[$1] }
    #expect(distance(table.mean * 3.0, sum) < 1e-14)
    // The first run of several is the only run of one.
    var single = scoring
    single.runs = 1
    #expect(distance(try evaluate(single).table(.el2n, epoch: 2).perRun[0], table.perRun[0]) == 0)
    #expect(try evaluate(single).table(.el2n, epoch: 2).rankCorrelationBetweenRuns == nil)
    let correlation = try #require(table.rankCorrelationBetweenRuns)
    #expect(correlation > 0.5 && correlation <= 1)
    #expect(report.table(.forgetting, epoch: 0).mean.scalars.allSatisfy { $0 == .infinity })
  }

  @Test func scoresDoNotDependOnThreads() throws {
    let scoring = ImportanceScoring(scores: [.grand], epochs: [1], runs: 4, batchSize: 8)
    let report = try evaluate(scoring)
    let threads = threadCount
    threadCount = 1
    defer { threadCount = threads }
    #expect(report == (try evaluate(scoring)))
  }

  @Test func trainingLowersTheScoresOfMostExamples() throws {
    let report = try evaluate(ImportanceScoring(epochs: [0, 20], runs: 2, batchSize: 8))
    #expect(report.table(.el2n, epoch: 20).mean.mean().scalar < 0.7 * report.table(.el2n, epoch: 0).mean.mean().scalar)
  }

  @Test func badInputIsNamed() throws {
    func complaint(_ scoring: ImportanceScoring, _ data: LabelledData<Double>? = nil, outputs: Int = 3) -> String {
      do {
        _ = try scoring.evaluate(data ?? blobs, optimizer: SGD<Double>(learningRate: 1e200)) { random in
          MLP<Double>([2, 4, outputs], random: &random)
        }
        return "no error"
      } catch { return "\(error)" }
    }
    #expect(complaint(ImportanceScoring(runs: 0)).hasPrefix("runs: found 0"))
    #expect(complaint(ImportanceScoring(scores: [])).hasPrefix("scores"))
    #expect(complaint(ImportanceScoring(epochs: [-1])).hasPrefix("epochs"))
    #expect(complaint(ImportanceScoring(), outputs: 2).hasPrefix("model: found outputs of shape [1, 2]"))
    #expect(complaint(ImportanceScoring(epochs: [2], runs: 1)).contains("in run 0 for example"))
    var bad = blobs
    bad.features = Tensor(repeating: .nan, shape: [40, 2])
    #expect(complaint(ImportanceScoring(), bad).hasPrefix("features: found nan"))
    let one = LabelledData<Double>(features: .zeros([3, 2]), labels: .zeros([3]), classNames: ["only"])
    #expect(complaint(ImportanceScoring(), one).contains("at least two classes"))
    #expect(throws: InvalidArgument.self) {
      try LabelledData<Double>(fromFeatures: .zeros([3, 2]), labels: Tensor([0, -1, 1]))
    }
    #expect(throws: InvalidArgument.self) {
      try LabelledData<Double>(fromFeatures: .zeros([3, 2]), labels: .zeros([3]))
    }
    #expect(throws: InvalidArgument.self) {
      try LabelledData<Double>(fromFeatures: .zeros([3, 2]), labels: Tensor([0, 1]))
    }
  }
}

@Suite struct SubsetSelectionTests {
  private let scores = Tensor([0.5, 0.1, 0.9, 0.1, 0.7, 0.3])

  private func chosen(_ rule: SubsetRule, _ count: Int) throws -> [Int] {
    try SubsetSelection(rule, count: count).positions(by: scores).scalars
  }

  @Test func rulesByHand() throws {
    #expect(try chosen(.highest, 2) == [2, 4])
    #expect(try chosen(.lowest, 3) == [1, 3, 5])
    // Of equal scores the first is the lower one.
    #expect(try chosen(.lowest, 1) == [1])
    #expect(try chosen(.highest, 5) == [0, 2, 3, 4, 5])
    #expect(try chosen(.window(offset: 1), 3) == [0, 3, 5])
    #expect(try chosen(.skippingHardest(1), 2) == [0, 4])
    #expect(try chosen(.skippingHardest(1), 2) == chosen(.window(offset: 3), 2))
    #expect(try chosen(.random(seed: 3), 4).count == 4)
    #expect(try chosen(.random(seed: 3), 4) == chosen(.random(seed: 3), 4))
    let infinite = Tensor([0, Double.infinity, 2])
    #expect(try SubsetSelection(.highest, count: 1).positions(by: infinite).scalars == [1])
  }

  @Test(arguments: 0..<6) func classesKeepTheirShares(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let scores: Tensor<Double> = random.uniform([50])
    let labels = random.integers([50], in: 0..<4)
    for rule in [SubsetRule.highest, .lowest, .skippingHardest(7), .window(offset: 5), .random(seed: seed)] {
      let kept = try SubsetSelection(rule, count: 23, keepsClassShares: true).positions(by: scores, labels: labels)
      #expect(kept.count == 23 && Set(kept.scalars).count == 23, "seed \(seed)")
      #expect(kept.scalars == kept.scalars.sorted())
      for label in 0..<4 {
        let all = labels.scalars.count { $0 == label }
        let part = kept.scalars.count { labels[at: $0] == label }
        #expect(abs(Double(part) - Double(all) * 23 / 50) < 1)
      }
    }
  }

  @Test func badInputIsRefused() {
    for (rule, count) in [
      (SubsetRule.highest, 0), (.highest, 7), (.window(offset: 4), 3), (.skippingHardest(-1), 2),
      (.window(offset: -1), 1),
    ] {
      #expect(throws: InvalidArgument.self) { try SubsetSelection(rule, count: count).positions(by: scores) }
    }
    #expect(throws: InvalidArgument.self) { try SubsetSelection(count: 1).positions(by: Tensor([1, .nan])) }
    #expect(throws: InvalidArgument.self) { try SubsetSelection(count: 1).positions(by: Tensor<Double>.zeros([2, 2])) }
    #expect(throws: InvalidArgument.self) {
      try SubsetSelection(count: 1, keepsClassShares: true).positions(by: scores)
    }
  }

  @Test func noiseReportsCountWhatTheyFind() throws {
    let isWrong = Tensor([false, false, true, false, true, false])
    let report = try NoiseReport(scores: scores, isWrong: isWrong)
    #expect(report.areaUnderROC == 1 && report.precision == 1 && report.recall == 1 && report.inspected == 2)
    let three = try NoiseReport(scores: scores, isWrong: isWrong, inspected: 3)
    #expect(abs(three.precision - 2 / 3.0) < 1e-15 && three.recall == 1)
    let ties = try NoiseReport(scores: Tensor<Double>.zeros([6]), isWrong: isWrong)
    #expect(ties.areaUnderROC == 0.5)
    #expect(throws: InvalidArgument.self) { try NoiseReport(scores: scores, isWrong: scores .> 2) }
  }
}

@Suite struct TrainingDynamicsTests {
  @Test func aQuadraticHasItsBarrierInTheMiddle() {
    let a = Linear<Double>(weight: Tensor([[1.0]]))
    let b = Linear<Double>(weight: Tensor([[-1.0]]))
    // -w² has the ends -1 and the middle 0.
    let hill = linearPath(from: a, to: b, points: 11) { -$0.weight.squared().sum().scalar }
    #expect(abs(hill.barrier - 1) < 1e-14)
    let bowl = linearPath(from: a, to: b, points: 11) { $0.weight.squared().sum().scalar }
    #expect(bowl.barrier == 0 && bowl.losses[0] == 1)
  }

  @Test func theTangentKernelIsTheProductOfJacobians() {
    var random = RandomStream(seed: 2)
    let model = MLP<Double>([3, 4, 2], activation: .tanh, random: &random)
    let x: Tensor<Double> = random.normal([5, 3])
    let kernel = model.tangentKernel(x)
    for i in 0..<5 {
      for j in 0..<5 {
        var expected = 0.0
        for output in 0..<2 {
          let gradients = [i, j].map { row in
            model.valueAndGradient { $0(x[row].reshaped([1, 3])).slice(axis: 1, at: output).sum() }.gradient
          }
          for (p, q) in zip(gradients[0].tensors, gradients[1].tensors) { expected += (p * q).sum().scalar }
        }
        #expect(abs(kernel[at: i, j] - expected) < 1e-12)
      }
    }
    #expect(abs(kernelVelocity(from: kernel, to: kernel * 3.0)) < 1e-14)
    #expect(abs(kernelVelocity(from: kernel, to: -kernel) - 2) < 1e-14)
  }
}
