import Compression
import LinearAlgebra
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct LayerDensityTests {
  private let shapes = [[300, 784], [100, 300], [10, 100]]

  @Test(arguments: 0..<12) func budgetsAreMetExactly(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let layers = 3 + Int.random(in: 0...4, using: &random)
    let shapes = (0..<layers).map { _ in
      (0..<(Bool.random(using: &random) ? 2 : 4)).map { _ in Int.random(in: 1...40, using: &random) }
    }
    let sizes = shapes.map { Double($0.reduce(1, *)) }
    let density = Double.random(in: 0.02...1, using: &random)
    for rule in [LayerDensityRule.uniform, .er, .erk(), .erk(power: 0.5), .erk(power: 2)] {
      let p = try layerDensities(shapes: shapes, density: density, rule: rule)
      let kept = zip(p, sizes).reduce(0) { $0 + $1.0 * $1.1 }
      let total = sizes.reduce(0, +)
      #expect(abs(kept - density * total) <= 1e-12 * total, "\(rule), seed \(seed)")
      #expect(p.allSatisfy { $0 > 0 && $0 <= 1 }, "\(rule), seed \(seed)")
    }
  }

  @Test func erkByHand() throws {
    let p = try layerDensities(shapes: shapes, density: 0.1, rule: .erk())
    // ε Σ (in + out) over the first two layers, the last one dense: 0.1 · 266,200 = ε (1,084 + 400) + 1,000.
    let open = (0.1 * 266_200 - 1_000) / 1_484
    #expect(open * 110 / 1_000 > 1)
    #expect(abs(p[0] - open * 1_084 / 235_200) < 1e-12)
    #expect(abs(p[1] - open * 400 / 30_000) < 1e-12)
    #expect(p[2] == 1)
    #expect(try layerDensities(shapes: shapes, density: 0.1, rule: .er) == p)
    for rule in [LayerDensityRule.uniform, .uniformPlus, .er, .erk()] {
      #expect(try layerDensities(shapes: shapes, density: 1, rule: rule) == [1, 1, 1])
    }
  }

  @Test func kernelsCountInErkOnly() throws {
    let shapes = [[16, 8, 3, 3], [32, 16, 3, 3], [64, 32, 1, 1]]
    let p = try layerDensities(shapes: shapes, density: 0.2, rule: .erk())
    let scores = [30.0 / 1_152, 54.0 / 4_608, 98.0 / 2_048]
    for i in 1..<3 { #expect(abs(p[i] / p[0] - scores[i] / scores[0]) < 1e-12) }
    let er = try layerDensities(shapes: shapes, density: 0.2, rule: .er)
    #expect(abs(er[1] / er[0] - (48.0 / 512) / (24.0 / 128)) < 1e-12)
  }

  @Test func uniformPlusKeepsTheFirstLayerWhole() throws {
    let shapes = [[64, 20], [64, 64], [64, 64], [10, 64]]
    let p = try layerDensities(shapes: shapes, density: 0.3, rule: .uniformPlus)
    #expect(p[0] == 1 && p[3] == 0.3 && p[1] == p[2])
    let kept = 1_280 + p[1] * 8_192 + 0.3 * 640
    #expect(abs(kept - 0.3 * 10_112) < 1e-9)
    do {
      _ = try layerDensities(shapes: shapes, density: 0.1, rule: .uniformPlus)
      Issue.record("a first layer of 13 % fits no budget of 10 %")
    } catch {
      let least = (1_280 + 0.2 * 640) / 10_112.0
      #expect("\(error)".contains("more than \(least)"))
      #expect(throws: Never.self) { try layerDensities(shapes: shapes, density: least + 1e-6, rule: .uniformPlus) }
    }
  }

  @Test func badInputIsRefused() {
    for density in [0, -0.5, 1.1, .nan] {
      #expect(throws: InvalidArgument.self) { try layerDensities(shapes: shapes, density: density, rule: .erk()) }
    }
    #expect(throws: InvalidArgument.self) { try layerDensities(shapes: [], density: 0.5, rule: .erk()) }
    #expect(throws: InvalidArgument.self) { try layerDensities(shapes: [[5]], density: 0.5, rule: .erk()) }
    #expect(throws: InvalidArgument.self) { try layerDensities(shapes: [[5, 0]], density: 0.5, rule: .uniform) }
    #expect(throws: InvalidArgument.self) { try layerDensities(shapes: shapes, density: 1, rule: .custom([0.1])) }
    #expect(throws: InvalidArgument.self) {
      try layerDensities(shapes: shapes, density: 1, rule: .custom([0.1, 2, 1]))
    }
    #expect(throws: InvalidArgument.self) { try layerDensities(shapes: [[4, 4]], density: 0.5, rule: .uniformPlus) }
  }
}

