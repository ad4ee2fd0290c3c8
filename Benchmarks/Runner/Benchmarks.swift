// apus-benchmarks PYTHON [--filter TEXT] [--rounds N] [--checkpoint PATH]: ours beside the peers.

import Foundation
import Tensors

@main
struct Benchmarks {
  static func main() throws {
    var arguments = Array(CommandLine.arguments.dropFirst())
    func option(_ name: String) -> String? {
      guard let at = arguments.firstIndex(of: name), at + 1 < arguments.count else { return nil }
      defer { arguments.removeSubrange(at...at + 1) }
      return arguments[at + 1]
    }
    let filter = option("--filter")
    let checkpoint = option("--checkpoint")
    let rounds = option("--rounds").flatMap(Int.init)
    let output = option("--output") ?? "Benchmarks"
    let folder = ".bench/inputs"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let peers = try arguments.first.map {
      try PeerProcess(python: $0, script: "Benchmarks/peers.py", folder: folder, threads: threadCount)
    }
    defer { peers?.end() }

    let machine = measureMachine()
    var works = coreWorks + algebraWorks + fourierWorks + sparseWorks + methodWorks + learningWorks + compressionRows
    if let checkpoint {
      works += checkpointWorks(checkpoint) + [encoderWork(checkpoint), encoderCompressionRow(checkpoint)]
    }
    if let filter { works = works.filter { $0.name.contains(filter) } }
    var measurement = Measurement()
    if let rounds { measurement.rounds = rounds }
    let versions = try peers?.ask(["versions"]).versions ?? [:]
    var results = Results(rows: [], machine: machine, threads: threadCount, versions: versions)
    for work in works {
      let row = try measurement.measure(work, peers: peers, inputs: Inputs(folder: folder), machine: machine)
      let ratio = row.ratio.map { String(format: "%.2f of %@", $0, row.peer ?? "") } ?? row.note ?? "no peer"
      let target = row.bound.map { "  (target \($0))" } ?? ""
      print("\(work.name): \(String(format: "%.4g", row.oursMs)) ms, \(ratio)\(target)")
      fflush(nil)
      results.rows.append(row)
      // After each row, so that a run that is cut short has what it measured.
      try results.write(to: output)
    }
  }

  /// The rates of a large product and a large copy: what floors are reckoned with.
  static func measureMachine() -> Machine {
    func best(_ rounds: Int, _ body: () -> Void) -> Double {
      (0..<rounds).map { _ in
        let start = now()
        body()
        return now() - start
      }.min() ?? .infinity
    }
    var random = RandomStream(seed: 1)
    let n = 2_048
    let single: Tensor<Float> = random.normal([n, n])
    let double: Tensor<Double> = random.normal([n, n])
    let flops = 2 * Double(n * n * n)
    let large = Tensor<Float>.zeros([50_000_000])
    return Machine(
      flopsSingle: flops / best(5) { keep(single.matmul(single)) },
      flopsDouble: flops / best(5) { keep(double.matmul(double)) },
      bytes: 400e6 / best(5) { keep(large + Float(0)) })
  }
}
