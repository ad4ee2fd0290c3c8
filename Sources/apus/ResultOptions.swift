import ArgumentParser
import CatalogueCore

/// How the results of a job are shown: as text or JSON, and on a page.
struct ResultOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Also write report.html, with plots, to this folder.", valueName: "dir"))
  var report: String?

  @Flag(help: "Print JSON.")
  var json = false

  /// Where the page goes. It is asked for before the work begins, so that a place that cannot be written is told then.
  func page() throws -> ReportTarget? { try report.map { try ReportTarget(folder: $0) } }

  /// Writes the page, and prints the results.
  func show(_ results: Results, to page: ReportTarget?) throws {
    try page?.write(
      Report(
        title: results.title, subtitle: results.subtitle, sections: results.sections,
        provenance: Provenance.facts(seconds: results.seconds, seed: results.seed)))
    if json { return Console.print(results.json.text) }
    Console.print(results.summary ?? results.sections)
    let figures = results.sections.flatMap(\.blocks).count { if case .plot = $0 { true } else { false } }
    if page == nil, let hint = Console.hint(figures: figures) { Console.print(hint) }
    for warning in results.warnings.prefix(3) { Console.complain(warning) }
    for path in [results.output, page?.path].compactMap(\.self) { Console.print("written: \(path)") }
  }

  /// What there is to show.
  struct Results {
    var title: String
    var subtitle: String
    var sections: [Report.Section]
    /// What a terminal shows instead of all sections.
    var summary: [Report.Section]?
    var json: JSONValue
    var seconds: Double
    var seed: UInt64?
    var warnings: [String] = []
    /// The file that was written.
    var output: String?

    /// Facts, which a terminal shows, and plots for the page.
    static func facts(
      _ facts: [Fact], plots: [Plot], title: String, json: JSONValue, seconds: Double, seed: UInt64? = nil,
      output: String?
    ) -> Results {
      let blocks: [Report.Block] = [.facts(facts)] + plots.map { .plot($0) } + [.command(CommandLine.typed)]
      return Results(
        title: title, subtitle: "", sections: [.init(id: title, title: "", blocks: blocks)],
        summary: [.init(id: "", title: "", blocks: [.facts(facts)])], json: json, seconds: seconds, seed: seed,
        output: output)
    }
  }
}

extension Console {
  /// Prints sections in the width of the terminal.
  static func print(_ sections: [Report.Section]) {
    print(Report(title: "", sections: sections).text(width: width()))
  }

  /// Prints facts and tables without a title.
  static func print(_ blocks: [Report.Block]) { print([Report.Section(id: "", title: "", blocks: blocks)]) }
}