@Suite struct SparseMaskTests {
  @Test(arguments: [0.02, 0.3, 0.5, 0.77, 1]) func countsAreExactAndPositionsUniform(density: Double) throws {
    let shapes = [(name: "a", shape: [20, 15]), (name: "b", shape: [15]), (name: "c", shape: [3, 4, 5])]
    let mask = try SparseMask(shapes: shapes, densities: [density, density], seed: 3)
    #expect(mask.parts.map(\.keptCount) == [Int((300 * density).rounded()), Int((60 * density).rounded())])
    #expect(mask.parts.map(\.keptCount) == mask.parts.map { $0.isKept.scalars.count { $0 } })
    #expect(mask.unmasked == ["b"] && mask["b"] == nil && mask["c"]?.shape == [3, 4, 5])
    #expect(mask == (try SparseMask(shapes: shapes, densities: [density, density], seed: 3)))
    guard density < 1 else { return }
    #expect(mask != (try SparseMask(shapes: shapes, densities: [density, density], seed: 4)))
    var counts = [Double](repeating: 0, count: 60)
    for seed in 0..<600 {
      let one = try SparseMask(shapes: [(name: "c", shape: [3, 4, 5])], densities: [density], seed: UInt64(seed))
      for (i, kept) in one.parts[0].isKept.scalars.enumerated() where kept { counts[i] += 1 }
    }
    let rate = (60 * density).rounded() / 60
    let expected = 600 * rate
    let chiSquare = counts.reduce(0) { $0 + ($1 - expected) * ($1 - expected) } / (expected * (1 - rate))
    // 59 degrees of freedom, with 600 draws without repetition: mean 60, deviation 11.
    #expect(chiSquare < 120, "chi-square \(chiSquare) at density \(density)")
  }

  @Test func independentDrawsKeepAboutTheirShare() throws {
    let mask = try SparseMask(shapes: [(name: "w", shape: [200, 100])], densities: [0.3], seed: 1, isExact: false)
    #expect(abs(mask.density - 0.3) < 4 * (0.3 * 0.7 / 20_000).squareRoot())
  }

  private func train<Method: Optimizer<Float>>(
    _ optimizer: Method, isMaskingGradients: Bool
  ) throws -> (MLP<Float>, SparseMask, Method) {
    var random = RandomStream(seed: 5)
    var model = MLP<Float>([6, 12, 12, 3], random: &random)
    let mask = try SparseMask(of: model, density: 0.4, rule: .uniform, seed: 2)
    mask.apply(to: &model)
    let x: Tensor<Float> = random.normal([16, 6])
    let labels = random.integers([16], in: 0..<3)
    var optimizer = optimizer
    for _ in 0..<20 {
      var gradient = model.valueAndGradient { crossEntropy($0(x), labels: labels) }.gradient
      if isMaskingGradients { mask.apply(to: &gradient) }
      optimizer.update(&model, along: gradient)
      mask.apply(to: &model)
    }
    return (model, mask, optimizer)
  }

  @Test func zerosStayZeroWithEveryOptimizer() throws {
    func check<Method: Optimizer<Float>>(_ optimizer: Method) throws {
      let (model, mask, trained) = try train(optimizer, isMaskingGradients: true)
      for (name, weight) in zip(model.parameters.names, model.parameters.tensors) {
        guard let isKept = mask[name] else { continue }
        #expect(zip(weight.scalars, isKept.scalars).allSatisfy { $1 || $0 == 0 })
        #expect(zip(weight.scalars, isKept.scalars).contains { $1 && $0 != 0 })
        for (slot, memory) in zip(trained.state.tensors.names, trained.state.tensors.tensors)
        where slot.hasSuffix("/\(name)") {
          #expect(zip(memory.scalars, isKept.scalars).allSatisfy { $1 || $0 == 0 }, "\(slot)")
        }
      }
    }
    try check(SGD<Float>(learningRate: 0.1, momentum: 0.9, weightDecay: 0.01))
    try check(Adam<Float>(learningRate: 0.01))
    try check(AdamW<Float>(learningRate: 0.01, weightDecay: 0.1))
  }

  @Test func theLargestScoresAreKept() throws {
    let scores = NamedTensors<Double>(
      names: ["a", "bias", "b"], tensors: [Tensor([[5, 1], [4, 0]]), Tensor([9, 9]), Tensor([[3, 6]])])
    let mask = try SparseMask(largest: scores, density: 0.5)
    #expect(mask["a"]?.scalars == [true, false, true, false] && mask["b"]?.scalars == [false, true])
    #expect(mask.unmasked == ["bias"] && mask.density == 0.5)
    #expect(mask.borrowedDensities == [0.5, 0.5])
    #expect(throws: InvalidArgument.self) { try SparseMask(largest: scores, density: 0) }
    #expect(throws: InvalidArgument.self) { try SparseMask(largest: NamedTensors<Double>(), density: 0.5) }
  }

  @Test func rescalingKeepsTheVarianceOfSums() throws {
    var random = RandomStream(seed: 8)
    var model = Linear<Double>(400, 300, hasBias: false, random: &random)
    let before = model.weight.sumOfSquares().scalar
    let mask = try SparseMask(of: model, density: 0.1, rule: .uniform, seed: 1)
    mask.apply(to: &model)
    mask.rescaleInitialization(of: &model)
    #expect(abs(model.weight.sumOfSquares().scalar / before - 1) < 0.05)
  }

