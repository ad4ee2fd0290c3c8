import ArgumentParser
import Catalogue
import CatalogueCore

struct ShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one method: what it does, what it needs, what it gives.",
    discussion: """
      For example:

        apus show weibull
      """)

  @Argument(help: "The method's id, as `apus methods` lists it.")
  var id: String

  @Flag(help: "Print the card as JSON.")
  var json = false

  func run() throws {
    let entry = try Catalogue.entry(id)
    if let card = entry.method?.card {
      return Console.print(json ? card.json.text : card.report.text(width: Console.width()))
    }
    if json { return Console.print(entry.json.text) }
    Console.print(
      "\(entry.id) — \(entry.title)\n\nThis method of the module \(entry.module) is planned, not built yet.")
  }
}
