// How far to go along a direction.

import Tensors

/// A line search for a step that lowers the value enough and leaves the slope small enough.
///
/// With φ(t) the value after t times the direction, it wants φ(t) ≤ φ(0) + sufficientDecrease · t · φ'(0) and
/// |φ'(t)| ≤ curvature · |φ'(0)|. First the step grows until an interval must contain such a t, then the interval
/// shrinks; both by cubic interpolation, kept away from the ends of the interval when that stops helping.
///
/// - Source: Nocedal and Wright, "Numerical optimization", 2nd edition, algorithms 3.5 and 3.6; the safeguards are those
///   of PyTorch's L-BFGS, so that both take the same steps.
public struct StrongWolfe: Sendable, Hashable {
  public var sufficientDecrease: Double
  public var curvature: Double

  public init(sufficientDecrease: Double = 1e-4, curvature: Double = 0.9) {
    self.sufficientDecrease = sufficientDecrease
    self.curvature = curvature
  }

  /// A place on the line.
  struct Point<Scalar: RealScalar> {
    var step: Double
    var value: Double
    /// φ'(step).
    var slope: Double
    /// The gradient there, of all parameters.
    var gradient: Tensor<Scalar>
  }

  /// The best point found in at most `limit` evaluations after the first one.
  ///
  /// - Parameters:
  ///   - origin: where t = 0.
  ///   - shortest: intervals that are not longer end the search.
  func search<Scalar: RealScalar>(
    from origin: Point<Scalar>, firstStep: Double, limit: Int, shortest: Double,
    evaluate: (_ step: Double) throws -> Point<Scalar>
  ) rethrows -> Point<Scalar> {
    func isTooHigh(_ point: Point<Scalar>) -> Bool {
      // Written so that a NaN is too high.
      !(point.value <= origin.value + sufficientDecrease * point.step * origin.slope)
    }
    func isFlat(_ point: Point<Scalar>) -> Bool { abs(point.slope) <= -curvature * origin.slope }

    // Growing.
    var previous = origin
    var current = try evaluate(firstStep)
    var evaluations = 0
    while evaluations < limit {
      if isTooHigh(current) || (evaluations > 1 && current.value >= previous.value) { break }
      if isFlat(current) { return current }
      if current.slope >= 0 { break }
      let step = current.step
      let next = Self.cubicMinimum(previous, current, in: step + 0.01 * (step - previous.step)...step * 10)
      previous = current
      current = try evaluate(next)
      evaluations += 1
    }
    if evaluations == limit { previous = origin }

    // Shrinking, between the lower end and the higher one.
    var low = previous.value <= current.value || current.value.isNaN ? previous : current
    var high = low.step == previous.step ? current : previous
    var isStalled = false
    while evaluations < limit, abs(high.step - low.step) >= shortest {
      let ends = min(low.step, high.step)...max(low.step, high.step)
      let step = Self.awayFromEnds(Self.cubicMinimum(low, high, in: ends), of: ends, &isStalled)
      current = try evaluate(step)
      evaluations += 1
      if isTooHigh(current) || current.value >= low.value {
        high = current
        if high.value < low.value { swap(&low, &high) }
        continue
      }
      if isFlat(current) { return current }
      if current.slope * (high.step - low.step) >= 0 { high = low }
      low = current
    }
    return low
  }

  /// A step too near to an end of the interval moves a tenth inwards, unless it is the first such step and inside.
  private static func awayFromEnds(_ step: Double, of ends: ClosedRange<Double>, _ isStalled: inout Bool) -> Double {
    let margin = 0.1 * (ends.upperBound - ends.lowerBound)
    let isNear = min(ends.upperBound - step, step - ends.lowerBound) < margin
    let isOutside = step >= ends.upperBound || step <= ends.lowerBound
    guard isNear && (isStalled || isOutside) else {
      isStalled = isNear
      return step
    }
    isStalled = false
    let isUpper = abs(step - ends.upperBound) < abs(step - ends.lowerBound)
    return isUpper ? ends.upperBound - margin : ends.lowerBound + margin
  }

  /// Where the cubic through two points with their slopes is smallest, within bounds; their middle when it has no
  /// minimum.
  private static func cubicMinimum<Scalar>(
    _ a: Point<Scalar>, _ b: Point<Scalar>, in bounds: ClosedRange<Double>
  ) -> Double {
    let (left, right) = a.step <= b.step ? (a, b) : (b, a)
    let width = right.step - left.step
    let first = left.slope + right.slope - 3 * (right.value - left.value) / width
    let second = first * first - left.slope * right.slope
    let middle = (bounds.lowerBound + bounds.upperBound) / 2
    guard second >= 0 else { return middle }
    let root = second.squareRoot()
    let minimum = right.step - width * ((right.slope + root - first) / (right.slope - left.slope + 2 * root))
    guard minimum.isFinite else { return middle }
    return min(max(minimum, bounds.lowerBound), bounds.upperBound)
  }
}
