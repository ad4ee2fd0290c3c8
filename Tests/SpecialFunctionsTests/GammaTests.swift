import SpecialFunctions
import Testing

@Suite struct GammaTests {
  let reference: Reference

  init() throws { reference = try Reference.load() }

  @Test func valuesOfGammaAndItsRelatives() {
    expect("gamma", reference.gamma, within: 1e-14) { .gamma($0[0]) }
    expect("logGamma", reference.logGamma, within: 2e-13) { .logGamma($0[0]) }
    expect("digamma", reference.digamma, within: 1e-13) { .digamma($0[0]) }
    expect("trigamma", reference.trigamma, within: 1e-13) { .trigamma($0[0]) }
    for row in reference.signGamma {
      #expect(Double.signGamma(row[0]) == (row[1] > 0 ? .plus : .minus), "at \(row[0])")
    }
  }

  @Test func valuesOfIncompleteFunctions() {
    expect("P", reference.gammaP, within: 2e-13) { .regularizedGammaP(a: $0[0], x: $0[1]) }
    expect("Q", reference.gammaQ, within: 2e-13) { .regularizedGammaQ(a: $0[0], x: $0[1]) }
    expect("I", reference.beta, within: 1e-13) { .regularizedBeta(a: $0[0], b: $0[1], x: $0[2]) }
  }

  // A relative error of x is multiplied by x f(x) / F(x), about a or x, in F.
  @Test(arguments: [1e-4, 0.02, 0.3, 1, 2.5, 17, 800])
  func inverseOfGammaGivesTheProbabilityBack(a: Double) {
    for exponent in [-280.0, -100, -30, -8, -3, -1, -0.31] {
      let p = Double.pow(10, exponent)
      let x = Double.inverseRegularizedGammaP(a: a, p: p)
      if x > 1e-300 {
        let error = relativeError(.regularizedGammaP(a: a, x: x), p)
        #expect(error < 1e-13 * max(a, 1), "P, a = \(a), p = \(p), x = \(x): \(error)")
      } else {
        #expect(x >= 0, "P, a = \(a), p = \(p)")
      }
      let y = Double.inverseRegularizedGammaQ(a: a, q: p)
      if y > 1e-300 {
        let error = relativeError(.regularizedGammaQ(a: a, x: y), p)
        #expect(error < 1e-13 * max(y, 1), "Q, a = \(a), q = \(p), x = \(y): \(error)")
      } else {
        #expect(y >= 0, "Q, a = \(a), q = \(p)")
      }
    }
  }

  @Test(arguments: [(0.1, 0.2), (0.5, 0.5), (1, 3), (2, 0.3), (7, 7), (60, 3), (500, 900)])
  func inverseOfBetaGivesTheProbabilityBack(a: Double, b: Double) {
    for p in [1e-200, 1e-60, 1e-12, 1e-4, 0.05, 0.3, 0.5, 0.7, 0.95, 0.9999] {
      let x = Double.inverseRegularizedBeta(a: a, b: b, p: p)
      guard x > 1e-300, x < 1 - 1e-6 else { continue }
      let error = relativeError(.regularizedBeta(a: a, b: b, x: x), p)
      #expect(error < 1e-12 * max(a, b, 1), "a = \(a), b = \(b), p = \(p), x = \(x): \(error)")
    }
  }

  @Test func limitsAndClosedForms() {
    #expect(Double.regularizedGammaP(a: 2, x: 0) == 0)
    #expect(Double.regularizedGammaQ(a: 2, x: 0) == 1)
    #expect(Double.regularizedGammaP(a: 2, x: .infinity) == 1)
    #expect(Double.inverseRegularizedGammaP(a: 2, p: 0) == 0)
    #expect(Double.inverseRegularizedGammaP(a: 2, p: 1) == .infinity)
    #expect(Double.inverseRegularizedBeta(a: 2, b: 3, p: 0) == 0)
    #expect(Double.inverseRegularizedBeta(a: 2, b: 3, p: 1) == 1)
    #expect(Double.regularizedBeta(a: 2, b: 3, x: 1) == 1)
    for p in [1e-9, 0.2, 0.5, 0.9] {
      // An exponential variable; a uniform one; I_x(a, 1) = x^a.
      #expect(relativeError(.inverseRegularizedGammaP(a: 1, p: p), -.log(onePlus: -p)) < 1e-14, "p = \(p)")
      #expect(relativeError(.inverseRegularizedBeta(a: 1, b: 1, p: p), p) < 1e-14, "p = \(p)")
      #expect(relativeError(.inverseRegularizedBeta(a: 3, b: 1, p: p), .pow(p, 1.0 / 3)) < 1e-14, "p = \(p)")
    }
    #expect(relativeError(.digamma(1), -0.577_215_664_901_532_9) < 1e-15)
    #expect(relativeError(.trigamma(1), Double.pi * .pi / 6) < 1e-15)
  }

  @Test func argumentsOutsideTheDomainGiveNaN() {
    #expect(Double.regularizedGammaP(a: 0, x: 1).isNaN)
    #expect(Double.regularizedGammaP(a: 1, x: -1).isNaN)
    #expect(Double.regularizedGammaQ(a: .nan, x: 1).isNaN)
    #expect(Double.regularizedGammaQ(a: 1, x: .nan).isNaN)
    #expect(Double.inverseRegularizedGammaP(a: 1, p: 1.5).isNaN)
    #expect(Double.inverseRegularizedGammaP(a: -1, p: 0.5).isNaN)
    #expect(Double.regularizedBeta(a: 1, b: 0, x: 0.5).isNaN)
    #expect(Double.regularizedBeta(a: 1, b: 1, x: 1.5).isNaN)
    #expect(Double.regularizedBeta(a: 1, b: 1, x: .nan).isNaN)
    #expect(Double.inverseRegularizedBeta(a: 1, b: 1, p: -0.1).isNaN)
    #expect(Double.digamma(-3).isNaN)
    #expect(Double.digamma(.nan).isNaN)
    #expect(Double.digamma(0.0) == -.infinity)
    #expect(Double.digamma(-0.0) == .infinity)
    #expect(Double.trigamma(-3) == .infinity)
    #expect(Double.trigamma(.nan).isNaN)
  }
}
