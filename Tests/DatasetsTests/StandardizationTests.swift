import Datasets
import Tensors
import TestSupport
import Testing

@Suite struct StandardizationTests {
  /// The unit that a feature is measured in does not matter, however large or small.
  @Test(arguments: [1e-30, 1e-12, 1, 1e12, 1e30]) func unitsDoNotMatter(unit: Double) {
    var random = RandomStream(seed: 1)
    let x: Tensor<Float> = random.normal([200, 3], mean: 2, standardDeviation: 3)
    let wanted = Standardization(fittedTo: x)(x)
    let scaled = x * Float(unit)
    let standardization = Standardization(fittedTo: scaled)
    #expect(distance(standardization(scaled), wanted) < 1e-4)
    #expect(distance(standardization.inverted(wanted) / Float(unit), x) < 1e-4)
    #expect(distance(wanted.mean(axis: 0), .zeros([3])) < 1e-5 && distance(wanted.variance(axis: 0), .ones([3])) < 0.01)
  }

  @Test func whatDoesNotVaryIsOnlyShifted() {
    for value in [0, 1e-20, 0.1, 1.0 / 3, 12_345.678, 3e20] as [Float] {
      let x = Tensor(repeating: value, shape: [1_001, 1])
      let standardization = Standardization(fittedTo: x)
      #expect(standardization.deviation == Tensor([1]), "\(value)")
      #expect(distance(standardization(x), .zeros(x.shape)) <= Double(value) * 1e-6, "\(value)")
    }
    // Small beside its mean, and yet no rounding.
    let varied = Standardization(fittedTo: Tensor<Float>([[10_000], [10_001]]))
    #expect(abs(varied.deviation[at: 0] - 0.5) < 0.3)
  }

  @Test func channelsHaveTheirOwnScale() {
    var random = RandomStream(seed: 2)
    let noise: Tensor<Double> = random.normal([20, 2, 5, 4])
    let factors = Tensor<Double>([3, 100]).reshaped([2, 1, 1])
    let images = noise * factors + Tensor<Double>([-7, 50]).reshaped([2, 1, 1])
    let standardization = Standardization(fittedToImages: images)
    #expect(standardization.mean.shape == [2, 1, 1])
    let scaled = standardization(images)
    #expect(distance(scaled.mean(axes: [0, 2, 3]), .zeros([2])) < 1e-12)
    #expect(distance(scaled.squared().mean(axes: [0, 2, 3]), .ones([2])) < 1e-12)
    #expect(distance(standardization.inverted(scaled), images) < 1e-11)
  }
}
