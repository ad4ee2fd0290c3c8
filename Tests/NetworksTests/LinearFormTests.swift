import FileFormats
import Foundation
import LinearAlgebra
import Networks
import Synchronization
import Tensors
import TestSupport
import Testing

/// A layer in every form that is not dense, with a bias.
func factoredLayers(seed: UInt64, inputs: Int = 7, outputs: Int = 5) throws -> [Linear<Double>] {
  var random = RandomStream(seed: seed)
  func matrix(_ rows: Int, _ columns: Int) -> Tensor<Double> { random.normal([rows, columns]) }
  let bias: Tensor<Double> = random.normal([outputs])
  let dense = matrix(outputs, 4)
  let sparse = (matrix(outputs, 4) .> 0.3).select(dense, .zeros(dense.shape))
  let codes = SparseCodes(try SparseMatrix(sparse))
  return [
    Linear(form: .lowRank(left: matrix(outputs, 3), right: matrix(3, inputs)), bias: bias),
    Linear(
      form: .corrected(base: matrix(outputs, inputs), left: matrix(outputs, 2), right: matrix(2, inputs)), bias: bias),
    Linear(form: .dictionary(codes: codes, atoms: matrix(4, inputs)), bias: bias),
  ]
}

private func smallEncoder(layers: Int) -> BERTConfiguration {
  var configuration = BERTConfiguration()
  configuration.vocabulary = 20
  (configuration.width, configuration.hidden, configuration.heads) = (16, 32, 2)
  (configuration.layers, configuration.positions, configuration.segments) = (layers, 12, 2)
  return configuration
}

@Suite struct LinearFormTests {
  @Test(arguments: 0..<6) func everyFormIsItsDenseMatrix(seed: UInt64) throws {
    var random = RandomStream(seed: seed + 100)
    let x: Tensor<Double> = random.normal([2, 3, 7])
    for layer in try factoredLayers(seed: seed) {
      let dense = Linear(weight: layer.form.dense, bias: layer.bias)
      #expect(layer.form.shape == [5, 7] && layer.inputs == 7 && layer.outputs == 5)
      #expect(distance(layer(x), dense(x)) < 1e-12, "seed \(seed)")
      #expect(layer.weight == layer.form.dense)
    }
  }

  @Test(arguments: 0..<3) func derivativesOfEveryForm(seed: UInt64) throws {
    var random = RandomStream(seed: seed + 200)
    let x: Tensor<Double> = random.normal([2, 7])
    for layer in try factoredLayers(seed: seed) {
      let parameters = layer.parameters
      expectDerivatives(at: [x] + parameters.tensors, seed: seed, "\(parameters.names)") { arguments in
        layer.with(parameters: Array(arguments.dropFirst()))(arguments[0]).tanh()
      }
    }
  }

  @Test func namesOfTheParts() throws {
    let layers = try factoredLayers(seed: 1)
    #expect(layers[0].parameters.names == ["weight.left", "weight.right", "bias"])
    #expect(layers[1].parameters.names == ["weight.left", "weight.right", "bias"])
    #expect(layers[1].buffers.names == ["weight.base"])
    #expect(layers[2].parameters.names == ["weight.left", "weight.right", "bias"])
    #expect(layers[0].form.parameterCount == 3 * (5 + 7) && layers[0].form.rank == 3)
  }

  @Test func settingAWeightMakesALayerDense() throws {
    var layer = try factoredLayers(seed: 2)[0]
    layer.weight *= 2
    #expect(layer.form.rank == nil && layer.parameters.names == ["weight", "bias"])
    layer.weight[0, 0] = Tensor(3)
    #expect(layer.weight[at: 0, 0] == 3)
  }

  private func decoder(isTied: Bool = false) throws -> GPT<Float> {
    var random = RandomStream(seed: 5)
    return try GPT<Float>(
      GPTConfiguration(
        vocabulary: 11, width: 16, layers: 2, heads: 2, keyValueHeads: 1, hidden: 24, contextLength: 16, isTied: isTied),
      random: &random)
  }

  /// Every linear layer of a decoder in some form.
  private func factored(_ model: GPT<Float>) throws -> GPT<Float> {
    var random = RandomStream(seed: 6)
    var number = 0
    var result = model
    result.forEachLinear { _, layer in
      let (rows, columns) = (layer.outputs, layer.inputs)
      let left: Tensor<Float> = random.normal([rows, 3]) * 0.3
      let right: Tensor<Float> = random.normal([3, columns]) * 0.3
      switch number % 4 {
      case 0: layer.form = .lowRank(left: left, right: right)
      case 1: layer.form = .corrected(base: layer.weight, left: left, right: right)
      case 2:
        let sparse = (left .> 0).select(left, .zeros(left.shape))
        guard let matrix = try? SparseMatrix(sparse) else { return }
        layer.form = .dictionary(codes: SparseCodes(matrix), atoms: right)
      default: break
      }
      number += 1
    }
    return result
  }

