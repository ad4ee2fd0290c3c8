import Foundation
import Tensors
import TestSupport
import Testing

/// Derivatives where a careless rule gives NaN, or none at all.
@Suite struct DerivativeLimitTests {
  typealias Function = @Sendable (Tensor<Double>) -> Tensor<Double>

  private func slopes(at x: [Double], _ f: Function) -> [Double] {
    gradient(at: Tensor(x)) { f($0).sum() }.scalars
  }

  /// The diagonal of the second derivative of an element-wise function.
  private func curvatures(at x: [Double], _ f: Function) -> [Double] {
    hessian(at: Tensor(x)) { f($0).sum() }.diagonal.scalars
  }

  @Test func powersAtZero() {
    #expect(slopes(at: [0, 2]) { $0.power(2) } == [0, 4])
    #expect(curvatures(at: [0, 2]) { $0.power(2) } == [2, 2])
    #expect(slopes(at: [0, 2]) { $0.power(0) } == [0, 0])
    #expect(slopes(at: [0, 2]) { $0.power(1) } == [1, 1])
    #expect(curvatures(at: [0, 2]) { $0.power(1) } == [0, 0])
    let exponents = Tensor<Double>([0, 1, 2, 3])
    #expect(slopes(at: [0, 0, 0, 0]) { $0.power(exponents) } == [0, 1, 0, 0])
    #expect(curvatures(at: [0, 0, 0, 0]) { $0.power(exponents) } == [0, 0, 2, 0])
    // Third derivative of x² and x³.
    let third = gradient(at: Tensor<Double>([0, 0])) { x in
      gradient(at: x) { y in gradient(at: y) { $0.power(Tensor([2, 3])).sum() }.sum() }.sum()
    }
    #expect(third.scalars == [0, 6])
    // In the exponent, to both orders, also at base zero.
    let base = Tensor<Double>([0, 2])
    #expect(slopes(at: [1.5, 1.5]) { base.power($0) }[0] == 0)
    let curvature = curvatures(at: [1.5, 1.5]) { base.power($0) }
    #expect(curvature[0] == 0 && abs(curvature[1] - pow(2, 1.5) * log(2) * log(2)) < 1e-14)
  }

  @Test func lengthsAtZero() {
    #expect(slopes(at: [0, 0]) { $0.norm() } == [0, 0])
    #expect(distance(Tensor(slopes(at: [3, 4]) { $0.norm() }), Tensor([0.6, 0.8])) < 1e-15)
    #expect(hessian(at: Tensor<Double>([0, 0])) { $0.norm() } == .zeros([2, 2]))
    let curvature = hessian(at: Tensor<Double>([3, 4])) { $0.norm() }
    #expect(distance(curvature, Tensor([[0.128, -0.096], [-0.096, 0.072]])) < 1e-15)
    let rows = gradient(at: Tensor<Double>([[0, 0], [0, 2]])) { $0.norm(axis: 1).sum() }
    #expect(rows == Tensor([[0, 0], [0, 1]]))
    let zero = Tensor<Double>([0, 3])
    #expect(slopes(at: [0, 4]) { $0.hypot(zero) } == [0, 0.8])
    #expect(slopes(at: [0, 4]) { $0.atan2(zero) } == [0, 0.12])
    #expect(slopes(at: [0, 4]) { zero.atan2($0) } == [0, -0.12])
    for f: Function in [{ $0.hypot(zero) }, { $0.atan2(zero) }, { zero.atan2($0) }] {
      #expect(Tensor(curvatures(at: [0, 4], f)).isFinite)
    }
    // Far from one the squares would over- or underflow.
    #expect(abs(slopes(at: [1e-200]) { $0.atan2(Tensor([1e-200])) }[0] / 5e199 - 1) < 1e-14)
    #expect(slopes(at: [0]) { $0.sqrt() } == [.infinity])
  }

