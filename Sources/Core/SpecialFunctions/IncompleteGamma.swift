import Numerics

extension Double {
  /// The regularized lower incomplete gamma function, P(a, x): the distribution function of a gamma variable of shape a.
  ///
  /// A power series below x = a + 1 and a continued fraction above it; small values keep their relative precision.
  /// NaN unless a > 0 is finite and x >= 0.
  /// - Complexity: O(sqrt(a)) near x = a, less elsewhere; O(1) from a = 1e8 on, by Temme's expansion.
  public static func regularizedGammaP(a: Double, x: Double) -> Double { incompleteGamma(a: a, x: x).lower }

  /// The regularized upper incomplete gamma function, Q(a, x) = 1 - P(a, x), precise where it is small.
  public static func regularizedGammaQ(a: Double, x: Double) -> Double { incompleteGamma(a: a, x: x).upper }

  /// The x at which P(a, x) = p: the quantile of a gamma variable of shape a. NaN unless a > 0 and 0 <= p <= 1.
  public static func inverseRegularizedGammaP(a: Double, p: Double) -> Double {
    gammaQuantile(a: a, lower: p, upper: 1 - p)
  }

  /// The x at which Q(a, x) = q; precise for the smallest q. NaN unless a > 0 and 0 <= q <= 1.
  public static func inverseRegularizedGammaQ(a: Double, q: Double) -> Double {
    gammaQuantile(a: a, lower: 1 - q, upper: q)
  }

  /// P and Q at once, each to full relative precision.
  static func incompleteGamma(a: Double, x: Double) -> (lower: Double, upper: Double) {
    guard a > 0, x >= 0, a.isFinite else { return (.nan, .nan) }
    if x == 0 { return (0, 1) }
    if x == .infinity { return (1, 0) }
    if a <= 1 && x < 1 { return incompleteGammaNearZero(a: a, x: x) }
    if a >= 1e8 { return incompleteGammaOfLargeShape(a: a, x: x) }
    let prefactor = gammaPrefactor(a: a, x: x)
    if a > 1 && x < a + 1 {
      let lower = prefactor * gammaSeries(a: a, x: x)
      return (min(lower, 1), max(1 - lower, 0))
    }
    let upper = prefactor * a * gammaFraction(a: a, x: x)
    return (max(1 - upper, 0), min(upper, 1))
  }

  /// Both functions for a <= 1 and x < 1, from P = x^a / Gamma(1 + a) (1 + a sum_n (-x)^n / (n! (a + n))); Q without
  /// the cancellation of 1 - P (DLMF 8.7.1).
  private static func incompleteGammaNearZero(a: Double, x: Double) -> (lower: Double, upper: Double) {
    let logPower = a * log(x) - (a <= 0.5 ? logGammaOnePlus(a) : logGamma(1 + a))
    var term = 1.0
    var sum = 0.0
    var n = 1.0
    repeat {
      term *= -x / n
      sum += term / (a + n)
      n += 1
    } while term.magnitude > 1e-18
    let power = exp(logPower)
    return (power * (1 + a * sum), -expMinusOne(logPower) - power * a * sum)
  }

  /// Temme's uniform expansion with its first term; the next is below rounding for these shapes (DLMF 8.12).
  private static func incompleteGammaOfLargeShape(a: Double, x: Double) -> (lower: Double, upper: Double) {
    let distance = deviance(of: a, from: x)  // a eta^2 / 2
    let eta = (2 * distance / a).squareRoot() * (x < a ? -1 : 1)
    let coefficient = polynomial([-1.0 / 3, 1.0 / 12, -2.0 / 135, 1.0 / 864], at: eta)
    let correction = exp(-distance) / (2 * .pi * a).squareRoot() * coefficient
    let root = distance.squareRoot() * (x < a ? -1 : 1)
    return (0.5 * erfc(-root) - correction, 0.5 * erfc(root) + correction)
  }

  /// 1 + x/(a+1) + x^2/((a+1)(a+2)) + ..., all positive.
  private static func gammaSeries(a: Double, x: Double) -> Double {
    var term = 1.0
    var sum = 1.0
    var divisor = a
    repeat {
      divisor += 1
      term *= x / divisor
      sum += term
    } while term > sum * 1e-17
    return sum
  }

  /// Gamma(a, x) / (x^a e^-x) by Legendre's continued fraction, evaluated forwards (Lentz).
  private static func gammaFraction(a: Double, x: Double) -> Double {
    lentz(first: x + 1 - a) { n in (-n * (n - a), x + 2 * n + 1 - a) }
  }

  /// Newton's method on log P or log Q, whichever is the smaller, in log x: both are concave there, because the density
  /// of log x is log-concave. Bisection where an overshoot underflows.
  private static func gammaQuantile(a: Double, lower: Double, upper: Double) -> Double {
    guard a > 0, a.isFinite, lower >= 0, upper >= 0 else { return .nan }
    if lower == 0 { return 0 }
    if upper == 0 { return .infinity }
    let isLower = lower <= upper
    let target = log(isLower ? lower : upper)
    // P(a, x) <= x^a / Gamma(a + 1), with equality near zero, bounds the solution from below.
    let logLower = isLower ? target : log(onePlus: -upper)
    let bound = exp((logLower + (a <= 0.5 ? logGammaOnePlus(a) : logGamma(a + 1))) / a)
    if bound < 1e-18 { return bound }
    var low = bound
    var high = Double.infinity
    var x = gammaQuantileStart(a: a, normal: isLower ? normalQuantile(lower) : -normalQuantile(upper))
    if !(x > bound) { x = isLower ? bound : max(bound, -0.5 * target) }
    for _ in 0..<200 {
      let values = incompleteGamma(a: a, x: x)
      let value = isLower ? values.lower : values.upper
      let residual = isLower ? log(value) - target : target - log(value)
      if residual > 0 { high = min(high, x) } else { low = max(low, x) }
      let step = residual * value / (gammaPrefactor(a: a, x: x) * a)
      var next = x * exp(-min(max(step, -2), 2))
      if !(next >= low && next <= high) {
        next = high == .infinity ? 2 * x : (low * high).squareRoot()
      }
      let change = (next - x).magnitude
      x = next
      if change <= 2 * ulpOfOne * x { break }
    }
    return x
  }

  /// Wilson and Hilferty: the cube root of a gamma variable is nearly normal.
  private static func gammaQuantileStart(a: Double, normal: Double) -> Double {
    let root = 1 - 1 / (9 * a) + normal / (3 * a.squareRoot())
    return root > 0.1 && a > 0.5 ? a * root * root * root : 0
  }
}

/// b_0 + a_1/(b_1 + a_2/(b_2 + ...)) inverted: the value of 1/(first + ...), by Lentz's method with Thompson and
/// Barnett's guard against zero. `coefficients(n)` gives a_n and b_n for n = 1, 2, ...
func lentz(first: Double, limit: Int = 10_000_000, _ coefficients: (Double) -> (Double, Double)) -> Double {
  let tiny = 1e-300
  var fraction = first == 0 ? tiny : first
  var c = fraction
  var d = 0.0
  for n in 1...limit {
    let (numerator, denominator) = coefficients(Double(n))
    d = denominator + numerator * d
    d = 1 / (d == 0 ? tiny : d)
    c = denominator + numerator / c
    if c == 0 { c = tiny }
    let ratio = c * d
    fraction *= ratio
    if (ratio - 1).magnitude < 1e-16 { break }
  }
  return 1 / fraction
}
