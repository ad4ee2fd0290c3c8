import Networks
import Tensors

/// What a model of language is worth on a text, alone or beside the one it was made from.
public struct ModelEvaluation: Sendable {
  public enum Quality: Sendable {
    case decoder(DecoderEvaluation)
    case encoder(EncoderEvaluation)
  }

  public var model: String
  public var original: String?
  public var quality: Quality
  public var parameters: Int
  public var originalParameters: Int?
  /// What all tensors take in a file.
  public var bytes: Double
  public var originalBytes: Double?
  /// Multiplications and additions of the linear layers for one token.
  public var operationsPerToken: Double
  public var originalOperationsPerToken: Double?

  public var tokensPerSecond: Double {
    switch quality {
    case .decoder(let result): result.tokensPerSecond
    case .encoder(let result): result.tokensPerSecond
    }
  }

  /// One number that is zero for a perfect copy: nats lost by a decoder, one less the mean cosine of an encoder.
  public var damage: Double? {
    switch quality {
    case .decoder(let result): result.comparison.map { result.loss - $0.originalLoss }
    case .encoder(let result): 1 - result.meanCosine
    }
  }

  /// What the damage is the mean of, up to a constant that all models share: the losses of a decoder's windows, or one
  /// less an encoder's cosines.
  var samples: [Double] {
    switch quality {
    case .decoder(let result): result.windowLosses
    case .encoder(let result): result.cosines.map { 1 - $0 }
    }
  }
}

/// A text, and what a model makes of it: computed once, however many are then measured beside that model.
public struct EvaluationReference: Sendable {
  enum Measured: Sendable {
    case decoder(DecoderReference)
    case encoder(EncoderReference)
  }

  let measured: Measured
  /// Of the original alone.
  let alone: ModelEvaluation

  /// Of the original beside itself.
  public var evaluation: ModelEvaluation {
    var result = alone
    if case .decoder(let reference) = measured { result.quality = .decoder(reference.beside) }
    return result.beside(alone)
  }
}

/// Evaluates models on a text.
public struct ModelEvaluator: Sendable {
  /// Tokens of the text that a decoder predicts.
  public var tokens = 16_384
  /// Sentences of the text that an encoder gives vectors to.
  public var sentences = 512
  /// What of a sentence an encoder looks at.
  public var maximumLength = 128

  public init(tokens: Int = 16_384, sentences: Int = 512) {
    self.tokens = tokens
    self.sentences = sentences
  }

  /// - Parameters:
  ///   - original: what the model was made from. An encoder is its own original unless one is given.
  ///   - text: lines; for an encoder they may begin with a label and a tab.
  /// - Throws: `InvalidArgument` when the text does not suffice, or has something that no token stands for, or when one
  ///   model is a decoder and the other is not; `CancellationError`.
  public func evaluate(
    _ model: TextModel, against original: TextModel? = nil, on text: String, progress: WorkProgress = .silent
  ) throws -> ModelEvaluation {
    guard let original else {
      return try reference(of: model, on: text, keepsPredictions: false, progress: progress).alone
    }
    let reference = try reference(
      of: original, on: text, contextLength: model.contextLength, progress: progress.part(0, of: 2))
    return try evaluate(model, against: reference, progress: progress.part(1, of: 2))
  }

  /// Measures an original, for ``evaluate(_:against:progress:)``.
  ///
  /// - Throws: `InvalidArgument` when the text does not suffice, or has something that no token stands for;
  ///   `CancellationError`.
  public func reference(
    of original: TextModel, on text: String, progress: WorkProgress = .silent
  ) throws -> EvaluationReference {
    try reference(of: original, on: text, contextLength: .max, progress: progress)
  }

  private func reference(
    of original: TextModel, on text: String, contextLength: Int = .max, keepsPredictions: Bool = true,
    progress: WorkProgress
  ) throws -> EvaluationReference {
    guard tokens >= 2, sentences >= 20 else {
      throw InvalidArgument(
        "amount", found: "\(tokens) tokens, \(sentences) sentences", wanted: "at least 2 tokens and 20 sentences")
    }
    let length = min(contextLength, original.contextLength)
    let measured: EvaluationReference.Measured
    let quality: ModelEvaluation.Quality
    switch original.network {
    case .decoder(let network):
      let evaluator = try DecoderEvaluator(
        text: text, tokenizer: original.tokenizer, contextLength: length, tokens: tokens)
      let reference = try evaluator.reference(of: network, keepsPredictions: keepsPredictions, progress: progress)
      (measured, quality) = (.decoder(reference), .decoder(reference.evaluation))
    case .encoder(let network):
      guard let tokenizer = original.tokenizer as? WordPieceTokenizer else {
        throw InvalidArgument("tokenizer", found: "one of another kind", wanted: "WordPiece, as BERT's encoders have")
      }
      let evaluator = try EncoderEvaluator(
        text: text, tokenizer: tokenizer, maximumLength: min(maximumLength, length), sentences: sentences)
      let reference = try evaluator.reference(of: network, progress: progress)
      (measured, quality) = (.encoder(reference), .encoder(reference.beside))
    }
    return EvaluationReference(measured: measured, alone: ModelEvaluation(original, quality))
  }

  /// Measures a model beside an original that was measured already.
  ///
  /// - Throws: `InvalidArgument` when one is a decoder and the other is not, or for another vocabulary, width or a shorter
  ///   context than the original's; `CancellationError`.
  public func evaluate(
    _ model: TextModel, against reference: EvaluationReference, progress: WorkProgress = .silent
  ) throws -> ModelEvaluation {
    func require(_ what: String, _ found: Int, _ wanted: Int, atLeast: Bool = false) throws {
      guard atLeast ? found >= wanted : found == wanted else {
        throw InvalidArgument("against", found: "\(what) of \(wanted)", wanted: "the model's \(found)")
      }
    }
    let quality: ModelEvaluation.Quality
    switch (model.network, reference.measured) {
    case (.decoder(let network), .decoder(let original)):
      try require("a vocabulary", network.configuration.vocabulary, original.model.configuration.vocabulary)
      try require("a context", model.contextLength, original.evaluator.windows.length, atLeast: true)
      quality = .decoder(try original.evaluator.evaluate(network, against: original, progress: progress))
    case (.encoder(let network), .encoder(let original)):
      try require("a vocabulary", network.configuration.vocabulary, original.vocabulary)
      try require("a width", network.configuration.width, original.vectors.columns)
      try require("a context", model.contextLength, original.evaluator.longest, atLeast: true)
      quality = .encoder(try original.evaluator.evaluate(network, against: original, progress: progress))
    default:
      throw InvalidArgument(
        "against", found: "a network of the other kind", wanted: "a decoder beside a decoder, or an encoder beside one")
    }
    return ModelEvaluation(model, quality).beside(reference.alone)
  }
}

extension ModelEvaluation {
  fileprivate init(_ model: TextModel, _ quality: Quality) {
    self.init(
      model: model.path, quality: quality, parameters: model.parameterCount, bytes: model.sizeInBits / 8,
      operationsPerToken: model.operationsPerToken)
  }

  fileprivate func beside(_ original: ModelEvaluation) -> ModelEvaluation {
    var result = self
    (result.original, result.originalParameters) = (original.model, original.parameters)
    (result.originalBytes, result.originalOperationsPerToken) = (original.bytes, original.operationsPerToken)
    return result
  }
}