  @Test func scoresAtInitializationFollowTheirFormulas() throws {
    var random = RandomStream(seed: 6)
    let model = MLP<Double>([3, 4, 2], activation: .tanh, random: &random)
    let x: Tensor<Double> = random.normal([5, 3])
    let labels = random.integers([5], in: 0..<2)
    func loss(_ model: MLP<Double>) -> Tensor<Double> { crossEntropy(model(x), labels: labels) }
    let gradient = model.valueAndGradient(of: loss).gradient
    let snip = model.snipScores(of: loss)
    let weights = model.parameters
    for i in 0..<snip.count {
      #expect(distance(snip.tensors[i], (gradient.tensors[i] * weights.tensors[i]).absolute()) < 1e-14)
    }
    // H g by differences of the gradient along itself.
    let step = 1e-5
    func moved(_ factor: Double) -> NamedTensors<Double> {
      let tensors = zip(weights.tensors, gradient.tensors).map { $0 + $1 * factor }
      return model.with(parameters: tensors).valueAndGradient(of: loss).gradient
    }
    let (ahead, behind) = (moved(step), moved(-step))
    let grasp = model.graspScores(of: loss)
    for i in 0..<grasp.count {
      let product = (ahead.tensors[i] - behind.tensors[i]) / (2 * step)
      #expect(distance(grasp.tensors[i], product * weights.tensors[i]) < 1e-8)
    }
    let mask = try SparseMask(of: model, density: 1, seed: 1)
    #expect(abs(model.gradientNorm(under: mask, of: loss) - gradient.norm) < 1e-14)
  }
}

@Suite struct SparseLinearTests {
  private func pair(_ seed: UInt64) throws -> (Linear<Double>, SparseLinear<Double>, Tensor<Bool>, Tensor<Double>) {
    var random = RandomStream(seed: seed)
    var dense = Linear<Double>(9, 7, random: &random)
    let isKept = random.bernoulli([7, 9], probability: 0.3)
    dense.weight = isKept.select(dense.weight, .zeros([7, 9]))
    return (dense, try SparseLinear(dense, isKept: isKept), isKept, random.normal([2, 5, 9]))
  }

  @Test(arguments: 0..<5) func itIsTheMaskedDenseLayer(seed: UInt64) throws {
    let (dense, sparse, isKept, x) = try pair(seed)
    #expect(distance(sparse(x), dense(x)) < 1e-12)
    #expect(distance(sparse.weight, dense.weight) == 0)
    func loss(_ layer: some Layer<Double>) -> Tensor<Double> { layer(x).sin().sum() }
    let ours = sparse.valueAndGradient { loss($0) }.gradient
    let theirs = dense.valueAndGradient { loss($0) }.gradient
    // Gradients of the weights that exist, and of nothing else.
    #expect(ours["values"]?.count == isKept.scalars.count { $0 })
    let places = isKept.flattened.trueIndices
    #expect(distance(ours.tensors[0], theirs.tensors[0].flattened.gathered(places)) < 1e-12, "seed \(seed)")
    #expect(distance(ours.tensors[1], theirs.tensors[1]) < 1e-12)
    func slope(_ layer: some Layer<Double>) -> Tensor<Double> {
      valueAndGradients(at: [x]) { layer($0[0]).sin().sum() }.gradients[0]
    }
    #expect(distance(slope(sparse), slope(dense)) < 1e-12)
  }

  @Test func secondDerivativesAreThoseOfTheDenseLayer() throws {
    let (dense, sparse, isKept, x) = try pair(11)
    let places = isKept.flattened.trueIndices
    var random = RandomStream(seed: 12)
    let direction: Tensor<Double> = random.normal([places.count])
    let spread = Tensor<Double>.zeros([63]).scatterAdded(direction, at: places).reshaped([7, 9])
    let ours = sparse.hessianVectorProduct(along: NamedTensors(names: ["values"], tensors: [direction])) {
      $0(x).sin().sum()
    }
    let theirs = dense.hessianVectorProduct(along: NamedTensors(names: ["weight"], tensors: [spread])) {
      $0(x).sin().sum()
    }
    #expect(distance(ours.product.tensors[0], theirs.product.tensors[0].flattened.gathered(places)) < 1e-11)
    // Through the input's slope, back to the values.
    func mixed(_ layer: some Layer<Double>) -> Tensor<Double> {
      valueAndGradients(at: [x]) { layer($0[0]).sin().sum() }.gradients[0].squared().sum()
    }
    let a = sparse.valueAndGradient { mixed($0) }.gradient.tensors[0]
    let b = dense.valueAndGradient { mixed($0) }.gradient.tensors[0].flattened.gathered(places)
    #expect(distance(a, b) < 1e-11)
  }

  @Test func aMaskOfAnotherShapeIsRefused() throws {
    var random = RandomStream(seed: 1)
    let dense = Linear<Float>(4, 3, random: &random)
    #expect(throws: InvalidArgument.self) { try SparseLinear(dense, isKept: Tensor(repeating: true, shape: [4, 3])) }
  }
}
