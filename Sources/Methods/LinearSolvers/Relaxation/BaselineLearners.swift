import Tensors

/// The action with the least mean cost, but a random one with probability `exploration`: what regret bounds are to beat.
public struct EpsilonGreedy: RelaxationLearner, Hashable {
  public let actions: [Double]
  public let exploration: Double
  public let seed: UInt64
  public private(set) var rounds = 0
  private var (sums, plays): ([Double], [Int])
  private var pending: Int?

  /// - Throws: `InvalidArgument` for actions that are not factors, or an exploration outside [0, 1].
  public init(actions: [Double] = relaxationGrid(), exploration: Double = 0.1, seed: UInt64 = 1) throws {
    try requireActions(actions)
    guard (0...1).contains(exploration) else {
      throw InvalidArgument("exploration", found: "\(exploration)", wanted: "at least 0, at most 1")
    }
    (self.actions, self.exploration, self.seed) = (actions, exploration, seed)
    sums = [Double](repeating: 0, count: actions.count)
    plays = [Int](repeating: 0, count: actions.count)
  }

  /// Actions that were never played come first.
  private var greedy: Int {
    actions.indices.min { sums[$0] / Double(max(plays[$0], 1)) < sums[$1] / Double(max(plays[$1], 1)) } ?? 0
  }

  public var probabilities: [Double] {
    let best = greedy
    let share = exploration / Double(actions.count)
    return actions.indices.map { $0 == best ? 1 - exploration + share : share }
  }

  public mutating func predict(context: Double? = nil) throws -> Int {
    let action = drawnIndex(probabilities, level: uniformDraw(seed: seed, round: rounds))
    pending = action
    return action
  }

  public mutating func update(cost: Double) throws {
    try requireCost(cost, isPending: pending != nil)
    guard let action = pending else { return }
    sums[action] += cost
    plays[action] += 1
    rounds += 1
    pending = nil
  }
}

/// Always the same factor.
public struct FixedRelaxation: RelaxationLearner, Hashable {
  public let actions: [Double]
  public private(set) var rounds = 0
  public var probabilities: [Double] { [1] }
  private var isPending = false

  /// - Throws: `InvalidArgument` unless the factor is above 0 and below 2.
  public init(_ relaxation: Double) throws {
    try requireActions([relaxation])
    actions = [relaxation]
  }

  public mutating func predict(context: Double? = nil) -> Int {
    isPending = true
    return 0
  }

  public mutating func update(cost: Double) throws {
    try requireCost(cost, isPending: isPending)
    isPending = false
    rounds += 1
  }
}
