import Compression
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct TrainedRankPruningTests {
  private typealias Pruning = TrainedRankPruning<Float>

  private func network() -> MLP<Float> {
    var random = RandomStream(seed: 1)
    return MLP([12, 16, 10, 4], random: &random)
  }

  /// Trains with the hooks, or without.
  private func train(_ model: inout MLP<Float>, _ pruning: inout Pruning?, steps: Int = 12) throws {
    var optimizer = SGD<Float>(learningRate: 0.05, momentum: 0.9)
    var random = RandomStream(seed: 2)
    for step in 0..<steps {
      let x: Tensor<Float> = random.normal([8, 12])
      let labels = random.integers([8], in: 0..<4)
      try pruning?.beforeForward(step: step, &model)
      var gradient = model.valueAndGradient { crossEntropy($0(x), labels: labels) }.gradient
      pruning?.addSubgradient(step: step, to: &gradient)
      optimizer.update(&model, along: gradient)
    }
  }

  @Test func nothingToDoIsPlainTraining() throws {
    var (plain, hooked) = (network(), network())
    var none: Pruning?
    try train(&plain, &none)
    var pruning: Pruning? = try Pruning(
      layers: .hiddenWeights(of: hooked), period: 3, rule: .energy(1), nuclearWeight: 0)
    try train(&hooked, &pruning)
    #expect(plain.parameters.tensors == hooked.parameters.tensors)
    #expect(pruning?.rankHistory.map(\.step) == [0, 3, 6, 9])
  }

  @Test func weightsAreOfLowRankAtTheEnd() throws {
    var model = network()
    var pruning: Pruning? = try Pruning(
      layers: .hiddenWeights(of: model), period: 4, rule: .fixed(3), nuclearWeight: 1e-3)
    #expect(pruning?.layers.map(\.name) == ["0.weight", "2.weight"])
    try train(&model, &pruning)
    let output = model.layers[2].weight
    try pruning?.finish(&model)
    #expect(model.layers[2].weight == output)
    for layer in model.layers.dropLast() {
      #expect(try RankTruncation(layer.weight, .dense, .relativeValue(1e-4)).rank == 3)
    }
    #expect(pruning?.rankHistory.last?.ranks == [3, 3] && pruning?.skipped == 0)
    let (small, report) = try factorise(model, layers: pruning?.layers ?? [])
    var random = RandomStream(seed: 5)
    let x: Tensor<Float> = random.normal([5, 12])
    #expect(distance(small(x), model(x)) < 1e-5)
    #expect(report.layers.map(\.rank) == [3, 3] && report.layers.allSatisfy { $0.relativeError < 1e-5 })
    #expect(report.parametersBefore == model.parameterCount && report.parametersAfter == small.parameterCount)
    #expect(report.parametersAfter == 3 * (12 + 16) + 16 + 3 * (16 + 10) + 10 + 4 * 10 + 4)
    let speedUp = Double(16 * 12 + 160) / Double(3 * (12 + 16) + 3 * (16 + 10))
    #expect(abs((report.speedUp ?? .nan) - speedUp) < 1e-12)
  }

  /// The gradient of the nuclear norm is added in the steps that truncate, and in these alone.
  @Test func nuclearNormIsAddedWhereTruncated() throws {
    var model = network()
    var pruning = try Pruning(
      layers: [.init("2.weight", .dense)], period: 2, rule: .fixed(2), nuclearWeight: 0.5, truncates: false)
    let weight = model.layers[1].weight
    let zeros = model.parameters.map { Tensor.zeros($0.shape) }
    for step in 0..<4 {
      try pruning.beforeForward(step: step, &model)
      var gradient = zeros
      pruning.addSubgradient(step: step, to: &gradient)
      let added = gradient["2.weight"] ?? .zeros([0])
      let wanted = try RankTruncation(weight, .dense, .fixed(2)).subgradient * Float(step % 2 == 0 ? 0.5 : 0)
      #expect(added == wanted && gradient["0.weight"] == zeros["0.weight"])
    }
    #expect(model.layers[1].weight == weight, "without truncation the weight stays")
  }

  @Test(arguments: [Matricisation.channel, .spatial, .decoupled])
  func factorisesConvolutions(matricisation: Matricisation) throws {
    var random = RandomStream(seed: 4)
    var model = Sequential<Float>(
      Convolution(1, 8, kernel: [3, 3], .init(padding: 1, isExact: true), random: &random), Mapping { $0.relu() },
      MaximumPooling(2),
      Convolution(8, 12, kernel: [3, 3], .init(stride: 2, padding: 1, isExact: true), random: &random),
      Mapping { $0.relu() },
      Flatten(), Linear(12 * 4 * 4, 20, random: &random), Mapping { $0.relu() }, Linear(20, 3, random: &random))
    var pruning = try Pruning(layers: .hiddenWeights(of: model, filters: matricisation), rule: .fixed(2))
    #expect(pruning.layers.map(\.name) == ["3.weight", "6.weight"])
    try pruning.finish(&model)
    let x: Tensor<Float> = random.normal([2, 1, 14, 14])
    let (small, report) = try factorise(model, layers: pruning.layers, example: x[0..<1])
    #expect(distance(small(x), model(x)) < 1e-5)
    #expect(report.layers.map(\.rank) == [2, 2] && report.layers.allSatisfy(\.isFactored))
    #expect(report.layers[0].multiplicationsBefore == 12 * 8 * 9 * 16)
    let counts = [
      Matricisation.channel: 2 * 72 * 16 + 24 * 16, .spatial: 2 * 24 * 28 + 2 * 36 * 16,
      .decoupled: 12 * 2 * 8 * 49 + 12 * 2 * 9 * 16,
    ]
    #expect(report.layers[0].multiplicationsAfter == counts[matricisation], "\(report.layers[0])")
    // A layer that would grow stays.
    let (same, kept) = try factorise(model, layers: pruning.layers, rule: .fixed(1_000))
    #expect(same.layers.count == model.layers.count && kept.layers.allSatisfy { !$0.isFactored })
    #expect(kept.keptFraction == 1)
  }

  @Test func badInput() throws {
    var model = network()
    let layers = [Pruning.Layer("0.weight", .dense)]
    #expect(throws: InvalidArgument.self) { try Pruning(layers: []) }
    #expect(throws: InvalidArgument.self) { try Pruning(layers: layers + layers) }
    #expect(throws: InvalidArgument.self) { try Pruning(layers: layers, period: 0) }
    #expect(throws: InvalidArgument.self) { try Pruning(layers: layers, rule: .energy(0)) }
    #expect(throws: InvalidArgument.self) { try Pruning(layers: layers, rule: .energy(1.01)) }
    #expect(throws: InvalidArgument.self) { try Pruning(layers: layers, nuclearWeight: -1) }
    var missing = try Pruning(layers: [.init("9.weight", .dense)])
    #expect(throws: InvalidArgument.self) { try missing.beforeForward(step: 0, &model) }
    var wrong = try Pruning(layers: [.init("0.weight", .channel)])
    #expect(throws: InvalidArgument.self) { try wrong.beforeForward(step: 0, &model) }
    var vector = try Pruning(layers: [.init("0.bias", .dense)])
    #expect(throws: InvalidArgument.self) { try vector.beforeForward(step: 0, &model) }
    #expect(throws: InvalidArgument.self) { try factorise(model, layers: [.init("1.weight", .dense)]) }
    var broken = try Pruning(layers: layers)
    model.layers[0].weight = model.layers[0].weight / 0
    #expect(throws: InvalidArgument.self) { try broken.beforeForward(step: 0, &model) }
  }
}
