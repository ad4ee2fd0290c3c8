import Convolutions
import Networks
import Tensors
import TestSupport
import Testing

struct SpectralLayerTests {
  @Test(arguments: [[6], [3, 4], [2, 2, 3]])
  func spectralConvolutionAgreesWithPyTorch(modes: [Int]) throws {
    let reference = try VisionReference("spectral")
    var random = RandomStream(seed: 1)
    var layer = SpectralConvolution<Double>(3, 2, modes: modes, random: &random)
    try layer.load(reference.group("\(modes.count).before"))
    let (x, g) = (reference["\(modes.count).x"], reference["\(modes.count).g"])
    #expect(distance(layer(x), reference["\(modes.count).y"]) < 1e-13)
    let gradient = layer.valueAndGradient { ($0(x) * g).sum() }.gradient
    #expect(distance(gradient, reference.group("\(modes.count).gradient")) < 1e-12)
    let dx = Tensors.gradient(at: x) { (layer($0) * g).sum() }
    #expect(distance(dx, reference["\(modes.count).dx"]) < 1e-12)
  }

  /// The same function of place on a finer grid.
  @Test func theGridDoesNotMatter() {
    var random = RandomStream(seed: 2)
    let layer = SpectralConvolution<Double>(1, 1, modes: [3], random: &random)
    func wave(_ count: Int) -> Tensor<Double> {
      let angles = Tensor<Double>((0..<count).map { 2 * .pi * Double($0) / Double(count) })
      return ((angles * 2).sin() + angles.cos()).reshaped([1, 1, count])
    }
    let coarse = layer(wave(8))
    let fine = layer(wave(32))[.all, .all, stride(from: 0, to: 32, by: 4)]
    #expect(distance(coarse, fine) < 1e-14)
  }

  @Test func sinusoidsAreThoseOfTheFormula() {
    let embedding = SinusoidalEmbedding<Double>(6)
    let y = embedding(Tensor([0, 2]))
    #expect(distance(y[0], Tensor([0, 0, 0, 1, 1, 1])) == 0)
    let expected = [1, 1e-2, 1e-4].map { (Double.sin(2 * $0), Double.cos(2 * $0)) }
    #expect(distance(y[1], Tensor(expected.map { $0.0 } + expected.map { $0.1 })) < 1e-14)
  }

  /// Their inner products approach the Gaussian kernel exp(-2 π² σ² d²) as their number grows.
  @Test func randomFeaturesApproachAGaussianKernel() {
    var random = RandomStream(seed: 3)
    let layer = RandomFourierFeatures<Double>(2, features: 40_000, deviation: 0.3, random: &random)
    let x = Tensor<Double>([[0.1, 0.2], [0.5, -0.4]])
    let y = layer(x)
    let kernel = y[0].dot(y[1]).scalar / 20_000
    let squaredDistance = (x[0] - x[1]).sumOfSquares().scalar
    #expect(abs(kernel - Double.exp(-2 * .pi * .pi * 0.09 * squaredDistance)) < 0.02)
    #expect(layer.parameterCount == 0 && layer.stateDictionary["frequencies"] != nil)
  }
}
