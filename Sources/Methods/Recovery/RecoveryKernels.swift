// What the methods of this module share on their way to the kernels.

import CVectorKernels
import LinearAlgebra
import Tensors

/// The kernels for `Scalar`.
func recoveryKernels<Scalar: LinearScalar>(_: Scalar.Type) -> apus_recovery_kernels {
  (MemoryLayout<Scalar>.size == 4 ? apus_recovery_f32() : apus_recovery_f64()).pointee
}

/// Elements of a row of `width` numbers that is padded to whole lines of 64 bytes.
func paddedWidth<Scalar: LinearScalar>(_ width: Int, _: Scalar.Type) -> Int {
  let line = 64 / MemoryLayout<Scalar>.stride
  return max(1, (width + line - 1) / line) * line
}

extension Tensor where Scalar: LinearScalar {
  /// The matrix with zeros behind each row, up to whole lines of 64 bytes.
  func paddedRows() -> Tensor {
    padded([(0, 0), (0, paddedWidth(columns, Scalar.self) - columns)], with: 0).dense
  }

  /// Q R with orthonormal columns in Q, for a tall matrix: by two Cholesky factorizations, which cost two products each;
  /// by reflections where the columns are too dependent for that.
  func orthonormalFactors() throws -> (orthogonal: Tensor, upper: Tensor) {
    let size = columns
    func step(_ x: Tensor) -> (orthogonal: Tensor, upper: Tensor)? {
      let gram = x.multipliedByOwnTranspose(transposing: true)
      guard gram.isFinite, let upper = try? CholeskyDecomposition(of: gram).upper,
        let inverse = try? upper.solveTriangular(.identity(size), .upper)
      else { return nil }
      return (x.matmul(inverse), upper)
    }
    if let first = step(self), let second = step(first.orthogonal) {
      // The second step repairs the first one as long as that was not lost altogether.
      let repair = (second.upper - .identity(size)).maximumNorm()
      if repair < 0.1 { return (second.orthogonal, second.upper.matmul(first.upper)) }
    }
    let factors = try QRDecomposition(of: self)
    return (factors.orthogonal, factors.upper)
  }
}
