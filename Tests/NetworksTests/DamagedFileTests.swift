import FileFormats
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// Files of tokenizers and models with random damage are read or refused by an error that says so.
@Suite struct DamagedFileTests {
  private let folder = TemporaryFolder()

  private func expectTypedErrors(
    _ path: String, rounds: Int = 300, seed: UInt64, _ read: (String) throws -> Void
  ) throws {
    let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    try read(path)
    var generator = TestGenerator(seed: seed)
    var refused = 0
    for round in 0..<rounds {
      try Data(damaged(whole, using: &generator)).write(to: URL(fileURLWithPath: path))
      do {
        try read(path)
      } catch is FileError, is StateMismatch, is InvalidArgument {
        refused += 1
      } catch {
        Issue.record("seed \(seed), round \(round): \(error)")
      }
    }
    // Damage that is never noticed tests nothing.
    #expect(refused > rounds / 10, "\(refused) of \(rounds)")
    try Data(whole).write(to: URL(fileURLWithPath: path))
  }

  @Test(arguments: 0..<3) func tokenizers(seed: UInt64) throws {
    let path = folder.file("tokenizer.json")
    let text = "the cat sat on the mat; the rat sat on the cat"
    try BytePairTokenizer(trainedOn: text, vocabulary: 262, specialTokens: ["<|end|>"]).save(to: path)
    try expectTypedErrors(path, rounds: 120, seed: seed) { path in
      let tokenizer = try readTokenizer(path)
      _ = tokenizer.decode((try? tokenizer.encode(text + "<|end|>")) ?? [])
    }
    try CharacterTokenizer(alphabetOf: text).save(to: path)
    try expectTypedErrors(path, seed: seed) { path in
      let tokenizer = try readTokenizer(path)
      _ = tokenizer.decode((try? tokenizer.encode(text)) ?? [])
    }
    let pieces = """
      {"normalizer": {"type": "BertNormalizer", "lowercase": true}, "model": {"type": "WordPiece", "vocab": {"[PAD]": 0,
      "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "cat": 4, "##s": 5}, "max_input_chars_per_word": 100}}
      """
    try Data(pieces.utf8).write(to: URL(fileURLWithPath: path))
    try expectTypedErrors(path, seed: seed) { path in
      _ = try WordPieceTokenizer(contentsOf: path).encode("cats \u{301} sat")
    }
    let lines = folder.file("vocab.txt")
    try Data("[PAD]\n[UNK]\n[CLS]\n[SEP]\ncat\n##s\n".utf8).write(to: URL(fileURLWithPath: lines))
    try expectTypedErrors(lines, seed: seed) { path in
      _ = try WordPieceTokenizer(contentsOf: path).encode("cats \u{301} sat")
    }
  }

  @Test(arguments: 0..<3) func checkpointsWithTheirConfigurations(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let configuration = GPTConfiguration(vocabulary: 11, width: 8, layers: 2, heads: 2, hidden: 12, contextLength: 8)
    let path = folder.file("model.safetensors")
    try GPT<Float>(configuration, random: &random).save(to: path, metadata: configuration.metadata)
    let headerEnd = 1_200
    let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    var generator = TestGenerator(seed: seed)
    var refused = 0
    for round in 0..<300 {
      // The header says everything that can be wrong; any numbers are weights.
      let bytes = damaged(Array(whole.prefix(headerEnd)), using: &generator) + whole.dropFirst(headerEnd)
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        _ = try GPT<Float>(from: Checkpoint(path))
      } catch is FileError, is StateMismatch, is InvalidArgument {
        refused += 1
      } catch {
        Issue.record("seed \(seed), round \(round): \(error)")
      }
    }
    #expect(refused > 100)
  }

  @Test(arguments: 0..<3) func configurationsOfEncoders(seed: UInt64) throws {
    let path = folder.file("config.json")
    let text = """
      {"model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
      "intermediate_size": 12, "max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
      "hidden_dropout_prob": 0.1, "hidden_act": "gelu", "position_embedding_type": "absolute"}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    try expectTypedErrors(path, seed: seed) { _ = try BERTConfiguration(contentsOf: $0).parameterCount }
  }

  /// A configuration may name more numbers than any machine has: nothing is allocated for them.
  @Test func hugeConfigurationsAreRefusedBeforeTheyCost() throws {
    var random = RandomStream(seed: 1)
    let small = GPTConfiguration(vocabulary: 11, width: 8, layers: 1, heads: 2, hidden: 12, contextLength: 8)
    let path = folder.file("model.safetensors")
    let model = try GPT<Float>(small, random: &random)
    let changes: [(inout GPTConfiguration) -> Void] = [
      { $0.vocabulary = (1 << 28) - 1 }, { $0.layers = (1 << 28) - 1 }, { $0.hidden = (1 << 28) - 1 },
      { ($0.width, $0.heads, $0.keyValueHeads) = (1 << 27, 1 << 26, 1 << 26) }, { $0.contextLength = (1 << 28) - 1 },
    ]
    for (i, change) in changes.enumerated() {
      var configuration = small
      change(&configuration)
      try model.save(to: path, metadata: configuration.metadata)
      let error = #expect(throws: (any Error).self, "change \(i)") { try GPT<Float>(from: Checkpoint(path)) }
      #expect(error is FileError || error is InvalidArgument, "change \(i): \(String(describing: error))")
    }
    #expect(small.parameterCount == model.parameterCount)
    var tied = small
    (tied.isTied, tied.normalizesHeads, tied.keyValueHeads) = (true, true, 1)
    #expect(try GPT<Float>(tied, random: &random).parameterCount == tied.parameterCount)

    var encoder = BERTConfiguration()
    (encoder.vocabulary, encoder.width, encoder.layers, encoder.heads) = (30, 8, 2, 2)
    (encoder.hidden, encoder.positions) = (12, 16)
    #expect(try BERT<Float>(encoder, random: &random).parameterCount == encoder.parameterCount)
    let text = """
      {"vocab_size": 30, "hidden_size": 67108864, "num_hidden_layers": 60000000, "num_attention_heads": 2,
      "intermediate_size": 12, "max_position_embeddings": 16, "type_vocab_size": 2}
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file("config.json")))
    let error = #expect(throws: FileError.self) { try SentenceEmbedder(checkpoint: path, tokenizer: folder.path) }
    #expect(error?.kind == .unsuitable)
  }

  /// Of both files in a folder the tokenizer's own is read, which knows about upper case.
  @Test func theTokenizersOwnFileComesFirst() throws {
    let pieces = """
      {"normalizer": {"type": "BertNormalizer", "lowercase": false}, "model": {"type": "WordPiece", "vocab": {"[PAD]": 0,
      "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "Cat": 4}}}
      """
    try Data(pieces.utf8).write(to: URL(fileURLWithPath: folder.file("tokenizer.json")))
    try Data("[PAD]\n[UNK]\n[CLS]\n[SEP]\ncat\n".utf8).write(to: URL(fileURLWithPath: folder.file("vocab.txt")))
    #expect(try WordPieceTokenizer(contentsOf: folder.path).encode("Cat cat") == [2, 4, 1, 3])
    #expect(try WordPieceTokenizer(contentsOf: folder.file("vocab.txt")).encode("Cat cat") == [2, 4, 4, 3])
    let accents = pieces.replacingOccurrences(
      of: "\"lowercase\": false", with: "\"lowercase\": false, \"strip_accents\": true")
    try Data(accents.utf8).write(to: URL(fileURLWithPath: folder.file("tokenizer.json")))
    #expect(throws: FileError.self) { try WordPieceTokenizer(contentsOf: folder.path) }
  }
}
