import Foundation
import SpecialFunctions
import Testing

@Suite struct DistributionTests {
  /// What Tests/Reference/distributions.py wrote: rows of arguments followed by values.
  private struct Values: Decodable {
    var student, chiSquare, fisher, polynomials: [[Double]]
  }
  private let values: Values

  init() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/distributions.json")
    values = try JSONDecoder().decode(Values.self, from: Data(contentsOf: file))
  }

  @Test func distributionFunctions() {
    expect("Student", values.student, within: 5e-13) { .studentCDF($0[0], degrees: $0[1]) }
    expect("chi-square", values.chiSquare, within: 5e-13) { .chiSquareCDF($0[0], degrees: $0[1]) }
    expect("Fisher", values.fisher, within: 5e-13) { .fisherCDF($0[0], numerator: $0[1], denominator: $0[2]) }
  }

  @Test(arguments: [0.5, 1, 2, 3.5, 10, 47, 300])
  func quantilesGiveTheProbabilityBack(degrees: Double) {
    for p in [1e-200, 1e-30, 1e-8, 0.003, 0.2, 0.26, 0.4999, 0.5, 0.77, 0.995, 1 - 1e-12] {
      func expectBack(_ name: String, _ x: Double, _ probability: Double) {
        guard x.isFinite, x.magnitude > 1e-290 else { return }
        #expect(relativeError(probability, p) < 2e-12 * max(degrees, 1), "\(name), p = \(p), x = \(x)")
      }
      let t = Double.studentQuantile(p, degrees: degrees)
      expectBack("Student", t, .studentCDF(t, degrees: degrees))
      let x = Double.chiSquareQuantile(p, degrees: degrees)
      expectBack("chi-square", x, .chiSquareCDF(x, degrees: degrees))
      let f = Double.fisherQuantile(p, numerator: degrees, denominator: 7)
      expectBack("Fisher", f, .fisherCDF(f, numerator: degrees, denominator: 7))
    }
  }

  @Test func limitsAndDomains() {
    #expect(Double.studentQuantile(0.5, degrees: 3) == 0 && Double.studentCDF(0, degrees: 3) == 0.5)
    #expect(Double.studentQuantile(0, degrees: 3) == -.infinity && Double.studentQuantile(1, degrees: 3) == .infinity)
    #expect(Double.studentCDF(.infinity, degrees: 2) == 1 && Double.studentCDF(-.infinity, degrees: 2) == 0)
    #expect(Double.chiSquareCDF(-1, degrees: 2) == 0 && Double.fisherCDF(.infinity, numerator: 1, denominator: 2) == 1)
    // One degree of freedom is Cauchy's law; many are the normal one.
    #expect(relativeError(.studentQuantile(0.9, degrees: 1), tan(0.4 * .pi)) < 1e-14)
    let z = Double.normalQuantile(0.975)
    let corrected = z + (z * z * z + z) / 4e5
    #expect(relativeError(.studentQuantile(0.975, degrees: 1e5), corrected) < 1e-9)
    for value in [
      Double.studentCDF(1, degrees: 0), .studentQuantile(2, degrees: 1), .chiSquareQuantile(0.5, degrees: -1),
      .fisherCDF(1, numerator: 0, denominator: 1), .fisherQuantile(.nan, numerator: 1, denominator: 1),
    ] { #expect(value.isNaN) }
  }

  @Test func polynomials() {
    let order: [OrthogonalPolynomial] = [
      .legendre, .chebyshev, .chebyshevOfSecondKind, .hermite, .hermiteOfUnitVariance, .laguerre,
    ]
    for row in values.polynomials {
      let degree = Int(row[0])
      for (i, polynomial) in order.enumerated() {
        let value = polynomial.value(degree: degree, at: row[1])
        let wanted = row[2 + i]
        let scale = polynomial.values(through: degree, at: row[1]).map(\.magnitude).max() ?? 1
        #expect(abs(value - wanted) <= 2e-14 * max(scale, 1), "\(polynomial) of degree \(degree) at \(row[1])")
      }
    }
  }

  @Test(arguments: OrthogonalPolynomial.allCases)
  func seriesAreSums(polynomial: OrthogonalPolynomial) {
    let coefficients = (0..<9).map { Foundation.sin(Double($0) + 1) }
    for x in [-0.9, 0.1, 0.7] {
      let terms = zip(coefficients, polynomial.values(through: 8, at: x)).map(*)
      let size = terms.reduce(0) { $0 + abs($1) }
      #expect(abs(polynomial.series(coefficients, at: x) - terms.reduce(0, +)) < 1e-13 * size)
    }
    #expect(polynomial.series([], at: 0.3) == 0 && polynomial.series([2.5], at: 0.3) == 2.5)
  }

  /// Orthogonality, by the rule that is exact for the product.
  @Test func gaussRulesSeeOrthogonality() {
    let rules: [(OrthogonalPolynomial, GaussQuadrature)] = [
      (.legendre, .legendre(12)), (.chebyshev, .chebyshev(12)), (.hermite, .hermite(12)),
    ]
    for (polynomial, rule) in rules {
      for a in 0..<6 {
        for b in 0..<a {
          let sum = zip(rule.nodes, rule.weights).reduce(0) { sum, point in
            sum + point.1 * polynomial.value(degree: a, at: point.0) * polynomial.value(degree: b, at: point.0)
          }
          let size = zip(rule.nodes, rule.weights).reduce(0) { sum, point in
            sum + point.1 * abs(polynomial.value(degree: a, at: point.0) * polynomial.value(degree: b, at: point.0))
          }
          #expect(abs(sum) < 1e-13 * size, "\(polynomial), degrees \(a) and \(b)")
        }
      }
    }
    #expect(GaussQuadrature.chebyshev(5).nodes[2] == 0)
  }
}
