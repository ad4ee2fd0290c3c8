public import CatalogueCore
import Tensors

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
      ("Bytes in a file", "bytes", bytes.rounded(), originalBytes?.rounded()),
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
