import CatalogueCore

/// What a command that is no method's own prints, and writes as a page.
struct PlainReport {
  var title: String
  var facts: [Fact]
  var plots: [Plot]
  var seconds: Double

  /// Writes the page, if one is wanted, and prints the facts, or `json` in their place; then what was written where.
  func present(_ target: ReportTarget?, json: JSONValue?, output: String?, seed: UInt64? = nil) throws {
    let section = Report.Section(
      id: title, title: title, blocks: [.facts(facts)] + plots.map { .plot($0) } + [.command(CommandLine.typed)])
    try target?.write(
      Report(title: title, sections: [section], provenance: Provenance.facts(seconds: seconds, seed: seed)))
    if let json { return Console.print(json.text) }
    let plain = Report.Section(id: "", title: "", blocks: [.facts(facts)])
    Console.print(Report(title: "", sections: [plain]).text(width: Console.width()))
    if target == nil, let hint = Console.hint(figures: plots.count) { Console.print(hint) }
    for path in [output, target?.path].compactMap(\.self) { Console.print("written: \(path)") }
  }
}
