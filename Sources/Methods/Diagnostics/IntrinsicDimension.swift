// The least dimension in which a problem can be learned.

import LinearAlgebra
import Synchronization
public import Tensors

/// Measures the intrinsic dimension of a learning problem: the least dimension of a random subspace in which training
/// reaches a fraction of what it reaches in all parameters.
///
/// ```swift
/// let curve = try IntrinsicDimensionSearch(grid: [10, 30, 100, 300]).run(baseline: 0.95) { dimension, seed in
///   accuracyOfTraining(in: dimension, seed: seed)
/// }
/// print(curve.intrinsicDimension)      // .reached(dimension: 100, ...)
/// ```
///
/// - Source: Li et al., "Measuring the intrinsic dimension of objective landscapes", ICLR 2018, arXiv 1804.08838.
public struct IntrinsicDimensionSearch: Sendable {
  /// Of the baseline, to be reached: 0.9 gives d_int90.
  public var fraction: Double
  /// The dimensions tried first, increasing.
  public var grid: [Int]
  /// How often the interval that holds the answer is halved afterwards, on a logarithmic scale.
  public var refinements: Int
  /// Trainings of each dimension.
  public var seeds: Int
  /// The seed of the first training, and of the resampling.
  public var seed: UInt64

  public init(fraction: Double = 0.9, grid: [Int], refinements: Int = 2, seeds: Int = 3, seed: UInt64 = 1) {
    self.fraction = fraction
    self.grid = grid
    self.refinements = refinements
    self.seeds = seeds
    self.seed = seed
  }

  /// Trains in subspaces and reads off the dimension.
  ///
  /// - Parameters:
  ///   - baseline: what training of all parameters reaches, large for good; positive. For losses give a threshold of
  ///     your own as a baseline of negative losses is none: pass `threshold`.
  ///   - threshold: what must be reached instead of fraction · baseline; the same for several models makes them
  ///     comparable.
  ///   - train: what training in a subspace of this dimension reaches; called on several threads.
  /// - Throws: `InvalidArgument` for a grid that is empty, below one or not increasing, no seeds, a baseline that is not
  ///   finite, or a training whose result is no number; and what `train` throws.
  public func run(
    baseline: Double, threshold: Double? = nil, progress: WorkProgress = .silent,
    train: (_ dimension: Int, _ seed: UInt64) throws -> Double
  ) throws -> IntrinsicDimensionCurve {
    guard !grid.isEmpty, grid[0] >= 1, zip(grid, grid.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw InvalidArgument("grid", found: "\(grid)", wanted: "increasing dimensions from 1 on")
    }
    guard seeds >= 1 else { throw InvalidArgument("seeds", found: "\(seeds)", wanted: "at least 1") }
    guard baseline.isFinite, threshold?.isFinite ?? true else {
      throw InvalidArgument("baseline", found: "\(threshold ?? baseline)", wanted: "a finite number")
    }
    guard fraction > 0, fraction <= 1, threshold != nil || baseline > 0 else {
      throw InvalidArgument(
        "fraction", found: "\(fraction) of \(baseline)", wanted: "above 0 and at most 1, of a positive baseline")
    }
    let threshold = threshold ?? fraction * baseline
    var points: [IntrinsicDimensionCurve.Point] = []
    let done = Mutex(0)
    func measure(_ dimensions: [Int]) throws {
      let total = (grid.count + refinements) * seeds
      let results = try parallelMap(dimensions.count * seeds) { i in
        let result = try train(dimensions[i / seeds], seed + UInt64(i % seeds))
        guard result.isFinite else {
          throw InvalidArgument(
            "train", found: "\(result) in dimension \(dimensions[i / seeds])", wanted: "a finite result")
        }
        let count = done.withLock { count in
          count += 1
          return count
        }
        try progress.report(count, of: total, "trainings")
        return result
      }
      for (i, dimension) in dimensions.enumerated() {
        points.append(.init(dimension: dimension, results: Array(results[i * seeds..<(i + 1) * seeds])))
      }
      points.sort { $0.dimension < $1.dimension }
    }
    try measure(grid)
    for _ in 0..<max(refinements, 0) {
      let curve = IntrinsicDimensionCurve(points: points, baseline: baseline, threshold: threshold, interval: nil)
      guard case .reached(let upper, let lower) = curve.intrinsicDimension, let lower, upper - lower > 1 else { break }
      let middle = Int((Double(lower) * Double(upper)).squareRoot().rounded())
      guard middle > lower, middle < upper else { break }
      try measure([middle])
    }
    return IntrinsicDimensionCurve(
      points: points, baseline: baseline, threshold: threshold, interval: interval(points, threshold))
  }

  /// The dimensions that resampled trainings give, 95 % of them.
  private func interval(_ points: [IntrinsicDimensionCurve.Point], _ threshold: Double) -> ClosedRange<Double>? {
    guard seeds >= 2 else { return nil }
    var random = RandomStream(seed: seed).child(1)
    var found: [Double] = []
    for _ in 0..<500 {
      let resampled = points.map { point in
        let drawn = random.integers([seeds], in: 0..<seeds).scalars
        return IntrinsicDimensionCurve.Point(
          dimension: point.dimension, results: drawn.map { point.results[$0] })
      }
      let curve = IntrinsicDimensionCurve(points: resampled, baseline: 1, threshold: threshold, interval: nil)
      if let dimension = curve.interpolatedDimension { found.append(dimension) }
    }
    guard found.count >= 475 else { return nil }
    let ends = Tensor(found).quantiles([0.025, 0.975]).scalars
    return ends[0]...max(ends[0], ends[1])
  }
}

/// What training reaches by dimension.
public struct IntrinsicDimensionCurve: Sendable, Hashable {
  /// The trainings of one dimension.
  public struct Point: Sendable, Hashable {
    public let dimension: Int
    public let results: [Double]
    public var mean: Double { results.reduce(0, +) / Double(results.count) }
  }

  /// The answer.
  public enum Answer: Sendable, Hashable {
    /// The least dimension tried whose smoothed mean reaches the threshold, and the next smaller one tried, which does
    /// not; nil when the smallest dimension suffices already.
    case reached(dimension: Int, above: Int?)
    /// No dimension sufficed; the best mean.
    case notReached(best: Double)
  }

  /// By increasing dimension.
  public let points: [Point]
  public let baseline: Double
  public let threshold: Double
  /// A bootstrap interval of 95 % for the interpolated dimension; nil for single trainings, or where many resamples do
  /// not reach the threshold.
  public let interval: ClosedRange<Double>?

  /// The means made increasing by isotonic regression.
  public var smoothed: [Double] { isotonicRegression(points.map(\.mean)) }

  public var intrinsicDimension: Answer {
    let smoothed = smoothed
    guard let first = smoothed.firstIndex(where: { $0 >= threshold }) else {
      return .notReached(best: points.map(\.mean).max() ?? -.infinity)
    }
    return .reached(dimension: points[first].dimension, above: first > 0 ? points[first - 1].dimension : nil)
  }

  /// Where the smoothed curve, linear over the logarithm of the dimension, crosses the threshold; nil if it does not.
  public var interpolatedDimension: Double? {
    let smoothed = smoothed
    guard let first = smoothed.firstIndex(where: { $0 >= threshold }) else { return nil }
    guard first > 0 else { return Double(points[0].dimension) }
    let (low, high) = (smoothed[first - 1], smoothed[first])
    let share = (threshold - low) / (high - low)
    let (a, b) = (Double.log(Double(points[first - 1].dimension)), Double.log(Double(points[first].dimension)))
    return Double.exp(a + share * (b - a))
  }
}
