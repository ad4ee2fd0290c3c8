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

/// Thompson sampling: the action that is the cheapest of one draw from what is believed of each mean cost.
///
/// Mean costs are normal a posteriori; the prior is worth one observation, with the mean and the variance of all costs so
/// far. Without a context it has no guarantee against sequences that change.
/// - Complexity: O(d) time a round; O(d²) for all ``probabilities``, which are integrals.
/// - Source: Thompson, Biometrika 25 (1933); Agrawal and Goyal, AISTATS 2013.
public struct ThompsonSampling: RelaxationLearner, Hashable {
  public let actions: [Double]
  public let seed: UInt64
  public private(set) var rounds = 0
  private var (means, deviations, plays): ([Double], [Double], [Double])
  private var (mean, spread) = (0.0, 0.0)
  private var pending: Int?

  /// - Throws: `InvalidArgument` for actions that are not factors.
  public init(actions: [Double] = relaxationGrid(), seed: UInt64 = 1) throws {
    try requireActions(actions)
    (self.actions, self.seed) = (actions, seed)
    means = [Double](repeating: 0, count: actions.count)
    (deviations, plays) = (means, means)
  }

  /// The mean cost of an action and its standard deviation, as believed now.
  private func belief(_ action: Int) -> (mean: Double, deviation: Double) {
    guard rounds > 0 else { return (1, 1) }
    // Costs that never varied are believed up to a thousandth.
    let variance = max(spread / Double(rounds), 1e-6 * mean * mean)
    let weight = plays[action] + 1
    let own = (deviations[action] + variance) / weight
    return ((plays[action] * means[action] + mean) / weight, (own / weight).squareRoot())
  }

  public mutating func predict(context: Double? = nil) throws -> Int {
    var stream = RandomStream(seed: seed).child(UInt64(rounds))
    let draws = stream.normal([actions.count], of: Double.self).scalars
    let drawn = actions.indices.map { action in
      let belief = belief(action)
      return belief.mean + belief.deviation * draws[action]
    }
    let action = drawn.indices.min { drawn[$0] < drawn[$1] } ?? 0
    pending = action
    return action
  }

  public mutating func update(cost: Double) throws {
    try requireCost(cost, isPending: pending != nil)
    guard let action = pending else { return }
    pending = nil
    plays[action] += 1
    let change = cost - means[action]
    means[action] += change / plays[action]
    deviations[action] += change * (cost - means[action])
    rounds += 1
    let surprise = cost - mean
    mean += surprise / Double(rounds)
    spread += surprise * (cost - mean)
  }

  /// Of the round to come, after an update.
  public var probabilities: [Double] {
    let beliefs = actions.indices.map(belief)
    let shares = beliefs.indices.map { share($0, beliefs) }
    let total = shares.reduce(0, +)
    return shares.map { $0 / total }
  }

  public func probability(of action: Int) -> Double { share(action, actions.indices.map(belief)) }

  /// The probability that the draw of one action is below those of all others, by the midpoint rule.
  private func share(_ action: Int, _ beliefs: [(mean: Double, deviation: Double)]) -> Double {
    let own = beliefs[action]
    let (points, reach) = (96, 7.0)
    let step = 2 * reach / Double(points)
    var sum = 0.0
    for point in 0..<points {
      let z = -reach + (Double(point) + 0.5) * step
      var density = Double.exp(-z * z / 2) * step / (2 * Double.pi).squareRoot()
      let value = own.mean + own.deviation * z
      for (other, belief) in beliefs.enumerated() where other != action {
        density *= Double.erfc((value - belief.mean) / (belief.deviation * 2.0.squareRoot())) / 2
      }
      sum += density
    }
    return min(max(sum, .leastNormalMagnitude), 1)
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
