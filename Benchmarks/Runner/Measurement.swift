// Paired timing: a round of ours, a round of each peer, again and again; medians at the end.

import Foundation

struct Row: Codable {
  var work: String
  var oursMs: Double
  var peer: String?
  var peerMs: Double?
  var ratio: Double?
  var bound: Double?
  var floorMs: Double?
  var oursPeakMb: Double?
  var peerPeakMb: Double?
  /// The fastest round of either side: what a quiet moment gives.
  var oursMinMs: Double
  var peerMinMs: Double?
  var note: String?
}

func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Forgets the highest resident size so far, and reads the one since.
enum PeakMemory {
  static func reset() {
    guard let file = fopen("/proc/self/clear_refs", "w") else { return }
    fputs("5", file)
    fclose(file)
  }

  private static func status(_ field: String) -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(field) } ?? ""
    return Double(line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first ?? "") ?? 0
  }

  /// Megabytes.
  static var resident: Double { status("VmRSS") / 1_024 }
  static var highest: Double { status("VmHWM") / 1_024 }
}

struct Measurement {
  var rounds = 7
  /// Seconds that a round should at least take; short work is repeated until it does.
  var roundTime = 0.004

  func measure(_ work: Work, peers: PeerProcess?, inputs: Inputs, machine: Machine) throws -> Row {
    let ours = try work.prepare(inputs)
    let before = PeakMemory.resident
    PeakMemory.reset()
    try ours()
    let peak = PeakMemory.highest - before
    // How often work must be repeated to fill a round.
    let start = now()
    try ours()
    let once = max(now() - start, 1e-9)
    let repeats = max(1, min(100_000, Int(roundTime / once)))
    var names: [String] = []
    var note: String?
    if let peers {
      do {
        names = try peers.ask(["prepare", work.name]).peers ?? []
      } catch let error as PeerError {
        note = error.message
      }
    }
    var ourTimes: [Double] = []
    var peerTimes: [String: [Double]] = [:]
    var peerPeaks: [String: Double] = [:]
    for round in 0..<(once > 1 ? 3 : rounds) {
      let start = now()
      for _ in 0..<repeats { try ours() }
      ourTimes.append((now() - start) / Double(repeats) * 1e3)
      for name in names {
        guard let reply = try? peers?.ask(["run", name, "\(roundTime)"]), let seconds = reply.seconds else { continue }
        // The first round of a peer warms it up.
        if round > 0 { peerTimes[name, default: []].append(seconds * 1e3) }
        if let bytes = reply.peakBytes, round == 0 { peerPeaks[name] = Double(bytes) / 1_048_576 }
      }
    }
    let best = peerTimes.min { median($0.value) < median($1.value) }
    let oursMedian = median(Array(ourTimes.dropFirst()))
    return Row(
      work: work.name, oursMs: oursMedian, peer: best?.key, peerMs: best.map { median($0.value) },
      ratio: best.map { oursMedian / median($0.value) }, bound: work.bound, floorMs: work.floor?.time(on: machine),
      oursPeakMb: peak, peerPeakMb: best.flatMap { peerPeaks[$0.key] }, oursMinMs: ourTimes.min() ?? 0,
      peerMinMs: best?.value.min(), note: note)
  }
}
