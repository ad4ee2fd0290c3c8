// Matrices to test on: shapes with corners, prescribed spectra, and what orthonormal means.

import LinearAlgebra
import Tensors
import TestSupport

/// Shapes for the laws: square, tall, wide, single rows and columns, empty.
let shapes: [[Int]] = [
  [1, 1], [2, 2], [5, 5], [7, 3], [3, 7], [1, 6], [6, 1], [40, 40], [65, 33], [33, 65], [130, 4], [0, 0], [0, 3],
  [3, 0],
]

extension TestGenerator {
  /// A matrix with orthonormal columns.
  mutating func orthonormal<Scalar: LinearScalar>(_ rows: Int, _ columns: Int, of: Scalar.Type = Double.self) -> Tensor<
    Scalar
  > {
    // Gram–Schmidt twice, independent of the code under test.
    var columnsSoFar: [Tensor<Double>] = []
    for _ in 0..<columns {
      var v: Tensor<Double> = tensor([rows])
      for _ in 0..<2 { for u in columnsSoFar { v -= u * u.dot(v).scalar } }
      columnsSoFar.append(v / v.sumOfSquares().sqrt())
    }
    return columns == 0 ? .zeros([rows, 0]) : Tensor<Scalar>(Tensor<Double>.stacked(columnsSoFar, axis: 1))
  }

  /// A matrix with these singular values, as many as its smaller extent.
  mutating func matrix<Scalar: LinearScalar>(
    _ rows: Int, _ columns: Int, singularValues: [Double], of: Scalar.Type = Double.self
  ) -> Tensor<Scalar> {
    let u: Tensor<Double> = orthonormal(rows, singularValues.count)
    let v: Tensor<Double> = orthonormal(columns, singularValues.count)
    return Tensor<Scalar>((u * Tensor(singularValues)).matmul(v, transposingB: true))
  }

  /// A symmetric matrix with these eigenvalues.
  mutating func symmetric<Scalar: LinearScalar>(eigenvalues: [Double], of: Scalar.Type = Double.self) -> Tensor<Scalar>
  {
    let v: Tensor<Double> = orthonormal(eigenvalues.count, eigenvalues.count)
    return Tensor<Scalar>((v * Tensor(eigenvalues)).matmul(v, transposingB: true).symmetrized)
  }
}

/// How far the columns are from orthonormal.
func orthogonalityDefect<Scalar: LinearScalar>(_ q: Tensor<Scalar>) -> Double {
  distance(q.matmul(q, transposingA: true), .identity(q.columns))
}

/// What rounding may do to a matrix of this size and magnitude.
func bound<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) -> Double {
  30 * Double(Scalar.ulpOfOne) * Double(max(1, matrix.shape.max() ?? 1)) * max(1, matrix.largestMagnitude)
}

/// 1, 1e-1, ..., down to `smallest` in `count` geometric steps.
func geometric(_ count: Int, to smallest: Double) -> [Double] {
  (0..<count).map { count == 1 ? 1 : Double.exp(Double.log(smallest) * Double($0) / Double(count - 1)) }
}
