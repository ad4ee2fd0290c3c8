import DataSelection
import Datasets
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct DistillationTests {
  private typealias Net = MLP<Double>

  private func data(_ count: Int = 24, classes: Int = 3, seed: UInt64 = 1) -> LabelledData<Double> {
    var random = RandomStream(seed: seed)
    let labels = Tensor<Int>((0..<count).map { $0 % classes })
    let centres: Tensor<Double> = random.normal([classes, 5]) * 2
    return LabelledData(
      features: centres.gathered(labels) + random.normal([count, 5]) * 0.5, labels: labels,
      classNames: (0..<classes).map { "\($0)" })
  }

  private func net(_ random: inout RandomStream) -> Net { MLP([5, 4, 3], activation: .tanh, random: &random) }

  private struct Problem {
    var model: Net
    var inputs: Tensor<Double>
    var labels: Tensor<Int>
    var start: [Tensor<Double>]
    var matches: [TrajectoryMatch<Double>]

    func result(segment: Int, steps: Int, inputs: Tensor<Double>, logStep: Double) -> UnrolledTraining<Double>.Result {
      UnrolledTraining(steps: steps, segment: segment).differentiate(
        from: start, inputs: inputs, logStep: logStep, matches: matches, scale: 0.7
      ) { parameters, x, step in
        // Another batch in every step.
        let rows = Tensor<Int>([step % 6, (step + 1) % 6, (step + 3) % 6])
        return crossEntropy(model.with(parameters: parameters)(x.gathered(rows)), labels: labels.gathered(rows))
      }
    }
  }

  private func problem(seed: UInt64, steps: Int) -> Problem {
    var random = RandomStream(seed: seed)
    let model = net(&random)
    let start = model.parameters.tensors
    func target() -> [Tensor<Double>] { start.map { $0 + random.normal($0.shape) * 0.1 } }
    return Problem(
      model: model, inputs: random.normal([6, 5]), labels: Tensor([0, 1, 2, 0, 1, 2]), start: start,
      matches: [
        TrajectoryMatch(step: steps / 2, target: target(), weight: 0.5),
        TrajectoryMatch(step: steps, target: target(), weight: 1),
      ])
  }

  @Test(arguments: 0..<3)
  func segmentsAgreeWithUnrollingAndDifferences(seed: UInt64) {
    let steps = 7
    let problem = problem(seed: seed, steps: steps)
    let whole = problem.result(segment: steps, steps: steps, inputs: problem.inputs, logStep: -1)
    for segment in [1, 2, 3, 5] {
      let other = problem.result(segment: segment, steps: steps, inputs: problem.inputs, logStep: -1)
      #expect(abs(other.loss - whole.loss) < 1e-12 && abs(other.stepGradient - whole.stepGradient) < 1e-10)
      #expect(distance(other.gradient, whole.gradient) < 1e-11, "segments of \(segment)")
      for (a, b) in zip(other.end, whole.end) { #expect(distance(a, b) < 1e-13) }
    }
    let change = 1e-5
    func loss(_ inputs: Tensor<Double>, _ logStep: Double) -> Double {
      problem.result(segment: steps, steps: steps, inputs: inputs, logStep: logStep).loss
    }
    let slope = (loss(problem.inputs, -1 + change) - loss(problem.inputs, -1 - change)) / (2 * change)
    #expect(abs(slope - whole.stepGradient) < 1e-7)
    for i in 0..<problem.inputs.count {
      func moved(_ distance: Double) -> Tensor<Double> {
        var inputs = problem.inputs.copied()
        inputs.withUnsafeMutableBuffer { $0[i] += distance }
        return inputs
      }
      let difference = (loss(moved(change), -1) - loss(moved(-change), -1)) / (2 * change)
      #expect(abs(difference - whole.gradient.scalars[i]) < 1e-7)
    }
  }

  @Test func lossIsOneWithoutStepsAndZeroOnTheExpertsPath() throws {
    let data = data()
    var random = RandomStream(seed: 2)
    let model = net(&random)
    let start = model.parameters.tensors
    func loss(_ parameters: [Tensor<Double>], _ x: Tensor<Double>) -> Tensor<Double> {
      crossEntropy(model.with(parameters: parameters)(x), labels: data.labels)
    }
    let slope = valueAndGradients(at: start) { loss($0, data.features) }.gradients
    let target = zip(start, slope).map { $0 - $1 * 0.1 }
    let scale = zip(start, target).reduce(0) { $0 + ($1.0 - $1.1).sumOfSquares().scalar }
    func result(_ logStep: Double) -> UnrolledTraining<Double>.Result {
      UnrolledTraining(steps: 1, segment: 1).differentiate(
        from: start, inputs: data.features, logStep: logStep,
        matches: [TrajectoryMatch(step: 1, target: target, weight: 1)], scale: scale
      ) { parameters, x, _ in loss(parameters, x) }
    }
    #expect(abs(result(-800).loss - 1) < 1e-12)
    #expect(result(log(0.1)).loss < 1e-24)
  }

  @Test func gradientPenaltyIsDifferentiatedAndClippedExamplesAreSilent() {
    let data = data(6)
    var random = RandomStream(seed: 3)
    let model = net(&random)
    let smoothness = ExpertSmoothness(clip: 3, gradientPenalty: 0.4)
    func loss(_ parameters: [Tensor<Double>]) -> Tensor<Double> {
      expertLoss(model.with(parameters: parameters), data.features, data.labels, smoothness)
    }
    let parameters = model.parameters.tensors
    let gradients = valueAndGradients(at: parameters, of: loss).gradients
    for (k, i) in [(0, 3), (1, 2), (2, 5), (3, 1)] {
      func value(_ change: Double) -> Double {
        var moved = parameters
        moved[k] = moved[k].copied()
        moved[k].withUnsafeMutableBuffer { $0[i] += change }
        return loss(moved).scalar
      }
      #expect(abs((value(1e-5) - value(-1e-5)) / 2e-5 - gradients[k].scalars[i]) < 1e-7)
    }
    let clipped = ExpertSmoothness(clip: 1e-6, gradientPenalty: 0.4)
    let silent = valueAndGradients(at: parameters) {
      expertLoss(model.with(parameters: $0), data.features, data.labels, clipped)
    }.gradients
    #expect(silent.allSatisfy { $0.largestMagnitude == 0 })
  }

  @Test func distillationImprovesAndRepeats() throws {
    let data = data(60)
    let experts = try ExpertBuffer.train(net, on: data, epochs: 8, count: 2, batchSize: 16)
    #expect(experts.epochs == 8 && experts.stepNorms.count == 8 && experts.stepNorms.allSatisfy { $0 > 0 })
    var method = TrajectoryMatching(imagesPerClass: 2)
    (method.innerSteps, method.iterations, method.lastStart) = (6, 60, 3)
    let first = try method.distill(data, from: experts, net)
    #expect(first.data.labels.scalars == [0, 0, 1, 1, 2, 2])
    #expect(first.history.suffix(10).reduce(0, +) < first.history.prefix(10).reduce(0, +))
    let again = try method.distill(data, from: experts, net)
    #expect(distance(again.data.features, first.data.features) == 0 && again.stepSize == first.stepSize)
    // Pixels may be kept where those of the data are.
    let (low, high) = (data.features.minimum().scalar, data.features.maximum().scalar)
    method.learningRate = 5
    let free = try method.distill(data, from: experts, net).data.features
    #expect(free.minimum().scalar < low || free.maximum().scalar > high)
    method.staysInRange = true
    let kept = try method.distill(data, from: experts, net).data.features
    #expect(kept.minimum().scalar >= low && kept.maximum().scalar <= high)
    (method.learningRate, method.staysInRange) = (0.02, false)
    // Class-balanced batches.
    method.batchSize = 3
    #expect(try method.distill(data, from: experts, net).history.allSatisfy(\.isFinite))
    let accuracies = try evaluateDistilled(first.data, stepSize: first.stepSize, net, on: data, steps: 60, runs: 2)
    #expect(accuracies.count == 2 && accuracies.allSatisfy { $0 > 0.5 })
  }

  @Test func divergingStudentsHalveTheirStep() throws {
    let data = data(30)
    let experts = try ExpertBuffer.train(net, on: data, epochs: 6, count: 1, batchSize: 8)
    var method = TrajectoryMatching(imagesPerClass: 1)
    (method.iterations, method.lastStart) = (2, 1)
    // The least step, in powers of ten, at which students are no numbers any more.
    for stepSize in [1e30, 1e40, 1e50, 1e60, 1e80, 1e100, 1e120] {
      method.initialStepSize = stepSize
      let result = try method.distill(data, from: experts, net)
      let isFinite = result.history.allSatisfy { $0.isFinite }
      #expect(isFinite, "\(stepSize)")
      if result.divergences > 0 { return }
    }
    Issue.record("no step was too large")
  }

  @Test func representativesAreRealAndOfTheirClass() throws {
    let data = data(30)
    var random = RandomStream(seed: 4)
    let chosen = try kMeansRepresentatives(data, perClass: 3, random: &random)
    #expect(Set(chosen).count == 9)
    #expect(chosen.map { data.labels[at: $0] } == [0, 0, 0, 1, 1, 1, 2, 2, 2])
    // Three tight groups of one class: one from each.
    let rows = (0..<9).map { (i: Int) -> [Double] in
      let group = Double(i / 3)
      let place = Double(i % 3)
      return [10 * group + 0.01 * place, 0]
    }
    let points = Tensor<Double>(rows)
    let groups = LabelledData(features: points, labels: .zeros([9]), classNames: ["a"])
    let places = try kMeansRepresentatives(groups, perClass: 3, random: &random)
    #expect(Set(places.map { $0 / 3 }).count == 3 && places.allSatisfy { $0 % 3 == 1 })
  }

  @Test func badSettingsAreRefused() throws {
    let data = data(12)
    let experts = try ExpertBuffer.train(net, on: data, epochs: 3, count: 1)
    func run(_ change: (inout TrajectoryMatching) -> Void) throws {
      var method = TrajectoryMatching(imagesPerClass: 1)
      (method.lastStart, method.expertEpochs, method.iterations) = (0, 2, 1)
      change(&method)
      _ = try method.distill(data, from: experts, net)
    }
    try run { _ in }
    for change: (inout TrajectoryMatching) -> Void in [
      { $0.imagesPerClass = 0 }, { $0.imagesPerClass = 5 }, { $0.innerSteps = 0 }, { $0.lastStart = 2 },
      { $0.perturbation = -1 },
    ] {
      #expect(throws: InvalidArgument.self) { try run(change) }
    }
    let still = ExpertBuffer(snapshots: [Array(repeating: experts.snapshots[0][0], count: 4)])
    #expect(throws: InvalidArgument.self) {
      var method = TrajectoryMatching(imagesPerClass: 1)
      (method.lastStart, method.expertEpochs) = (0, 2)
      _ = try method.distill(data, from: still, net)
    }
    #expect(throws: InvalidArgument.self) { try ExpertBuffer.train(net, on: data, epochs: 0) }
  }
}
