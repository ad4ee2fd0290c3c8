import Foundation
import LinearAlgebra
import Sketching
import Tensors
import TestSupport
import Testing

private struct Reference: Decodable {
  struct Regression: Decodable {
    var cost: Double
    var x: [Double]
  }
  var a: [[Double]]
  var b: [Double]
  var sensitivities: [String: [Double]]
  var regressions: [String: Regression]

  static func load() throws -> Reference {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try JSONDecoder().decode(
      Reference.self, from: Data(contentsOf: folder.appendingPathComponent("Reference/lp_sensitivity.json")))
  }
}

private func exact(_ a: Tensor<Double>, _ p: Double) throws -> LpSensitivityEstimate {
  try LpSensitivities(p: p, method: .exact, iterationLimit: 300).estimate(a)
}

@Suite struct LpSensitivityTests {
  @Test(arguments: [1.0, 1.5, 2, 3, 4]) func knownSensitivities(p: Double) throws {
    let three = try exact(Tensor([[1.0, 0], [0, 1], [1, 1]]), p)
    let value = 1 / (1 + pow(2, 1 - p))
    #expect(distance(three.values, Tensor([value, value, value])) < 1e-8, "\(three.values)")
    let copies = Tensor<Double>.concatenated([Tensor](repeating: .identity(3), count: 5), axis: 0)
    let found = try exact(copies, p)
    #expect(distance(found.values, Tensor(repeating: 0.2, shape: [15])) < 1e-9)
    #expect(abs(found.total - 3) < 1e-8)
    let single = try exact(Tensor([[3.0], [4.0]]), p)
    let power = pow(3, p) / (pow(3, p) + pow(4, p))
    #expect(distance(single.values, Tensor([power, 1 - power])) < 1e-12)
  }

  @Test(arguments: ["1.0", "1.5", "3.0", "4.0"]) func agreesWithOtherOptimizers(p: String) throws {
    let reference = try Reference.load()
    let found = try exact(Tensor(reference.a), Double(p)!)
    let wanted = Tensor(reference.sensitivities[p]!)
    #expect(distance(found.values, wanted) < (p == "1.0" ? 1e-9 : 1e-6), "\(distance(found.values, wanted))")
    #expect((wanted - found.lowerBounds).minimum().scalar > -1e-7)
    #expect((found.upperBounds - wanted).minimum().scalar > -1e-7)
    #expect((found.upperBounds - found.lowerBounds).maximum().scalar < 1e-4)
  }

  @Test(arguments: [1.0, 1.5, 3.0] as [Double], 0..<3 as Range<UInt64>) func laws(p: Double, seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let (n, d) = (40, 4)
    let a: Tensor<Double> = random.normal([n, d]) * random.exponential([n, 1])
    let found = try exact(a, p)
    let sigma = found.values
    let close = 1e-6
    // Of the column space alone; of the order of rows; of no unit.
    let change: Tensor<Double> = random.normal([d, d])
    #expect(distance(try exact(a.matmul(change), p).values, sigma) < close, "\(seed)")
    let order = random.permutation(n)
    #expect(distance(try exact(a.gathered(order), p).values, sigma.gathered(order)) < close)
    #expect(distance(try exact(a * 1e6, p).values, sigma) < close)
    let twice = try exact(.concatenated([a, a], axis: 0), p)
    #expect(distance(twice.values[0..<n].dense * 2, sigma) < close)
    let wide = try exact(.concatenated([a, a.matmul(change)], axis: 1), p)
    #expect(wide.rank == d && distance(wide.values, sigma) < close)
    // The chain of Lewis weights, leverage scores and sensitivities.
    let lewis = try LewisWeights(p: p).solve(a)
    let w = lewis.weights
    #expect(lewis.convergence.isConverged && abs(w.sum().scalar - Double(d)) < 1e-7)
    let tau = try leverageScores(a)
    func least(_ x: Tensor<Double>) -> Double { x.minimum().scalar }
    let factor = pow(Double(d), abs(p / 2 - 1))
    if p <= 2 {
      #expect(least(w - sigma) > -1e-7 && least(sigma * factor - w) > -1e-7)
      #expect(found.total <= Double(d))
    } else {
      #expect(least(w * factor - sigma) > -1e-7)
      #expect(least(sigma.power(2 / p) - tau) > -1e-7)
      #expect(least(tau.power(p / 2) * pow(Double(n), p / 2 - 1) - sigma) > -1e-7)
      #expect(found.total <= pow(Double(d), p / 2))
    }
    #expect(w.maximum().scalar <= 1 && sigma.maximum().scalar <= 1)
  }

