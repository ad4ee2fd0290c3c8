import Diagnostics
import Tensors
import TestSupport
import Testing

@Suite struct MagnitudeHistogramTests {
  /// Every weight counted on its own, by its definition.
  private func countOneByOne(_ weights: [Double]) -> MagnitudeHistogram {
    var counts = [UInt64](repeating: 0, count: 1024)
    var zeros: UInt64 = 0
    var below: UInt64 = 0
    var above: UInt64 = 0
    for weight in weights {
      if weight == 0 {
        zeros += 1
        continue
      }
      let position = (Double.log10(weight.magnitude) + 12) / 14 * 1024
      if position < 0 { below += 1 } else if position >= 1024 { above += 1 } else { counts[Int(position)] += 1 }
    }
    return MagnitudeHistogram(counts: counts, zeros: zeros, below: below, above: above)
  }

  /// Weights that would have to change their bin to make two histograms equal.
  private func misplaced(_ a: MagnitudeHistogram, _ b: MagnitudeHistogram) -> UInt64 {
    zip(a.counts, b.counts).reduce(0) { $0 + max($1.0, $1.1) - min($1.0, $1.1) }
  }

  @Test(arguments: 0..<6) func agreesWithTheDefinition(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    // Exponents of ten from -14 to 4, so that both ends are exceeded; some zeros.
    let weights = (0..<5_000).map { i in
      let sign = i % 2 == 0 ? 1.0 : -1.0
      return i % 50 == 0 ? 0 : sign * Double.pow(10, Double.random(in: -14..<4, using: &generator))
    }
    let expected = countOneByOne(weights)
    let histogram = try? MagnitudeHistogram(Tensor(weights))
    #expect(histogram.map { misplaced($0, expected) <= 2 } == true, "seed \(seed)")
    #expect(histogram?.zeros == expected.zeros && histogram?.below == expected.below, "seed \(seed)")
    #expect(histogram?.above == expected.above && expected.above > 0 && expected.below > 0, "seed \(seed)")
    let singles = Tensor<Float>(Tensor(weights))
    let single = try? MagnitudeHistogram(singles)
    let doubles = Tensor<Double>(singles).scalars
    #expect(single.map { misplaced($0, countOneByOne(doubles)) <= 2 } == true, "seed \(seed)")
  }

  @Test func agreesWithTheReference() throws {
    let reference = try #require(try WeibullReference.load()["sequence"])
    let weights = (0..<200_000).map { i in
      let unit = Double(UInt64(i) &* 2_654_435_761 % (1 << 32)) / 2_147_483_648 - 1
      return unit * unit * unit * 0.05
    }
    #expect(misplaced(try MagnitudeHistogram(Tensor(weights)), reference.histogram) <= 2)
  }

  @Test func mergingIsCountingTheConcatenation() throws {
    let a = gaussian([300, 41], seed: 1)
    let b = gaussian([977], standardDeviation: 1e-9, seed: 2)
    var merged = try MagnitudeHistogram(a) + MagnitudeHistogram(b)
    let whole = try MagnitudeHistogram(Tensor(a.scalars + b.scalars))
    #expect(merged == whole)
    try merged.add(Tensor<Float>([0, 1e-13, 1e3]))
    #expect(merged.zeros == whole.zeros + 1)
    #expect(merged.below == whole.below + 1)
    #expect(merged.above == whole.above + 1)
    #expect(merged.dropped == whole.dropped + 3)
    #expect(merged.count == whole.count)
  }

  @Test func viewsCountTheirOwnElements() throws {
    let matrix = gaussian([64, 48], seed: 3)
    #expect(try MagnitudeHistogram(matrix.transposed) == MagnitudeHistogram(matrix))
    #expect(try MagnitudeHistogram(matrix[0..<1, .all]).count == 48)
  }

  @Test func quantilesLieWithinABin() throws {
    let weights = gaussian([100_000], seed: 4)
    let sorted = weights.absolute().scalars.sorted()
    let histogram = try MagnitudeHistogram(weights)
    for probability in [0.01, 0.1, 0.5, 0.9, 0.99, 0.999] {
      let exact = sorted[Int(probability * 100_000)]
      #expect((histogram.quantile(probability) / exact - 1).magnitude < 0.01, "\(probability)")
    }
    #expect(histogram.quantile(1.5).isNaN)
    #expect(MagnitudeHistogram().quantile(0.5).isNaN)
    #expect(histogram.quantile(0) <= sorted[0] && histogram.quantile(1) >= sorted[99_999])
  }

  @Test func notFiniteIsRefusedWithItsPosition() throws {
    var weights = gaussian([20, 30], seed: 5)
    weights[at: 4, 7] = .nan
    #expect {
      try MagnitudeHistogram(weights, name: "w")
    } throws: { error in
      let argument = error as? InvalidArgument
      return argument?.name == "w" && argument?.found == "nan at [4, 7]"
    }
    weights[at: 4, 7] = -.infinity
    var histogram = MagnitudeHistogram()
    #expect(throws: InvalidArgument.self) { try histogram.add(weights) }
    #expect(histogram == MagnitudeHistogram())
  }

  @Test func nothingIsCountedOfNothing() throws {
    let histogram = try MagnitudeHistogram(Tensor<Float>(shape: [0, 7], scalars: []))
    #expect(histogram == MagnitudeHistogram())
    #expect(histogram.count == 0)
  }
}
