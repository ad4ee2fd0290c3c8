public import CatalogueCore
import Compression
import Foundation
import Networks
public import Tensors

/// A model of language with weights, or whole hidden units, set aside.
public struct ModelPruning: Sendable {
  public struct Layer: Sendable {
    public var name: String
    /// Weights, or hidden units.
    public var count: Int
    public var kept: Int
    /// The fidelity of what stayed, where the method knows it.
    public var fidelity: Double?
  }

  public var method: String
  public var sparsity: Double
  public var model: TextModel
  public var layers: [Layer]
  public var seconds: Double
}

/// Prunes the linear layers of a model's groups.
public struct ModelPruningJob: Sendable {
  public static let methods = ["magnitude", "random", "m-fac", "modhifi"]

  public var method: String
  /// The share of weights that go; for modhifi, of the hidden units of feed-forward layers.
  public var sparsity: Double
  public var included: [String] = []
  public var excluded: [String] = []
  /// Tokens of the text that a method looks at.
  public var tokens = 16_384
  public var seed: UInt64 = 1

  public init(method: String, sparsity: Double) { (self.method, self.sparsity) = (method, sparsity) }

  public var needsText: Bool { method == "m-fac" || method == "modhifi" }

  /// - Parameter text: what m-fac takes gradients on, and modhifi evaluates the network on.
  /// - Throws: `UsageError` for an unknown method; `InvalidArgument` for a sparsity outside (0, 1), patterns that match
  ///   nothing, a missing text, or a network that the method cannot prune; `FileError` for one of rounded weights;
  ///   `CancellationError`.
  public func run(
    _ model: TextModel, text: String? = nil, progress: WorkProgress = .silent
  ) throws -> ModelPruning {
    guard Self.methods.contains(method) else {
      throw UsageError(noSuch: "way '\(method)' to prune a model", method, among: Self.methods)
    }
    guard sparsity > 0, sparsity < 1 else {
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "above 0 and below 1")
    }
    guard tokens >= 2 else { throw InvalidArgument("tokens", found: "\(tokens)", wanted: "at least 2") }
    guard !needsText || text != nil else {
      throw InvalidArgument("text", found: "none", wanted: "a text, which '\(method)' looks at")
    }
    try model.requireNumbers()
    let start = ContinuousClock.now
    var result: ModelPruning
    if method == "modhifi" {
      result = try pruneUnits(model, text ?? "", progress)
    } else {
      switch model.network {
      case .decoder(let network): result = try pruneWeights(network, model, text, progress)
      case .encoder(let network): result = try pruneWeights(network, model, text, progress)
      }
    }
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    return result
  }

  private func pruneWeights<Network: TextNetwork>(
    _ network: Network, _ model: TextModel, _ text: String?, _ progress: WorkProgress
  ) throws -> ModelPruning {
    let names = try NamePatterns(included: included, excluded: excluded).layers(
      from: network.linearGroups.flatMap { $0 })
    let weights = Set(names.map { "\($0).weight" })
    func isEligible(_ name: String, _ shape: [Int]) -> Bool { weights.contains(name) }
    var pruned = network
    let report: PruningReport<Float>
    switch method {
    case "magnitude": report = try MagnitudePruner().prune(&pruned, to: sparsity, where: isEligible)
    case "random": report = try RandomPruner(seed: seed).prune(&pruned, to: sparsity, where: isEligible)
    default: report = try bySurgeon(&pruned, model, text ?? "", isEligible, progress)
    }
    var changed = model
    changed.network = pruned.ofText
    return ModelPruning(
      method: method, sparsity: report.sparsity, model: changed,
      layers: report.kept.map { .init(name: $0.name, count: $0.mask.count, kept: $0.mask.trueCount) }, seconds: 0)
  }

  /// By the inverse Fisher matrix, from as many gradients as fit into a gigabyte.
  private func bySurgeon<Network: TextNetwork>(
    _ network: inout Network, _ model: TextModel, _ text: String, _ isEligible: (String, [Int]) -> Bool,
    _ progress: WorkProgress
  ) throws -> PruningReport<Float> {
    let data = try network.calibrationData(text, model, tokens: tokens, maximumLength: 128)
    guard let losses = data.losses else {
      throw InvalidArgument("model", found: "no loss", wanted: "a network with one")
    }
    let fitting = Int(1e9) / (4 * max(network.parameterCount, 1))
    let pruner = MFACPruner(gradientCount: min(64, max(4, fitting)), recomputations: 4)
    return try pruner.prune(&network, to: sparsity, where: isEligible, progress: progress) { network, index in
      try network.valueAndGradient { try losses($0, index % data.count).mean() }.gradient
    }
  }

  /// Whole hidden units of a decoder's feed-forward layers, by how much of the layers' outputs they carry.
  private func pruneUnits(_ model: TextModel, _ text: String, _ progress: WorkProgress) throws -> ModelPruning {
    guard case .decoder(let network) = model.network else {
      throw InvalidArgument(
        "method", found: "modhifi for an encoder", wanted: "magnitude, random or m-fac: modhifi prunes decoders")
    }
    guard included.isEmpty, excluded.isEmpty else {
      throw InvalidArgument(
        "include", found: "patterns", wanted: "none: modhifi keeps as many hidden units in every feed-forward layer")
    }
    let length = network.configuration.contextLength
    let evaluator = try DecoderEvaluator(
      text: text, tokenizer: model.tokenizer, contextLength: length, tokens: tokens)
    let windows = evaluator.windows.consecutive(0..<evaluator.count).inputs
    let result = try ModHiFiPruner(amount: .fraction(sparsity)).prune(network, calibration: windows, progress: progress)
    var changed = model
    changed.network = .decoder(result.model)
    let total = result.layers.reduce(0) { $0 + $1.componentCount }
    return ModelPruning(
      method: method, sparsity: 1 - Double(result.layers.reduce(0) { $0 + $1.keptCount }) / Double(max(total, 1)),
      model: changed,
      layers: result.layers.map {
        .init(name: $0.name, count: $0.componentCount, kept: $0.keptCount, fidelity: $0.fidelity)
      }, seconds: 0)
  }
}

