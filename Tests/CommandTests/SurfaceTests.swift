import Foundation
import Testing

/// What holds for every command, whatever the catalogue offers.
@Suite struct SurfaceTests {
  @Test func methodsListsAll() throws {
    let outcome = try Apus.run("methods")
    #expect(outcome.status == 0 && outcome.complaints.isEmpty)
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 132 + 3, "a head, a rule, the methods, a closing line")
    #expect(lines.contains { $0.hasPrefix("weibull ") && $0.contains("Diagnostics") && $0.contains("A Two-Parameter") })
  }

  @Test func methodsAreMachineReadable() throws {
    let methods = try #require(try Apus.run("methods", "--json").json() as? [[String: String]])
    #expect(methods.count == 132)
    #expect(methods.allSatisfy { Set($0.keys) == ["id", "module", "title", "status"] })
    #expect(methods.allSatisfy { ["works", "planned"].contains($0["status"]) })
  }

  @Test func plannedMethodsShowTheirTitle() throws {
    let id = try #require(try Apus.ids("planned").first)
    let outcome = try Apus.run("show", id)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains(id) && outcome.output.contains("planned"))
    let json = try #require(try Apus.run("show", id, "--json").json() as? [String: String])
    #expect(json["id"] == id && json["status"] == "planned")
  }

  @Test func plannedMethodsRefusePolitely() throws {
    let id = try #require(try Apus.ids("planned").last)
    for arguments in [["run", id], ["run", id, "x=y", "--z", "1"], ["reproduce", id], ["reproduce", id, "--json"]] {
      let outcome = try Apus.run(arguments)
      #expect(outcome.status == 2)
      #expect(outcome.sentence?.contains("planned and not built yet") == true, "\(outcome)")
      #expect(outcome.output.isEmpty)
    }
  }

  @Test(arguments: ["show", "run", "reproduce"]) func anUnknownIdIsCorrected(command: String) throws {
    let outcome = try Apus.run(command, "weibul")
    #expect(outcome.status == 2)
    #expect(outcome.sentence?.contains("did you mean 'weibull'?") == true, "\(outcome)")
    let stranger = try Apus.run(command, "xyzzyxyzzy")
    #expect(stranger.status == 2)
    #expect(stranger.sentence?.contains("`apus methods` lists all") == true, "\(stranger)")
  }

  @Test(arguments: [
    (["frobnicate"], "no command 'frobnicate'"), (["metods"], "did you mean 'methods'?"),
    (["methods", "--jso"], "--jso"), (["methods", "stray"], "stray"), (["show"], "<id>"), (["run"], "<id>"),
    (["reproduce"], "give ids"), (["reproduce", "--all", "weibull"], "not both"),
    (["reproduce", "weibull", "--seed", "-1"], "seed"), (["reproduce", "weibull", "--seed", "1.5"], "seed"),
    (["--frob"], "--frob"), (["reproduce", "weibull", "--report"], "--report"), (["show", ""], "no method ''"),
  ])
  func wrongUsageIsTwo(arguments: [String], part: String) throws {
    let outcome = try Apus.run(arguments)
    #expect(outcome.status == 2, "\(outcome)")
    #expect(outcome.sentence?.contains(part) == true, "\(outcome)")
    #expect(outcome.output.isEmpty, "\(outcome)")
  }

  @Test(arguments: [["--help"], ["show", "-h"], ["help", "reproduce"]])
  func helpHasAnExample(arguments: [String]) throws {
    let outcome = try Apus.run(arguments)
    #expect(outcome.status == 0 && outcome.complaints.isEmpty)
    #expect(outcome.output.contains("or example") && outcome.output.contains("  apus "), "\(outcome)")
  }

  /// Every command shows how it is used, with an example of itself, and its usage names all of its options.
  @Test func everyCommandHelps() throws {
    let all = try Apus.run("--help").output
    let list = try #require(all.range(of: "SUBCOMMANDS:\n")).upperBound
    // Names stand at the left, by two spaces; what follows them may go on in further lines.
    let commands = all[list...].split(separator: "\n")
      .filter { $0.hasPrefix("  ") && $0.dropFirst(2).first?.isLowercase == true }
      .compactMap { $0.split(separator: " ").first.map(String.init) }
    #expect(commands.count >= 24)
    for command in commands {
      let help = try Apus.run(command, "--help")
      #expect(help.status == 0 && help.complaints.isEmpty)
      let text = help.output.replacing("\n", with: " ")
      #expect(text.contains("or example") && text.contains("  apus \(command)"), "\(command)")
    }
    for command in ["frontier", "calibrate", "quantize", "solve", "generate", "compress", "prune", "evaluate"] {
      let help = try Apus.run(command, "--help").output
      let parts = help.components(separatedBy: "\nOPTIONS:\n")
      let usage = try #require(parts.first?.components(separatedBy: "USAGE: ").last)
      for line in try #require(parts.last).split(separator: "\n") {
        let option = line.split(separator: " ").first { $0.hasPrefix("--") }
        guard line.hasPrefix("  -"), let option, !["--version", "--help"].contains(option) else { continue }
        let isNamed = option.split(separator: "/").contains { usage.contains($0) }
        #expect(isNamed || (option == "--output" && usage.contains("-o <")), "\(command) \(option)")
      }
    }
  }

  @Test func wordsCannotSteerTheTerminal() throws {
    let outcome = try Apus.run("show", "evil\u{1B}[2J\nname")
    #expect(outcome.status == 2)
    #expect(outcome.sentence != nil && !outcome.complaints.contains("\u{1B}"), "\(outcome)")
  }

  @Test func theVersionIsPlain() throws {
    let outcome = try Apus.run("--version")
    #expect(outcome.status == 0)
    #expect(outcome.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
  }

  @Test func aFullDiskIsNoticed() throws {
    guard FileManager.default.fileExists(atPath: "/dev/full") else { return }
    let outcome = try Apus.run(["methods"], outputTo: "/dev/full")
    #expect(outcome.status == 2)
    #expect(outcome.sentence?.contains("standard output") == true, "\(outcome)")
  }

  @Test func aReaderThatLeavesIsNoError() throws {
    let folder = try ScratchFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "{ '\(Apus.executable.path)' methods --json; echo $? > status; } 2> complaints | head -c 1 > first",
    ]
    process.currentDirectoryURL = folder.url
    try process.run()
    process.waitUntilExit()
    #expect(try folder.text("status") == "0\n")
    #expect(try folder.text("complaints").isEmpty)
    #expect(try folder.text("first") == "[")
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func shellsLearnTheCommands(shell: String) throws {
    let outcome = try Apus.run("--generate-completion-script", shell)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("reproduce"))
  }
}

/// A folder that is removed with the test.
final class ScratchFolder: Sendable {
  let url = FileManager.default.temporaryDirectory.appendingPathComponent("apus-tests-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true) }
  deinit { try? FileManager.default.removeItem(at: url) }

  func path(_ name: String) -> String { url.appendingPathComponent(name).path }
  func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }
  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []).sorted() }
}
