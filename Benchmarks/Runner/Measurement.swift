// Paired timing: a round of ours, a round of each peer, again and again; medians at the end.
//
// The peers' process is stopped while ours runs, and our threads sleep while it runs. Each side then needs a moment until
// the system has spread its threads over the processors again (measured: for ten milliseconds both may share one, and
// everything takes twice as long), so each round starts with untimed repetitions. Which side goes first alternates.

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

  var isMissed: Bool {
    guard let ratio, let bound else { return false }
    return ratio > bound
  }
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
  var roundTime = 0.005
  /// Seconds of untimed repetitions before each round.
  var settlingTime = 0.02

  func measure(_ work: Work, peers: PeerProcess?, inputs: Inputs, machine: Machine) throws -> Row {
    let ours = try work.prepare(inputs)
    let before = PeakMemory.resident
    PeakMemory.reset()
    try ours()
    let peak = PeakMemory.highest - before
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
    var round = 0
    // Round 0 warms up. Work that takes seconds is repeated less often.
    while round <= (ourTimes.first ?? 0 > 1e3 ? 3 : rounds) {
      if round % 2 == 0 { ourTimes.append(try time(ours)) }
      for name in round % 4 < 2 ? names : names.reversed() {
        let settling = round == 0 ? 0 : settlingTime
        guard let reply = try? peers?.ask(["run", name, "\(roundTime)", "\(settling)"]), let seconds = reply.seconds
        else { continue }
        if round > 0 { peerTimes[name, default: []].append(seconds * 1e3) }
        if let bytes = reply.peakBytes, round == 0 { peerPeaks[name] = Double(bytes) / 1_048_576 }
      }
      if round % 2 == 1 { ourTimes.append(try time(ours)) }
      round += 1
    }
    ourTimes.removeFirst()
    let best = peerTimes.min { median($0.value) < median($1.value) }
    return Row(
      work: work.name, oursMs: median(ourTimes), peer: best?.key, peerMs: best.map { median($0.value) },
      ratio: best.map { median(ourTimes) / median($0.value) }, bound: work.bound,
      floorMs: work.floor?.time(on: machine), oursPeakMb: peak, peerPeakMb: best.flatMap { peerPeaks[$0.key] },
      oursMinMs: ourTimes.min() ?? 0, peerMinMs: best?.value.min(), note: note)
  }

  /// Milliseconds for one execution of `work`, after the untimed ones.
  private func time(_ work: () throws -> Void) throws -> Double {
    let start = now()
    var once = 0.0
    repeat {
      let begin = now()
      try work()
      once = now() - begin
    } while now() - start < settlingTime
    if once > 1 { return once * 1e3 }
    let repeats = max(1, min(100_000, Int(roundTime / max(once, 1e-9))))
    let begin = now()
    for _ in 0..<repeats { try work() }
    return (now() - begin) / Double(repeats) * 1e3
  }
}
