import Numerics
import SpecialFunctions
import Tensors

/// A law of weights whose magnitudes have a known quantile function.
public enum MagnitudeLaw: Sendable, Hashable {
  /// |N(0, sd^2)|: weights as they are initialized.
  case halfNormal(standardDeviation: Double = 1)
  /// Density proportional to exp(-|w / a|^shape): Laplace at 1, normal at 2; given by its standard deviation.
  case generalizedGaussian(shape: Double, standardDeviation: Double = 1)
  /// N(0, sd^2) restricted to |w| <= bound * sd. `standardDeviation` is that of the normal law before it is cut.
  case truncatedNormal(bound: Double, standardDeviation: Double = 1)
  /// Density exp(-|w| / scale) / (2 scale); its magnitudes are exponential.
  case laplace(scale: Double = 1)
  /// Uniform on [-bound, bound].
  case uniform(bound: Double = 1)
  case studentT(degreesOfFreedom: Double)
  /// Magnitudes that are Weibull themselves.
  case weibull(shape: Double, scale: Double = 1)

  /// The magnitude below which a weight falls with probability `lower`; `upper` is 1 - lower, for precision near one.
  func quantile(lower: Double, upper: Double) -> Double {
    // The quantile of |N(0, 1)|.
    func normal(_ lower: Double, _ upper: Double) -> Double {
      2.0.squareRoot() * (lower < 0.5 ? .inverseErf(lower) : .inverseErfc(upper))
    }
    switch self {
    case .halfNormal(let standardDeviation):
      return standardDeviation * normal(lower, upper)
    case .generalizedGaussian(let shape, let standardDeviation):
      let power =
        lower < 0.5
        ? Double.inverseRegularizedGammaP(a: 1 / shape, p: lower)
        : Double.inverseRegularizedGammaQ(a: 1 / shape, q: upper)
      let unit = (Double.gamma(1 / shape) / .gamma(3 / shape)).squareRoot()
      return standardDeviation * unit * .pow(power, 1 / shape)
    case .truncatedNormal(let bound, let standardDeviation):
      let mass = Double.erf(bound / 2.0.squareRoot())
      let cut = Double.erfc(bound / 2.0.squareRoot())
      return standardDeviation * normal(lower * mass, cut + upper * mass)
    case .laplace(let scale):
      return scale * exponential(lower, upper)
    case .uniform(let bound):
      return bound * lower
    case .studentT(let degrees):
      // t^2 / (degrees + t^2) is a beta variable.
      if lower < 0.5 {
        let share = Double.inverseRegularizedBeta(a: 0.5, b: degrees / 2, p: lower)
        return (degrees * share / (1 - share)).squareRoot()
      }
      let rest = Double.inverseRegularizedBeta(a: degrees / 2, b: 0.5, p: upper)
      return (degrees * (1 - rest) / rest).squareRoot()
    case .weibull(let shape, let scale):
      return scale * .pow(exponential(lower, upper), 1 / shape)
    }
  }

  /// The first parameter that is not positive and finite, if there is one.
  fileprivate var badParameter: (name: String, value: Double)? {
    let parameters: [(String, Double)] =
      switch self {
      case .halfNormal(let standardDeviation): [("standardDeviation", standardDeviation)]
      case .generalizedGaussian(let shape, let standardDeviation):
        [("shape", shape), ("standardDeviation", standardDeviation)]
      case .truncatedNormal(let bound, let standardDeviation):
        [("bound", bound), ("standardDeviation", standardDeviation)]
      case .laplace(let scale): [("scale", scale)]
      case .uniform(let bound): [("bound", bound)]
      case .studentT(let degrees): [("degreesOfFreedom", degrees)]
      case .weibull(let shape, let scale): [("shape", shape), ("scale", scale)]
      }
    return parameters.first { !($0.1 > 0 && $0.1.isFinite) }
  }
}

/// -ln(1 - u), given u and 1 - u.
private func exponential(_ lower: Double, _ upper: Double) -> Double {
  lower < 0.5 ? -.log(onePlus: -lower) : -.log(upper)
}

/// The Weibull law that the fit of infinitely many weights of a known law tends to: what to compare a fit with.
///
/// The least-squares line of ln q(u) and ln(-ln(1 - u)) for u uniform on the kept probabilities, q being the law's
/// quantile function, by Gauss–Legendre quadrature with 200 nodes.
public struct WeibullAnchor: Sendable, Hashable {
  public let shape: Double
  public let scale: Double
  /// How straight the law's Weibull plot is.
  public let rSquared: Double

  /// - Throws: `InvalidArgument` for a parameter of the law that is not positive.
  public init(of law: MagnitudeLaw, trim: MagnitudeTrim = .middle80) throws {
    if let bad = law.badParameter {
      throw InvalidArgument(bad.name, found: "\(bad.value)", wanted: "a positive number")
    }
    self.init(of: law, quadratureOver: trim)
  }

  private init(of law: MagnitudeLaw, quadratureOver trim: MagnitudeTrim) {
    var nodes: [(x: Double, y: Double, weight: Double)] = []
    let rule = GaussQuadrature.legendre(200)
    let interval = trim.probabilities
    for (node, weight) in zip(rule.nodes, rule.weights) {
      // s and 1 - s, both without cancellation, as the rule is symmetric.
      let s = 0.5 * (1 + node)
      let rest = 0.5 * (1 - node)
      var lower = interval.lowerBound + s * (interval.upperBound - interval.lowerBound)
      var upper = 1 - lower
      var measure = 0.5 * weight
      if trim == .full {
        // The logarithmic singularities at both ends vanish under a smooth step, u(s) of derivative 140 s^3 (1 - s)^3.
        lower = smoothStep(s)
        upper = smoothStep(rest)
        let product = s * rest
        measure *= 140 * product * product * product
      }
      let x = Double.log(law.quantile(lower: lower, upper: upper))
      nodes.append((x, .log(exponential(lower, upper)), measure))
    }
    let total = nodes.reduce(0) { $0 + $1.weight }
    let meanX = nodes.reduce(0) { $0 + $1.weight * $1.x } / total
    let meanY = nodes.reduce(0) { $0 + $1.weight * $1.y } / total
    var xx = 0.0
    var xy = 0.0
    var yy = 0.0
    for node in nodes {
      let dx = node.x - meanX
      let dy = node.y - meanY
      xx += node.weight * dx * dx
      xy += node.weight * dx * dy
      yy += node.weight * dy * dy
    }
    shape = xy / xx
    scale = .exp(meanX - meanY * xx / xy)
    rSquared = xy * xy / (xx * yy)
  }

  /// The anchor of weights as they are initialized, N(0, 1): k = 1.2054 and lambda = 0.8875 for the middle 80 %.
  public static func gaussian(_ trim: MagnitudeTrim = .middle80) -> WeibullAnchor {
    switch trim {
    case .middle80: gaussian80
    case .middle90: gaussian90
    case .full: gaussianFull
    }
  }

  private static let gaussian80 = WeibullAnchor(of: .halfNormal(), quadratureOver: .middle80)
  private static let gaussian90 = WeibullAnchor(of: .halfNormal(), quadratureOver: .middle90)
  private static let gaussianFull = WeibullAnchor(of: .halfNormal(), quadratureOver: .full)
}

/// s^4 (35 - 84 s + 70 s^2 - 20 s^3); smoothStep(1 - s) = 1 - smoothStep(s).
private func smoothStep(_ s: Double) -> Double {
  let inner = 35 + s * (-84 + s * (70 - 20 * s))
  return s * s * s * s * inner
}
