import CVectorKernels
import Synchronization
public import Tensors

/// How many of a tensor's weights have which magnitude: 1024 equal bins of log10 |w| over [-12, 2].
///
/// Every Weibull figure is computed from it. It is small, mergeable and exact, so weights can be streamed: the histogram
/// of two tensors is the sum of theirs. Zeros and values outside the range are counted, but belong to no bin; the
/// reference protocol clips at 1e-13, which lies below the range and comes to the same.
///
/// - Source: Ding 2026, arXiv 2605.18898, appendix A.7.
public struct MagnitudeHistogram: Sendable, Hashable {
  public static let binCount = 1024
  /// The range of log10 |w|.
  public static let exponents = -12.0...2.0
  /// The width of a bin in log10 |w|, about 3.2 % of |w|.
  public static let binWidth = (exponents.upperBound - exponents.lowerBound) / Double(binCount)

  /// Weights in each bin, from the smallest magnitudes up.
  public private(set) var counts: [UInt64]
  /// Weights that are exactly zero.
  public private(set) var zeros: UInt64
  /// Weights other than zero below 1e-12.
  public private(set) var below: UInt64
  /// Weights of 100 and more.
  public private(set) var above: UInt64

  /// Nothing counted yet.
  public init() { self.init(counts: [UInt64](repeating: 0, count: Self.binCount)) }

  /// Counts that came from elsewhere, one a bin.
  public init(counts: [UInt64], zeros: UInt64 = 0, below: UInt64 = 0, above: UInt64 = 0) {
    precondition(counts.count == Self.binCount, "a histogram has \(Self.binCount) bins, \(counts.count) were given")
    self.counts = counts
    self.zeros = zeros
    self.below = below
    self.above = above
  }

  /// The magnitudes of all elements of `weights`.
  /// - Throws: `InvalidArgument` under `name` when an element is not finite.
  /// - Complexity: O(weights.count), on all threads.
  public init<Scalar: RealScalar>(_ weights: Tensor<Scalar>, name: String = "weights") throws {
    self = try Self.blocks(1, of: weights, name: name)[0]
  }

  /// The weights in the bins: all but the dropped ones.
  public var count: UInt64 { counts.reduce(0, +) }
  /// The weights outside the range, zeros among them.
  public var dropped: UInt64 { zeros + below + above }

  /// Counts further weights.
  /// - Throws: `InvalidArgument` under `name` when an element is not finite; the histogram is then unchanged.
  public mutating func add<Scalar: RealScalar>(_ weights: Tensor<Scalar>, name: String = "weights") throws {
    self += try MagnitudeHistogram(weights, name: name)
  }

  public static func += (a: inout MagnitudeHistogram, b: MagnitudeHistogram) {
    for i in a.counts.indices { a.counts[i] += b.counts[i] }
    a.zeros += b.zeros
    a.below += b.below
    a.above += b.above
  }

  public static func + (a: MagnitudeHistogram, b: MagnitudeHistogram) -> MagnitudeHistogram {
    var sum = a
    sum += b
    return sum
  }

  /// The histogram without the weights of `part`, which must be a part of it.
  func removing(_ part: MagnitudeHistogram) -> MagnitudeHistogram {
    MagnitudeHistogram(
      counts: zip(counts, part.counts).map { $0 - $1 }, zeros: zeros - part.zeros, below: below - part.below,
      above: above - part.above)
  }

  /// log10 |w| at the lower end of a bin; the upper end is that of the next.
  static func exponent(atLowerEdgeOf bin: Int) -> Double { exponents.lowerBound + Double(bin) * binWidth }
  /// ln |w| in the middle of a bin.
  static func logCenter(of bin: Int) -> Double { (exponents.lowerBound + (Double(bin) + 0.5) * binWidth) * logTen }
  /// ln |w| at the lower end of a bin.
  static func logEdge(_ bin: Int) -> Double { exponent(atLowerEdgeOf: bin) * logTen }
  private static let logTen = 2.302_585_092_994_045_7

  /// The bins from the first to the last that is not empty.
  var occupied: Range<Int> {
    guard let first = counts.firstIndex(where: { $0 > 0 }), let last = counts.lastIndex(where: { $0 > 0 }) else {
      return 0..<0
    }
    return first..<last + 1
  }

  // MARK: Counting

  /// Histograms of `blocks` consecutive parts of the weights, equally long but for rounding.
  ///
  /// The parts are counted in pieces that fit a cache, on all threads; the sums are of integers, so their order does not
  /// matter.
  static func blocks<Scalar: RealScalar>(
    _ blocks: Int, of weights: Tensor<Scalar>, name: String
  ) throws -> [MagnitudeHistogram] {
    let total = weights.count
    let pieceLength = 1 << 16
    let pieces: [(block: Int, range: Range<Int>)] = (0..<blocks).flatMap { block in
      let start = total * block / blocks
      let end = total * (block + 1) / blocks
      return stride(from: start, to: end, by: pieceLength).map { (block, $0..<min($0 + pieceLength, end)) }
    }
    let empty = MagnitudeHistogram()
    let results = Mutex([MagnitudeHistogram](repeating: empty, count: blocks))
    let isFinite = Atomic(true)
    weights.withUnsafeBuffer { buffer in
      guard let base = buffer.baseAddress else { return }
      parallelTasks(pieces.count) { task in
        let (block, range) = pieces[task]
        let start = base + range.lowerBound
        guard Scalar.areAllFinite(start, stride: 1, count: range.count) else {
          isFinite.store(false, ordering: .relaxed)
          return
        }
        let piece = MagnitudeHistogram(counting: start, range.count)
        results.withLock { $0[block] += piece }
      }
    }
    if !isFinite.load(ordering: .relaxed) { try weights.requireFinite(name) }
    return results.withLock { $0 }
  }

  private init<Scalar: RealScalar>(counting start: UnsafePointer<Scalar>, _ count: Int) {
    var counts = [UInt64](repeating: 0, count: Self.binCount)
    var zeros: UInt64 = 0
    var below: UInt64 = 0
    var above: UInt64 = 0
    let low = Self.exponents.lowerBound
    let scale = 1 / Self.binWidth
    let raw = UnsafeRawPointer(start)
    if Scalar.self == Float.self {
      let start = raw.assumingMemoryBound(to: Float.self)
      apus_count_magnitudes_f32(start, count, low, scale, Self.binCount, &counts, &zeros, &below, &above)
    } else {
      let start = raw.assumingMemoryBound(to: Double.self)
      apus_count_magnitudes_f64(start, count, low, scale, Self.binCount, &counts, &zeros, &below, &above)
    }
    self.init(counts: counts, zeros: zeros, below: below, above: above)
  }
}
