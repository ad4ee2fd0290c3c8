import Compression
import LinearAlgebra
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct MFACTests {
  private func network(_ seed: UInt64) -> MLP<Double> {
    var random = RandomStream(seed: seed)
    return MLP([5, 8, 3], activation: .tanh, random: &random)
  }

  private func gradient(_ model: MLP<Double>, _ seed: UInt64) -> NamedTensors<Double> {
    var random = RandomStream(seed: seed)
    let x: Tensor<Double> = random.normal([6, 5])
    let labels = random.integers([6], in: 0..<3)
    return model.valueAndGradient { crossEntropy($0(x), labels: labels) }.gradient
  }

  private func flat(_ tensors: NamedTensors<Double>) -> Tensor<Double> {
    .concatenated(tensors.tensors.map { $0.reshaped([-1]) })
  }

  /// The paper's update in plain tensors, against the optimizer; the window wraps around.
  @Test func optimizerFollowsThePaper() throws {
    var model = network(1)
    var optimizer = MFAC<Double>(learningRate: 0.02, momentum: 0.7, weightDecay: 0.1, window: 3, damping: 0.05)
    var weights = flat(model.parameters)
    var velocity = Tensor<Double>.zeros(weights.shape)
    var window: [Tensor<Double>] = []
    for step in 0..<5 {
      let slopes = gradient(model, UInt64(step))
      let slope = flat(slopes) + weights * 0.1
      window = (window + [slope]).suffix(3)
      let rows = Tensor.stacked(window + [Tensor](repeating: .zeros(slope.shape), count: 3 - window.count))
      let direction = try InverseFisher(gradients: rows, damping: 0.05).apply(slope)
      // The first velocity is the direction's share, as in the reference.
      velocity = velocity * 0.7 + direction * 0.3
      weights -= velocity * (0.02 * 0.5)
      optimizer.update(&model, along: slopes, rateFactor: 0.5)
      #expect(distance(flat(model.parameters), weights) < 1e-10, "step \(step)")
    }
  }

  @Test func changeIsWhatUpdateAdds() {
    let model = network(2)
    var (first, second) = (MFAC<Double>(window: 4), MFAC<Double>(window: 4))
    let slopes = gradient(model, 3)
    var moved = model
    first.update(&moved, along: slopes)
    let change = second.change(of: model, along: slopes)
    #expect(distance(flat(moved.parameters) - flat(model.parameters), flat(change)) < 1e-14)
    #expect(first.state.step == second.state.step)
  }

  /// A run that is saved and resumed in the middle, after the window wrapped around, gives the same bits.
  @Test func resumesExactly() throws {
    func run(_ optimizer: inout MFAC<Double>, _ model: inout MLP<Double>, _ steps: Range<Int>) {
      for step in steps { optimizer.update(&model, along: gradient(model, UInt64(step))) }
    }
    var (model, optimizer) = (network(3), MFAC<Double>(learningRate: 0.01, momentum: 0.9, window: 3))
    run(&optimizer, &model, 0..<5)
    var (other, resumed) = (model, MFAC<Double>(learningRate: 0.01, momentum: 0.9, window: 3))
    try resumed.restore(optimizer.state)
    #expect(resumed.state.step == 5)
    run(&optimizer, &model, 5..<9)
    run(&resumed, &other, 5..<9)
    #expect(flat(model.parameters) == flat(other.parameters))
    let before = resumed.state
    for tensors in [
      NamedTensors(names: ["other/all"], tensors: [Tensor<Double>.zeros([2])]),
      NamedTensors(names: ["window/all"], tensors: [Tensor<Double>.zeros([2])]),
      NamedTensors(names: ["window/all"], tensors: [Tensor<Double>.zeros([2, 3])]),
      NamedTensors(names: ["window/all", "momentum/all"], tensors: [Tensor<Double>.zeros([3, 4]), .zeros([3])]),
    ] {
      #expect(throws: InvalidArgument.self) { try resumed.restore(OptimizerState(step: 5, tensors: tensors)) }
    }
    #expect(resumed.state.step == before.step && resumed.state.tensors.names == before.tensors.names)
    try resumed.restore(OptimizerState())
    #expect(resumed.state.tensors.count == 0)
  }

  @Test func zerosStayAndBadGradientsAreRejected() {
    var model = network(4)
    model.layers[0].weight = model.layers[0].weight * Tensor<Double>(model.layers[0].weight .> 0)
    let zeros = model.layers[0].weight .== 0
    var optimizer = MFAC<Double>(learningRate: 0.1, weightDecay: 0.01, window: 4, keepsZeros: true)
    for step in 0..<3 { optimizer.update(&model, along: gradient(model, UInt64(step))) }
    #expect((model.layers[0].weight .== 0) == zeros)
    let before = flat(model.parameters)
    optimizer.update(&model, along: gradient(model, 9).map { $0 / 0 })
    #expect(flat(model.parameters) == before && optimizer.rejectedSteps == 1 && optimizer.state.step == 3)
  }

  // MARK: Pruning

  @Test func reachesTheSparsityInGeometricSteps() throws {
    var model = network(5)
    var calls: [Int] = []
    let pruner = MFACPruner(damping: 1e-3, gradientCount: 4, recomputations: 3)
    let report = try pruner.prune(
      &model, to: 0.75, evaluation: { Double($0.parameterCount) },
      gradient: { model, index in
        calls.append(index)
        return gradient(model, UInt64(index))
      })
    #expect(calls == Array(0..<12))
    let eligible = 5 * 8 + 8 * 3
    for (i, round) in report.rounds.enumerated() {
      let wanted = Double.pow(0.25, Double(i + 1) / 3)
      #expect(abs(round.density - wanted) <= 0.5 / Double(eligible) + 1e-12)
      #expect(round.evaluation == 75 && (round.predictedIncrease ?? -1) > 0)
    }
    #expect(report.rounds.reduce(0) { $0 + $1.dropped } == eligible * 3 / 4 && report.sparsity == 0.75)
    #expect(report.kept.map(\.name) == ["0.weight", "2.weight"])
    for (name, mask) in report.kept {
      let weight = model.stateDictionary[name] ?? .zeros([0])
      #expect((weight .!= 0) == mask)
    }
    let biases = report.scores["0.bias"]?.scalars ?? []
    #expect(biases.count == 8 && biases.allSatisfy { $0 == .infinity })
    #expect(model.layers[0].bias?.scalars.allSatisfy { $0 != 0 } == true)
    var trained = model
    trained.forEachParameter { _, tensor in tensor += 1 }
    report.apply(to: &trained)
    #expect((trained.layers[1].weight .!= 0) == report.kept[1].mask)
    // Further, from where it is.
    let next = try pruner.prune(&model, to: 0.9) { model, index in gradient(model, UInt64(index)) }
    #expect(next.sparsity > 0.89 && next.rounds[0].density < 0.25)
  }

  /// A linear model with squared loss is a quadratic: with one gradient an example of residual one, F is its Hessian.
  @Test func exactCompensationIsNotWorse() throws {
    var generator = TestGenerator(seed: 6)
    let x: Tensor<Double> = generator.tensor([40, 6])
    let mixed = x.matmul(generator.tensor([6, 6]))
    let start = Linear<Double>(weight: generator.tensor([1, 6]))
    let target = start(mixed)
    func loss(_ model: Linear<Double>) -> Double { (model(mixed) - target).sumOfSquares().scalar / 80 }
    var losses: [Double] = []
    for compensation in [RemovalCompensation.exact, .simultaneous, .none] {
      var model = start
      let pruner = MFACPruner(damping: 1e-9, gradientCount: 40, recomputations: 1, compensation: compensation)
      let report = try pruner.prune(&model, to: 0.5) { _, index in
        NamedTensors(names: ["weight"], tensors: [mixed[index].reshaped([1, 6])])
      }
      losses.append(loss(model))
      #expect(abs(loss(model) - (report.rounds[0].predictedIncrease ?? .nan)) < 1e-6, "\(compensation)")
    }
    #expect(losses[0] <= losses[1] + 1e-9 && losses[0] <= losses[2] + 1e-9)
  }

  @Test func magnitudeAndRandom() throws {
    var model = network(7)
    let before = model.layers.map(\.weight)
    let report = try MagnitudePruner().prune(&model, to: 0.5)
    #expect(report.sparsity == 0.5)
    let all = before.flatMap { $0.absolute().scalars }.sorted()
    let limit = (all[31] + all[32]) / 2
    for (layer, original) in zip(model.layers, before) {
      #expect((layer.weight .!= 0) == (original.absolute() .> limit))
    }
    var uniform = network(7)
    _ = try MagnitudePruner(isUniform: true).prune(&uniform, to: 0.5)
    #expect((uniform.layers[0].weight .== 0).trueCount == 20 && (uniform.layers[1].weight .== 0).trueCount == 12)
    var random = network(7)
    let dropped = try RandomPruner(seed: 3).prune(&random, to: 0.25) { name, _ in name == "0.weight" }
    #expect((random.layers[0].weight .== 0).trueCount == 10 && random.layers[1].weight == before[1])
    #expect(dropped.kept.count == 1)
    var again = network(7)
    _ = try RandomPruner(seed: 3).prune(&again, to: 0.25) { name, _ in name == "0.weight" }
    #expect(again.layers[0].weight == random.layers[0].weight)
  }

  @Test func badInput() throws {
    var model = network(8)
    let original = flat(model.parameters)
    for sparsity in [-0.1, 1, 1.5, .nan] {
      #expect(throws: InvalidArgument.self) { try MagnitudePruner().prune(&model, to: sparsity) }
    }
    #expect(throws: InvalidArgument.self) { try MagnitudePruner().prune(&model, to: 0.5) { _, _ in false } }
    for pruner in [MFACPruner(damping: 0), MFACPruner(gradientCount: 0), MFACPruner(recomputations: 0)] {
      #expect(throws: InvalidArgument.self) { try pruner.prune(&model, to: 0.5) { gradient($0, UInt64($1)) } }
    }
    #expect(throws: InvalidArgument.self) {
      try MFACPruner(gradientCount: 2).prune(&model, to: 0.5) { model, index in
        gradient(model, 1).map { index == 1 ? $0 / 0 : $0 }
      }
    }
    #expect(flat(model.parameters) == original)
    _ = try MagnitudePruner().prune(&model, to: 0.5)
    #expect(throws: InvalidArgument.self) { try RandomPruner(seed: 1).prune(&model, to: 0.3) }
    model.layers[0].weight = model.layers[0].weight / 0
    #expect(throws: InvalidArgument.self) { try MagnitudePruner().prune(&model, to: 0.6) }
  }
}
