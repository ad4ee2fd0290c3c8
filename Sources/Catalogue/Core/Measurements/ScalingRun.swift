import SpecialFunctions

/// How the time of some work grows with its size.
public struct ScalingRun: Sendable {
  /// What grows, and the exponent that the method's complexity promises for it.
  public let name: String, promised: String
  public let sizes: [Int]
  /// The least of three runs each.
  public let seconds: [Double]
  public var exponent: Double { logarithmicSlope(sizes.map(Double.init), seconds) }

  /// - Parameter prepare: what is not measured; returns what is.
  public init(
    _ name: String, promised: String, _ sizes: [Int], prepare: (Int) throws -> () throws -> Void
  ) throws {
    (self.name, self.promised, self.sizes) = (name, promised, sizes)
    seconds = try sizes.map { size in
      let work = try prepare(size)
      return try leastSeconds(work)
    }
  }

  /// The same from times that were measured already.
  public init(_ name: String, promised: String, _ sizes: [Int], seconds: [Double]) {
    (self.name, self.promised, self.sizes, self.seconds) = (name, promised, sizes, seconds)
  }
}

extension Evidence {
  /// Shows fitted exponents beside the promised ones. Times are never asserted: a machine does other things too.
  public mutating func show(_ runs: [ScalingRun]) {
    var table = Table(
      "Time against size",
      columns: ["what grows", "from", "to", "seconds, first", "seconds, last", "exponent", "promised"],
      caption: "Least of three runs each; shown, not asserted, for they depend on what else the machine does.")
    for run in runs {
      table.add([
        run.name, run.sizes.first, run.sizes.last, run.seconds.first, run.seconds.last, run.exponent, run.promised,
      ])
    }
    tables.append(table)
  }
}
