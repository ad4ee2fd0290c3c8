public import CatalogueCore
import Compression
import FileFormats
import Foundation
import Networks
public import Tensors

/// A network whose layers a method made smaller, and what it did to each.
public struct ModelCompression: Sendable {
  public struct Layer: Sendable {
    public var name: String
    /// [outputs, inputs].
    public var shape: [Int]
    /// The rank of its factors or the number of its atoms; nothing for one that stayed as it was.
    public var rank: Int?
    public var originalParameters: Int
    public var keptParameters: Int
    /// ‖W' - W‖ / ‖W‖ in the Frobenius norm.
    public var weightError: Double
    /// (E‖(W' - W) x‖² / E‖W x‖²)^½ over the calibration's inputs x of the original model.
    public var outputError: Double?
    /// What the method has to say of it.
    public var figures: [(name: String, value: Double)]
    public var warnings: [String]
  }

  public var method: String
  public var ratio: Double
  /// Runs on its factors.
  public var model: TextModel
  public var layers: [Layer]
  public var seconds: Double
  /// Of the numbers of the layers that were worked on; a factor that layers share counts once.
  public var keptFraction: Double
  public var warnings: [String] { layers.flatMap { layer in layer.warnings.map { "\(layer.name): \($0)" } } }
}

/// Compresses the linear layers of a model of language by one of ``NetworkMethods``.
public struct ModelCompressionJob: Sendable {
  public var method: String
  /// Of the numbers of each layer that are kept.
  public var ratio: Double
  /// Which layers: names with * and ?, of layers or of their weights. All in the network's groups unless given.
  public var included: [String] = []
  public var excluded: [String] = []

  public init(method: String, ratio: Double, included: [String] = [], excluded: [String] = []) {
    (self.method, self.ratio, self.included, self.excluded) = (method, ratio, included, excluded)
  }

  /// Whether the method wants a text and not its statistics alone: it follows the errors that add up through the layers.
  public var needsText: Bool {
    get throws { try NetworkMethods.compressor(method).needs.contains(.data) }
  }

  /// What `CalibrationJob` must gather for the method; nothing for one that looks at weights only.
  public var calibration: CalibrationJob? {
    get throws {
      let needs = try NetworkMethods.compressor(method).needs
      guard needs.contains(.activations) || needs.contains(.fisher) else { return nil }
      return CalibrationJob(includesFisher: needs.contains(.fisher))
    }
  }

  /// - Parameters:
  ///   - calibration: statistics of this model, where the method needs them.
  ///   - text: what to send through the network, where the method needs that, and how many tokens of it.
  /// - Throws: `InvalidArgument` for a ratio outside (0, 1), patterns that match nothing, statistics of another model or
  ///   without what the method needs, or a missing text; `CancellationError`.
  public func run(
    _ model: TextModel, calibration: CalibrationFile? = nil, text: String? = nil, tokens: Int = 16_384,
    progress: WorkProgress = .silent
  ) throws -> ModelCompression {
    guard ratio > 0, ratio < 1 else {
      throw InvalidArgument("ratio", found: "\(ratio)", wanted: "a fraction above 0 and below 1")
    }
    return try compress(
      model, by: NetworkMethods.compressor(method), calibration: calibration, text: text, tokens: tokens,
      progress: progress)
  }

  /// The same by a compressor that is given.
  func compress(
    _ model: TextModel, by compressor: any NetworkCompressor, calibration: CalibrationFile?, text: String? = nil,
    tokens: Int = 16_384, progress: WorkProgress
  ) throws -> ModelCompression {
    try requireStatistics(for: compressor, of: model, calibration)
    let start = ContinuousClock.now
    func compress(_ network: some TextNetwork) throws -> ModelCompression {
      try self.compress(network, by: compressor, model, calibration, text, tokens, progress)
    }
    var result =
      switch model.network {
      case .decoder(let network): try compress(network)
      case .encoder(let network): try compress(network)
      }
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    return result
  }

