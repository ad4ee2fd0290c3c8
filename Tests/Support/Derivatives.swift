// Derivatives against central differences, first and second order.

import Foundation
public import Tensors

/// A differentiable function of several tensors with several results, and a point to differentiate it at.
public struct DerivativeCase: Sendable {
  public typealias Function = @Sendable ([Tensor<Double>]) throws -> [Tensor<Double>]

  public let name: String
  public let point: @Sendable (inout TestGenerator) -> [Tensor<Double>]
  public let function: Function

  /// At uniform numbers in [-1, 1) of the given shapes.
  public init(_ name: String, _ shapes: [Int]..., function: @escaping Function) {
    self.init(name, at: { random in shapes.map { random.tensor($0) } }, function: function)
  }

  public init(
    _ name: String, at point: @escaping @Sendable (inout TestGenerator) -> [Tensor<Double>],
    function: @escaping Function
  ) {
    (self.name, self.point, self.function) = (name, point, function)
  }

  /// All results folded to one number, with uneven weights so that nothing cancels.
  public func folded(_ x: [Tensor<Double>]) throws -> Tensor<Double> {
    var sum = Tensor(0.0)
    for (k, y) in try function(x).enumerated() {
      let weights = Tensor(shape: y.shape, scalars: (0..<y.count).map { sin(Double($0 + 1) + 0.5 * Double(k)) })
      sum = sum + (y * weights).sum()
    }
    return sum
  }

  /// The gradient's product with `direction`.
  private func slope(_ x: [Tensor<Double>], along direction: [Tensor<Double>]) throws -> Tensor<Double> {
    let gradients = try valueAndGradients(at: x) { try folded($0) }.gradients
    return zip(gradients, direction).reduce(Tensor(0.0)) { $0 + ($1.0 * $1.1).sum() }
  }

  /// The largest errors of the gradient, entry by entry, and of a second derivative along random directions, relative to
  /// their magnitudes where these exceed one.
  public func errors(seed: UInt64, step: Double = 1e-5) throws -> (first: Double, second: Double) {
    var random = TestGenerator(seed: seed)
    let x = point(&random)
    let gradients = try valueAndGradients(at: x) { try folded($0) }.gradients
    var first = 0.0
    for (k, gradient) in gradients.enumerated() {
      let entries = gradient.scalars
      let scale = max(1, gradient.largestMagnitude)
      for i in entries.indices {
        func value(_ change: Double) throws -> Double {
          var moved = x
          moved[k] = x[k].copied()
          moved[k].withUnsafeMutableBuffer { $0[i] += change }
          return try folded(moved).scalar
        }
        let difference = (try value(step) - value(-step)) / (2 * step)
        let error = abs(difference - entries[i]) / scale
        first = error.isNaN ? .infinity : max(first, error)
      }
    }
    let along: [Tensor<Double>] = x.map { random.tensor($0.shape) }
    let across: [Tensor<Double>] = x.map { random.tensor($0.shape) }
    let second = try valueAndGradients(at: x) { try slope($0, along: along) }.gradients
    let analytic = zip(second, across).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    func moved(_ change: Double) -> [Tensor<Double>] { zip(x, across).map { $0 + $1 * change } }
    let numeric = (try slope(moved(step), along: along) - slope(moved(-step), along: along)).scalar / (2 * step)
    let error = abs(analytic - numeric) / max(1, abs(analytic))
    return (first, error.isNaN ? .infinity : error)
  }
}
