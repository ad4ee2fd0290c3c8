extension MethodCard {
  /// The card as `apus show` prints it.
  public var report: Report {
    var blocks: [Report.Block] = [.text(summary)]
    if let link = paper.link {
      blocks.append(.link(paper.citation, to: link))
    } else {
      blocks.append(.text(paper.citation))
    }
    var inputTable = Table("Inputs", columns: ["name", "shape", "needed", "meaning"])
    for input in inputs { inputTable.add([input.name, input.shapeText, input.isRequired, input.meaning]) }
    if !inputs.isEmpty { blocks.append(.table(inputTable)) }
    var parameterTable = Table("Parameters", columns: ["name", "default", "allowed", "meaning"])
    for parameter in parameters {
      parameterTable.add(["--" + parameter.name, parameter.defaultText, parameter.wanted, parameter.meaning])
    }
    if !parameters.isEmpty { blocks.append(.table(parameterTable)) }
    var outputTable = Table("Outputs", columns: ["name", "shape", "meaning"])
    for output in outputs { outputTable.add([output.name, output.shape, output.meaning]) }
    if !outputs.isEmpty { blocks.append(.table(outputTable)) }
    blocks.append(.text("Claim: " + claim))
    if !pending.isEmpty { blocks += pending.map { .note("Not built yet: \($0)") } }
    blocks += [.text("Example:"), .command(example), .command("apus reproduce \(id)")]
    return Report(title: "", sections: [Report.Section(id: id, title: title, blocks: blocks)])
  }

  /// The card as `apus show --json` prints it.
  public var json: JSONValue {
    [
      "id": .string(id),
      "module": .string(module),
      "title": .string(title),
      "status": "works",
      "paper": [
        "authors": .string(paper.authors), "year": .integer(paper.year), "venue": .string(paper.venue),
        "arxiv": .string(paper.arXiv), "doi": .string(paper.doi),
      ],
      "summary": .string(summary),
      "inputs": .array(inputs.map(\.json)),
      "parameters": .array(parameters.map(\.json)),
      "outputs": .array(outputs.map(\.json)),
      "example": .string(example),
      "claim": .string(claim),
      "pending": .array(pending.map { .string($0) }),
    ]
  }
}

extension MethodInput {
  fileprivate var json: JSONValue {
    [
      "name": .string(name), "meaning": .string(meaning), "shape": .string(shapeText),
      "required": .boolean(isRequired),
    ]
  }
}

extension MethodOutput {
  fileprivate var json: JSONValue {
    ["name": .string(name), "meaning": .string(meaning), "shape": .string(shape)]
  }
}

extension MethodParameterDescription {
  fileprivate var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("name", .string(name)), .init("meaning", .string(meaning)), .init("type", .string(kind.name)),
      .init("default", defaultJSON), .init("allowed", .string(wanted)),
    ]
    if case .choice(let choices) = kind { members.append(.init("choices", .array(choices.map { .string($0) }))) }
    return .object(members)
  }
}
