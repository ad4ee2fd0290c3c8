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
  /// The mean loss of each window of the text.
  public var windowLosses: [Double]
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
  private let batchSize = 8

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

  /// Sends the windows through a model, and hands out its scores batch by batch.
  private func run(
    _ model: GPT<Float>, progress: WorkProgress, _ body: (_ batch: Int, Tensor<Float>) -> Void
  ) throws -> DecoderEvaluation {
    var losses: [Double] = []
    var speed = SpeedMeter()
    for start in stride(from: 0, to: count, by: batchSize) {
      try progress.report(start, of: count)
      let batch = windows.consecutive(start..<min(start + batchSize, count))
      let scores = speed.time(batch.inputs.count) { model(batch.inputs) }
      let perWindow = crossEntropy(scores, labels: batch.targets, reduction: .none).mean(axis: 1)
      losses += perWindow.scalars.map(Double.init)
      body(start / batchSize, scores)
    }
    try progress.report(count, of: count)
    let loss = losses.reduce(0, +) / Double(count)
    return DecoderEvaluation(
      tokens: count * windows.length, loss: loss, bitsPerByte: loss / Double.log(2) / bytesPerToken,
      windowLosses: losses, tokensPerSecond: speed.perSecond)
  }

  /// - Parameter keepsPredictions: whether others are going to be measured beside it.
  func reference(
    of model: GPT<Float>, keepsPredictions: Bool, progress: WorkProgress = .silent
  ) throws -> DecoderReference {
    var predictions: [Tensor<Float>] = []
    let room = DecoderReference.mostKept / max(1, batchSize * windows.length * model.configuration.vocabulary)
    let evaluation = try run(model, progress: progress) { batch, scores in
      if keepsPredictions, batch < room { predictions.append(scores.logSoftmax(axis: -1)) }
    }
    return DecoderReference(evaluator: self, model: model, evaluation: evaluation, predictions: predictions)
  }

  func evaluate(
    _ model: GPT<Float>, against original: DecoderReference, progress: WorkProgress = .silent
  ) throws -> DecoderEvaluation {
    var (divergence, agreement) = (0.0, 0.0)
    var result = try run(model, progress: progress) { batch, scores in
      let wanted = original.logProbabilities(of: batch) { number in
        let start = number * batchSize
        return windows.consecutive(start..<min(start + batchSize, count)).inputs
      }
      divergence += Double((wanted.exp() * (wanted - scores.logSoftmax(axis: -1))).sum().scalar)
      agreement += Double((wanted.argmax(axis: -1) .== scores.argmax(axis: -1)).scalars.count { $0 })
    }
    let tokens = Double(result.tokens)
    result.comparison = .init(
      originalLoss: original.evaluation.loss, divergence: divergence / tokens, agreement: agreement / tokens,
      originalTokensPerSecond: original.evaluation.tokensPerSecond)
    return result
  }
}

/// What an original makes of the windows of a text.
struct DecoderReference: Sendable {
  let evaluator: DecoderEvaluator
  let model: GPT<Float>
  /// Of the original alone.
  let evaluation: DecoderEvaluation
  /// log p of every token at every place, for the first batches: as many as there was room for.
  let predictions: [Tensor<Float>]

  /// Numbers that are kept; those of further batches are computed again when they are needed.
  static let mostKept = 1 << 27

  func logProbabilities(of batch: Int, _ inputs: (Int) -> Tensor<Int>) -> Tensor<Float> {
    batch < predictions.count ? predictions[batch] : model(inputs(batch)).logSoftmax(axis: -1)
  }

  /// The original beside itself.
  var beside: DecoderEvaluation {
    var result = evaluation
    result.comparison = .init(
      originalLoss: evaluation.loss, divergence: 0, agreement: 1, originalTokensPerSecond: evaluation.tokensPerSecond)
    return result
  }
}

/// Tokens a second over several batches. The first one, in which memory is met for the first time, does not count unless
/// it is the only one.
struct SpeedMeter {
  private var first: (tokens: Int, seconds: Double)?
  private var tokens = 0
  private var seconds = 0.0

  mutating func time<Result>(_ tokens: Int, _ body: () throws -> Result) rethrows -> Result {
    let start = ContinuousClock.now
    let result = try body()
    let taken = (ContinuousClock.now - start) / .seconds(1)
    if first == nil {
      first = (tokens, taken)
    } else {
      (self.tokens, seconds) = (self.tokens + tokens, seconds + taken)
    }
    return result
  }

  var perSecond: Double {
    tokens > 0 ? Double(tokens) / seconds : first.map { Double($0.tokens) / $0.seconds } ?? .nan
  }
}
