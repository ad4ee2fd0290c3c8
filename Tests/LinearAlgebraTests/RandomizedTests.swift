import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct RandomizedTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func lowRankIsExact(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var random = RandomStream(seed: seed)
    let values = [9.0, 7, 7, 3, 0.5]
    let a: Tensor<Double> = generator.matrix(60, 40, singularValues: values)
    for matrix in [a, a.transposed] {
      let svd = try RandomizedSVD(rank: 5).decompose(matrix, random: &random)
      #expect(distance(svd.values, Tensor(values)) < 1e-12 && distance(svd.reconstructed(), matrix) < 1e-12)
      #expect(orthogonalityDefect(svd.left) < 1e-13 && orthogonalityDefect(svd.right) < 1e-13)
      #expect(svd.left.shape == [matrix.rows, 5] && svd.right.shape == [matrix.columns, 5])
      let range = try RandomizedRangeFinder().findRange(of: matrix, rank: 5, random: &random)
      #expect(range.relativeError < 1e-6)
    }
  }

  /// The theorem's bound on the expectation, with room for chance, and the optimum from below.
  @Test(arguments: 0..<4 as Range<UInt64>) func errorBounds(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var random = RandomStream(seed: seed)
    let values = (1...50).map { 1 / Double($0) }
    let a: Tensor<Double> = generator.matrix(80, 50, singularValues: values)
    let rank = 10
    for powerIterations in 0...2 {
      let finder = RandomizedRangeFinder(oversampling: 5, powerIterations: powerIterations)
      let range = try finder.findRange(of: a, rank: rank, random: &random)
      let error = (a - range.basis.matmul(range.coordinates)).frobeniusNorm()
      let best = values.dropFirst(rank).map { $0 * $0 }.reduce(0, +).squareRoot()
      let unreachable = values.dropFirst(rank + 5).map { $0 * $0 }.reduce(0, +).squareRoot()
      #expect(error <= 1.2 * best * (1 + Double(rank) / 4).squareRoot() && error >= unreachable)
      #expect(abs(range.relativeError - error / a.frobeniusNorm()) < 1e-7)
      let svd = try RandomizedSVD(rank: rank, rangeFinder: finder).decompose(a, random: &random)
      for (estimate, truth) in zip(svd.values.scalars, values) { #expect(estimate <= truth + 1e-12) }
    }
  }

  @Test func smallValuesSurvivePowerIterations() throws {
    // Without orthonormalization in between, 1e-10 would vanish beside (1e-10)^5.
    var generator = TestGenerator(seed: 1)
    var random = RandomStream(seed: 1)
    let values = [1, 1e-4, 1e-7, 1e-10]
    let a: Tensor<Double> = generator.matrix(30, 20, singularValues: values)
    let svd = try RandomizedSVD(rank: 4).decompose(a, random: &random)
    for (estimate, truth) in zip(svd.values.scalars, values) { #expect(abs(estimate - truth) < 1e-15 + 1e-5 * truth) }
  }

  @Test func adaptive() throws {
    var generator = TestGenerator(seed: 8)
    var random = RandomStream(seed: 8)
    let values = geometric(60, to: 1e-6)
    let a: Tensor<Double> = generator.matrix(90, 60, singularValues: values)
    let norm = a.frobeniusNorm()
    for tolerance in [0.5, 1e-1, 1e-3, 1e-5] {
      let range = try RandomizedRangeFinder(blockSize: 4).findRange(of: a, tolerance: tolerance, random: &random)
      let error = (a - range.basis.matmul(range.coordinates)).frobeniusNorm() / norm
      #expect(error <= tolerance * 1.001 && abs(error - range.relativeError) < 1e-7)
      #expect(orthogonalityDefect(range.basis) < 1e-12)
      let needed = (0...60).first { k in
        values.dropFirst(k).map { $0 * $0 }.reduce(0, +).squareRoot() <= tolerance * norm
      }!
      #expect(range.basis.columns >= needed && range.basis.columns <= needed + 8)
    }
    let full: Tensor<Double> = generator.tensor([20, 30])
    #expect(try RandomizedRangeFinder().findRange(of: full, tolerance: 1e-7, random: &random).basis.columns == 20)
    let zero = try RandomizedRangeFinder().findRange(of: Tensor<Double>.zeros([5, 4]), tolerance: 0.1, random: &random)
    #expect(zero.basis.shape == [5, 0] && zero.relativeError == 0)
  }

  @Test func sameSeedSameNumbers() throws {
    var generator = TestGenerator(seed: 8)
    let a: Tensor<Float> = generator.tensor([70, 50], of: Float.self)
    var first = RandomStream(seed: 3)
    var second = RandomStream(seed: 3)
    var third = RandomStream(seed: 4)
    let svd = RandomizedSVD(rank: 6)
    let x = try svd.decompose(a, random: &first)
    let y = try svd.decompose(a, random: &second)
    let z = try svd.decompose(a, random: &third)
    #expect(x.values == y.values && x.left == y.left && x.right == y.right && x.left != z.left)
  }

  @Test func corners() throws {
    var random = RandomStream(seed: 1)
    for shape in [[0, 4], [4, 0], [1, 5], [5, 1], [3, 3]] {
      let svd = try RandomizedSVD(rank: 2).decompose(Tensor<Double>.ones(shape), random: &random)
      #expect(svd.left.shape == [shape[0], min(2, shape.min()!)])
      #expect(distance(svd.reconstructed(), Tensor.ones(shape)) < 1e-14)
    }
    let none = try RandomizedSVD(rank: 0).decompose(Tensor<Double>.ones([4, 3]), random: &random)
    #expect(none.values.count == 0)
  }

  @Test func badInput() {
    var random = RandomStream(seed: 1)
    let a = Tensor<Double>.ones([3, 3])
    #expect(throws: InvalidArgument.self) { try RandomizedSVD(rank: -1).decompose(a, random: &random) }
    #expect(throws: InvalidArgument.self) { try RandomizedSVD(rank: 1).decompose(a / 0, random: &random) }
    #expect(throws: InvalidArgument.self) {
      try RandomizedRangeFinder(oversampling: -2).findRange(of: a, rank: 1, random: &random)
    }
    for tolerance in [0, 1e-12, 1, -.infinity, .nan] {
      #expect(throws: InvalidArgument.self) {
        try RandomizedRangeFinder().findRange(of: a, tolerance: tolerance, random: &random)
      }
    }
  }
}
