public import SpecialFunctions
import Tensors

/// Whether what a search found ends up better than what it was drawn from.
///
/// For each repetition (a parent network, a seed) there is the result of the searched candidate and those of random ones
/// that were trained in exactly the same way.
public struct NeutralityReport: Sendable, Hashable {
  /// Searched less the mean of the random ones, by repetition.
  public let differences: [Double]
  public let meanDifference: Double
  /// A bootstrap interval of 95 % for the mean difference.
  public let interval: ClosedRange<Double>
  /// The mean share of random candidates that the searched one is better than, equality counting one half: 0.5 if
  /// searching makes no difference.
  public let percentile: Double
  /// The two-sided sign test's probability of such differences by chance.
  public let signProbability: Double
  /// Whether the mean difference lies within the margin.
  public let equivalence: EquivalenceTest
  /// Spearman's correlation of starting values and results over all random candidates, if starting values were given.
  public let correlationWithStart: Double?

  /// - Parameters:
  ///   - searched: the result of each repetition, large for good ones.
  ///   - random: the results of the random candidates of each repetition.
  ///   - starts: what each random candidate was valued at before training, in the order of `random`.
  ///   - margin: the difference that does not matter; 0.01 is one point of accuracy.
  /// - Throws: `InvalidArgument` for fewer than two repetitions, one without random candidates, or results that are not
  ///   finite.
  public init(
    searched: [Double], random: [[Double]], starts: [[Double]]? = nil, margin: Double = 0.01, seed: UInt64 = 1
  ) throws {
    guard searched.count >= 2, random.count == searched.count else {
      throw InvalidArgument(
        "searched", found: "\(searched.count) results beside \(random.count)",
        wanted: "at least two repetitions of both")
    }
    guard random.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isFinite) }), searched.allSatisfy(\.isFinite) else {
      throw InvalidArgument("random", found: "a repetition without finite results", wanted: "finite results for all")
    }
    if let starts {
      guard starts.map(\.count) == random.map(\.count) else {
        throw InvalidArgument("starts", found: "\(starts.map(\.count))", wanted: "\(random.map(\.count)) values")
      }
    }
    differences = zip(searched, random).map { $0 - $1.reduce(0, +) / Double($1.count) }
    meanDifference = differences.reduce(0, +) / Double(differences.count)
    var stream = RandomStream(seed: seed)
    interval = bootstrapInterval(of: differences, random: &stream) ?? meanDifference...meanDifference
    let shares = zip(searched, random).map { mine, others in
      others.reduce(0) { $0 + (mine > $1 ? 1 : mine == $1 ? 0.5 : 0) } / Double(others.count)
    }
    percentile = shares.reduce(0, +) / Double(shares.count)
    signProbability = signTestProbability(differences)
    equivalence = try EquivalenceTest(differences, margin: margin)
    correlationWithStart = starts.flatMap { spearmanCorrelation(Array($0.joined()), Array(random.joined())) }
  }
}

/// Trains a searched candidate and random ones for each repetition, all in the same way, and compares them.
///
/// - Parameters:
///   - repetitions: how many parents or seeds; `randomCandidates`: how many random ones for each.
///   - search, sample: the searched candidate of a repetition, and its random candidate of a number.
///   - start: the value that candidates are searched by, before training.
///   - train: the result of a candidate after training, large for good ones; called on several threads.
public func compareSearchToRandom<Candidate>(
  repetitions: Int, randomCandidates: Int, margin: Double = 0.01, seed: UInt64 = 1,
  search: (Int) throws -> Candidate, sample: (_ repetition: Int, _ number: Int) throws -> Candidate,
  start: (Candidate, _ repetition: Int) throws -> Double, train: (Candidate, _ repetition: Int) throws -> Double
) throws -> NeutralityReport {
  guard repetitions >= 2, randomCandidates >= 1 else {
    throw InvalidArgument(
      "repetitions", found: "\(repetitions) with \(randomCandidates) random candidates", wanted: "at least 2 and 1")
  }
  let each = 1 + randomCandidates
  let candidates = try (0..<repetitions * each).map { i in
    i % each == 0 ? try search(i / each) : try sample(i / each, i % each - 1)
  }
  let results = try parallelMap(candidates.count) { try train(candidates[$0], $0 / each) }
  let starts = try candidates.indices.map { try start(candidates[$0], $0 / each) }
  func rows(_ values: [Double]) -> [[Double]] {
    (0..<repetitions).map { Array(values[($0 * each + 1)..<(($0 + 1) * each)]) }
  }
  return try NeutralityReport(
    searched: (0..<repetitions).map { results[$0 * each] }, random: rows(results), starts: rows(starts),
    margin: margin, seed: seed)
}
