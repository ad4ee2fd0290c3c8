import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct DifferentiationTests {
  typealias Function = @Sendable (Tensor<Double>) -> Tensor<Double>

  /// Central differences of a function with one number as its value.
  private func differences(_ f: Function, at x: Tensor<Double>) -> Tensor<Double> {
    let step = 1e-5
    let slopes = x.scalars.indices.map { i in
      var up = x.dense
      var down = x.dense
      up.withUnsafeMutableBuffer { $0[i] += step }
      down.withUnsafeMutableBuffer { $0[i] -= step }
      return (f(up).scalar - f(down).scalar) / (2 * step)
    }
    return Tensor(shape: x.shape, scalars: slopes)
  }

  /// Every rule, folded to one number with uneven weights so that nothing cancels.
  static let rules: [(name: String, function: Function)] = {
    let weights = Tensor<Double>([[0.3, -1.1, 0.7], [1.3, 0.2, -0.4]])
    let other = Tensor<Double>([[0.5, 1.7, -0.6]])
    let mask = Tensor<Bool>([[true, false, true], [false, true, true]])
    @Sendable func weighed(_ f: @escaping Function) -> Function {
      { x in
        let y = f(x)
        let ramp = Tensor<Double>(shape: y.shape, scalars: (0..<y.count).map { Foundation.sin(Double($0) + 1) })
        return (y * ramp).sum()
      }
    }
    let plain: [(String, Function)] = [
      ("add", { $0 + other + $0 }), ("subtract", { other - $0 }), ("multiply", { $0 * weights * $0 }),
      ("divide", { weights / $0 + $0 / other }), ("negate", { -$0 }), ("absolute", { $0.absolute() }),
      ("squared", { $0.squared() }), ("maximum", { $0.maximum(other) }), ("minimum", { other.minimum($0) }),
      ("sqrt", { $0.squared().sqrt() }), ("cbrt", { $0.cbrt() }), ("reciprocal", { $0.reciprocal() }),
      ("reciprocalSqrt", { ($0.squared() + 1).reciprocalSqrt() }), ("exp", { $0.exp() }), ("exp2", { $0.exp2() }),
      ("expMinusOne", { $0.expMinusOne() }), ("log", { $0.squared().log() }), ("log2", { $0.squared().log2() }),
      ("log10", { $0.squared().log10() }), ("logOnePlus", { $0.squared().logOnePlus() }), ("sin", { $0.sin() }),
      ("cos", { $0.cos() }), ("tan", { $0.tan() }), ("asin", { ($0 * 0.4).asin() }), ("acos", { ($0 * 0.4).acos() }),
      ("atan", { $0.atan() }), ("sinh", { $0.sinh() }), ("cosh", { $0.cosh() }), ("tanh", { $0.tanh() }),
      ("asinh", { $0.asinh() }), ("acosh", { ($0.squared() + 1.5).acosh() }), ("atanh", { ($0 * 0.4).atanh() }),
      ("erf", { $0.erf() }), ("erfc", { $0.erfc() }), ("sigmoid", { $0.sigmoid() }), ("softplus", { $0.softplus() }),
      ("relu", { $0.relu() }), ("power", { $0.absolute().power(other + 2) + (other.squared() + 0.1).power($0) }),
      ("atan2", { $0.atan2(other) + other.atan2($0) }), ("hypot", { $0.hypot(other) }),
      ("multiplyAdd", { $0.multiplyAdd($0, other.broadcast(to: [2, 3])) }), ("select", { mask.select($0, $0.exp()) }),
      ("sum", { $0.sum(axis: 0) }), ("sum keeping", { $0.sum(axis: 1, keepingAxis: true) * $0 }),
      ("mean", { $0.mean(axis: 1) }), ("variance", { $0.variance(axis: 1, correction: 1) }),
      ("maximum along", { $0.maximum(axis: 1) }), ("minimum along", { $0.minimum(axis: 0) }),
      ("logSumExp", { $0.logSumExp(axis: 1) }), ("softmax", { $0.softmax(axis: 1) }),
      ("logSoftmax", { $0.logSoftmax(axis: 0) }), ("cumulativeSum", { $0.cumulativeSum(axis: 1) }),
      ("reshaped", { $0.reshaped([3, 2]).exp() }), ("transposed", { $0.transposed.exp() }),
      ("expanded", { $0.expanded(axis: 1).exp() }), ("broadcast", { $0.expanded(axis: 0).broadcast(to: [4, 2, 3]) }),
      ("slice", { $0[1, 0..<2].exp() + $0[0, 1...] }), ("reversed", { $0.reversed(axis: 1) * $0 }),
      (
        "assignment",
        { x in
          var y = x
          y[0, 1...] = x[1, ..<2].exp()
          return y * x
        }
      ),
      ("diagonal", { $0.diagonal.exp() }), ("gathered", { $0.gathered(Tensor<Int>([2, 0, 2]), axis: 1).exp() }),
      ("scatterAdded", { $0.scatterAdded($0.exp(), at: Tensor<Int>([2, 0, 2]), axis: 1) }),
      ("taken", { $0.taken(Tensor<Int>([[1, 1], [0, 2]]), along: 1).exp() }), ("sorted", { $0.sorted().exp() }),
      ("topK", { $0.topK(2).values.exp() }), ("concatenated", { Tensor.concatenated([$0, $0.exp()], axis: 1) }),
      ("stacked", { Tensor.stacked([$0, $0.exp()]) }),
      ("padded", { $0.padded([(before: 1, after: 0), (before: 0, after: 2)], with: 3).exp() }),
      ("tiled", { $0.tiled([2, 3]).exp() }), ("quantiles", { $0.quantiles([0.3, 0.9]) }),
      ("matmul", { $0.matmul($0, transposingB: true) }), ("matmul, left", { $0.matmul(weights, transposingA: true) }),
      ("matmul, both", { weights.matmul($0.matmul(other.transposed), transposingA: true) }),
      (
        "batched matmul",
        { $0.expanded(axis: 0).broadcast(to: [2, 2, 3]).matmul(Tensor.stacked([$0, weights]).transposed) }
      ),
      ("dot", { $0[0].dot($0[1]).reshaped([1]) }), ("outer", { $0[0].outer($0[1]) }),
      ("own transpose", { $0.multipliedByOwnTranspose() }), ("einsum", { einsum("ij,kj->ik", [$0, $0.exp()]) }),
      ("conversion", { Tensor<Double>(Tensor<Double>($0)) }),
    ]
    return plain.map { ($0.0, weighed($0.1)) }
  }()

  private let point = Tensor<Double>([[0.31, -0.84, 1.27], [-1.42, 0.55, 0.93]])

  @Test(arguments: 0..<rules.count)
  func firstDerivativesAgreeWithDifferences(index: Int) {
    let (name, function) = Self.rules[index]
    let (value, slope) = valueAndGradient(at: point, of: function)
    #expect(abs(value.scalar - function(point).scalar) < 1e-14, "\(name)")
    #expect(slope.isClose(to: differences(function, at: point), tolerance: 2e-8), "\(name): \(slope)")
  }

  @Test(arguments: 0..<rules.count)
  func secondDerivativesAgreeWithDifferences(index: Int) {
    let (name, function) = Self.rules[index]
    let direction = Tensor<Double>([[1, -0.5, 0.3], [0.2, 0.8, -1]])
    // The gradient along a direction is again a function with one number as its value.
    let along: Function = { x in (gradient(at: x, of: function) * direction).sum() }
    let second = gradient(at: point, of: along)
    #expect(second.isClose(to: differences(along, at: point), tolerance: 5e-8), "\(name): \(second)")
  }

  @Test func nestedTransformsAreNotConfused() {
    // d/dx [x * d/dy (x + y)] = 1, not 2.
    let one = gradient(at: Tensor(3.0)) { x in x * gradient(at: Tensor(5.0)) { y in x + y } }
    #expect(one.scalar == 1)
    let third = gradient(at: Tensor(0.7)) { x in
      gradient(at: x) { y in gradient(at: y) { $0.sin() * $0 } }
    }
    #expect(abs(third.scalar - (-3 * sin(0.7) - 0.7 * cos(0.7))) < 1e-14)
  }

  @Test func constantsHaveNoDerivative() {
    let x = Tensor<Double>([1, 2])
    #expect(gradient(at: x) { ($0.withoutDerivative * $0).sum() } == x)
    #expect(gradient(at: x) { _ in Tensor(4.0) } == .zeros([2]))
    #expect(gradient(at: x) { $0.floor().sum() } == .zeros([2]))
  }

  @Test func severalInputsAndPrecisions() {
    let (value, gradients) = valueAndGradients(at: [Tensor<Double>([1, 2]), Tensor([3, 4])]) { ($0[0] * $0[1]).sum() }
    #expect(value.scalar == 11 && gradients[0].scalars == [3, 4] && gradients[1].scalars == [1, 2])
    // Through single precision and back.
    let slope = gradient(at: Tensor<Float>([0.5])) { x in Tensor<Float>(Tensor<Double>(x).exp()).sum() }
    #expect(abs(slope.scalar - exp(Float(0.5))) < 1e-6)
    let row = vectorJacobianProduct(
      at: [Tensor<Double>([1, 2])], of: { $0[0].squared() }, direction: { _ in Tensor([1, 10]) })
    #expect(row.gradients[0].scalars == [2, 40])
  }

  @Test func deepChainsNeedNoStack() {
    let slope = gradient(at: Tensor(1.0)) { x in
      var y = x
      for _ in 0..<200_000 { y = y + x }
      return y
    }
    #expect(slope.scalar == 200_001)
  }
}
