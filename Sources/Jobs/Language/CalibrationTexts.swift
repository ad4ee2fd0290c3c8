import Compression
import Datasets
import Foundation
import Networks
import Tensors

extension CalibrationData where Model == GPT<Float> {
  /// Windows of a text, evenly spread over it, for a decoder.
  ///
  /// - Parameter tokens: how many tokens, at least; the text may have fewer.
  /// - Throws: `InvalidArgument` when the text has something that no token stands for, or does not fill a window.
  init(text: String, tokenizer: any Tokenizer, contextLength: Int, tokens: Int) throws {
    let encoded = try tokenizer.encode(text)
    let length = min(contextLength, max(2, encoded.count - 1))
    let windows = try TokenWindows(encoded, length: length)
    let wanted = max(1, (min(tokens, 1 << 40) + length - 1) / length)
    let total = windows.consecutiveCount
    let chosen = total <= wanted ? Array(0..<total) : (0..<wanted).map { $0 * total / wanted }
    // Eight sequences at a time: enough to fill the processor, little enough to remember.
    self.init(
      tokens: stride(from: 0, to: chosen.count, by: 8).map { start in
        Tensor.concatenated(
          chosen[start..<min(start + 8, chosen.count)].map { windows.consecutive($0..<$0 + 1).inputs }, axis: 0)
      })
  }
}

extension CalibrationData where Model == BERT<Float> {
  /// Sentences of a text for an encoder, those of like length together.
  ///
  /// An encoder has no loss of its own. Its Fisher information is that of a normal law around its sentence vector, whose
  /// diagonal is the mean square of the gradients of v · vector for random directions v; one for each sentence.
  /// - Throws: `InvalidArgument` for a text of fewer than 20 sentences.
  init(text: String, tokenizer: WordPieceTokenizer, maximumLength: Int, tokens wanted: Int, width: Int) throws {
    var tokenizer = tokenizer
    tokenizer.maximumLength = min(maximumLength, tokenizer.maximumLength)
    let sentences = try LabelledSentences(of: text, count: max(20, wanted / 8)).sentences
    var encoded: [[Int]] = []
    var total = 0
    // In an order that goes through the whole text however early it ends.
    for i in sentences.indices.sorted(by: { ($0 % 16, $0) < ($1 % 16, $1) }) where total < wanted {
      encoded.append(tokenizer.encode(sentences[i]))
      total += encoded[encoded.count - 1].count
    }
    encoded.sort { $0.count > $1.count }
    let padding = tokenizer.paddingToken
    var random = RandomStream(seed: 1)
    let batches = stride(from: 0, to: encoded.count, by: 16).map { start in
      let rows = encoded[start..<min(start + 16, encoded.count)]
      let length = rows.map(\.count).max() ?? 1
      let mask = rows.flatMap { row in (0..<length).map { $0 < row.count } }
      return EncoderBatch(
        tokens: Tensor(rows.map { $0 + [Int](repeating: padding, count: length - $0.count) }),
        mask: Tensor<Bool>(shape: [rows.count, length], scalars: mask), directions: random.normal([rows.count, width]))
    }
    self.init(
      count: batches.count, evaluate: { model, i in _ = model(batches[i].tokens, mask: batches[i].mask) },
      losses: { model, i in
        let batch = batches[i]
        let vectors = meanPooled(model(batch.tokens, mask: batch.mask), mask: batch.mask)
        return (vectors * batch.directions).sum(axis: 1)
      },
      counted: { batches[$0].mask })
  }
}

private struct EncoderBatch: Sendable {
  var tokens: Tensor<Int>
  var mask: Tensor<Bool>
  var directions: Tensor<Float>
}
