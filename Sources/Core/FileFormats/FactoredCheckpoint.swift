import Foundation
public import Tensors

/// A checkpoint whose matrices may be stored as products of two factors.
///
/// A factored checkpoint is an ordinary safetensors file. For each compressed tensor it holds others, and its metadata
/// says which: under `apus.factors` stands a JSON object that maps the tensor's name to
/// `{"left": name, "right": name, "shape": [...]}`. The tensor is the matrix product left · right in that shape. Several
/// tensors may share a left factor. `"base": name` adds a tensor of the same shape to the product. With `"mask": name`, or
/// `"columns": name, "counts": name`, the left factor is sparse: `left` then holds its non-zero numbers row by row, and
/// the others tell where they stand (`SparsePlaces`): a bit for each place, or the columns and how many numbers each row
/// has. Every other safetensors file reads as a checkpoint without factors.
public struct FactoredCheckpoint: Sendable {
  /// How one tensor is rebuilt.
  public struct Factors: Codable, Sendable, Hashable {
    public var left: String
    public var right: String
    public var shape: [Int]
    /// What the product is added to.
    public var base: String?
    /// For a sparse left factor: the columns of its numbers, and how many of them each row has.
    public var columns: String?
    public var counts: String?
    /// For a sparse left factor whose places are stored as bits: row by row, in whole bytes, the lowest bit first.
    public var mask: String?

    public init(
      left: String, right: String, shape: [Int], base: String? = nil, columns: String? = nil, counts: String? = nil,
      mask: String? = nil
    ) {
      (self.left, self.right, self.shape) = (left, right, shape)
      (self.base, self.columns, self.counts, self.mask) = (base, columns, counts, mask)
    }

    /// Everything that is stored for the tensor.
    public var parts: [String] { [left, right, base, columns, counts, mask].compactMap { $0 } }

    var isSparse: Bool { columns != nil || counts != nil || mask != nil }
  }

  /// A tensor under its original name.
  public struct Entry: Sendable, Hashable {
    public var name: String
    public var shape: [Int]
    public var type: StoredType
    /// Nothing for a tensor that is stored as it is.
    public var factors: Factors?
  }

  public static let factorsKey = "apus.factors"

  public let checkpoint: Checkpoint
  /// All tensors under their original names, sorted by name.
  public let entries: [Entry]
  private let places: [String: Int]

  /// Opens a file, an index or a folder.
  ///
  /// - Throws: `FileError`, also when the metadata names factors that are missing or do not fit.
  public init(_ path: String) throws { try self.init(Checkpoint(path)) }

  /// A checkpoint that is open already.
  public init(_ checkpoint: Checkpoint) throws {
    let factors = try Self.factors(of: checkpoint)
    let parts = Set(factors.values.flatMap(\.parts))
    var entries = checkpoint.entries.filter { !parts.contains($0.name) }
      .map { Entry(name: $0.name, shape: $0.shape, type: $0.type, factors: nil) }
    for (name, factors) in factors {
      entries.append(
        Entry(
          name: name, shape: factors.shape, type: checkpoint.entry(named: factors.right)?.type ?? .float32,
          factors: factors))
    }
    self.checkpoint = checkpoint
    self.entries = entries.sorted { $0.name < $1.name }
    places = Dictionary(self.entries.enumerated().map { ($1.name, $0) }) { first, _ in first }
  }

  public var isFactored: Bool { entries.contains { $0.factors != nil } }

  public func entry(named name: String) -> Entry? { places[name].map { entries[$0] } }

  /// A tensor under its original name, multiplied out where it is stored as factors.
  ///
  /// - Throws: `FileError`, also when there is no such tensor.
  public func tensor(named name: String) throws -> Tensor<Float> {
    guard let factors = entry(named: name)?.factors else { return try checkpoint.tensor(named: name, as: Float.self) }
    // Thin factors, or empty ones, can announce a product of any size.
    let count = Self.product(factors.shape) ?? .max
    guard count <= Int(clamping: ProcessInfo.processInfo.physicalMemory) / MemoryLayout<Float>.size else {
      throw FileError(
        .tooLarge, checkpoint.path, "'\(name)' of shape \(factors.shape) is larger than this machine's memory")
    }
    let right = try checkpoint.tensor(named: factors.right, as: Float.self)
    let product = try left(factors, columns: right.rows).matmul(right).reshaped(factors.shape)
    guard let base = factors.base else { return product }
    return try checkpoint.tensor(named: base, as: Float.self) + product
  }

  /// The left factor, with its zeros.
  private func left(_ factors: Factors, columns: Int) throws -> Tensor<Float> {
    let left = try checkpoint.tensor(named: factors.left, as: Float.self)
    guard let places = try sparsePlaces(of: factors) else { return left }
    var dense = Tensor<Float>.zeros([factors.shape[0], columns])
    dense.withUnsafeMutableBuffer { dense in
      for ((row, column), value) in zip(zip(places.rowOfEntry, places.columns), left.scalars) {
        dense[row * columns + Int(column)] = value
      }
    }
    return dense
  }

