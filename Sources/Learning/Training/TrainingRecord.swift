// What is known of a run: measurements on held-out data, the lines of its log, how it ended.

/// How good a model is on data that it has not learned from.
public struct Evaluation: Sendable, Codable, Hashable {
  /// The mean loss.
  public var loss: Double
  /// The share of examples whose class is found, where there are classes.
  public var accuracy: Double?

  public init(loss: Double, accuracy: Double? = nil) {
    self.loss = loss
    self.accuracy = accuracy
  }

  /// More examples right; among equals, and where there are no classes, a smaller loss. Nothing is worse than a loss
  /// that is no number.
  public func isBetter(than other: Evaluation) -> Bool {
    if loss.isNaN || other.loss.isNaN { return !loss.isNaN }
    if let accuracy, let before = other.accuracy, accuracy != before { return accuracy > before }
    return loss < other.loss
  }
}

/// A line of the log.
public struct TrainingLogEntry: Sendable, Codable, Hashable {
  /// Steps done.
  public var step: Int
  /// The mean training loss since the line before.
  public var loss: Double
  /// Of the last step, before clipping; nil, and null in the file, when it is beyond every number.
  public var gradientNorm: Double?
  /// What the schedule multiplied the learning rate with in the last step.
  public var rateFactor: Double
  /// Since the beginning, all parts of an interrupted run together.
  public var seconds: Double
  /// If there was an evaluation at this step.
  public var validation: Evaluation?

  public func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: CodingKeys.self)
    try members.encode(step, forKey: .step)
    try members.encode(loss, forKey: .loss)
    // Null instead of nothing: each line has the same members.
    try members.encode(gradientNorm, forKey: .gradientNorm)
    try members.encode(rateFactor, forKey: .rateFactor)
    try members.encode(seconds, forKey: .seconds)
    try members.encodeIfPresent(validation, forKey: .validation)
  }
}

/// How a run went.
public struct TrainingRecord: Sendable {
  public struct Best: Sendable, Codable, Hashable {
    public var step: Int
    public var evaluation: Evaluation
  }

  /// Steps done, those of an earlier part of the run included.
  public var steps: Int
  public var seconds: Double
  /// The loss of the last batch.
  public var finalLoss: Double
  public var finalEvaluation: Evaluation?
  public var best: Best?
  /// Whether it ended because the evaluations got no better.
  public var stoppedEarly: Bool
  public var log: [TrainingLogEntry]
}
