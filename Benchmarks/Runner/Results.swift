// RESULTS.md and results.json.

import FileFormats
import Foundation

struct Results {
  var rows: [Row]
  var machine: Machine
  var threads: Int
  var versions: [String: String]

  func write(to folder: String) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try write(String(decoding: encoder.encode(rows), as: UTF8.self) + "\n", to: "\(folder)/results.json")
    try write(markdown, to: "\(folder)/RESULTS.md")
  }

  private func write(_ text: String, to path: String) throws {
    var file = try AtomicFile(path)
    try file.write(text)
    try file.commit()
  }

  private var markdown: String {
    let bounded = rows.filter { $0.bound != nil && $0.ratio != nil }
    let reached = bounded.count { $0.ratio! <= $0.bound! }
    let peers = versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    var text = """
      # Results

      Ours against the best peer on the same input: medians of paired rounds, \(threads) threads on both sides. A ratio
      below one means that Apus is faster. Made by `make bench`.

      A round of ours and a round of each peer alternate, and take turns to go first. The peers' process is stopped while
      ours runs, and our threads sleep while it runs; each round starts with 20 ms of untimed repetitions, in which the
      system spreads the threads over the processors again, and then repeats short work for 5 ms. Floors are the least
      flops at the measured rate of a matrix product, or the least bytes at that of a copy; work whose data stay in the
      caches can be below the latter. Memory is how much more than before was resident at most, ours and the peer's.

      * Processor: \(Self.processor)
      * Peers: \(peers)
      * Measured here: \(number(machine.flopsSingle / 1e9)) GFLOP/s in f32 and \(number(machine.flopsDouble / 1e9)) in f64
        (product of 2048 x 2048 matrices), \(number(machine.bytes / 1e9)) GB/s read plus written (copy of 400 MB)
      * \(reached) of \(bounded.count) targets reached

      | work | ours, ms | peer | peer, ms | ratio | target | fastest rounds, ms | floor, ms | peak memory, MB |
      | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |

      """
    for row in rows {
      let ratio = row.ratio.map { row.isMissed ? "**\(number($0))**" : number($0) } ?? row.note ?? "-"
      let fastest = number(row.oursMinMs) + (row.peerMinMs.map { " / \(number($0))" } ?? "")
      let floor = row.floorMs.map { "\(number($0)) (\(Int((100 * $0 / row.oursMs).rounded())) %)" } ?? ""
      let memory = (row.oursPeakMb.map { number($0) } ?? "-") + (row.peerPeakMb.map { " / \(number($0))" } ?? "")
      let cells = [
        row.work, number(row.oursMs), row.peer ?? "-", row.peerMs.map(number) ?? "-", ratio,
        row.bound.map { "\($0)" } ?? "", fastest, floor, memory,
      ]
      text += "| \(cells.joined(separator: " | ")) |\n"
    }
    let missed = rows.filter { $0.isMissed }
    guard !missed.isEmpty else { return text }
    text += "\n## Targets missed\n\n| work | ratio | of the fastest rounds | why |\n| --- | ---: | ---: | --- |\n"
    for row in missed {
      let fastest = row.peerMinMs.map { row.oursMinMs / $0 }
      let isNear = fastest.map { $0 <= row.bound ?? 0 } ?? false
      let why = reasons[row.work] ?? (isNear ? "The fastest rounds reach it: other load in the slower ones." : "-")
      text += "| \(row.work) | \(row.ratio.map(number) ?? "-") | \(fastest.map(number) ?? "-") | \(why) |\n"
    }
    return text
  }

  private func number(_ value: Double) -> String { String(format: value < 0.01 ? "%.2g" : "%.3g", value) }

  private static var processor: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line.map { $0.split(separator: ":").last!.trimmingCharacters(in: .whitespaces) } ?? "unknown"
  }
}
