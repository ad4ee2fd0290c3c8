import CatalogueCore
import Foundation
import Testing

@Suite struct TextTests {
  @Test func valuesReadWell() {
    #expect(Datum.integer(22_713_216).text == "22,713,216")
    #expect(Datum.integer(-12_345).text == "-12,345")
    #expect(Datum.integer(1024).text == "1024")
    #expect(Datum.integer(.min).text == "-9,223,372,036,854,775,808")
    #expect(1.20543432.datum.text == "1.2054")
    #expect([1, 2].datum.text == "[1, 2]")
    #expect(Double?.none.datum.text == "–")
  }

  @Test func labelsBecomeDifferentNames() throws {
    let outcome = RunOutcome(
      summary: [Fact("Relative error", 0.1), Fact("relative-error", 0.2), Fact("σ²", 1), Fact("%", 2)])
    let text = outcome.json(id: "x", seconds: 1, writtenTo: nil).text
    for name in ["\"relative_error\"", "\"relative_error_2\"", "\"value\""] { #expect(text.contains(name), "\(text)") }
  }

  @Test(arguments: [40, 60, 80, 110, 200]) func linesFitTheTerminal(width: Int) throws {
    let reproduction = try Reproduction(of: ToyMethod(), ClaimSettings())
    let section = Report.Section(reproduction, ToyMethod().card)
    let long = Table(
      "", columns: ["id", "title"],
      rows: [["weibull", String(repeating: "many words ", count: 30)], ["eva", "short"]])
    let report = Report(
      title: "", sections: [section, .init(id: "t", title: "Table", blocks: [.table(long)])])
    for line in report.text(width: width).split(separator: "\n") where width >= 80 || line.contains("many words") {
      #expect(line.count <= width, "'\(line)'")
    }
  }

  @Test func tablesAlign() {
    let table = Table("", columns: ["name", "rank"], rows: [["a", 7], ["long name", 1234]])
    let text = Report(title: "", sections: [.init(id: "", title: "", blocks: [.table(table)])]).text(width: 80)
    #expect(text == "name       rank\n---------  ----\na             7\nlong name  1234\n")
  }

  @Test func aCardShowsEverything() throws {
    let card = ToyMethod().card
    let text = card.report.text(width: 100)
    let parts = card.inputs.map(\.name) + card.parameters.map { "--" + $0.name } + card.outputs.map(\.name)
    for part in parts + [card.example, "Medians", "arxiv.org", card.title] { #expect(text.contains(part), "\(part)") }
    let json = try #require(try JSONSerialization.jsonObject(with: Data(card.json.text.utf8)) as? [String: Any])
    let parameters = try #require(json["parameters"] as? [[String: Any]])
    #expect(
      parameters.map { $0["type"] as? String } == ["choice", "number", "integer", "flag", "integer", "list of numbers"])
    #expect(parameters[1]["default"] as? Double == 1)
    #expect(parameters[4]["default"] as? Int == 100)
  }
}
