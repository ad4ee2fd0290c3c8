import ComplexModule
import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct GeneralEigenTests {
  @Test(arguments: [0, 1, 2, 3, 8, 30, 60]) func laws(size: Int) throws {
    for seed in 0..<4 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      let a: Tensor<Double> = generator.tensor([size, size])
      let eigen = try Eigendecomposition(of: a)
      let context = "size \(size) seed \(seed)"
      // A V = V diag(w), columns of length one.
      let left = ComplexTensor(a).matmul(eigen.vectors)
      let right = eigen.vectors * ComplexTensor(eigen.values)
      #expect((left - right).magnitude.maximumNorm() <= bound(a), "\(context)")
      let lengths = eigen.vectors.magnitude.sumOfSquares(axes: [0])
      #expect(distance(lengths, .ones([size])) < 1e-12, "\(context)")
      // The sum is the trace, the product the determinant, and complex values come in pairs, the upper one first.
      let sum = eigen.values.reduce(0, +)
      let product = eigen.values.reduce(1, *)
      #expect((sum - Complex(a.diagonal.sum().scalar)).length < 1e-12 * Double(size + 1), "\(context)")
      let determinant = try a.determinant()
      #expect((product - Complex(determinant)).length <= 1e-10 * max(1, abs(determinant)), "\(context)")
      var i = 0
      while i < size {
        if eigen.values[i].imaginary != 0 {
          #expect(eigen.values[i].imaginary > 0 && eigen.values[i + 1] == eigen.values[i].conjugate, "\(context)")
          i += 1
        }
        i += 1
      }
      let values = try a.eigenvalues()
      for value in values {
        #expect(eigen.values.contains { ($0 - value).length < 1e-8 }, "\(context)")
      }
      let radius = try a.spectralRadius()
      #expect(radius == values.map(\.length).max() ?? 0)
    }
  }

  @Test func known() throws {
    let rotation = Tensor<Double>([[0, -1], [1, 0]])
    let eigen = try Eigendecomposition(of: rotation)
    #expect((eigen.values[0] - Complex(0, 1)).length < 1e-15 && (eigen.values[1] - Complex(0, -1)).length < 1e-15)
    // Not symmetric: right eigenvectors, not left ones.
    let triangular = try Eigendecomposition(of: Tensor<Double>([[1, 5], [0, 2]]))
    let index = triangular.values.firstIndex { ($0 - 1).length < 1e-12 }!
    #expect(abs(triangular.vectors[at: 0, index].real.magnitude - 1) < 1e-14)
    // A Jordan block: one eigenvalue, known only to the square root of the precision.
    for value in try Tensor<Float>([[2, 1], [0, 2]]).eigenvalues() { #expect((value - 2).length < 1e-3) }
    let floats = try Eigendecomposition(of: Tensor<Float>([[2, 1], [1, 2]]))
    #expect(Set(floats.values.map { $0.real.rounded() }) == [1, 3])
  }

  @Test func badInput() {
    #expect(throws: InvalidArgument.self) { try Eigendecomposition(of: Tensor<Double>([[1, 2]])) }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[.nan]]).eigenvalues() }
  }
}
