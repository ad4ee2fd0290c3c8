import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// What Tests/Reference/llama.py writes.
private struct Reference: Decodable {
  struct Parameter: Decodable {
    var shape: [Int]
    var value: [Double]
    var gradient: [Double]
  }
  var configuration: String
  var tokens: [[Int]]
  var loss: Double
  var parameters: [String: Parameter]

  static func load() throws -> [Reference] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appendingPathComponent("Reference/llama.json"))
    return try JSONDecoder().decode([Reference].self, from: data)
  }
}

struct GPTTests {
  /// LLaMA with grouped queries, and Qwen 3 with normalised heads and a tied output.
  @Test(arguments: 0..<2) func lossAndGradientsAreThoseOfPyTorch(index: Int) throws {
    let reference = try Reference.load()[index]
    let configuration = try JSONDecoder().decode(
      GPTConfiguration.self, from: Data(reference.configuration.utf8))
    var random = RandomStream(seed: 1)
    var model = try GPT<Double>(configuration, random: &random)
    try model.load(reference.parameters.mapValues { Tensor(shape: $0.shape, scalars: $0.value) })
    let (loss, gradient) = model.valueAndGradient { $0.loss(Tensor(reference.tokens)) }
    #expect(abs(loss.scalar - reference.loss) < 1e-10)
    #expect(Set(gradient.names) == Set(reference.parameters.keys))
    for (name, parameter) in reference.parameters {
      let wanted = Tensor(shape: parameter.shape, scalars: parameter.gradient)
      #expect(distance(try #require(gradient[name]), wanted) < 1e-10, "\(name)")
    }
  }

  private func small(
    seed: UInt64, isTied: Bool = false, keyValueHeads: Int = 2, dropout: Double = 0
  ) throws -> (GPT<Double>, RandomStream) {
    var random = RandomStream(seed: seed)
    var model = try GPT<Double>(
      GPTConfiguration(
        vocabulary: 13, width: 16, layers: 2, heads: 2, keyValueHeads: keyValueHeads, hidden: 24, contextLength: 24,
        isTied: isTied, normalizesHeads: seed % 2 == 1, dropout: dropout), random: &random)
    // Larger than a fresh model's weights, so that the scores differ.
    model.forEachParameter { _, tensor in if tensor.rank == 2 { tensor = random.normal(tensor.shape) * 0.3 } }
    return (model, random)
  }

  @Test(arguments: 0..<4) func gradientsOfBothOrders(seed: UInt64) throws {
    var (model, random) = try small(seed: seed, isTied: seed < 2, keyValueHeads: 1 + Int(seed) / 2)
    let tokens = random.integers([2, 6], in: 0..<13)
    expectDerivatives(at: model.parameters.tensors, seed: seed, tolerance: 1e-6) {
      model.with(parameters: $0).loss(tokens)
    }
  }

  @Test(arguments: 0..<4) func cachedScoresAreRecomputedScores(seed: UInt64) throws {
    var (model, random) = try small(seed: seed, isTied: seed < 2)
    let tokens = random.integers([2, 20], in: 0..<13)
    let whole = model(tokens)
    var cache = DecoderCache(for: model)
    var parts = [model(tokens[.all, 0..<7], cache: &cache)]
    for i in 7..<20 { parts.append(model(tokens[.all, i..<i + 1], cache: &cache)) }
    #expect(distance(Tensor.concatenated(parts, axis: 1), whole) < 1e-12)
    #expect(cache.count == 20)
  }

  /// Token by token without a cache, also beyond the context.
  @Test(arguments: 0..<3) func generationIsRecomputation(seed: UInt64) throws {
    let (model, _) = try small(seed: seed)
    let sampling = TokenSampling(temperature: 0.8, topK: 6, topP: 0.9)
    var random = RandomStream(seed: 77)
    let found = try model.generate([1, 2, 3], count: 40, sampling: sampling, random: &random)
    random = RandomStream(seed: 77)
    var all = [1, 2, 3]
    var start = 0
    for _ in 0..<40 {
      if all.count - start > 24 { start = all.count - 12 }
      let scores = model(Tensor(Array(all[start...])).expanded(axis: 0))
      all.append(try sampling.draw(scores[0, all.count - start - 1], random: &random))
    }
    #expect(found == Array(all.dropFirst(3)))
  }

