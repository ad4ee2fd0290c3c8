// apus-benchmarks PYTHON [--filter TEXT] [--rounds N] [--checkpoint PATH] [--output FOLDER] [--resume]: ours beside the
// peers; --resume keeps the rows that the folder has already, from a run that was cut short.
// apus-benchmarks PYTHON --memory-of WORK [--checkpoint PATH]: the memory of ten executions of one work, as JSON.

import Foundation
import Tensors

@main
struct Benchmarks {
  static func main() {
    // A peer that ends is an error of its row.
    signal(SIGPIPE, SIG_IGN)
    do {
      try run()
    } catch {
      print("apus-benchmarks: \(error)")
      exit(1)
    }
  }

  private static func run() throws {
    var arguments = Array(CommandLine.arguments.dropFirst())
    func option(_ name: String) -> String? {
      guard let at = arguments.firstIndex(of: name), at + 1 < arguments.count else { return nil }
      defer { arguments.removeSubrange(at...at + 1) }
      return arguments[at + 1]
    }
    let isResumed = arguments.contains("--resume")
    arguments.removeAll { $0 == "--resume" }
    let filter = option("--filter")
    let checkpoint = option("--checkpoint")
    let memoryOf = option("--memory-of")
    let rounds = option("--rounds").flatMap(Int.init)
    // A part of the rows does not replace the results of all.
    let output = option("--output") ?? (filter == nil ? "Benchmarks" : ".bench/filtered")
    let folder = ".bench/inputs"
    for path in [folder, output] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    let inputs = Inputs(folder: folder)
    var works = [
      coreWorks,
      algebraWorks,
      fourierWorks,
      sparseWorks,
      methodWorks,
      quantizationWorks,
      selectionWorks,
      pruningWorks,
      priorWorks,
      sketchingWorks,
      compressionRows,
      recoveryWorks,
      solverWorks,
      learningWorks,
    ].flatMap(\.self)
    if let checkpoint {
      works += checkpointWorks(checkpoint) + [encoderWork(checkpoint), encoderCompressionRow(checkpoint)]
    }
    if let memoryOf { return try printMemory(of: memoryOf, among: works, inputs) }
    if let filter { works = works.filter { $0.name.contains(filter) } }

    let script = "Benchmarks/peers.py"
    let peers = try arguments.first.map {
      try PeerProcess(python: $0, script: script, folder: folder, threads: threadCount)
    }
    defer { peers?.end() }
    let memory = arguments.first.map {
      MemoryComparison(
        python: $0, script: script, folder: folder, threads: threadCount,
        options: checkpoint.map { ["--checkpoint", $0] } ?? [])
    }
    var measurement = Measurement()
    if let rounds { measurement.rounds = rounds }
    let versions = try peers?.ask(["versions"]).versions ?? [:]
    let rows = isResumed ? try Results.rows(in: output) : []
    let known = Set(rows.filter { $0.unit == .milliseconds && ($0.peer != nil || peers == nil) }.map(\.work))
    works.removeAll { known.contains($0.name) }
    // What is measured again does not stand twice.
    let kept = rows.filter { known.contains($0.work) }
    var results = Results(rows: kept, machine: Machine.measured(), threads: threadCount, versions: versions)
    for work in works {
      let row = try measurement.measure(work, peers: peers, inputs: inputs)
      try results.add(row, to: output)
      guard work.comparesMemory, let memory, let peers else { continue }
      let names = (try? peers.ask(["prepare", work.name]).peers) ?? []
      try results.add(memory.measure(work, peers: names), to: output)
    }
    // The machine may have been busy before.
    results.machine = results.machine.best(with: Machine.measured())
    try results.write(to: output)
    print("\(results.summary); written to \(output)")
  }

  private static func printMemory(of name: String, among works: [Work], _ inputs: Inputs) throws {
    guard let work = works.first(where: { $0.name == name }) else { throw PeerError(message: "no work \(name)") }
    let use = try MemoryUse.measure(work.prepare(inputs).run)
    print(String(decoding: try JSONEncoder().encode(use), as: UTF8.self))
  }
}
