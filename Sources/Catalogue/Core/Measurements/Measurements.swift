// What claims make of repeated measurements.

import Foundation
import Tensors

/// The wall time of `body`, in seconds: the least of `runs`.
public func leastSeconds(runs: Int = 3, _ body: () throws -> Void) rethrows -> Double {
  var least = Double.infinity
  for _ in 0..<runs {
    let start = ContinuousClock.now
    try body()
    least = min(least, (ContinuousClock.now - start) / .seconds(1))
  }
  return least
}

/// The memory of this process that is in use, in megabytes of 10⁶ bytes; NaN where the system does not tell.
public func residentMegabytes() -> Double {
  let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS") } ?? ""
  let number = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.map(String.init) ?? ""
  return (Double(number) ?? .nan) * 1_024 / 1e6
}
