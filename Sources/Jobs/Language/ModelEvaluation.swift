public import CatalogueCore
import Foundation
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
    guard tokens >= 2, sentences >= 20 else {
      throw InvalidArgument(
        "amount", found: "\(tokens) tokens, \(sentences) sentences", wanted: "at least 2 tokens and 20 sentences")
    }
    let quality: ModelEvaluation.Quality
    switch (model.network, original?.network) {
    case (.decoder(let decoder), nil), (.decoder(let decoder), .decoder):
      let evaluator = try DecoderEvaluator(
        text: text, tokenizer: model.tokenizer, contextLength: model.contextLength, tokens: tokens)
      var reference = decoder
      if case .decoder(let network) = original?.network { reference = network }
      guard reference.configuration.vocabulary == decoder.configuration.vocabulary else {
        throw InvalidArgument(
          "against", found: "a vocabulary of \(reference.configuration.vocabulary)",
          wanted: "the model's \(decoder.configuration.vocabulary)")
      }
      quality = .decoder(
        try evaluator.evaluate(decoder, against: original == nil ? nil : reference, progress: progress))
    case (.encoder, nil), (.encoder, .encoder):
      let data = try LabelledSentences(of: text, count: sentences)
      quality = .encoder(try compareEncoders(model, original ?? model, data, progress))
    default:
      throw InvalidArgument(
        "against", found: "a network of the other kind", wanted: "a decoder beside a decoder, or an encoder beside one")
    }
    return ModelEvaluation(
      model: model.path, original: original?.path, quality: quality, parameters: model.parameterCount,
      originalParameters: original?.parameterCount, operationsPerToken: model.operationsPerToken,
      originalOperationsPerToken: original?.operationsPerToken)
  }

  private func compareEncoders(
    _ model: TextModel, _ original: TextModel, _ data: LabelledSentences, _ progress: WorkProgress
  ) throws -> EncoderEvaluation {
    guard var embedder = model.embedder, var reference = original.embedder else {
      throw InvalidArgument("tokenizer", found: "one of another kind", wanted: "WordPiece, as BERT's encoders have")
    }
    embedder.tokenizer.maximumLength = min(maximumLength, model.contextLength)
    reference.tokenizer.maximumLength = min(maximumLength, original.contextLength)
    let tokens = Double(data.sentences.reduce(0) { $0 + embedder.tokenizer.encode($1).count })
    var (seconds, originalSeconds) = (0.0, 0.0)
    let vectors = try timed(&seconds) { try embedder.embed(data.sentences, progress: progress.part(0, of: 2)) }
    let wanted = try timed(&originalSeconds) { try reference.embed(data.sentences, progress: progress.part(1, of: 2)) }
    var result = try EncoderEvaluation(vectors, wanted, of: data)
    result.tokensPerSecond = tokens / seconds
    result.originalTokensPerSecond = tokens / originalSeconds
    return result
  }
}

extension ModelEvaluation {
  /// Name, value, and the original's value where there is one.
  private var lines: [(name: String, key: String, value: Double, original: Double?)] {
    var lines: [(name: String, key: String, value: Double, original: Double?)] = []
    switch quality {
    case .decoder(let result):
      let other = result.comparison
      lines = [
        ("Loss, nats a token", "loss", result.loss, other?.originalLoss),
        ("Perplexity", "perplexity", result.perplexity, other.map { Double.exp($0.originalLoss) }),
        ("Bits a byte of text", "bits_per_byte", result.bitsPerByte, nil),
      ]
      if let other {
        lines += [
          ("KL divergence from the original, nats", "divergence", other.divergence, 0),
          ("Same likeliest token", "agreement", other.agreement, 1),
        ]
      }
      lines.append(("Tokens a second", "tokens_per_second", result.tokensPerSecond, other?.originalTokensPerSecond))
    case .encoder(let result):
      if original != nil {
        lines = [
          ("Mean cosine to the original", "mean_cosine", result.meanCosine, 1),
          ("Cosine that 5 % fall below", "low_cosine", result.lowCosine, 1),
          ("Shared among the ten nearest sentences", "retrieval_overlap", result.retrievalOverlap, 1),
        ]
      }
      lines += [
        (
          "Linear probe: \(result.probeMeaning)", "probe_accuracy", result.probeAccuracy,
          original == nil ? nil : result.originalProbeAccuracy
        ),
        (
          "Tokens a second", "tokens_per_second", result.tokensPerSecond,
          original == nil ? nil : result.originalTokensPerSecond
        ),
      ]
    }
    lines += [
      ("Parameters", "parameters", Double(parameters), originalParameters.map(Double.init)),
      ("Operations of linear layers a token", "operations_per_token", operationsPerToken, originalOperationsPerToken),
    ]
    return lines
  }

  public var table: Table {
    let hasOriginal = original != nil
    var table = Table(
      "Measured", columns: ["", "model"] + (hasOriginal ? ["original", "ratio"] : []),
      caption: hasOriginal ? "The model beside the one it was made from." : "")
    for line in lines {
      var cells: [any DatumConvertible] = [line.name, line.value]
      if hasOriginal {
        let ratio: Double? = line.original.flatMap { $0 == 0 ? nil : line.value / $0 }
        cells += [line.original, ratio]
      }
      table.add(cells)
    }
    return table
  }

  public var section: Report.Section {
    var facts = [Fact("Model", model)]
    if let original { facts.append(Fact("Original", original)) }
    switch quality {
    case .decoder(let result): facts.append(Fact("Tokens of text", result.tokens))
    case .encoder(let result): facts.append(Fact("Sentences", result.sentences))
    }
    return Report.Section(id: "evaluation", title: "Evaluation", blocks: [.facts(facts), .table(table)])
  }

  public var json: JSONValue {
    func members(_ value: (Double, Double?) -> Double?) -> [JSONValue.Member] {
      lines.compactMap { line in value(line.value, line.original).map { .init(line.key, .number($0)) } }
    }
    var object: [JSONValue.Member] = [.init("model", .string(model))]
    object += members { value, _ in value }
    if let original {
      object.append(.init("original", .object([.init("model", .string(original))] + members { $1 })))
    }
    return .object(object)
  }
}
