import SpecialFunctions
import Tensors
import Testing

@Suite struct QuadratureTests {
  @Test func nodesAndWeights() throws {
    let reference = try Reference.load()
    for (count, rows) in reference.legendre {
      let rule = GaussQuadrature.legendre(try #require(Int(count)))
      for (i, row) in rows.enumerated() {
        let last = rule.nodes.count - 1 - i
        #expect(relativeError(rule.nodes[last], row[0]) < 1e-13 || row[0].magnitude < 1e-16, "\(count) nodes, \(i)")
        #expect(relativeError(rule.weights[last], row[1]) < 1e-13, "\(count) nodes, \(i)")
        #expect(rule.nodes[i] == -rule.nodes[last])
      }
    }
    let large = GaussQuadrature.legendre(200)
    for (index, row) in reference.legendre200 {
      let i = 199 - (try #require(Int(index)))
      #expect(relativeError(large.nodes[i], row[0]) < 1e-14, "node \(i)")
      #expect(relativeError(large.weights[i], row[1]) < 1e-13, "weight \(i)")
    }
    for (count, rows) in reference.hermite {
      let rule = GaussQuadrature.hermite(try #require(Int(count)))
      for (i, row) in rows.enumerated() {
        #expect(relativeError(rule.nodes[i], row[0]) < 1e-13, "\(count) nodes, \(i)")
        #expect(relativeError(rule.weights[i], row[1]) < 1e-12, "\(count) nodes, \(i)")
      }
    }
  }

  @Test(arguments: [1, 2, 5, 16, 33]) func polynomialsAreExact(count: Int) {
    let rule = GaussQuadrature.legendre(count)
    for degree in 0..<2 * count {
      let exact = (Double.pow(3, degree + 1) - Double.pow(-1, degree + 1)) / Double(degree + 1)
      let value = rule.integral(over: -1...3) { .pow($0, degree) }
      #expect(relativeError(value, exact) < 1e-12, "degree \(degree)")
    }
  }

  @Test(arguments: [2, 9, 100, 1500]) func weightsSumToTheLengths(count: Int) {
    #expect(relativeError(GaussQuadrature.legendre(count).weights.reduce(0, +), 2) < 1e-13)
    let hermite = GaussQuadrature.hermite(min(count, 500))
    #expect(relativeError(hermite.weights.reduce(0, +), Double.pi.squareRoot()) < 1e-12)
    #expect(zip(hermite.nodes, hermite.nodes.dropFirst()).allSatisfy { $0 < $1 })
    let secondMoment = zip(hermite.nodes, hermite.weights).reduce(0) { $0 + $1.0 * $1.0 * $1.1 }
    #expect(relativeError(secondMoment, Double.pi.squareRoot() / 2) < 1e-12)
  }
}

@Suite struct RootBracketingTests {
  @Test func rootsOfHardFunctions() throws {
    let cases: [(String, ClosedRange<Double>, Double, (Double) -> Double)] = [
      ("cos x - x", 0...1, 0.739_085_133_215_160_6, { .cos($0) - $0 }),
      ("x^3 - 2x - 5", 2...3, 2.094_551_481_542_326_6, { $0 * $0 * $0 - 2 * $0 - 5 }),
      ("steep", 0...10, .log(5), { .exp(20 * $0) - .pow(5, 20) }),
      ("flat", -1...4, 1, { .pow($0 - 1, 9) }),
      ("root at an end", 0...3, 3, { $0 - 3 }),
      ("step", 0...1, 0.3, { $0 < 0.3 ? -1 : 1 }),
      ("linear", -7...5, 0.25, { 4 * $0 - 1 }),
    ]
    for (name, interval, wanted, function) in cases {
      let root = try RootBracketing().root(of: function, in: interval)
      #expect((root.location - wanted).magnitude < (name == "flat" ? 1e-3 : 1e-14 * max(wanted, 1)), "\(name)")
      #expect(root.convergence.isConverged, "\(name): \(root.convergence.iterations) iterations")
    }
    let smooth = try RootBracketing().root(of: { Double.cos($0) - $0 }, in: 0...1)
    #expect(smooth.convergence.iterations <= 10)
    let coarse = try RootBracketing(tolerance: 0.1).root(of: { Double.cos($0) - $0 }, in: 0...1)
    #expect((coarse.location - 0.739_085_133_215_160_6).magnitude <= 0.1)
    #expect(coarse.convergence.iterations < smooth.convergence.iterations)
  }

  @Test func sameSignsAreRefused() {
    #expect(throws: InvalidArgument.self) { try RootBracketing().root(of: { $0 * $0 + 1 }, in: -1...1) }
    #expect(throws: InvalidArgument.self) { try RootBracketing().root(of: { _ in .nan }, in: -1...1) }
  }
}
