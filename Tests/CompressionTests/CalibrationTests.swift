import Compression
import Networks
import Synchronization
import Tensors
import TestSupport
import Testing

/// A small decoder with weights that matter, and windows of random tokens.
func smallDecoder(seed: UInt64, vocabulary: Int = 11) throws -> (model: GPT<Float>, windows: [Tensor<Int>]) {
  var random = RandomStream(seed: seed)
  var model = try GPT<Float>(
    GPTConfiguration(vocabulary: vocabulary, width: 16, layers: 2, heads: 2, hidden: 24, contextLength: 16),
    random: &random)
  model.forEachParameter { _, tensor in if tensor.rank == 2 { tensor = random.normal(tensor.shape) * 0.3 } }
  return (model, (0..<4).map { _ in random.integers([3, 9], in: 0..<vocabulary) })
}

@Suite struct ActivationMomentsTests {
  @Test(arguments: 0..<6) func momentsAreThoseOfTheTokens(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let batches: [Tensor<Float>] = [generator.tensor([2, 5, 4]), generator.tensor([7, 4]), generator.tensor([1, 4])]
    let others: [Tensor<Float>] = batches.map { $0 + generator.tensor($0.shape) * 0.1 }
    var moments = ActivationMoments(width: 4)
    for (x, other) in zip(batches, others) { try moments.add(x, reference: other) }
    let x = Tensor<Double>(Tensor.concatenated(batches.map { $0.reshaped([-1, 4]) }))
    let f = Tensor<Double>(Tensor.concatenated(others.map { $0.reshaped([-1, 4]) }))
    #expect(moments.tokens == 18)
    #expect(distance(moments.gram, x.matmul(x, transposingA: true)) < 1e-12)
    #expect(distance(moments.cross ?? moments.gram, (f - x).matmul(x, transposingA: true)) < 1e-12)
    #expect(distance(moments.means, x.mean(axis: 0)) < 1e-12)
    #expect(distance(moments.meanMagnitudes, x.absolute().mean(axis: 0)) < 1e-12)
    #expect(moments.maxima == x.absolute().maximum(axis: 0))
    let means = batches.map { Tensor<Double>($0.reshaped([-1, 4])).absolute().mean(axis: 0) }
    #expect(distance(moments.largestMeans, means[0].maximum(means[1]).maximum(means[2])) < 1e-12)

    var merged = ActivationMoments(width: 4)
    try merged.add(batches[0], reference: others[0])
    var rest = ActivationMoments(width: 4)
    for i in 1..<3 { try rest.add(batches[i], reference: others[i]) }
    try merged.merge(rest)
    #expect(merged.tokens == 18 && distance(merged.gram, moments.gram) < 1e-12)
    #expect(merged.largestMeans == moments.largestMeans)
  }

  @Test func longBatchesGoByStrips() throws {
    var generator = TestGenerator(seed: 9)
    let x: Tensor<Float> = generator.tensor([5000, 3])
    var moments = ActivationMoments(width: 3)
    try moments.add(x)
    let wide = Tensor<Double>(x)
    #expect(distance(moments.gram, wide.matmul(wide, transposingA: true)) < 1e-9)
  }

  @Test func badInputIsNamed() throws {
    var moments = ActivationMoments(width: 3)
    let x = Tensor<Float>.ones([2, 3])
    #expect(throws: InvalidArgument.self) { try moments.add(Tensor<Float>.ones([2, 4])) }
    #expect(throws: InvalidArgument.self) { try moments.add(x, reference: Tensor<Float>.ones([3, 3])) }
    #expect(throws: InvalidArgument.self) { try moments.add(x * .nan) }
    try moments.add(x)
    #expect(throws: InvalidArgument.self) { try moments.add(x, reference: x) }
    #expect(throws: InvalidArgument.self) { try moments.merge(ActivationMoments(width: 4)) }
    #expect(moments.isUnderdetermined && moments.tokens == 2)
  }
}

