// Sums written out place by place: what the library's results are held against.

import Convolutions
import Tensors
import TestSupport

/// A convolution drawn at random; every extent of its output is at least one.
struct RandomConvolution {
  let batch, groups, inputs, outputs: Int
  let extents, kernel, stride, padding, dilation: [Int]

  init(axes: Int, using generator: inout TestGenerator) {
    func draw(_ range: ClosedRange<Int>) -> [Int] { (0..<axes).map { _ in Int.random(in: range, using: &generator) } }
    groups = Int.random(in: 1...3, using: &generator)
    batch = Int.random(in: 1...3, using: &generator)
    inputs = groups * Int.random(in: 1...3, using: &generator)
    outputs = groups * Int.random(in: 1...3, using: &generator)
    kernel = draw(1...3)
    stride = draw(1...3)
    padding = draw(0...2)
    dilation = draw(1...2)
    let slack = draw(0...4)
    extents = zip(zip(kernel, dilation), slack).map { ($0.0 - 1) * $0.1 + 1 + $1 }
  }

  var options: ConvolutionOptions {
    ConvolutionOptions(stride: stride, padding: padding, dilation: dilation, groups: groups)
  }
  var inputShape: [Int] { [batch, inputs] + extents }
  var filterShape: [Int] { [outputs, inputs / groups] + kernel }
  var output: [Int] {
    extents.indices.map { (extents[$0] + 2 * padding[$0] - dilation[$0] * (kernel[$0] - 1) - 1) / stride[$0] + 1 }
  }
  var outputShape: [Int] { [batch, outputs] + output }

  /// The places of each axis that the stride cuts off.
  var rest: [Int] {
    extents.indices.map { (extents[$0] + 2 * padding[$0] - dilation[$0] * (kernel[$0] - 1) - 1) % stride[$0] }
  }

  /// Calls `body` with the positions, in their row-major tensors, of every product of an input and a filter element.
  func forEachProduct(_ body: (_ input: Int, _ filter: Int, _ output: Int) -> Void) {
    let outputs = self.outputs / groups
    let inputs = self.inputs / groups
    for n in 0..<batch {
      for o in 0..<self.outputs {
        for c in 0..<inputs {
          for place in positions(output) {
            for tap in positions(kernel) {
              let at = place.indices.map { place[$0] * stride[$0] - padding[$0] + tap[$0] * dilation[$0] }
              guard zip(at, extents).allSatisfy({ 0 <= $0 && $0 < $1 }) else { continue }
              let channel = o / outputs * inputs + c
              body(
                flat([n, channel] + at, inputShape), flat([o, c] + tap, filterShape), flat([n, o] + place, outputShape))
            }
          }
        }
      }
    }
  }
}

/// All index tuples below `extents`, in row-major order.
func positions(_ extents: [Int]) -> [[Int]] {
  extents.reduce([[]]) { prefixes, extent in prefixes.flatMap { prefix in (0..<extent).map { prefix + [$0] } } }
}

func flat(_ index: [Int], _ shape: [Int]) -> Int { zip(index, shape).reduce(0) { $0 * $1.1 + $1.0 } }

/// The largest difference between the derivative along `direction` and a central difference of step `step`.
func derivativeError(
  at x: Tensor<Double>, along direction: Tensor<Double>, step: Double, of function: (Tensor<Double>) -> Tensor<Double>
) -> Double {
  let slope = (gradient(at: x, of: function) * direction).sum().scalar
  let difference = (function(x + direction * step) - function(x - direction * step)).scalar / (2 * step)
  return abs(slope - difference) / max(1, abs(difference))
}

/// The same for first and second derivatives of a smooth function of one tensor, by random directions.
func derivativeErrors(
  at x: Tensor<Double>, using generator: inout TestGenerator, of function: (Tensor<Double>) -> Tensor<Double>
) -> (first: Double, second: Double) {
  let along: Tensor<Double> = generator.tensor(x.shape)
  let other: Tensor<Double> = generator.tensor(x.shape)
  let first = derivativeError(at: x, along: along, step: 1e-5, of: function)
  let second = derivativeError(at: x, along: other, step: 1e-5) { x in
    (gradient(at: x, of: function) * along).sum()
  }
  return (first, second)
}
