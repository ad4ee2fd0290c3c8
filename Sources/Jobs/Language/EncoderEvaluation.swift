import LinearAlgebra
import Networks
import Tensors

/// How much of an encoder's meaning a changed encoder keeps, on sentences.
public struct EncoderEvaluation: Sendable {
  public var sentences: Int
  /// The cosine between the vectors of both models, sentence by sentence.
  public var cosines: [Double]
  /// Their mean, and the one that 5 % of the sentences fall below.
  public var meanCosine: Double
  public var lowCosine: Double
  /// Of the ten nearest sentences of each sentence by the original, the share that is among the ten nearest still.
  public var retrievalOverlap: Double
  /// The accuracy of a linear classifier on the vectors of each model, and what it tells apart.
  public var probeAccuracy: Double
  public var originalProbeAccuracy: Double
  public var probeMeaning: String
  public var tokensPerSecond: Double
  public var originalTokensPerSecond: Double
}

/// Measures encoders on sentences, which become tokens once.
struct EncoderEvaluator: Sendable {
  let data: LabelledSentences
  /// The tokens of the longest sentence.
  let longest: Int
  private let batches: [Batch]

  private struct Batch: Sendable {
    /// Which sentences.
    var rows: [Int]
    var tokens: Tensor<Int>
    var mask: Tensor<Bool>
    var tokenCount: Int
  }

  /// - Throws: `InvalidArgument` when the text has too few sentences.
  init(text: String, tokenizer: WordPieceTokenizer, maximumLength: Int, sentences: Int) throws {
    data = try LabelledSentences(of: text, count: sentences)
    var tokenizer = tokenizer
    tokenizer.maximumLength = maximumLength
    let encoded = data.sentences.map(tokenizer.encode)
    longest = encoded.map(\.count).max() ?? 0
    // Those of like length together, so that there is little padding.
    let order = encoded.indices.sorted { (encoded[$0].count, $1) > (encoded[$1].count, $0) }
    batches = stride(from: 0, to: order.count, by: 32).map { start in
      let rows = Array(order[start..<min(start + 32, order.count)])
      let length = rows.map { encoded[$0].count }.max() ?? 1
      let padded = rows.map {
        encoded[$0] + [Int](repeating: tokenizer.paddingToken, count: length - encoded[$0].count)
      }
      let mask = rows.flatMap { row in (0..<length).map { $0 < encoded[row].count } }
      return Batch(
        rows: rows, tokens: Tensor(padded), mask: Tensor(shape: [rows.count, length], scalars: mask),
        tokenCount: rows.reduce(0) { $0 + encoded[$1].count })
    }
  }

  /// One vector of length one for each sentence.
  private func vectors(of model: BERT<Float>, _ speed: inout SpeedMeter, _ progress: WorkProgress) throws
    -> Tensor<Float>
  {
    var result = Tensor<Float>.zeros([data.sentences.count, model.configuration.width])
    for (i, batch) in batches.enumerated() {
      try progress.report(i, of: batches.count)
      let vectors = speed.time(batch.tokenCount) {
        meanPooled(model(batch.tokens, mask: batch.mask), mask: batch.mask)
      }
      for (i, row) in batch.rows.enumerated() { result[row] = vectors[i] }
    }
    try progress.report(batches.count, of: batches.count)
    return result
  }

  /// - Throws: `InvalidArgument` when the vectors are not finite.
  func reference(of model: BERT<Float>, progress: WorkProgress = .silent) throws -> EncoderReference {
    var speed = SpeedMeter()
    let vectors = try vectors(of: model, &speed, progress)
    try vectors.requireFinite("the original's vectors")
    return EncoderReference(
      evaluator: self, vocabulary: model.configuration.vocabulary, vectors: vectors,
      neighbours: Self.neighbours(of: vectors),
      probeAccuracy: try Self.probe(vectors, data), tokensPerSecond: speed.perSecond)
  }

  /// - Throws: `InvalidArgument` when the vectors are not finite.
  func evaluate(
    _ model: BERT<Float>, against original: EncoderReference, progress: WorkProgress = .silent
  ) throws -> EncoderEvaluation {
    var speed = SpeedMeter()
    let vectors = try vectors(of: model, &speed, progress)
    try vectors.requireFinite("the model's vectors")
    let shared = zip(Self.neighbours(of: vectors), original.neighbours).map { $0.intersection($1).count }
    let cosines = Tensor<Double>((vectors * original.vectors).sum(axis: 1))
    return EncoderEvaluation(
      sentences: vectors.rows, cosines: cosines.scalars, meanCosine: cosines.mean().scalar,
      lowCosine: cosines.quantile(0.05).scalar,
      retrievalOverlap: Double(shared.reduce(0, +)) / Double(original.neighbours.reduce(0) { $0 + $1.count }),
      probeAccuracy: try Self.probe(vectors, data), originalProbeAccuracy: original.probeAccuracy,
      probeMeaning: data.meaning, tokensPerSecond: speed.perSecond, originalTokensPerSecond: original.tokensPerSecond)
  }

  /// The ten nearest sentences of each sentence.
  private static func neighbours(of vectors: Tensor<Float>) -> [Set<Int>] {
    var similarity = vectors.matmul(vectors, transposingB: true)
    similarity -= Tensor<Float>.identity(vectors.rows) * 4
    let indices = similarity.topK(min(10, vectors.rows - 1)).indices
    return (0..<vectors.rows).map { Set(indices[$0].scalars) }
  }

  /// Ridge regression onto the classes, on four of five sentences; the share of right answers on the fifth ones.
  private static func probe(_ vectors: Tensor<Float>, _ data: LabelledSentences) throws -> Double {
    let x = Tensor<Double>(vectors)
    let isTest = (0..<x.rows).map { $0 % 5 == 4 }
    let train = Tensor(isTest.indices.filter { !isTest[$0] })
    let test = Tensor(isTest.indices.filter { isTest[$0] })
    let labels = Tensor(data.labels)
    let mean = x.gathered(train).mean(axis: 0)
    let inputs = x.gathered(train) - mean
    let targets = Tensor<Double>.identity(data.classes).gathered(labels.gathered(train))
    let share = targets.mean(axis: 0)
    var gram = inputs.multipliedByOwnTranspose(transposing: true)
    // Vectors of length one: a hundredth of an example in every direction.
    let ridge = 0.01 * max(gram.diagonal.sum().scalar / Double(x.columns), 1e-12)
    gram += Tensor<Double>.identity(x.columns) * ridge
    let weights = try CholeskyDecomposition(of: gram).solve(inputs.matmul(targets - share, transposingA: true))
    let answers = ((x.gathered(test) - mean).matmul(weights) + share).argmax(axis: 1)
    let right = (answers .== labels.gathered(test)).scalars.count { $0 }
    return Double(right) / Double(test.count)
  }
}

/// What an original makes of sentences.
struct EncoderReference: Sendable {
  let evaluator: EncoderEvaluator
  let vocabulary: Int
  let vectors: Tensor<Float>
  let neighbours: [Set<Int>]
  let probeAccuracy: Double
  let tokensPerSecond: Double

  /// The original beside itself.
  var beside: EncoderEvaluation {
    EncoderEvaluation(
      sentences: vectors.rows, cosines: [Double](repeating: 1, count: vectors.rows), meanCosine: 1, lowCosine: 1,
      retrievalOverlap: 1, probeAccuracy: probeAccuracy, originalProbeAccuracy: probeAccuracy,
      probeMeaning: evaluator.data.meaning, tokensPerSecond: tokensPerSecond, originalTokensPerSecond: tokensPerSecond)
  }
}
