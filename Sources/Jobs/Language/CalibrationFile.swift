public import CatalogueCore
public import Compression
import FileFormats
import Foundation
import Networks
import Tensors

/// Statistics of a network's layers on disk: a safetensors file with sums, and what they are sums of.
///
/// Such a file is whole at any time: a pass that is interrupted leaves what it had, and can be gone on with.
public struct CalibrationFile: Sendable {
  public var calibration: Calibration
  public var record: Record

  /// What the metadata says under `apus.calibration`.
  public struct Record: Codable, Sendable, Hashable {
    /// The Frobenius norm of each layer's weight: of which model these are the statistics.
    public var norms: [String: Double]
    /// The first layer with the same input, by the name of each layer.
    public var inputs: [String: String]
    /// Tokens seen, by the name of the first layer with an input.
    public var tokens: [String: Int]
    /// Examples whose gradients were squared, by layer.
    public var examples: [String: Int]
    /// Which text, how many tokens of it were asked for, and how many batches it is cut into.
    public var text: String
    /// By which the text is known again.
    public var textDigest: UInt64
    public var wantedTokens: Int
    public var batches: Int
    /// Batches that have been seen; of all of them when the pass is complete.
    public var finishedBatches: Int
    public var hasFisher: Bool

    public var isComplete: Bool { finishedBatches == batches }
  }

  public static let key = "apus.calibration"

  public init(_ calibration: Calibration, _ record: Record) {
    self.calibration = calibration
    self.record = record
    self.record.inputs = calibration.inputs
    self.record.tokens = calibration.activations.mapValues(\.tokens)
    self.record.examples = calibration.fisher.mapValues(\.examples)
  }

  // MARK: On disk

  /// Reads a file that `save` wrote.
  ///
  /// - Throws: `FileError` when it is no such file, or when its sums do not fit together.
  public init(contentsOf path: String) throws {
    let checkpoint = try Checkpoint(path)
    guard let text = checkpoint.metadata[Self.key] else {
      throw FileError(.unsuitable, path, "these are no statistics of a network; `apus calibrate` gathers them")
    }
    guard let record = try? JSONDecoder().decode(Record.self, from: Data(text.utf8)) else {
      throw FileError(.malformed, path, "the metadata under '\(Self.key)' is not what Apus writes")
    }
    let counts = [record.wantedTokens, record.batches] + record.tokens.values + record.examples.values
    guard counts.allSatisfy({ 0...1 << 48 ~= $0 }), 0...record.batches ~= record.finishedBatches else {
      throw FileError(.malformed, path, "it counts tokens, examples or batches that cannot be")
    }
    func tensor(_ layer: String, _ part: String) throws -> Tensor<Double> {
      try checkpoint.tensor(named: "\(layer).\(part)", as: Double.self)
    }
    do {
      var activations: [String: ActivationMoments] = [:]
      for (layer, tokens) in record.tokens {
        activations[layer] = try ActivationMoments(
          tokens: tokens, gram: tensor(layer, "gram"), sums: tensor(layer, "sums"),
          absoluteSums: tensor(layer, "absolute-sums"), maxima: tensor(layer, "maxima"),
          largestMeans: tensor(layer, "largest-means"))
      }
      var fisher: [String: FisherMoments] = [:]
      for (layer, examples) in record.examples {
        fisher[layer] = try FisherMoments(examples: examples, squares: tensor(layer, "fisher"))
      }
      let members = Dictionary(grouping: record.inputs.keys) { record.inputs[$0] ?? $0 }
      let groups = members.map { first, layers in [first] + layers.filter { $0 != first }.sorted() }
      self.init(Calibration(groups: groups, activations: activations, fisher: fisher), record)
    } catch let error as InvalidArgument {
      throw FileError(.malformed, path, "its statistics do not fit together: \(error)")
    }
  }