  @Test func leverageScoresAreSensitivitiesOfSquares() throws {
    var random = RandomStream(seed: 1)
    let a: Tensor<Double> = random.normal([30, 4])
    let inverse = try CholeskyDecomposition(of: a.multipliedByOwnTranspose(transposing: true)).inverse()
    let direct = (a.matmul(inverse) * a).sum(axis: 1)
    #expect(distance(try leverageScores(a), direct) < 1e-12)
    #expect(distance(try exact(a, 2).values, direct) < 1e-10)
    #expect(distance(try leverageScores(Tensor<Float>(a)), direct) < 1e-5)
    // Dependent columns.
    let wide = Tensor.concatenated([a, a[.all, 0..<2] * 3], axis: 1)
    #expect(distance(try leverageScores(wide), direct) < 1e-10)
  }

  @Test(arguments: [1.0, 5.0]) func lewisWeightsSolveTheirEquation(p: Double) throws {
    var random = RandomStream(seed: 2)
    let a: Tensor<Double> = random.normal([50, 5]) * random.exponential([50, 1])
    let w = try LewisWeights(p: p).solve(a)
    #expect(w.convergence.isConverged, "\(w.convergence.residual)")
    let scaled = a * w.weights.power(0.5 - 1 / p).expanded(axis: 1)
    let inverse = try CholeskyDecomposition(of: scaled.multipliedByOwnTranspose(transposing: true)).inverse()
    let right = (a.matmul(inverse) * a).sum(axis: 1).power(p / 2)
    #expect(distance(right, w.weights) < 1e-8)
  }

  /// 𝔖 → Γ((d + p) / 2) Γ(1/2) / (Γ(d / 2) Γ((p + 1) / 2)) for normal rows.
  @Test(arguments: [(4, 2.356), (8, 3.436)]) func totalOfNormalRows(d: Int, total: Double) throws {
    var random = RandomStream(seed: 3)
    let a: Tensor<Double> = random.normal([3_000, d])
    let found = try LpSensitivities(p: 1, method: .coreset(accuracy: 0.5)).estimate(a)
    #expect(abs(found.total / total - 1) < 0.06, "\(found.total)")
    #expect(found.coresetRows != nil)
    #expect((found.values - found.lowerBounds).minimum().scalar >= 0)
    #expect((found.upperBounds - found.values).minimum().scalar >= 0)
  }

  @Test func approximationsAreNear() throws {
    var random = RandomStream(seed: 4)
    let a: Tensor<Double> = random.normal([1_200, 3]) * random.exponential([1_200, 1])
    let truth = try exact(a, 1).values
    let near = try LpSensitivities(p: 1, method: .coreset(accuracy: 0.4)).estimate(a)
    #expect(near.coresetRows != nil && near.coresetRows! < 1_200)
    let ratio = near.values / truth
    #expect(ratio.minimum().scalar > 0.7 && ratio.maximum().scalar < 1.4, "\(ratio.minimum()) \(ratio.maximum())")
    let buckets = try LpSensitivities(p: 1, method: .bucketed(rows: 8)).estimate(a)
    // Over-estimates, on the average over rows.
    #expect(buckets.total > truth.sum().scalar && buckets.total < 20 * truth.sum().scalar)
  }

  @Test func zerosAndLonelyRows() throws {
    var random = RandomStream(seed: 5)
    var a: Tensor<Double> = random.normal([60, 3])
    a[.all, 2] = Tensor(0.0)
    a[7, .all] = Tensor([0.0, 0, 0])
    a[9, .all] = Tensor([0.0, 0, 1e-3])
    let found = try exact(a, 1)
    #expect(found.values[at: 7] == 0 && found.upperBounds[at: 7] == 0)
    #expect(abs(found.values[at: 9] - 1) < 1e-9)
    for seed in 0..<20 as Range<UInt64> {
      let sample = try LpRowSampling(p: 1, rows: 12, seed: seed).sample(a)
      #expect(!sample.indices.contains(7) && sample.indices.contains(9))
      #expect(sample.probabilities[at: 7] == 0 && sample.probabilities[at: 9] == 1)
    }
    let few = try LpRowSampling(p: 1, rows: 1).sample(a)
    #expect(few.isBelowRank && few.isBelowTotalSensitivity)
  }

