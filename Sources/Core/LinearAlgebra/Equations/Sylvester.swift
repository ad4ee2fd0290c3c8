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

/// A X + X B = C. With the Schur forms kept, many right sides cost little more than one. Derivatives flow to A, B and C.
public struct SylvesterEquation<Scalar: LinearScalar>: Sendable {
  private let a: Tensor<Scalar>, b: Tensor<Scalar>
  private let left: SchurDecomposition<Scalar>
  private let right: SchurDecomposition<Scalar>

  /// - Parameters: a: A, of shape [m, m]; b: B, of shape [n, n].
  /// - Throws: `InvalidArgument` unless both are square and finite; `DecompositionError.notConverged`.
  /// - Complexity: O(m³ + n³) time.
  public init(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) throws {
    left = try SchurDecomposition(of: a.withoutDerivative.validSquare("a"))
    right = try SchurDecomposition(of: b.withoutDerivative.validSquare("b"))
    (self.a, self.b) = (a, b)
  }

  /// The same equation at another level of differentiation.
  private init(_ other: SylvesterEquation, _ a: Tensor<Scalar>, _ b: Tensor<Scalar>) {
    (self.a, self.b, left, right) = (a, b, other.left, other.right)
  }

  /// X, of shape [m, n].
  ///
  /// - Throws: `InvalidArgument` unless C has shape [m, n] and is finite; `MatrixEquationError.commonEigenvalues`.
  /// - Complexity: O(m n (m + n)) time.
  /// - Source: Bartels and Stewart, Comm. ACM 15 (1972); the triangular equation by recursion.
  public func solve(_ c: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try c.withoutDerivative.requireShape([left.upper.rows, right.upper.rows], "c")
    return try solution(c, transposing: false)
  }

  /// X, or that of Aᵀ X + X Bᵀ = C. With Y the solution of the other equation for a cotangent of X, that of C is Y, that
  /// of A is -Y Xᵀ, and that of B is -Xᵀ Y; for the second equation both transposed.
  func solution(_ c: Tensor<Scalar>, transposing: Bool) throws -> Tensor<Scalar> {
    guard a.isDifferentiated || b.isDifferentiated || c.isDifferentiated else {
      let rotated = left.orthogonal.matmul(c, transposingA: true).matmul(right.orthogonal)
      let solver = TriangularSylvester<Scalar>(transposingA: transposing, transposingB: transposing)
      let y = try solveTriangularSylvester(left.upper, right.upper, rotated, solver)
      return left.orthogonal.matmul(y).matmul(right.orthogonal, transposingB: true)
    }
    return try customDerivatives(at: [a, b, c]) { arguments in
      let equation = SylvesterEquation(self, arguments[0], arguments[1])
      let x = try equation.solution(arguments[2], transposing: transposing)
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil, nil] }
          let y = orNotANumber(x.shape) { try equation.solution(g, transposing: !transposing) }
          let byA = transposing ? x.matmul(y, transposingB: true) : y.matmul(x, transposingB: true)
          let byB = transposing ? y.matmul(x, transposingA: true) : x.matmul(y, transposingA: true)
          return [wanted[0] ? -byA : nil, wanted[1] ? -byB : nil, y]
        }
      )
    }[0]
  }
}

/// A X + X Aᵀ = Q: the steady state covariance of dx = A x dt + noise with covariance -Q.
///
/// X is symmetric when Q is, and positive definite when moreover A is stable and Q negative definite. Derivatives flow
/// to A and Q.
public struct LyapunovEquation<Scalar: LinearScalar>: Sendable {
  private let a: Tensor<Scalar>
  private let form: SchurDecomposition<Scalar>

  /// - Parameter a: A, of shape [n, n].
  /// - Throws: `InvalidArgument` unless it is square and finite; `DecompositionError.notConverged`.
  public init(_ a: Tensor<Scalar>) throws {
    form = try SchurDecomposition(of: a.withoutDerivative.validSquare("a"))
    self.a = a
  }

  private init(_ other: LyapunovEquation, _ a: Tensor<Scalar>) { (self.a, form) = (a, other.form) }

