import LinearAlgebra
import Tensors
import TestSupport
import Testing

private func definite(_ x: Tensor<Double>) -> Tensor<Double> {
  x.matmul(x, transposingB: true) + Tensor.identity(x.rows)
}

@Suite struct DerivativeReferenceTests {
  typealias Function = @Sendable ([Tensor<Double>]) throws -> [Tensor<Double>]

  static let functions: [(name: String, function: Function)] = [
    ("cholesky", { [try CholeskyDecomposition(of: definite($0[0])).lower] }),
    ("choleskySolve", { [try CholeskyDecomposition(of: definite($0[0])).solve($0[1])] }),
    ("solve", { [try $0[0].solve($0[1])] }),
    ("inverse", { [try $0[0].inverse()] }),
    ("determinant", { [try $0[0].determinantTensor()] }),
    ("logDeterminant", { [try $0[0].logDeterminantTensor()] }),
    ("triangular", { [try $0[0].solveTriangular($0[1], .upper)] }),
    ("leastSquares", { [try $0[0].leastSquares($0[1]).solution] }),
    ("pseudoInverse", { [try $0[0].pseudoInverse()] }),
    (
      "qr",
      {
        let qr = try QRDecomposition(of: $0[0])
        return [qr.orthogonal.squared(), qr.upper.squared()]
      }
    ),
    (
      "svd",
      {
        let svd = try SingularValueDecomposition(of: $0[0])
        return [svd.left.squared(), svd.right.squared(), svd.values]
      }
    ),
    ("singularValues", { [try $0[0].singularValues()] }),
    (
      "eigen",
      {
        let eigen = try SymmetricEigendecomposition(of: $0[0].symmetrized)
        return [eigen.values, eigen.vectors.squared()]
      }
    ),
    ("eigenvalues", { [try $0[0].symmetrized.symmetricEigenvalues()] }),
    ("polar", { [try PolarDecomposition(of: $0[0]).factor] }),
    (
      "root",
      {
        let roots = try SymmetricRoots(of: definite($0[0]))
        return [roots.root, roots.inverseRoot]
      }
    ),
    ("exponential", { [try $0[0].matrixExponential()] }),
    ("nuclear", { [try $0[0].norm(.nuclear)] }),
  ]

  @Test(arguments: 0..<functions.count)
  func derivativesAreThoseOfPyTorch(index: Int) throws {
    let (name, function) = Self.functions[index]
    let reference = try #require(try DerivativeReference.load()[name])
    let errors = try reference.errors(of: function)
    #expect(errors.value < 1e-10, "\(name): value off by \(errors.value)")
    #expect(errors.first < 1e-9, "\(name): gradient off by \(errors.first)")
    #expect(errors.second < 1e-8, "\(name): product with the Hessian off by \(errors.second)")
  }
}
