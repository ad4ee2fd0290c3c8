import Tensors

/// The time scale of decoupled weight decay: weights forget their past over 1 / (learning rate * weight decay) steps.
///
/// - Source: Wang and Aitchison 2024, arXiv 2405.13698; thresholds of Ding 2026, arXiv 2605.18898.
public struct TrainingClock: Sendable, Hashable {
  public let learningRate: Double
  public let weightDecay: Double

  /// - Throws: `InvalidArgument` unless both are positive.
  public init(learningRate: Double, weightDecay: Double) throws {
    guard learningRate > 0, learningRate.isFinite else {
      throw InvalidArgument("learningRate", found: "\(learningRate)", wanted: "a positive number")
    }
    guard weightDecay > 0, weightDecay.isFinite else {
      throw InvalidArgument("weightDecay", found: "\(weightDecay)", wanted: "a positive number")
    }
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }

  /// tau, in steps.
  public var period: Double { 1 / (learningRate * weightDecay) }

  /// T / tau: how often the weights have been renewed after so many steps.
  public func cycles(after steps: Int) -> Double { Double(steps) / period }

  public enum State: String, Sendable, Hashable {
    /// At least one period: the scale of the weights has settled.
    case saturated
    /// A fifth of a period and more.
    case approaching
    /// Less: the end of training is not an end of the movement.
    case transition
  }

  public func state(after steps: Int) -> State {
    let cycles = cycles(after: steps)
    return cycles >= 1 ? .saturated : cycles >= 0.2 ? .approaching : .transition
  }
}
