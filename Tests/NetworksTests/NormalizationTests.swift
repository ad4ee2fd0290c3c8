import Networks
import Tensors
import TestSupport
import Testing

struct NormalizationTests {
  @Test(arguments: 0..<6) func layerNormIsItsDefinition(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let width = Int.random(in: 1...40, using: &generator)
    let x: Tensor<Double> = generator.tensor([3, 5, width])
    let weight: Tensor<Double> = generator.tensor([width])
    let bias: Tensor<Double> = generator.tensor([width])
    let centred = x - x.mean(axis: -1, keepingAxis: true)
    let plain = centred / (x.variance(axis: -1, keepingAxis: true) + 1e-3).sqrt()
    #expect(distance(layerNorm(x, weight: weight, bias: bias, epsilon: 1e-3), plain * weight + bias) < 1e-13)
    #expect(distance(layerNorm(x, epsilon: 1e-3), plain) < 1e-13)
    let root = (x.squared().mean(axis: -1, keepingAxis: true) + 1e-3).sqrt()
    #expect(distance(rmsNorm(x, weight: weight, epsilon: 1e-3), x / root * weight) < 1e-13)
    #expect(distance(rmsNorm(x, epsilon: 1e-3), x / root) < 1e-13)
  }

  @Test(arguments: 0..<6) func derivativesOfBothOrders(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let width = Int.random(in: 2...21, using: &generator)
    let x: Tensor<Double> = generator.tensor([4, width])
    let weight: Tensor<Double> = generator.tensor([width])
    let bias: Tensor<Double> = generator.tensor([width])
    expectDerivatives(at: [x, weight, bias], seed: seed) {
      layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 0.01)
    }
    expectDerivatives(at: [x], seed: seed) { layerNorm($0[0], epsilon: 0.01) }
    expectDerivatives(at: [x, weight], seed: seed) { rmsNorm($0[0], weight: $0[1], epsilon: 0.01) }
    expectDerivatives(at: [x], seed: seed) { rmsNorm($0[0], epsilon: 0.01) }
  }

  @Test func manyRowsSumTheSameOnAnyThreads() {
    var random = RandomStream(seed: 9)
    let x: Tensor<Float> = random.normal([3_000, 40])
    let weights: Tensor<Float> = random.normal([3_000, 40])
    func slope() -> Tensor<Float> {
      gradient(at: Tensor<Float>.ones([40])) { (rmsNorm(x, weight: $0) * weights).sum() }
    }
    let found = withThreads(1, slope)
    let wanted = gradient(at: Tensor<Double>.ones([40])) {
      (rmsNorm(Tensor<Double>(x), weight: $0) * Tensor<Double>(weights)).sum()
    }
    #expect(distance(Tensor<Double>(found), wanted) < 1e-3)
    for count in [2, 3] { #expect(withThreads(count, slope) == found, "\(count) threads") }
  }

  @Test(arguments: 0..<4) func gradientsOfEachExample(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let x: Tensor<Double> = random.normal(seed < 2 ? [5, 6] : [5, 3, 6])
    let parameters = [random.normal([6], of: Double.self), random.normal([6])]
    func losses(_ x: Tensor<Double>, _ p: [Tensor<Double>]) -> Tensor<Double> {
      let y = rmsNorm(layerNorm(x, weight: p[0], bias: p[1]), weight: p[0])
      return y.sin().reshaped([x.shape[0], -1]).sum(axis: 1)
    }
    let (_, found) = perExampleGradients(at: parameters, examples: 5) { losses(x, $0) }
    for i in 0..<5 {
      let wanted = valueAndGradients(at: parameters) { losses(x[i..<i + 1], $0).sum() }.gradients
      for (a, b) in zip(found, wanted) { #expect(distance(a[i], b) < 1e-12, "seed \(seed)") }
    }
  }

  @Test func layersHavePyTorchNames() {
    #expect(LayerNorm<Float>(4).parameters.names == ["weight", "bias"])
    #expect(LayerNorm<Float>(4, hasBias: false).parameters.names == ["weight"])
    #expect(RMSNorm<Float>(4).parameters.names == ["weight"])
  }
}
