import SpecialFunctions
import Tensors
import TestSupport
import Testing

@Suite struct TensorFunctionTests {
  private static func between(_ low: Double, _ high: Double) -> @Sendable (inout TestGenerator) -> [Tensor<Double>] {
    { random in [random.tensor([2, 3]) * ((high - low) / 2) + (high + low) / 2] }
  }

  static let functions: [DerivativeCase] = [
    DerivativeCase("logGamma", at: between(0.3, 4)) { [$0[0].logGamma()] },
    DerivativeCase("logGamma, negative", at: between(-1.9, -1.1)) { [$0[0].logGamma()] },
    DerivativeCase("digamma", at: between(0.5, 20)) { [$0[0].digamma()] },
    DerivativeCase("trigamma", at: between(0.5, 3)) { [$0[0].polygamma(order: 1)] },
    DerivativeCase("polygamma", at: between(0.8, 3)) { [$0[0].polygamma(order: 2), $0[0].polygamma(order: 3)] },
    DerivativeCase("inverseErf", at: between(-0.9, 0.9)) { [$0[0].inverseErf()] },
    DerivativeCase("inverseErfc", at: between(0.1, 1.9)) { [$0[0].inverseErfc()] },
    DerivativeCase("scaledErfc", at: between(-1, 12)) { [$0[0].scaledErfc()] },
    DerivativeCase("normalCDF", at: between(-3, 3)) { [$0[0].normalCDF()] },
    DerivativeCase("normalQuantile", at: between(0.05, 0.95)) { [$0[0].normalQuantile()] },
    DerivativeCase("gamma", at: between(0.1, 6)) {
      [$0[0].regularizedGammaP(a: 1.5), $0[0].regularizedGammaQ(a: 0.4)]
    },
    DerivativeCase("gamma, large shape", at: between(20, 30)) { [$0[0].regularizedGammaP(a: 25)] },
    DerivativeCase("beta", at: between(0.1, 0.9)) { [$0[0].regularizedBeta(a: 1.5, b: 3)] },
  ]

  @Test(arguments: 0..<functions.count)
  func derivativesAgreeWithDifferences(index: Int) throws {
    let item = Self.functions[index]
    let (first, second) = try item.errors(seed: UInt64(index))
    #expect(first < 1e-8, "\(item.name): first derivative off by \(first)")
    #expect(second < 1e-7, "\(item.name): second derivative off by \(second)")
  }

  @Test func valuesAreThoseOfNumbers() {
    let x = Tensor<Double>([0.2, 0.7])
    #expect(x.logGamma().scalars == x.scalars.map { Double.logGamma($0) })
    #expect(x.regularizedBeta(a: 2, b: 0.5).scalars == x.scalars.map { Double.regularizedBeta(a: 2, b: 0.5, x: $0) })
    #expect(Tensor<Float>([0.5]).inverseErf().scalar == Float(Double.inverseErf(0.5)))
    #expect(Tensor<Double>.zeros([0, 3]).digamma().shape == [0, 3])
  }

  /// Of mpmath, to all digits.
  @Test(arguments: [
    (2, 0.5, -16.82879664423432), (3, 0.25, 1538.7821440091884), (2, 10, -0.0110498349708020675),
    (4, 40, -2.46337783927721268e-6), (5, -1.5, 15381.6485280263038), (7, 3, 0.862375237639470469),
  ])
  func polygammaAgreesWithReference(order: Int, x: Double, value: Double) {
    let error = abs(Double.polygamma(order: order, x) / value - 1)
    #expect(error < 1e-13, "order \(order) at \(x): \(Double.polygamma(order: order, x))")
  }
}