extension ModelPruning {
  public func save(to path: String, replacing original: String) throws {
    try model.save(to: path, replacing: original, metadata: ["apus.method": method, "apus.sparsity": "\(sparsity)"])
  }

  public var section: Report.Section {
    let units = method == "modhifi" ? "hidden units" : "weights"
    var table = Table("Layers", columns: ["layer", units, "kept", "share"] + (method == "modhifi" ? ["fidelity"] : []))
    for layer in layers {
      var cells: [any DatumConvertible] = [
        layer.name, layer.count, layer.kept, Double(layer.kept) / Double(max(layer.count, 1)),
      ]
      if method == "modhifi" { cells.append(layer.fidelity) }
      table.add(cells)
    }
    let plot = Plot(
      "What stays", caption: "In the order of the network.", x: "layer", y: Plot.Axis("share of \(units) kept"),
      [Series("", layers.map { Double($0.kept) / Double(max($0.count, 1)) }, .bars)])
    return Report.Section(
      id: "prune-\(method)", title: "Pruned by \(method)",
      blocks: [
        .facts([
          Fact("Method", method), Fact("Share of the \(units) gone", sparsity),
          Fact("Parameters of the model", model.parameterCount), Fact("Seconds", (seconds * 100).rounded() / 100),
        ]), .plot(plot), .table(table),
      ])
  }

  public var json: JSONValue {
    [
      "method": .string(method), "sparsity": .number(sparsity), "parameters": .integer(model.parameterCount),
      "seconds": .number(seconds),
      "layers": .array(
        layers.map { layer in
          [
            "name": .string(layer.name), "count": .integer(layer.count), "kept": .integer(layer.kept),
            "fidelity": layer.fidelity.map { .number($0) } ?? .null,
          ]
        }),
    ]
  }
}