  @Test func samplingFollowsItsLimits() throws {
    var random = RandomStream(seed: 3)
    let scores = Tensor<Double>([0.1, 0.4, 0.2, 0.3]).log()
    func shares(_ sampling: TokenSampling) throws -> [Double] {
      var counts = [0.0, 0, 0, 0]
      for _ in 0..<4_000 { counts[try sampling.draw(scores, random: &random)] += 1 / 4_000 }
      return counts
    }
    func isClose(_ a: [Double], _ b: [Double]) -> Bool { zip(a, b).allSatisfy { abs($0 - $1) < 0.03 } }
    #expect(isClose(try shares(TokenSampling()), [0.1, 0.4, 0.2, 0.3]))
    #expect(isClose(try shares(TokenSampling(topK: 2)), [0, 4 / 7.0, 0, 3 / 7.0]))
    #expect(isClose(try shares(TokenSampling(topP: 0.65)), [0, 4 / 7.0, 0, 3 / 7.0]))
    #expect(isClose(try shares(TokenSampling(temperature: 0.5)), [1 / 30.0, 16 / 30.0, 4 / 30.0, 9 / 30.0]))
    #expect(try TokenSampling(temperature: 0).draw(scores, random: &random) == 1)
    #expect(throws: InvalidArgument.self) { try TokenSampling(topP: 0).draw(scores, random: &random) }
    #expect(throws: InvalidArgument.self) { try TokenSampling(temperature: -1).draw(scores, random: &random) }
    #expect(throws: InvalidArgument.self) { try TokenSampling().draw(Tensor<Double>([.nan]), random: &random) }
  }

  @Test func promptsAreChecked() throws {
    var (model, random) = try small(seed: 1)
    #expect(throws: InvalidArgument.self) { try model.generate([], count: 1, random: &random) }
    #expect(throws: InvalidArgument.self) { try model.generate([13], count: 1, random: &random) }
    #expect(throws: InvalidArgument.self) { try model.generate([-1], count: 1, random: &random) }
    #expect(try model.generate([1], count: 9, random: &random) { _ in true }.count == 1)
    random = RandomStream(seed: 1)
    #expect(try model.generate([1], count: 0, random: &random) == [])
  }

  @Test func checkpointsSayTheirConfiguration() throws {
    let (model, _) = try small(seed: 4, isTied: true)
    let folder = TemporaryFolder()
    let path = folder.file("gpt.safetensors")
    try model.save(to: path, metadata: model.configuration.metadata)
    let again = try GPT<Double>(from: Checkpoint(path))
    #expect(again.configuration == model.configuration)
    #expect(again.stateDictionary == model.stateDictionary)
    #expect(model.parameters.names.first == "model.embed_tokens.weight")
    #expect(model.parameters.names.contains("model.layers.1.self_attn.q_proj.weight"))
    #expect(!model.parameters.names.contains("lm_head.weight"))

    let bare = folder.file("bare.safetensors")
    try model.save(to: bare)
    #expect(throws: FileError.self) { try GPT<Double>(from: Checkpoint(bare)) }
    try model.save(to: bare, metadata: ["config": "{\"hidden_size\": \"wide\"}"])
    #expect(throws: FileError.self) { try GPT<Double>(from: Checkpoint(bare)) }
    var other = model.configuration
    other.heads = 0
    try model.save(to: bare, metadata: other.metadata)
    #expect(throws: InvalidArgument.self) { try GPT<Double>(from: Checkpoint(bare)) }
    other = model.configuration
    other.layers = 3
    try model.save(to: bare, metadata: other.metadata)
    #expect(throws: StateMismatch.self) { try GPT<Double>(from: Checkpoint(bare)) }
  }

  @Test func dropoutActsInTrainingOnly() throws {
    let (model, _) = try small(seed: 6, dropout: 0.3)
    let tokens = Tensor<Int>([[1, 2, 3, 4]])
    let trained = model(tokens, in: .training(random: RandomStream(seed: 1)))
    #expect(trained != model(tokens))
    #expect(trained == model(tokens, in: .training(random: RandomStream(seed: 1))))
  }
}
