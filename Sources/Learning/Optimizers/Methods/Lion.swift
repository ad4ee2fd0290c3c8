import CVectorKernels
import Tensors

/// Steps of one length for every element, along the sign of a momentum into which the newest gradient is mixed.
///
///     c = β₁ m + (1 - β₁) g        m ← β₂ m + (1 - β₂) g
///     parameter ← parameter - rate · (sign c + weightDecay · parameter)
///
/// Its learning rate is to be three to ten times smaller than AdamW's, and its weight decay larger by as much.
/// - Source: Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2.
public struct Lion<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// The momentum's share in the direction (β₁).
  public var mixing: Double
  /// How much of the momentum is kept in a step (β₂).
  public var decay: Double
  /// Times the learning rate: the part of a parameter that each step takes away.
  public var weightDecay: Double
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-4, mixing: Double = 0.9, decay: Double = 0.99, weightDecay: Double = 0,
    groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.mixing = mixing
    self.decay = decay
    self.weightDecay = weightDecay
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] { [.init("momentum")] }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    var rule = apus_rule(APUS_RULE_SIGN, rate: learningRate, decoupledDecay: weightDecay)
    rule.first_decay = mixing
    rule.first_share = 1 - mixing
    rule.second_decay = decay
    rule.second_share = 1 - decay
    return rule
  }
}

/// Steps of one length for every element, along the sign of the momentum; without momentum, signSGD.
///
///     m ← momentum · m + (1 - momentum) g
///     parameter ← parameter - rate · (sign m + weightDecay · parameter)
///
/// - Source: Bernstein et al., "signSGD: compressed optimisation for non-convex problems", ICML 2018, algorithm 2.
public struct Signum<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// How much of the mean of gradients is kept in a step.
  public var momentum: Double
  /// Times the learning rate: the part of a parameter that each step takes away.
  public var weightDecay: Double
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-3, momentum: Double = 0.9, weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] { [.init("momentum")] }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    var rule = apus_rule(APUS_RULE_SIGN, rate: learningRate, decoupledDecay: weightDecay)
    rule.first_decay = momentum
    rule.first_share = 1 - momentum
    rule.second_decay = momentum
    rule.second_share = 1 - momentum
    return rule
  }
}
