import Foundation

/// The built command, run as a person runs it.
enum Apus {
  struct Outcome {
    var status: Int32
    var output: String
    var complaints: String

    /// The complaint without its newline; nothing if there is not exactly one line that begins with "apus: ".
    var sentence: String? {
      let lines = complaints.split(separator: "\n")
      return lines.count == 1 && lines[0].hasPrefix("apus: ") ? String(lines[0]) : nil
    }

    func json() throws -> Any { try JSONSerialization.jsonObject(with: Data(output.utf8)) }
  }

  /// The command lies beside the tests' own binary, wherever the package was built.
  static let executable: URL = {
    let beside = [URL(fileURLWithPath: CommandLine.arguments[0]), Bundle.main.executableURL, Bundle.main.bundleURL]
      .compactMap { $0?.resolvingSymlinksInPath().deletingLastPathComponent() }
    let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let candidates = (beside + [package.appendingPathComponent(".build/release")]).map {
      $0.appendingPathComponent("apus")
    }
    return candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? candidates[0]
  }()

  /// Runs the command to its end. Streams go to files, so that nobody waits for a full pipe.
  static func run(_ arguments: [String], outputTo path: String? = nil) throws -> Outcome {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-command-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let output = path ?? folder.appendingPathComponent("output").path
    let complaints = folder.appendingPathComponent("complaints").path
    if path == nil { try Data().write(to: URL(fileURLWithPath: output)) }
    try Data().write(to: URL(fileURLWithPath: complaints))
    let process = Process()
    process.executableURL = executable
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: complaints))
    try process.run()
    process.waitUntilExit()
    func text(_ path: String) throws -> String {
      String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }
    return Outcome(
      status: process.terminationStatus, output: path == nil ? try text(output) : "", complaints: try text(complaints))
  }

  static func run(_ arguments: String...) throws -> Outcome { try run(arguments) }

  /// The ids that `apus methods` calls by this status.
  static func ids(_ status: String) throws -> [String] {
    let methods = try run("methods", "--json").json() as? [[String: String]] ?? []
    return methods.filter { $0["status"] == status }.compactMap { $0["id"] }
  }
}
