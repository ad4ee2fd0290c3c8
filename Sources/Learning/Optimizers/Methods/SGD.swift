import CVectorKernels
public import Tensors

/// Stochastic gradient descent, with momentum where wanted.
///
/// With g the gradient plus weight decay times the parameter:
///
///     b ← momentum · b + (1 - dampening) · g        (at first b ← g)
///     parameter ← parameter - rate · (nesterov ? g + momentum · b : b)
///
/// - Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013; in
///   PyTorch's form, where the rate multiplies the momentum as a whole.
public struct SGD<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// Share of the last direction that is kept; zero for plain descent, which then keeps no memory.
  public var momentum: Double
  /// What the gradient's share in the momentum is short of one.
  public var dampening: Double
  /// Whether to look ahead by one step of momentum.
  public var nesterov: Bool
  /// Added to the gradient, times the parameter: the slope of weightDecay / 2 · |parameter|².
  public var weightDecay: Double
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0, nesterov: Bool = false,
    weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.dampening = dampening
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] { momentum == 0 ? [] : [.init("momentum")] }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    var rule = apus_rule(
      momentum == 0 ? APUS_RULE_DESCENT : APUS_RULE_MOMENTUM, rate: learningRate, decay: weightDecay)
    rule.first_decay = update == 1 ? 0 : momentum
    rule.first_share = update == 1 ? 1 : 1 - dampening
    rule.mixture = nesterov ? 1 : 0
    rule.first_correction = nesterov ? momentum : 1
    return rule
  }
}