  /// X with A X + X Aᵀ = Q, of shape [n, n]; exactly symmetric when Q is.
  ///
  /// - Throws: `InvalidArgument` unless Q has shape [n, n] and is finite; `MatrixEquationError.commonEigenvalues` when two
  ///   eigenvalues of A sum to zero.
  /// - Complexity: O(n³) time.
  /// - Source: Bartels and Stewart, Comm. ACM 15 (1972).
  public func solve(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> { try validSolution(q, transposing: false) }

  /// X with Aᵀ X + X A = Q: the cost of running down to rest.
  ///
  /// - Throws: as ``solve(_:)``.
  public func solveTransposed(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> { try validSolution(q, transposing: true) }

  private func validSolution(_ q: Tensor<Scalar>, transposing: Bool) throws -> Tensor<Scalar> {
    try q.withoutDerivative.requireShape(form.upper.shape, "q")
    return try solution(q, transposing: transposing)
  }

  /// With Y the solution of the other equation for a cotangent of X, that of Q is Y, that of A is -(Y Xᵀ + Yᵀ X), or
  /// -(X Yᵀ + Xᵀ Y) for the transposed equation.
  private func solution(_ q: Tensor<Scalar>, transposing: Bool) throws -> Tensor<Scalar> {
    guard a.isDifferentiated || q.isDifferentiated else {
      let u = form.orthogonal
      let solver = TriangularSylvester<Scalar>(transposingA: transposing, transposingB: !transposing)
      let y = try solveTriangularSylvester(form.upper, form.upper, u.matmul(q, transposingA: true).matmul(u), solver)
      let x = u.matmul(y).matmul(u, transposingB: true)
      return q == q.transposed ? x.symmetrized : x
    }
    return try customDerivatives(at: [a, q]) { arguments in
      let equation = LyapunovEquation(self, arguments[0])
      let x = try equation.solution(arguments[1], transposing: transposing)
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          let y = orNotANumber(x.shape) { try equation.solution(g, transposing: !transposing) }
          guard wanted[0] else { return [nil, y] }
          let (first, second) = transposing ? (x, y) : (y, x)
          return [-(first.matmul(second, transposingB: true) + first.matmul(second, transposingA: true)), y]
        }
      )
    }[0]
  }
}

/// A X Aᵀ - X + Q = 0: the steady state covariance of x ← A x + noise with covariance Q. Derivatives flow to A and Q.
public struct DiscreteLyapunovEquation<Scalar: LinearScalar>: Sendable {
  private let a: Tensor<Scalar>
  private let form: SchurDecomposition<Scalar>

  /// - Parameter a: A, of shape [n, n]; it need not be stable.
  /// - Throws: `InvalidArgument` unless it is square and finite; `DecompositionError.notConverged`.
  public init(_ a: Tensor<Scalar>) throws {
    form = try SchurDecomposition(of: a.withoutDerivative.validSquare("a"))
    self.a = a
  }

  private init(_ other: DiscreteLyapunovEquation, _ a: Tensor<Scalar>) { (self.a, form) = (a, other.form) }

  /// X, of shape [n, n]; exactly symmetric when Q is.
  ///
  /// - Throws: `InvalidArgument` unless Q has shape [n, n] and is finite; `MatrixEquationError.commonEigenvalues` when two
  ///   eigenvalues of A have the product one.
  /// - Complexity: O(n³) time.
  /// - Source: Barraud, IEEE Trans. Autom. Control 22 (1977); the triangular equation by recursion.
  public func solve(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try q.withoutDerivative.requireShape(form.upper.shape, "q")
    guard a.isDifferentiated || q.isDifferentiated else { return try plainSolution(q) }
    // With Aᵀ Y A - Y + g = 0 for a cotangent g of X, that of Q is Y, that of A is Y A Xᵀ + Yᵀ A X.
    return try customDerivatives(at: [a, q]) { arguments in
      let a = arguments[0]
      let x = try DiscreteLyapunovEquation(self, a).solve(arguments[1])
      return (
        [x],
        { cotangents, _ in
          guard let g = cotangents[0] else { return [nil, nil] }
          let y = orNotANumber(x.shape) { try DiscreteLyapunovEquation(a.transposed).solve(g) }
          let towardsA =
            y.matmul(a).matmul(x, transposingB: true) + y.matmul(a, transposingA: true).matmul(x)
          return [towardsA, y]
        }
      )
    }[0]
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func plainSolution(_ q: Tensor<Scalar>) throws -> Tensor<Scalar> {
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
