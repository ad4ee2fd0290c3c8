import CVectorKernels
import Tensors

/// Descent with each element in units of the root of the sum of all its squared gradients.
///
/// With g the gradient plus weight decay times the parameter, and t the number of the update:
///
///     v ← v + g²        parameter ← parameter - rate / (1 + (t - 1) rateDecay) · g / (√v + stability)
///
/// - Source: Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011, with the diagonal matrix.
public struct Adagrad<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// How fast the learning rate falls on top of the growing sum.
  public var rateDecay: Double
  /// What the sums of squares start from.
  public var initialSum: Double
  /// Added to the root of the sum, so that nothing is divided by zero.
  public var stability: Double
  /// Added to the gradient, times the parameter.
  public var weightDecay: Double
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-2, rateDecay: Double = 0, initialSum: Double = 0, stability: Double = 1e-10,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.rateDecay = rateDecay
    self.initialSum = initialSum
    self.stability = stability
    self.weightDecay = weightDecay
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] { [.init("sumOfSquares", initialValue: initialSum)] }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    let rate = learningRate / (1 + Double(update - 1) * rateDecay)
    var rule = apus_rule(APUS_RULE_ROOT_MEAN_SQUARE, rate: rate, decay: weightDecay)
    rule.second_decay = 1
    rule.second_share = 1
    rule.stability = stability
    return rule
  }
}
