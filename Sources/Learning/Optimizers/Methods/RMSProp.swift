import CVectorKernels
import Tensors

/// Descent with each element in units of the root mean square of its recent gradients.
///
/// With g the gradient plus weight decay times the parameter:
///
///     v ← decay · v + (1 - decay) g²        direction = g / (√v + stability)
///
/// - Source: Tieleman and Hinton, "Lecture 6.5: RMSProp", 2012; centered: Graves, "Generating sequences with recurrent
///   neural networks", 2013, section 4.2, with the stability outside of the root as in PyTorch.
public struct RMSProp<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// How much of the mean of squares is kept in a step.
  public var decay: Double
  /// Added to the root of the mean of squares, so that nothing is divided by zero.
  public var stability: Double
  /// Share of the last direction that is added to the next one.
  public var momentum: Double
  /// Whether to divide by the deviation of the gradients instead of their root mean square.
  public var isCentered: Bool
  /// Added to the gradient, times the parameter.
  public var weightDecay: Double
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-2, decay: Double = 0.99, stability: Double = 1e-8, momentum: Double = 0,
    isCentered: Bool = false, weightDecay: Double = 0, groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.decay = decay
    self.stability = stability
    self.momentum = momentum
    self.isCentered = isCentered
    self.weightDecay = weightDecay
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] {
    var slots: [ParameterMemory<Scalar>.Slot] = [.init("secondMoment")]
    if isCentered { slots.append(.init("firstMoment")) }
    if momentum != 0 { slots.append(.init("momentum")) }
    return slots
  }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    let kind =
      switch (isCentered, momentum != 0) {
      case (false, false): APUS_RULE_ROOT_MEAN_SQUARE
      case (true, false): APUS_RULE_ROOT_MEAN_SQUARE_CENTERED
      case (false, true): APUS_RULE_ROOT_MEAN_SQUARE_MOMENTUM
      case (true, true): APUS_RULE_ROOT_MEAN_SQUARE_CENTERED_MOMENTUM
      }
    var rule = apus_rule(kind, rate: learningRate, decay: weightDecay)
    rule.first_decay = momentum
    rule.second_decay = decay
    rule.second_share = 1 - decay
    rule.stability = stability
    return rule
  }
}
