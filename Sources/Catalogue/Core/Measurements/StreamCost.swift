public import Tensors

/// What a stream that is made on the fly costs a method that reads it once.
public struct StreamCost: Sendable {
  public let megabytes: Double
  public let rows: Int
  public let seconds: Double
  /// The most memory in use while it went by, in megabytes, of this whole process.
  public let memory: Double

  /// Feeds rows of doubles, made by `make` some at a time, until so many megabytes have gone by. Nothing is kept.
  ///
  /// - Parameters:
  ///   - make: so many rows, of shape [rows, columns].
  ///   - observe: what the method does with them.
  public static func measure(
    megabytes: Double, columns: Int, piece: Int? = nil, _ progress: WorkProgress,
    make: (Int) throws -> Tensor<Double>, observe: (Tensor<Double>) throws -> Void
  ) throws -> StreamCost {
    let rows = Int(megabytes * 1e6) / (8 * columns)
    // Two megabytes at a time: what is thrown away and not given back yet is then little.
    let piece = piece ?? max(1, (1 << 18) / columns)
    let start = ContinuousClock.now
    var memory = residentMegabytes()
    for first in stride(from: 0, to: rows, by: piece) {
      try progress.report(first, of: rows, "\(Int(megabytes)) MB")
      try observe(make(min(piece, rows - first)))
      memory = max(memory, residentMegabytes())
    }
    return StreamCost(
      megabytes: megabytes, rows: rows, seconds: (ContinuousClock.now - start) / .seconds(1), memory: memory)
  }

  /// The lengths of the streams that claims about memory compare, the last with the second: the first run fills the pools
  /// that the process keeps. In the full form the last is beyond four gigabytes.
  public static func lengths(isFull: Bool) -> [Double] { isFull ? [40, 40, 400, 4_100] : [40, 40, 400] }
}

extension Evidence {
  /// That the longest of streams of ``StreamCost/lengths(isFull:)`` took no more memory than the shortest, but for what the
  /// process keeps.
  public mutating func checkMemory(of costs: [StreamCost]) {
    let (first, longest) = (costs[1], costs[costs.count - 1])
    check(
      "MB of memory that \(Int(longest.megabytes)) MB of rows take beyond those of \(Int(first.megabytes)) MB",
      claimed: "none", measured: longest.memory - first.memory, .atMost(32))
  }
}
