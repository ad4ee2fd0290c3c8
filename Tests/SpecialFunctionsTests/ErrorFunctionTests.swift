import SpecialFunctions
import Testing

@Suite struct ErrorFunctionTests {
  let reference: Reference

  init() throws { reference = try Reference.load() }

  @Test func values() {
    expect("erf", reference.erf, within: 1e-15) { .erf($0[0]) }
    expect("erfc", reference.erfc, within: 1e-14) { .erfc($0[0]) }
    expect("scaledErfc", reference.scaledErfc, within: 1e-14) { .scaledErfc($0[0]) }
    expect("inverseErf", reference.inverseErf, within: 1e-14) { .inverseErf($0[0]) }
    expect("inverseErfc", reference.inverseErfc, within: 1e-14) { .inverseErfc($0[0]) }
    expect("normalCDF", reference.normalCDF, within: 1e-13) { .normalCDF($0[0]) }
    expect("normalQuantile", reference.normalQuantile, within: 1e-14) { .normalQuantile($0[0]) }
  }

  @Test func limits() {
    #expect(Double.inverseErf(1) == .infinity)
    #expect(Double.inverseErf(-1) == -.infinity)
    #expect(Double.inverseErfc(0) == .infinity)
    #expect(Double.inverseErfc(2) == -.infinity)
    #expect(Double.inverseErf(0) == 0)
    #expect(Double.normalQuantile(0.5) == 0)
    #expect(Double.normalQuantile(0) == -.infinity)
    #expect(Double.normalQuantile(1) == .infinity)
    #expect(Double.scaledErfc(.infinity) == 0)
    #expect(Double.scaledErfc(-30) == .infinity)
    #expect(relativeError(Double.normalDensity(0), 0.398_942_280_401_432_7) < 1e-15)
  }

  @Test func argumentsOutsideTheDomainGiveNaN() {
    for bad in [-1.1, 2.1, Double.nan] {
      #expect(Double.inverseErf(bad).isNaN, "\(bad)")
      #expect(Double.inverseErfc(bad).isNaN, "\(bad)")
      #expect(Double.normalQuantile(bad).isNaN, "\(bad)")
    }
    #expect(Double.scaledErfc(.nan).isNaN)
  }
}
