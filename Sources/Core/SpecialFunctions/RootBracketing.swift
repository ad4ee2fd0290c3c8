public import Tensors

/// A root of a continuous function between two points where its signs differ: Brent's method.
///
/// Inverse quadratic interpolation and secant steps while they shrink the bracket, bisection otherwise; never more than
/// the square of what bisection needs, and usually about ten evaluations.
/// - Source: Brent, Algorithms for Minimization without Derivatives, 1973, chapter 4.
public struct RootBracketing: Sendable {
  /// Half the width of the final bracket, beside the unavoidable rounding of the root.
  public var tolerance = 0.0
  public var iterationLimit = 200

  public init(tolerance: Double = 0, iterationLimit: Int = 200) {
    self.tolerance = tolerance
    self.iterationLimit = iterationLimit
  }

  public struct Root: Sendable {
    public var location: Double
    /// The function's value there.
    public var value: Double
    /// The width of the bracket after each step.
    public var convergence: Convergence
  }

  /// - Throws: `InvalidArgument` when the function's values at the ends have the same sign, or one is not a number;
  ///   whatever `function` throws.
  public func root(of function: (Double) throws -> Double, in interval: ClosedRange<Double>) throws -> Root {
    var a = interval.lowerBound
    var b = interval.upperBound
    var valueA = try function(a)
    var valueB = try function(b)
    guard valueA <= 0 && valueB >= 0 || valueA >= 0 && valueB <= 0 else {
      throw InvalidArgument(
        "interval", found: "values \(valueA) and \(valueB) at its ends", wanted: "values of opposite sign")
    }
    // b is the best point, c the other end of the bracket, a the point before b.
    var c = a
    var valueC = valueA
    var step = b - a
    var stepBefore = step
    var convergence = Convergence(tolerance: 0, iterationLimit: iterationLimit)
    while true {
      if valueC.magnitude < valueB.magnitude {
        (a, b, c) = (b, c, b)
        (valueA, valueB, valueC) = (valueB, valueC, valueB)
      }
      let allowance = 2 * b.magnitude * .ulpOfOne + 0.5 * tolerance
      let half = 0.5 * (c - b)
      let isFinished = half.magnitude <= allowance || valueB == 0
      guard convergence.continues(residual: isFinished ? 0 : half.magnitude) else { break }
      if stepBefore.magnitude >= allowance, valueA.magnitude > valueB.magnitude,
        let interpolated = interpolation(a, b, c, valueA, valueB, valueC),
        interpolated.magnitude < min(1.5 * half.magnitude - 0.5 * allowance, 0.5 * stepBefore.magnitude),
        interpolated * half > 0
      {
        (stepBefore, step) = (step, interpolated)
      } else {
        (stepBefore, step) = (half, half)
      }
      (a, valueA) = (b, valueB)
      b += step.magnitude > allowance ? step : (half > 0 ? allowance : -allowance)
      valueB = try function(b)
      if valueB.isNaN { break }
      if (valueB > 0) == (valueC > 0) {
        (c, valueC) = (a, valueA)
        step = b - a
        stepBefore = step
      }
    }
    return Root(location: b, value: valueB, convergence: convergence)
  }

  /// The step from b to the root of the parabola x(value) through three points, or of the line through two.
  private func interpolation(
    _ a: Double, _ b: Double, _ c: Double, _ valueA: Double, _ valueB: Double, _ valueC: Double
  ) -> Double? {
    let s = valueB / valueA
    if a == c {
      return s == 1 ? nil : (b - c) * s / (1 - s)
    }
    let q = valueA / valueC
    let r = valueB / valueC
    let parabola = (c - b) * q * (q - r) - (b - a) * (r - 1)
    let divisor = (q - 1) * (r - 1) * (s - 1)
    return divisor == 0 ? nil : -s * parabola / divisor
  }
}
