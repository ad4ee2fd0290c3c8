import CatalogueCore
import FileFormats
import Foundation
import Tensors
import Testing

@Suite struct OutputTests {
  let folder: ScratchFiles
  let card = ToyMethod().card
  let outcome = RunOutcome(outputs: [OutputArray(ToyMethod().mean, Tensor<Double>([1, 2.5]))])

  init() throws { folder = try ScratchFiles() }

  private func complaint(_ path: String, _ card: MethodCard) -> String {
    do {
      _ = try OutputTarget(path, for: card)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: ["out.npy", "out.npz", "out.safetensors", "out.csv", "out.tsv"])
  func theEndingDecides(name: String) throws {
    let path = folder.path(name)
    try OutputTarget(path, for: card).write(outcome, summary: .null)
    let back = try readArray(path).asDouble()
    #expect(back.scalars == [1, 2.5])
    #expect(folder.names == [name])
  }

  @Test(arguments: ["results", "results.v2/", "deep/er/results"])
  func otherNamesAreFolders(name: String) throws {
    let path = folder.path(name) + (name.hasSuffix("/") ? "/" : "")
    for _ in 0..<2 {
      try OutputTarget(path, for: card).write(outcome, summary: ["id": "toy-mean"])
      #expect(try readNPY(path + "/mean.npy").asDouble() == Tensor([1, 2.5]))
      #expect(try String(contentsOfFile: path + "/summary.json", encoding: .utf8).contains("toy-mean"))
      let parent = (path as NSString).deletingLastPathComponent
      #expect(try FileManager.default.contentsOfDirectory(atPath: parent).count == 1, "nothing else is left")
    }
  }

  @Test func anExistingFolderKeepsItsFiles() throws {
    let path = folder.path("results")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try "mine".write(toFile: path + "/notes.txt", atomically: true, encoding: .utf8)
    try OutputTarget(path, for: card).write(outcome, summary: .null)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted() == ["mean.npy", "notes.txt", "summary.json"])
  }

  @Test func namesOfArraysCannotLeaveTheFolder() throws {
    let names = ["../../escape", "a/b", "a_b", "", ".", "..", "x\u{0}y", String(repeating: "long", count: 100)]
    let outcome = RunOutcome(outputs: names.map { OutputArray($0, Tensor<Double>([1])) })
    try OutputTarget(folder.path("out"), for: card).write(outcome, summary: .null)
    #expect(folder.names == ["out"])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("out")).count == names.count + 1)
  }

  @Test func whatCannotBeWrittenIsRefusedAtOnce() throws {
    var two = card
    two.outputs.append(MethodOutput("other", "Another.", shape: "[1]"))
    #expect(complaint(folder.path("out.npy"), two).contains("gives 2 arrays"))
    #expect(complaint(folder.path("out.npz"), two) == "no error")
    two.outputs = []
    #expect(complaint(folder.path("out.npy"), two).contains("leave -o out"))
    #expect(complaint(folder.path("out.xyz"), card).contains("the ending tells no format"))
    #expect(complaint(folder.path("missing/out.npy"), card).contains("its folder does not exist"))
    #expect(complaint("/dev/full", card).contains("not a folder"))
    #expect(complaint("", card).contains("needs a file"))
    let link = folder.path("full.npy")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "/dev/full")
    #expect(complaint(link, card).contains("device"))
    #expect(folder.names == ["full.npy"], "checking leaves nothing behind")
  }

  @Test func aFailureLeavesTheOldFile() throws {
    let path = folder.path("out.npy")
    try writeNPY(Tensor<Double>([7]), to: path)
    let target = try OutputTarget(path, for: card)
    let none = RunOutcome(outputs: [])
    #expect(throws: (any Error).self) { try target.write(none, summary: .null) }
    #expect(try readNPY(path).asDouble() == Tensor([7]))
    #expect(folder.names == ["out.npy"])
  }

  @Test func reportsAreWrittenWhole() throws {
    let target = try ReportTarget(folder: folder.path("new/report"))
    #expect(folder.names == [], "nothing is made before there is something to write")
    try target.write(Report(title: "A title"))
    #expect(try String(contentsOfFile: folder.path("new/report/report.html"), encoding: .utf8).contains("</html>"))
    #expect(throws: (any Error).self) { _ = try ReportTarget(folder: "/dev/full") }
    #expect(throws: (any Error).self) { _ = try ReportTarget(folder: "") }
  }
}
