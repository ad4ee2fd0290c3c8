import Tensors

/// Chooses a relaxation factor for each system of a sequence from the costs of those before: a bandit.
///
/// Each round is one ``predict(context:)`` followed by one ``update(cost:)``. The same seed gives the same choices, and a
/// learner is `Codable`: it can go on in another run.
public protocol RelaxationLearner: Sendable, Codable {
  /// The factors to choose from.
  var actions: [Double] { get }
  /// With what probability each action was, or would be, chosen in this round.
  var probabilities: [Double] { get }
  /// Rounds so far.
  var rounds: Int { get }

  /// The number of the action to play.
  mutating func predict(context: Double?) throws -> Int
  /// The cost, at least 1 (iterations), of the action that was played.
  mutating func update(cost: Double) throws
  /// With what probability this action was, or would be, chosen.
  func probability(of action: Int) -> Double
}

extension RelaxationLearner {
  public func probability(of action: Int) -> Double { probabilities[action] }
}

/// `count` equally spaced factors between `range`'s ends: the grid of the paper.
public func relaxationGrid(_ count: Int = 20, in range: ClosedRange<Double> = 1...1.95) -> [Double] {
  guard count > 1 else { return [range.lowerBound] }
  let width = range.upperBound - range.lowerBound
  return (0..<count).map { range.lowerBound + width * Double($0) / Double(count - 1) }
}

/// A number of round `round`, the same whatever was drawn before.
func uniformDraw(seed: UInt64, round: Int) -> Double {
  var stream = RandomStream(seed: seed).child(UInt64(round))
  return Double.random(in: 0..<1, using: &stream)
}

/// The index where the running sum of the probabilities exceeds the level.
func drawnIndex(_ probabilities: [Double], level: Double) -> Int {
  var rest = level
  for (i, probability) in probabilities.enumerated() {
    rest -= probability
    if rest < 0 { return i }
  }
  return probabilities.lastIndex { $0 > 0 } ?? 0
}

func requireActions(_ actions: [Double]) throws {
  guard !actions.isEmpty, actions.allSatisfy({ $0 > 0 && $0 < 2 }) else {
    throw InvalidArgument("actions", found: "\(actions)", wanted: "relaxation factors above 0 and below 2")
  }
}

func requireCost(_ cost: Double, isPending: Bool) throws {
  guard isPending else {
    throw InvalidArgument("update", found: "no prediction before it", wanted: "one prediction for each update")
  }
  guard cost >= 1, cost.isFinite else {
    throw InvalidArgument("cost", found: "\(cost)", wanted: "a finite number, at least 1")
  }
}
