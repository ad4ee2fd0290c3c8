import SpecialFunctions
import Tensors

/// Shape and scale of one matrix over the checkpoints of its training.
public struct WeibullTrajectory: Sendable, Hashable {
  public struct Point: Sendable, Hashable {
    public var step: Int
    /// k and lambda.
    public var shape: Double
    public var scale: Double

    public init(step: Int, shape: Double, scale: Double) {
      self.step = step
      self.shape = shape
      self.scale = scale
    }
  }

  /// The matrix.
  public let name: String
  /// In the order of the steps.
  public let points: [Point]

  /// - Throws: `InvalidArgument` for no points, steps that do not increase, or a shape or scale that is not positive.
  public init(name: String, points: [Point]) throws {
    guard !points.isEmpty else { throw InvalidArgument(name, found: "no checkpoints", wanted: "at least one") }
    for (point, next) in zip(points, points.dropFirst()) where next.step <= point.step {
      throw InvalidArgument(name, found: "step \(next.step) after step \(point.step)", wanted: "increasing steps")
    }
    for point in points { _ = try WeibullDistribution(shape: point.shape, scale: point.scale) }
    self.name = name
    self.points = points
  }

  /// The first step at which the shape is off the anchor by more than `tolerance`, relatively; nil when it never is.
  public func firstDeparture(from anchor: WeibullAnchor = .gaussian(), tolerance: Double = 0.02) -> Int? {
    points.first { (($0.shape - anchor.shape) / anchor.shape).magnitude > tolerance }?.step
  }

  /// The point of the largest scale, the first of equals.
  public var peakScale: Point { points.reduce(points[0]) { $1.scale > $0.scale ? $1 : $0 } }

  /// How many times the scale has grown from the first point to the last.
  public var scaleGrowth: Double { points[points.count - 1].scale / points[0].scale }

  /// Spearman's rank correlation of the shape, or the scale, with the step: 1 for one that only grows, -1 for one that
  /// only falls; nil for a constant.
  public var shapeMonotonicity: Double? { monotonicity(\.shape) }
  public var scaleMonotonicity: Double? { monotonicity(\.scale) }

  private func monotonicity(_ value: (Point) -> Double) -> Double? {
    spearmanCorrelation(points.map { Double($0.step) }, points.map(value))
  }

  /// The trajectories of all matrices of a series of checkpoints, in the order of the first report. A matrix that is
  /// missing from some reports has fewer points.
  /// - Throws: `InvalidArgument` for steps that do not increase.
  public static func perMatrix(of checkpoints: [(step: Int, report: WeightReport)]) throws -> [WeibullTrajectory] {
    var names: [String] = []
    var points: [String: [Point]] = [:]
    for (step, report) in checkpoints {
      for row in report.rows {
        if points[row.name] == nil { names.append(row.name) }
        points[row.name, default: []].append(Point(step: step, shape: row.fit.shape, scale: row.fit.scale))
      }
    }
    return try names.map { try WeibullTrajectory(name: $0, points: points[$0] ?? []) }
  }
}
