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

/// Compares checkpoints, one tensor of each in memory at a time. Factored tensors are multiplied out.
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
    let names = Set(first.entries.map(\.name)).union(second.entries.map(\.name)).sorted()
    var rows: [CheckpointComparison.Row] = []
    for (i, name) in names.enumerated() {
      rows.append(try row(name, first, second))
      for file in [first, second] { file.release(name) }
      try progress.report(i + 1, of: names.count, name)
    }
    return CheckpointComparison(
      first: first.checkpoint.path, second: second.checkpoint.path, tolerance: tolerance, rows: rows)
  }

  private func row(
    _ name: String, _ first: FactoredCheckpoint, _ second: FactoredCheckpoint
  ) throws -> CheckpointComparison.Row {
    let entries = (first.entry(named: name), second.entry(named: name))
    guard let a = entries.0, let b = entries.1 else {
      let only = entries.0 ?? entries.1
      return .init(
        name: name, shape: only?.shape ?? [], types: only?.type.rawValue ?? "",
        verdict: entries.1 == nil ? .onlyInFirst : .onlyInSecond)
    }
    let types = a.type == b.type ? a.type.rawValue : "\(a.type.rawValue) / \(b.type.rawValue)"
    guard a.shape == b.shape else {
      return .init(name: name, shape: a.shape, types: types, verdict: .otherShape)
    }
    // In double precision: integers up to 2^53 and everything smaller compare exactly.
    let x = Tensor<Double>(try tensor(a, first))
    let y = Tensor<Double>(try tensor(b, second))
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

  private func tensor(_ entry: FactoredCheckpoint.Entry, _ file: FactoredCheckpoint) throws -> Tensor<Double> {
    if entry.factors != nil { return Tensor<Double>(try file.tensor(named: entry.name)) }
    return try file.checkpoint.tensor(named: entry.name, as: Double.self)
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
