import ArgumentParser
import Catalogue
import CatalogueCore

struct MethodsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods", abstract: "List all methods: id, module, status and title.",
    discussion: """
      For example, the methods that work:

        apus methods | grep works
      """)

  @Flag(help: "Print JSON: an array of objects with id, module, title and status.")
  var json = false

  func run() throws {
    if json { return Console.print(JSONValue.array(Catalogue.entries.map(\.json)).text) }
    var table = Table("", columns: ["id", "module", "status", "title"])
    for entry in Catalogue.entries { table.add([entry.id, entry.module, entry.status, entry.title]) }
    let working = Catalogue.methods.count
    let closing = "\(Catalogue.entries.count) methods, \(working) of them work. More about one: apus show ID"
    let report = Report(title: "", sections: [.init(id: "", title: "", blocks: [.table(table), .text(closing)])])
    // Lines that another program reads are not broken.
    Console.print(report.text(width: Console.isTerminal ? Console.width() : 1000))
  }
}
