// Paired timing: a round of ours, a round of each peer, again and again; medians at the end.
//
// The peers' process is stopped while ours runs, and our threads sleep while it runs. Each side then needs a moment until
// the system has spread its threads over the processors again (measured: for ten milliseconds both may share one, and
// everything takes twice as long), so each round starts with untimed repetitions. Which side goes first alternates.

import Foundation

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

struct Measurement {
  var rounds = 7
  /// Seconds that a round should at least take; short work is repeated until it does.
  var roundTime = 0.005
  /// Seconds of untimed repetitions before each round.
  var settlingTime = 0.02

  func measure(_ work: Work, peers: PeerProcess?, inputs: Inputs) throws -> Row {
    let prepared = try work.prepare(inputs)
    let ours = prepared.run
    var row = Row(work: work.name, unit: .milliseconds, bound: work.bound, cost: work.floor)
    var names: [String] = []
    if let peers {
      do {
        names = try peers.ask(["prepare", work.name]).peers ?? []
      } catch let error as PeerError {
        row.failures["peers"] = error.message
      }
    }
    var ourTimes: [Double] = []
    var peerTimes: [String: [Double]] = [:]
    var round = 0
    var longest = 0.0
    // Round 0 warms up. Work that takes seconds is repeated less often.
    while round <= (longest > 1e3 ? min(3, rounds) : rounds) {
      if round % 2 == 0 { ourTimes.append(try time(ours)) }
      for name in round % 4 < 2 ? names : names.reversed() {
        let settling = round == 0 ? 0 : settlingTime
        do {
          let seconds = try peers?.ask(["run", name, "\(roundTime)", "\(settling)"]).seconds
          longest = max(longest, 1e3 * (seconds ?? 0))
          if let seconds, round > 0 { peerTimes[name, default: []].append(seconds * 1e3) }
        } catch let error as PeerError {
          row.failures[name] = error.message
          peerTimes[name] = nil
          names.removeAll { $0 == name }
        }
      }
      if round % 2 == 1 { ourTimes.append(try time(ours)) }
      longest = max(longest, ourTimes.last ?? 0)
      round += 1
    }
    ourTimes.removeFirst()
    row.ours = median(ourTimes)
    row.oursFastest = ourTimes.min()
    if let best = peerTimes.min(by: { median($0.value) < median($1.value) }) {
      row.compare(with: best.key, median(best.value))
      row.theirsFastest = best.value.min()
      if let error = prepared.error { row.errors = (try error(), try peers?.ask(["error", best.key]).value) }
    }
    return row
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
