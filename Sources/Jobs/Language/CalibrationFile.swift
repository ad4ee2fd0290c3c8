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
    /// The pass that the statistics were gathered in, and those that were merged into it.
    public var pass: Pass
    public var mergedPasses: [Pass]
    /// Batches of the pass that have been seen; of all of them when it is complete.
    public var finishedBatches: Int

    public var passes: [Pass] { [pass] + mergedPasses }
    public var isComplete: Bool { finishedBatches == pass.batches }
    public var hasFisher: Bool { pass.hasFisher }

    /// Nothing seen yet.
    init(norms: [String: Double], of pass: Pass) {
      (self.norms, inputs, tokens, examples) = (norms, [:], [:], [:])
      (self.pass, mergedPasses, finishedBatches) = (pass, [], 0)
    }

    /// Whether these are the statistics of just these passes.
    func has(_ others: [Pass]) -> Bool {
      passes.count == others.count && others.allSatisfy { other in passes.contains(where: other.isSame) }
    }

    /// - Throws: `InvalidArgument` unless these are the statistics of this pass alone, which can be gone on with.
    func require(_ pass: Pass, _ path: String) throws {
      guard has([pass]) else {
        let all = passes.map { "\($0)" }.joined(separator: " and ")
        let advice = pass.hasFisher == hasFisher ? ", and `--merge \(path)` to have both in it" : ""
        throw InvalidArgument(
          path, found: "statistics of \(all)", wanted: "another output for those of \(pass)\(advice)")
      }
    }
  }

  /// One pass over a text.
  public struct Pass: Codable, Sendable, Hashable, CustomStringConvertible {
    /// The text by name, and the digest by which it is known again.
    public var text: String
    public var textDigest: UInt64
    /// How many tokens of it were asked for, and how many batches those are.
    public var wantedTokens: Int
    public var batches: Int
    /// Whether gradients were squared, too.
    public var hasFisher: Bool

    public var description: String { "\(wantedTokens) tokens of \(text)\(hasFisher ? " with --fisher" : "")" }

    /// Whether the same was looked at, whatever it was called.
    func isSame(_ other: Pass) -> Bool {
      textDigest == other.textDigest && wantedTokens == other.wantedTokens && batches == other.batches
        && hasFisher == other.hasFisher
    }
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
    let ofPasses = record.passes.flatMap { [$0.wantedTokens, $0.batches] }
    guard (ofPasses + record.tokens.values + record.examples.values).allSatisfy({ 0...1 << 48 ~= $0 }),
      0...record.pass.batches ~= record.finishedBatches
    else {
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
  /// - Throws: `InvalidArgument` when one has gradients and the other has not, or a pass was interrupted, or is in both.
  public mutating func merge(_ other: CalibrationFile) throws {
    try requireMergeable(hasFisher: record.hasFisher)
    try other.requireMergeable(hasFisher: record.hasFisher)
    if let pass = other.record.passes.first(where: { pass in record.passes.contains(where: pass.isSame) }) {
      throw InvalidArgument("merge", found: "\(pass) twice", wanted: "files that have no pass over a text in common")
    }
    var calibration = calibration
    try calibration.merge(other.calibration)
    self = CalibrationFile(calibration, record)
    record.mergedPasses += other.record.passes
  }

  func requireMergeable(hasFisher: Bool) throws {
    guard record.isComplete else {
      throw InvalidArgument(
        "merge", found: "a pass over \(record.pass.text) that was interrupted",
        wanted: "a complete one: run its `apus calibrate` again")
    }
    guard record.hasFisher == hasFisher else {
      throw InvalidArgument(
        "merge", found: "statistics with squared gradients and others without",
        wanted: "all with --fisher, or all without")
    }
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
      Fact("Text", record.passes.map(\.text).joined(separator: ", ")), Fact("Layers", record.norms.count),
      Fact("Different inputs", calibration.activations.count),
      Fact("Tokens", calibration.fewestTokens ?? 0),
      Fact("Examples with gradients", calibration.fisher.values.map(\.examples).min() ?? 0),
    ]
  }

  public var json: JSONValue {
    [
      "text": .string(record.passes.map(\.text).joined(separator: ", ")), "layers": .integer(record.norms.count),
      "inputs": .integer(calibration.activations.count), "tokens": .integer(calibration.fewestTokens ?? 0),
      "examples": .integer(calibration.fisher.values.map(\.examples).min() ?? 0),
      "warnings": .array(warnings.map { .string($0) }),
    ]
  }
}
