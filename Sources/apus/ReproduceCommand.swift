import ArgumentParser
import Catalogue
import CatalogueCore

struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce", abstract: "Execute a paper's claim, and print claimed against measured.",
    usage: "apus reproduce <id> ... | --all [--full] [--seed <n>] [--json] [--report <dir>]",
    discussion: """
      The quick form of a claim takes seconds, the full form is the specification's. The exit code is 1 when a check \
      fails. For example:

        apus reproduce weibull --report out
      """)

  @Argument(help: "The ids of methods, as `apus methods` lists them.")
  var ids: [String] = []

  @Flag(help: "Every method that works.")
  var all = false

  @Flag(help: "The full size of each experiment, instead of the quick one.")
  var full = false

  @Option(help: ArgumentHelp("The seed of everything random.", valueName: "n"))
  var seed: UInt64 = ClaimSettings().seed

  @Flag(help: "Print JSON: an array with one object a method.")
  var json = false

  @Option(help: ArgumentHelp("Also write report.html, with plots, to this folder.", valueName: "dir"))
  var report: String?

  func run() throws {
    let methods = try chosenMethods()
    let reportTarget = try report.map { try ReportTarget(folder: $0) }
    var reproductions: [Reproduction] = []
    var sections: [Report.Section] = []
    for (i, method) in methods.enumerated() {
      let card = method.card
      let title = methods.count == 1 ? card.id : "\(card.id) (\(i + 1) of \(methods.count))"
      let progress = ProgressLine.shared.start(title)
      let reproduction = try Reproduction(of: method, ClaimSettings(isFull: full, seed: seed, progress: progress))
      reproductions.append(reproduction)
      sections.append(Report.Section(reproduction, card))
      if !json {
        let page = Report(title: "", sections: [sections[i]])
        Console.print((i == 0 ? "" : "\n") + page.text(width: Console.width()))
      }
    }
    if json { Console.print(JSONValue.array(reproductions.map(\.json)).text) }
    let failed = reproductions.filter { !$0.passed }.map(\.id)
    if !json, methods.count > 1 {
      let held = "\(methods.count - failed.count) of \(methods.count) claims hold"
      Console.print("\n" + held + (failed.isEmpty ? "" : "; not: " + failed.joined(separator: ", ")))
    }
    if let reportTarget {
      let seconds = reproductions.reduce(0) { $0 + $1.seconds }
      try reportTarget.write(page(sections, seconds: seconds))
      if !json { Console.print("written: \(reportTarget.path)") }
    }
    let figures = reproductions.reduce(0) { $0 + $1.evidence.plots.count }
    if !json, report == nil, let hint = Console.hint(figures: figures) { Console.print(hint) }
    guard failed.isEmpty else { throw ExitCode(1) }
  }

  private func page(_ sections: [Report.Section], seconds: Double) -> Report {
    Report(
      title: sections.count == 1 ? "The claim of \(sections[0].id)" : "The claims of \(sections.count) methods",
      subtitle:
        "What the paper\(sections.count == 1 ? " says" : "s say") against what was measured here, at \(full ? "full" : "quick") size.",
      sections: sections, provenance: Provenance.facts(seconds: seconds, seed: seed))
  }

  private func chosenMethods() throws -> [any CataloguedMethod] {
    if all {
      guard ids.isEmpty else { throw UsageError("give either ids or --all, not both") }
      return Catalogue.methods
    }
    guard !ids.isEmpty else { throw UsageError("which method? give ids as `apus methods` lists them, or --all") }
    var seen: Set<String> = []
    return try ids.filter { seen.insert($0).inserted }.map(Catalogue.method)
  }
}
