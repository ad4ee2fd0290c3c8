import Networks
import Tensors
import TestSupport
import Testing

@Suite struct ClassificationQualityTests {
  @Test func calibratedPredictionsHaveNoError() {
    var random = RandomStream(seed: 1)
    let count = 200_000
    let first = random.uniform([count], of: Double.self)
    let draws = random.uniform([count], of: Double.self)
    let labels = Tensor((0..<count).map { draws[at: $0] < first[at: $0] ? 0 : 1 })
    let probabilities = Tensor.stacked([first, 1 - first], axis: 1)
    #expect(expectedCalibrationError(probabilities: probabilities, labels: labels) < 0.01)
    // Always wrong, and sure of it.
    let wrong = Tensor<Double>([[1, 0], [0, 1]])
    #expect(expectedCalibrationError(probabilities: wrong, labels: Tensor([1, 0])) == 1)
    // One bin by hand: |0.5 - 0.75|.
    let four = Tensor<Double>([[0.75, 0.25], [0.75, 0.25]])
    #expect(abs(expectedCalibrationError(probabilities: four, labels: Tensor([0, 1])) - 0.25) < 1e-15)
    #expect(expectedCalibrationError(probabilities: Tensor<Double>.zeros([0, 2]), labels: .zeros([0])) == 0)
  }

  @Test func foreignExamplesAreToldBySureness() {
    let sure = Tensor<Double>([[0.9, 0.1], [0.2, 0.8]])
    let unsure = Tensor<Double>([[0.5, 0.5], [0.55, 0.45]])
    #expect(outOfDistributionAUROC(familiar: sure, foreign: unsure) == 1)
    #expect(outOfDistributionAUROC(familiar: sure, foreign: sure) == 0.5)
    #expect(outOfDistributionAUROC(familiar: sure, foreign: .zeros([0, 2])) == nil)
  }

  @Test func attacksStayWithinTheirRadiusAndRaiseTheLoss() {
    var random = RandomStream(seed: 3)
    let model = MLP<Double>([6, 10, 3], random: &random)
    let x: Tensor<Double> = random.uniform([20, 6])
    let labels = model(x).argmax(axis: 1)
    func loss(_ x: Tensor<Double>) -> Double { crossEntropy(model(x), labels: labels).scalar }
    let sign = model.fastGradientSign(x, labels: labels, radius: 0.1, in: 0...1)
    let steps = model.projectedGradientAttack(x, labels: labels, radius: 0.1, in: 0...1)
    for attacked in [sign, steps] {
      #expect(distance(attacked, x) <= 0.1 + 1e-12)
      #expect(attacked.minimum().scalar >= 0 && attacked.maximum().scalar <= 1)
      #expect(loss(attacked) > loss(x))
    }
    #expect(distance(model.fastGradientSign(x, labels: labels, radius: 0), x) == 0)
    // A linear classifier's loss slopes the same way everywhere: one step is the worst there is.
    let linear = Linear<Double>(weight: Tensor([[1, -2], [0, 0]]))
    let point = Tensor([[0.3, 0.4]])
    let moved = linear.fastGradientSign(point, labels: Tensor([0]), radius: 0.05)
    #expect(distance(moved, Tensor([[0.25, 0.45]])) < 1e-15)
  }
}
