import Numerics
import SpecialFunctions
import Tensors

/// L(C) = a C^(-b) + c: how a loss falls with the arithmetic spent.
public struct ScalingLaw: Sendable, Hashable {
  /// a.
  public var factor: Double
  /// b; the steeper the better.
  public var slope: Double
  /// c, the loss that no arithmetic removes.
  public var floor: Double
  /// The root mean square of the residuals of log(L - c).
  public var residual: Double

  public func callAsFunction(_ cost: Double) -> Double { factor * .pow(cost, -slope) + floor }

  /// The least squares of the logarithms; a floor is sought between zero and the least loss.
  ///
  /// - Parameters: costs and losses: as many of each, at least two (three with a floor), all positive.
  /// - Throws: `InvalidArgument` otherwise, and for costs that are all equal.
  public init(costs: [Double], losses: [Double], hasFloor: Bool = false) throws {
    let least = hasFloor ? 3 : 2
    guard costs.count == losses.count, costs.count >= least else {
      throw InvalidArgument(
        "losses", found: "\(losses.count) for \(costs.count) costs", wanted: "as many as costs, at least \(least)")
    }
    guard (costs + losses).allSatisfy({ $0 > 0 && $0.isFinite }), Set(costs).count > 1 else {
      throw InvalidArgument("costs", found: "\(costs) and \(losses)", wanted: "positive numbers, costs that differ")
    }
    func fitted(_ floor: Double) -> ScalingLaw { ScalingLaw(costs, losses.map { $0 - floor }, floor: floor) }
    self = fitted(0)
    guard hasFloor, let top = losses.min() else { return }
    // The residual has one minimum in practice: the best of a grid, refined twice.
    var range = (0.0, top * (1 - 1e-6))
    for _ in 0..<4 {
      let step = (range.1 - range.0) / 100
      let candidates = (0...100).map { fitted(range.0 + Double($0) * step) }
      guard let best = candidates.min(by: { $0.residual < $1.residual }) else { return }
      self = best
      range = (max(0, best.floor - step), min(top * (1 - 1e-6), best.floor + step))
    }
  }

  private init(_ costs: [Double], _ losses: [Double], floor: Double) {
    let line = LineFit(costs.map { Double.log($0) }, losses.map { Double.log($0) })
    (slope, factor, residual) = (-line.slope, .exp(line.intercept), line.residual)
    self.floor = floor
  }
}
