public import Tensors

/// A change of coordinates in which a second-moment matrix M becomes the identity: W M Wᵀ = I.
///
/// With M = E[x xᵀ] of the inputs x of a layer, an approximation error of its weights counts as the error of its
/// outputs after the weights are multiplied by W⁻¹: E ‖D x‖² = ‖D W⁻¹‖_F².
public struct Whitening<Scalar: LinearScalar>: Sendable {
  /// Which of the many W is taken; they differ by a rotation from the left.
  public enum Method: Sendable, Hashable {
    /// W = M^(-1/2), symmetric: of all whitened coordinates, the nearest to the original ones.
    case symmetric
    /// W = L⁻¹ for M = L Lᵀ: lower triangular, and several times cheaper. Small eigenvalues are raised by adding the
    /// threshold to all of them; they cannot be dropped.
    case cholesky
  }

  /// W, of shape [n, n].
  public let whitener: Tensor<Scalar>
  /// W⁻¹, of shape [n, n]: a square root of M, W⁻¹ W⁻ᵀ = M.
  public let unwhitener: Tensor<Scalar>
  /// The spectrum of M and what was clipped of it. The Cholesky path knows the extreme eigenvalues only as estimates.
  public let spectrum: SpectrumReport

  /// Whitens by `secondMoment`, M, of shape [n, n].
  ///
  /// - Throws: `InvalidArgument` unless M is symmetric, finite, and positive semi-definite up to rounding;
  ///   `DecompositionError.notPositiveDefinite` by the Cholesky path when the threshold does not make it so.
  /// - Complexity: O(n³) time.
  public init(
    secondMoment: Tensor<Scalar>, method: Method = .symmetric, small: SmallEigenvalues = .raised()
  ) throws {
    switch method {
    case .symmetric:
      let roots = try SymmetricRoots(of: secondMoment, small: small)
      (whitener, unwhitener, spectrum) = (roots.inverseRoot, roots.root, roots.spectrum)
    case .cholesky:
      guard case .raised = small else {
        throw InvalidArgument("small", found: "dropped eigenvalues", wanted: "raised ones on the Cholesky path")
      }
      let moment = try secondMoment.validSymmetric("secondMoment")
      let size = moment.rows
      let relative = try small.threshold(size: size, precision: Double(Scalar.ulpOfOne))
      let largest = moment.infinityNorm()
      let threshold = Scalar(relative) * largest
      let cholesky = try CholeskyDecomposition(of: moment + Tensor.identity(size) * threshold)
      unwhitener = cholesky.lower
      whitener = try cholesky.lower.solveTriangular(.identity(size), .lower)
      let smallest = cholesky.reciprocalCondition * largest - threshold
      spectrum = SpectrumReport(
        smallest: Double(smallest), largest: Double(largest), threshold: Double(threshold), clippedCount: 0)
    }
  }

  /// Vectors as rows of `vectors`, of shape [p, n], in whitened coordinates: x W ᵀ.
  public func whiten(_ vectors: Tensor<Scalar>) -> Tensor<Scalar> { vectors.matmul(whitener, transposingB: true) }

  /// Whitened vectors as rows, of shape [p, n], in the original coordinates.
  public func unwhiten(_ vectors: Tensor<Scalar>) -> Tensor<Scalar> { vectors.matmul(unwhitener, transposingB: true) }
}