  private func dense<Model: Module<Float>>(_ model: Model) -> Model {
    var model = model
    model.forEachLinear { _, layer in layer.form = .dense(layer.weight) }
    return model
  }

  @Test func aFactoredDecoderIsItsDenseOne() throws {
    for isTied in [false, true] {
      let model = try factored(decoder(isTied: isTied))
      let dense = dense(model)
      var random = RandomStream(seed: 7)
      let tokens = random.integers([2, 9], in: 0..<11)
      #expect(distance(model(tokens), dense(tokens)) < 1e-4)
      var (one, other) = (RandomStream(seed: 8), RandomStream(seed: 8))
      #expect(
        try model.generate([1, 2], count: 20, random: &one) == dense.generate([1, 2], count: 20, random: &other))
    }
  }

  @Test func aFactoredEncoderIsItsDenseOne() throws {
    var random = RandomStream(seed: 5)
    let configuration = smallEncoder(layers: 2)
    var model = try BERT<Float>(configuration, random: &random)
    model.forEachLinear { _, layer in
      layer.form = .lowRank(
        left: random.normal([layer.outputs, 4]) * 0.3, right: random.normal([4, layer.inputs]) * 0.3)
    }
    let tokens = random.integers([2, 7], in: 0..<20)
    let vectors = model(tokens)
    #expect(distance(vectors, dense(model)(tokens)) < 1e-4)
    #expect(distance(model.pooled(vectors) ?? vectors, dense(model).pooled(vectors) ?? vectors) < 1e-4)
  }

  @Test func checkpointsKeepTheForms() throws {
    let folder = TemporaryFolder()
    let model = try factored(decoder())
    let path = folder.path + "/model.safetensors"
    try model.save(to: path, metadata: model.configuration.metadata)
    let loaded = try GPT<Float>(from: Checkpoint(path))
    for (one, other) in zip(model.linearLayers, loaded.linearLayers) {
      #expect(one.name == other.name && one.layer.form.rank == other.layer.form.rank)
      #expect(one.layer.weight == other.layer.weight, "\(one.name)")
    }
    let tokens = Tensor<Int>([[1, 2, 3, 4]])
    #expect(model(tokens) == loaded(tokens))
    // What reads checkpoints without the network multiplies out the same matrices.
    let checkpoint = try FactoredCheckpoint(path)
    for (name, layer) in model.linearLayers {
      #expect(try checkpoint.tensor(named: "\(name).weight") == layer.weight, "\(name)")
    }
    // A model that ran on factors takes dense weights, and half precision spares the places.
    var other = loaded
    try dense(model).save(to: folder.path + "/dense.safetensors")
    try other.load(from: Checkpoint(folder.path + "/dense.safetensors"))
    #expect(other.linearLayers.allSatisfy { $0.layer.form.rank == nil })
    try model.save(to: path, as: .bfloat16, metadata: model.configuration.metadata)
    #expect(try distance(GPT<Float>(from: Checkpoint(path))(tokens), model(tokens)) < 0.1)
  }

  @Test func brokenPatternsAreRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/broken.safetensors"
    func write(_ columns: [Int32], _ counts: [Int32]) throws {
      let factors = FactoredCheckpoint.Factors(
        left: "l", right: "r", shape: [2, 3], columns: "c", counts: "n")
      try writeSafetensors(
        [
          ("l", AnyTensor(Tensor<Float>.ones([2]))), ("r", AnyTensor(Tensor<Float>.ones([2, 3]))),
          ("c", AnyTensor(Tensor(columns))), ("n", AnyTensor(Tensor(counts))),
        ], to: path, metadata: [FactoredCheckpoint.factorsKey: FactoredCheckpoint.metadata(of: ["w": factors]) ?? ""])
    }
    try write([0, 1], [2, 0])
    #expect(try FactoredCheckpoint(path).tensor(named: "w") == Tensor<Float>([[2, 2, 2], [0, 0, 0]]))
    for (columns, counts) in [([0, 2], [2, 0]), ([1, 0], [2, 0]), ([0, 1], [1, 0]), ([0, 1], [3, -1])] {
      try write(columns.map(Int32.init), counts.map(Int32.init))
      #expect(throws: FileError.self) { try FactoredCheckpoint(path).tensor(named: "w") }
    }
  }

  @Test func brokenMasksAreRefused() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/broken.safetensors"
    func write(_ mask: AnyTensor, columns: String? = nil) throws {
      let factors = FactoredCheckpoint.Factors(left: "l", right: "r", shape: [2, 3], columns: columns, mask: "m")
      try writeSafetensors(
        [
          ("l", AnyTensor(Tensor<Float>.ones([2]))), ("r", AnyTensor(Tensor<Float>.ones([2, 3]))), ("m", mask),
        ], to: path, metadata: [FactoredCheckpoint.factorsKey: FactoredCheckpoint.metadata(of: ["w": factors]) ?? ""])
    }
    func mask(_ rows: [[UInt8]]) -> AnyTensor { AnyTensor(Tensor(rows)) }
    try write(mask([[3], [0]]))
    #expect(try FactoredCheckpoint(path).tensor(named: "w") == Tensor<Float>([[2, 2, 2], [0, 0, 0]]))
    // A bit beyond the atoms, other numbers of bits than of numbers, another shape or type, and two accounts of places.
    for broken in [mask([[5], [0]]), mask([[1], [0]]), mask([[3], [1]]), mask([[3]]), mask([[3, 0], [0, 0]])] {
      try write(broken)
      #expect(throws: FileError.self) { try FactoredCheckpoint(path).tensor(named: "w") }
    }
    try write(AnyTensor(Tensor<Int32>([[3], [0]])))
    #expect(throws: FileError.self) { try FactoredCheckpoint(path) }
    try write(mask([[3], [0]]), columns: "l")
    #expect(throws: FileError.self) { try FactoredCheckpoint(path) }
  }

  /// Places come back, in the form that takes less, from bytes to numbers of 32 bits.
  @Test(arguments: [(1, 0.5), (9, 0.4), (200, 0.02), (256, 0.01), (300, 0.01), (70_000, 0.0002)])
  func placesComeBack(width: Int, density: Double) throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/codes.safetensors"
    var random = RandomStream(seed: UInt64(width))
    let rows = 7
    let drawn: Tensor<Float> = random.uniform([rows, width])
    var dense = Tensor<Float>.zeros([rows, width])
    for (i, value) in drawn.scalars.enumerated() where Double(value) < density {
      dense[at: i / width, i % width] = 1 + value
    }
    let codes = SparseCodes(try SparseMatrix(dense).stored(by: .rows))
    var layer = Linear<Float>(2, rows, hasBias: false, random: &random)
    layer.form = .dictionary(codes: codes, atoms: random.normal([width, 2]))
    try layer.save(to: path)
    var loaded = Linear<Float>(2, rows, hasBias: false, random: &random)
    try loaded.load(from: Checkpoint(path))
    guard case .dictionary(let found, _) = loaded.form else { return #expect(Bool(false), "no codes") }
    #expect(found.starts == codes.starts && found.indices == codes.indices && found.values == codes.values)
    let checkpoint = try Checkpoint(path)
    let bytes = checkpoint.entries.filter { $0.name != "weight.left" && $0.name != "weight.right" }
      .reduce(0) { $0 + $1.byteCount }
    #expect(bytes == codes.places.byteCount && bytes <= rows * ((width + 7) / 8))
  }
}

