public import Networks
public import Tensors

/// What a method must be told of the data.
public struct CalibrationNeeds: OptionSet, Sendable, Hashable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Moments of the inputs.
  public static let activations = CalibrationNeeds(rawValue: 1)
  /// Squared gradients of a loss.
  public static let fisher = CalibrationNeeds(rawValue: 2)
  /// The data itself: the method evaluates the network while it changes it.
  public static let data = CalibrationNeeds(rawValue: 4)
}

/// What a method made of a layer's weight.
public struct CompressedLayer: Sendable {
  /// What takes the weight's place; nothing when the layer is better left as it is.
  public var form: LinearForm<Float>?
  /// What the method has to say of it, by name, in order: errors, conditions, choices.
  public var figures: [(name: String, value: Double)]
  /// What a person should know: damping, too few tokens.
  public var warnings: [String]

  public init(form: LinearForm<Float>?, figures: [(name: String, value: Double)] = [], warnings: [String] = []) {
    (self.form, self.figures, self.warnings) = (form, figures, warnings)
  }

  public subscript(figure name: String) -> Double? { figures.first { $0.name == name }?.value }
}

/// A method that compresses one linear layer at a time, from its weight and what is known of its data.
public protocol LayerCompressor: NetworkCompressor {
  /// - Parameters:
  ///   - weight: shape [outputs, inputs].
  ///   - calibration: what `needs` asks for.
  ///   - fraction: of the layer's numbers, in (0, 1], to keep at most.
  /// - Throws: `InvalidArgument` when the calibration is missing or of another layer, or the fraction cannot be reached.
  func compress(
    weight: Tensor<Float>, calibration: LayerCalibration?, keeping fraction: Double
  ) throws -> CompressedLayer
}

/// A network whose linear layers a method compressed.
public struct NetworkCompression<Model: Module<Float>>: Sendable {
  public struct Layer: Sendable {
    public var name: String
    /// [outputs, inputs].
    public var shape: [Int]
    public var result: CompressedLayer

    public var originalParameters: Int { shape.reduce(1, *) }
    public var keptParameters: Int { result.form?.parameterCount ?? originalParameters }
  }

  /// The network, running on its compressed layers.
  public var model: Model
  /// The layers that the method worked on, in the order of the network.
  public var layers: [Layer]

  public init(model: Model, layers: [Layer]) { (self.model, self.layers) = (model, layers) }

  /// Of the numbers in the layers that the method worked on.
  public var keptFraction: Double {
    let original = layers.reduce(0) { $0 + $1.originalParameters }
    return original == 0 ? 1 : Double(layers.reduce(0) { $0 + $1.keptParameters }) / Double(original)
  }
}

/// A method that compresses the linear layers of a network: the one interface of all of them.
///
/// ```swift
/// let calibration = try method.calibration(of: model, on: data)
/// let small = try method.compress(model, keeping: 0.5, calibration: calibration, data: data)
/// small.model(tokens)                                             // runs on factors
/// ```
public protocol NetworkCompressor: Sendable {
  /// What `compress` must be given.
  var needs: CalibrationNeeds { get }

  /// - Parameters:
  ///   - fraction: of the numbers in the chosen layers, in (0, 1], to keep at most.
  ///   - calibration: statistics of the model as it is; needed when `needs` says so.
  ///   - data: needed when `needs` contains `.data`.
  ///   - isIncluded: which layers of the model's groups, by name.
  /// - Throws: `InvalidArgument` with the name of the layer where it went wrong; `CancellationError`.
  func compress<Model: SequentialLinearGroups<Float>>(
    _ model: Model, keeping fraction: Double, calibration: Calibration?, data: CalibrationData<Model>?,
    where isIncluded: (String) -> Bool, progress: WorkProgress
  ) throws -> NetworkCompression<Model>
}

