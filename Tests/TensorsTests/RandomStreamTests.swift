import CVectorKernels
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct RandomStreamTests {
  /// Known answers published with the generator (Random123, philox4x32-10).
  @Test func philoxVectors() {
    let cases: [(counter: [UInt32], key: [UInt32], result: [UInt32])] = [
      ([0, 0, 0, 0], [0, 0], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
      (
        [.max, .max, .max, .max], [.max, .max], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
      ),
      (
        [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0],
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
      ),
    ]
    for (counter, key, result) in cases {
      var words = [UInt32](repeating: 0, count: 4)
      apus_philox4x32(counter, key, &words)
      #expect(words == result)
    }
  }

  @Test func seedsDecideEverythingAndThreadsNothing() {
    func draw() -> [Tensor<Double>] {
      var random = RandomStream(seed: 11)
      return [
        random.uniform([50_001]), random.normal([50_003]), random.exponential([9_999]),
        random.gamma([5_000], shapeParameter: 0.7), random.sphere([1_000, 5]),
        Tensor<Double>(random.permutation(1_000)), Tensor<Double>(random.integers([100], in: -5..<5)),
      ]
    }
    let one = withThreads(1, draw)
    for count in [2, 5] { #expect(withThreads(count, draw) == one, "\(count) threads") }
    var other = RandomStream(seed: 12)
    #expect(other.uniform([50_001]) != one[0])
  }

  @Test func consecutiveDrawsAndChildrenDiffer() {
    var random = RandomStream(seed: 1)
    let a: Tensor<Float> = random.uniform([1_000])
    let b: Tensor<Float> = random.uniform([1_000])
    var child = random.split()
    var sibling = random.split()
    let c: Tensor<Float> = child.uniform([1_000])
    let d: Tensor<Float> = sibling.uniform([1_000])
    let parts = [a, b, c, d]
    for i in 0..<4 {
      for j in 0..<i {
        // Neither the same nor correlated: 1000 products have a deviation of 1/12/sqrt(1000) = 0.0026.
        let correlation = ((parts[i] - 0.5) * (parts[j] - 0.5)).mean().scalar
        #expect(abs(correlation) < 0.012, "draws \(i) and \(j)")
      }
    }
    #expect(random.child(7) == random.child(7) && random.child(7) != random.child(8))
  }

  /// The largest distance between the sample's and the law's distribution functions, times sqrt(n).
  private func kolmogorov(_ sample: Tensor<Double>, _ cdf: (Double) -> Double) -> Double {
    let sorted = sample.flattened.sorted().scalars
    let n = Double(sorted.count)
    var worst = 0.0
    for (i, x) in sorted.enumerated() {
      worst.raise(to: abs(cdf(x) - Double(i) / n))
      worst.raise(to: abs(cdf(x) - Double(i + 1) / n))
    }
    return worst * n.squareRoot()
  }

  /// A correct sampler exceeds 1.95 once in a thousand draws (Kolmogorov's law); seeds are fixed.
  @Test(arguments: 0..<3)
  func lawsOfContinuousDraws(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let n = 40_000
    let limit = 1.95
    #expect(kolmogorov(random.uniform([n]), { $0 }) < limit)
    #expect(kolmogorov(Tensor<Double>(random.uniform([n], of: Float.self)), { $0 }) < limit)
    #expect(kolmogorov(random.uniform([n], in: -2.0..<6), { ($0 + 2) / 8 }) < limit)
    #expect(kolmogorov(random.normal([n]), { 0.5 * erfc(-$0 / 2.0.squareRoot()) }) < limit)
    #expect(
      kolmogorov(Tensor<Double>(random.normal([n], of: Float.self)), { 0.5 * erfc(-$0 / 2.0.squareRoot()) }) < limit)
    #expect(kolmogorov(random.exponential([n], rate: 2), { 1 - exp(-2 * $0) }) < limit)
    // Gamma with an integer shape has a closed form; 0.5 is half a squared normal.
    #expect(kolmogorov(random.gamma([n], shapeParameter: 2), { 1 - exp(-$0) * (1 + $0) }) < limit)
    #expect(kolmogorov(random.gamma([n], shapeParameter: 0.5), { erf($0.squareRoot()) }) < limit)
    #expect(kolmogorov(random.beta([n], 2, 1), { $0 * $0 }) < limit)
    // A coordinate of a point on the sphere in three dimensions is uniform (Archimedes).
    let points: Tensor<Double> = random.sphere([n, 3])
    #expect(kolmogorov(points[.all, 1], { ($0 + 1) / 2 }) < limit)
    #expect(distance(points.sumOfSquares(axes: [1]), .ones([n])) < 1e-14)
  }

  @Test func momentsOfAMillionNormals() {
    var random = RandomStream(seed: 2)
    let x: Tensor<Double> = random.normal([1_000_000], mean: 3, standardDeviation: 2)
    #expect(abs(x.mean().scalar - 3) < 0.01 && abs(x.variance().scalar - 4) < 0.03)
    let z = (x - 3) / 2
    #expect(abs((z * z * z).mean().scalar) < 0.015 && abs(z.power(4).mean().scalar - 3) < 0.05)
    // The tails reach as far as a million normals do.
    #expect(z.absolute().maximum().scalar > 4.2 && z.absolute().maximum().scalar < 6.5)
  }

  @Test func discreteDrawsFollowTheirWeights() throws {
    var random = RandomStream(seed: 3)
    let weights = Tensor<Double>([1, 0, 3, 6])
    let counts = try Tensor<Double>(random.categorical([100_000], weights: weights).uniqueValues().counts) / 1e5
    #expect(distance(counts, Tensor([0.1, 0.3, 0.6])) < 0.01)
    let dice = random.integers([60_000], in: 1..<7).uniqueValues()
    #expect(dice.values.scalars == [1, 2, 3, 4, 5, 6])
    #expect(dice.counts.scalars.allSatisfy { abs($0 - 10_000) < 500 })
    #expect(abs(Double(random.bernoulli([100_000], probability: 0.3).trueCount) / 1e5 - 0.3) < 0.01)
    #expect(random.permutation(500).sorted() == Tensor<Int>(0..<500))
    let sample = random.sample(20, below: 30).scalars
    #expect(Set(sample).count == 20 && sample.allSatisfy { 0 <= $0 && $0 < 30 })
    // All 24 orders of four are about equally frequent.
    var orders: [[Int]: Int] = [:]
    for _ in 0..<24_000 { orders[random.permutation(4).scalars, default: 0] += 1 }
    #expect(orders.count == 24 && orders.values.allSatisfy { abs($0 - 1_000) < 200 })
  }

  @Test func weightsAreChecked() {
    var random = RandomStream(seed: 0)
    for weights in [Tensor<Double>.zeros([0]), Tensor([0, 0]), Tensor([1, -1]), Tensor([.nan, 1])] {
      #expect(throws: InvalidArgument.self) { try random.categorical([1], weights: weights) }
    }
  }

  @Test func theStandardLibraryCanUseIt() {
    var random = RandomStream(seed: 5)
    var copy = random
    #expect(Int.random(in: 0..<1_000_000, using: &random) == Int.random(in: 0..<1_000_000, using: &copy))
    #expect(random == copy)
  }
}
