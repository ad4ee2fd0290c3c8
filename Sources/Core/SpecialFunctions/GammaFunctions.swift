// The gamma function's relatives. Gamma itself, log|Gamma| and its sign come with swift-numerics, as `Double.gamma`,
// `Double.logGamma` and `Double.signGamma`; what it lacks is added to `Double` in the same form.

import Numerics

extension Double {
  /// The logarithmic derivative of the gamma function, psi(x).
  ///
  /// Recurrence up to x = 12, then Stirling's series; a Taylor series about the positive root; reflection for negative
  /// arguments. Infinite at zero, with the sign opposite to the zero's; NaN at the negative integers, where the two
  /// sides disagree.
  public static func digamma(_ x: Double) -> Double {
    if x.isNaN || x == -.infinity { return .nan }
    if x == 0 { return -1 / x }
    if x < 0 {
      let fraction = x - x.rounded()  // exact; the tangent has period one
      if fraction == 0 { return .nan }
      return digamma(1 - x) - .pi / tan(.pi * fraction)
    }
    let fromRoot = (x - digammaRoot) - digammaRootTail
    if fromRoot.magnitude < 0.01 { return fromRoot * polynomial(digammaAtRoot, at: fromRoot) }
    var x = x
    var shift = 0.0
    while x < 12 {
      shift += 1 / x
      x += 1
    }
    let w = 1 / (x * x)
    return log(x) - 0.5 / x - w * polynomial(digammaStirling, at: w) - shift
  }

  /// The derivative of `digamma`, the sum of (x + n)^-2 over n = 0, 1, ...; infinite at zero and the negative integers.
  public static func trigamma(_ x: Double) -> Double {
    if x.isNaN || x == -.infinity { return .nan }
    if x <= 0 {
      let fraction = x - x.rounded()
      if fraction == 0 { return .infinity }
      let ratio = Double.pi / sin(.pi * fraction)
      return ratio * ratio - trigamma(1 - x)
    }
    if x < 1e-160 { return .infinity }
    var x = x
    var shift = 0.0
    while x < 12 {
      shift += 1 / (x * x)
      x += 1
    }
    let w = 1 / (x * x)
    return shift + 1 / x + 0.5 * w + w / x * polynomial(bernoulliNumbers, at: w)
  }

  /// The derivative of `digamma` of order m >= 1; the first is `trigamma`.
  ///
  /// Recurrence up to x = 14 + m, then the series of DLMF 5.15.8. Infinite at zero and the negative integers, for even
  /// orders NaN, where the two sides disagree; the time grows with -x for negative arguments.
  public static func polygamma(order m: Int, _ x: Double) -> Double {
    precondition(m >= 1, "a polygamma function of order \(m); digamma is the function itself")
    if m == 1 { return trigamma(x) }
    if x.isNaN || x < -1e6 { return .nan }
    if x <= 0 && x.rounded() == x { return m % 2 == 0 ? .nan : .infinity }
    if x == .infinity { return 0 }
    // Without the sign (-1)^(m + 1): m! times the sum of (x + n)^-(m + 1).
    var factorial = 1.0
    for k in 1..<m { factorial *= Double(k) }
    var x = x
    var shift = 0.0
    while x < Double(14 + m) {
      shift += pow(x, -(m + 1))
      x += 1
    }
    let w = 1 / (x * x)
    var sum = 1 + Double(m) / (2 * x)
    // (2 k + m - 1)! / ((2 k)! (m - 1)!) times B_2k / x^2k.
    var ratio = 1.0
    for (i, bernoulli) in bernoulliNumbers.enumerated() {
      let k = Double(2 * (i + 1))
      ratio *= (k + Double(m) - 2) * (k + Double(m) - 1) / ((k - 1) * k) * w
      sum += bernoulli * ratio
    }
    let magnitude = factorial * (sum * pow(x, -m) + Double(m) * shift)
    return m % 2 == 0 ? -magnitude : magnitude
  }

  /// log Gamma(1 + x) for -0.5 <= x <= 0.5, to full relative precision where 1 + x would lose it (DLMF 5.7.3).
  static func logGammaOnePlus(_ x: Double) -> Double {
    if x.magnitude > 0.5 { return logGamma(1 + x) }
    let series = x * x * polynomial(zetaTail, at: x)
    return x * (1 - eulerGamma) - log(onePlus: x) + series
  }
}

/// coefficients[0] + coefficients[1] x + ...
func polynomial(_ coefficients: [Double], at x: Double) -> Double {
  var value = 0.0
  for coefficient in coefficients.reversed() { value = value * x + coefficient }
  return value
}

let eulerGamma = 0.577_215_664_901_532_861

/// The positive root of psi in two parts, and the Taylor coefficients of psi about it, from the first power on.
private let digammaRoot = 1.461_632_144_968_362_2
private let digammaRootTail = 9.549_995_429_965_697_7e-17
private let digammaAtRoot = [
  0.967_672_245_447_621_17, -0.442_763_168_983_592_11, 0.258_499_760_955_651_01, -0.163_942_705_442_406_53,
  0.107_824_050_691_262_37, -0.072_199_561_256_454_711, 0.048_804_288_164_143_107, -0.033_161_126_474_847_359,
]

/// B_2, B_4, ..., B_16.
private let bernoulliNumbers: [Double] = [
  1.0 / 6, -1.0 / 30, 1.0 / 42, -1.0 / 30, 5.0 / 66, -691.0 / 2730, 7.0 / 6, -3617.0 / 510,
]
/// B_2n / (2n), the coefficients of x^(-2n) in log x - 1/(2x) - psi(x).
private let digammaStirling = bernoulliNumbers.enumerated().map { n, bernoulli in bernoulli / Double(2 * n + 2) }

/// (-1)^k (zeta(k) - 1) / k for k = 2, 3, ...
private let zetaTail = [
  0.644_934_066_848_226_436, 0.202_056_903_159_594_285, 0.082_323_233_711_138_192, 0.036_927_755_143_369_926,
  0.017_343_061_984_449_140, 0.008_349_277_381_922_827, 0.004_077_356_197_944_339, 0.002_008_392_826_082_214,
  9.945_751_278_180_853e-4, 4.941_886_041_194_646e-4, 2.460_865_533_080_483e-4, 1.227_133_475_784_891e-4,
  6.124_813_505_870_483e-5, 3.058_823_630_702_049e-5, 1.528_225_940_865_187e-5, 7.637_197_637_899_762e-6,
  3.817_293_264_999_840e-6, 1.908_212_716_553_939e-6, 9.539_620_338_727_961e-7, 4.769_329_867_878_065e-7,
  2.384_505_027_277_330e-7, 1.192_199_259_653_111e-7, 5.960_818_905_125_948e-8, 2.980_350_351_465_228e-8,
  1.490_155_482_836_504e-8,
].enumerated().map { k, tail in (k % 2 == 0 ? tail : -tail) / Double(k + 2) }
