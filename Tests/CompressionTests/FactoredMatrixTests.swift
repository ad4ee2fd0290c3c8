import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct FactoredMatrixTests {
  @Test(arguments: 0..<12)
  func truncationIsOptimalAndBalanced(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (m, n) = (Int.random(in: 1...30, using: &generator), Int.random(in: 1...30, using: &generator))
    let rank = Int.random(in: 1...min(m, n), using: &generator)
    let a: Tensor<Double> = generator.tensor([m, n])
    let factors = try FactoredMatrix(truncating: a, rank: rank)
    let best = try SingularValueDecomposition(of: a).reconstructed(rank: rank)
    #expect(distance(factors.reconstructed(), best) < 1e-12, "seed \(seed)")
    let single = try FactoredMatrix(truncating: Tensor<Float>(a), rank: rank)
    #expect(distance(single.reconstructed(), Tensor<Float>(best)) < 2e-6, "seed \(seed)")
    for factors in [(factors.left, factors.right), (Tensor<Double>(single.left), Tensor<Double>(single.right))] {
      let (left, right) = (factors.0.multipliedByOwnTranspose(transposing: true), factors.1.multipliedByOwnTranspose())
      #expect(distance(left, right) < 1e-5, "both factors carry the roots of the singular values; seed \(seed)")
    }
    #expect(factors.parameterCount == rank * (m + n) && factors.rank == rank)
    let error = try directError([a], rank: rank)
    #expect(abs(factors.relativeError(to: a) - error) < 1e-12, "seed \(seed)")
    let x: Tensor<Double> = generator.tensor([n, 3])
    #expect(distance(factors.apply(x), best.matmul(x)) < 1e-12)
    #expect(distance(factors.apply(x[.all, 0]), best.matmul(x[.all, 0])) < 1e-12)
    #expect(distance(factors.transposed.reconstructed(), best.transposed) < 1e-12)
  }

  @Test func zeroAndLowRankMatrices() throws {
    let zero = Tensor<Float>.zeros([4, 3])
    let factors = try FactoredMatrix(truncating: zero, rank: 2)
    #expect(factors.reconstructed() == zero && factors.relativeError(to: zero) == 0)
    let ones = Tensor<Float>.ones([5, 7])
    let full = try FactoredMatrix(truncating: ones, rank: 5)
    #expect(distance(full.reconstructed(), ones) < 1e-5)
    #expect(FactoredMatrix(left: ones, right: ones.transposed).relativeError(to: .zeros([5, 5])) == .infinity)
  }

  @Test func badInput() {
    let a = Tensor<Double>.ones([3, 4])
    for rank in [0, 4, -1] {
      #expect(throws: InvalidArgument.self) { try FactoredMatrix(truncating: a, rank: rank) }
    }
    #expect(throws: InvalidArgument.self) { try FactoredMatrix(truncating: Tensor<Double>([1, 2]), rank: 1) }
    #expect(throws: InvalidArgument.self) { try FactoredMatrix(truncating: Tensor<Double>([[1, .nan]]), rank: 1) }
  }

  @Test(arguments: 0..<8)
  func spectraOfFloatsAreAsGoodAsDoubleOnes(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (m, n) = (Int.random(in: 1...40, using: &generator), Int.random(in: 1...3000, using: &generator))
    let a: Tensor<Float> = generator.tensor([m, n])
    let wanted = try Tensor<Double>(a).singularValues().scalars
    for matrix in [a, a.transposed] {
      let values = try singularSpectrum(of: matrix)
      #expect(values.count == wanted.count)
      for (value, wanted) in zip(values, wanted) {
        #expect(abs(value - wanted) < 1e-7 * max(1, values[0]), "seed \(seed)")
      }
    }
  }
}