@Suite struct FisherMomentsTests {
  @Test(arguments: 0..<4) func outerProductsAreSquaredGradients(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in [[3], [3, 5]] {
      let x: Tensor<Float> = generator.tensor(shape + [4])
      let g: Tensor<Float> = generator.tensor(shape + [2])
      var moments = FisherMoments(shape: [2, 4])
      try moments.add(inputs: x, outputGradients: g)
      var explicit = FisherMoments(shape: [2, 4])
      for i in 0..<3 {
        let gradient = g[i].reshaped([-1, 2]).matmul(x[i].reshaped([-1, 4]), transposingA: true)
        try explicit.add(gradient: gradient)
      }
      #expect(moments.examples == 3 && explicit.examples == 3)
      #expect(distance(moments.squares, explicit.squares) < 1e-5, "seed \(seed)")
      #expect(distance(moments.rowWeights, explicit.information.sum(axis: 1)) < 1e-5)
    }
  }

  @Test func badInputIsNamed() throws {
    var moments = FisherMoments(shape: [2, 3])
    #expect(throws: InvalidArgument.self) { try moments.add(gradient: .ones([3, 2])) }
    #expect(throws: InvalidArgument.self) { try moments.add(gradient: Tensor<Float>.ones([2, 3]) * .infinity) }
    #expect(throws: InvalidArgument.self) {
      try moments.add(inputs: Tensor<Float>.ones([4, 3]), outputGradients: Tensor<Float>.ones([5, 2]))
    }
    #expect(throws: InvalidArgument.self) { try FisherMoments(examples: 0, squares: .ones([2, 2])) }
    #expect(throws: InvalidArgument.self) { try FisherMoments(examples: 1, squares: .ones([2, 2]) * -1) }
  }
}

@Suite struct CalibratingTests {
  @Test(arguments: 0..<3) func fisherIsThatOfExplicitGradients(seed: UInt64) throws {
    let (model, windows) = try smallDecoder(seed: seed)
    let data = CalibrationData<GPT<Float>>(tokens: windows)
    let names = model.linearGroups.flatMap { $0 }
    let calibration = try Calibration.fisher(of: model, layers: names, on: data)
    var expected = Dictionary(
      uniqueKeysWithValues: model.linearLayers.map { ($0.name, FisherMoments(shape: $0.layer.form.shape)) })
    for window in windows {
      for row in 0..<window.rows {
        let one = window[row..<row + 1]
        let gradient = model.valueAndGradient { $0.loss(one) * Float(one.columns - 1) }.gradient
        for name in names {
          try expected[name]?.add(gradient: #require(gradient["\(name).weight"]))
        }
      }
    }
    for name in names {
      let found = try #require(calibration[name]?.fisher)
      let wanted = try #require(expected[name])
      #expect(found.examples == 12)
      let scale = wanted.squares.maximum().scalar
      #expect(distance(found.squares, wanted.squares) < 1e-4 * max(scale, 1e-6), "\(name), seed \(seed)")
    }
  }

  @Test func momentsAreThoseOfTheLayersInputs() throws {
    let (model, windows) = try smallDecoder(seed: 5)
    let data = CalibrationData<GPT<Float>>(tokens: windows)
    let groups = model.linearGroups
    let calibration = try Calibration.activations(of: model, groups: groups, on: data)
    // The first normalisation's output, from the embedding alone.
    var moments = ActivationMoments(width: 16)
    for window in windows { try moments.add(model.blocks[0].attentionNorm(model.embedding(window))) }
    let query = try #require(calibration["model.layers.0.self_attn.q_proj"]?.activations)
    let value = try #require(calibration["model.layers.0.self_attn.v_proj"]?.activations)
    #expect(distance(query.gram, moments.gram) < 1e-6 && value.gram == query.gram)
    #expect(query.tokens == 4 * 27 && calibration.fewestTokens == 108)
    #expect(calibration["lm_head"] == nil)

    // Two passes over halves are one pass.
    var half = try Calibration.activations(of: model, groups: groups, on: .init(tokens: Array(windows[..<2])))
    try half.merge(.activations(of: model, groups: groups, on: .init(tokens: Array(windows[2...]))))
    for name in groups.joined() {
      let one = try #require(half[name]?.activations)
      let other = try #require(calibration[name]?.activations)
      #expect(one.tokens == other.tokens && distance(one.gram, other.gram) < 1e-6)
    }
  }

  @Test func crossMomentsAreAgainstTheReference() throws {
    let (model, windows) = try smallDecoder(seed: 6)
    let data = CalibrationData<GPT<Float>>(tokens: windows)
    let small = try PlannedCompression(TruncatedSVD()).compress(model, keeping: 0.5).model
    let same = try Calibration.activations(of: model, groups: model.linearGroups, on: data, reference: model)
    let other = try Calibration.activations(of: small, groups: model.linearGroups, on: data, reference: model)
    let last = "model.layers.1.mlp.down_proj"
    #expect(same[last]?.activations?.cross?.absolute().maximum().scalar == 0)
    #expect((other[last]?.activations?.cross?.absolute().maximum().scalar ?? .nan) > 0.1)
  }

  @Test func onlyCountedTokensCount() throws {
    var random = RandomStream(seed: 7)
    let model = MLP<Float>([3, 4, 2], random: &random)
    let x: Tensor<Float> = random.normal([6, 3])
    let mask = Tensor<Bool>([true, true, false, true, false, false])
    let data = CalibrationData<MLP<Float>>(
      count: 1, evaluate: { model, _ in _ = model(x) }, counted: { _ in mask })
    let calibration = try Calibration.activations(of: model, groups: model.linearGroups, on: data)
    var moments = ActivationMoments(width: 3)
    try moments.add(x.gathered(mask.trueIndices))
    #expect(calibration["0"]?.activations?.gram == moments.gram && calibration["2"]?.activations?.tokens == 3)
  }

  @Test func badInputIsNamed() throws {
    let (model, windows) = try smallDecoder(seed: 8)
    let data = CalibrationData<GPT<Float>>(tokens: windows)
    #expect(throws: InvalidArgument.self) {
      try Calibration.activations(of: model, groups: [["model.layers.9.mlp.up_proj"]], on: data)
    }
    #expect(throws: InvalidArgument.self) {
      try Calibration.activations(of: model, groups: model.linearGroups, on: .init(tokens: []))
    }
    var broken = model
    broken.blocks[1].attention.valueProjection.weight *= .nan
    let error = #expect(throws: InvalidArgument.self) {
      try Calibration.activations(of: broken, groups: model.linearGroups, on: data)
    }
    #expect(error?.name == "model.layers.1.self_attn.o_proj")
    let silent = CalibrationData<GPT<Float>>(count: 1, evaluate: { _, _ in })
    #expect(throws: InvalidArgument.self) { try Calibration.fisher(of: model, layers: ["lm_head"], on: silent) }
  }
}

