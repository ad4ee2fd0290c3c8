import ArgumentParser
import Catalogue
import CatalogueCore

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a method on your own files.",
    usage: "apus run <id> name=file ... [--parameter value ...] [-o <path>] [--seed <n>] [--report <dir>] [--json]",
    discussion: """
      Inputs are given as name=file (.npy, .npz, .safetensors, .csv, .tsv, .mtx; FILE#NAME is one array of several), \
      parameters as --name value; `apus show ID` lists both. For example:

        apus run weibull weights=model.safetensors -o fit.csv

      The name after -o decides how arrays are written: .npy, .csv, .tsv or .mtx for a single one, .npz or .safetensors \
      for any number; a name without an ending is a folder.
      """)

  @Argument(help: "The method's id, as `apus methods` lists it.")
  var id: String

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("The method's inputs and parameters.", valueName: "name=file | --parameter value"))
  var words: [String] = []

  @OptionGroup var options: RunOptions

  func run() throws { try options.run(id, words) }
}

/// What every way to run a method has in common: where results go, and how they are shown.
struct RunOptions: ParsableArguments {
  @Option(name: [.short, .long], help: ArgumentHelp("Where the resulting arrays go.", valueName: "path"))
  var output: String?

  @Option(help: ArgumentHelp("The seed of everything random.", valueName: "n"))
  var seed: UInt64 = ClaimSettings().seed

  @Option(help: ArgumentHelp("Also write report.html, with plots, to this folder.", valueName: "dir"))
  var report: String?

  @Flag(help: "Print the summary and the tables as JSON.")
  var json = false

  /// Where results go, checked before the work begins.
  struct Places {
    var output: OutputTarget?
    var report: ReportTarget?
  }

  func places(for card: MethodCard) throws -> Places {
    Places(
      output: try output.map { try OutputTarget($0, for: card) },
      report: try report.map { try ReportTarget(folder: $0) })
  }

  /// Runs a method on the files and parameters that were typed.
  func run(_ id: String, _ words: [String]) throws {
    let method = try Catalogue.method(id)
    let places = try places(for: method.card)
    let request = try RunRequest(method.card, words, seed: seed, progress: ProgressLine.shared.start(id))
    try present(method.card, places) { try method.run(request) }
  }

  /// Does the work, and writes and prints what came of it.
  func present(_ card: MethodCard, _ places: Places, _ work: () throws -> RunOutcome) throws {
    let start = ContinuousClock.now
    let outcome = try work()
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let summary = outcome.json(id: card.id, seconds: seconds, writtenTo: output)
    try places.output?.write(outcome, summary: summary)

    let section = Report.Section(outcome, card)
    try places.report?.write(page(card.id, section, seconds: seconds))
    if json { return Console.print(summary.text) }
    Console.print([section])
    if report == nil, let hint = Console.hint(figures: outcome.plots.count) { Console.print(hint) }
    for path in [output, places.report?.path].compactMap(\.self) { Console.print("written: \(path)") }
  }

  private func page(_ id: String, _ section: Report.Section, seconds: Double) -> Report {
    var section = section
    section.blocks.append(.command(CommandLine.typed))
    return Report(
      title: "Run of \(id)", sections: [section], provenance: Provenance.facts(seconds: seconds, seed: seed))
  }
}
