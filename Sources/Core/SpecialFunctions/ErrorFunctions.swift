// Relatives of the error function, and the normal distribution. erf and erfc themselves come with swift-numerics, as
// `Double.erf` and `Double.erfc`.

import Numerics

extension Double {
  /// exp(x^2) erfc(x), which neither underflows nor loses precision where erfc does. Infinite below about -26.6.
  public static func scaledErfc(_ x: Double) -> Double {
    if x < 10 {
      // The rounding of x^2 would show in its exponential.
      let square = x * x
      let tail = (-square).addingProduct(x, x)
      return exp(square) * erfc(x) * (1 + tail)
    }
    if x == .infinity { return 0 }
    return lentz(first: x) { n in (n / 2, x) } / Double.pi.squareRoot()
  }

  /// The x at which erf(x) = y; infinite at -1 and 1, NaN outside.
  public static func inverseErf(_ y: Double) -> Double {
    guard y.magnitude <= 1 else { return .nan }
    if y.magnitude > 0.5 {
      let x = inverseErfcTail(1 - y.magnitude)
      return y < 0 ? -x : x
    }
    // Maclaurin's series to start with, then Halley's method on erf.
    let t = y * (Double.pi.squareRoot() / 2)
    let w = t * t
    var x = t * (1 + w * (1.0 / 3 + w * (7.0 / 30 + w * (127.0 / 630))))
    for _ in 0..<3 {
      let newton = (erf(x) - y) / (twoOverRootPi * exp(-x * x))
      x -= newton / (1 + x * newton)
    }
    return x
  }

  /// The x at which erfc(x) = y; infinite at 0 and 2, NaN outside. Precise for the smallest y.
  public static func inverseErfc(_ y: Double) -> Double {
    guard y >= 0, y <= 2 else { return .nan }
    if y < 0.5 { return inverseErfcTail(y) }
    if y > 1.5 { return -inverseErfcTail(2 - y) }
    return inverseErf(1 - y)
  }

  /// inverseErfc for y <= 1/2: a rational approximation, then Newton's method on log erfc, which is concave.
  private static func inverseErfcTail(_ y: Double) -> Double {
    if y == 0 { return .infinity }
    let target = log(y)
    // Abramowitz and Stegun 26.2.23 for the normal quantile, good to 4.5e-4.
    let t = (-2 * (target - 0.693_147_180_559_945_3)).squareRoot()
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328)
    let denominator = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    var x = (t - numerator / denominator) * 0.5.squareRoot()
    for _ in 0..<4 {
      let scaled = scaledErfc(x)
      let residual = log(scaled) - x * x - target
      let newton = residual * scaled / twoOverRootPi
      x += newton
      if newton.magnitude < 1e-16 * x { break }
    }
    return x
  }

  // MARK: The normal distribution

  /// The standard normal density.
  public static func normalDensity(_ x: Double) -> Double { exp(-0.5 * x * x - halfLogTwoPi) }

  /// The standard normal distribution function, precise in the lower tail; the upper tail is normalCDF(-x).
  public static func normalCDF(_ x: Double) -> Double { 0.5 * erfc(-x * 0.5.squareRoot()) }

  /// The x at which the standard normal distribution function is p; infinite at 0 and 1, NaN outside.
  public static func normalQuantile(_ p: Double) -> Double {
    guard p >= 0, p <= 1 else { return .nan }
    return p < 0.25 ? -2.0.squareRoot() * inverseErfc(2 * p) : 2.0.squareRoot() * inverseErf(2 * p - 1)
  }
}

private let twoOverRootPi = 1.128_379_167_095_512_574
