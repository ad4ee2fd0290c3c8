import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Sizes beyond which the steps of LAPACK's drivers are called one by one.
@Suite struct LargeSpectraTests {
  @Test(arguments: [[200, 200], [260, 199], [199, 260], [320, 320]])
  func singularValues(shape: [Int]) throws {
    var generator = TestGenerator(seed: UInt64(shape[0]))
    let a: Tensor<Double> = generator.tensor(shape)
    let svd = try SingularValueDecomposition(of: a)
    let k = shape.min() ?? 0
    #expect(svd.left.shape == [shape[0], k] && svd.values.shape == [k] && svd.right.shape == [shape[1], k])
    #expect(distance(svd.reconstructed(), a) < 1e-12)
    #expect(orthogonalityDefect(svd.left) < 1e-12 && orthogonalityDefect(svd.right) < 1e-12)
    #expect(distance(svd.values, try a.singularValues()) < 1e-12)
    let single = try SingularValueDecomposition(of: Tensor<Float>(a))
    #expect(distance(single.reconstructed(), Tensor<Float>(a)) < 1e-4)
    #expect(distance(Tensor<Double>(single.values), svd.values) < 1e-4)
    #expect(orthogonalityDefect(single.left) < 1e-4 && orthogonalityDefect(single.right) < 1e-4)
  }

  /// Repeated values, which divide and conquer deflates, rank deficiency, and magnitudes that LAPACK scales for.
  @Test(arguments: [1.0, 1e-170, 1e170]) func specialMatrices(scale: Double) throws {
    var generator = TestGenerator(seed: 7)
    let size = 208
    let q = try QRDecomposition(of: generator.tensor([size, size], of: Double.self)).orthogonal
    let values = Tensor<Double>((0..<size).map { Double($0 / 50 - 1) * scale })
    let a = (q * values).matmul(q, transposingB: true)
    let eigen = try SymmetricEigendecomposition(of: (a + a.transposed) / 2)
    #expect(distance(eigen.values / scale, values / scale) < 1e-12, "\(scale)")
    #expect(orthogonalityDefect(eigen.vectors) < 1e-12)
    #expect(distance(eigen.reconstructed() / scale, a / scale) < 1e-12)
    let svd = try SingularValueDecomposition(of: a)
    #expect(distance(svd.values / scale, (values / scale).absolute().sorted(descending: true)) < 1e-12)
    #expect(distance(svd.reconstructed() / scale, a / scale) < 1e-12)
    #expect(orthogonalityDefect(svd.left) < 1e-12)
  }

  @Test func singlePrecisionEigenvalues() throws {
    var generator = TestGenerator(seed: 8)
    let a: Tensor<Float> = generator.tensor([230, 230])
    let symmetric = (a + a.transposed) / 2
    let eigen = try SymmetricEigendecomposition(of: symmetric)
    #expect(distance(eigen.reconstructed(), symmetric) < 1e-4)
    #expect(distance(eigen.values, try symmetric.symmetricEigenvalues()) < 1e-4)
    #expect(orthogonalityDefect(eigen.vectors) < 1e-4)
  }
}
