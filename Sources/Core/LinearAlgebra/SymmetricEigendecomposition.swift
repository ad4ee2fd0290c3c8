public import Tensors

/// A = V diag(w) Vᵀ of a symmetric matrix, with orthonormal columns in V and eigenvalues w in increasing order.
///
/// In each column of V, the first entry within one percent of the largest magnitude is positive; this fixes the signs.
public struct SymmetricEigendecomposition<Scalar: LinearScalar>: Sendable {
  /// w, of shape [n], increasing.
  public let values: Tensor<Scalar>
  /// V, of shape [n, n]: the eigenvectors as columns.
  public let vectors: Tensor<Scalar>
  /// The matrix, while it is being differentiated.
  let source: Tensor<Scalar>?

  /// Decomposes a symmetric `matrix`, of shape [n, n], by divide and conquer (LAPACK's syevd).
  ///
  /// The triangles may differ by rounding; the upper one is used.
  ///
  /// Derivatives flow through values and ``applying(_:)`` always, and through vectors of distinct eigenvalues; those of
  /// coinciding ones have no derivative, and it is not a number. With respect to `matrix` they are symmetric.
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric and finite; `DecompositionError.notConverged`.
  /// - Complexity: O(n³) time; O(n²) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    var work = try matrix.withoutDerivative.validSymmetric()
    if var large = decomposeLargeSymmetric(work) {
      let size = large.vectors.rows
      large.vectors.withUnsafeMutableBuffer { _ = standardizeSigns($0.baseAddress!, count: size, length: size) }
      self.init(values: large.values, vectors: large.vectors.transposed, of: matrix)
      return
    }
    let values = try iterate(&work, replacingByVectors: true)
    // The eigenvectors arrive as rows.
    self.init(values: values, vectors: work.transposed, of: matrix)
  }

  /// The decomposition of `matrix`, whose numbers are known.
  init(values: Tensor<Scalar>, vectors: Tensor<Scalar>, of matrix: Tensor<Scalar>?) {
    source = matrix.flatMap { $0.isDifferentiated ? $0 : nil }
    (self.values, self.vectors) = source.map { differentiatedEigen(values, vectors, of: $0) } ?? (values, vectors)
  }

  /// The same numbers for the matrix at another level of differentiation.
  func attached(to matrix: Tensor<Scalar>) -> SymmetricEigendecomposition {
    SymmetricEigendecomposition(
      values: values.withoutDerivative, vectors: vectors.withoutDerivative, of: source == nil ? nil : matrix)
  }

  /// V diag(f(w)) Vᵀ: a function of the matrix, given as a function of all eigenvalues.
  ///
  /// Where the matrix is differentiated, the function must act on each eigenvalue by itself; coinciding ones are fine.
  /// (Second derivatives there are not a number: they go through the vectors.) The rule is Daleckii and Krein's.
  public func applying(_ function: (Tensor<Scalar>) -> Tensor<Scalar>) -> Tensor<Scalar> {
    // A function with parameters that are differentiated, too, goes through values and vectors.
    if let source, !function(values.withoutDerivative).isDifferentiated {
      return customDerivative(at: source) { matrix in
        let eigen = attached(to: matrix)
        let vectors = eigen.vectors
        let differences = dividedDifferences(eigen.values, function)
        return (
          eigen.applying(function),
          { g in
            let rotated = vectors.matmul(g.symmetrized, transposingA: true).matmul(vectors)
            return vectors.matmul(rotated * differences).matmul(vectors, transposingB: true)
          }
        )
      }
    }
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
  /// Derivatives flow through all of them; a value of several vectors has one of its subgradients.
  /// - Throws: `InvalidArgument` unless this is symmetric and finite; `DecompositionError.notConverged`.
  public func symmetricEigenvalues() throws -> Tensor {
    if isDifferentiated { return try SymmetricEigendecomposition(of: self).values }
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
