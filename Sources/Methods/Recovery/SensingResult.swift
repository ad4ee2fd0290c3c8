public import LinearAlgebra
public import Tensors

/// A sensed matrix in factors.
public struct SensingResult<Scalar: LinearScalar>: Sendable {
  /// F, of shape [rows, k], and G, of shape [columns, k], with M = F Gᵀ; without G, M = F Fᵀ.
  public let left: Tensor<Scalar>, right: Tensor<Scalar>?
  /// η.
  public let stepSize: Double
  public let history: SensingHistory
  /// Its residual is ‖(1/m) 𝒜*(𝒜(X) - y)‖_F / ‖(1/m) 𝒜*(y)‖_F.
  public let convergence: Convergence
  /// When the accelerated method changed its factors.
  public let switched: SensingSwitch?
  /// ‖(FᵀF - GᵀG) - (that of the start)‖_F, which gradient flow would keep at zero; none after a switch.
  public let imbalanceDrift: Double?
  public let notices: [SensingNotice]

  /// M, of shape [rows, columns].
  public var matrix: Tensor<Scalar> { left.matmul(right ?? left, transposingB: true) }

  /// The law that the residuals follow.
  public var fittedRate: ConvergenceLaw? { ConvergenceLaw(fitting: history.residuals) }
}

/// What each iteration saw, the start first.
public struct SensingHistory: Sendable, Hashable {
  public internal(set) var residuals: [Double] = []
  /// ‖X - truth‖_F, if the truth was given.
  public internal(set) var distances: [Double] = []
}

/// The one step that changes the factors and keeps their product.
public struct SensingSwitch: Sendable, Hashable {
  public let iteration: Int
  /// The relative change of the product: rounding, unless a factor had lost columns.
  public let productChange: Double
}

/// A circumstance that limits what a result is worth.
public enum SensingNotice: Sendable, Hashable, CustomStringConvertible {
  /// The residual stands still: the factors have fewer columns than the matrix has rank.
  case rankTooSmall(residual: Double)
  /// The residual grew a thousandfold.
  case stepTooLarge(suggested: Double)

  public var description: String {
    switch self {
    case .rankTooSmall(let residual):
      "the residual stands still at \(residual): the rank may be too small, or the measurements inconsistent"
    case .stepTooLarge(let suggested): "iterations diverged; try a step of \(suggested)"
    }
  }
}

/// How an error falls with the number of iterations.
public enum ConvergenceLaw: Sendable, Hashable {
  /// error ∝ t^exponent.
  case power(exponent: Double)
  /// error ∝ exp(-rate t).
  case linear(rate: Double)

  /// The law that fits errors, one for each iteration, better in the sense of least squares of logarithms (both have two
  /// parameters, so that the information criteria agree). Looks at the last nine tenths, half and quarter of the errors
  /// above 1e-13 of the first, and takes the best fit.
  public init?(fitting errors: [Double]) {
    guard let first = errors.first, first > 0 else { return nil }
    let end = errors.firstIndex { !($0 > 1e-13 * first) } ?? errors.count
    var best = Double.infinity
    var law: ConvergenceLaw?
    for share in [0.1, 0.5, 0.75] {
      let start = max(1, Int(share * Double(end)))
      guard end - start >= 8 else { continue }
      let points = stride(from: start, to: end, by: max(1, (end - start) / 2_000))
      let times = points.map { Double($0) }
      let values = points.map { Double.log(errors[$0]) }
      for isPower in [true, false] {
        let (slope, mean) = Self.line(isPower ? times.map { Double.log($0 + 1) } : times, values)
        guard mean < best else { continue }
        best = mean
        law = isPower ? .power(exponent: slope) : .linear(rate: -slope)
      }
    }
    guard let law else { return nil }
    self = law
  }

  /// Slope of the least-squares line, and the mean of its squared errors.
  private static func line(_ x: [Double], _ y: [Double]) -> (slope: Double, error: Double) {
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (covariance, variance) = (0.0, 0.0)
    for (a, b) in zip(x, y) {
      covariance += (a - meanX) * (b - meanY)
      variance += (a - meanX) * (a - meanX)
    }
    let slope = variance > 0 ? covariance / variance : 0
    let error = zip(x, y).reduce(0.0) { sum, point in
      let gap = point.1 - meanY - slope * (point.0 - meanX)
      return sum + gap * gap
    }
    return (slope, error / count)
  }
}
