import CVectorKernels
public import Tensors

/// Adam: descent along the mean of past gradients, each element in units of its root mean square.
///
/// With g the gradient plus weight decay times the parameter, and t the number of the update:
///
///     m ← β₁ m + (1 - β₁) g        v ← β₂ v + (1 - β₂) g²
///     parameter ← parameter - rate · m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + stability)
///
/// - Source: Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
public struct Adam<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// How much of the mean of gradients is kept in a step (β₁).
  public var firstDecay: Double
  /// How much of the mean of squares is kept in a step (β₂).
  public var secondDecay: Double
  /// Added to the root of the mean of squares, so that nothing is divided by zero (ε).
  public var stability: Double
  /// Added to the gradient, times the parameter; compare ``AdamW``.
  public var weightDecay: Double
  /// Divides by the largest mean of squares so far: Reddi et al., "On the convergence of Adam and beyond", ICLR 2018.
  public var usesLargestSquare: Bool
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-3, firstDecay: Double = 0.9, secondDecay: Double = 0.999, stability: Double = 1e-8,
    weightDecay: Double = 0, usesLargestSquare: Bool = false, groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.firstDecay = firstDecay
    self.secondDecay = secondDecay
    self.stability = stability
    self.weightDecay = weightDecay
    self.usesLargestSquare = usesLargestSquare
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] { AdamMoments.slots(usesLargestSquare) }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    let moments = AdamMoments(firstDecay: firstDecay, secondDecay: secondDecay, stability: stability)
    let kind = usesLargestSquare ? APUS_RULE_ADAM_LARGEST : APUS_RULE_ADAM
    return moments.constants(of: apus_rule(kind, rate: learningRate, decay: weightDecay), update: update)
  }
}

/// Adam with weight decay apart from the gradient: each step first shrinks the parameter by rate · weightDecay.
///
/// - Source: Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2.
public struct AdamW<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// How much of the mean of gradients is kept in a step (β₁).
  public var firstDecay: Double
  /// How much of the mean of squares is kept in a step (β₂).
  public var secondDecay: Double
  /// Added to the root of the mean of squares, so that nothing is divided by zero (ε).
  public var stability: Double
  /// Times the learning rate: the part of a parameter that each step takes away.
  public var weightDecay: Double
  /// Divides by the largest mean of squares so far: Reddi et al., "On the convergence of Adam and beyond", ICLR 2018.
  public var usesLargestSquare: Bool
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-3, firstDecay: Double = 0.9, secondDecay: Double = 0.999, stability: Double = 1e-8,
    weightDecay: Double = 0.01, usesLargestSquare: Bool = false, groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.firstDecay = firstDecay
    self.secondDecay = secondDecay
    self.stability = stability
    self.weightDecay = weightDecay
    self.usesLargestSquare = usesLargestSquare
    self.groups = groups
  }

  var slots: [ParameterMemory<Scalar>.Slot] { AdamMoments.slots(usesLargestSquare) }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    let moments = AdamMoments(firstDecay: firstDecay, secondDecay: secondDecay, stability: stability)
    let kind = usesLargestSquare ? APUS_RULE_ADAM_LARGEST : APUS_RULE_ADAM
    return moments.constants(of: apus_rule(kind, rate: learningRate, decoupledDecay: weightDecay), update: update)
  }
}

/// The running means that the Adam family shares.
struct AdamMoments {
  var firstDecay: Double, secondDecay: Double, stability: Double

  static func slots<Scalar>(_ usesLargestSquare: Bool) -> [ParameterMemory<Scalar>.Slot] {
    let moments: [ParameterMemory<Scalar>.Slot] = [.init("firstMoment"), .init("secondMoment")]
    return usesLargestSquare ? moments + [.init("largestSecondMoment")] : moments
  }

  func constants(of rule: apus_rule, update: Int) -> apus_rule {
    var rule = rule
    rule.first_share = 1 - firstDecay
    rule.first_correction = 1 / (1 - .pow(firstDecay, update))
    rule.second_decay = secondDecay
    rule.second_share = 1 - secondDecay
    rule.second_correction = 1 / (1 - .pow(secondDecay, update)).squareRoot()
    rule.stability = stability
    return rule
  }
}