  @Test func badInputIsNamed() throws {
    let a = Tensor<Double>([[1, 2], [3, 4], [5, 7]])
    func fails(_ name: String, _ body: () throws -> Void) {
      #expect { try body() } throws: { ($0 as? InvalidArgument)?.name == name }
    }
    for p in [0.5, Double.infinity, .nan] {
      fails("p") { _ = try LpSensitivities(p: p).estimate(a) }
      fails("p") { _ = try LewisWeights(p: p).solve(a) }
      fails("p") { _ = try LpRowSampling(p: p, rows: 2).sample(a) }
      fails("p") { _ = try LpRegression(p: p).solve(a, Tensor([1.0, 2, 3])) }
    }
    fails("matrix") { _ = try LpSensitivities(p: 1).estimate(Tensor<Double>.zeros([0, 2])) }
    fails("matrix") { _ = try LpSensitivities(p: 1).estimate(Tensor<Double>.zeros([3, 2])) }
    fails("matrix") { _ = try leverageScores(Tensor([[Double.nan, 1]])) }
    fails("rows") { _ = try LpRowSampling(p: 1, rows: 0).sample(a) }
    fails("scheme") { _ = try LpRowSampling(p: 2, rows: 2, scheme: .rootLeverage).sample(a) }
    fails("scheme") { _ = try LpRowSampling(p: 2, rows: 2, scheme: .leverageAndSensitivity).sample(a) }
    fails("accuracy") { _ = try LpSensitivities(p: 1, method: .coreset(accuracy: 0)).estimate(a) }
    fails("accuracy") { _ = try LpRowSampling(p: 1, size: .accuracy(-1)).sample(a) }
    fails("scores") { _ = try LpRowSampling(p: 1, rows: 2).sample(a, scores: Tensor([1.0, 2])) }
    fails("rightSide") { _ = try LpRegression(p: 1).solve(a, Tensor([1.0, 2])) }
    fails("weights") { _ = try LpRegression(p: 1).solve(a, Tensor([1.0, 2, 3]), weights: Tensor([1.0, -1, 0])) }
  }
}

@Suite struct LpRegressionTests {
  @Test(arguments: ["1.0", "1.5", "3.0", "4.0"]) func agreesWithOtherOptimizers(p: String) throws {
    let reference = try Reference.load()
    let wanted = reference.regressions[p]!
    let fit = try LpRegression(p: Double(p)!).solve(Tensor(reference.a), Tensor(reference.b))
    #expect(abs(fit.cost / wanted.cost - 1) < 1e-9, "\(fit.cost) \(wanted.cost)")
    #expect(distance(fit.solution, Tensor(wanted.x)) < 1e-4)
    #expect(fit.convergence.isConverged)
    #expect(fit.lowerBound <= fit.cost * (1 + 1e-12) && fit.lowerBound > fit.cost * (1 - 1e-5), "\(fit.lowerBound)")
  }

  @Test func leastAbsoluteDeviationsIgnoreOutliers() throws {
    var random = RandomStream(seed: 1)
    let a: Tensor<Double> = random.normal([200, 3])
    let x = Tensor([1.0, -2, 3])
    var b = a.matmul(x)
    for i in 0..<40 { b[at: i] = 1e3 }
    let fit = try LpRegression(p: 1).solve(a, b)
    #expect(distance(fit.solution, x) < 1e-9)
    let consistent = try LpRegression(p: 3).solve(a, a.matmul(x))
    #expect(distance(consistent.solution, x) < 1e-10 && consistent.cost < 1e-8)
  }

  @Test func weightsScaleRows() throws {
    var random = RandomStream(seed: 2)
    let a: Tensor<Double> = random.normal([40, 2])
    let b: Tensor<Double> = random.normal([40])
    let w = random.exponential([40], rate: 1.0)
    let first = try LpRegression(p: 1.5).solve(a, b, weights: w)
    let second = try LpRegression(p: 1.5).solve(a * w.expanded(axis: 1), b * w)
    #expect(distance(first.solution, second.solution) < 1e-10)
    // Dependent columns: one of many minimizers, of the same cost.
    let wide = Tensor.concatenated([a, a], axis: 1)
    let third = try LpRegression(p: 1.5).solve(wide, b)
    let cost = try LpRegression(p: 1.5).solve(a, b).cost
    #expect(third.rank == 2 && abs(third.cost - cost) < 1e-8)
  }

  @Test func samplesGiveNearlyTheBestCost() throws {
    var random = RandomStream(seed: 3)
    let a: Tensor<Double> = random.normal([4_000, 4])
    let b = a.matmul(Tensor([1.0, 2, 3, 4])) + random.normal([4_000])
    let whole = try LpRegression(p: 1).solve(a, b)
    for scheme in [LpImportance.lewis, .sensitivity, .rootLeverage, .uniform] {
      let fit = try LpRegression(p: 1).solve(a, b, samplingRows: 400, scheme: scheme)
      #expect(fit.cost >= whole.cost * (1 - 1e-12) && fit.cost < whole.cost * 1.05, "\(scheme)")
      #expect((fit.sampledRows ?? 0) > 300)
    }
  }
}

