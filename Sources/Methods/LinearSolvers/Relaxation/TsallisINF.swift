import Tensors

/// Tsallis-INF: nearly as good as the best fixed factor, whatever the sequence.
///
/// The probabilities solve Σ 4 / (η (k_i / s - x))² = 1 with the importance-weighted costs k and η = 2 / √t.
///
/// Expected regret against the best of d actions is O(√(d T)).
/// - Complexity: O(d) time a round.
/// - Source: Zimmert and Seldin, JMLR 22 (2021); Khodak et al., ICLR 2024, algorithm 1.
public struct TsallisINF: RelaxationLearner, Hashable {
  public let actions: [Double]
  public let seed: UInt64
  public private(set) var rounds = 0
  public private(set) var probabilities: [Double]
  private var losses: [Double]
  private var totalLoss = 0.0
  private var pending: Int?

  /// - Throws: `InvalidArgument` without actions, or for one that is not above 0 and below 2.
  public init(actions: [Double] = relaxationGrid(), seed: UInt64 = 1) throws {
    try requireActions(actions)
    (self.actions, self.seed) = (actions, seed)
    losses = [Double](repeating: 0, count: actions.count)
    probabilities = [Double](repeating: 1 / Double(actions.count), count: actions.count)
  }

  public mutating func predict(context: Double? = nil) throws -> Int {
    let rate = 2 / Double(rounds + 1).squareRoot()
    // Costs are measured in their running mean.
    let scale = totalLoss > 0 ? totalLoss / Double(rounds) : 1
    probabilities = Self.probabilities(losses: losses.map { $0 / scale }, rate: rate)
    let action = drawnIndex(probabilities, level: uniformDraw(seed: seed, round: rounds))
    pending = action
    return action
  }

  public mutating func update(cost: Double) throws {
    try requireCost(cost, isPending: pending != nil)
    guard let action = pending else { return }
    losses[action] += (cost - 1) / probabilities[action]
    totalLoss += cost - 1
    rounds += 1
    pending = nil
  }

  /// The probabilities 4 / (η (k_i - x))², where x is the root of their sum minus one below the least k.
  ///
  /// That sum is convex and increasing there; from the right end of the bracket [min - 2 √d / η, min - 2 / η], where it is
  /// at least one, Newton's method goes down to the root without passing it.
  static func probabilities(losses: [Double], rate: Double) -> [Double] {
    let least = losses.min() ?? 0
    let low = least - 2 * Double(losses.count).squareRoot() / rate
    var x = least - 2 / rate
    for _ in 0..<100 {
      var (sum, slope) = (0.0, 0.0)
      for loss in losses {
        let inverse = 2 / (rate * (loss - x))
        sum += inverse * inverse
        slope += rate * inverse * inverse * inverse
      }
      let step = (sum - 1) / slope
      let next = max(x - step, low)
      if !(next < x) || step <= 1e-14 * max(1, x.magnitude) { break }
      x = next
    }
    let weights = losses.map { loss in
      let inverse = 2 / (rate * (loss - x))
      return inverse * inverse
    }
    let total = weights.reduce(0, +)
    return weights.map { $0 / total }
  }
}

/// A ``TsallisINF`` for each of a few equally wide bins of the context.
public struct TsallisINFContextual: RelaxationLearner, Hashable {
  public let context: ClosedRange<Double>
  /// Contexts outside the range so far, which were moved to its nearest end.
  public private(set) var clampedContexts = 0
  public private(set) var rounds = 0
  private var learners: [TsallisINF]
  private var current = 0

  /// - Throws: `InvalidArgument` as ``TsallisINF``, for no bins, or a range that is not finite or empty.
  public init(
    actions: [Double] = relaxationGrid(), context: ClosedRange<Double>, bins: Int = 5, seed: UInt64 = 1
  ) throws {
    guard bins >= 1 else { throw InvalidArgument("bins", found: "\(bins)", wanted: "at least 1") }
    try requireContext(context)
    self.context = context
    let source = RandomStream(seed: seed)
    learners = try (0..<bins).map { bin in
      var stream = source.child(UInt64(bin))
      return try TsallisINF(actions: actions, seed: stream.next())
    }
  }

  public var actions: [Double] { learners[0].actions }
  public var probabilities: [Double] { learners[current].probabilities }

  public mutating func predict(context value: Double?) throws -> Int {
    let place = try clamped(value, to: context, counting: &clampedContexts)
    let share = (place - context.lowerBound) / (context.upperBound - context.lowerBound)
    current = min(Int(share * Double(learners.count)), learners.count - 1)
    return try learners[current].predict()
  }

  public mutating func update(cost: Double) throws {
    try learners[current].update(cost: cost)
    rounds += 1
  }
}

func requireContext(_ range: ClosedRange<Double>) throws {
  guard range.lowerBound < range.upperBound, (range.upperBound - range.lowerBound).isFinite else {
    throw InvalidArgument("context", found: "\(range)", wanted: "a finite range that is not a point")
  }
}

/// A context inside its range.
func clamped(_ value: Double?, to range: ClosedRange<Double>, counting count: inout Int) throws -> Double {
  guard let value, value.isFinite else {
    throw InvalidArgument("context", found: value.map { "\($0)" } ?? "none", wanted: "a finite number")
  }
  if range.contains(value) { return value }
  count += 1
  return min(max(value, range.lowerBound), range.upperBound)
}
