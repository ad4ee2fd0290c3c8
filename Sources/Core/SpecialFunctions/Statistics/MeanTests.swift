// What a sample of differences says about their mean.

public import Tensors

/// The range of a statistic over samples drawn from `values` with repetition: its percentile bootstrap interval.
///
/// - Parameters:
///   - coverage: the share of resamples inside, 0.95 by default.
///   - statistic: of a sample as large as `values`; the mean by default.
/// - Returns: nil for an empty sample.
/// - Source: Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 1979.
public func bootstrapInterval(
  of values: [Double], coverage: Double = 0.95, resamples: Int = 2_000, random: inout RandomStream,
  statistic: ([Double]) -> Double = { $0.reduce(0, +) / Double($0.count) }
) -> ClosedRange<Double>? {
  precondition(coverage > 0 && coverage < 1 && resamples > 0, "\(resamples) resamples, of which \(coverage) inside")
  guard !values.isEmpty else { return nil }
  var results: [Double] = []
  for _ in 0..<resamples {
    let drawn = random.integers([values.count], in: values.indices).scalars
    results.append(statistic(drawn.map { values[$0] }))
  }
  let ends = Tensor(results).quantiles([(1 - coverage) / 2, (1 + coverage) / 2]).scalars
  return ends[0]...max(ends[0], ends[1])
}

/// Two one-sided t tests of whether the mean of paired differences lies within a margin of zero.
///
/// - Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach for assessing the
///   equivalence of average bioavailability", 1987.
public struct EquivalenceTest: Sendable, Hashable {
  /// What counts as no difference.
  public let margin: Double
  public let mean: Double
  /// Of the mean; zero when all differences are equal.
  public let standardError: Double
  /// The larger of the two tests' probabilities of such a mean if the true one lay at the margin.
  public let probability: Double

  /// - Parameters: differences, at least two, finite; margin, positive.
  /// - Throws: `InvalidArgument`.
  public init(_ differences: [Double], margin: Double) throws {
    guard differences.count >= 2, differences.allSatisfy(\.isFinite) else {
      throw InvalidArgument(
        "differences", found: "\(differences.count) values, \(differences.count { !$0.isFinite }) not finite",
        wanted: "at least two finite numbers")
    }
    guard margin > 0, margin.isFinite else {
      throw InvalidArgument("margin", found: "\(margin)", wanted: "a positive number")
    }
    let count = Double(differences.count)
    let mean = differences.reduce(0, +) / count
    let squares = differences.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = (squares / (count - 1) / count).squareRoot()
    self.margin = margin
    self.mean = mean
    standardError = error
    let room = margin - mean.magnitude
    if error > 0 {
      probability = Double.studentCDF(-room / error, degrees: count - 1)
    } else {
      probability = room > 0 ? 0 : 1
    }
  }

  /// Whether both tests reject at `level`: the mean is within the margin.
  public func isEquivalent(level: Double = 0.05) -> Bool { probability < level }
}

/// The two-sided probability that as unequal a number of positive and negative values comes about if both signs are
/// equally likely; zeros are left out, and without any sign it is one.
public func signTestProbability(_ differences: [Double]) -> Double {
  let positive = differences.count { $0 > 0 }
  let count = positive + differences.count { $0 < 0 }
  let fewer = min(positive, count - positive)
  guard count > 0 else { return 1 }
  // P(X <= k) of a binomial variable is a regularized beta function.
  let tail = fewer == count ? 1 : Double.regularizedBeta(a: Double(count - fewer), b: Double(fewer + 1), x: 0.5)
  return min(1, 2 * tail)
}
