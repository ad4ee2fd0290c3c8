import Foundation
import Testing

/// What holds for every method that works, through the command line. What a method computes is tested with the method.
@Suite struct MethodTests {
  static let ids: [String] = (try? Apus.ids("works")) ?? []

  private func card(_ id: String) throws -> [String: Any] {
    try #require(try Apus.run("show", id, "--json").json() as? [String: Any])
  }

  @Test(arguments: ids) func theCardIsShown(id: String) throws {
    let card = try card(id)
    #expect(card["id"] as? String == id && card["status"] as? String == "works")
    let text = try Apus.run("show", id)
    #expect(text.status == 0)
    for list in ["inputs", "parameters", "outputs"] {
      for item in try #require(card[list] as? [[String: Any]]) {
        #expect(text.output.contains(try #require(item["name"] as? String)))
      }
    }
  }

  @Test(arguments: ids) func aMissingInputIsNamed(id: String) throws {
    let inputs = try #require(try card(id)["inputs"] as? [[String: Any]])
    guard let first = inputs.first(where: { $0["required"] as? Bool == true }) else { return }
    let outcome = try Apus.run("run", id)
    #expect(outcome.status == 2)
    #expect(outcome.sentence?.contains("\(first["name"] ?? "")=file") == true, "\(outcome)")
  }

  @Test(arguments: ids) func anUnknownParameterIsCorrected(id: String) throws {
    let parameters = try #require(try card(id)["parameters"] as? [[String: Any]])
    guard let name = parameters.first?["name"] as? String else { return }
    let outcome = try Apus.run("run", id, "--\(name)q", "1")
    #expect(outcome.status == 2)
    #expect(outcome.sentence?.contains("did you mean '--\(name)'?") == true, "\(outcome)")
  }

  @Test(arguments: ids) func unreadableFilesAreNamed(id: String) throws {
    let inputs = try #require(try card(id)["inputs"] as? [[String: Any]])
    let folder = try ScratchFolder()
    try Data().write(to: folder.url.appendingPathComponent("empty.npy"))
    try Data("\u{0}\u{1}\u{2} no numbers".utf8).write(to: folder.url.appendingPathComponent("foreign.npy"))
    for file in ["empty.npy", "foreign.npy", "missing.npy", "."] {
      let words = inputs.compactMap { $0["name"] as? String }.map { "\($0)=\(folder.path(file))" }
      let outcome = try Apus.run(["run", id] + words)
      #expect(outcome.status == 2, "\(file): \(outcome)")
      #expect(outcome.sentence != nil, "\(file): \(outcome)")
    }
  }

  @Test(arguments: ids) func outputThatCannotBeWrittenIsRefusedFirst(id: String) throws {
    let folder = try ScratchFolder()
    try FileManager.default.createSymbolicLink(atPath: folder.path("full.npz"), withDestinationPath: "/dev/full")
    for path in [folder.path("missing/out.npz"), folder.path("full.npz"), "/dev/full", folder.path("out.xyz")] {
      let outcome = try Apus.run("run", id, "-o", path)
      #expect(outcome.status == 2)
      #expect(outcome.sentence?.contains(path) == true || outcome.sentence?.contains("-o") == true, "\(outcome)")
    }
    let report = try Apus.run("run", id, "--report", "/dev/full")
    #expect(report.status == 2 && report.sentence?.contains("/dev/full") == true, "\(report)")
    #expect(folder.names == ["full.npz"], "nothing is left behind")
  }

  @Test(.enabled(if: ids.contains("weibull")), .timeLimit(.minutes(1))) func aClaimIsReproduced() throws {
    let folder = try ScratchFolder()
    let outcome = try Apus.run("reproduce", "weibull", "--json", "--report", folder.path("page"))
    #expect(outcome.status == 0 && outcome.complaints.isEmpty, "\(outcome)")
    let objects = try #require(try outcome.json() as? [[String: Any]])
    #expect(objects.count == 1)
    #expect(Set(objects[0].keys) == ["id", "passed", "seconds", "checks"])
    #expect(objects[0]["id"] as? String == "weibull" && objects[0]["passed"] as? Bool == true)
    let checks = try #require(objects[0]["checks"] as? [[String: Any]])
    #expect(!checks.isEmpty && checks.allSatisfy { $0["passed"] as? Bool == true })
    #expect(try folder.text("page/report.html").contains("apus reproduce weibull"))
  }

  @Test(.enabled(if: ids.contains("weibull"))) func aRunWritesWhatItSays() throws {
    let folder = try ScratchFolder()
    let rows = (0..<40).map { i in
      (0..<40).map { j in "\(sin(Double(i * 40 + j) * 1.7) + 1e-3)" }.joined(separator: ",")
    }
    try rows.joined(separator: "\n").write(toFile: folder.path("w.csv"), atomically: true, encoding: .utf8)
    let outcome = try Apus.run("run", "weibull", "weights=\(folder.path("w.csv"))", "-o", folder.path("fits"), "--json")
    #expect(outcome.status == 0, "\(outcome)")
    let object = try #require(try outcome.json() as? [String: Any])
    #expect(Set(object.keys) == ["id", "seconds", "summary", "tables", "notes", "outputs", "path"])
    #expect(folder.names == ["fits", "w.csv"])
    #expect(try folder.text("fits/summary.json").contains("\"id\": \"weibull\""))
  }
}
