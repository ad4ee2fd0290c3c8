import Convolutions
import DataSelection
import Datasets
import Networks
import Tensors
import TestSupport
import Testing

@Suite struct GradientMatchingTests {
  private func data(_ count: Int = 60, seed: UInt64 = 1) -> LabelledData<Double> {
    var random = RandomStream(seed: seed)
    let labels = Tensor<Int>((0..<count).map { $0 % 3 })
    let centres: Tensor<Double> = random.normal([3, 5]) * 2
    return LabelledData(
      features: centres.gathered(labels) + random.normal([count, 5]) * 0.5, labels: labels,
      classNames: ["a", "b", "c"])
  }

  private func net(_ random: inout RandomStream) -> MLP<Double> { MLP([5, 4, 3], activation: .tanh, random: &random) }

  @Test(arguments: 0..<4)
  func distancesAreOnesLessCosines(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let own = [random.normal([3, 4], of: Double.self), random.normal([3]), random.normal([2, 2, 3])]
    #expect(abs(gradientDistance(own, own.map { $0 * 3 }).scalar) < 1e-9, "seed \(seed)")
    #expect(abs(gradientDistance(own, own.map { -$0 }).scalar - 2 * 5) < 1e-9, "seed \(seed)")
    let other = own.map { random.normal($0.shape, of: Double.self) }
    var sum = 0.0
    for i in [0, 2] {
      for row in 0..<own[i].shape[0] {
        let (a, b) = (own[i][row].flattened, other[i][row].flattened)
        sum += 1 - (a * b).sum().scalar / (a.frobeniusNorm() * b.frobeniusNorm())
      }
    }
    #expect(abs(gradientDistance(own, other).scalar - sum) < 1e-9, "seed \(seed)")
    // Where nothing flows there is still a derivative.
    let slope = valueAndGradient(at: own[0]) { gradientDistance([$0 * 0], [other[0]]) }.gradient
    #expect(slope.isFinite)
  }

  @Test func examplesImproveAndRepeat() throws {
    let data = data()
    var method = GradientMatching(imagesPerClass: 2)
    (method.networks, method.updates) = (6, 8)
    let first = try method.distill(data, net)
    #expect(first.data.labels.scalars == [0, 0, 1, 1, 2, 2] && first.history.count == 48)
    #expect(first.data.features != data.features.gathered(Tensor<Int>(0..<6)))
    #expect(try method.distill(data, net).data.features == first.data.features)
    let accuracies = try evaluateDistilled(first.data, stepSize: first.stepSize, net, on: data, steps: 100, runs: 2)
    #expect(accuracies.allSatisfy { $0 > 0.7 })
    // From noise instead of examples: the loss must fall, for the start gives nothing away.
    method.learningRate = 0.1
    (method.networks, method.updates, method.networkSteps) = (1, 60, 0)
    let losses = try method.distill(data, net).history
    #expect(losses[59] < losses[0])
  }

  @Test func badSettingsAreRefused() {
    for change: (inout GradientMatching) -> Void in [
      { $0.imagesPerClass = 0 }, { $0.imagesPerClass = 21 }, { $0.networks = 0 }, { $0.updates = 0 },
      { $0.stepSize = 0 }, { $0.networkSteps = -1 },
    ] {
      var method = GradientMatching(imagesPerClass: 1)
      (method.networks, method.updates) = (1, 1)
      change(&method)
      #expect(throws: InvalidArgument.self) { try method.distill(data(), net) }
    }
  }
}

@Suite struct ConvolutionalDistillationTests {
  /// Images of 6 × 6 in, through one normalised convolution.
  private struct Network: Layer {
    var convolution: Convolution<Double>
    var head: Linear<Double>

    init(random: inout RandomStream) {
      convolution = Convolution(1, 2, kernel: [3, 3], ConvolutionOptions(padding: 1), random: &random)
      head = Linear(2 * 9, 3, random: &random)
    }

