import CatalogueCore
import Foundation
import Tensors

/// What a report says about how it came about.
enum Provenance {
  static func facts(seconds: Double, seed: UInt64? = nil) -> [Fact] {
    let seed = seed.map { [Fact("Seed", "\($0)")] } ?? []
    return [Fact("Apus", Apus.version)] + seed + [
      Fact("Seconds", (seconds * 100).rounded() / 100),
      Fact("Threads", threadCount), Fact("Date", day),
      Fact("System", ProcessInfo.processInfo.operatingSystemVersionString),
    ]
  }

  /// Today, as "2026-01-31".
  private static var day: String {
    let date = Calendar(identifier: .gregorian).dateComponents([.year, .month, .day], from: Date())
    func two(_ number: Int?) -> String { String((number ?? 0) + 100).suffix(2).description }
    return "\(date.year ?? 0)-\(two(date.month))-\(two(date.day))"
  }
}

extension CommandLine {
  /// The command line as it can be typed again.
  static var typed: String {
    (["apus"] + arguments.dropFirst()).map { word in
      let isPlain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_=./,:+@%#".contains($0) }
      return isPlain ? word : "'" + word.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }.joined(separator: " ")
  }
}
