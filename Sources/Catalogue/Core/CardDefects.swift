extension MethodCard {
  /// Words that the commands use themselves, which no parameter may be called.
  static let reservedNames: Set<String> = ["output", "json", "seed", "report", "help", "version", "full", "all"]

  /// What is wrong with the card, a sentence each; nothing for a card that is in order.
  ///
  /// A test asks it of every method: names are well-formed and different, nothing is empty, and the example is a command
  /// line that the card accepts.
  public var defects: [String] {
    var defects: [String] = []
    func check(_ isRight: Bool, _ defect: String) { if !isRight { defects.append("\(id): \(defect)") } }
    check(Self.isName(id), "the id is not made of small letters, digits and hyphens")
    for (what, text) in [("title", title), ("summary", summary), ("claim", claim), ("authors", paper.authors)] {
      check(!text.isEmpty, "the \(what) is empty")
    }
    check(paper.link != nil, "the paper has neither an arXiv number nor a DOI")
    let inputNames = inputs.map(\.name)
    check(Set(inputNames).count == inputNames.count, "two inputs have one name")
    let parameterNames = parameters.map(\.name)
    check(Set(parameterNames).count == parameterNames.count, "two parameters have one name")
    let outputNames = outputs.map(\.name)
    check(Set(outputNames).count == outputNames.count, "two outputs have one name")
    for name in inputNames + parameterNames {
      check(Self.isName(name), "'\(name)' is not made of small letters, digits and hyphens")
    }
    for name in parameterNames {
      check(!Self.reservedNames.contains(name) && !name.hasPrefix("no-"), "'\(name)' is a word of the commands")
    }
    for sentence in [summary, claim] + inputs.map(\.meaning) + parameters.map(\.meaning) + outputs.map(\.meaning) {
      check(sentence.hasSuffix("."), "no full stop at the end of '\(sentence)'")
    }
    let words = example.split(separator: " ").map(String.init)
    check(words.starts(with: ["apus", "run", id]), "the example does not begin with 'apus run \(id)'")
    do {
      _ = try RunArguments(Self.withoutCommonOptions(words.dropFirst(3)), for: self)
    } catch {
      check(false, "the example does not work: \(error)")
    }
    return defects
  }

  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.first != "-" && text.last != "-"
      && text.allSatisfy { $0 == "-" || ($0.isASCII && ($0.isLowercase || $0.isNumber)) }
  }

  private static func withoutCommonOptions(_ words: ArraySlice<String>) -> [String] {
    var result: [String] = []
    var rest = words
    while let word = rest.popFirst() {
      if ["-o", "--output", "--seed", "--report"].contains(word) {
        _ = rest.popFirst()
      } else if word != "--json" {
        result.append(word)
      }
    }
    return result
  }
}