@Suite struct LinearTapTests {
  @Test func tapsSeeEveryLayerAndChangeNothing() throws {
    var random = RandomStream(seed: 3)
    let decoder = try GPT<Float>(
      GPTConfiguration(vocabulary: 11, width: 16, layers: 2, heads: 2, hidden: 24, contextLength: 16), random: &random)
    let tokens = random.integers([2, 5], in: 0..<11)
    let seen = Mutex([String: [Int]]())
    let tapped = decoder.tapped { name in LinearTap(input: { x in seen.withLock { $0[name] = x.shape } }) }
    #expect(tapped(tokens) == decoder(tokens))
    let shapes = seen.withLock { $0 }
    #expect(Set(shapes.keys) == Set(decoder.linearLayers.map(\.name)))
    #expect(shapes["model.layers.1.mlp.down_proj"] == [2, 5, 24] && shapes["lm_head"] == [2, 5, 16])
    #expect(decoder.linearGroups.joined().allSatisfy { shapes[$0] != nil })
    #expect(tapped.parameters.names == decoder.parameters.names)
    #expect(tapped.tapped { _ in nil }.linearLayers.allSatisfy { $0.layer.tap == nil })

    let encoder = try BERT<Float>(
      smallEncoder(layers: 1), random: &random)
    seen.withLock { $0 = [:] }
    let watched = encoder.tapped { name in LinearTap(input: { x in seen.withLock { $0[name] = x.shape } }) }
    #expect(distance(watched(tokens), encoder(tokens)) < 1e-5)
    #expect(encoder.linearGroups.joined().allSatisfy { name in seen.withLock { $0[name] != nil } })
  }

  @Test func anOutputTapReplacesTheOutput() throws {
    var random = RandomStream(seed: 4)
    let model = MLP<Float>([3, 4, 2], random: &random)
    let x: Tensor<Float> = random.normal([5, 3])
    let doubled = model.tapped { $0 == "2" ? LinearTap(output: { $0 * 2 }) : nil }
    #expect(distance(doubled(x), model(x) * 2) < 1e-6)
    #expect(model.linearGroups == [["0"], ["2"]])
  }
}
