// Sparse matrices to test on, and SciPy's answers.

import Foundation
import LinearAlgebra
import Tensors
import TestSupport

extension TestGenerator {
  /// Triplets at random places, some of them twice.
  mutating func sparse<Scalar: LinearScalar>(
    _ rows: Int, _ columns: Int, entries: Int, layout: SparseMatrix<Scalar>.Layout = .rows
  ) throws -> SparseMatrix<Scalar> {
    let count = rows * columns == 0 ? 0 : entries
    let i = Tensor((0..<count).map { _ in Int.random(in: 0..<rows, using: &self) })
    let j = Tensor((0..<count).map { _ in Int.random(in: 0..<columns, using: &self) })
    return try SparseMatrix(
      rows: rows, columns: columns, rowIndices: i, columnIndices: j, values: tensor([count]), layout: layout)
  }

  /// A sparse symmetric positive definite matrix: diagonally dominant.
  mutating func sparseDefinite(_ size: Int, entries: Int) throws -> SparseMatrix<Double> {
    let part: SparseMatrix<Double> = try sparse(size, size, entries: entries)
    let symmetric = part + part.transposed
    let sums = symmetric.withValues(symmetric.values.absolute()).matmul(.ones([size]))
    return symmetric + SparseMatrix(diagonal: sums * 2 + 0.5)
  }
}

/// What Tests/Reference/sparse.py wrote, and the matrices it is about.
struct SparseReference: Decodable {
  var solution, indefiniteSolution, nonsymmetricSolution, leastSquares, dampedLeastSquares: [Double]
  var gradientResiduals, minimalResiduals, generalizedResiduals, lowerSolution, eigenvalues: [Double]
  var logDeterminant: Double

  static func load() throws -> SparseReference {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let file = folder.appendingPathComponent("Reference/sparse.json")
    return try JSONDecoder().decode(SparseReference.self, from: Data(contentsOf: file))
  }

  static let laplacian = SparseMatrix<Double>.gridLaplacian([9, 8])
  static let size = 72
  static let rightSide = Tensor((1...size).map { Double.sin(Double($0)) })
  static let indefinite = laplacian - 3.1 * .identity(size)
  static func nonsymmetric() throws -> SparseMatrix<Double> {
    let below = Tensor<Int>(1..<size)
    let convection = try SparseMatrix<Double>(
      rows: size, columns: size, rowIndices: below, columnIndices: below - 1,
      values: Tensor(repeating: -2, shape: [size - 1]))
    return laplacian + 2 * .identity(size) + convection
  }
  static func tall() throws -> SparseMatrix<Double> {
    let dense = laplacian.dense
    return try SparseMatrix(dense.gathered(Tensor(Array(stride(from: 0, to: size, by: 3))), axis: 1))
  }
}
