// Sentences as vectors: texts that mean the same lie close together.

import FileFormats
import Foundation
public import Tensors

/// A sentence-transformers model: a BERT encoder, its tokenizer, the mean over a text's tokens, and length one.
///
/// ```swift
/// let embedder = try SentenceEmbedder(checkpoint: "minilm", tokenizer: "minilm")
/// let vectors = try embedder.embed(["A cat sat.", "A dog ran."])      // shape [2, 384]
/// let similarity = vectors.matmul(vectors, transposingB: true)
/// ```
public struct SentenceEmbedder: Sendable {
  public var model: BERT<Float>
  public var tokenizer: WordPieceTokenizer

  public init(model: BERT<Float>, tokenizer: WordPieceTokenizer) {
    self.model = model
    self.tokenizer = tokenizer
  }

  /// - Parameters:
  ///   - path: a `.safetensors` file or the folder with it.
  ///   - folder: where `vocab.txt` or `tokenizer.json` is; `config.json` lies there or beside the checkpoint.
  ///   - maximumLength: tokens of a text that count, the two at its ends included.
  /// - Throws: `FileError`; `StateMismatch` when the tensors are not those of the configuration.
  public init(checkpoint path: String, tokenizer folder: String, maximumLength: Int = 256) throws {
    let checkpoint = try Checkpoint(path)
    let configuration = try BERTConfiguration(contentsOf: Self.configurationFile(checkpoint.path, folder))
    model = try BERT(from: checkpoint, configuration: configuration)
    tokenizer = try WordPieceTokenizer(contentsOf: folder)
    tokenizer.maximumLength = min(maximumLength, configuration.positions)
    guard tokenizer.vocabularyCount <= configuration.vocabulary else {
      throw FileError(
        .unsuitable, folder,
        "a tokenizer of \(tokenizer.vocabularyCount) tokens for a model of \(configuration.vocabulary)")
    }
  }

  private static func configurationFile(_ checkpoint: String, _ tokenizer: String) throws -> String {
    let folders = [checkpoint, tokenizer].map { path in
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      return exists && isFolder.boolValue ? path : (path as NSString).deletingLastPathComponent
    }
    for folder in folders {
      let file = (folder.isEmpty ? "." : folder) + "/config.json"
      if FileManager.default.fileExists(atPath: file) { return file }
    }
    throw FileError(
      .missing, checkpoint, "there is no config.json beside this checkpoint or the tokenizer in \(tokenizer)")
  }

  /// The width of an embedding.
  public var width: Int { model.configuration.width }

  /// One vector of length one for each sentence, shape [sentences, width].
  ///
  /// - Parameter batchSize: sentences that go through the model together; those of like length do.
  /// - Throws: `CancellationError`.
  public func embed(
    _ sentences: [String], batchSize: Int = 32, progress: WorkProgress = .silent
  ) throws -> Tensor<Float> {
    let tokens = sentences.map(tokenizer.encode)
    let order = tokens.indices.sorted { (tokens[$0].count, $1) > (tokens[$1].count, $0) }
    var result = Tensor<Float>.zeros([sentences.count, width])
    var done = 0
    while done < order.count {
      let batch = order[done..<min(done + max(1, batchSize), order.count)]
      let vectors = embed(tokens: batch.map { tokens[$0] })
      for (row, sentence) in batch.enumerated() { result[sentence] = vectors[row] }
      done += batch.count
      try progress.report(done, of: order.count)
    }
    return result
  }

  private func embed(tokens: [[Int]]) -> Tensor<Float> {
    let length = tokens.map(\.count).max() ?? 0
    let rows = tokens.map { $0 + [Int](repeating: tokenizer.paddingToken, count: length - $0.count) }
    let mask = Tensor<Bool>(
      shape: [tokens.count, length], scalars: tokens.flatMap { row in (0..<length).map { $0 < row.count } })
    return meanPooled(model(Tensor(rows), mask: mask), mask: mask)
  }
}
