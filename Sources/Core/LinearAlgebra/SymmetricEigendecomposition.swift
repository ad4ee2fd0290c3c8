public import Tensors

/// A = V diag(w) Vᵀ of a symmetric matrix, with orthonormal columns in V and eigenvalues w in increasing order.
///
/// In each column of V, the first entry within one percent of the largest magnitude is positive; this fixes the signs.
public struct SymmetricEigendecomposition<Scalar: LinearScalar>: Sendable {
  /// w, of shape [n], increasing.
  public let values: Tensor<Scalar>
  /// V, of shape [n, n]: the eigenvectors as columns.
  public let vectors: Tensor<Scalar>

  /// Decomposes a symmetric `matrix`, of shape [n, n], by divide and conquer (LAPACK's syevd).
  ///
  /// The triangles may differ by rounding; the upper one is used.
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric and finite; `DecompositionError.notConverged`.
  /// - Complexity: O(n³) time; O(n²) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    var work = try matrix.validSymmetric()
    if var large = decomposeLargeSymmetric(work) {
      let size = large.vectors.rows
      large.vectors.withUnsafeMutableBuffer { _ = standardizeSigns($0.baseAddress!, count: size, length: size) }
      (values, vectors) = (large.values, large.vectors.transposed)
      return
    }
    values = try iterate(&work, replacingByVectors: true)
    // The eigenvectors arrive as rows.
    vectors = work.transposed
  }

  /// V diag(f(w)) Vᵀ: a function of the matrix, given as a function of all eigenvalues.
  public func applying(_ function: (Tensor<Scalar>) -> Tensor<Scalar>) -> Tensor<Scalar> {
    let values = function(values)
    precondition(values.shape == self.values.shape, "\(self.values.count) eigenvalues became shape \(values.shape)")
    return (vectors * values).matmul(vectors, transposingB: true)
  }

  /// V diag(w) Vᵀ.
  public func reconstructed() -> Tensor<Scalar> { applying { $0 } }

  /// The `count` largest eigenvalues, decreasing, and their eigenvectors as columns of shape [n, count].
  public func largest(_ count: Int) -> (values: Tensor<Scalar>, vectors: Tensor<Scalar>) {
    let size = values.count
    precondition(0 <= count && count <= size, "\(count) of \(size) eigenvalues were asked for")
    let order = stride(from: size - 1, to: size - count - 1, by: -1)
    return (values[order], vectors[.all, order])
  }
}

extension Tensor where Scalar: LinearScalar {
  /// The eigenvalues of a symmetric matrix, increasing, without vectors.
  ///
  /// - Throws: `InvalidArgument` unless this is symmetric and finite; `DecompositionError.notConverged`.
  public func symmetricEigenvalues() throws -> Tensor {
    var work = try validSymmetric()
    return try iterate(&work, replacingByVectors: false)
  }
}

private func iterate<Scalar: LinearScalar>(
  _ matrix: inout Tensor<Scalar>, replacingByVectors: Bool
) throws -> Tensor<Scalar> {
  let size = matrix.rows
  guard size > 0 else { return .zeros([0]) }
  var info = 0
  let values = Tensor<Scalar>(uninitializedShape: [size]) { values in
    matrix.withUnsafeMutableBuffer { a in
      info = Scalar.decomposeSymmetric(
        vectors: replacingByVectors, size: size, a.baseAddress!, leading: size, values: values.baseAddress!)
      if replacingByVectors { _ = standardizeSigns(a.baseAddress!, count: size, length: size) }
    }
  }
  guard info == 0 else { throw DecompositionError.notConverged("the symmetric eigenvalue iteration") }
  return values
}
