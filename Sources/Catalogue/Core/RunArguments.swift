import Tensors

/// The words after `apus run ID`, sorted into files and parameters and checked against the card.
///
/// Files are `name=file`, one name may come several times. Parameters are `--name value` or `--name=value`; a flag needs
/// no value, and `--no-name` turns it off.
struct RunArguments {
  var files: [String: [String]] = [:]
  var values: [String: any ParameterValue] = [:]

  init(_ words: [String], for card: MethodCard) throws {
    var rest = words[...]
    while let word = rest.popFirst() {
      if word.hasPrefix("--"), word.count > 2 {
        try readParameter(String(word.dropFirst(2)), &rest, card)
      } else if let equals = word.firstIndex(of: "="), equals > word.startIndex, !word.hasPrefix("-") {
        try readFile(String(word[..<equals]), String(word[word.index(after: equals)...]), card)
      } else {
        throw UsageError("'\(word)' is neither name=file nor --parameter; \(Self.usage(of: card))")
      }
    }
    for input in card.inputs where input.isRequired && files[input.name] == nil {
      throw UsageError("'\(card.id)' needs \(input.name)=file, \(input.meaning.sentenceStart); \(Self.usage(of: card))")
    }
  }

  private mutating func readFile(_ name: String, _ path: String, _ card: MethodCard) throws {
    guard let input = card.inputs.first(where: { $0.name == name }) else {
      throw UsageError.unknown("input", name, among: card.inputs.map(\.name), of: "'\(card.id)'")
    }
    guard !path.isEmpty else { throw InvalidArgument(name, found: "no file name", wanted: "\(name)=file") }
    guard input.kind == .tensors || files[name] == nil else {
      throw InvalidArgument(name, found: "two files", wanted: "one, because it is a single array")
    }
    files[name, default: []].append(path)
  }

  private mutating func readParameter(_ word: String, _ rest: inout ArraySlice<String>, _ card: MethodCard) throws {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let name = parts[0]
    let known = card.parameters.first { $0.name == name }
    let negated = card.parameters.first { $0.kind == .flag && "no-\($0.name)" == name }
    guard let parameter = known ?? negated else {
      let names = card.parameters.map(\.name)
      throw UsageError.unknown("parameter", "--" + name, among: names.map { "--" + $0 }, of: "'\(card.id)'")
    }
    guard values[parameter.name] == nil else {
      throw InvalidArgument("--\(parameter.name)", found: "two values", wanted: "one")
    }
    if known == nil {
      guard parts.count == 1 else { throw InvalidArgument("--\(name)", found: "'\(parts[1])'", wanted: "no value") }
      values[parameter.name] = false
    } else if parts.count == 2 {
      values[parameter.name] = try parameter.parse(parts[1])
    } else if parameter.kind == .flag {
      let value = rest.first.flatMap(Bool.init(parsing:))
      if value != nil { rest.removeFirst() }
      values[parameter.name] = value ?? true
    } else {
      guard let value = rest.popFirst(), !value.hasPrefix("--") else {
        throw InvalidArgument("--\(name)", found: "no value", wanted: parameter.wanted)
      }
      values[parameter.name] = try parameter.parse(value)
    }
  }

  private static func usage(of card: MethodCard) -> String {
    "for example: \(card.example)"
  }
}

extension String {
  /// The text to go on a sentence with: no full stop at the end, the first letter small unless a capital follows it.
  var sentenceStart: String {
    var text = hasSuffix(".") ? String(dropLast()) : self
    if let first = text.first, first.isUppercase, text.dropFirst().first?.isLowercase == true {
      text = first.lowercased() + text.dropFirst()
    }
    return text
  }
}