  /// The places of the numbers of a sparse left factor.
  ///
  /// - Returns: nothing when the left factor is dense.
  /// - Throws: `FileError` when the file does not hold the places of as many numbers as there are.
  public func sparsePlaces(of factors: Factors) throws -> SparsePlaces? {
    guard factors.isSparse, let width = checkpoint.entry(named: factors.right)?.shape.first else { return nil }
    let places: SparsePlaces?
    if let name = factors.mask {
      guard case .uint8(let mask) = try checkpoint.tensor(named: name) else { throw noPlaces(name) }
      places = SparsePlaces(mask: mask, width: width)
    } else {
      func numbers(_ name: String?) throws -> [Int] {
        try name.map { try checkpoint.tensor(named: $0).asInt($0).scalars } ?? []
      }
      places = SparsePlaces(columns: try numbers(factors.columns), counts: try numbers(factors.counts), width: width)
    }
    guard let places, places.rows == factors.shape[0],
      checkpoint.entry(named: factors.left)?.shape == [places.columns.count]
    else { throw noPlaces(factors.mask ?? factors.columns ?? factors.left) }
    return places
  }

  private func noPlaces(_ name: String) -> FileError {
    FileError(.malformed, checkpoint.path, "'\(name)' does not say where the numbers of a sparse factor stand")
  }

  /// Lets go of the memory that a tensor's mapped bytes take.
  public func release(_ name: String) {
    for part in entry(named: name)?.factors?.parts ?? [name] { checkpoint.release(part) }
  }

  /// How the tensors of a checkpoint that are stored as factors are rebuilt, by name.
  ///
  /// - Throws: `FileError` when the metadata names factors that are missing or do not fit.
  static func factors(of checkpoint: Checkpoint) throws -> [String: Factors] {
    guard let text = checkpoint.metadata[factorsKey] else { return [:] }
    func broken(_ reason: String) -> FileError {
      FileError(.malformed, checkpoint.path, "its factors cannot be read: \(reason)")
    }
    guard let factors = try? JSONDecoder().decode([String: Factors].self, from: Data(text.utf8)) else {
      throw broken("the metadata under '\(factorsKey)' is not what Apus writes")
    }
    for (name, record) in factors {
      guard let left = checkpoint.entry(named: record.left), let right = checkpoint.entry(named: record.right) else {
        throw broken("'\(name)' names factors that are not there")
      }
      guard checkpoint.entry(named: name) == nil else { throw broken("'\(name)' is there as factors and as a tensor") }
      guard fit(record, left, right, checkpoint) else {
        throw broken(
          "factors of shapes \(left.shape) and \(right.shape) do not make '\(name)' of shape \(record.shape)")
      }
      guard left.type.isFloatingPoint && right.type.isFloatingPoint else {
        throw broken("'\(name)' is not of fractions")
      }
    }
    return factors
  }

  /// What stands under `apus.factors` for tensors that are stored as factors; nothing when none is.
  public static func metadata(of factors: [String: Factors]) throws -> String? {
    guard !factors.isEmpty else { return nil }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(factors), as: UTF8.self)
  }

  /// Whether what is stored makes a tensor of the announced shape.
  private static func fit(
    _ record: Factors, _ left: StoredTensor, _ right: StoredTensor, _ checkpoint: Checkpoint
  ) -> Bool {
    guard right.shape.count == 2, let rows = record.shape.first, rows >= 0,
      record.shape.dropFirst().allSatisfy({ $0 >= 0 }),
      let count = product(record.shape), count == product([rows, right.shape[1]])
    else { return false }
    if let base = record.base {
      guard let found = checkpoint.entry(named: base), found.shape == record.shape, found.type.isFloatingPoint else {
        return false
      }
    }
    guard record.isSparse else { return left.shape == [rows, right.shape[0]] }
    if let mask = record.mask {
      guard let found = checkpoint.entry(named: mask), found.type == .uint8 else { return false }
      return record.columns == nil && record.counts == nil && left.shape.count == 1
        && found.shape == [rows, SparsePlaces.maskRowBytes(right.shape[0])]
    }
    guard let columns = record.columns.flatMap(checkpoint.entry), let counts = record.counts.flatMap(checkpoint.entry)
    else { return false }
    return left.shape.count == 1 && columns.shape == left.shape && counts.shape == [rows]
  }

  /// The number of elements; nothing when it overflows.
  private static func product(_ shape: [Int]) -> Int? {
    shape.reduce(1 as Int?) { product, extent in
      guard let (value, overflow) = product?.multipliedReportingOverflow(by: extent), !overflow else { return nil }
      return value
    }
  }
}
