public import CatalogueCore
import Tensors

extension Frontier {
  /// What the axes call the damage.
  private var damageName: String { isDecoder ? "nats a token lost" : "1 - mean cosine" }

  private func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }
  func short(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }

  /// The advice in words.
  public var advice: String {
    guard let point = recommendation else {
      let least = points.filter(\.damage.isFinite).min { $0.damage < $1.damage }
      let nearest = least.map {
        "; the least damage, \(short($0.damage)), is done by \($0.method) at \($0.setting)"
      }
      return "No setting stays within \(short(tolerance)) \(damageName)\(nearest ?? ""). Keep more, or accept more."
    }
    return "Take \(point.method) at \(point.setting): \(percent(point.size)) of the size at a cost of "
      + "\(short(point.damage)) \(damageName), the smallest model within \(short(tolerance))."
  }

  public var facts: [Fact] {
    var facts = [Fact("Model", model), Fact("Text", text)]
    switch reference.quality {
    case .decoder(let result):
      facts += [Fact("Loss of the original, nats a token", result.loss), Fact("Tokens measured on", result.tokens)]
    case .encoder(let result):
      facts += [
        Fact("Linear probe of the original", result.probeAccuracy), Fact("Sentences measured on", result.sentences),
      ]
    }
    facts += [
      Fact("Operations of the original's linear layers a token", reference.operationsPerToken),
      Fact("Tokens a second of the original", reference.tokensPerSecond.rounded()), Fact("Recommendation", advice),
    ]
    if let orderingSummary { facts.append(Fact("Order that the papers claim", orderingSummary)) }
    return facts + [Fact("Seconds", (seconds * 10).rounded() / 10)]
  }

  /// All points, best first at each size.
  public var table: Table {
    let measures = isDecoder ? ["loss", "nats lost", "KL", "same token"] : ["cosine", "low cosine", "top 10", "probe"]
    var table = Table(
      "Every method",
      columns: ["method", "setting", "size"] + measures + ["operations", "tokens/s", "seconds", "best"],
      caption:
        "Size: bytes of the whole model over the original's. Operations: of the linear layers for a token, over the "
        + "original's. Best: nothing here is both smaller and nearer.")
    let best = Set(efficient.map { "\($0.method) \($0.setting)" })
    for point in points.sorted(by: { ($0.size, $0.damage) < ($1.size, $1.damage) }) {
      var cells: [any DatumConvertible] = [point.method, point.setting, point.size]
      switch point.evaluation.quality {
      case .decoder(let result):
        cells += [
          result.loss, point.damage, result.comparison?.divergence, result.comparison?.agreement,
        ]
      case .encoder(let result):
        cells += [result.meanCosine, result.lowCosine, result.retrievalOverlap, result.probeAccuracy]
      }
      cells += [
        point.operations / reference.operationsPerToken, point.evaluation.tokensPerSecond.rounded(),
        (point.seconds * 10).rounded() / 10,
        best.contains("\(point.method) \(point.setting)") ? "*" : "",
      ]
      table.add(cells)
    }
    return table
  }

  private var failureTable: Table? {
    guard !failures.isEmpty else { return nil }
    var table = Table("What could not be done", columns: ["method", "setting", "why"])
    for failure in failures { table.add([failure.method, failure.setting, failure.reason]) }
    return table
  }

  private var methodNames: [String] {
    var names: [String] = []
    for point in points where !names.contains(point.method) { names.append(point.method) }
    return names
  }

  /// Damage against size; speed against size; ranks and errors by layer.
  public var plots: [Plot] {
    func series(_ value: (FrontierPoint) -> Double) -> [Series] {
      methodNames.map { name in
        let points = points.filter { $0.method == name }.sorted { $0.size < $1.size }
        return Series(name, x: points.map(\.size), y: points.map(value), .lineAndPoints)
      }
    }
    var plots = [
      Plot(
        "What each size costs",
        caption: "Lower left is better. The dashed line is the damage that the recommendation may do.",
        x: "size / original", y: .logarithmic(damageName), series { max($0.damage, 1e-6) },
        marks: [.horizontal(at: tolerance, "tolerated")]),
      Plot(
        "Speed", caption: "Running on factors, on this machine, while measuring.", x: "size / original",
        y: "tokens a second", series(\.evaluation.tokensPerSecond),
        marks: [.horizontal(at: reference.tokensPerSecond, "original")]),
    ]
    if !isDecoder {
      plots.append(
        Plot(
          "Sentences that stay near", caption: "Of the ten nearest by the original, those among the ten nearest still.",
          x: "size / original", y: "share",
          series { if case .encoder(let result) = $0.evaluation.quality { result.retrievalOverlap } else { .nan } }))
    }
    guard let smallestRatio else { return plots }
    let shown = points.filter { $0.ratio == smallestRatio && !$0.layers.isEmpty }
    func byLayer(_ title: String, _ caption: String, _ y: String, _ value: (ModelCompression.Layer) -> Double) -> Plot {
      Plot(
        "\(title) at \(smallestRatio)", caption: caption, x: "layer", y: Plot.Axis(y),
        shown.map { point in
          let places = point.layers.indices.map { Double($0 + 1) }
          return Series(point.method, x: places, y: point.layers.map(value))
        })
    }
    plots.append(
      byLayer(
        "Output error by layer",
        "Relative, on the inputs that the original network gives the layer; in the order of the network.",
        "relative output error"
      ) { $0.outputError ?? .nan })
    plots.append(
      byLayer("Ranks by layer", "Over the full rank; one where a layer stays as it is.", "rank / full rank") { layer in
        layer.rank.map { Double($0) / Double(layer.shape.min() ?? 1) } ?? 1
      })
    return plots
  }

  /// Ranks (of dictionaries: atoms) and output errors of every layer by every method, at the least ratio.
  private var layersOfAllMethods: Table? {
    guard let smallestRatio else { return nil }
    let shown = points.filter { $0.ratio == smallestRatio && !$0.layers.isEmpty }
    guard let first = shown.first else { return nil }
    var table = Table(
      "Ranks and output errors at \(smallestRatio)",
      columns: ["layer", "shape"] + shown.flatMap { ["\($0.method): rank", "error"] },
      caption:
        "Errors are relative, on the inputs that the original network gives the layer. No rank: it stays as it is.")
    let layers = shown.map { Dictionary($0.layers.map { ($0.name, $0) }) { first, _ in first } }
    for layer in first.layers {
      let found = layers.map { $0[layer.name] }
      table.add(
        [layer.name, Jobs.text(layer.shape)]
          + found.flatMap { [$0?.rank as (any DatumConvertible), $0?.outputError as (any DatumConvertible)] })
    }
    return table
  }

  private func layerTable(of point: FrontierPoint) -> Table {
    var table = Table(
      "Layers of \(point.method) at \(point.setting)",
      columns: ["layer", "shape", "rank", "kept", "weight error", "output error"],
      caption: point.warnings.isEmpty ? "" : "\(point.warnings.count) warnings: \(point.warnings[0]) ...")
    for layer in point.layers {
      table.add([
        layer.name, Jobs.text(layer.shape), layer.rank, Double(layer.keptParameters) / Double(layer.originalParameters),
        layer.weightError, layer.outputError,
      ])
    }
    return table
  }

  public var section: Report.Section {
    var blocks: [Report.Block] = [.facts(facts)] + plots.map { .plot($0) } + [.table(table)]
    blocks += [failureTable, orderingTable, layersOfAllMethods].compactMap { $0.map { .table($0) } }
    if let point = recommendation ?? efficient.last, !point.layers.isEmpty {
      blocks.append(.table(layerTable(of: point)))
    }
    return Report.Section(id: "frontier", title: "Size and quality", blocks: blocks)
  }

  /// What a terminal shows.
  public var summary: Report.Section {
    Report.Section(
      id: "", title: "",
      blocks: [.facts(facts), .table(table)] + [failureTable, notHolding].compactMap { $0.map { .table($0) } })
  }

  public var json: JSONValue {
    [
      "model": .string(model), "text": .string(text), "tolerance": .number(tolerance),
      "reference": reference.json, "advice": .string(advice),
      "recommendation": recommendation.map { ["method": .string($0.method), "setting": .string($0.setting)] } ?? .null,
      "points": .array(
        points.map { point in
          [
            "method": .string(point.method), "setting": .string(point.setting), "size": .number(point.size),
            "damage": .number(point.damage), "operations_per_token": .number(point.operations),
            "seconds": .number(point.seconds), "evaluation": point.evaluation.json,
            "layers": .array(
              point.layers.map { layer in
                [
                  "name": .string(layer.name), "shape": .array(layer.shape.map { .integer($0) }),
                  "rank": layer.rank.map { .integer($0) } ?? .null, "kept_parameters": .integer(layer.keptParameters),
                  "weight_error": .number(layer.weightError),
                  "output_error": layer.outputError.map { .number($0) } ?? .null,
                ]
              }),
          ]
        }),
      "ordering": orderingJSON,
      "failures": .array(
        failures.map {
          ["method": .string($0.method), "setting": .string($0.setting), "reason": .string($0.reason)]
        }),
    ]
  }
}
