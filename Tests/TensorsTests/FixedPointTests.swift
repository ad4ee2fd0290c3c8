import Foundation
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite struct FixedPointTests {
  /// A contraction: z = tanh(W z) / 2 + b.
  private static let map: @Sendable (Tensor<Double>, [Tensor<Double>]) -> Tensor<Double> = { z, p in
    p[0].matmul(z).tanh() * 0.5 + p[1]
  }

  private func parameters(_ seed: UInt64, _ size: Int = 4) -> [Tensor<Double>] {
    var random = TestGenerator(seed: seed)
    return [random.tensor([size, size]), random.tensor([size])]
  }

  private static func loss(_ p: [Tensor<Double>]) -> Tensor<Double> {
    let start = Tensor<Double>.zeros(p[1].shape)
    let (z, _) = fixedPoint(of: map, from: start, parameters: p, tolerance: 1e-15)
    return (z * z.exp()).sum()
  }

  /// The same by differentiating through many steps of the iteration.
  private static func unrolled(_ p: [Tensor<Double>]) -> Tensor<Double> {
    var z = Tensor<Double>.zeros(p[1].shape)
    for _ in 0..<200 { z = map(z, p) }
    return (z * z.exp()).sum()
  }

  @Test func convergesAndSaysSo() {
    let p = parameters(1)
    let (z, convergence) = fixedPoint(of: Self.map, from: .zeros([4]), parameters: p)
    #expect(convergence.isConverged && distance(z, Self.map(z, p)) < 1e-8 && !z.isDifferentiated)
    let (_, short) = fixedPoint(of: Self.map, from: .zeros([4]), parameters: p, maximumIterations: 2)
    #expect(!short.isConverged && short.iterations == 2)
    let (_, diverging) = fixedPoint(of: { z, p in z * z * p[0] }, from: Tensor(3.0), parameters: [Tensor(2.0)])
    #expect(!diverging.isConverged)
  }

  @Test(arguments: 0..<5) func gradientsAgreeWithUnrolling(seed: UInt64) {
    let p = parameters(seed)
    let implicit = valueAndGradients(at: p, of: Self.loss)
    let plain = valueAndGradients(at: p, of: Self.unrolled)
    #expect(abs(implicit.value.scalar - plain.value.scalar) < 1e-13)
    for (a, b) in zip(implicit.gradients, plain.gradients) { #expect(distance(a, b) < 1e-11, "seed \(seed)") }
  }

  @Test(arguments: 0..<3) func secondDerivativesAgreeWithUnrolling(seed: UInt64) {
    let p = parameters(seed, 3)
    var random = TestGenerator(seed: seed + 50)
    let v: [Tensor<Double>] = [random.tensor([3, 3]), random.tensor([3])]
    let implicit = hessianVectorProduct(at: p, along: v, of: Self.loss)
    let plain = hessianVectorProduct(at: p, along: v, of: Self.unrolled)
    for (a, b) in zip(implicit.products, plain.products) { #expect(distance(a, b) < 1e-10, "seed \(seed)") }
  }

  @Test func squareRootsToAnyOrder() {
    // z = (z + a / z) / 2 has z = √a.
    let root: @Sendable (Tensor<Double>) -> Tensor<Double> = { a in
      fixedPoint(of: { z, p in (z + p[0] / z) * 0.5 }, from: Tensor(1.0), parameters: [a], tolerance: 1e-15).value
    }
    let a = Tensor(2.0)
    #expect(abs(gradient(at: a, of: root).scalar - 0.5 / sqrt(2)) < 1e-14)
    let second = gradient(at: a) { gradient(at: $0, of: root) }.scalar
    #expect(abs(second + 0.25 * pow(2, -1.5)) < 1e-13)
    let third = gradient(at: a) { gradient(at: $0) { gradient(at: $0, of: root) } }.scalar
    #expect(abs(third - 0.375 * pow(2, -2.5)) < 1e-12)
    #expect(jacobianVectorProduct(at: a, along: Tensor(1.0), of: root).derivative.scalar > 0.35)
  }

  @Test func unsolvableSystemsGiveNaN() {
    // z = z has no isolated solution: I - J = 0.
    let slope = gradient(at: Tensor<Double>([1, 2])) { a in
      fixedPoint(of: { z, p in z + p[0] * 0 }, from: Tensor([1.0, 1.0]), parameters: [a]).value.sum()
    }
    #expect(slope.scalars.allSatisfy { $0.isNaN })
  }

  @Test func largeSystemsNeedFewProducts() {
    // 400 unknowns, by products alone; the same as the dense solution by the series (I - J)⁻¹ = Σ Jᵏ.
    var random = TestGenerator(seed: 2)
    let w: Tensor<Double> = random.tensor([400, 400]) * 0.02
    let b: Tensor<Double> = random.tensor([400])
    let products = Mutex(0)
    let slope = gradient(at: b) { b in
      let solution = fixedPoint(
        of: { z, p in
          products.withLock { $0 += 1 }
          return w.matmul(z) + p[0]
        }, from: .zeros([400]), parameters: [b], tolerance: 1e-13)
      return solution.value.sum()
    }
    // The spectral radius is about 0.02 √(400 / 3) = 0.23, and 0.23²¹ is 1e-13: so many products there, and so many back.
    #expect(products.withLock { $0 } <= 50)
    var series = Tensor<Double>.ones([400])
    for _ in 0..<200 { series = w.transposed.matmul(series) + 1 }
    #expect(distance(slope, series) < 1e-10 * series.largestMagnitude)
  }
}
