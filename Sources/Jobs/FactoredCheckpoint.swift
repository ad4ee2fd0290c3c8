public import FileFormats
import Foundation
public import Tensors

/// A checkpoint whose matrices may be stored as products of two factors.
///
/// A factored checkpoint is an ordinary safetensors file. For each compressed tensor it holds two others, and its
/// metadata says which: under `apus.factors` stands a JSON object that maps the tensor's name to
/// `{"left": name, "right": name, "shape": [...]}`. The tensor is the matrix product left · right in that shape. Several
/// tensors may share a left factor. Every other safetensors file reads as a checkpoint without factors.
public struct FactoredCheckpoint: Sendable {
  /// How one tensor is rebuilt.
  public struct Factors: Codable, Sendable, Hashable {
    public var left: String
    public var right: String
    public var shape: [Int]
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
  public init(_ path: String) throws {
    let checkpoint = try Checkpoint(path)
    let factors = try Self.factors(of: checkpoint)
    let parts = Set(factors.values.flatMap { [$0.left, $0.right] })
    var entries = checkpoint.entries.filter { !parts.contains($0.name) }
      .map { Entry(name: $0.name, shape: $0.shape, type: $0.type, factors: nil) }
    for (name, factors) in factors {
      entries.append(
        Entry(name: name, shape: factors.shape, type: checkpoint.entry(named: factors.right)!.type, factors: factors))
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
    let left = try checkpoint.tensor(named: factors.left, as: Float.self)
    let right = try checkpoint.tensor(named: factors.right, as: Float.self)
    return left.matmul(right).reshaped(factors.shape)
  }

  /// Lets go of the memory that a tensor's mapped bytes take.
  func release(_ name: String) {
    let factors = entry(named: name)?.factors
    for part in factors.map({ [$0.left, $0.right] }) ?? [name] { checkpoint.release(part) }
  }

  private static func factors(of checkpoint: Checkpoint) throws -> [String: Factors] {
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
      let isProduct = left.shape.count == 2 && right.shape.count == 2 && left.shape[1] == right.shape[0]
      guard isProduct, let rows = record.shape.first, rows == left.shape[0],
        (record.shape.dropFirst().allSatisfy { $0 >= 0 }),
        let count = product(record.shape), count == product([left.shape[0], right.shape[1]])
      else {
        throw broken(
          "factors of shapes \(left.shape) and \(right.shape) do not make '\(name)' of shape \(record.shape)")
      }
      guard left.type.isFloatingPoint && right.type.isFloatingPoint else {
        throw broken("'\(name)' is not of fractions")
      }
    }
    return factors
  }

  /// The number of elements; nothing when it overflows.
  private static func product(_ shape: [Int]) -> Int? {
    shape.reduce(1 as Int?) { product, extent in
      guard let (value, overflow) = product?.multipliedReportingOverflow(by: extent), !overflow else { return nil }
      return value
    }
  }
}
