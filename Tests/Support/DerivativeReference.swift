import Foundation
public import Tensors

/// What Tests/Reference/decomposition_derivatives.py wrote: gradients and products with the Hessian, by PyTorch.
public struct DerivativeReference: Decodable {
  let shapes: [[Int]]
  let inputs, directions, gradients, products: [[Double]]
  let value: Double

  public static func load() throws -> [String: DerivativeReference] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/decomposition_derivatives.json")
    return try JSONDecoder().decode([String: DerivativeReference].self, from: Data(contentsOf: file))
  }

  /// The largest errors of value, gradients and products with the Hessian of a function whose results are folded with
  /// the weights sin(1), sin(2), ...; relative to the magnitudes where these exceed one.
  public func errors(
    of function: ([Tensor<Double>]) throws -> [Tensor<Double>]
  ) throws -> (value: Double, first: Double, second: Double) {
    func tensors(_ numbers: [[Double]]) -> [Tensor<Double>] {
      zip(shapes, numbers).map { Tensor(shape: $0, scalars: $1) }
    }
    func loss(_ x: [Tensor<Double>]) throws -> Tensor<Double> {
      try function(x).reduce(Tensor(0.0)) { sum, y in
        sum + (y * Tensor(shape: y.shape, scalars: (0..<y.count).map { sin(Double($0 + 1)) })).sum()
      }
    }
    func largest(_ ours: [Tensor<Double>], _ theirs: [[Double]]) -> Double {
      guard ours.count == theirs.count else { return .infinity }
      return zip(ours, tensors(theirs)).map { distance($0, $1) / max(1, $1.largestMagnitude) }.max() ?? .infinity
    }
    let (value, gradients) = try valueAndGradients(at: tensors(inputs)) { try loss($0) }
    let second = try valueAndGradients(at: tensors(inputs)) { x in
      let slopes = try valueAndGradients(at: x) { try loss($0) }.gradients
      return zip(slopes, tensors(directions)).reduce(Tensor(0.0)) { $0 + ($1.0 * $1.1).sum() }
    }.gradients
    return (
      abs(value.scalar - self.value) / max(1, abs(self.value)), largest(gradients, self.gradients),
      largest(second, products)
    )
  }
}
