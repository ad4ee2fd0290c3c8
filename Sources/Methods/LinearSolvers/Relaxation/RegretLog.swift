/// What a learner did in each round, and what that says about its regret.
public struct RegretLog: Sendable, Hashable, Codable {
  /// One choice and what came of it.
  public struct Round: Sendable, Hashable, Codable {
    public let action: Int
    /// With what probability it was chosen.
    public let probability: Double
    public let cost: Double
    public let context: Double?
  }

  /// The factors that the numbers of actions stand for.
  public let actions: [Double]
  public private(set) var rounds: [Round] = []

  public init(actions: [Double]) { self.actions = actions }

  public mutating func note(action: Int, probability: Double, cost: Double, context: Double? = nil) {
    rounds.append(Round(action: action, probability: probability, cost: cost, context: context))
  }

  public var totalCost: Double { rounds.reduce(0) { $0 + $1.cost } }

  /// What each action would have cost in the mean of a round, as far as its own rounds tell: each weighs as much as its
  /// action was unlikely. Nil for actions that were never chosen.
  public var estimatedMeanCosts: [Double?] {
    var sums = [(cost: Double, weight: Double)](repeating: (0, 0), count: actions.count)
    for round in rounds where round.probability > 0 {
      sums[round.action].cost += round.cost / round.probability
      sums[round.action].weight += 1 / round.probability
    }
    return sums.map { $0.weight > 0 ? $0.cost / $0.weight : nil }
  }

  /// The cost so far less what the action that seems cheapest would have cost: an estimate, which chance can make negative.
  public var estimatedRegret: Double {
    guard let least = estimatedMeanCosts.compactMap(\.self).min() else { return 0 }
    return totalCost - least * Double(rounds.count)
  }

  /// The regret after each round against the action that is best in hindsight over all of them, where the costs of all
  /// actions are known.
  ///
  /// - Parameter costs: a row for each round, with the cost of each action.
  public func regret(costs: [[Double]]) -> [Double] {
    precondition(
      costs.count == rounds.count && costs.allSatisfy { $0.count == actions.count },
      "costs of \(costs.count) rounds for \(rounds.count) of \(actions.count) actions")
    let totals = actions.indices.map { a in costs.reduce(0) { $0 + $1[a] } }
    guard let best = totals.indices.min(by: { totals[$0] < totals[$1] }) else { return [] }
    var sum = 0.0
    return zip(rounds, costs).map { round, costs in
      sum += round.cost - costs[best]
      return sum
    }
  }
}
