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

  /// Runs a method on the files and parameters that were typed.
  func run(_ id: String, _ words: [String]) throws {
    let method = try Catalogue.method(id)
    let card = method.card
    let outputTarget = try output.map { try OutputTarget($0, for: card) }
    let reportTarget = try report.map { try ReportTarget(folder: $0) }
    let progress = ProgressLine.shared.start(id)
    let request = try RunRequest(card, words, seed: seed, progress: progress)

    let start = ContinuousClock.now
    let outcome = try method.run(request)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let summary = outcome.json(id: id, seconds: seconds, writtenTo: output)
    try outputTarget?.write(outcome, summary: summary)

    let section = Report.Section(outcome, card)
    try reportTarget?.write(page(id, section, seconds: seconds))
    if json { return Console.print(summary.text) }
    Console.print([section])
    if report == nil, let hint = Console.hint(figures: outcome.plots.count) { Console.print(hint) }
    for path in [output, reportTarget?.path].compactMap(\.self) { Console.print("written: \(path)") }
  }

  private func page(_ id: String, _ section: Report.Section, seconds: Double) -> Report {
    var section = section
    section.blocks.append(.command(CommandLine.typed))
    return Report(
      title: "Run of \(id)", sections: [section], provenance: Provenance.facts(seconds: seconds, seed: seed))
  }
}
