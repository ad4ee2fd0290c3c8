import Foundation
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// What Tests/Reference/linear_algebra.py wrote: values of NumPy and SciPy.
private struct Reference: Decodable {
  struct Norms: Decodable {
    let frobenius, spectral, nuclear, one, infinity, schatten3, columns21: Double
  }
  struct Square: Decodable {
    let permutation: [Int]
    let lower, upper, inverse, cholesky, positiveRoot, shiftedRoot: [[Double]]
    let sign, logDeterminant: Double
    let solution, eigenvaluesReal, eigenvaluesImaginary, symmetricEigenvalues: [Double]
  }
  let matrix, upper, orthogonal, pseudoInverse, polarFactor: [[Double]]
  let rightSide, singularValues, pivotedDiagonal, leastSquares: [Double]
  let pivots: [Int]
  let rank: Int
  let norms: Norms
  let square: Square?

  static func load() throws -> [String: Reference] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/linear_algebra.json")
    return try JSONDecoder().decode([String: Reference].self, from: Data(contentsOf: file))
  }
}

struct ReferenceTests {
  @Test(arguments: ["square", "tall", "wide", "deficient", "hilbert", "single"])
  func agreesWithNumPyAndSciPy(name: String) throws {
    let reference = try #require(try Reference.load()[name])
    let a = Tensor<Double>(reference.matrix)
    let b = Tensor<Double>(reference.rightSide)
    // Answers of two libraries agree to as many digits fewer as the matrix is ill-conditioned.
    let condition = reference.singularValues[0] / reference.singularValues[reference.rank - 1]
    let loose = 1e-13 * condition
    #expect(distance(try a.singularValues(), Tensor(reference.singularValues)) < 1e-13)
    if name != "deficient" {
      let qr = try QRDecomposition(of: a)
      #expect(distance(qr.upper, Tensor(reference.upper)) < 1e-13)
      #expect(distance(qr.orthogonal, Tensor(reference.orthogonal)) < loose)
      let pivoted = try PivotedQRDecomposition(of: a)
      #expect(pivoted.permutation == reference.pivots)
      #expect(distance(pivoted.upper.diagonal, Tensor(reference.pivotedDiagonal)) < 1e-13)
      #expect(distance(try PolarDecomposition(of: a).factor, Tensor(reference.polarFactor)) < loose)
    }
    let solution = try a.leastSquares(b)
    #expect(solution.rank == reference.rank)
    #expect(distance(solution.solution, Tensor(reference.leastSquares)) < 10 * loose)
    let inverse = Tensor<Double>(reference.pseudoInverse)
    #expect(distance(try a.pseudoInverse(), inverse) < loose * max(1, inverse.largestMagnitude))

    let norms = reference.norms
    #expect(abs(a.frobeniusNorm() - norms.frobenius) < 1e-13)
    #expect(abs(try a.spectralNorm() - norms.spectral) < 1e-13)
    #expect(abs(try a.nuclearNorm() - norms.nuclear) < 1e-13)
    #expect(abs(a.oneNorm() - norms.one) < 1e-13)
    #expect(abs(a.infinityNorm() - norms.infinity) < 1e-13)
    #expect(abs(try a.schattenNorm(3) - norms.schatten3) < 1e-13)
    #expect(abs(a.columnwiseNorm(p: 2, q: 1) - norms.columns21) < 1e-13)
    if let square = reference.square { try compare(a, b, square, loose) }
  }

  private func compare(_ a: Tensor<Double>, _ b: Tensor<Double>, _ square: Reference.Square, _ loose: Double) throws {
    let lu = try LUDecomposition(of: a)
    #expect(lu.permutation == square.permutation)
    #expect(distance(lu.lower, Tensor(square.lower)) < 1e-12 && distance(lu.upper, Tensor(square.upper)) < 1e-12)
    #expect(lu.logDeterminant.sign == square.sign)
    #expect(abs(lu.logDeterminant.logarithm - square.logDeterminant) < loose)
    #expect(distance(try a.solve(b), Tensor(square.solution)) < loose * 10)
    let inverse = Tensor<Double>(square.inverse)
    #expect(distance(try a.inverse(), inverse) < loose * max(1, inverse.largestMagnitude))
    let values = try a.eigenvalues().sorted { ($0.real, $0.imaginary) < ($1.real, $1.imaginary) }
    #expect(distance(Tensor(values.map(\.real)), Tensor(square.eigenvaluesReal)) < 1e-12)
    #expect(distance(Tensor(values.map(\.imaginary)), Tensor(square.eigenvaluesImaginary)) < 1e-12)
    #expect(distance(try a.symmetrized.symmetricEigenvalues(), Tensor(square.symmetricEigenvalues)) < 1e-13)
    let identity = Tensor<Double>.identity(a.rows)
    let positive = a.multipliedByOwnTranspose() + identity
    #expect(distance(try CholeskyDecomposition(of: positive).lower, Tensor(square.cholesky)) < 1e-12)
    #expect(distance(try SymmetricRoots(of: positive).root, Tensor(square.positiveRoot)) < 1e-12)
    let shifted = try (a + identity * 4).principalSquareRoot()
    #expect(shifted.convergence.isConverged && distance(shifted.root, Tensor(square.shiftedRoot)) < 1e-12)
  }
}
