public import LinearAlgebra
public import Tensors

/// A matrix recovered from measurements with gross errors.
public struct RobustRecovery<Scalar: LinearScalar>: Sendable {
  /// U, of shape [n, k], with X = U Uᵀ; for a matrix that is not symmetric X = U Vᵀ, and V is `rightFactor`.
  public let factor: Tensor<Scalar>
  public let rightFactor: Tensor<Scalar>?
  /// The singular values of U, decreasing.
  public let factorSingularValues: Tensor<Scalar>
  /// How many of them stand out: above the geometric mean of the largest and the start's scale.
  public let effectiveRank: Int
  public let history: RobustRecoveryHistory
  /// Its residual is the relative change of the factor in an iteration.
  public let convergence: Convergence
  public let notices: [RobustRecoveryNotice]

  /// X, of shape [n, n] or [rows, columns].
  public var matrix: Tensor<Scalar> { factor.matmul(rightFactor ?? factor, transposingB: true) }

  init(
    _ factors: RobustFactors<Scalar>, scale: Scalar, initialScale: Double, history: RobustRecoveryHistory,
    convergence: Convergence, notices: [RobustRecoveryNotice]
  ) throws {
    let root = Scalar.sqrt(scale)
    factor = factors.left * root
    rightFactor = factors.right.map { $0 * root }
    (self.history, self.convergence, self.notices) = (history, convergence, notices)
    factorSingularValues = factor.isFinite ? try factor.singularValues() : .zeros([factor.columns])
    let top = factorSingularValues.maximum().scalar
    let least = Scalar.sqrt(Scalar(initialScale) * root * max(top, 0))
    effectiveRank = top > 0 ? (factorSingularValues .> least).trueCount : 0
  }
}

/// What each iteration saw, the start first; lengths are relative to the median of |y|.
public struct RobustRecoveryHistory: Sendable, Hashable {
  /// The mean and the median of |residual|.
  public internal(set) var losses: [Double] = [], residualMedians: [Double] = []
  public internal(set) var steps: [Double] = []
  /// ‖X - truth‖_F / ‖truth‖_F, if the truth was given.
  public internal(set) var distances: [Double] = []
}

/// A circumstance that limits what a recovery is worth.
public enum RobustRecoveryNotice: Sendable, Hashable, CustomStringConvertible {
  /// The median residual stayed above a hundredth of its first value: half of the measurements may be wrong, or too few.
  case possiblyUnidentifiable(residual: Double)
  /// The mean of sign(y) A has no positive eigenvalue, so that the start was random.
  case randomStart
  /// Iterations grew without bound; the best one is returned.
  case diverged(iteration: Int)

  public var description: String {
    switch self {
    case .possiblyUnidentifiable(let residual):
      "the median residual only fell to \(residual) of its first value: half of the measurements may be wrong, or there "
        + "are too few"
    case .randomStart: "the measurements' signs suggest no positive semi-definite matrix; the start was random"
    case .diverged(let iteration): "iterations diverged by number \(iteration); the best one is returned"
    }
  }
}