    func callAsFunction(_ x: Tensor<Double>, in pass: ForwardPass) -> Tensor<Double> {
      let features = InstanceNorm<Double>(2)(convolution(x.reshaped([-1, 1, 6, 6])))
      return head(AveragePooling<Double>(2)(Activation.tanh(features)).reshaped([-1, 2 * 9]))
    }

    mutating func visit(_ visitor: Visitor<Double>) {
      visitor.module("convolution", &convolution)
      visitor.module("head", &head)
    }
  }

  /// The derivative through steps of a convolutional student, against differences.
  @Test(arguments: 0..<2)
  func derivativesThroughStepsOfConvolutions(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let model = Network(random: &random)
    let start = model.parameters.tensors
    let inputs: Tensor<Double> = random.normal([3, 36])
    let match = TrajectoryMatch(
      step: 4, target: start.map { $0 + random.normal($0.shape, of: Double.self) * 0.1 }, weight: 1)
    func result(_ inputs: Tensor<Double>, segment: Int = 4) -> UnrolledTraining<Double>.Result {
      UnrolledTraining(steps: 4, segment: segment).differentiate(
        from: start, inputs: inputs, logStep: -1, matches: [match], scale: 0.5
      ) { parameters, x, _ in crossEntropy(model.with(parameters: parameters)(x), labels: Tensor([0, 1, 2])) }
    }
    let found = result(inputs)
    #expect(distance(result(inputs, segment: 1).gradient, found.gradient) < 1e-10, "seed \(seed)")
    for _ in 0..<3 {
      let direction: Tensor<Double> = random.normal([3, 36])
      let step = 1e-5
      let difference = (result(inputs + direction * step).loss - result(inputs - direction * step).loss) / (2 * step)
      let slope = (found.gradient * direction).sum().scalar
      #expect(abs(slope - difference) < 1e-6 * max(1, abs(difference)), "seed \(seed)")
    }
  }

  @Test func smallImagesAreDistilled() throws {
    var random = RandomStream(seed: 3)
    let labels = Tensor<Int>((0..<30).map { $0 % 3 })
    let centres: Tensor<Double> = random.normal([3, 36])
    let data = LabelledData<Double>(
      features: centres.gathered(labels) + random.normal([30, 36]) * 0.3, labels: labels,
      classNames: ["a", "b", "c"])
    let experts = try ExpertBuffer.train(
      { Network(random: &$0) }, on: data, epochs: 5, count: 1, batchSize: 10, smoothness: .init())
    for scale in TrajectoryMatching.PerturbationScale.allCases {
      var method = TrajectoryMatching(imagesPerClass: 1)
      (method.innerSteps, method.iterations, method.lastStart, method.expertEpochs) = (4, 30, 2, 2)
      method.perturbationScale = scale
      let found = try method.distill(data, from: experts) { Network(random: &$0) }
      #expect(found.history.suffix(8).reduce(0, +) < found.history.prefix(8).reduce(0, +), "\(scale)")
    }
  }

  /// With a student that takes no step worth the name, the loss of one iteration is the squared length of the move.
  @Test func movesAreMeasuredByFilters() throws {
    let rows = Tensor<Double>([[1e-3, 0, 0], [0, 1e3, 0]])
    let target = Tensor<Double>([[0, 0, 0], [0, 0, 1]])
    let snapshots = [[rows, Tensor<Double>([0, 0])], [rows + target, Tensor<Double>([0, 0])]]
    let data = LabelledData<Double>(
      features: .ones([4, 3]), labels: Tensor([0, 1, 0, 1]), classNames: ["a", "b"])
    var method = TrajectoryMatching(imagesPerClass: 1)
    (method.innerSteps, method.iterations, method.lastStart, method.expertEpochs) = (1, 1, 0, 1)
    (method.initialStepSize, method.intermediate, method.perturbation) = (1e-30, 0, 0.1)
    method.perturbationScale = .filters
    let found = try method.distill(data, from: ExpertBuffer(snapshots: [snapshots])) { random in
      Linear<Double>(3, 2, random: &random)
    }
    // The second row is moved by 100 of its 1,000, against a target at distance one.
    #expect(abs(found.history[0] - 1e4) < 3e2)
  }
}
