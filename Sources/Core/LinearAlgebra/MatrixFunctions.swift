// Square roots of matrices.

public import Tensors

/// The square root of a symmetric positive semi-definite matrix, and its inverse, from the eigenvalues.
public struct SymmetricRoots<Scalar: LinearScalar>: Sendable {
  /// A^(1/2), of shape [n, n], symmetric positive semi-definite.
  public let root: Tensor<Scalar>
  /// A^(-1/2), of shape [n, n].
  public let inverseRoot: Tensor<Scalar>
  /// The eigenvalues of A, and what was done about small ones.
  public let spectrum: SpectrumReport

  /// Takes the roots of `matrix`, of shape [n, n].
  ///
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric, finite, and positive semi-definite up to rounding, and
  ///   when all of it is zero and small eigenvalues are to be raised.
  /// - Complexity: O(n³) time.
  public init(of matrix: Tensor<Scalar>, small: SmallEigenvalues = .raised()) throws {
    let clipped = try ClippedSpectrum(of: matrix, small)
    (root, inverseRoot) = (clipped.matrix(clipped.roots), clipped.matrix(clipped.inverseRoots))
    spectrum = clipped.report
  }
}

/// A square root found by iteration, with its inverse.
public struct IteratedRoots<Scalar: LinearScalar>: Sendable {
  public let root: Tensor<Scalar>
  public let inverseRoot: Tensor<Scalar>
  /// The residual is the largest element of the identity's error, and says when the root is not to be trusted.
  public let convergence: Convergence
}

extension Tensor where Scalar: LinearScalar {
  /// The principal square root of a general square matrix, whose eigenvalues have positive real parts, and its inverse.
  ///
  /// It exists for matrices without eigenvalues on the closed negative real axis; otherwise the iteration wanders, and
  /// the convergence says so. Symmetric matrices are better served by ``SymmetricRoots``.
  ///
  /// - Parameter tolerance: of the residual max |M - I|; by default the precision times ten times the size.
  /// - Throws: `InvalidArgument` unless this is square and finite; `DecompositionError.singular`.
  /// - Complexity: O(n³) time an iteration; five to ten iterations are usual.
  /// - Source: the product form of Denman and Beavers' iteration with determinantal scaling; Cheng, Higham, Kenney and
  ///   Laub, SIAM J. Matrix Anal. Appl. 22 (2001); Higham, "Functions of matrices", equation (6.29).
  public func principalSquareRoot(tolerance: Double? = nil, iterationLimit: Int = 50) throws -> IteratedRoots<Scalar> {
    let a = try validSquare()
    let size = a.rows
    let identity = Tensor.identity(size)
    var convergence = Convergence(
      tolerance: tolerance ?? 10 * Double(Scalar.ulpOfOne) * Double(size + 1), iterationLimit: iterationLimit)
    var x = a
    var y = identity
    var m = a
    var isScaled = true
    while convergence.continues(residual: Double((m - identity).maximumNorm())) {
      let inverse = try m.inverse()
      // Scaling brings the eigenvalues near the unit circle; once they are near one it would only slow the end.
      let logarithm = isScaled ? try m.logDeterminant().logarithm : 0
      let scale = isScaled ? Scalar.exp(-logarithm / Scalar(2 * size)) : 1
      let square = scale * scale
      let half = (identity + inverse * (1 / square)) * (scale / 2)
      x = x.matmul(half)
      y = y.matmul(half)
      let next = (m * square + inverse * (1 / square)) * 0.25 + identity * 0.5
      guard next.isFinite, x.isFinite, y.isFinite else { break }
      m = next
      if convergence.residual < 0.1 { isScaled = false }
    }
    return IteratedRoots(root: x, inverseRoot: y, convergence: convergence)
  }

  /// A^(1/2) and A^(-1/2) of a symmetric positive definite matrix by matrix products alone.
  ///
  /// The coupled Newton–Schulz iteration: quadratic convergence once near, and about log(κ) / log(9/4) steps before for
  /// a condition number κ, so beyond κ = 1 / sqrt(precision) the eigenvalues are the better way. A singular matrix does
  /// not converge, and the result says so. Useful where products are much faster than eigenvalues, or on many small
  /// steps.
  ///
  /// - Throws: `InvalidArgument` unless this is symmetric and finite.
  /// - Complexity: three products of n × n matrices an iteration.
  /// - Source: Higham, "Functions of matrices", equation (6.35).
  public func newtonSchulzRoots(tolerance: Double? = nil, iterationLimit: Int = 60) throws -> IteratedRoots<Scalar> {
    let a = try validSymmetric()
    let size = a.rows
    let identity = Tensor.identity(size)
    var convergence = Convergence(
      tolerance: tolerance ?? 10 * Double(Scalar.ulpOfOne) * Double(size + 1), iterationLimit: iterationLimit)
    // The Frobenius norm bounds the eigenvalues: they start in (0, 1].
    let norm = a.frobeniusNorm()
    guard norm > 0 else {
      if size > 0 { _ = convergence.continues(residual: 1) }
      return IteratedRoots(root: a, inverseRoot: a, convergence: convergence)
    }
    var y = a / norm
    var z = identity
    while true {
      let error = identity - z.matmul(y)
      if !convergence.continues(residual: Double(error.maximumNorm())) { break }
      let correction = identity + error * 0.5
      y = y.matmul(correction)
      z = correction.matmul(z)
    }
    let scale = Scalar.sqrt(norm)
    return IteratedRoots(root: y * scale, inverseRoot: z / scale, convergence: convergence)
  }
}
