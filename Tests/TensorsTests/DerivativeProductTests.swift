import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct DerivativeProductTests {
  /// Two inputs, three outputs, curved in both.
  private static let map: @Sendable ([Tensor<Double>]) -> Tensor<Double> = { p in
    (p[0].matmul(p[1]).tanh() * p[1].sum()).exp() + p[0].sum(axis: 1)
  }

  private func inputs(_ seed: UInt64) -> (at: [Tensor<Double>], along: [Tensor<Double>]) {
    var random = TestGenerator(seed: seed)
    return (
      [random.tensor([3, 2]) * 0.7, random.tensor([2]) * 0.7], [random.tensor([3, 2]), random.tensor([2])]
    )
  }

  private func moved(_ x: [Tensor<Double>], _ v: [Tensor<Double>], _ step: Double) -> [Tensor<Double>] {
    zip(x, v).map { $0 + $1 * step }
  }

  @Test(arguments: 0..<6) func forwardProductsAgreeWithDifferences(seed: UInt64) {
    let (x, v) = inputs(seed)
    let step = 1e-6
    let (value, derivative) = jacobianVectorProduct(at: x, along: v, of: Self.map)
    let difference = (Self.map(moved(x, v, step)) - Self.map(moved(x, v, -step))) / (2 * step)
    #expect(value == Self.map(x))
    #expect(derivative.isClose(to: difference, tolerance: 1e-8), "seed \(seed)")
    // u (J v) = (u J) v
    var random = TestGenerator(seed: seed + 100)
    let u: Tensor<Double> = random.tensor([3])
    let row = vectorJacobianProduct(at: x, of: Self.map, direction: { _ in u }).gradients
    let left = (u * derivative).sum().scalar
    let right = zip(row, v).reduce(0) { $0 + ($1.0 * $1.1).sum().scalar }
    #expect(abs(left - right) < 1e-12 * max(1, abs(left)), "seed \(seed)")
  }

  @Test(arguments: 0..<6) func hessianProductsAgreeWithDifferences(seed: UInt64) {
    let (x, v) = inputs(seed)
    let loss = { @Sendable (p: [Tensor<Double>]) in Self.map(p).squared().sum() }
    let (value, gradients, products) = hessianVectorProduct(at: x, along: v, of: loss)
    let (plainValue, plainGradients) = valueAndGradients(at: x, of: loss)
    #expect(value == plainValue)
    let step = 1e-6
    let up = valueAndGradients(at: moved(x, v, step), of: loss).gradients
    let down = valueAndGradients(at: moved(x, v, -step), of: loss).gradients
    for i in x.indices {
      #expect(distance(gradients[i], plainGradients[i]) < 1e-12 * max(1, plainGradients[i].largestMagnitude))
      let difference = (up[i] - down[i]) / (2 * step)
      #expect(products[i].isClose(to: difference, tolerance: 1e-6), "seed \(seed), input \(i)")
    }
  }

  @Test func severalResults() {
    let x = [Tensor<Double>([1, 2]), Tensor<Double>([3.0])]
    let function = { @Sendable (p: [Tensor<Double>]) in [p[0] * p[1], p[0].sum(), Tensor<Double>(5)] }
    let (values, derivatives) = jacobianVectorProduct(at: x, along: [Tensor([1, 0]), Tensor([2])], ofAll: function)
    #expect(values.map(\.scalars) == [[3, 6], [3], [5]])
    #expect(derivatives.map(\.scalars) == [[5, 4], [1], [0]])
    let back = vectorJacobianProduct(at: x, ofAll: function) { _ in [Tensor([1, 10]), Tensor(100), Tensor(1)] }
    #expect(back.gradients.map(\.scalars) == [[103, 130], [21]])
  }

  @Test(arguments: 0..<4) func wholeMatricesAgreeWithProducts(seed: UInt64) {
    let (x, v) = inputs(seed)
    // More outputs than inputs takes the forward side, fewer the other.
    let wide = { @Sendable (p: [Tensor<Double>]) in p[1].outer(p[0].flattened).exp().tiled([2, 1]) }
    for (function, shape) in [(Self.map, [3]), (wide, [4, 6])] {
      let whole = jacobians(at: x, of: function)
      #expect(whole.map(\.shape) == [shape + [3, 2], shape + [2]])
      let product = zip(whole, v).reduce(Tensor<Double>.zeros(shape)) { sum, pair in
        let columns = pair.0.reshaped([-1, pair.1.count])
        return sum + columns.matmul(pair.1.flattened).reshaped(shape)
      }
      let derivative = jacobianVectorProduct(at: x, along: v, of: function).derivative
      #expect(distance(product, derivative) < 1e-12 * max(1, derivative.largestMagnitude), "seed \(seed)")
    }
    let f = { @Sendable (y: Tensor<Double>) in (y.exp() * y.cumulativeSum(axis: 1)).sum() }
    let curvature = hessian(at: x[0], of: f)
    #expect(curvature.shape == [3, 2, 3, 2])
    let matrix = curvature.reshaped([6, 6])
    #expect(distance(matrix, matrix.transposed) < 1e-13)
    let product = hessianVectorProduct(at: x[0], along: v[0], of: f).product
    #expect(distance(matrix.matmul(v[0].flattened), product.flattened) < 1e-13)
  }

  @Test(arguments: 0..<4) func gaussNewtonIsTheJacobianAroundTheLoss(seed: UInt64) {
    let (x, v) = inputs(seed)
    let loss = { @Sendable (y: Tensor<Double>) in (y.squared().squared() * 0.1 + y[0] * y[1]).sum() }
    let (value, products) = gaussNewtonVectorProduct(at: x, of: Self.map, loss: loss, along: v)
    let outputs = Self.map(x)
    #expect(abs(value.scalar - loss(outputs).scalar) < 1e-12 * abs(value.scalar))
    let whole = jacobians(at: x, of: Self.map)
    let derivative = jacobianVectorProduct(at: x, along: v, of: Self.map).derivative
    let curved = hessian(at: outputs, of: loss).matmul(derivative)
    for i in x.indices {
      let wanted = whole[i].reshaped([3, -1]).matmul(curved, transposingA: true).reshaped(x[i].shape)
      #expect(distance(products[i], wanted) < 1e-11 * max(1, wanted.largestMagnitude), "seed \(seed)")
    }
  }

  @Test func productsAreDifferentiableThemselves() {
    // d/dx of the product of f'' and v for f = sin: -cos(x) v.
    let x = Tensor<Double>([0.3, -1.2])
    let v = Tensor<Double>([2, 5])
    let third = gradient(at: x) { x in
      hessianVectorProduct(at: x, along: v, of: { $0.sin().sum() }).product.sum()
    }
    #expect(distance(third, -x.cos() * v) < 1e-14)
    let alongDirection = gradient(at: v) { v in
      jacobianVectorProduct(at: x, along: v, of: { $0.exp() * $0 }).derivative.squared().sum()
    }
    let slope = x.exp() * (x + 1)
    #expect(distance(alongDirection, slope * slope * v * 2) < 1e-13)
  }

  @Test func emptyAndConstantFunctions() {
    let x = Tensor<Double>([1, 2])
    #expect(jacobian(at: x) { _ in Tensor([3, 4, 5]) } == .zeros([3, 2]))
    #expect(hessian(at: x) { $0.sum() } == .zeros([2, 2]))
    #expect(jacobian(at: Tensor<Double>.zeros([0])) { _ in Tensor([3, 4]) }.shape == [2, 0])
    #expect(jacobian(at: x) { $0 } == .identity(2))
    #expect(jacobianVectorProduct(at: x, along: x, of: { $0 }).derivative == x)
  }
}
