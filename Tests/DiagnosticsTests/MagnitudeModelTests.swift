import Diagnostics
import SpecialFunctions
import Tensors
import Testing

@Suite struct MagnitudeModelTests {
  private func parameters(_ model: MagnitudeModel) -> (Double, Double) {
    switch model {
    case .weibull(let shape, let scale), .gamma(let shape, let scale): (shape, scale)
    case .logNormal(let mean, let standardDeviation): (mean, standardDeviation)
    }
  }

  @Test func eachLawIsRecognized() throws {
    let laws: [(MagnitudeModel, (Double) -> Double)] = [
      (.weibull(shape: 1.4, scale: 0.02), { -Double.expMinusOne(-.pow($0 / 0.02, 1.4)) }),
      (.logNormal(mean: -3, standardDeviation: 0.8), { Double.normalCDF((.log($0) + 3) / 0.8) }),
      (.gamma(shape: 2.2, scale: 0.05), { Double.regularizedGammaP(a: 2.2, x: $0 / 0.05) }),
    ]
    for (law, cumulativeProbability) in laws {
      let fits = try MagnitudeModelComparison().compare(histogram(1e9, of: cumulativeProbability))
      #expect(fits.count == 3)
      #expect(fits[0].model.name == law.name)
      let (first, second) = parameters(fits[0].model)
      let (wantedFirst, wantedSecond) = parameters(law)
      #expect((first - wantedFirst).magnitude < 1e-4, "\(law.name): \(first)")
      #expect((second - wantedSecond).magnitude < 1e-4, "\(law.name): \(second)")
      #expect(fits[0].akaikeDifference == 0 && fits[1].akaikeDifference > 1e3)
      #expect(fits[1].akaikeDifference <= fits[2].akaikeDifference)
      #expect(fits[0].kolmogorovSmirnov < 1e-5 && fits[1].kolmogorovSmirnov > 1e-3)
      for fit in fits {
        #expect(fit.convergence.isConverged)
        #expect((fit.akaikeCriterion - (4 - 2 * fit.logLikelihood)).magnitude == 0)
      }
    }
  }

  /// Maximum likelihood and the trimmed plot are two protocols with two answers for Gaussian weights.
  @Test func maximumLikelihoodIsAnotherProtocol() throws {
    let halfNormal = histogram(1e12) { Double.erf($0 / 2.0.squareRoot()) }
    let fits = try MagnitudeModelComparison().compare(halfNormal)
    let weibull = try #require(fits.first { $0.model.name == "Weibull" })
    let (shape, scale) = parameters(weibull.model)
    #expect((shape - 1.262_756_96).magnitude < 2e-4)
    #expect((scale - 0.855_417_15).magnitude < 2e-4)
    let plot = try WeibullFitting().fit(halfNormal)
    #expect((plot.shape - 1.205_434_32).magnitude < 3e-3)
    #expect((plot.scale - 0.887_487_04).magnitude < 1e-3)
  }

  @Test func likelihoodIsAMaximum() throws {
    let weights = gaussian([30_000], seed: 5)
    let counts = try MagnitudeHistogram(weights)
    let fits = try MagnitudeModelComparison().compare(weights)
    let weibull = try #require(fits.first { $0.model.name == "Weibull" })
    let (shape, scale) = parameters(weibull.model)
    func logLikelihood(_ shape: Double, _ scale: Double) throws -> Double {
      let law = try WeibullDistribution(shape: shape, scale: scale)
      var sum = 0.0
      for (bin, count) in counts.counts.enumerated() where count > 0 {
        let edges = [bin, bin + 1].map { Double.pow(10, -12 + Double($0) * 14 / 1024) }
        sum += Double(count) * .log(law.cumulativeProbability(edges[1]) - law.cumulativeProbability(edges[0]))
      }
      return sum
    }
    let best = try logLikelihood(shape, scale)
    #expect((best / weibull.logLikelihood - 1).magnitude < 1e-9)
    for (dk, dl) in [(1e-3, 0.0), (-1e-3, 0), (0, 1e-3), (0, -1e-3)] {
      #expect(try logLikelihood(shape * (1 + dk), scale * (1 + dl)) < best)
    }
  }

  @Test func metricsOfKnownLaws() throws {
    let normal = try MagnitudeMetrics(histogram(1e9) { Double.erf($0 / 2.0.squareRoot()) })
    #expect((normal.gini - (2.0.squareRoot() - 1)).magnitude < 2e-4)
    #expect((normal.median - 0.674_489_75).magnitude < 1e-4)
    // Interpolation inside a bin of 3.2 % is off the most where the density falls the fastest.
    #expect((normal.interdecileRatio / (1.644_853_63 / 0.125_661_35) - 1).magnitude < 1e-3)
    #expect((normal.tailRatio / (2.575_829_3 / 0.674_489_75) - 1).magnitude < 1e-3)
    #expect((normal.extremeTailRatio / (3.290_526_73 / 0.674_489_75) - 1).magnitude < 2e-3)
    let law = try WeibullDistribution(shape: 0.7, scale: 0.01)
    let weibull = try MagnitudeMetrics(histogram(1e9, of: law.cumulativeProbability))
    #expect((weibull.gini - (1 - Double.pow(2, -1 / 0.7))).magnitude < 2e-4)
    #expect((weibull.interdecileRatio / law.interdecileRatio - 1).magnitude < 1e-3)
    #expect(throws: InvalidArgument.self) { try MagnitudeMetrics(gaussian([50], seed: 1)) }
    #expect(throws: InvalidArgument.self) { try MagnitudeModelComparison().compare(gaussian([50], seed: 1)) }
    let flat = try MagnitudeMetrics(Tensor<Double>(repeating: 0.5, shape: [1_000]))
    #expect(flat.gini.magnitude < 1e-12)
  }
}