  /// Writes the file, which appears under its name when it is whole.
  public func save(to path: String) throws {
    var tensors: [(name: String, tensor: AnyTensor)] = []
    for (layer, moments) in calibration.activations.sorted(by: { $0.key < $1.key }) {
      tensors += [
        ("\(layer).gram", AnyTensor(moments.gram)), ("\(layer).sums", AnyTensor(moments.sums)),
        ("\(layer).absolute-sums", AnyTensor(moments.absoluteSums)), ("\(layer).maxima", AnyTensor(moments.maxima)),
        ("\(layer).largest-means", AnyTensor(moments.largestMeans)),
      ]
    }
    for (layer, moments) in calibration.fisher.sorted(by: { $0.key < $1.key }) {
      tensors.append(("\(layer).fisher", AnyTensor(moments.squares)))
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let text = String(decoding: try encoder.encode(record), as: UTF8.self)
    try writeSafetensors(tensors, to: path, as: nil, metadata: [Self.key: text])
  }

  // MARK: Of which model

  /// The norms by which a model is known again.
  static func norms(of model: TextModel) -> [String: Double] {
    Dictionary(
      model.linearLayers.map { ($0.name, Tensor<Double>($0.layer.weight).sumOfSquares().scalar.squareRoot()) }
    ) { first, _ in first }
  }

  /// - Throws: `InvalidArgument` when these are the statistics of another model.
  public func requireStatistics(of model: TextModel) throws {
    let norms = Self.norms(of: model)
    for (layer, norm) in record.norms.sorted(by: { $0.key < $1.key }) {
      guard let found = norms[layer] else {
        throw InvalidArgument(
          "calibration", found: "statistics of a model with a layer '\(layer)', which this model has not",
          wanted: "statistics of this model, by `apus calibrate`")
      }
      // Storing weights in half precision changes a norm by less.
      guard abs(found - norm) <= 1e-3 * max(norm, 1e-30) else {
        throw InvalidArgument(
          "calibration", found: "statistics of a model in which '\(layer)' has norm \(norm), and here it has \(found)",
          wanted: "statistics of this model, by `apus calibrate`")
      }
    }
    if let layer = norms.keys.sorted().first(where: { record.norms[$0] == nil }) {
      throw InvalidArgument(
        "calibration", found: "statistics without layer '\(layer)'",
        wanted: "statistics of this model, by `apus calibrate`")
    }
  }
}

extension CalibrationFile {
  /// Takes in the statistics of other data.
  ///
  /// - Throws: `InvalidArgument` when one has gradients and the other has not, or a pass was interrupted.
  public mutating func merge(_ other: CalibrationFile) throws {
    guard record.isComplete, other.record.isComplete, record.hasFisher == other.record.hasFisher else {
      throw InvalidArgument(
        "merge", found: "statistics that are incomplete or of another kind",
        wanted: "complete ones, all with --fisher or all without")
    }
    var calibration = calibration
    try calibration.merge(other.calibration)
    self = CalibrationFile(calibration, record)
    record.text += ", \(other.record.text)"
    record.wantedTokens += other.record.wantedTokens
    record.textDigest = record.textDigest &* 31 &+ other.record.textDigest
    record.batches += other.record.batches
    record.finishedBatches += other.record.finishedBatches
  }

  /// What a person should know before the statistics are used.
  public var warnings: [String] {
    let poor = calibration.activations.filter { $0.value.isUnderdetermined }
    guard let worst = poor.max(by: { $0.value.width < $1.value.width }) else { return [] }
    return [
      "\(poor.count) layers saw fewer tokens than they have inputs, such as \(worst.key): \(worst.value.tokens) for "
        + "\(worst.value.width); methods regularise, but take --tokens \(4 * worst.value.width) or more"
    ]
  }

  public var facts: [Fact] {
    [
      Fact("Text", record.text), Fact("Layers", record.norms.count),
      Fact("Different inputs", calibration.activations.count),
      Fact("Tokens", calibration.fewestTokens ?? 0),
      Fact("Examples with gradients", calibration.fisher.values.map(\.examples).min() ?? 0),
    ]
  }

  public var json: JSONValue {
    [
      "text": .string(record.text), "layers": .integer(record.norms.count),
      "inputs": .integer(calibration.activations.count), "tokens": .integer(calibration.fewestTokens ?? 0),
      "examples": .integer(calibration.fisher.values.map(\.examples).min() ?? 0),
      "warnings": .array(warnings.map { .string($0) }),
    ]
  }
}
