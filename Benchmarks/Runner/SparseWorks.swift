// Sparse matrices: the five-point Laplacian on a grid of 1000 x 1000.

import FileFormats
import LinearAlgebra
import Tensors

var sparseWorks: [Work] { products(Float.self, "f32") + products(Double.self, "f64") }

private func products<Scalar: LinearScalar & StorableScalar>(_: Scalar.Type, _ type: String) -> [Work] {
  let extent = 1_000
  return [1, 64].map { columns in
    // Five entries a row, each with an index of four bytes, and the two dense operands.
    let size = Double(MemoryLayout<Scalar>.size)
    let bytes = Double(extent * extent) * (5 * (size + 4) + 2 * size * Double(columns))
    return Work("csr \(type) \(extent) \(columns)", bound: 1.0, floor: .bytes(bytes)) { inputs in
      let matrix = SparseMatrix<Scalar>.gridLaplacian([extent, extent])
      let size = extent * extent
      let x: Tensor<Scalar> = try normal(columns == 1 ? [size] : [size, columns], inputs)
      return { keep(matrix.matmul(x)) }
    }
  }
}
