import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct KMeansTests {
  /// `count` points about three places.
  private func groups(_ count: Int, spread: Double, _ random: inout RandomStream) -> (Tensor<Double>, [Int]) {
    let truth = (0..<count).map { $0 % 3 }
    let centres = Tensor(truth.map { [Double($0) * 3, Double($0 % 2)] })
    return (random.normal([count, 2], of: Double.self) * spread + centres, truth)
  }

  @Test func whatIsSeparateIsFound() throws {
    var random = RandomStream(seed: 4)
    let (points, truth) = groups(60, spread: 0.1, &random)
    for seeding in [KMeans.Seeding.plusPlus, .uniform] {
      let found = try KMeans(clusters: 3, restarts: 10, seeding: seeding).fit(points, random: &random)
      #expect(found.labels == truth)
      #expect(found.isConverged)
      #expect(found.centres.shape == [3, 2])
    }
  }

  /// A converged answer is a fixed point of the definition: centres are means, and no other centre is nearer.
  @Test(arguments: 0..<6) func answersAreFixedPoints(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let points = random.normal([300, 5], of: Double.self) + 40
    let found = try KMeans(clusters: 7, restarts: 3).fit(points, random: &random)
    #expect(found.isConverged, "seed \(seed)")
    var inertia = 0.0
    for c in 0..<7 {
      let members = found.labels.indices.filter { found.labels[$0] == c }
      #expect(!members.isEmpty, "seed \(seed)")
      let mean = points.gathered(Tensor<Int>(members)).mean(axis: 0)
      #expect((mean - found.centres[c]).largestMagnitude < 1e-12, "seed \(seed)")
    }
    for i in 0..<300 {
      let distances = (found.centres - points[i]).sumOfSquares(axes: [1]).scalars
      #expect(distances[found.labels[i]] <= (distances.min() ?? .nan) + 1e-9, "seed \(seed), point \(i)")
      inertia += distances[found.labels[i]]
    }
    #expect(abs(found.inertia / inertia - 1) < 1e-12, "seed \(seed)")
    // Named as they occur.
    var seen = -1
    for label in found.labels where label > seen {
      #expect(label == seen + 1, "seed \(seed)")
      seen = label
    }
  }

  /// Against every partition of nine points into two parts.
  @Test(arguments: 0..<4) func fewPointsAreSolvedExactly(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let points = random.normal([9, 2], of: Double.self)
    var least = Double.infinity
    for code in 1..<256 {
      var sum = 0.0
      for part in 0..<2 {
        let members = (0..<9).filter { (code >> $0) & 1 == part }
        let own = points.gathered(Tensor<Int>(members))
        sum += (own - own.mean(axis: 0)).sumOfSquares().scalar
      }
      least = min(least, sum)
    }
    let found = try KMeans(clusters: 2, restarts: 50).fit(points, random: &random)
    #expect(abs(found.inertia - least) < 1e-12, "seed \(seed)")
  }

  @Test func clustersWithoutPointsAreMoved() throws {
    var random = RandomStream(seed: 4)
    // As many clusters as points.
    let (points, _) = groups(60, spread: 0.1, &random)
    #expect(try KMeans(clusters: 60, restarts: 2).fit(points, random: &random).inertia < 1e-20)
    // More clusters than distinct points.
    let two = Tensor((0..<10).map { [Double($0 % 2)] })
    let found = try KMeans(clusters: 4, restarts: 3).fit(two, random: &random)
    #expect(found.inertia == 0)
    #expect(Set(zip(found.labels, two.scalars).map { [Double($0), $1] }).count == Set(found.labels).count)
    // One outlier far away takes a centre of its own, wherever the starts are.
    var outlier = points
    outlier[at: 0, 0] = 1e6
    let separated = try KMeans(clusters: 2, restarts: 1, seeding: .uniform).fit(outlier, random: &random)
    #expect(separated.labels.count { $0 == separated.labels[0] } == 1)
  }

  @Test func theStreamAloneDecides() throws {
    var random = RandomStream(seed: 8)
    let points = random.normal([5_000, 12], of: Double.self)
    func fit() throws -> KMeans.Result {
      var random = RandomStream(seed: 2)
      return try KMeans(clusters: 9, restarts: 2, sweepLimit: 20).fit(points, random: &random)
    }
    let many = try withThreads(2) { try fit() }
    let single = try withThreads(1) { try fit() }
    #expect(many.labels == single.labels)
    #expect(many.inertia == single.inertia)
    #expect(many.centres.scalars == single.centres.scalars)
  }

  @Test func anotherScoreMayChoose() throws {
    var random = RandomStream(seed: 3)
    let (points, _) = groups(60, spread: 1, &random)
    let worst = try KMeans(clusters: 3, restarts: 20).fit(points, random: &random) { _, inertia in inertia }
    let best = try KMeans(clusters: 3, restarts: 20).fit(points, random: &random)
    #expect(worst.score == worst.inertia)
    #expect(best.score == -best.inertia)
    #expect(best.inertia <= worst.inertia)
  }

  @Test func badInputIsRefused() throws {
    var random = RandomStream(seed: 1)
    let points = random.normal([10, 2], of: Double.self)
    for method in [
      KMeans(clusters: 11), KMeans(clusters: 0), KMeans(clusters: 2, restarts: 0), KMeans(clusters: 2, sweepLimit: 0),
    ] {
      #expect(throws: InvalidArgument.self) { try method.fit(points, random: &random) }
    }
    var broken = points
    broken[at: 3, 1] = .nan
    #expect(throws: InvalidArgument.self) { try KMeans(clusters: 2).fit(broken, random: &random) }
    #expect(throws: InvalidArgument.self) { try KMeans(clusters: 2).fit(Tensor([1, 2, 3]), random: &random) }
  }
}

