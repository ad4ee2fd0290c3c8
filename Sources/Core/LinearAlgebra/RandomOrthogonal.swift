public import Tensors

extension RandomStream {
  /// A matrix with orthonormal columns, uniform among all of them: every rotation of it is as likely (Haar measure).
  ///
  /// - Parameter shape: [m, n] with m >= n; m = n gives an orthogonal matrix. Traps otherwise.
  /// - Source: Mezzadri, "How to generate random matrices from the classical compact groups", Notices of the AMS 2007:
  ///   the Q of a Gaussian matrix is uniform when the diagonal of R is positive, as that of ``QRDecomposition`` is.
  /// - Complexity: O(m n²) time.
  public mutating func orthogonal<Scalar: LinearScalar>(_ shape: [Int]) throws -> Tensor<Scalar> {
    precondition(
      shape.count == 2 && shape[0] >= shape[1], "orthonormal columns need a shape [m, n] with m >= n, not \(shape)")
    return try QRDecomposition(of: normal(shape, of: Scalar.self)).orthogonal
  }
}
