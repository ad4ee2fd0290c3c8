/// How an iteration went. Not reaching the tolerance is a result, not an error: it is returned, and says so.
public struct Convergence: Sendable, Hashable {
  public var tolerance: Double
  public var iterationLimit: Int
  /// The residual after each iteration, the last one last.
  public private(set) var history: [Double] = []

  public init(tolerance: Double, iterationLimit: Int = .max) {
    self.tolerance = tolerance
    self.iterationLimit = iterationLimit
  }

  public var iterations: Int { history.count }
  /// The residual after the last iteration; infinite before the first.
  public var residual: Double { history.last ?? .infinity }
  public var isConverged: Bool { residual <= tolerance }

  /// Notes an iteration's residual. Returns whether another iteration is wanted: not once the tolerance is met, the
  /// limit is reached, or the residual is no longer a number.
  public mutating func continues(residual: Double) -> Bool {
    history.append(residual)
    return !isConverged && iterations < iterationLimit && residual.isFinite
  }
}
