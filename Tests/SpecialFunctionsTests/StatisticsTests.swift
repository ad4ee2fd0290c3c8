import SpecialFunctions
import Tensors
import Testing

@Suite struct StatisticsTests {
  @Test func ranksShareTheirMean() {
    #expect(sharedRanks([3, 1, 3, 2]) == [3.5, 1, 3.5, 2])
    #expect(sharedRanks([.infinity, 0, .infinity]) == [2.5, 1, 2.5])
    // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])
    #expect(abs((spearmanCorrelation([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) ?? 0) - 0.820_782_681_668_123_3) < 1e-14)
    #expect(pearsonCorrelation([1, 1], [2, 3]) == nil)
  }

  @Test(arguments: 0..<6) func theAreaUnderTheCurveCountsPairs(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let positives = random.integers([13], in: 0..<8).scalars.map(Double.init)
    let negatives = random.integers([9], in: 0..<8).scalars.map(Double.init)
    var pairs = 0.0
    for p in positives { for n in negatives { pairs += p > n ? 1 : p == n ? 0.5 : 0 } }
    let area = try #require(areaUnderROC(positives: positives, negatives: negatives))
    #expect(abs(area - pairs / 117) < 1e-14, "seed \(seed)")
    #expect(areaUnderROC(positives: [], negatives: [1]) == nil)
  }

  @Test func equivalenceOfEqualAndOfShiftedSamples() throws {
    #expect(try EquivalenceTest([0, 0, 0, 0], margin: 0.01).isEquivalent())
    #expect(try !EquivalenceTest([0.05, 0.05, 0.05], margin: 0.01).isEquivalent())
    // scipy.stats.t.cdf(-(0.02 - 0.0025) / 0.0047871355, 3): mean 0.0025, deviation 0.0095742711, four values.
    let test = try EquivalenceTest([0.01, -0.01, 0.01, 0.0], margin: 0.02)
    #expect(abs(test.mean - 0.0025) < 1e-15)
    #expect(abs(test.standardError - 0.004_787_135_538_781_69) < 1e-14)
    #expect(abs(test.probability - Double.studentCDF(-0.0175 / 0.004_787_135_538_781_69, degrees: 3)) < 1e-12)
    #expect(test.isEquivalent())
    #expect(throws: InvalidArgument.self) { try EquivalenceTest([1], margin: 1) }
    #expect(throws: InvalidArgument.self) { try EquivalenceTest([1, 2], margin: 0) }
    #expect(throws: InvalidArgument.self) { try EquivalenceTest([1, .nan], margin: 1) }
  }

  @Test func signsAreCountedAsCoins() {
    // scipy.stats.binomtest(k, n).pvalue
    #expect(abs(signTestProbability([1, 1, 1, 1, 1]) - 0.0625) < 1e-14)
    #expect(abs(signTestProbability([1, 1, -1, 1, 1, 1, 1, 0]) - 0.125) < 1e-14)
    #expect(signTestProbability([1, -1]) == 1)
    #expect(signTestProbability([0, 0]) == 1)
  }

  @Test func bootstrapIntervalsCoverTheMean() throws {
    var random = RandomStream(seed: 1)
    var covered = 0
    for _ in 0..<100 {
      let sample = random.normal([30], of: Double.self).scalars
      let interval = try #require(bootstrapInterval(of: sample, resamples: 300, random: &random))
      if interval.contains(0) { covered += 1 }
    }
    #expect(covered >= 84 && covered <= 100)
    #expect(bootstrapInterval(of: [2, 2, 2], random: &random) == 2...2)
    #expect(bootstrapInterval(of: [], random: &random) == nil)
  }
}