@Suite struct PartitionAgreementTests {
  @Test func labelsDoNotMatter() {
    let labels = (0..<40).map { $0 * 4 / 40 }
    let renamed = labels.map { [2, 3, 0, 1][$0] }
    #expect(normalizedMutualInformation(labels, renamed) > 1 - 1e-12)
    #expect(adjustedRandIndex(labels, renamed) == 1)
  }

  @Test func knownValues() {
    // scikit-learn: normalized_mutual_info_score and adjusted_rand_score.
    let (a, b) = ([0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 2, 2])
    #expect(abs(normalizedMutualInformation(a, b) - 0.7396673768007592) < 1e-14)
    #expect(abs(adjustedRandIndex(a, b) - 0.4444444444444444) < 1e-14)
    #expect(normalizedMutualInformation([0, 0, 1, 1], [0, 1, 0, 1]) < 1e-12)
    #expect(abs(adjustedRandIndex([0, 0, 1, 1], [0, 1, 0, 1]) + 0.5) < 1e-14)
  }
}

@Suite struct SummaryTests {
  @Test func quantilesInterpolate() {
    #expect(median([3, 1, 2]) == 2)
    #expect(median([4, 1, 2, 3]) == 2.5)
    // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], 0.3)
    #expect(abs(quantile([3, 1, 4, 1, 5, 9, 2, 6], 0.3) - 2.1) < 1e-15)
    #expect(quantile([1, 2, .infinity], 1) == .infinity)
    #expect(median([1, .infinity, .infinity]) == .infinity)
    #expect(median([]).isNaN)
    #expect(median([1, .nan, 2]).isNaN)
    #expect(rootMeanSquare([3, -4]) == 12.5.squareRoot())
  }

  @Test func linesAreFitted() {
    // numpy.polyfit and corrcoef.
    let line = LineFit([1, 2, 4, 7], [3, 5, 4, 9])
    #expect(abs(line.slope - 0.880_952_380_952_381) < 1e-14)
    #expect(abs(line.intercept - 2.166_666_666_666_667) < 1e-14)
    #expect(abs(line.explained - 0.785_427_423_981_640_9) < 1e-14)
    let exact = LineFit([1, 2, 3], [5, 7, 9])
    #expect(exact.slope == 2 && exact.intercept == 3 && exact.explained == 1 && exact.residual == 0)
    #expect(LineFit([1, 1], [2, 3]).slope.isNaN)
    #expect(abs(logarithmicSlope([1, 10, 100], [2, 0.02, 0.0002]) + 2) < 1e-12)
  }
}
