import Datasets
import Foundation
import Networks
import Tensors

/// How well a decoder predicts a text, and how near it is to another one.
public struct DecoderEvaluation: Sendable {
  public var tokens: Int
  /// The mean of -log p(next token) in nats.
  public var loss: Double
  public var perplexity: Double { Double.exp(loss) }
  /// The same in bits for each byte of the text: comparable between tokenizers.
  public var bitsPerByte: Double
  public var tokensPerSecond: Double
  /// Beside the original, if there is one.
  public var comparison: Comparison?

  public struct Comparison: Sendable {
    public var originalLoss: Double
    /// The mean over positions of KL(original || model) in nats.
    public var divergence: Double
    /// How often both models find the same token likeliest.
    public var agreement: Double
    public var originalTokensPerSecond: Double
  }
}

/// Measures decoders on windows of a text that follow one another.
struct DecoderEvaluator: Sendable {
  let windows: TokenWindows
  /// How many windows count.
  let count: Int
  /// The bytes of text that a token stands for on average.
  let bytesPerToken: Double
  var batchSize = 8

  /// - Throws: `InvalidArgument` when the text has something no token stands for, or does not fill a window.
  init(text: String, tokenizer: any Tokenizer, contextLength: Int, tokens: Int) throws {
    // More than there can be means all there is.
    let tokens = min(max(tokens, 1), 1 << 40)
    // Not more of a long text than counts, in characters that surely suffice; cut where the measuring ends.
    let part = String(text.prefix((tokens + contextLength) * 8))
    let encoded = try tokenizer.encode(part)
    let length = min(contextLength, max(2, encoded.count - 1))
    windows = try TokenWindows(encoded, length: length)
    count = max(1, min(windows.consecutiveCount, (tokens + length - 1) / length))
    bytesPerToken = Double(part.utf8.count) / Double(max(encoded.count, 1))
  }

  func evaluate(
    _ model: GPT<Float>, against original: GPT<Float>?, progress: WorkProgress = .silent
  ) throws -> DecoderEvaluation {
    var loss = 0.0
    var (originalLoss, divergence, agreement) = (0.0, 0.0, 0.0)
    var (seconds, originalSeconds) = (0.0, 0.0)
    for start in stride(from: 0, to: count, by: batchSize) {
      try progress.report(start, of: count)
      let batch = windows.consecutive(start..<min(start + batchSize, count))
      let scores = timed(&seconds) { model(batch.inputs) }
      loss += Double(crossEntropy(scores, labels: batch.targets, reduction: .sum).scalar)
      guard let original else { continue }
      let wanted = timed(&originalSeconds) { original(batch.inputs) }
      originalLoss += Double(crossEntropy(wanted, labels: batch.targets, reduction: .sum).scalar)
      let p = wanted.logSoftmax(axis: -1)
      divergence += Double((p.exp() * (p - scores.logSoftmax(axis: -1))).sum().scalar)
      agreement += Double((wanted.argmax(axis: -1) .== scores.argmax(axis: -1)).scalars.count { $0 })
    }
    try progress.report(count, of: count)
    let tokens = count * windows.length
    let number = Double(tokens)
    return DecoderEvaluation(
      tokens: tokens, loss: loss / number, bitsPerByte: loss / number / Double.log(2) / bytesPerToken,
      tokensPerSecond: number / seconds,
      comparison: original.map { _ in
        .init(
          originalLoss: originalLoss / number, divergence: divergence / number, agreement: agreement / number,
          originalTokensPerSecond: number / originalSeconds)
      })
  }
}

/// What `body` returns; the time it took is added to `seconds`.
func timed<Result>(_ seconds: inout Double, _ body: () throws -> Result) rethrows -> Result {
  let start = ContinuousClock.now
  defer { seconds += (ContinuousClock.now - start) / .seconds(1) }
  return try body()
}
