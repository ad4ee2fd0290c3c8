import Compression
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
  /// - Throws: `InvalidArgument` for a ratio outside (0, 1) or below what rank one takes, patterns that match nothing,
  ///   statistics of another model or without what the method needs, or a missing text; `FileError` for a model of rounded
  ///   weights; `CancellationError`.
  public func run(
    _ model: TextModel, calibration: CalibrationFile? = nil, text: String? = nil, tokens: Int = 16_384,
    progress: WorkProgress = .silent
  ) throws -> ModelCompression {
    guard ratio > 0, ratio < 1 else {
      throw InvalidArgument("ratio", found: "\(ratio)", wanted: "a fraction above 0 and below 1")
    }
    let compressor = try NetworkMethods.compressor(method)
    var ground = try CompressionGround(model, calibration, layers: layers(of: model))
    if compressor.needs.contains(.data) {
      guard let text else {
        throw InvalidArgument("text", found: "none", wanted: "a text, which '\(method)' sends through the network")
      }
      ground.data = try model.calibrationData(text, tokens: tokens)
    }
    return try run(on: ground, by: compressor, progress: progress)
  }

  private func layers(of model: TextModel) throws -> Set<String> {
    try NamePatterns(included: included, excluded: excluded).layers(from: model.network.groups.flatMap { $0 })
  }

  /// The same by a compressor that is given, on what other compressions have in common with this one.
  func run(
    on ground: CompressionGround, by compressor: any NetworkCompressor, progress: WorkProgress
  ) throws -> ModelCompression {
    try ground.requireStatistics(for: compressor)
    try ground.requireRoom(for: method, keeping: ratio)
    let start = ContinuousClock.now
    func compress(_ network: some TextNetwork) throws -> ModelCompression {
      try self.compress(network, by: compressor, ground, progress)
    }
    var result =
      switch ground.model.network {
      case .decoder(let network): try compress(network)
      case .encoder(let network): try compress(network)
      }
    result.seconds = (ContinuousClock.now - start) / .seconds(1)
    return result
  }

  private func compress<Network: TextNetwork>(
    _ network: Network, by compressor: any NetworkCompressor, _ ground: CompressionGround, _ progress: WorkProgress
  ) throws -> ModelCompression {
    let result = try compressor.compress(
      network, keeping: ratio, calibration: ground.calibration?.calibration,
      data: ground.data.flatMap(Network.own), where: { ground.layers[$0] != nil }, progress: progress)
    var changed = ground.model
    changed.network = result.model.ofText
    return ModelCompression(
      method: method, ratio: ratio, model: changed, layers: result.layers.map { .init($0, ground) }, seconds: 0,
      keptFraction: ground.keptFraction(after: changed, of: result.layers.map(\.name)))
  }
}

/// What all compressions of one model have in common, computed once: its layers and what they put out, statistics that are
/// known to be its own, and the text as tokens.
struct CompressionGround: Sendable {
  struct Layer: Sendable {
    var weight: Tensor<Float>
    /// Σ w².
    var squaredNorm: Double
    /// E ‖W x‖², where inputs are known.
    var meanSquaredOutput: Double?
    var moments: ActivationMoments?
    /// As the layer is stored.
    var storedParameters: Int
  }

  let model: TextModel
  let calibration: CalibrationFile?
  /// Those that are worked on, by name.
  let layers: [String: Layer]
  /// What a method that evaluates the network sends through it.
  var data: TextCalibrationData?

  /// - Throws: `FileError` for a model of rounded weights; `InvalidArgument` for statistics of another model, or of a
  ///   pass that was interrupted.
  init(_ model: TextModel, _ calibration: CalibrationFile?, layers names: Set<String>) throws {
    try model.requireNumbers()
    try calibration?.requireStatistics(of: model)
    guard calibration?.record.isComplete != false else {
      throw InvalidArgument(
        "calibration", found: "a pass that was interrupted", wanted: "a complete one: run `apus calibrate` again")
    }
    var layers: [String: Layer] = [:]
    for (name, layer) in model.linearLayers where names.contains(name) {
      let weight = layer.weight
      let exact = Tensor<Double>(weight)
      let moments = calibration?.calibration[name]?.activations
      layers[name] = Layer(
        weight: weight, squaredNorm: exact.sumOfSquares().scalar,
        meanSquaredOutput: moments.map { $0.meanSquaredOutput(of: exact) }, moments: moments,
        storedParameters: layer.form.parameterCount)
    }
    (self.model, self.calibration, self.layers) = (model, calibration, layers)
  }

  func requireStatistics(for compressor: any NetworkCompressor) throws {
    if compressor.needs.contains(.activations), calibration?.calibration.activations.isEmpty != false {
      throw InvalidArgument("calibration", found: "no statistics of activations", wanted: "a text, or STATS of one")
    }
    if compressor.needs.contains(.fisher), calibration?.calibration.fisher.isEmpty != false {
      throw InvalidArgument(
        "calibration", found: "no squared gradients", wanted: "statistics by `apus calibrate --fisher`")
    }
  }

  /// - Throws: `InvalidArgument` for a share that factors of rank one exceed in all layers together.
  func requireRoom(for method: String, keeping ratio: Double) throws {
    // Layers that share a factor need less; dictionaries say themselves what they need.
    guard NetworkMethods.ids.contains(method), method != "concat-svd", method != "cospadi" else { return }
    let shapes = layers.values.map(\.weight.shape)
    let least =
      Double(shapes.reduce(0) { $0 + $1[0] + $1[1] }) / Double(max(1, shapes.reduce(0) { $0 + $1[0] * $1[1] }))
    guard ratio < least else { return }
    throw InvalidArgument(
      "ratio", found: "\(ratio)", wanted: "at least \((least * 10_000).rounded(.up) / 10_000), which rank one takes")
  }

  /// The numbers of some layers in what was made of the model, over those that they have in it.
  func keptFraction(after changed: TextModel, of names: [String]) -> Double {
    let original = names.reduce(0) { $0 + (layers[$1]?.storedParameters ?? 0) }
    // Everything else is the same in both.
    return original == 0 ? 1 : 1 - Double(model.parameterCount - changed.parameterCount) / Double(original)
  }
}

extension ModelCompression.Layer {
  init<Model: Module<Float>>(_ layer: NetworkCompression<Model>.Layer, _ ground: CompressionGround) {
    let original = ground.layers[layer.name]
    let moments = original?.moments
    self.init(
      name: layer.name, shape: layer.shape, rank: layer.result.form?.rank, originalParameters: layer.originalParameters,
      keptParameters: layer.keptParameters, weightError: 0, outputError: moments == nil ? nil : 0,
      figures: layer.result.figures, warnings: layer.result.warnings)
    if let original, let form = layer.result.form {
      func relative(_ lost: Double, _ total: Double) -> Double {
        (max(lost, 0) / max(total, .leastNormalMagnitude)).squareRoot()
      }
      let difference = Tensor<Double>(form.dense) - Tensor<Double>(original.weight)
      weightError = relative(difference.sumOfSquares().scalar, original.squaredNorm)
      if let moments, let total = original.meanSquaredOutput {
        outputError = relative(moments.meanSquaredOutput(of: difference), total)
      }
    }
    if let moments, moments.isUnderdetermined {
      // A method that minds says so itself, and what it did; how many would do is said here.
      let few = "\(moments.tokens) tokens for \(moments.width) inputs"
      let said = warnings.first { $0.hasPrefix(few) && $0.hasSuffix("damped") } ?? few
      warnings.removeAll { $0.hasPrefix(few) }
      warnings.append("\(said); take at least \(4 * moments.width)")
    }
  }
}
