import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// The repository's folder.
private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent()
private let miniLM = root.appendingPathComponent(".cache/minilm").path
private let hasMiniLM = FileManager.default.fileExists(atPath: miniLM + "/model.safetensors")

/// What Tests/Reference/minilm.py writes.
private struct Reference: Decodable {
  struct Sentence: Decodable {
    var text: String
    var tokens: [Int]
    var sums: [[Double]]
    var first: [Double]
  }
  var length: Int
  var sentences: [Sentence]

  static func load() throws -> Reference {
    let file = root.appendingPathComponent("Tests/Reference/minilm.json")
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}

struct BERTTests {
  @Test(.enabled(if: hasMiniLM, "needs .cache/minilm: run Scripts/fetch-minilm"))
  func embeddingsAreThoseOfTransformers() throws {
    let reference = try Reference.load()
    #expect(reference.sentences.count == 200)
    let embedder = try SentenceEmbedder(
      checkpoint: miniLM + "/model.safetensors", tokenizer: miniLM, maximumLength: reference.length)
    for sentence in reference.sentences {
      #expect(embedder.tokenizer.encode(sentence.text) == sentence.tokens, "\(sentence.text.debugDescription)")
    }
    let vectors = Tensor<Double>(try embedder.embed(reference.sentences.map(\.text)))
    #expect(vectors.shape == [200, 384])
    var worst = 0.0
    for (i, sentence) in reference.sentences.enumerated() {
      let vector = vectors[i]
      for (k, period) in [1, 3].enumerated() {
        let signs = Tensor<Double>((0..<384).map { $0 / period % 2 == 0 ? 1 : -1 })
        let sums = (vector * signs).reshaped([16, 24]).sum(axis: 1)
        worst.raise(to: distance(sums, Tensor(sentence.sums[k])))
      }
      worst.raise(to: distance(vector[0..<8], Tensor(sentence.first)))
    }
    #expect(worst < 1e-5, "largest difference \(worst)")
  }

  @Test(.enabled(if: hasMiniLM, "needs .cache/minilm: run Scripts/fetch-minilm"))
  func vocabulariesOfBothFilesAgree() throws {
    let lines = try WordPieceTokenizer(contentsOf: miniLM + "/vocab.txt")
    let json = try WordPieceTokenizer(contentsOf: miniLM + "/tokenizer.json")
    #expect(lines.tokens.count == 30_522)
    #expect(zip(lines.tokens, json.tokens).allSatisfy { $0.utf8.elementsEqual($1.utf8) })
    #expect(try readTokenizer(miniLM) is WordPieceTokenizer)
  }

  private func small(_ random: inout RandomStream) throws -> BERT<Double> {
    var configuration = BERTConfiguration()
    configuration.vocabulary = 20
    configuration.width = 8
    configuration.layers = 2
    configuration.heads = 2
    configuration.hidden = 12
    configuration.positions = 16
    var model = try BERT<Double>(configuration, random: &random)
    model.forEachParameter { _, tensor in if tensor.rank == 2 { tensor = random.normal(tensor.shape) * 0.4 } }
    return model
  }

  @Test(arguments: 0..<3) func paddingChangesNothing(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let model = try small(&random)
    let tokens = random.integers([2, 5], in: 0..<20)
    let padded = Tensor<Int>.concatenated([tokens, random.integers([2, 4], in: 0..<20)], axis: 1)
    let mask = Tensor<Bool>(shape: [2, 9], scalars: (0..<18).map { $0 % 9 < 5 })
    let short = model(tokens)
    #expect(distance(model(padded, mask: mask)[.all, 0..<5], short) < 1e-13)
    let everything = Tensor<Bool>(repeating: true, shape: [2, 5])
    let pooled = meanPooled(short, mask: everything)
    #expect(distance(pooled, meanPooled(model(padded, mask: mask), mask: mask)) < 1e-13)
    #expect(distance(pooled.sumOfSquares(axes: [1]), .ones([2])) < 1e-13)
    #expect(meanPooled(short, mask: Tensor(repeating: false, shape: [2, 5])) == .zeros([2, 8]))
  }

  @Test func gradientsOfBothOrders() throws {
    var random = RandomStream(seed: 4)
    let model = try small(&random)
    let tokens = random.integers([2, 4], in: 0..<20)
    let mask = Tensor<Bool>(shape: [2, 4], scalars: [true, true, true, false, true, true, true, true])
    expectDerivatives(at: model.parameters.tensors, seed: 4, tolerance: 1e-6) {
      meanPooled(model.with(parameters: $0)(tokens, mask: mask), mask: mask)
    }
  }

  @Test func namesAreThoseOfBertModel() throws {
    var random = RandomStream(seed: 5)
    let names = try small(&random).parameters.names
    #expect(names.count == 5 + 2 * 16 + 2)
    for name in [
      "embeddings.LayerNorm.bias", "encoder.layer.1.attention.self.query.weight",
      "encoder.layer.0.attention.output.LayerNorm.weight", "encoder.layer.0.intermediate.dense.bias",
      "pooler.dense.weight",
    ] { #expect(names.contains(name)) }
  }

  @Test func unfitFoldersAreRefused() throws {
    let folder = TemporaryFolder()
    var random = RandomStream(seed: 6)
    let model = try small(&random)
    let path = folder.file("model.safetensors")
    try model.save(to: path)
    func write(_ text: String, _ name: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
    }
    #expect(throws: FileError.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    try write("{\"hidden_size\": 8}", "config.json")
    #expect(throws: FileError.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    let configuration = """
      {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
      "intermediate_size": 12, "max_position_embeddings": 16, "type_vocab_size": 2}
      """
    func write(layers: Int, heads: Int) throws {
      let text = configuration.replacingOccurrences(of: "LAYERS", with: "\(layers)")
      try write(text.replacingOccurrences(of: "HEADS", with: "\(heads)"), "config.json")
    }
    try write(layers: 2, heads: 3)
    #expect(throws: FileError.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    try write(layers: 3, heads: 2)
    #expect(throws: StateMismatch.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    try write(layers: 2, heads: 2)
    #expect(throws: FileError.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + (0..<15).map { "w\($0)" }
    try write((words + ["more"]).joined(separator: "\n"), "vocab.txt")
    #expect(throws: FileError.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    try write(words.joined(separator: "\n"), "vocab.txt")
    let embedder = try SentenceEmbedder(checkpoint: path, tokenizer: folder.path)
    #expect(embedder.tokenizer.maximumLength == 16)
    let vectors = try embedder.embed(["w3 w4 w3", "", "w1"], batchSize: 2)
    #expect(distance(vectors[0..<1], try embedder.embed(["w3 w4 w3"])) < 1e-6)
    #expect(try embedder.embed([]).shape == [0, 8])
  }
}
