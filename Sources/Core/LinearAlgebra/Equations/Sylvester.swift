// Linear matrix equations.

public import Tensors

/// Why a matrix equation has no unique solution of the kind that was asked for.
public enum MatrixEquationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The linear equation is singular, or so close to it that its solution would be meaningless: for A X + X B = C, an
  /// eigenvalue of A and one of -B coincide; for the discrete equation, two eigenvalues have the product one.
  case commonEigenvalues
  /// The Riccati equation has no stabilizing solution: eigenvalues lie on the boundary of stability, or a mode cannot be
  /// controlled.
  case noStabilizingSolution

  public var description: String {
    switch self {
    case .commonEigenvalues: "the matrix equation is singular: eigenvalues of its coefficients coincide"
    case .noStabilizingSolution: "the Riccati equation has no stabilizing solution"
    }
  }
}

/// A X + X B = C. With the Schur forms kept, many right sides cost little more than one.
public struct SylvesterEquation<Scalar: LinearScalar>: Sendable {
  private let left: SchurDecomposition<Scalar>
  private let right: SchurDecomposition<Scalar>

  /// - Parameters: a: A, of shape [m, m]; b: B, of shape [n, n].
  /// - Throws: `InvalidArgument` unless both are square and finite; `DecompositionError.notConverged`.
  /// - Complexity: O(m³ + n³) time.
  public init(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) throws {
    left = try SchurDecomposition(of: a.validSquare("a"))
    right = try SchurDecomposition(of: b.validSquare("b"))
  }

  /// X, of shape [m, n].
  ///
  /// - Throws: `InvalidArgument` unless C has shape [m, n] and is finite; `MatrixEquationError.commonEigenvalues`.
  /// - Complexity: O(m n (m + n)) time.
  /// - Source: Bartels and Stewart, Comm. ACM 15 (1972); the triangular equation by recursion.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func solve(_ c: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try c.requireShape([left.upper.rows, right.upper.rows], "c")
    let rotated = left.orthogonal.matmul(c, transposingA: true).matmul(right.orthogonal)
    let y = try solveTriangularSylvester(left.upper, right.upper, rotated, TriangularSylvester())
    return left.orthogonal.matmul(y).matmul(right.orthogonal, transposingB: true)
  }
}

/// A X + X Aᵀ = Q: the steady state covariance of dx = A x dt + noise with covariance -Q.
///
/// X is symmetric when Q is, and positive definite when moreover A is stable and Q negative definite.
public struct LyapunovEquation<Scalar: LinearScalar>: Sendable {
  private let form: SchurDecomposition<Scalar>

  /// - Parameter a: A, of shape [n, n].
  /// - Throws: `InvalidArgument` unless it is square and finite; `DecompositionError.notConverged`.
  public init(_ a: Tensor<Scalar>) throws { form = try SchurDecomposition(of: a.validSquare("a")) }

  /// X with A X + X Aᵀ = Q, of shape [n, n]; exactly symmetric when Q is.
  ///
  /// - Throws: `InvalidArgument` unless Q has shape [n, n] and is finite; `MatrixEquationError.commonEigenvalues` when two
  ///   eigenvalues of A sum to zero.
  /// - Complexity: O(n³) time.
  /// - Source: Bartels and Stewart, Comm. ACM 15 (1972).
  public func solve(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try solve(q, TriangularSylvester(transposingB: true))
  }

  /// X with Aᵀ X + X A = Q: the cost of running down to rest.
  ///
  /// - Throws: as ``solve(_:)``.
  public func solveTransposed(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try solve(q, TriangularSylvester(transposingA: true))
  }

  private func solve(_ q: Tensor<Scalar>, _ solver: TriangularSylvester<Scalar>) throws -> Tensor<Scalar> {
    try q.requireShape(form.upper.shape, "q")
    let u = form.orthogonal
    let y = try solveTriangularSylvester(form.upper, form.upper, u.matmul(q, transposingA: true).matmul(u), solver)
    let x = u.matmul(y).matmul(u, transposingB: true)
    return q == q.transposed ? x.symmetrized : x
  }
}

/// A X Aᵀ - X + Q = 0: the steady state covariance of x ← A x + noise with covariance Q.
public struct DiscreteLyapunovEquation<Scalar: LinearScalar>: Sendable {
  private let form: SchurDecomposition<Scalar>

  /// - Parameter a: A, of shape [n, n]; it need not be stable.
  /// - Throws: `InvalidArgument` unless it is square and finite; `DecompositionError.notConverged`.
  public init(_ a: Tensor<Scalar>) throws { form = try SchurDecomposition(of: a.validSquare("a")) }

  /// X, of shape [n, n]; exactly symmetric when Q is.
  ///
  /// - Throws: `InvalidArgument` unless Q has shape [n, n] and is finite; `MatrixEquationError.commonEigenvalues` when two
  ///   eigenvalues of A have the product one.
  /// - Complexity: O(n³) time.
  /// - Source: Barraud, IEEE Trans. Autom. Control 22 (1977); the triangular equation by recursion.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func solve(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try q.requireShape(form.upper.shape, "q")
    let size = form.upper.rows
    guard size > 0 else { return q }
    let u = form.orthogonal
    // Both sides column-major: transposed.
    var t = form.upper.transposed.dense
    var y = (-u.matmul(q, transposingA: true).matmul(u)).transposed.dense
    var work = Tensor<Scalar>.zeros([size, size])
    let isSingular = t.withUnsafeMutableBuffer { t in
      y.withUnsafeMutableBuffer { y in
        work.withUnsafeMutableBuffer { work in
          var solver = TriangularStein(work: work.baseAddress!)
          let a = Block(t.baseAddress!, size, size, leading: size)
          solver.solve(a, a, Block(y.baseAddress!, size, size, leading: size))
          return solver.isSingular
        }
      }
    }
    guard !isSingular, y.isFinite else { throw MatrixEquationError.commonEigenvalues }
    let x = u.matmul(y.transposed).matmul(u, transposingB: true)
    return q == q.transposed ? x.symmetrized : x
  }
}

extension Tensor where Scalar: LinearScalar {
  /// Throws unless this has the shape and is finite.
  func requireShape(_ wanted: [Int], _ name: String) throws {
    requireConstant()
    guard shape == wanted else { throw InvalidArgument(name, found: "shape \(shape)", wanted: "shape \(wanted)") }
    try requireFinite(name)
  }
}

/// The solution of a Sylvester equation with quasi-triangular A and B.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func solveTriangularSylvester<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>, _ b: Tensor<Scalar>, _ c: Tensor<Scalar>, _ solver: TriangularSylvester<Scalar>
) throws -> Tensor<Scalar> {
  let (m, n) = (a.rows, b.rows)
  guard m > 0, n > 0 else { return c }
  var solver = solver
  var left = a.transposed.dense
  var right = b.transposed.dense
  var x = c.transposed.dense
  left.withUnsafeMutableBuffer { a in
    right.withUnsafeMutableBuffer { b in
      x.withUnsafeMutableBuffer { x in
        solver.solve(
          Block(a.baseAddress!, m, m, leading: m), Block(b.baseAddress!, n, n, leading: n),
          Block(x.baseAddress!, m, n, leading: m))
      }
    }
  }
  guard !solver.isSingular, x.isFinite else { throw MatrixEquationError.commonEigenvalues }
  return x.transposed
}
