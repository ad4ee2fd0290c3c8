import ArgumentParser
import Catalogue
import CatalogueCore

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a method on your own files.",
    usage: "apus run <id> name=file ... [--parameter value ...] [-o <path>] [--seed <n>] [--report <dir>] [--json]",
    discussion: """
      Inputs are given as name=file (.npy, .npz, .safetensors, .csv, .tsv, .mtx), parameters as --name value; \
      `apus show ID` lists both. For example:

        apus run weibull weights=model.safetensors --trim middle80 -o fit.csv

      The path after -o decides how results are written: .npy or .csv for a single array, .npz or .safetensors for any \
      number; any other name is a folder.
      """)

  @Argument(help: "The method's id, as `apus methods` lists it.")
  var id: String

  @Argument(
    parsing: .allUnrecognized,
    help: ArgumentHelp("The method's inputs and parameters.", valueName: "name=file | --parameter value"))
  var words: [String] = []

  @Option(name: [.short, .long], help: "Where the resulting arrays go.")
  var output: String?

  @Option(help: "The seed of everything random.")
  var seed: UInt64 = ClaimSettings().seed

  @Option(help: ArgumentHelp("Also write report.html to this folder.", valueName: "dir"))
  var report: String?

  @Flag(help: "Print the summary and tables as JSON.")
  var json = false

  func run() throws {
    let method = try Catalogue.method(id)
    let card = method.card
    let progress = ProgressLine.shared.start(id)
    let request = try RunRequest(card, words, seed: seed, progress: progress)
    let start = ContinuousClock.now
    let outcome = try method.run(request)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if json { return Console.print(outcome.json(id: id, seconds: seconds, writtenTo: output).text) }
    let page = Report(title: "", sections: [Report.Section(outcome, card)])
    Console.print(page.text(width: Console.width()))
  }
}
