// RESULTS.md and results.json.

import FileFormats
import Foundation

struct Results {
  var rows: [Row]
  var machine: Machine
  var threads: Int
  var versions: [String: String]

  /// The rows of a run that was cut short.
  static func rows(in folder: String) throws -> [Row] {
    guard let data = FileManager.default.contents(atPath: "\(folder)/results.json") else { return [] }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode([Row].self, from: data)
  }

  /// Takes a row up, prints it, and writes what there is: a run that is cut short has what it measured.
  mutating func add(_ row: Row, to folder: String) throws {
    rows.append(row)
    let ratio = row.ratio.map { String(format: "%.2f of %@", $0, row.peer ?? "") } ?? "not compared"
    let error = row.errors.map { ", error \(number($0.ours)) against \($0.theirs.map(number) ?? "unknown")" } ?? ""
    let target = error + (row.bound.map { "  (target \($0))" } ?? "")
    print("\(row.work): \(String(format: "%.4g", row.ours)) \(row.unit.rawValue), \(ratio)\(target)")
    for (peer, failure) in row.failures.sorted(by: { $0.key < $1.key }) { print("  \(peer) failed: \(failure)") }
    fflush(nil)
    try write(to: folder)
  }

  /// How many targets are reached, of all there are.
  var summary: String {
    let bounded = rows.filter { $0.bound != nil }
    let failed = bounded.count(where: \.isFailed)
    let remark = failed == 0 ? "" : "; \(failed) could not be compared with every peer"
    return "\(bounded.count(where: \.isReached)) of \(bounded.count) targets reached\(remark)"
  }

  func write(to folder: String) throws {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var results = self
    for i in rows.indices { results.rows[i].floor = rows[i].cost?.time(on: machine) ?? rows[i].floor }
    try write(String(decoding: encoder.encode(results.rows), as: UTF8.self) + "\n", to: "\(folder)/results.json")
    try write(results.markdown, to: "\(folder)/RESULTS.md")
  }

  private func write(_ text: String, to path: String) throws {
    var file = try AtomicFile(path)
    try file.write(text)
    try file.commit()
  }

  private var markdown: String {
    let peers = versions.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    let rates = [machine.flopsSingle, machine.flopsDouble, machine.flopsBFloat16].map { number($0 / 1e9) }
    var text = """
      # Results

      Ours against the best peer on the same input (networks: the same batches and targets, own initial weights): medians
      of paired rounds, \(threads) threads on both sides. A ratio below one means that Apus needs less. Made by `make bench`.

      A round of ours and a round of each peer alternate, and take turns to go first. The peers' process is stopped while
      ours runs, and our threads sleep while it runs; each round starts with 20 ms of untimed repetitions, in which the
      system spreads the threads over the processors again, and then repeats short work for 5 ms. Floors are the least
      flops (of convolutions, direct ones) at the measured rate of a matrix product, or the least bytes at that of a copy;
      work whose data stay in the caches can be below the latter.

      * Processor: \(Self.processor)
      * Peers: \(peers)
      * Measured here: \(rates[0]) GFLOP/s in f32, \(rates[1]) in f64, \(rates[2]) with terms in bfloat16 (product of
        1536 x 1536 matrices), \(number(machine.bytes / 1e9)) GB/s read plus written (copy of 200 MB)
      * \(summary)

      ## Time

      | work | ours, ms | peer | peer, ms | ratio | target | fastest rounds, ms | floor, ms |
      | --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |

      """
    for row in rows where row.unit == .milliseconds {
      let floor = row.floor.map { "\(number($0)) (\(Int((100 * $0 / row.ours).rounded())) %)" } ?? ""
      text += line(cells(row) + [pair(row.oursFastest, row.theirsFastest), floor])
    }
    let judged = rows.filter { $0.errors != nil }
    if !judged.isEmpty {
      text += """

        ## Errors of the results

        Of work that could be done fast and badly: less is better, and a target counts only where ours is no larger.

        | work | ours | peer's |
        | --- | ---: | ---: |

        """
      for row in judged {
        text += line([row.work, row.errors.map { number($0.ours) } ?? "", row.errors?.theirs.map(number) ?? "unknown"])
      }
    }
    let memory = rows.filter { $0.unit == .megabytes }
    if !memory.isEmpty {
      text += """

        ## Memory

        How much more was resident at most during ten executions than before the first, when the work had been laid out:
        each side in a process of its own. The peer that needs least counts.

        | work | ours, MB | peer | peer, MB | ratio | target | after one, MB |
        | --- | ---: | --- | ---: | ---: | ---: | ---: |

        """
      for row in memory { text += line(cells(row) + [pair(row.oursAfterOne, row.theirsAfterOne)]) }
    }
    return text + missedTargets + failedRows
  }

  private func cells(_ row: Row) -> [String] {
    let ratio = row.ratio.map { row.isMissed ? "**\(number($0))**" : number($0) } ?? "not compared"
    return [
      row.work, number(row.ours), row.peer ?? "-", row.theirs.map(number) ?? "-", ratio,
      row.bound.map { "\($0)" } ?? "",
    ]
  }

  private func pair(_ ours: Double?, _ theirs: Double?) -> String {
    [ours, theirs].compactMap { $0.map(number) }.joined(separator: " / ")
  }

  private func line(_ cells: [String]) -> String { "| \(cells.joined(separator: " | ")) |\n" }

  private var missedTargets: String {
    let missed = rows.filter(\.isMissed)
    guard !missed.isEmpty else { return "" }
    var text = "\n## Targets missed\n\n| work | ratio | of the fastest rounds | why |\n| --- | ---: | ---: | --- |\n"
    for row in missed {
      var fastest: Double?
      if let ours = row.oursFastest, let theirs = row.theirsFastest { fastest = ours / theirs }
      let isNear = fastest.map { $0 <= row.bound ?? 0 } ?? false
      let known = row.unit == .milliseconds ? reasons[row.work] : memoryReasons[row.work]
      let isWorse = row.hasLargerError
      let why =
        isWorse
        ? "The error is larger than the peer's."
        : isNear ? "The fastest rounds reach it: other load in the slower ones." : known ?? "-"
      let name = row.unit == .milliseconds ? row.work : "\(row.work), memory"
      text += line([name, row.ratio.map(number) ?? "-", fastest.map(number) ?? "-", why])
    }
    return text
  }

  private var failedRows: String {
    let failed = rows.filter(\.isFailed)
    guard !failed.isEmpty else { return "" }
    var text = "\n## Not compared\n\n| work | peer | what it said |\n| --- | --- | --- |\n"
    for row in failed {
      let failures = row.failures.isEmpty ? ["-": "no peer"] : row.failures
      for (peer, failure) in failures.sorted(by: { $0.key < $1.key }) {
        text += line([row.work, peer, failure.replacing("|", with: "\\|")])
      }
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
