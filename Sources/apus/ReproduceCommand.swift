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

  @Option(help: "The seed of everything random.")
  var seed: UInt64 = ClaimSettings().seed

  @Flag(help: "Print JSON: an array with one object a method.")
  var json = false

  @Option(help: ArgumentHelp("Also write report.html, with plots, to this folder.", valueName: "dir"))
  var report: String?

  func run() throws {
    let methods = try chosenMethods()
    var reproductions: [Reproduction] = []
    for (i, method) in methods.enumerated() {
      let card = method.card
      let title = methods.count == 1 ? card.id : "\(card.id) (\(i + 1) of \(methods.count))"
      let progress = ProgressLine.shared.start(title)
      let reproduction = try Reproduction(of: method, ClaimSettings(isFull: full, seed: seed, progress: progress))
      reproductions.append(reproduction)
      if !json {
        let page = Report(title: "", sections: [Report.Section(reproduction, card)])
        Console.print(page.text(width: Console.width()))
      }
    }
    if json { Console.print(JSONValue.array(reproductions.map(\.json)).text) }
    guard reproductions.allSatisfy(\.passed) else { throw ExitCode(1) }
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
