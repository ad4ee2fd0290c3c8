public import CatalogueCore
import Tensors

extension CheckpointCompression {
  public var facts: [Fact] {
    let factored = rows.count { $0.rank != nil }
    return [
      Fact("Method", method), Fact("Input", input), Fact("Output", output),
      Fact("Matrices worked on", rows.count), Fact("Factored", factored),
      Fact("Parameters of these matrices kept", plan.keptFraction),
      Fact("Relative error over these matrices", totalRelativeError),
      Fact("Parameters, before", parametersBefore), Fact("Parameters, after", parametersAfter),
      Fact("Bytes, before", bytesBefore), Fact("Bytes, after", bytesAfter),
      Fact("Seconds", (seconds * 100).rounded() / 100),
    ]
  }

  public var table: Table {
    var table = Table(
      "Matrices", columns: ["tensor", "shape", "rank", "shares with", "relative error", "bytes", "saved", "remark"],
      caption: "Errors are those of the factors before they are rounded to the type of the file.")
    for row in rows {
      table.add([
        row.name, text(row.shape), row.rank, row.sharedWith == 0 ? nil as Int? : row.sharedWith, row.relativeError,
        row.originalBytes, isDense ? 0 : row.originalBytes - row.storedBytes, row.reason,
      ])
    }
    return table
  }

  /// The ranks by matrix, and what was lost.
  public var plots: [Plot] {
    let positions = rows.indices.map { Double($0 + 1) }
    let shares = rows.map { row in Double(row.rank ?? row.shape.min() ?? 0) / Double(row.shape.min() ?? 1) }
    return [
      Plot(
        "Rank and error by matrix, \(method)",
        caption: "In the order of the checkpoint. A matrix that stays dense counts with its full rank and no error.",
        x: "matrix", y: "share",
        [
          Series("rank / full rank", x: positions, y: shares, .lineAndPoints),
          Series("relative error", x: positions, y: rows.map(\.relativeError), .lineAndPoints),
        ])
    ]
  }

  public var section: Report.Section {
    Report.Section(
      id: "compress-\(method)", title: "Compressed by \(method)",
      blocks: [.facts(facts)] + plots.map { .plot($0) } + [.table(table)])
  }

  public var json: JSONValue {
    [
      "method": .string(method), "input": .string(input), "output": .string(output), "dense": .boolean(isDense),
      "kept_fraction": .number(plan.keptFraction), "relative_error": .number(totalRelativeError),
      "parameters_before": .integer(parametersBefore), "parameters_after": .integer(parametersAfter),
      "bytes_before": .integer(bytesBefore), "bytes_after": .integer(bytesAfter), "seconds": .number(seconds),
      "rows": .array(
        rows.map { row in
          [
            "name": .string(row.name), "shape": .array(row.shape.map { .integer($0) }),
            "rank": row.rank.map { .integer($0) } ?? .null, "shared_with": .integer(row.sharedWith),
            "relative_error": .number(row.relativeError), "original_bytes": .integer(row.originalBytes),
            "stored_bytes": .integer(row.storedBytes), "remark": row.reason.map { .string($0) } ?? .null,
          ]
        }),
    ]
  }
}
