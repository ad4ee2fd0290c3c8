import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct SymmetricEigenTests {
  static func checkLaws<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ context: String) throws {
    let eigen = try SymmetricEigendecomposition(of: a)
    let limit = bound(a)
    #expect(eigen.values.shape == [a.rows] && eigen.vectors.shape == a.shape, "\(context)")
    #expect(distance(eigen.reconstructed(), a) <= limit, "\(context)")
    #expect(orthogonalityDefect(eigen.vectors) <= limit, "\(context)")
    let w = eigen.values.scalars
    #expect(zip(w, w.dropFirst()).allSatisfy { $0 <= $1 }, "\(context)")
    #expect(distance(try a.symmetricEigenvalues(), eigen.values) <= limit, "\(context)")
  }

  @Test(arguments: [0, 1, 2, 3, 10, 33, 100]) func laws(size: Int) throws {
    for seed in 0..<4 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      let a: Tensor<Double> = generator.tensor([size, size])
      try Self.checkLaws(a.symmetrized, "Double \(size) seed \(seed)")
      try Self.checkLaws(Tensor<Float>(a.symmetrized), "Float \(size) seed \(seed)")
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func prescribedSpectra(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for values in [[-2.0, -2, 0, 0, 3, 3, 3], Array(geometric(12, to: 1e-12).reversed()), [0, 0, 0], [1, 1, 1, 1]] {
      let a: Tensor<Double> = generator.symmetric(eigenvalues: values)
      try Self.checkLaws(a, "\(values) seed \(seed)")
      #expect(distance(try a.symmetricEigenvalues(), Tensor(values)) < 1e-14, "\(values) seed \(seed)")
    }
  }

  @Test func functionsAndSelection() throws {
    let a = Tensor<Double>([[2, 1], [1, 2]])
    let eigen = try SymmetricEigendecomposition(of: a)
    #expect(distance(eigen.values, Tensor([1, 3])) < 1e-15)
    let e = Double.exp(1)
    let e3 = Double.exp(3)
    let exponential = Tensor<Double>([[(e + e3) / 2, (e3 - e) / 2], [(e3 - e) / 2, (e + e3) / 2]])
    #expect(distance(eigen.applying { $0.exp() }, exponential) < 1e-13)
    let top = eigen.largest(1)
    #expect(top.values == eigen.values[1..<2] && top.vectors == eigen.vectors[.all, 1..<2])
    let all = eigen.largest(2)
    #expect(all.values == Tensor([eigen.values[at: 1], eigen.values[at: 0]]))
  }

  @Test func badInput() {
    #expect(throws: InvalidArgument.self) { try SymmetricEigendecomposition(of: Tensor<Double>([[1, 2], [2.1, 1]])) }
    #expect(throws: InvalidArgument.self) {
      try SymmetricEigendecomposition(of: Tensor<Double>([[1, 2, 3], [2, 1, 3]]))
    }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[.nan]]).symmetricEigenvalues() }
    // Rounding across the diagonal is not asymmetry.
    #expect(throws: Never.self) {
      try SymmetricEigendecomposition(of: Tensor<Double>([[1, 2], [2.000_000_000_1, 1]]))
    }
  }
}
