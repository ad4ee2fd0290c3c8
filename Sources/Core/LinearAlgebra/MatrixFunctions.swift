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

  /// Takes the roots of `matrix`, of shape [n, n]. Derivatives flow through both, also where eigenvalues coincide.
  ///
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric, finite, and positive semi-definite up to rounding, when
  ///   all of it is zero and small eigenvalues are to be raised, and when any is small while a derivative is being taken:
  ///   what is clipped has none (add a multiple of the identity first).
  /// - Complexity: O(n³) time.
  public init(of matrix: Tensor<Scalar>, small: SmallEigenvalues = .raised()) throws {
    let clipped = try ClippedSpectrum(of: matrix.withoutDerivative, small)
    spectrum = clipped.report
    let numbers = Roots(root: clipped.matrix(clipped.roots), inverse: clipped.matrix(clipped.inverseRoots))
    guard matrix.isDifferentiated else {
      (root, inverseRoot) = (numbers.root, numbers.inverse)
      return
    }
    guard spectrum.clippedCount == 0 else {
      throw InvalidArgument(
        "matrix", found: "\(spectrum.clippedCount) eigenvalues below \(spectrum.threshold)",
        wanted: "a positive definite matrix, as long as it is being differentiated")
    }
    let vectors = clipped.eigen.vectors
    let roots = numbers.differentiated(of: matrix) { root, g in
      let eigen = SymmetricEigendecomposition(values: clipped.roots, vectors: vectors, of: root)
      return SymmetricKroneckerSum(eigen, eigen).solution(g.symmetrized)
    }
    (root, inverseRoot) = (roots.root, roots.inverse)
  }
}

/// A square root found by iteration, with its inverse.
public struct IteratedRoots<Scalar: LinearScalar>: Sendable {
  public let root: Tensor<Scalar>
  public let inverseRoot: Tensor<Scalar>
  /// The residual is the largest element of the identity's error, and says when the root is not to be trusted.
  public let convergence: Convergence
}

extension IteratedRoots {
  fileprivate func differentiated(
    of matrix: Tensor<Scalar>, _ solve: @escaping (Tensor<Scalar>, Tensor<Scalar>) -> Tensor<Scalar>
  ) -> IteratedRoots {
    let roots = Roots(root: root, inverse: inverseRoot).differentiated(of: matrix, solve)
    return IteratedRoots(root: roots.root, inverseRoot: roots.inverse, convergence: convergence)
  }
}

/// R with R² = A, and R⁻¹.
private struct Roots<Scalar: LinearScalar> {
  let root: Tensor<Scalar>
  let inverse: Tensor<Scalar>

  /// These numbers as the roots of `matrix`, with derivatives: A's cotangent Y is the solution of Rᵀ Y + Y Rᵀ = g for
  /// that of R, which is what comes for R, less R⁻ᵀ h R⁻ᵀ for what comes for R⁻¹.
  ///
  /// - Parameter solve: returns Y for R and g.
  func differentiated(
    of matrix: Tensor<Scalar>, _ solve: @escaping (_ root: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar>
  ) -> Roots {
    guard matrix.isDifferentiated else { return self }
    let results = customDerivatives(at: [matrix]) { arguments in
      let roots = differentiated(of: arguments[0], solve)
      return (
        [roots.root, roots.inverse],
        { cotangents, _ in
          let byInverse = cotangents[1].map { inverseCotangent(roots.inverse, $0) }
          guard let first = cotangents[0] ?? byInverse else { return [nil] }
          let isBoth = cotangents[0] != nil && byInverse != nil
          return [solve(roots.root, isBoth ? first + (byInverse ?? first) : first)]
        }
      )
    }
    return Roots(root: results[0], inverse: results[1])
  }
}

extension Tensor where Scalar: LinearScalar {
  /// The principal square root of a general square matrix, whose eigenvalues have positive real parts, and its inverse.
  ///
  /// It exists for matrices without eigenvalues on the closed negative real axis; otherwise the iteration wanders, and
  /// the convergence says so. Symmetric matrices are better served by ``SymmetricRoots``.
  ///
  /// Derivatives are those of the root itself, by a Sylvester equation, not of the iteration.
  ///
  /// - Parameter tolerance: of the residual max |M - I|; by default the precision times ten times the size.
  /// - Throws: `InvalidArgument` unless this is square and finite; `DecompositionError.singular`.
  /// - Complexity: O(n³) time an iteration; five to ten iterations are usual.
  /// - Source: the product form of Denman and Beavers' iteration with determinantal scaling; Cheng, Higham, Kenney and
  ///   Laub, SIAM J. Matrix Anal. Appl. 22 (2001); Higham, "Functions of matrices", equation (6.29).
  public func principalSquareRoot(tolerance: Double? = nil, iterationLimit: Int = 50) throws -> IteratedRoots<Scalar> {
    if isDifferentiated {
      return try withoutDerivative.principalSquareRoot(tolerance: tolerance, iterationLimit: iterationLimit)
        .differentiated(of: self) { root, g in
          orNotANumber(g.shape) { try SylvesterEquation(root, root).solution(g, transposing: true) }
        }
    }
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
  /// steps. Derivatives are those of the roots themselves, not of the iteration.
  ///
  /// - Throws: `InvalidArgument` unless this is symmetric and finite.
  /// - Complexity: three products of n × n matrices an iteration.
  /// - Source: Higham, "Functions of matrices", equation (6.35).
  public func newtonSchulzRoots(tolerance: Double? = nil, iterationLimit: Int = 60) throws -> IteratedRoots<Scalar> {
    if isDifferentiated {
      return try withoutDerivative.newtonSchulzRoots(tolerance: tolerance, iterationLimit: iterationLimit)
        .differentiated(of: self) { root, g in
          orNotANumber(g.shape) {
            let eigen = try SymmetricEigendecomposition(of: root.symmetrized)
            return SymmetricKroneckerSum(eigen, eigen).solution(g.symmetrized)
          }
        }
    }
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
