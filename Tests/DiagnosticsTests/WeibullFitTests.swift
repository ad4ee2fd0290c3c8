import Diagnostics
import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct WeibullFitTests {
  @Test func agreesWithTheReference() throws {
    let cases = try WeibullReference.load()
    #expect(cases.count == 8)
    for (name, reference) in cases {
      for trim in MagnitudeTrim.allCases {
        let wanted = try #require(reference.fits[trim.rawValue])
        let fit = try WeibullFitting(trim: trim).fit(reference.histogram)
        #expect((fit.shape - wanted.shape).magnitude < 1e-6, "\(name), \(trim): \(fit.shape), \(wanted.shape)")
        #expect((fit.scale / wanted.scale - 1).magnitude < 1e-6, "\(name), \(trim): \(fit.scale), \(wanted.scale)")
        #expect((fit.rSquared - wanted.rSquared).magnitude < 1e-6, "\(name), \(trim)")
        #expect(fit.pointsUsed == wanted.pointsUsed, "\(name), \(trim)")
        #expect(fit.shapeStandardError == nil)
      }
      let metrics = try MagnitudeMetrics(reference.histogram)
      // The reference takes arithmetic bin middles without interpolation: equal within the bins' width.
      #expect((metrics.gini - reference.gini).magnitude < 1e-3, "\(name)")
      #expect((metrics.median / reference.median - 1).magnitude < 0.02, "\(name)")
      #expect((metrics.interdecileRatio / reference.interdecileRatio - 1).magnitude < 0.04, "\(name)")
      #expect((metrics.tailRatio / reference.tailRatio - 1).magnitude < 0.04, "\(name)")
    }
  }

  @Test(arguments: [(0.6, 0.02), (1, 1), (1.2054, 3e-5), (2.5, 0.7), (5, 10)])
  func exactWeibullQuantilesGiveTheirParameters(shape: Double, scale: Double) throws {
    let law = try WeibullDistribution(shape: shape, scale: scale)
    let weights = quantiles(200_000, of: law.quantile)
    let exact = try WeibullFitting().fitExactly(weights)
    #expect((exact.shape / shape - 1).magnitude < 1e-9)
    #expect((exact.scale / scale - 1).magnitude < 1e-9)
    #expect(exact.rSquared > 1 - 1e-12)
    #expect(exact.kolmogorovSmirnov < 1e-5)
    let binned = try WeibullFitting().fit(weights)
    // A law of large shape has few bins inside the trim.
    #expect((binned.shape - shape).magnitude < (shape < 2 ? 2e-3 : 3e-3 * shape))
    #expect((binned.scale / scale - 1).magnitude < 1e-3)
    #expect(binned.kolmogorovSmirnov < 2e-3)
    #expect(binned.count == 200_000 && binned.dropped == 0)
  }

  @Test(arguments: [1e-4, 0.3, 2, 20]) func scalingLeavesTheShape(factor: Double) throws {
    let weights = gaussian([400, 500], seed: 7)
    let fit = try WeibullFitting().fit(weights)
    let scaled = try WeibullFitting().fit(weights * -factor)
    // The trim takes or leaves whole bins: of Gaussian weights, k is 1.2040 ... 1.2070 as the bins lie.
    #expect((scaled.shape - fit.shape).magnitude < 4e-3)
    #expect((scaled.scale / (factor * fit.scale) - 1).magnitude < 2e-3)
    #expect(try WeibullFitting().fit(-weights) == fit)
    #expect((try WeibullFitting().fit(Tensor<Float>(weights)).shape - fit.shape).magnitude < 1e-4)
    // The fit to the values themselves knows no bins.
    let exact = try WeibullFitting().fitExactly(weights)
    let exactScaled = try WeibullFitting().fitExactly(weights * -factor)
    #expect((exactScaled.shape - exact.shape).magnitude < 1e-10)
    #expect((exactScaled.scale / (factor * exact.scale) - 1).magnitude < 1e-10)
    #expect((exact.shape - fit.shape).magnitude < 2e-3)
  }

  @Test func mergedHistogramsFitTheConcatenation() throws {
    let parts = (0..<4).map { gaussian([3_000 + 500 * $0], seed: UInt64($0)) }
    let merged = try parts.reduce(into: MagnitudeHistogram()) { try $0.add($1) }
    let whole = Tensor(parts.flatMap(\.scalars))
    let fitting = WeibullFitting(jackknifeBlocks: 0)
    #expect(try fitting.fit(merged) == fitting.fit(whole))
  }

  @Test func blocksAreConsecutiveTenths() throws {
    let weights = gaussian([1_000, 700], seed: 9, of: Float.self)
    let fit = try WeibullFitting().fit(weights)
    let tenths = try (0..<10).map { try MagnitudeHistogram(weights[$0 * 100..<($0 + 1) * 100, .all]) }
    #expect(try WeibullFitting().fit(blocks: tenths) == fit)
    #expect(try WeibullFitting(jackknifeBlocks: 1).fit(weights).shapeStandardError == nil)
  }

  /// The jackknife's standard error against the spread over independent samples.
  @Test func standardErrorsMatchTheSpreadOfSamples() throws {
    let fits = try (0..<40).map { try WeibullFitting().fit(gaussian([65_536], seed: 100 + UInt64($0))) }
    let shapes = fits.map(\.shape)
    let mean = shapes.reduce(0, +) / 40
    let spread = (shapes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 39).squareRoot()
    let errors = fits.compactMap(\.shapeStandardError)
    let typical = (errors.reduce(0) { $0 + $1 * $1 } / 40).squareRoot()
    #expect(errors.count == 40)
    #expect(spread > 0.003 && spread < 0.008)
    #expect(typical / spread > 0.7 && typical / spread < 1.4, "\(typical) against \(spread)")
    #expect((mean - WeibullAnchor.gaussian().shape).magnitude < 4 * spread / 40.squareRoot())
    let insideTwo = fits.filter { $0.isIndistinguishableFromInitialization == true }.count
    #expect(insideTwo >= 30 && insideTwo <= 40)
  }

  @Test func distinguishesWhatIsNotGaussian() throws {
    let laplace = quantiles(100_000) { -Double.log(onePlus: -$0) }
    let fit = try WeibullFitting().fit(laplace)
    #expect(fit.isIndistinguishableFromInitialization == false)
    #expect((fit.departure - (1 / 1.205_434_32 - 1)).magnitude < 2e-3)
  }

  /// The distance over all upper edges, one by one.
  @Test(arguments: [1, 2, 3]) func distanceOfTheDistributionFunctions(seed: UInt64) throws {
    let weights = gaussian([5_000], seed: seed)
    let histogram = try MagnitudeHistogram(weights)
    let fit = try WeibullFitting().fit(histogram)
    var cumulative = 0.0
    var distance = 0.0
    for (bin, count) in histogram.counts.enumerated() {
      cumulative += Double(count) / 5_000
      let fitted = fit.distribution.cumulativeProbability(.pow(10, -12 + Double(bin + 1) * 14 / 1024))
      distance = max(distance, (cumulative - fitted).magnitude)
    }
    #expect((fit.kolmogorovSmirnov - distance).magnitude < 1e-12 && distance > 0.01, "seed \(seed)")
    let plot = histogram.weibullPlot(.middle80)
    #expect(plot.count == fit.pointsUsed)
    #expect(zip(plot, plot.dropFirst()).allSatisfy { $0.logMagnitude < $1.logMagnitude && $0.plotted < $1.plotted })
  }

  @Test func zerosAreDroppedAndCounted() throws {
    let weights = gaussian([50_000], seed: 11)
    let dense = try WeibullFitting().fit(weights)
    let sparse = try WeibullFitting().fit(Tensor(weights.scalars + [Double](repeating: 0, count: 30_000)))
    #expect(sparse.shape == dense.shape && sparse.scale == dense.scale)
    #expect(sparse.dropped == dense.dropped + 30_000)
    #expect(sparse.count == dense.count)
  }

  @Test func unusableWeightsAreRefused() throws {
    let fitting = WeibullFitting()
    let few = gaussian([99], seed: 1)
    let enough = gaussian([100], seed: 1)
    #expect(throws: InvalidArgument.self) { try fitting.fit(few) }
    #expect(throws: InvalidArgument.self) { try fitting.fitExactly(few) }
    #expect(try fitting.fit(enough).count == 100)
    let zeros = Tensor<Float>(repeating: 0, shape: [50, 50])
    let constant = Tensor<Float>(repeating: 0.3, shape: [50, 50])
    for unusable in [zeros, constant] {
      #expect(throws: InvalidArgument.self) { try fitting.fit(unusable, name: "w") }
      #expect(throws: InvalidArgument.self) { try fitting.fitExactly(unusable, name: "w") }
    }
    let fourValues = Tensor((0..<4_000).map { Double.pow(2, $0 % 4) })
    #expect {
      try fitting.fit(fourValues, name: "w")
    } throws: { error in
      (error as? InvalidArgument)?.name == "w" && "\(error)".contains("at least 5")
    }
    #expect(throws: InvalidArgument.self) { try fitting.fit(Tensor([.nan] + enough.scalars)) }
    #expect(throws: InvalidArgument.self) { try fitting.fitExactly(Tensor([.infinity] + enough.scalars)) }
    #expect(throws: InvalidArgument.self) { try fitting.fit(MagnitudeHistogram()) }
  }

  @Test func aBlockThatIsTooSmallMeansNoStandardError() throws {
    // Leaving out the only block with more than one value leaves a constant.
    let histogramA = try MagnitudeHistogram(gaussian([1_000], seed: 2))
    let histogramB = try MagnitudeHistogram(Tensor<Double>(repeating: 1, shape: [10]))
    let fit = try WeibullFitting().fit(blocks: [histogramA, histogramB])
    #expect(fit.shapeStandardError == nil && fit.isIndistinguishableFromInitialization == nil)
  }
}

