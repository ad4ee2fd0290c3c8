import Convolutions
import Networks
import Tensors
import TestSupport
import Testing

struct WeightNormalizationTests {
  private func compare<Normalized: Layer<Double>>(
    _ layer: Normalized, _ name: String, _ reference: VisionReference
  ) throws {
    var layer = layer
    try layer.load(reference.group("\(name).before"))
    let (x, g) = (reference["\(name).x"], reference["\(name).g"])
    let pass = ForwardPass.training(random: RandomStream(seed: 0))
    #expect(distance(layer(x, in: .training(random: RandomStream(seed: 0))), reference["\(name).y"]) < 1e-13, "\(name)")
    let result = layer.valueAndGradient(in: pass) { layer, pass in (layer(x, in: pass) * g).sum() }
    #expect(distance(result.gradient, reference.group("\(name).gradient")) < 1e-12, "\(name)")
    for (tensor, value) in reference.group("\(name).after") {
      #expect(distance(layer.stateDictionary[tensor] ?? Tensor(.nan), value) < 1e-14, "\(name) \(tensor)")
    }
    #expect(distance(layer(x), reference["\(name).inference"]) < 1e-13, "\(name)")
  }

  @Test func agreesWithPyTorch() throws {
    let reference = try VisionReference("weights")
    var random = RandomStream(seed: 1)
    let linear = Linear<Double>(4, 3, random: &random)
    let image = Convolution<Double>(2, 3, kernel: [3, 3], random: &random)
    let signal = Convolution<Double>(2, 3, kernel: [3], random: &random)
    try compare(WeightNormalized(linear), "weight.linear", reference)
    try compare(WeightNormalized(image), "weight.conv", reference)
    try compare(SpectrallyNormalized(linear, random: &random), "spectral.linear", reference)
    try compare(SpectrallyNormalized(signal, random: &random), "spectral.conv", reference)
    let transposed = TransposedConvolution<Double>(2, 3, kernel: [3], random: &random)
    try compare(SpectrallyNormalized(transposed, random: &random), "spectral.transposed", reference)
  }

  @Test func startsAsTheLayerItself() {
    var random = RandomStream(seed: 2)
    let layer = TransposedConvolution<Double>(3, 2, kernel: [2, 2], .init(stride: 2), random: &random)
    let x: Tensor<Double> = random.normal([2, 3, 4, 5])
    #expect(distance(WeightNormalized(layer)(x), layer(x)) < 1e-14)
  }

  @Test func theLargestSingularValueBecomesOne() {
    var random = RandomStream(seed: 3)
    var layer = SpectrallyNormalized(Linear<Double>(5, 5, hasBias: false, random: &random), random: &random)
    let pass = ForwardPass.training(random: random)
    for _ in 0..<500 { _ = layer.withStatistics(in: pass) { $0(Tensor.identity(5), in: $1) } }
    // The image of the identity is the transposed weight.
    let weight = layer(Tensor.identity(5))
    var v: Tensor<Double> = random.sphere([5])
    for _ in 0..<2_000 {
      let w = weight.matmul(weight.matmul(v), transposingA: true)
      v = w / w.sumOfSquares().sqrt()
    }
    #expect(abs(weight.matmul(v).sumOfSquares().scalar - 1) < 1e-6)
  }
}
