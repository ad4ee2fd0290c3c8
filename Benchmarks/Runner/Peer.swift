// The other side: a Python process that does the same work with NumPy, SciPy, PyTorch and others.

import Foundation

/// Talks to peers.py in lines of JSON, and stops its process while Apus is measured: the threads of some peers go on
/// spinning long after their work is done, and would take a core.
final class PeerProcess {
  private let process = Process()
  private let input = Pipe(), output = Pipe()
  private var buffer = Data()

  struct Reply: Decodable {
    var peers: [String]?
    var seconds: Double?
    var value: Double?
    var versions: [String: String]?
    var error: String?
  }

  init(python: String, script: String, folder: String, threads: Int) throws {
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments = [script, folder, "\(threads)"]
    process.standardInput = input
    process.standardOutput = output
    process.environment = Self.environment(threads: threads)
    try process.run()
  }

  /// This process's, with so many threads for everybody.
  static func environment(threads: Int) -> [String: String] {
    var environment = ProcessInfo.processInfo.environment
    let names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "APUS_NUM_THREADS"]
    for name in names { environment[name] = "\(threads)" }
    return environment
  }

  func ask(_ words: [String]) throws -> Reply {
    kill(process.processIdentifier, SIGCONT)
    defer { kill(process.processIdentifier, SIGSTOP) }
    do {
      try input.fileHandleForWriting.write(contentsOf: JSONEncoder().encode(words) + Data("\n".utf8))
    } catch {
      throw PeerError(message: "the peers' process has ended")
    }
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        let line = buffer[..<end]
        buffer = Data(buffer[(end + 1)...])
        let reply = try JSONDecoder().decode(Reply.self, from: line)
        if let error = reply.error { throw PeerError(message: error) }
        return reply
      }
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw PeerError(message: "the peers' process ended") }
      buffer.append(more)
    }
  }

  func end() {
    kill(process.processIdentifier, SIGCONT)
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }
}

struct PeerError: Error, CustomStringConvertible {
  var message: String
  var description: String { message }
}

/// The folder through which both sides get the same input.
struct Inputs {
  let folder: String
}