@Suite struct LpSamplingTests {
  @Test(arguments: LpImportance.allCases) func powersAreKeptOnAverage(scheme: LpImportance) throws {
    let p = scheme == .leverageAndSensitivity ? 3.0 : 1.5
    var random = RandomStream(seed: 1)
    let a: Tensor<Double> = random.normal([150, 3]) * random.exponential([150, 1])
    let x = Tensor([1.0, -1, 2])
    let truth = a.matmul(x).absolute().power(p).sum().scalar
    var values: [Double] = []
    var sizes: [Double] = []
    let scores = scheme == .rootLeverage ? nil : try LpRowSampling(p: p, rows: 50, scheme: scheme).scores(of: a)
    for seed in 0..<300 as Range<UInt64> {
      let sampling = LpRowSampling(p: p, rows: 50, scheme: scheme, seed: seed)
      let sample = try scores.map { try sampling.sample(a, scores: $0) } ?? sampling.sample(a)
      values.append(sample.apply(to: a).matmul(x).absolute().power(p).sum().scalar)
      sizes.append(Double(sample.indices.count))
    }
    let mean = values.reduce(0, +) / 300
    let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 300).squareRoot()
    #expect(abs(mean - truth) < 4 * deviation / 300.0.squareRoot(), "\(scheme) \(mean) \(truth)")
    if scheme != .rootLeverage { #expect(abs(sizes.reduce(0, +) / 300 - 50) < 2) }
  }

  @Test func enoughRowsAreAllRows() throws {
    var random = RandomStream(seed: 2)
    let a: Tensor<Double> = random.normal([40, 3])
    for scheme in [LpImportance.uniform, .leverage, .lewis, .sensitivity] {
      let sample = try LpRowSampling(p: 1, rows: 40, scheme: scheme).sample(a)
      #expect(sample.indices == Array(0..<40) && sample.weights == .ones([40]))
      #expect(sample.apply(to: a) == a)
      #expect(try LpDistortion(p: 1).measure(a, sample).value < 1e-12)
    }
  }

  @Test func rootLeverageGoesOnUntilItStops() throws {
    var random = RandomStream(seed: 3)
    let a: Tensor<Double> = random.normal([20_000, 5])
    let sample = try LpRowSampling(p: 1, rows: 100, scheme: .rootLeverage).sample(a)
    #expect(sample.passes >= 2 && zip(sample.passSizes, sample.passSizes.dropFirst()).allSatisfy { $0 > $1 })
    // The fixed point is 100² / 5 rows, and a pass that keeps four fifths is the last.
    #expect(sample.indices.count < 3_200)
    #expect(try LpDistortion(p: 1).measure(a, sample).value < 0.5)
  }

  @Test func lostDirectionsAreSeen() throws {
    var a = Tensor<Double>.zeros([30, 2])
    for i in 0..<29 { a[at: i, 0] = 1 }
    a[at: 29, 1] = 1
    let sampling = LpRowSampling(p: 1, rows: 5, scheme: .uniform)
    var scores = Tensor<Double>.ones([30])
    scores[at: 29] = 0
    let estimate = try LpDistortion(p: 1).measure(a, sampling.sample(a, scores: scores))
    #expect(estimate.isRankLost && estimate.value == .infinity)
  }

  @Test func theWorstDirectionIsFound() throws {
    // Two separate directions: the ratio of each is known.
    var a = Tensor<Double>.zeros([20, 2])
    for i in 0..<10 { a[at: i, 0] = 1 }
    for i in 10..<20 { a[at: i, 1] = 1 }
    let sample = try LpRowSampling(p: 1, rows: 10, scheme: .uniform, seed: 5).sample(a)
    let first = sample.indices.count { $0 < 10 }
    let second = sample.indices.count - first
    guard first > 0, second > 0 else { return }
    let ratios = [Double(first) * 2 / 10, Double(second) * 2 / 10]
    let wanted = ratios.map { abs($0 - 1) }.max()!
    #expect(abs(try LpDistortion(p: 1).measure(a, sample).value - wanted) < 1e-6)
  }

  @Test func boundsAreOrdered() {
    // 𝔖 = d at most for p <= 2, and then all three agree at p = 1 only in the general one's square.
    let general = LpSampleBound.general.rows(
      p: 1, dimension: 16, totalSensitivity: 4, accuracy: 0.5, failureProbability: 0.1)
    let sharper = LpSampleBound.sharper.rows(
      p: 1, dimension: 16, totalSensitivity: 4, accuracy: 0.5, failureProbability: 0.1)
    let best = LpSampleBound.chenDerezinski.rows(
      p: 1, dimension: 16, totalSensitivity: 4, accuracy: 0.5, failureProbability: 0.1)
    #expect(abs(general / sharper - 4) < 1e-12 && abs(best - sharper) < 1e-9)
  }
}
