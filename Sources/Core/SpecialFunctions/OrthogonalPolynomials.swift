// Orthogonal polynomials by their three-term recurrences, which are stable in the direction of growing degree.

import Numerics

/// The classical orthogonal polynomials.
///
/// ```swift
/// OrthogonalPolynomial.legendre.value(degree: 3, at: 0.5)         // -0.4375
/// OrthogonalPolynomial.chebyshev.values(through: 4, at: 0.3)      // T_0 ... T_4
/// ```
///
/// Source of the recurrences: NIST Digital Library of Mathematical Functions, table 18.9.1.
public enum OrthogonalPolynomial: Sendable, Hashable, CaseIterable {
  /// P_n, on [-1, 1] with weight one.
  case legendre
  /// T_n(cos t) = cos(n t), on [-1, 1] with weight 1 / sqrt(1 - x^2).
  case chebyshev
  /// U_n(cos t) = sin((n + 1) t) / sin t, on [-1, 1] with weight sqrt(1 - x^2).
  case chebyshevOfSecondKind
  /// H_n of the physicists, on the real line with weight exp(-x^2): leading coefficient 2^n.
  case hermite
  /// He_n of the probabilists, with weight exp(-x^2 / 2): leading coefficient one.
  case hermiteOfUnitVariance
  /// L_n, on [0, infinity) with weight exp(-x).
  case laguerre

  /// The polynomial of one degree at `x`. Traps on a negative degree.
  /// - Complexity: O(degree).
  public func value(degree: Int, at x: Double) -> Double {
    precondition(degree >= 0, "a degree is not negative, but \(degree) was asked for")
    var (previous, current) = (0.0, 1.0)
    for n in 0..<degree { (previous, current) = (current, next(n, x, current, previous)) }
    return current
  }

  /// The polynomials of degrees zero through `degree` at `x`.
  public func values(through degree: Int, at x: Double) -> [Double] {
    precondition(degree >= 0, "a degree is not negative, but \(degree) was asked for")
    var values = [1.0]
    for n in 0..<degree { values.append(next(n, x, values[n], n == 0 ? 0 : values[n - 1])) }
    return values
  }

  /// The polynomial of degree n + 1 from those of degrees n and n - 1.
  private func next(_ n: Int, _ x: Double, _ current: Double, _ previous: Double) -> Double {
    let k = Double(n)
    switch self {
    case .legendre:
      let growth = (2 * k + 1) * x * current
      return (growth - k * previous) / (k + 1)
    case .chebyshev: return n == 0 ? x : 2 * x * current - previous
    case .chebyshevOfSecondKind: return 2 * x * current - previous
    case .hermite:
      let growth = 2 * x * current
      return growth - 2 * k * previous
    case .hermiteOfUnitVariance: return x * current - k * previous
    case .laguerre:
      let growth = (2 * k + 1 - x) * current
      return (growth - k * previous) / (k + 1)
    }
  }

  /// The sum of coefficients[n] p_n(x), by Clenshaw's recurrence, without forming the polynomials.
  public func series(_ coefficients: [Double], at x: Double) -> Double {
    // b_n = c_n + alpha_n b_n+1 - beta_n+1 b_n+2, where p_n+1 = alpha_n p_n - beta_n p_n-1; the sum is b_0 (p_0 = 1).
    var (b1, b2) = (0.0, 0.0)
    for n in coefficients.indices.reversed() {
      let alpha = next(n, x, 1, 0)
      let beta = -next(n + 1, x, 0, 1)
      (b1, b2) = (coefficients[n] + alpha * b1 - beta * b2, b1)
    }
    return b1
  }
}

extension GaussQuadrature {
  /// The rule for the integral of f(x) / sqrt(1 - x^2) over [-1, 1]: equal weights at the zeros of T_n.
  public static func chebyshev(_ count: Int) -> GaussQuadrature {
    precondition(count >= 1, "a quadrature rule needs at least one node, \(count) were asked for")
    let nodes = (0..<count).map { i in
      // As a sine of an angle that is odd about the middle, so that the nodes are exactly symmetric.
      Double.sin(Double.pi * Double(2 * i - count + 1) / Double(2 * count))
    }
    return GaussQuadrature(nodes: nodes, weights: [Double](repeating: .pi / Double(count), count: count))
  }
}
