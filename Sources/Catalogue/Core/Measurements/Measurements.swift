// What claims make of repeated measurements.

import Foundation
import Numerics
import Tensors

/// The slope of the least-squares line through (log x, log y): the exponent of y in x.
public func logarithmicSlope(_ x: [Double], _ y: [Double]) -> Double {
  linearFit(x.map { Double.log($0) }, y.map { Double.log($0) }).slope
}

/// The least-squares line through points, and the share of the variance it explains.
public func linearFit(_ x: [Double], _ y: [Double]) -> (slope: Double, explained: Double) {
  let count = Double(x.count)
  let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
  let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
  let varianceX = x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
  let varianceY = y.reduce(0) { $0 + ($1 - meanY) * ($1 - meanY) }
  return (covariance / varianceX, covariance * covariance / (varianceX * varianceY))
}

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
