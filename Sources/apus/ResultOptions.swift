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
        provenance: Provenance.facts(seconds: results.seconds)))
    if json { return Console.print(results.json.text) }
    Console.print(results.summary ?? results.sections)
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
    var warnings: [String] = []
    /// The file that was written.
    var output: String?
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
