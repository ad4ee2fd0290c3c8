public import CatalogueCore
import FileFormats
import Tensors

/// How two checkpoints differ, tensor by tensor.
public struct CheckpointComparison: Sendable {
  public struct Row: Sendable, Hashable {
    public enum Verdict: String, Sendable {
      case equal, close, different
      case onlyInFirst = "only in the first"
      case onlyInSecond = "only in the second"
      case otherShape = "another shape"
    }

    public var name: String
    public var shape: [Int]
    public var types: String
    public var verdict: Verdict
    public var largestDifference: Double?
    /// The Frobenius norm of the difference over that of the first.
    public var relativeError: Double?
    /// The cosine of the angle between the two, as vectors.
    public var cosine: Double?
  }

  public var first: String
  public var second: String
  public var tolerance: Double
  public var rows: [Row]

  /// Whether both hold the same tensors, each within the tolerance.
  public var agrees: Bool { rows.allSatisfy { $0.verdict == .equal || $0.verdict == .close } }
  public var worst: Row? { rows.filter { $0.relativeError != nil }.max { $0.relativeError! < $1.relativeError! } }
}

/// Compares checkpoints, one tensor of each in memory at a time: the numbers that factors and codes stand for.
public struct CheckpointComparer: Sendable {
  /// The relative error up to which two tensors agree; zero asks for equal numbers.
  public var tolerance = 0.0

  public init(tolerance: Double = 0) { self.tolerance = tolerance }

  /// - Throws: `FileError`, `CancellationError`; `InvalidArgument` for a tolerance that is negative or not a number.
  public func compare(
    _ first: FactoredCheckpoint, _ second: FactoredCheckpoint, progress: WorkProgress = .silent
  ) throws -> CheckpointComparison {
    guard tolerance >= 0 else {
      throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "zero or more")
    }
    let (a, b) = (try TensorsOfCheckpoint(first), try TensorsOfCheckpoint(second))
    let names = Set(a.entries.keys).union(b.entries.keys).sorted()
    var rows: [CheckpointComparison.Row] = []
    for (i, name) in names.enumerated() {
      rows.append(try row(name, a, b))
      for file in [a, b] { file.release(name) }
      try progress.report(i + 1, of: names.count, name)
    }
    return CheckpointComparison(
      first: first.checkpoint.path, second: second.checkpoint.path, tolerance: tolerance, rows: rows)
  }

  private func row(
    _ name: String, _ first: TensorsOfCheckpoint, _ second: TensorsOfCheckpoint
  ) throws -> CheckpointComparison.Row {
    let entries = (first.entries[name], second.entries[name])
    guard let a = entries.0, let b = entries.1 else {
      let only = entries.0 ?? entries.1
      return .init(
        name: name, shape: only?.shape ?? [], types: only?.type ?? "",
        verdict: entries.1 == nil ? .onlyInFirst : .onlyInSecond)
    }
    let types = a.type == b.type ? a.type : "\(a.type) / \(b.type)"
    guard a.shape == b.shape else {
      return .init(name: name, shape: a.shape, types: types, verdict: .otherShape)
    }
    // In double precision: integers up to 2^53 and everything smaller compare exactly.
    let x = try first.tensor(named: name)
    let y = try second.tensor(named: name)
    let difference = x - y
    let size = x.sumOfSquares().scalar.squareRoot()
    let other = y.sumOfSquares().scalar.squareRoot()
    let distance = difference.sumOfSquares().scalar.squareRoot()
    let relative = distance == 0 ? 0 : distance / size
    let isEqual = x == y
    return .init(
      name: name, shape: a.shape, types: types,
      verdict: isEqual ? .equal : relative <= tolerance ? .close : .different,
      largestDifference: x.isEmpty ? 0 : difference.absolute().maximum().scalar, relativeError: relative,
      cosine: size > 0 && other > 0 ? (x * y).sum().scalar / (size * other) : nil)
  }
}

/// A checkpoint by the tensors that it stands for, whether it has them as numbers, as factors or as codes.
private struct TensorsOfCheckpoint {
  struct Entry {
    var shape: [Int]
    /// The type of its numbers, or the format of its codes.
    var type: String
    var isFactored = false
  }

  let factored: FactoredCheckpoint
  let quantized: QuantizedCheckpoint?
  let entries: [String: Entry]

  init(_ factored: FactoredCheckpoint) throws {
    self.factored = factored
    quantized = try QuantizedCheckpoint(factored.checkpoint)
    let parts = quantized?.partNames ?? []
    var entries: [String: Entry] = [:]
    for entry in factored.entries where !parts.contains(entry.name) {
      entries[entry.name] = Entry(shape: entry.shape, type: entry.type.rawValue, isFactored: entry.factors != nil)
    }
    for (name, record) in quantized?.records ?? [:] { entries[name] = Entry(shape: record.shape, type: record.format) }
    self.entries = entries
  }

  func tensor(named name: String) throws -> Tensor<Double> {
    if let quantized, quantized.records[name] != nil { return Tensor<Double>(try quantized.tensor(named: name)) }
    if entries[name]?.isFactored == true { return Tensor<Double>(try factored.tensor(named: name)) }
    return try factored.checkpoint.tensor(named: name, as: Double.self)
  }

  /// Lets go of the memory that a tensor's mapped bytes take.
  func release(_ name: String) {
    if quantized?.records[name] != nil {
      for suffix in QuantizedCheckpoint.suffixes { factored.checkpoint.release(name + suffix) }
    } else {
      factored.release(name)
    }
  }
}

extension CheckpointComparison {
  public var facts: [Fact] {
    var facts = [
      Fact("First", first), Fact("Second", second), Fact("Tensors", rows.count),
      Fact("Equal", rows.count { $0.verdict == .equal }),
      Fact("Within the tolerance of \(tolerance)", rows.count { $0.verdict == .close }),
      Fact("Different", rows.count { $0.verdict != .equal && $0.verdict != .close }),
    ]
    if let worst, let error = worst.relativeError, error > 0 {
      facts.append(Fact("Largest relative error", error))
      facts.append(Fact("in", worst.name))
    }
    return facts
  }

  /// One row a tensor that is not equal in both.
  public var table: Table {
    var table = Table(
      "Differences",
      columns: ["tensor", "shape", "type", "verdict", "largest difference", "relative error", "cosine"])
    for row in rows where row.verdict != .equal {
      table.add([
        row.name, text(row.shape), row.types, row.verdict.rawValue, row.largestDifference, row.relativeError,
        row.cosine,
      ])
    }
    return table
  }

  public var json: JSONValue {
    [
      "first": .string(first), "second": .string(second), "agrees": .boolean(agrees),
      "tolerance": .number(tolerance),
      "rows": .array(
        rows.map { row in
          func number(_ value: Double?) -> JSONValue { value.map { .number($0) } ?? .null }
          return [
            "name": .string(row.name), "shape": .array(row.shape.map { .integer($0) }), "types": .string(row.types),
            "verdict": .string(row.verdict.rawValue), "largest_difference": number(row.largestDifference),
            "relative_error": number(row.relativeError), "cosine": number(row.cosine),
          ]
        }),
    ]
  }
}