  private func requireStatistics(
    for compressor: any NetworkCompressor, of model: TextModel, _ calibration: CalibrationFile?
  ) throws {
    try calibration?.requireStatistics(of: model)
    guard calibration?.record.isComplete != false else {
      throw InvalidArgument(
        "calibration", found: "a pass that was interrupted", wanted: "a complete one: run `apus calibrate` again")
    }
    if compressor.needs.contains(.activations), calibration?.calibration.activations.isEmpty != false {
      throw InvalidArgument("calibration", found: "no statistics of activations", wanted: "a text, or STATS of one")
    }
    if compressor.needs.contains(.fisher), calibration?.calibration.fisher.isEmpty != false {
      throw InvalidArgument(
        "calibration", found: "no squared gradients", wanted: "statistics by `apus calibrate --fisher`")
    }
  }

  private func compress<Network: TextNetwork>(
    _ network: Network, by compressor: any NetworkCompressor, _ model: TextModel, _ calibration: CalibrationFile?,
    _ text: String?, _ tokens: Int, _ progress: WorkProgress
  ) throws -> ModelCompression {
    guard tokens >= 2 else { throw InvalidArgument("tokens", found: "\(tokens)", wanted: "at least 2") }
    var data: CalibrationData<Network>?
    if compressor.needs.contains(.data) {
      guard let text else {
        throw InvalidArgument("text", found: "none", wanted: "a text, which '\(method)' sends through the network")
      }
      data = try network.calibrationData(text, model, tokens: tokens, maximumLength: 128)
    }
    let names = try LayerPatterns(included: included, excluded: excluded).select(
      from: network.linearGroups.flatMap { $0 })
    let result = try compressor.compress(
      network, keeping: ratio, calibration: calibration?.calibration, data: data, where: names.contains,
      progress: progress)
    let weights = Dictionary(network.linearLayers.map { ($0.name, $0.layer.weight) }) { first, _ in first }
    var changed = model
    changed.network = result.model.ofText
    return ModelCompression(
      method: method, ratio: ratio, model: changed,
      layers: result.layers.map { layer in
        ModelCompression.Layer(layer, weights[layer.name], calibration?.calibration[layer.name]?.activations)
      }, seconds: 0, keptFraction: model.keptFraction(after: changed, of: result.layers.map(\.name)))
  }
}

extension TextModel {
  /// The numbers of some layers in what was made of this model, over those that they have in it.
  fileprivate func keptFraction(after changed: TextModel, of names: [String]) -> Double {
    let layers = Dictionary(linearLayers.map { ($0.name, $0.layer) }) { first, _ in first }
    let original = names.reduce(0) { $0 + (layers[$1]?.form.parameterCount ?? 0) }
    // Everything else is the same in both.
    return original == 0 ? 1 : 1 - Double(parameterCount - changed.parameterCount) / Double(original)
  }
}

extension ModelCompression.Layer {
  init<Model: Module<Float>>(
    _ layer: NetworkCompression<Model>.Layer, _ weight: Tensor<Float>?, _ moments: ActivationMoments?
  ) {
    self.init(
      name: layer.name, shape: layer.shape, rank: layer.result.form?.rank, originalParameters: layer.originalParameters,
      keptParameters: layer.keptParameters, weightError: 0, outputError: moments == nil ? nil : 0,
      figures: layer.result.figures, warnings: layer.result.warnings)
    guard let weight, let form = layer.result.form else { return }
    let original = Tensor<Double>(weight)
    let difference = Tensor<Double>(form.dense) - original
    weightError =
      (difference.sumOfSquares().scalar
      / max(original.sumOfSquares().scalar, .leastNormalMagnitude)).squareRoot()
    if let moments {
      let lost = (difference.matmul(moments.gram) * difference).sum().scalar
      let total = (original.matmul(moments.gram) * original).sum().scalar
      outputError = (max(lost, 0) / max(total, .leastNormalMagnitude)).squareRoot()
    }
    if let moments, moments.isUnderdetermined {
      warnings.append("\(moments.tokens) tokens for \(moments.width) inputs; take at least \(4 * moments.width)")
    }
  }
}

/// Layers by name, with * and ? as in a shell.
struct LayerPatterns {
  var included: [String]
  var excluded: [String]

