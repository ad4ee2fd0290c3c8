import Tensors
import TestSupport
import Testing

/// First and second derivatives of `function` along a random direction, against central differences.
func expectDerivatives(
  at inputs: [Tensor<Double>], seed: UInt64, tolerance: Double = 1e-7, _ comment: String = "",
  sourceLocation: SourceLocation = #_sourceLocation, of function: @escaping ([Tensor<Double>]) -> Tensor<Double>
) {
  var generator = TestGenerator(seed: seed &+ 1000)
  let weights: Tensor<Double> = generator.tensor(function(inputs).shape)
  let first = inputs.map { generator.tensor($0.shape, of: Double.self) }
  let second = inputs.map { generator.tensor($0.shape, of: Double.self) }
  func value(_ x: [Tensor<Double>]) -> Tensor<Double> { (function(x) * weights).sum() }
  /// The derivative along `first`, itself differentiable.
  func slope(_ x: [Tensor<Double>]) -> Tensor<Double> {
    let gradients = valueAndGradients(at: x, of: value).gradients
    return zip(gradients, first).reduce(Tensor(0)) { $0 + ($1.0 * $1.1).sum() }
  }
  func moved(_ direction: [Tensor<Double>], _ step: Double) -> [Tensor<Double>] {
    zip(inputs, direction).map { $0 + $1 * step }
  }
  let step = 1e-5
  let difference = (value(moved(first, step)).scalar - value(moved(first, -step)).scalar) / (2 * step)
  let found = slope(inputs).scalar
  #expect(
    abs(found - difference) <= tolerance * max(1, abs(difference)), "first order, seed \(seed) \(comment)",
    sourceLocation: sourceLocation)

  let curvature = zip(valueAndGradients(at: inputs, of: slope).gradients, second)
    .reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
  let slopes = (slope(moved(second, step)).scalar - slope(moved(second, -step)).scalar) / (2 * step)
  #expect(
    abs(curvature - slopes) <= tolerance * max(1, abs(slopes)), "second order, seed \(seed) \(comment)",
    sourceLocation: sourceLocation)
}
