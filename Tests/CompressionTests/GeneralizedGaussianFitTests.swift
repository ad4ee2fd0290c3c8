import Compression
import Foundation
import Networks
import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct GeneralizedGaussianFitTests {
  @Test(arguments: [0.3, 0.5, 0.8, 1, 1.5, 2])
  func fitsRecoverTheShape(shape: Double) throws {
    let law = try GeneralizedGaussian(shape: shape, scale: 0.02)
    var random = RandomStream(seed: 11)
    let x = law.sample([100_000], from: &random, of: Double.self)
    let likelihood = try GeneralizedGaussianFitting(method: .maximumLikelihood, centres: false).fit(x)
    #expect(abs(likelihood.shape / shape - 1) < 0.03)
    #expect(abs(likelihood.law.quantile(0.9) / law.quantile(0.9) - 1) < 0.03)
    #expect(likelihood.convergence.isConverged && likelihood.convergence.iterations < 12)
    // Moments of heavy tails have a standard error of three hundredths at this size.
    let byMoments = try GeneralizedGaussianFitting(centres: false).fit(x)
    #expect(abs(byMoments.shape / shape - 1) < (shape < 0.5 ? 0.12 : 0.06))
    let single = try GeneralizedGaussianFitting(method: .maximumLikelihood, centres: false).fit(Tensor<Float>(x))
    #expect(abs(single.shape - likelihood.shape) < 1e-3)
    // The unit does not matter.
    let scaled = try GeneralizedGaussianFitting(method: .maximumLikelihood, centres: false).fit(x * 1e150)
    #expect(abs(scaled.shape - likelihood.shape) < 1e-6)
  }

  @Test func theLikelihoodIsGreatestAtTheFit() throws {
    var random = RandomStream(seed: 2)
    let law = try GeneralizedGaussian(shape: 1.3)
    let x = law.sample([2_000], from: &random, of: Double.self)
    let fit = try GeneralizedGaussianFitting(method: .maximumLikelihood, centres: false).fit(x)
    func likelihood(_ shape: Double, _ scale: Double) throws -> Double {
      try GeneralizedGaussian(shape: shape, scale: scale).logDensity(x).sum().scalar
    }
    let best = try likelihood(fit.shape, fit.scale)
    for (a, b) in [(1.001, 1.0), (0.999, 1), (1, 1.001), (1, 0.999), (1.001, 1.001)] {
      #expect(try likelihood(fit.shape * a, fit.scale * b) < best)
    }
  }

  @Test func comparisonFindsTheLaw() throws {
    var random = RandomStream(seed: 3)
    let normal = try LawComparison(of: random.normal([20_000], of: Double.self))
    #expect(normal.excess(of: .gaussian) < 1e-3 && normal.excess(of: .laplace) > 0.05)
    let sharp = try LawComparison(
      of: try GeneralizedGaussian(shape: 0.6).sample([20_000], from: &random, of: Float.self))
    #expect(sharp.best == .generalizedGaussian && sharp.kolmogorovSmirnov < 0.02)
    let chi: Tensor<Double> = random.gamma([20_000], shapeParameter: 1.5)
    let student = random.normal([20_000], of: Double.self) / (chi * (2.0 / 3)).sqrt()
    let heavy = try LawComparison(of: student)
    #expect(heavy.best == .student && abs(heavy.studentDegrees - 3) < 0.4)
  }

  @Test func badWeightsAreRefused() {
    let fitting = GeneralizedGaussianFitting()
    let bad: [Tensor<Double>] = [.zeros([0]), Tensor([3.0, 3, 3]), Tensor([1.0, .nan]), Tensor([0.0, 0, 0])]
    for bad in bad {
      #expect(throws: InvalidArgument.self) { try fitting.fit(bad) }
    }
  }

  @Test func normalInitialisationIsTheShapeTwo() throws {
    var random = RandomStream(seed: 4)
    let weight = try GeneralizedGaussianInitializer(shape: 2, gain: 2.0.squareRoot())(
      [400, 500], from: &random, of: Double.self)
    #expect(abs(weight.variance().scalar / (2.0 / 500) - 1) < 0.02)
    let comparison = try LawComparison(of: weight)
    #expect(abs(comparison.fit.shape - 2) < 0.05)
    #expect(throws: InvalidArgument.self) { try GeneralizedGaussianInitializer(shape: 0) }
  }

  // MARK: BackSlash

  @Test func shapesTwoAndOneAreDecayAndSoftThreshold() throws {
    var generator = TestGenerator(seed: 1)
    let w: Tensor<Double> = generator.tensor([7, 9])
    let decay = try BackSlash(strength: 0.01, stability: 0, shape: 2).shrunk(w, shape: 2)
    #expect(distance(decay, w * 0.98) < 1e-14)
    let soft = try BackSlash(strength: 0.3, stability: 0, shape: 1).shrunk(w, shape: 1)
    #expect(distance(soft, (w.absolute() - 0.3).maximum(0).copyingSign(of: w)) < 1e-14)
  }

  @Test(arguments: [0.2, 0.5, 0.9, 1.0, 1.4, 2.0, 3.0])
  func stepsNeverCrossZero(shape: Double) throws {
    var generator = TestGenerator(seed: 8)
    let w: Tensor<Double> = generator.tensor([200]) * 0.05
    for rule in BackSlash.Rule.allCases {
      let moved = try BackSlash(strength: 0.02, rule: rule).shrunk(w, shape: shape)
      #expect(((moved * w) .>= 0).all && (moved.absolute() .<= w.absolute()).all, "\(rule)")
    }
    #expect(try BackSlash(strength: 0.01, stability: 0).shrunk(Tensor([0.0]), shape: shape)[at: 0] == 0)
  }

  @Test(arguments: [0.3, 0.7, 1.0, 1.5, 2.5])
  func theProximalRuleIsTheMinimum(shape: Double) throws {
    let rule = try BackSlash(strength: 0.05, rule: .proximal)
    let points = Tensor<Double>(from: -1, through: 1, count: 41)
    let found = rule.shrunk(points, shape: shape)
    for i in 0..<41 {
      func objective(_ x: Double) -> Double { 0.05 * pow(abs(x), shape) + 0.5 * pow(x - points[at: i], 2) }
      let scanned = (-2_000...2_000).map { objective(Double($0) / 2_000) }.min() ?? 0
      #expect(objective(found[at: i]) <= scanned + 1e-9)
    }
  }

  @Test func onlyMatricesMoveAndTheShapeIsRenewed() throws {
    var random = RandomStream(seed: 6)
    var model = MLP<Float>([20, 30, 5], random: &random)
    let before = model
    var rate = try BackSlash(strength: 1e-3, refresh: 2)
    #expect(rate.shape == nil)
    rate.step(&model)
    #expect(rate.shape.map { (0.1...3).contains($0) } == true)
    #expect(model.layers[0].bias?.scalars == before.layers[0].bias?.scalars)
    #expect(model.layers[0].weight.absolute().sum().scalar < before.layers[0].weight.absolute().sum().scalar)
    #expect(throws: InvalidArgument.self) { try BackSlash(strength: -1) }
    #expect(throws: InvalidArgument.self) { try BackSlash(strength: 1, refresh: 0) }
  }

  // MARK: DeepShape

  @Test(arguments: 0..<4)
  func reshapingKeepsOrderAndReachesTheShape(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let w = try GeneralizedGaussian(shape: 1.5, scale: 0.03).sample([400, 500], from: &random, of: Double.self) + 0.01
    let target = 0.6 + 0.2 * Double(seed)
    let shaped = try DeepShape(target: .shape(target)).reshape(w)
    #expect(shaped.flattened.argsort().scalars == w.flattened.argsort().scalars)
    #expect(abs(try GeneralizedGaussianFitting().fit(shaped).shape / target - 1) < 0.02)
    let median = w.flattened.median().scalar
    #expect(abs(shaped.flattened.median().scalar - median) < 1e-12)
    #expect(abs((shaped - median).sumOfSquares().scalar / (w - median).sumOfSquares().scalar - 1) < 1e-10)
    #expect(distance(try DeepShape(target: .shape(target)).reshape(shaped), shaped) < 1e-9, "again changes nothing")
    #expect(distance(try DeepShape(target: .shape(target), strength: 0).reshape(w), w) == 0)
    let half = try DeepShape(target: .shape(target), strength: 0.5).reshape(w)
    #expect(distance(half, (w + shaped) / 2) < 1e-12)
  }

  @Test func equalWeightsStayEqual() throws {
    let w = Tensor<Float>([0, 0, 0, 1, -2, 3, 3, 0.5])
    let shaped = try DeepShape(target: .shape(0.8)).reshape(w)
    #expect(shaped[at: 0] == shaped[at: 1] && shaped[at: 1] == shaped[at: 2] && shaped[at: 5] == shaped[at: 6])
    #expect(distance(try DeepShape(target: .shape(0.8)).reshape(shaped), shaped) < 1e-5)
    #expect(throws: InvalidArgument.self) { try DeepShape(target: .shape(0)).reshape(w) }
    #expect(throws: InvalidArgument.self) { try DeepShape(strength: 2).reshape(w) }
    #expect(throws: InvalidArgument.self) { try DeepShape(target: .shape(1)).reshape(Tensor<Float>([2, 2])) }
  }
}