  /// - Throws: `InvalidArgument` when a pattern matches nothing or nothing is left.
  func select(from names: [String]) throws -> Set<String> {
    for (option, patterns) in [("include", included), ("exclude", excluded)] {
      for pattern in patterns where !names.contains(where: { Self.matches($0, pattern) }) {
        let shown = names.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        throw InvalidArgument(
          option, found: "'\(pattern)', which matches no linear layer", wanted: "a pattern for names such as \(shown)")
      }
    }
    let chosen = names.filter { name in
      (included.isEmpty || included.contains { Self.matches(name, $0) })
        && !excluded.contains { Self.matches(name, $0) }
    }
    guard !chosen.isEmpty else {
      throw InvalidArgument("include", found: "no layer that is left", wanted: "patterns that leave a layer")
    }
    return Set(chosen)
  }

  /// A pattern may be meant for the layer or for its weight.
  private static func matches(_ name: String, _ pattern: String) -> Bool {
    shellMatches(name, pattern) || shellMatches("\(name).weight", pattern)
  }
}

extension ModelCompression {
  /// Writes the model, in factors or multiplied out, in the type that most of the original's numbers have.
  ///
  /// - Throws: `InvalidArgument` when that is the original itself; `FileError`.
  public func save(to path: String, replacing original: String, isDense: Bool = false) throws {
    try model.save(
      to: path, replacing: original, isDense: isDense,
      metadata: ["apus.method": method, "apus.budget": "keeping \(ratio)"])
  }

  /// The figures that some layer has, in the order in which they were met.
  private var figureNames: [String] {
    var names: [String] = []
    for layer in layers { for figure in layer.figures where !names.contains(figure.name) { names.append(figure.name) } }
    return names
  }

  public var table: Table {
    let names = figureNames
    var table = Table(
      "Layers", columns: ["layer", "shape", "rank", "kept", "weight error", "output error"] + names,
      caption: "Output errors are relative, on the inputs that the original network gives the layer.")
    for layer in layers {
      var cells: [any DatumConvertible] = [
        layer.name, text(layer.shape), layer.rank, Double(layer.keptParameters) / Double(layer.originalParameters),
        layer.weightError, layer.outputError,
      ]
      for name in names { cells.append(layer.figures.first { $0.name == name }?.value) }
      table.add(cells)
    }
    return table
  }

  public var section: Report.Section {
    let places = layers.indices.map { Double($0 + 1) }
    return Report.Section(
      id: "compress-\(method)", title: "Compressed by \(method)",
      blocks: [
        .facts([
          Fact("Method", method), Fact("Layers worked on", layers.count),
          Fact("Numbers of these layers kept", keptFraction), Fact("Parameters of the model", model.parameterCount),
          Fact("Warnings", warnings.count), Fact("Seconds", (seconds * 100).rounded() / 100),
        ]),
        .plot(
          Plot(
            "Errors by layer", caption: "In the order of the network.", x: "layer", y: "relative error",
            [
              Series("weights", x: places, y: layers.map(\.weightError), .lineAndPoints),
              Series("outputs", x: places, y: layers.map { $0.outputError ?? .nan }, .lineAndPoints),
            ])),
        .table(table),
      ])
  }

  public var json: JSONValue {
    [
      "method": .string(method), "ratio": .number(ratio), "kept_fraction": .number(keptFraction),
      "parameters": .integer(model.parameterCount), "seconds": .number(seconds),
      "warnings": .array(warnings.map { .string($0) }),
      "layers": .array(
        layers.map { layer in
          .object(
            [
              .init("name", .string(layer.name)), .init("shape", .array(layer.shape.map { .integer($0) })),
              .init("rank", layer.rank.map { .integer($0) } ?? .null),
              .init("original_parameters", .integer(layer.originalParameters)),
              .init("kept_parameters", .integer(layer.keptParameters)),
              .init("weight_error", .number(layer.weightError)),
              .init("output_error", layer.outputError.map { .number($0) } ?? .null),
              .init("figures", .object(layer.figures.map { .init($0.name, .number($0.value)) })),
            ])
        }),
    ]
  }
}
