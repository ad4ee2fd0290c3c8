import Foundation
public import Tensors

/// A checkpoint whose matrices may be stored as products of two factors.
///
/// A factored checkpoint is an ordinary safetensors file. For each compressed tensor it holds others, and its metadata
/// says which: under `apus.factors` stands a JSON object that maps the tensor's name to
/// `{"left": name, "right": name, "shape": [...]}`. The tensor is the matrix product left · right in that shape. Several
/// tensors may share a left factor. `"base": name` adds a tensor of the same shape to the product. With
/// `"columns": name, "counts": name` the left factor is sparse: `left` then holds its non-zero numbers row by row,
/// `columns` where they stand and `counts` how many each row has. Every other safetensors file reads as a checkpoint
/// without factors.
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

    public init(
      left: String, right: String, shape: [Int], base: String? = nil, columns: String? = nil, counts: String? = nil
    ) {
      (self.left, self.right, self.shape) = (left, right, shape)
      (self.base, self.columns, self.counts) = (base, columns, counts)
    }

    /// Everything that is stored for the tensor.
    public var parts: [String] { [left, right, base, columns, counts].compactMap { $0 } }
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
    guard let pattern = try sparsePattern(of: factors, columns: columns) else { return left }
    let rows = factors.shape[0]
    var dense = Tensor<Float>.zeros([rows, columns])
    dense.withUnsafeMutableBuffer { dense in
      for (entry, value) in left.scalars.enumerated() {
        dense[pattern.rows[entry] * columns + Int(pattern.columns[entry])] = value
      }
    }
    return dense
  }

  /// The place of each number of a sparse left factor; nothing for a dense one.
  ///
  /// - Throws: `FileError` unless columns increase within a row and are in range, and counts add up.
  private func sparsePattern(of factors: Factors, columns count: Int) throws -> (rows: [Int], columns: [Int])? {
    guard let columnsName = factors.columns, let countsName = factors.counts else { return nil }
    let columns = try checkpoint.tensor(named: columnsName).asInt(columnsName).scalars
    let counts = try checkpoint.tensor(named: countsName).asInt(countsName).scalars
    var rows: [Int] = []
    for (row, count) in counts.enumerated() where count > 0 {
      guard count <= columns.count - rows.count else { break }
      rows += repeatElement(row, count: count)
    }
    let isOrdered = columns.indices.allSatisfy { i in
      (0..<count).contains(columns[i])
        && (i == 0 || i >= rows.count || rows[i - 1] != rows[i] || columns[i - 1] < columns[i])
    }
    guard isOrdered, rows.count == columns.count, counts.allSatisfy({ 0...columns.count ~= $0 }),
      counts.reduce(0, +) == columns.count
    else {
      throw FileError(
        .malformed, checkpoint.path, "'\(columnsName)' and '\(countsName)' are not the places of a sparse factor")
    }
    return (rows, columns)
  }

  /// The compressed rows of a sparse left factor: where each starts, and the column of each number.
  ///
  /// - Returns: nothing when the left factor is dense.
  /// - Throws: `FileError` when the file does not hold a sparse matrix.
  public func sparsePattern(of factors: Factors) throws -> (starts: Tensor<Int32>, columns: Tensor<Int32>)? {
    let count = checkpoint.entry(named: factors.right)?.shape.first ?? 0
    guard let pattern = try sparsePattern(of: factors, columns: count) else { return nil }
    var starts = [Int32](repeating: 0, count: factors.shape[0] + 1)
    for row in pattern.rows { starts[row + 1] += 1 }
    for row in 0..<factors.shape[0] { starts[row + 1] += starts[row] }
    return (Tensor(starts), Tensor(pattern.columns.map(Int32.init)))
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
    guard record.columns != nil || record.counts != nil else {
      return left.shape == [rows, right.shape[0]]
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
