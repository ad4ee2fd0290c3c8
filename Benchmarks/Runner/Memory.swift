// Memory, of either side in a process of its own: `--memory-of WORK` here, and the same words to peers.py.
//
// In a process that has done other work, what that work has left behind (recycled blocks, arenas, compiled kernels) hides
// what this one needs, or is counted as if it were needed.

import Foundation

/// How much more was resident at most than after the work was laid out: what peers.py prints, and this program.
struct MemoryUse: Codable {
  /// Megabytes (2^20 bytes) within the first execution, and within ten.
  var afterOne: Double
  var afterTen: Double

  /// Executes `work`, which must not have run in this process before.
  static func measure(_ work: () throws -> Void) rethrows -> MemoryUse {
    let before = status("VmRSS")
    // Forgets the highest resident size so far.
    if let file = fopen("/proc/self/clear_refs", "w") {
      fputs("5", file)
      fclose(file)
    }
    try work()
    let afterOne = status("VmHWM") - before
    for _ in 1..<10 { try work() }
    return MemoryUse(afterOne: afterOne, afterTen: status("VmHWM") - before)
  }

  private static func status(_ field: String) -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(field) } ?? ""
    let kilobytes = Double(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first ?? "") ?? 0
    return kilobytes / 1_024
  }

  /// What a fresh process prints.
  static func read(from program: String, _ arguments: [String], threads: Int) throws -> MemoryUse {
    let process = Process()
    let output = Pipe()
    // A file, so that nobody has to read it while the process writes.
    let complaints = ".bench/complaints.txt"
    _ = FileManager.default.createFile(atPath: complaints, contents: nil)
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = PeerProcess.environment(threads: threads)
    process.standardOutput = output
    process.standardError = FileHandle(forWritingAtPath: complaints)
    try process.run()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0, let use = try? JSONDecoder().decode(MemoryUse.self, from: text) else {
      let complaint = (try? String(contentsOfFile: complaints, encoding: .utf8)) ?? ""
      throw PeerError(message: complaint.split(separator: "\n").last.map(String.init) ?? "no answer")
    }
    return use
  }
}

/// Compares the memory of one work on both sides; the peer that needs least counts.
struct MemoryComparison {
  let python: String, script: String, folder: String
  let threads: Int
  /// What this program was called with besides.
  let options: [String]

  func measure(_ work: Work, peers: [String]) throws -> Row {
    var row = Row(work: work.name, unit: .megabytes, bound: 1)
    let program = CommandLine.arguments[0]
    do {
      let ours = try MemoryUse.read(from: program, [python] + options + ["--memory-of", work.name], threads: threads)
      row.ours = ours.afterTen
      row.oursAfterOne = ours.afterOne
    } catch let error as PeerError {
      row.failures["apus"] = error.message
      return row
    }
    for peer in peers {
      do {
        let theirs = try MemoryUse.read(
          from: python, [script, folder, "\(threads)", "--memory-of", work.name, peer], threads: threads)
        guard theirs.afterTen < row.theirs ?? .infinity else { continue }
        row.compare(with: peer, theirs.afterTen)
        row.theirsAfterOne = theirs.afterOne
      } catch let error as PeerError {
        row.failures[peer] = error.message
      }
    }
    return row
  }
}
