import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct RandomOrthogonalTests {
  @Test(arguments: [[1, 1], [5, 5], [7, 3], [40, 40]])
  func columnsAreOrthonormal(shape: [Int]) throws {
    var random = RandomStream(seed: 4)
    let q: Tensor<Double> = try random.orthogonal(shape)
    #expect(q.shape == shape)
    #expect(distance(q.matmul(q, transposingA: true), .identity(shape[1])) < 1e-13)
  }

  /// Of a uniform rotation of the plane, the angle is uniform; without the signs of R it would not be.
  @Test func planeRotationsHaveUniformAngles() throws {
    var random = RandomStream(seed: 5)
    var counts = [Int](repeating: 0, count: 8)
    for _ in 0..<8_000 {
      let q: Tensor<Double> = try random.orthogonal([2, 2])
      let angle = atan2(q[at: 1, 0], q[at: 0, 0]) + .pi
      counts[min(Int(angle / (2 * .pi) * 8), 7)] += 1
    }
    // A count has a deviation of 30.
    #expect(counts.allSatisfy { abs($0 - 1_000) < 130 }, "\(counts)")
  }

  /// Entries of an orthogonal matrix of size n have mean 0, mean square 1/n and mean fourth power 3 / (n (n + 2)).
  @Test func momentsOfEntries() throws {
    var random = RandomStream(seed: 6)
    let n = 6
    let draws = try (0..<2_000).map { _ in try random.orthogonal([n, n]) as Tensor<Double> }
    let all = Tensor.stacked(draws)
    #expect(abs(all.mean().scalar) < 0.005)
    #expect(abs(all.power(4).mean().scalar - 3 / 48.0) < 0.002)
    // The first column is uniform on the sphere: its coordinates do not prefer a sign.
    #expect(abs(all[.all, 0, 0].mean().scalar) < 0.03)
  }
}
