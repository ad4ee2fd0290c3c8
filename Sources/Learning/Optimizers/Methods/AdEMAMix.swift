import CVectorKernels
import RealModule
import Tensors

/// AdamW with a second, much slower mean of gradients added to the first.
///
/// With t the number of the update:
///
///     m ← β₁ m + (1 - β₁) g    n ← β₃(t) n + (1 - β₃(t)) g    v ← β₂ v + (1 - β₂) g²
///     direction = (m / (1 - β₁ᵗ) + α(t) n) / (√(v / (1 - β₂ᵗ)) + stability)
///     parameter ← parameter - rate · (direction + weightDecay · parameter)
///
/// During the warm-up, α grows in a straight line and β₃ from β₁ so that its half-life does.
/// - Source: Pagliardini, Ablin and Grangier, "The AdEMAMix optimizer: better, faster, older", ICLR 2025, algorithm 1
///   and section 3.
public struct AdEMAMix<Scalar: RealScalar>: ElementwiseOptimizer {
  public var learningRate: Double
  /// How much of the fast mean is kept in a step (β₁).
  public var firstDecay: Double
  /// How much of the mean of squares is kept in a step (β₂).
  public var secondDecay: Double
  /// How much of the slow mean is kept in a step (β₃).
  public var slowDecay: Double
  /// The weight of the slow mean (α), best between 4 and 10.
  public var mixture: Double
  /// The steps after which α and β₃ have reached their values: usually all steps of the training. Zero: from the start.
  public var warmUp: Int
  /// Added to the root of the mean of squares, so that nothing is divided by zero.
  public var stability: Double
  /// Times the learning rate: the part of a parameter that each step takes away.
  public var weightDecay: Double
  public var groups: [ParameterGroup]
  var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 1e-3, firstDecay: Double = 0.9, secondDecay: Double = 0.999, slowDecay: Double = 0.9999,
    mixture: Double = 8, warmUp: Int = 0, stability: Double = 1e-8, weightDecay: Double = 0,
    groups: [ParameterGroup] = []
  ) {
    self.learningRate = learningRate
    self.firstDecay = firstDecay
    self.secondDecay = secondDecay
    self.slowDecay = slowDecay
    self.mixture = mixture
    self.warmUp = warmUp
    self.stability = stability
    self.weightDecay = weightDecay
    self.groups = groups
  }

  /// α(t): min(t α / T, α).
  public func mixture(inUpdate update: Int) -> Double {
    update < warmUp ? Double(update) / Double(warmUp) * mixture : mixture
  }

  /// β₃(t): 1 / log β₃(t), which the half-life is proportional to, goes in a straight line from β₁ to β₃.
  public func slowDecay(inUpdate update: Int) -> Double {
    guard update < warmUp, 0 < firstDecay, firstDecay < slowDecay, slowDecay < 1 else { return slowDecay }
    let part = Double(update) / Double(warmUp)
    let (start, end): (Double, Double) = (.log(firstDecay), .log(slowDecay))
    return min(.exp(start * end / ((1 - part) * end + part * start)), slowDecay)
  }

  var slots: [ParameterMemory<Scalar>.Slot] {
    [.init("firstMoment"), .init("secondMoment"), .init("slowFirstMoment")]
  }

  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule {
    let moments = AdamMoments(firstDecay: firstDecay, secondDecay: secondDecay, stability: stability)
    let kind = apus_rule(APUS_RULE_ADAM_MIXED, rate: learningRate, decoupledDecay: weightDecay)
    var rule = moments.constants(of: kind, update: update)
    rule.third_share = 1 - slowDecay(inUpdate: update)
    rule.mixture = mixture(inUpdate: update)
    return rule
  }
}
