import Compression
public import FileFormats
import Foundation
import Networks
public import Tensors

/// A checkpoint in which matrices are stored as codes of a few bits, and perhaps corrected by factors.
///
/// It is a safetensors file. For a tensor NAME it holds `NAME.codes` (bytes), `NAME.scales`, perhaps `NAME.zeros`, and with a
/// correction `NAME.left` and `NAME.right`; the metadata under `apus.quantized` maps NAME to the record below. The tensor is
/// (table[code] - zero) · scale + left · right.
public struct QuantizedCheckpoint: Sendable {
  /// How one tensor is rebuilt.
  public struct Record: Codable, Sendable, Hashable {
    public var format: String
    public var bits: Int
    /// [outputs, inputs].
    public var shape: [Int]
    /// Rows and columns that share a scale.
    public var block: [Int]
    /// The name of the tensor with the value of each code.
    public var table: String
    public var hasZeros: Bool
    /// The rank of the correction; nothing without one.
    public var rank: Int?
  }

  public static let key = "apus.quantized"

  /// What to do where codes are no beginning.
  static let advice =
    "its matrices are stored as codes of a few bits, which are not made smaller again: take the checkpoint that it was made "
    + "from, or numbers that `apus quantize --dense` wrote"

  public let checkpoint: Checkpoint
  public let records: [String: Record]

  /// Nothing when the checkpoint holds no codes.
  ///
  /// - Throws: `FileError` when the metadata names what is missing or does not fit.
  public init?(_ checkpoint: Checkpoint) throws {
    guard let text = checkpoint.metadata[Self.key] else { return nil }
    guard let records = try? JSONDecoder().decode([String: Record].self, from: Data(text.utf8)) else {
      throw FileError(.malformed, checkpoint.path, "the metadata under '\(Self.key)' is not what Apus writes")
    }
    for (name, record) in records {
      guard Self.fits(name, record, checkpoint) else {
        throw FileError(.malformed, checkpoint.path, "the codes, scales and factors of '\(name)' do not fit each other")
      }
    }
    self.checkpoint = checkpoint
    self.records = records
  }

  private static func fits(_ name: String, _ record: Record, _ checkpoint: Checkpoint) -> Bool {
    guard record.shape.count == 2, record.block.count == 2, 1...8 ~= record.bits,
      record.shape.allSatisfy({ $0 > 0 && $0 < 1 << 29 }), record.block.allSatisfy({ $0 > 0 }),
      checkpoint.entry(named: name) == nil
    else { return false }
    let (rows, columns) = (record.shape[0], record.shape[1])
    let blocks = zip(record.shape, record.block).map { ($0 - 1) / $1 + 1 }
    func has(_ part: String, _ shape: [Int]) -> Bool {
      checkpoint.entry(named: part).map { $0.shape == shape } ?? false
    }
    return has("\(name).codes", [(rows * columns * record.bits + 7) / 8]) && has("\(name).scales", blocks)
      && has(record.table, [1 << record.bits]) && (!record.hasZeros || has("\(name).zeros", blocks))
      && (record.rank.map { has("\(name).left", [rows, $0]) && has("\(name).right", [$0, columns]) } ?? true)
  }

  /// The rounded matrix, without its correction.
  public func matrix(_ name: String) throws -> QuantizedMatrix {
    guard let record = records[name] else {
      throw FileError(.noSuchArray, checkpoint.path, "'\(name)' is not stored as codes")
    }
    let codes = try checkpoint.withBytes(of: "\(name).codes") { Array($0) }
    func floats(_ part: String) throws -> Tensor<Float> { try checkpoint.tensor(named: part, as: Float.self) }
    return QuantizedMatrix(
      shape: record.shape,
      codes: try PackedCodes(bytes: codes, bits: record.bits, count: record.shape[0] * record.shape[1]),
      table: try floats(record.table), block: QuantizationBlock(rows: record.block[0], columns: record.block[1]),
      scales: try floats("\(name).scales"), zeroPoints: record.hasZeros ? try floats("\(name).zeros") : nil,
      bitsPerBlock: 32)
  }

  /// How a layer keeps the tensor: rounded, with its correction where there is one.
  func form(_ name: String) throws -> LinearForm<Float> {
    let base = try matrix(name).dequantized
    guard records[name]?.rank != nil else { return .dense(base) }
    return .corrected(
      base: base, left: try checkpoint.tensor(named: "\(name).left", as: Float.self),
      right: try checkpoint.tensor(named: "\(name).right", as: Float.self))
  }

  /// The tensor as numbers, corrected.
  public func tensor(named name: String) throws -> Tensor<Float> { try form(name).dense }

  /// Whether a tensor is stored, as codes or as it is.
  func has(_ name: String) -> Bool { records[name] != nil || checkpoint.entry(named: name) != nil }

  /// - Throws: `FileError` when a configuration's model is larger than what the file can hold.
  func requireRoom(for parameters: Int) throws {
    let stored = records.values.reduce(0) { $0 + $1.shape[0] * $1.shape[1] } + checkpoint.parameterCount
    guard parameters <= stored + stored / 8 else {
      throw FileError(
        .unsuitable, checkpoint.path,
        "its configuration is of a model of \(parameters) numbers, and it holds \(stored) at most")
    }
  }

  /// The tensors that belong to codes.
  var partNames: Set<String> {
    Set(records.keys.flatMap { name in Self.suffixes.map { name + $0 } }).union(records.values.map(\.table))
  }

  /// All tensors under their original names: what a model without knowledge of codes takes over.
  func state() throws -> [String: Tensor<Float>] {
    var state: [String: Tensor<Float>] = [:]
    let parts = partNames
    for entry in checkpoint.entries where !parts.contains(entry.name) {
      state[entry.name] = try checkpoint.tensor(named: entry.name, as: Float.self)
    }
    for name in records.keys { state[name] = try matrix(name).dequantized }
    return state
  }

  static let suffixes = [".codes", ".scales", ".zeros", ".left", ".right"]
}

extension FactoredCheckpoint {
  /// - Throws: `FileError` when the matrices are stored as codes, which are not numbers to compress or to round again.
  public func requireNumbers() throws {
    guard checkpoint.metadata[QuantizedCheckpoint.key] == nil else {
      throw FileError(.unsuitable, checkpoint.path, QuantizedCheckpoint.advice)
    }
  }
}

extension Module<Float> {
  /// Takes over a checkpoint with codes; layers with a correction keep it apart.
  mutating func load(from quantized: QuantizedCheckpoint) throws {
    var loaded = self
    try loaded.load(try quantized.state(), allowingUnexpected: true)
    var failure: (any Error)?
    loaded.forEachLinear { name, layer in
      let weight = "\(name).weight"
      guard quantized.records[weight]?.rank != nil else { return }
      do { layer.form = try quantized.form(weight) } catch { failure = error }
    }
    if let failure { throw failure }
    self = loaded
  }
}