@Suite struct WeibullDistributionTests {
  @Test func closedFormsAgreeWithQuadrature() throws {
    let law = try WeibullDistribution(shape: 1.7, scale: 0.3)
    let rule = GaussQuadrature.legendre(400)
    // E[f(X)] over the quantiles; the substitution u = 1 - (1 - t)^6 tames the upper end.
    func expectation(_ function: (Double) -> Double) -> Double {
      rule.integral(over: 0...1) { t in
        let rest = Double.pow(1 - t, 6)
        return 6 * .pow(1 - t, 5) * function(0.3 * .pow(-.log(rest), 1 / 1.7))
      }
    }
    #expect((law.mean / expectation { $0 } - 1).magnitude < 1e-6)
    #expect((law.secondMoment / expectation { $0 * $0 } - 1).magnitude < 1e-6)
    let variance = law.secondMoment - law.mean * law.mean
    #expect((law.standardDeviation - variance.squareRoot()).magnitude < 1e-14)
    #expect((law.cumulativeProbability(law.median) - 0.5).magnitude < 1e-15)
    #expect((law.quantile(0.9) / law.quantile(0.1) / law.interdecileRatio - 1).magnitude < 1e-14)
    #expect(law.quantile(0) == 0 && law.quantile(1) == .infinity && law.quantile(-1).isNaN)
    #expect(law.cumulativeProbability(-1) == 0)
    for probability in [1e-12, 0.3, 0.999] {
      #expect((law.cumulativeProbability(law.quantile(probability)) / probability - 1).magnitude < 1e-13)
    }
  }

  @Test func exponentialCase() throws {
    let law = try WeibullDistribution(shape: 1, scale: 2)
    #expect((law.mean - 2).magnitude < 1e-15)
    #expect((law.standardDeviation - 2).magnitude < 1e-14)
    #expect((law.median - 2 * Double.log(2)).magnitude < 1e-15)
  }

  @Test func parametersMustBePositive() {
    for (shape, scale) in [(0.0, 1.0), (-1, 1), (1, 0), (1, -2), (.nan, 1), (1, .infinity)] {
      #expect(throws: InvalidArgument.self) { try WeibullDistribution(shape: shape, scale: scale) }
    }
  }
}
