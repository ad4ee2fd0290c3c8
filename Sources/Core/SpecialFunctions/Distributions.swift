// The chi-square, Student and Fisher laws, through the incomplete gamma and beta functions.

import Numerics

extension Double {
  /// The probability that a chi-square variable with `degrees` of freedom is at most `x`.
  ///
  /// NaN unless degrees > 0; zero for x <= 0.
  public static func chiSquareCDF(_ x: Double, degrees: Double) -> Double {
    guard degrees > 0, !x.isNaN else { return .nan }
    return x <= 0 ? 0 : regularizedGammaP(a: degrees / 2, x: x / 2)
  }

  /// The x with chi-square probability `p`. NaN unless degrees > 0 and 0 <= p <= 1.
  public static func chiSquareQuantile(_ p: Double, degrees: Double) -> Double {
    guard degrees > 0 else { return .nan }
    return 2 * inverseRegularizedGammaP(a: degrees / 2, p: p)
  }

  /// The probability that a Student variable with `degrees` of freedom is at most `t`. NaN unless degrees > 0.
  ///
  /// Far tails keep their relative precision.
  public static func studentCDF(_ t: Double, degrees: Double) -> Double {
    guard degrees > 0, !t.isNaN else { return .nan }
    if t == 0 { return 0.5 }
    let square = t * t
    // Half the probability of a larger magnitude: I with x = n / (n + t^2), given its complement too.
    let tail: Double
    if square.isFinite {
      let sum = degrees + square
      tail = 0.5 * incompleteBeta(a: degrees / 2, b: 0.5, x: degrees / sum, y: square / sum).lower
    } else {
      tail = 0
    }
    return t < 0 ? tail : 1 - tail
  }

  /// The t with Student probability `p`. NaN unless degrees > 0 and 0 <= p <= 1.
  public static func studentQuantile(_ p: Double, degrees: Double) -> Double {
    guard degrees > 0, p >= 0, p <= 1 else { return .nan }
    if p == 0.5 { return 0 }
    if p > 0.5 { return -studentQuantile(1 - p, degrees: degrees) }
    if p == 0 { return -.infinity }
    // t^2 = n y / x at the quantile x = 1 - y of a beta law; the small one of the two is computed.
    if p < 0.25 {
      let x = inverseRegularizedBeta(a: degrees / 2, b: 0.5, p: 2 * p)
      return x > 0 ? -(degrees * (1 - x) / x).squareRoot() : -.infinity
    }
    let y = inverseRegularizedBeta(a: 0.5, b: degrees / 2, p: 1 - 2 * p)
    return -(degrees * y / (1 - y)).squareRoot()
  }

  /// The probability that Fisher's ratio of variances, with `numerator` and `denominator` degrees of freedom, is at most
  /// `x`. NaN unless both are positive; zero for x <= 0.
  public static func fisherCDF(_ x: Double, numerator: Double, denominator: Double) -> Double {
    guard numerator > 0, denominator > 0, !x.isNaN else { return .nan }
    if x <= 0 { return 0 }
    if x == .infinity { return 1 }
    let sum = numerator * x + denominator
    return incompleteBeta(
      a: numerator / 2, b: denominator / 2, x: numerator * x / sum, y: denominator / sum
    ).lower
  }

  /// The x with Fisher probability `p`. NaN unless both degrees are positive and 0 <= p <= 1.
  public static func fisherQuantile(_ p: Double, numerator: Double, denominator: Double) -> Double {
    guard numerator > 0, denominator > 0, p >= 0, p <= 1 else { return .nan }
    if p <= 0.5 {
      let y = inverseRegularizedBeta(a: numerator / 2, b: denominator / 2, p: p)
      return y < 1 ? denominator * y / (numerator * (1 - y)) : .infinity
    }
    let x = inverseRegularizedBeta(a: denominator / 2, b: numerator / 2, p: 1 - p)
    return x > 0 ? denominator * (1 - x) / (numerator * x) : .infinity
  }
}
