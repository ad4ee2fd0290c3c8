// Powers divided by factorials, without the cancellation of their logarithms: the two ingredients of the saddle-point
// form of the Poisson and binomial probabilities (Loader, "Fast and accurate computation of binomial probabilities",
// 2000). The incomplete gamma and beta functions take their prefactors from here.

import Numerics

/// log Gamma(a + 1) minus Stirling's approximation, (a + 1/2) log a - a + log(2 pi) / 2, for a > 0.
func stirlingError(_ a: Double) -> Double {
  if a >= 10 {
    let w = 1 / (a * a)
    return polynomial(stirlingSeries, at: w) / a
  }
  let stirling = (a + 0.5) * .log(a) - a + halfLogTwoPi
  return (a <= 0.5 ? .logGammaOnePlus(a) : .logGamma(a + 1)) - stirling
}

/// x log(x / mean) + mean - x, which is never negative and small when x is near `mean`.
func deviance(of x: Double, from mean: Double) -> Double {
  let excess = (mean - x) / x
  guard excess.magnitude < 0.3 else { return x * .log(x / mean) + (mean - x) }
  // excess - log(1 + excess), with v = excess / (2 + excess): log(1 + excess) = 2 (v + v^3/3 + v^5/5 + ...).
  let v = excess / (2 + excess)
  let w = v * v
  var tail = 0.0
  var power = 1.0
  var k = 3.0
  while power > 1e-18 {
    tail += power / k
    power *= w
    k += 2
  }
  let defect = excess * v - 2 * v * w * tail
  return x * defect
}

/// x^a e^-x / Gamma(a + 1), for a > 0 and x > 0.
func gammaPrefactor(a: Double, x: Double) -> Double {
  if a < 10 && x < 100 { return .pow(x, a) * .exp(-x) / .gamma(a + 1) }
  return .exp(-stirlingError(a) - deviance(of: a, from: x)) / (2 * .pi * a).squareRoot()
}

/// x^a y^b / B(a, b) with y = 1 - x, for positive a, b, x and y.
func betaPrefactor(a: Double, b: Double, x: Double, y: Double) -> Double {
  let n = a + b
  let exponent = stirlingError(n) - stirlingError(a) - stirlingError(b)
  let distance = deviance(of: a, from: n * x) + deviance(of: b, from: n * y)
  return .exp(exponent - distance) * (a / n * b / (2 * .pi)).squareRoot()
}

let halfLogTwoPi = 0.918_938_533_204_672_742
/// B_2n / (2n (2n - 1)), the coefficients of a^(1 - 2n).
private let stirlingSeries: [Double] = [
  1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360_360, 1.0 / 156,
]
