import CatalogueCore
import Foundation
import Testing

@Suite struct PageTests {
  static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("check-report.sh")

  @Test func textFromPeopleIsEscaped() {
    let text = "<script>alert(1)</script> & \"x\" {{title}} {{{style}}}"
    let report = Report(
      title: text, subtitle: text,
      sections: [
        .init(
          id: "a", title: text,
          blocks: [
            .text(text), .note(text), .command(text), .facts([Fact(text, text)]),
            .table(Table(text, columns: [text], rows: [[text]], caption: text)),
            .checks([Check(text, claimed: text, measured: text, holds: true)]),
            .plot(Plot(text, caption: text, x: "x", y: "y", [Series(text, [1, 2])])),
          ])
      ], provenance: [Fact(text, text)])
    let page = report.html()
    #expect(!page.contains("<script"))
    #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"))
    #expect(page.contains("{{title}}"), "text is not taken for a template")
  }

  @Test func thePageNeedsNothingElse() {
    let page = Gallery.report.html()
    #expect(!page.contains("<link") && !page.contains("@import") && !page.contains("<script") && !page.contains("src="))
    #expect(page.contains("prefers-color-scheme: dark"))
    #expect(page.contains("name=\"viewport\""))
  }

  @Test func theVerdictCounts() {
    let page = Gallery.report.html()
    #expect(page.contains("1 of 2 claims hold, 4 of 5 checks passed"))
    #expect(page.contains("href=\"#weibull\"") && page.contains("id=\"weibull\""))
  }

  @Test(.timeLimit(.minutes(1))) func aBrowserFindsNothingWrong() throws {
    let folder = try ScratchFiles()
    let path = folder.path("report.html")
    try Gallery.report.html().write(toFile: path, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [Self.script.path, path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    // Exit code 3: there is no browser here to ask.
    #expect([0, 3].contains(process.terminationStatus), "\(text)")
  }
}