  @Test func rowsMaskedAway() {
    let infinity = Double.infinity
    let x = Tensor<Double>([[-infinity, 0.5, 1], [-infinity, -infinity, -infinity]])
    let weights = Tensor<Double>([[3, 1, -2], [1, 1, 1]])
    #expect(gradient(at: x) { $0.logSumExp(axis: 1).sum() }[1] == .zeros([3]))
    #expect(gradient(at: x) { $0.logSumExp(axis: 1).sum() }[0].isClose(to: x[0].softmax(axis: 0), tolerance: 1e-15))
    let masked = x[0..<1]
    for f: Function in [
      { ($0.softmax(axis: 1) * weights[0..<1]).sum() }, { $0.logSumExp(axis: 1).sum() },
      { ($0.logSoftmax(axis: 1)[0..., 1...] * weights[0..<1, 1...]).sum() },
    ] {
      let slope = gradient(at: masked, of: f)
      let short = gradient(at: masked[0..., 1...]) { y in f(Tensor.concatenated([Tensor([[-infinity]]), y], axis: 1)) }
      #expect(slope.isFinite && slope[at: 0, 0] == 0)
      #expect(distance(slope[0..., 1...], short) < 1e-15)
      let curvature = hessian(at: masked, of: f)
      #expect(curvature.isFinite && curvature[0, 0] == .zeros([1, 3]))
    }
  }

