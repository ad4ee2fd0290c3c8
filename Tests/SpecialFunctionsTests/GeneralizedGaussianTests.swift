import Foundation
import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct GeneralizedGaussianTests {
  @Test func momentRatioHasItsClosedValues() {
    #expect(abs(GeneralizedGaussian.momentRatio(shape: 2) - Double.pi / 2) < 1e-13)
    #expect(abs(GeneralizedGaussian.momentRatio(shape: 1) - 2) < 1e-13)
    #expect(abs(GeneralizedGaussian.momentRatio(shape: 0.5) - 10.0 / 3) < 1e-12)
    #expect(GeneralizedGaussian.momentRatio(shape: 0.02).isFinite, "gamma functions themselves would overflow")
  }

  @Test func membersAreTheNormalAndTheLaplaceLaw() throws {
    let normal = try GeneralizedGaussian(shape: 2, scale: 2.0.squareRoot() * 1.5)
    let laplace = try GeneralizedGaussian(shape: 1, scale: 0.7)
    for x in [-4.0, -1, -0.1, 0, 0.3, 2, 5] {
      #expect(abs(normal.cumulative(x) - Double.normalCDF(x / 1.5)) < 1e-14)
      #expect(abs(normal.density(x) - exp(-x * x / 4.5) / (1.5 * (2 * Double.pi).squareRoot())) < 1e-14)
      let expected = x < 0 ? 0.5 * exp(x / 0.7) : 1 - 0.5 * exp(-x / 0.7)
      #expect(abs(laplace.cumulative(x) - expected) < 1e-14)
    }
    #expect(abs(normal.standardDeviation - 1.5) < 1e-12)
    #expect(abs(normal.entropy - 0.5 * log(2 * Double.pi * exp(1.0) * 2.25)) < 1e-12)
    #expect(abs(laplace.meanMagnitude - 0.7) < 1e-13)
  }

  @Test(arguments: [0.05, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 7, 20])
  func quantileInvertsTheDistribution(shape: Double) throws {
    let law = try GeneralizedGaussian(shape: shape, scale: 0.4)
    let levels = [1e-12, 1e-5, 0.01, 0.2, 0.4999, 0.5, 0.500_000_1, 0.7, 0.99, 1 - 1e-9]
    for level in levels { #expect(abs(law.cumulative(law.quantile(level)) - level) < 1e-9 * max(level, 1e-3)) }
    #expect(law.quantile(0) == -.infinity && law.quantile(1) == .infinity && law.quantile(0.5) == 0)
    #expect(law.quantile(-0.1).isNaN && law.quantile(.nan).isNaN)
    // Many at once are interpolated.
    let many = Tensor<Double>(from: 0, through: 1, count: 20_001)
    let quantiles = law.quantile(many)
    var worst = 0.0
    for i in stride(from: 1, to: 20_000, by: 7) {
      let exact = law.quantile(many[at: i])
      worst.raise(to: abs(quantiles[at: i] - exact) / max(abs(exact), 1e-300))
      if exact == 0 { #expect(quantiles[at: i] == 0) }
    }
    #expect(worst < 2e-8, "shape \(shape)")
    #expect(quantiles[at: 0] == -.infinity && quantiles[at: 20_000] == .infinity)
    let small = many * 1e-280
    let exact = law.quantile(small[at: 5_000])
    #expect(abs(law.quantile(small)[at: 5_000] - exact) <= 2e-8 * abs(exact))
  }

  @Test(arguments: [0.6, 1, 1.7, 3])
  func entropyAndPartialMomentsAgreeWithQuadrature(shape: Double) throws {
    let law = try GeneralizedGaussian(shape: shape, scale: 1.3)
    let rule = GaussQuadrature.legendre(300)
    // x = t^3 / (1 - t), so that the peak and the tail are smooth; t in (0, 1).
    func integral(_ f: (Double) -> Double) -> Double {
      zip(rule.nodes, rule.weights).reduce(0) { sum, pair in
        let t = (pair.0 + 1) / 2
        let x = t * t * t / (1 - t)
        let slope = (3 * t * t * (1 - t) + t * t * t) / ((1 - t) * (1 - t))
        return sum + pair.1 * f(x) * slope  // both halves: 2 · 1/2
      }
    }
    #expect(abs(integral { law.density($0) } - 1) < 1e-6)
    #expect(abs(integral { -law.density($0) * law.logDensity($0) } - law.entropy) < 1e-5)
    #expect(abs(2 * law.partialMoment(2, from: 0, to: .infinity) - law.variance) < 1e-12 * law.variance)
    let part = law.partialMoment(1, from: 0.2, to: 0.9)
    let steps = rule.nodes.map { 0.55 + 0.35 * $0 }
    let direct = zip(steps, rule.weights).reduce(0) { $0 + $1.1 * 0.35 * $1.0 * law.density($1.0) }
    #expect(abs(part - direct) < 1e-12)
  }

  @Test(arguments: [0.3, 1, 2, 5])
  func samplesHaveTheMomentsAndTheSigns(shape: Double) throws {
    let law = try GeneralizedGaussian(shape: shape, standardDeviation: 2)
    var random = RandomStream(seed: 5)
    let x = law.sample([200_000], from: &random, of: Double.self)
    #expect(abs(x.absolute().mean().scalar / law.meanMagnitude - 1) < 0.02)
    let levels = law.cumulative(x)
    #expect(abs(levels.mean().scalar - 0.5) < 0.004)
    #expect(abs(levels.variance().scalar - 1.0 / 12) < 0.001)
  }

  @Test func badParametersAreRefused() {
    for (shape, scale) in [(0.0, 1.0), (-1, 1), (.nan, 1), (1, 0), (1, .infinity)] {
      #expect(throws: InvalidArgument.self) { try GeneralizedGaussian(shape: shape, scale: scale) }
    }
  }
}
