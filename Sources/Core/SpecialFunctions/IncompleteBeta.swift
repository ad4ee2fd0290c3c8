import Numerics

extension Double {
  /// The regularized incomplete beta function, I_x(a, b): the distribution function of a beta variable.
  ///
  /// A continued fraction (DLMF 8.17.22), on the side of the mean where it converges fast. I_x(a, b) = 1 - I_1-x(b, a);
  /// ask for the smaller of the two, it keeps its relative precision. NaN unless a, b > 0 and 0 <= x <= 1.
  /// - Complexity: O(sqrt(max(a, b))); meant for shapes up to about 1e10.
  public static func regularizedBeta(a: Double, b: Double, x: Double) -> Double {
    guard x >= 0, x <= 1 else { return .nan }
    return incompleteBeta(a: a, b: b, x: x, y: 1 - x).lower
  }

  /// The x at which I_x(a, b) = p: the quantile of a beta variable. NaN unless a, b > 0 and 0 <= p <= 1.
  ///
  /// A result near one is best had as 1 - inverseRegularizedBeta(a: b, b: a, p: 1 - p).
  public static func inverseRegularizedBeta(a: Double, b: Double, p: Double) -> Double {
    guard a > 0, b > 0, a.isFinite, b.isFinite, p >= 0, p <= 1 else { return .nan }
    if p == 0 || p == 1 { return p }
    if p <= 0.5 { return betaQuantile(a: a, b: b, p: p).x }
    return betaQuantile(a: b, b: a, p: 1 - p).y
  }

  /// I_x(a, b) and its complement, given y = 1 - x.
  static func incompleteBeta(a: Double, b: Double, x: Double, y: Double) -> (lower: Double, upper: Double) {
    guard a > 0, b > 0, a.isFinite, b.isFinite else { return (.nan, .nan) }
    if x == 0 { return (0, 1) }
    if y == 0 { return (1, 0) }
    let prefactor = betaPrefactor(a: a, b: b, x: x, y: y)
    if x <= (a + 1) / (a + b + 2) {
      let lower = min(prefactor / a * betaFraction(a: a, b: b, x: x), 1)
      return (lower, 1 - lower)
    }
    let upper = min(prefactor / b * betaFraction(a: b, b: a, x: y), 1)
    return (1 - upper, upper)
  }

  private static func betaFraction(a: Double, b: Double, x: Double) -> Double {
    lentz(first: 1) { n in
      let m = (n / 2).rounded(.down)
      let even = 2 * m
      if n == even { return (m * (b - m) * x / ((a + even - 1) * (a + even)), 1) }
      return (-(a + m) * (a + b + m) * x / ((a + even) * (a + even + 1)), 1)
    }
  }

  /// Newton's method on log I in logit x, where log I is concave; p <= 1/2. Bisection where an overshoot underflows.
  /// Returns x and 1 - x.
  private static func betaQuantile(a: Double, b: Double, p: Double) -> (x: Double, y: Double) {
    let target = log(p)
    var logit = log(a / b)
    var low = -Double.infinity
    var high = Double.infinity
    var x = a / (a + b)
    var y = b / (a + b)
    for _ in 0..<300 {
      let value = incompleteBeta(a: a, b: b, x: x, y: y).lower
      let residual = log(value) - target
      if residual > 0 { high = min(high, logit) } else { low = max(low, logit) }
      var next = logit - residual * value / betaPrefactor(a: a, b: b, x: x, y: y)
      if !(next >= low && next <= high) {
        next = low == -.infinity ? logit - 2 : high == .infinity ? logit + 2 : 0.5 * (low + high)
      }
      let change = (next - logit).magnitude
      logit = next
      x = 1 / (1 + exp(-logit))
      y = 1 / (1 + exp(logit))
      if x == 0 || change <= 4 * ulpOfOne * max(logit.magnitude, 1) { break }
    }
    return (x, y)
  }
}
