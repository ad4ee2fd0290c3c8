import LinearAlgebra
import Tensors
import TestSupport

/// A random connected graph: a path with more edges thrown in, with positive weights.
func randomGraph(_ count: Int, extraEdges: Int, _ generator: inout TestGenerator) throws -> SparseMatrix<Double> {
  var (rows, columns, values): ([Int], [Int], [Double]) = ([], [], [])
  func join(_ i: Int, _ j: Int, _ weight: Double) {
    rows += [i, j]
    columns += [j, i]
    values += [weight, weight]
  }
  for i in 1..<count { join(i - 1, i, Double.random(in: 0.1..<2, using: &generator)) }
  for _ in 0..<extraEdges {
    let (i, j) = (Int.random(in: 0..<count, using: &generator), Int.random(in: 0..<count, using: &generator))
    if i != j { join(i, j, Double.random(in: 0.1..<2, using: &generator)) }
  }
  return try SparseMatrix(
    rows: count, columns: count, rowIndices: Tensor(rows), columnIndices: Tensor(columns), values: Tensor(values))
}

/// D - A plus a random positive diagonal.
func randomDefinite(_ count: Int, extraEdges: Int, _ generator: inout TestGenerator) throws -> SparseMatrix<Double> {
  let graph = try randomGraph(count, extraEdges: extraEdges, &generator)
  let degrees = graph.matmul(.ones([count]))
  let shift: Tensor<Double> = generator.tensor([count])
  return SparseMatrix(diagonal: degrees + (shift + 1) * 0.05 + 0.001) - graph
}

/// xᵀ A y.
func energy(_ a: SparseMatrix<Double>, _ x: Tensor<Double>, _ y: Tensor<Double>) -> Double {
  (x * a.matmul(y)).sum().scalar
}

/// ‖x - y‖ / ‖y‖.
func relativeDistance(_ x: Tensor<Double>, _ y: Tensor<Double>) -> Double {
  (x - y).frobeniusNorm() / y.frobeniusNorm()
}
