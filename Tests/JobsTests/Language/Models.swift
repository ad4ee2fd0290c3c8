import Foundation
import Jobs
import Networks
import Synchronization
import Tensors

/// A small decoder of bytes with random weights, on disk.
func randomDecoder(_ path: String, seed: UInt64 = 1, layers: Int = 2) throws -> TextModel {
  var random = RandomStream(seed: seed)
  let configuration = GPTConfiguration(
    vocabulary: 256, width: 24, layers: layers, heads: 2, hidden: 40, contextLength: 16)
  let model = try GPT<Float>(configuration, random: &random)
  try model.save(to: path, metadata: configuration.metadata)
  return try TextModel(path)
}

/// A small encoder with random weights and its word pieces, as a folder.
func randomEncoder(_ folder: String, seed: UInt64 = 1) throws -> TextModel {
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  let letters = "abcdefghijklmnopqrstuvwxyz.".map(String.init)
  let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + letters.map { "##\($0)" }
  try words.joined(separator: "\n").write(toFile: "\(folder)/vocab.txt", atomically: true, encoding: .utf8)
  try """
  {"model_type": "bert", "vocab_size": \(words.count), "hidden_size": 24, "num_hidden_layers": 2,
   "num_attention_heads": 2, "intermediate_size": 48, "max_position_embeddings": 64, "type_vocab_size": 2}
  """.write(toFile: "\(folder)/config.json", atomically: true, encoding: .utf8)
  var random = RandomStream(seed: seed)
  var configuration = try BERTConfiguration(contentsOf: "\(folder)/config.json")
  configuration.dropout = 0
  let model = try BERT<Float>(configuration, hasPooler: false, random: &random)
  try model.save(to: "\(folder)/model.safetensors")
  return try TextModel(folder)
}

/// Lines of words that occur in no language.
func randomText(lines: Int, seed: UInt64 = 3) -> String {
  var random = RandomStream(seed: seed)
  let letters = Array("abcdefghijklmnop")
  return (0..<lines).map { _ in
    (0..<6).map { _ in String(random.integers([5], in: 0..<letters.count).scalars.map { letters[$0] }) }
      .joined(separator: " ") + "."
  }.joined(separator: "\n")
}

/// Counts calls, from any thread.
final class Counter: Sendable {
  private let count = Mutex(0)
  func next() -> Int {
    count.withLock { count in
      defer { count += 1 }
      return count
    }
  }
}
