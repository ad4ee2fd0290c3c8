import Diagnostics
import SpecialFunctions
import Tensors
import Testing

@Suite struct WeibullAnchorTests {
  @Test func populationValues() throws {
    let known: [(MagnitudeLaw, MagnitudeTrim, shape: Double, scale: Double?)] = [
      (.halfNormal(), .middle80, 1.205_434_32, 0.887_487_04),
      (.halfNormal(), .middle90, 1.190_922_61, 0.880_887_88),
      (.uniform(), .middle80, 1.375_118_81, 0.607_365_60),
      (.truncatedNormal(bound: 2), .middle80, 1.227_173_71, 0.830_310_25),
      (.studentT(degreesOfFreedom: 3), .middle80, 1.105_730_58, 1.068_074_05),
      (.generalizedGaussian(shape: 0.5), .middle80, 0.769_998_88, nil),
      (.generalizedGaussian(shape: 0.8), .middle80, 0.925_314_12, nil),
      (.generalizedGaussian(shape: 1.35), .middle80, 1.096_252_26, nil),
      (.generalizedGaussian(shape: 1.5), .middle80, 1.127_858_53, nil),
      (.generalizedGaussian(shape: 3), .middle80, 1.287_436_59, nil),
    ]
    for (law, trim, shape, scale) in known {
      let anchor = try WeibullAnchor(of: law, trim: trim)
      #expect((anchor.shape - shape).magnitude < 6e-9, "\(law), \(trim): \(anchor.shape)")
      if let scale { #expect((anchor.scale - scale).magnitude < 6e-9, "\(law), \(trim): \(anchor.scale)") }
    }
    #expect((WeibullAnchor.gaussian().rSquared - 0.997_740_37).magnitude < 6e-9)
    #expect(WeibullAnchor.gaussian(.middle90) == (try WeibullAnchor(of: .halfNormal(), trim: .middle90)))
  }

  @Test(arguments: MagnitudeTrim.allCases) func weibullLawsAreTheirOwnAnchors(trim: MagnitudeTrim) throws {
    let exponential = try WeibullAnchor(of: .laplace(), trim: trim)
    #expect((exponential.shape - 1).magnitude < 1e-13)
    #expect((exponential.scale - 1).magnitude < 1e-13)
    let other = try WeibullAnchor(of: .weibull(shape: 2.5, scale: 0.04), trim: trim)
    #expect((other.shape - 2.5).magnitude < 1e-12)
    #expect((other.scale / 0.04 - 1).magnitude < 1e-12)
    #expect(other.rSquared > 1 - 1e-12)
  }

  @Test func lawsThatAreTheSame() throws {
    let normal = try WeibullAnchor(of: .halfNormal(standardDeviation: 3))
    let asGeneralized = try WeibullAnchor(of: .generalizedGaussian(shape: 2, standardDeviation: 3))
    #expect((normal.shape - asGeneralized.shape).magnitude < 1e-12)
    #expect((normal.scale - asGeneralized.scale).magnitude < 1e-12)
    let uncut = try WeibullAnchor(of: .truncatedNormal(bound: 9, standardDeviation: 3), trim: .full)
    let full = try WeibullAnchor(of: .halfNormal(standardDeviation: 3), trim: .full)
    #expect((uncut.shape - full.shape).magnitude < 1e-10)
    let manyDegrees = try WeibullAnchor(of: .studentT(degreesOfFreedom: 1e7))
    #expect((manyDegrees.shape - WeibullAnchor.gaussian().shape).magnitude < 1e-6)
    let laplace = try WeibullAnchor(of: .generalizedGaussian(shape: 1, standardDeviation: 2.0.squareRoot()))
    #expect((laplace.shape - 1).magnitude < 1e-12 && (laplace.scale - 1).magnitude < 1e-12)
  }

  /// The fit to many exact quantiles tends to the anchor; for the full range only slowly, so it is left to a coarse bound.
  @Test func fitsOfQuantilesTendToTheAnchor() throws {
    let weights = quantiles(400_000) { Double.pow(2, 0.5) * Double.inverseErf($0) }
    for trim in MagnitudeTrim.allCases {
      let anchor = WeibullAnchor.gaussian(trim)
      let exact = try WeibullFitting(trim: trim).fitExactly(weights)
      #expect((exact.shape - anchor.shape).magnitude < (trim == .full ? 1e-4 : 1e-5), "\(trim)")
      let binned = try WeibullFitting(trim: trim).fit(weights)
      #expect((binned.shape - anchor.shape).magnitude < 5e-3, "\(trim): \(binned.shape)")
    }
  }

  @Test func parametersMustBePositive() {
    let bad: [MagnitudeLaw] = [
      .halfNormal(standardDeviation: 0), .generalizedGaussian(shape: -1), .truncatedNormal(bound: .nan),
      .laplace(scale: -2), .uniform(bound: 0), .studentT(degreesOfFreedom: 0), .weibull(shape: 1, scale: .infinity),
    ]
    for law in bad { #expect(throws: InvalidArgument.self, "\(law)") { try WeibullAnchor(of: law) } }
  }
}