extension NetworkCompressor {
  /// The statistics that this method needs, gathered from the data.
  public func calibration<Model: SequentialLinearGroups<Float>>(
    of model: Model, on data: CalibrationData<Model>, where isIncluded: (String) -> Bool = { _ in true },
    progress: WorkProgress = .silent
  ) throws -> Calibration {
    let groups = try chosenGroups(of: model, where: isIncluded)
    var result = Calibration(groups: groups)
    if needs.contains(.activations) {
      try result.merge(Calibration.activations(of: model, groups: groups, on: data, progress: progress))
    }
    if needs.contains(.fisher) {
      try result.merge(Calibration.fisher(of: model, layers: groups.flatMap { $0 }, on: data, progress: progress))
    }
    return result
  }

  /// Compresses all layers of the model's groups, gathering from `data` what the method needs.
  public func compress<Model: SequentialLinearGroups<Float>>(
    _ model: Model, keeping fraction: Double, data: CalibrationData<Model>? = nil, progress: WorkProgress = .silent
  ) throws -> NetworkCompression<Model> {
    let statistics = try data.map { try self.calibration(of: model, on: $0, progress: progress) }
    return try compress(
      model, keeping: fraction, calibration: statistics, data: data, where: { _ in true }, progress: progress)
  }
}

extension LayerCompressor {
  /// Layer by layer, each at the same fraction.
  public func compress<Model: SequentialLinearGroups<Float>>(
    _ model: Model, keeping fraction: Double, calibration: Calibration?, data: CalibrationData<Model>?,
    where isIncluded: (String) -> Bool, progress: WorkProgress
  ) throws -> NetworkCompression<Model> {
    let names = try chosenGroups(of: model, where: isIncluded).flatMap { $0 }
    let layers = Dictionary(uniqueKeysWithValues: model.linearLayers)
    let chosen = names.compactMap { name in layers[name].map { (name: name, layer: $0) } }
    var results: [NetworkCompression<Model>.Layer] = []
    // A layer for each thread: decompositions keep one busy, not all.
    let together = threadCount
    for first in stride(from: 0, to: chosen.count, by: together) {
      try progress.report(first, of: chosen.count, chosen[first].name)
      results += try parallelMap(min(together, chosen.count - first)) { i in
        let (name, layer) = chosen[first + i]
        let result = try naming(name) {
          try compress(weight: layer.weight, calibration: calibration?[name], keeping: fraction)
        }
        return .init(name: name, shape: layer.form.shape, result: result)
      }
    }
    try progress.report(chosen.count, of: chosen.count)
    return NetworkCompression(model: model.installing(results.map { ($0.name, $0.result.form) }), layers: results)
  }
}

extension Module<Float> {
  /// This module with other forms of the named layers; those without a form stay as they are.
  public func installing(_ forms: [(name: String, form: LinearForm<Float>?)]) -> Self {
    let forms = Dictionary(forms.map { ($0.name, $0.form) }) { first, _ in first }
    var result = self
    result.forEachLinear { name, layer in
      if let form = forms[name] ?? nil { layer.form = form }
    }
    return result
  }
}

/// The groups of a model without the layers that are not included.
func chosenGroups<Model: SequentialLinearGroups<Float>>(
  of model: Model, where isIncluded: (String) -> Bool
) throws -> [[String]] {
  let groups = model.linearGroups.map { $0.filter(isIncluded) }.filter { !$0.isEmpty }
  guard !groups.isEmpty else {
    let names = model.linearGroups.joined().prefix(3).map { "'\($0)'" }.joined(separator: ", ")
    throw InvalidArgument("layers", found: "none", wanted: "some of the model's layers, such as \(names)")
  }
  return groups
}

/// The largest rank at which factors of a matrix hold at most `fraction` of its numbers, and at least one; nothing when
/// they would be no smaller than the matrix.
///
/// - Throws: `InvalidArgument` unless the fraction is in (0, 1].
public func lowRank(keeping fraction: Double, of shape: [Int]) throws -> Int? {
  guard fraction > 0, fraction <= 1 else {
    throw InvalidArgument("fraction", found: "\(fraction)", wanted: "in (0, 1]")
  }
  let numbers = Double(shape[0] * shape[1])
  let each = Double(shape[0] + shape[1])
  let rank = max(1, Int((fraction * numbers / each).rounded(.down)))
  return Double(rank) * each < numbers ? rank : nil
}
