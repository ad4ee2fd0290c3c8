public import Tensors

/// Search by drawing candidates and keeping the one with the lowest value: the baseline for architecture search.
///
/// ```swift
/// let loss = try SubnetworkLoss(parent: parent, x: images, labels: labels)
/// let result = try RandomArchitectureSearch(budget: 200).run(
///   seed: 1, sample: { random in try NodeMask(randomOf: [256, 256], sparsity: 0.9, random: &random) },
///   evaluate: { mask, _ in try loss(mask) })
/// ```
///
/// - Source: Farahani, "Random search as a baseline for sparse neural network architecture search", 2024, arXiv
///   2403.08265: sampling and selection by initial loss; budgets and the other strategies are choices made here.
public struct RandomArchitectureSearch: Sendable, Hashable {
  public enum Strategy: Sendable, Hashable {
    /// Independent candidates.
    case random
    /// After the first candidate, changes of the best so far.
    case hillClimbing
    /// All candidates on a small share of the evaluation, the better half on twice as much, and so on.
    case successiveHalving(rounds: Int)
  }

  /// How many evaluations may be spent; with successive halving, how many candidates there are at first.
  public var budget: Int
  public var strategy: Strategy

  public init(budget: Int = 200, strategy: Strategy = .random) {
    self.budget = budget
    self.strategy = strategy
  }

  /// Runs the search. Independent candidates are evaluated on several threads; the result does not depend on how many.
  ///
  /// - Parameters:
  ///   - sample: draws a candidate.
  ///   - mutate: changes one; needed by hill climbing, which draws anew without it.
  ///   - evaluate: the value of a candidate, low for good ones, on the given share of the evaluation, which is one but
  ///     in successive halving. A value that is not finite discards the candidate.
  /// - Throws: `InvalidArgument` for a budget below one, no rounds, or when every candidate was discarded; and what the
  ///   functions throw.
  public func run<Candidate>(
    seed: UInt64, progress: WorkProgress = .silent, sample: (inout RandomStream) throws -> Candidate,
    mutate: ((Candidate, inout RandomStream) throws -> Candidate)? = nil,
    evaluate: (Candidate, _ share: Double) throws -> Double
  ) throws -> SearchResult<Candidate> {
    guard budget >= 1 else { throw InvalidArgument("budget", found: "\(budget)", wanted: "at least 1") }
    let random = RandomStream(seed: seed)
    func draw(_ number: Int) throws -> Candidate {
      var stream = random.child(UInt64(number))
      return try sample(&stream)
    }
    var result = SearchResult<Candidate>()
    switch strategy {
    case .random:
      let drawn = try parallelMap(budget) { number in
        let candidate = try draw(number)
        return (candidate, try evaluate(candidate, 1))
      }
      for (candidate, value) in drawn { result.note(candidate, value) }
    case .hillClimbing:
      for number in 0..<budget {
        try progress.report(number, of: budget, "candidates")
        var stream = random.child(UInt64(number))
        let candidate =
          if let best = result.bestOrNil, let mutate { try mutate(best, &stream) } else { try sample(&stream) }
        result.note(candidate, try evaluate(candidate, 1))
      }
    case .successiveHalving(let rounds):
      guard rounds >= 1 else { throw InvalidArgument("rounds", found: "\(rounds)", wanted: "at least 1") }
      var candidates = try (0..<budget).map(draw)
      for round in 0..<rounds {
        let share = 1 / Double(1 << (rounds - 1 - round))
        let values = try parallelMap(candidates.count) { try evaluate(candidates[$0], share) }
        if round == rounds - 1 {
          for (candidate, value) in zip(candidates, values) { result.note(candidate, value) }
          break
        }
        let finite = values.indices.filter { values[$0].isFinite }.sorted {
          values[$0] != values[$1] ? values[$0] < values[$1] : $0 < $1
        }
        result.discarded += values.count - finite.count
        candidates = finite.prefix(max(1, (finite.count + 1) / 2)).map { candidates[$0] }
      }
    }
    guard result.bestOrNil != nil else {
      throw InvalidArgument(
        "evaluate", found: "no finite value for \(result.discarded) candidates", wanted: "at least one")
    }
    return result
  }
}

/// What a search found.
public struct SearchResult<Candidate> {
  fileprivate var bestOrNil: Candidate?
  public private(set) var bestValue = Double.infinity
  /// The best value after each evaluation; it never increases.
  public private(set) var history: [Double] = []
  /// The finite values of all candidates, in the order of evaluation.
  public private(set) var values: [Double] = []
  /// Candidates whose value was not finite.
  public fileprivate(set) var discarded = 0

  /// The candidate with the lowest value, of equal ones the first.
  public var best: Candidate {
    guard let bestOrNil else { preconditionFailure("a search without candidates") }
    return bestOrNil
  }

  fileprivate mutating func note(_ candidate: Candidate, _ value: Double) {
    if value.isFinite {
      values.append(value)
      if value < bestValue { (bestOrNil, bestValue) = (candidate, value) }
    } else {
      discarded += 1
    }
    history.append(bestValue)
  }
}

extension SearchResult: Sendable where Candidate: Sendable {}

/// The mean of the smallest of `draws` values drawn from `values` with repetition.
///
/// Σ l₍ᵢ₎ [(1 - (i - 1) / n)ᵀ - (1 - i / n)ᵀ] over the sorted values: what a search of another budget would find.
public func expectedMinimum(of values: [Double], draws: Int) -> Double {
  precondition(!values.isEmpty && draws >= 1, "the smallest of \(draws) draws from \(values.count) values")
  let count = Double(values.count)
  return values.sorted().enumerated().reduce(0) { sum, entry in
    let above = Double.pow(1 - Double(entry.offset) / count, Double(draws))
    let below = Double.pow(1 - Double(entry.offset + 1) / count, Double(draws))
    return sum + entry.element * (above - below)
  }
}