@Suite struct NetworkCompressionTests {
  @Test func plannedMethodsRunOnFactors() throws {
    let (model, windows) = try smallDecoder(seed: 1)
    for compressor in [TruncatedSVD(), WeLore(), ConcatenatedSVD()] as [any CheckpointCompressor] {
      let compression = try PlannedCompression(compressor).compress(model, keeping: 0.5)
      #expect(compression.layers.map(\.name) == model.linearGroups.flatMap { $0 })
      #expect(compression.layers.contains { $0.result.form?.rank != nil })
      #expect(compression.keptFraction < 1)
      #expect(compression.model(windows[0]).isFinite)
      #expect(compression.model.head?.form.rank == nil)
    }
  }

  @Test func ranksKeepWithinTheFraction() throws {
    #expect(try lowRank(keeping: 0.5, of: [100, 100]) == 25)
    #expect(try lowRank(keeping: 0.001, of: [100, 100]) == 1)
    #expect(try lowRank(keeping: 1, of: [100, 100]) == nil)
    #expect(try lowRank(keeping: 0.4, of: [128, 384]) == 38)
    #expect(throws: InvalidArgument.self) { try lowRank(keeping: 0, of: [3, 3]) }
    #expect(throws: InvalidArgument.self) {
      let (model, _) = try smallDecoder(seed: 1)
      _ = try PlannedCompression(TruncatedSVD()).compress(
        model, keeping: 0.5, calibration: nil, data: nil, where: { _ in false }, progress: .silent)
    }
  }
}

/// Holds what a tap saw.
final class Kept: Sendable {
  private let state = Mutex(Tensor<Float>?.none)
  var value: Tensor<Float>? { state.withLock { $0 } }

  func keep(_ tensor: Tensor<Float>) -> Tensor<Float> {
    state.withLock { $0 = tensor }
    return tensor
  }
}
