import Foundation
import Networks
import Tensors
import TestSupport
import Testing

struct ActivationTests {
  private static let all: [Activation] = [
    .identity, .relu, .tanh, .sigmoid, .softplus, .sine, .gelu, .geluTanh, .silu, .mish, .selu, .elu(limit: 0.7),
    .leakyReLU(slope: 0.1),
  ]

  /// The formulas, one number at a time.
  private func formula(_ activation: Activation, _ x: Double) -> Double {
    switch activation {
    case .identity: x
    case .relu: max(x, 0)
    case .tanh: Foundation.tanh(x)
    case .sigmoid: 1 / (1 + exp(-x))
    case .softplus: max(x, 0) + log1p(exp(-abs(x)))
    case .sine: sin(x)
    case .gelu: 0.5 * x * erfc(-x / 2.0.squareRoot())
    case .geluTanh: 0.5 * x * (1 + Foundation.tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
    case .silu: x / (1 + exp(-x))
    case .mish: x * Foundation.tanh(log1p(exp(x)))
    case .selu: 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * expm1(x))
    case .elu(let limit): x > 0 ? x : limit * expm1(x)
    case .leakyReLU(let slope): x > 0 ? x : slope * x
    }
  }

  @Test(arguments: all) func valuesFollowTheFormula(activation: Activation) {
    let points = Tensor<Double>(from: -9, through: 9, count: 1013)
    let wanted = Tensor<Double>(points.scalars.map { formula(activation, $0) })
    #expect(distance(activation(points), wanted) < 1e-14)
    let single = activation(Tensor<Float>(points))
    #expect(distance(Tensor<Double>(single), wanted) < 2e-6)
  }

  @Test(arguments: all) func derivativesOfBothOrders(activation: Activation) {
    var generator = TestGenerator(seed: 3)
    let x: Tensor<Double> = generator.tensor([5, 7]) * 3
    expectDerivatives(at: [x], seed: 3, "\(activation)") { activation($0[0]) }
  }

  @Test(arguments: all) func singlePrecisionSlopesFollowDoubles(activation: Activation) {
    let points = Tensor<Double>(from: -8, through: 8.1, count: 333)
    let wanted = gradient(at: points) { activation($0).sum() }
    let found = gradient(at: Tensor<Float>(points)) { activation($0).sum() }
    #expect(distance(Tensor<Double>(found), wanted) < 3e-6)
  }

  @Test(arguments: all) func farAwayNothingOverflows(activation: Activation) {
    let far = Tensor<Float>([-1e30, -200, 200, 1e30])
    if activation == .geluTanh { return #expect(activation(far[1..<3]).isFinite) }
    #expect(activation(far).isFinite)
    #expect(gradient(at: far[1..<3]) { activation($0).sum() }.isFinite)
  }

  @Test(arguments: 0..<4) func gatedUnits(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let gate: Tensor<Double> = generator.tensor([3, 9]) * 2
    let up: Tensor<Double> = generator.tensor([3, 9])
    #expect(distance(swiGLU(gate: gate, up: up), Activation.silu(gate) * up) < 1e-15)
    expectDerivatives(at: [gate, up], seed: seed) { swiGLU(gate: $0[0], up: $0[1]) }
  }

  @Test func alphaDropoutKeepsMeanAndVariance() {
    var random = RandomStream(seed: 5)
    let x: Tensor<Float> = random.normal([200_000])
    let y = AlphaDropout<Float>(0.2)(x, in: .training(random: random))
    #expect(abs(y.mean().scalar) < 0.01)
    #expect(abs(y.variance().scalar - 1) < 0.02)
    #expect(AlphaDropout<Float>(0.2)(x) == x)
  }
}