  @Test func productsWithZeros() {
    #expect(slopes(at: [2, 3, 4]) { $0.product() } == [12, 8, 6])
    #expect(slopes(at: [2, 0, 4]) { $0.product() } == [0, 8, 0])
    #expect(slopes(at: [0, 0, 4]) { $0.product() } == [0, 0, 0])
    #expect(hessian(at: Tensor<Double>([0, 0, 4])) { $0.product() } == Tensor([[0, 4, 0], [4, 0, 0], [0, 0, 0]]))
    let x = Tensor<Double>([[1, 2, 3, 4, 5], [2, 0, 3, 1, 0]])
    #expect(gradient(at: x) { $0.product(axis: 1).sum() } == Tensor([[120, 60, 40, 30, 24], [0, 0, 0, 0, 0]]))
    #expect(
      gradient(at: x) { $0.product(axes: [0], keepingAxes: true).sum() }
        == Tensor([[2, 0, 3, 1, 0], [1, 2, 3, 4, 5]]))
    // 2, 2·0, 2·0·3, ...: the second factor's slope is what stands around it.
    let running = gradient(at: x[1]) { $0.cumulativeProduct(axis: 0).sum() }
    #expect(running.scalars == [1, 2 + 6 + 6, 0, 0, 0])
    #expect(gradient(at: x) { _ in x.cumulativeProduct(axis: 1)[0, 4] } == .zeros([2, 5]))
    let value = valueAndGradient(at: x) { $0.cumulativeProduct(axis: 1)[0, 4] }.value
    #expect(value.scalar == 120)
  }

  @Test func runningExtremes() {
    let x = Tensor<Double>([1, 3, 2, 3, 5, 4])
    let weights = Tensor<Double>([1, 10, 100, 1000, 10000, 100000])
    #expect(slopes(at: x.scalars) { $0.cumulativeMax(axis: 0) * weights } == [1, 110, 0, 1000, 110000, 0])
    #expect(slopes(at: x.scalars) { $0.cumulativeMin(axis: 0) * weights } == [111111, 0, 0, 0, 0, 0])
    let rows = Tensor<Double>([[1, 0], [.nan, 2], [0, 1]])
    let traced = valueAndGradient(at: rows) { $0.cumulativeMax(axis: 0)[0, 0] }
    #expect(traced.gradient == Tensor([[1, 0], [0, 0], [0, 0]]))
    var captured = rows
    _ = gradient(at: rows) { x in
      let y = x.cumulativeMax(axis: 0)
      captured = y.withoutDerivative
      return y[0, 0]
    }
    let plain = rows.cumulativeMax(axis: 0)
    #expect(zip(captured.scalars, plain.scalars).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
  }

  @Test func signsAndSteps() {
    let sign = Tensor<Double>([-1, 1, 1, -1])
    #expect(slopes(at: [2, -3, 0, -5]) { $0.copyingSign(of: sign) } == [-1, -1, 0, 1])
    #expect(curvatures(at: [2, -3, 0, -5]) { ($0 * $0).copyingSign(of: sign) } == [-2, 2, 0, -2])
    for step: Function in [{ $0.floor() }, { $0.ceil() }, { $0.rounded() }, { $0.truncated() }, { $0.sign() }] {
      #expect(slopes(at: [0.5, -1.2, 0]) { step($0) * $0 } == step(Tensor([0.5, -1.2, 0])).scalars)
    }
    #expect(slopes(at: [5.5, -1.2]) { $0.modulo(2) * 3 } == [3, 3])
    #expect(slopes(at: [2, 2]) { Tensor([5.5, -1.2]).modulo($0) } == [-2, 1])
    #expect(slopes(at: [-2, 0, 3]) { $0.relu() } == [0, 0, 1])
  }

  @Test func extremesShareTies() {
    #expect(slopes(at: [3, 1, 3]) { $0.maximum() } == [0.5, 0, 0.5])
    #expect(slopes(at: [3, 1, 1]) { $0.minimum() } == [0, 0.5, 0.5])
    let other = Tensor<Double>([1, 1])
    #expect(slopes(at: [1, 0]) { $0.maximum(other) } == [1, 0])
    #expect(slopes(at: [1, 0, 2]) { $0.sorted() * Tensor([1, 10, 100]) } == [10, 1, 100])
    #expect(slopes(at: [1, 0, 2]) { $0.topK(2).values * Tensor([1, 10]) } == [10, 0, 1])
    #expect(
      slopes(at: [1, 0, 2, 4]) { $0.quantiles([0, 0.5, 1]) * Tensor([[1], [10], [100]]).squeezed(axis: 1) } == [
        5, 1, 5, 100,
      ])
  }

  @Test func diagonalsAndCopiesKeepTheirDerivative() {
    #expect(slopes(at: [1, 2]) { Tensor(diagonal: $0).matmul(Tensor([[1, 10], [100, 1000]])) } == [11, 1100])
    #expect(slopes(at: [1, 2]) { $0.copied().squared() } == [2, 4])
  }

  /// Rules that the table of plain rules lacks, in both orders.
  @Test(arguments: 0..<8) func newRulesAgreeWithDifferences(index: Int) {
    let rules: [Function] = [
      { $0.product(axis: 1) }, { $0.product() }, { $0.cumulativeProduct(axis: 1) }, { $0.cumulativeMax(axis: 1).exp() },
      { $0.cumulativeMin(axis: 0).exp() }, { $0.norm(axis: 0) }, { $0.modulo(0.4).exp() },
      { $0.copyingSign(of: Tensor([[-1, 1, -1], [1, 1, 1]])).exp() },
    ]
    let ramp: Function = { y in
      (y * Tensor(shape: y.shape, scalars: (0..<y.count).map { Foundation.cos(Double($0)) })).sum()
    }
    let f: Function = { ramp(rules[index]($0)) }
    let x = Tensor<Double>([[0.31, -0.84, 1.27], [-1.42, 0.55, 0.93]])
    let v = Tensor<Double>([[1, -0.5, 0.3], [0.2, 0.8, -1]])
    let step = 1e-5
    let (value, slope, curved) = hessianVectorProduct(at: x, along: v, of: f)
    let difference = (f(x + v * step).scalar - f(x - v * step).scalar) / (2 * step)
    #expect(abs(value.scalar - f(x).scalar) < 1e-14)
    #expect(abs((slope * v).sum().scalar - difference) < 1e-8, "rule \(index)")
    let second = (gradient(at: x + v * step, of: f) - gradient(at: x - v * step, of: f)) / (2 * step)
    #expect(curved.isClose(to: second, tolerance: 1e-8), "rule \(index)")
  }
}
