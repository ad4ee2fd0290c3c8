// Functions of matrices, their derivatives and their condition.

public import Tensors

/// Why a function of a matrix has no principal value.
public enum MatrixFunctionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A real eigenvalue that is zero or negative: roots, logarithm and real powers have their cut there.
  case eigenvalueOnCut(Double)

  public var description: String {
    switch self {
    case .eigenvalueOnCut(let value): "no principal value: \(value) is an eigenvalue, on the closed negative real axis"
    }
  }
}

/// A function of a matrix, and its derivative in one direction.
public struct DirectionalDerivative<Scalar: LinearScalar>: Sendable {
  /// f(A), of shape [n, n].
  public let value: Tensor<Scalar>
  /// L(A, E), of shape [n, n]: f(A + h E) = f(A) + h L(A, E) + O(h²).
  public let derivative: Tensor<Scalar>
}

/// A function of square matrices, in the sense of Jordan's form: not of their elements one by one.
///
/// ```swift
/// let propagator = try MatrixFunction.exponential(generator)
/// let slope = try MatrixFunction.exponential.derivative(at: generator, along: direction)
/// ```
public enum MatrixFunction: Sendable, Hashable {
  /// e^A, by scaling and squaring.
  case exponential
  /// The principal logarithm: eigenvalues with imaginary parts in (-π, π).
  case logarithm
  /// The principal square root: eigenvalues with positive real parts.
  case squareRoot
  /// A^p. Whole powers by products, of any matrix; others as A^k exp((p - k) log A) with k next to p.
  case power(Double)
  /// Eigenvalues become the signs of their real parts.
  case sign
  case cosine
  case sine

  /// f(A), of shape [n, n]. Derivatives flow through it, to any order: the adjoint of L(A, ·) is L(Aᵀ, ·).
  ///
  /// - Throws: `InvalidArgument` unless A is square and finite; `MatrixFunctionError.eigenvalueOnCut`;
  ///   `DecompositionError` and `MatrixEquationError` where A is singular, or too near to a matrix without principal value.
  /// - Complexity: O(n³): 10 to 20 products for the exponential, about 25 n³ operations for the Schur form of the others.
  /// - Source: Higham, "Functions of matrices", 2008.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func callAsFunction<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) throws -> Tensor<Scalar> {
    if matrix.isDifferentiated { return try differentiated(matrix) }
    let a = try matrix.validSquare()
    switch self {
    case .exponential: return try a.matrixExponential()
    case .cosine: return try rotation(a).cosine
    case .sine: return try rotation(a).sine
    case .sign: return try matrixSign(a)
    case .power(let p) where p.rounded() == p: return try wholePower(a, p)
    case .logarithm, .squareRoot, .power: return try onSchurForm(of: a) { try $0.schurFunction(self) }
    }
  }

  /// f(A) and its Fréchet derivative along E.
  ///
  /// The exponential's is computed by its own algorithm, the others' from f of [A, E; 0, A], which has it in a corner.
  /// - Parameters: matrix: A, and direction: E, both of shape [n, n].
  /// - Throws: as the function itself.
  /// - Complexity: about three times the exponential, and up to eight times the others.
  /// - Source: Mathias, SIAM J. Matrix Anal. Appl. 17 (1996), for the block matrix.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func derivative<Scalar: LinearScalar>(
    at matrix: Tensor<Scalar>, along direction: Tensor<Scalar>
  ) throws -> DirectionalDerivative<Scalar> {
    if matrix.isDifferentiated || direction.isDifferentiated {
      _ = try matrix.withoutDerivative.validSquare()
      try direction.withoutDerivative.requireShape(matrix.shape, "direction")
      return split(try self(doubled(matrix, direction)))
    }
    let a = try matrix.validSquare()
    try direction.requireShape(a.shape, "direction")
    let e = direction.dense
    guard a.rows > 0 else { return DirectionalDerivative(value: a, derivative: a) }
    switch self {
    case .exponential: return try exponentialDerivative(at: a, along: e)
    case .cosine, .sine, .sign: return split(try self(doubled(a, e)))
    case .power(let p) where p.rounded() == p: return split(try self(doubled(a, e)))
    case .logarithm, .squareRoot, .power:
      // The doubled matrix is quasi-triangular in the basis of A's Schur form.
      let form = try SchurDecomposition(of: a)
      try requirePrincipalValue(form)
      let q = form.orthogonal
      let rotated = q.matmul(e, transposingA: true).matmul(q)
      let parts = split(try doubled(form.upper, rotated).schurFunction(self))
      return DirectionalDerivative(
        value: q.matmul(parts.value).matmul(q, transposingB: true),
        derivative: q.matmul(parts.derivative).matmul(q, transposingB: true))
    }
  }

  /// The relative condition number max ‖L(A, E)‖ ‖A‖ / ‖f(A)‖ over ‖E‖ = 1 in the Frobenius norm: by how much relative
  /// errors in A grow. Estimated from below by power iteration; a few steps give the magnitude.
  ///
  /// - Throws: as the function itself.
  /// - Complexity: two derivatives an iteration.
  /// - Source: Higham, "Functions of matrices", algorithm 3.20.
  public func condition<Scalar: LinearScalar>(at matrix: Tensor<Scalar>, iterations: Int = 4) throws -> Scalar {
    let a = try matrix.validSquare()
    guard a.rows > 0 else { return 0 }
    let adjoint = a.transposed.dense
    // Any fixed direction with a part along the largest; far from symmetric, lest structure hides it.
    var random = RandomStream(seed: 1)
    var direction: Tensor<Scalar> = random.normal(a.shape)
    var growth: Scalar = 0
    var value = a
    for _ in 0..<max(iterations, 1) {
      direction /= direction.frobeniusNorm()
      let forward = try derivative(at: a, along: direction)
      value = forward.value
      growth = max(growth, forward.derivative.frobeniusNorm())
      // The adjoint of L(A, ·) is L(Aᵀ, ·).
      direction = try derivative(at: adjoint, along: forward.derivative).derivative
      guard direction.frobeniusNorm() > 0 else { break }
    }
    let size = value.frobeniusNorm()
    return size > 0 ? growth * a.frobeniusNorm() / size : .infinity
  }
}

extension MatrixFunction {
  /// The function with its derivative rule.
  fileprivate func differentiated<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try customDerivatives(at: [matrix]) { arguments in
      let a = arguments[0]
      return (
        [try self(a)],
        { cotangents, _ in
          [cotangents[0].map { g in orNotANumber(a.shape) { try derivative(at: a.transposed, along: g).derivative } }]
        }
      )
    }[0]
  }
}

extension Tensor where Scalar: LinearScalar {
  /// One of the functions that need a quasi-triangular argument.
  fileprivate func schurFunction(_ function: MatrixFunction) throws -> Tensor {
    let t = QuasiTriangular(self)
    switch function {
    case .logarithm: return try t.logarithm()
    case .squareRoot: return try t.squareRoot()
    case .power(let p):
      let whole = p.rounded()
      return try wholePower(self, whole).matmul(t.power(Scalar(p - whole)))
    default: preconditionFailure("\(function) is not computed on the Schur form")
    }
  }
}

private func requirePrincipalValue<Scalar: LinearScalar>(_ form: SchurDecomposition<Scalar>) throws {
  for value in form.values where value.imaginary == 0 && value.real <= 0 {
    throw MatrixFunctionError.eigenvalueOnCut(Double(value.real))
  }
}

private func onSchurForm<Scalar: LinearScalar>(
  of a: Tensor<Scalar>, _ function: (Tensor<Scalar>) throws -> Tensor<Scalar>
) throws -> Tensor<Scalar> {
  let form = try SchurDecomposition(of: a)
  try requirePrincipalValue(form)
  let q = form.orthogonal
  return q.matmul(try function(form.upper)).matmul(q, transposingB: true)
}

/// [A, E; 0, A].
private func doubled<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ e: Tensor<Scalar>) -> Tensor<Scalar> {
  let zero = Tensor<Scalar>.zeros(a.shape)
  return .concatenated([.concatenated([a, e], axis: 1), .concatenated([zero, a], axis: 1)], axis: 0)
}

private func split<Scalar: LinearScalar>(_ blocks: Tensor<Scalar>) -> DirectionalDerivative<Scalar> {
  let n = blocks.rows / 2
  return DirectionalDerivative(value: blocks[0..<n, 0..<n].dense, derivative: blocks[0..<n, n..<2 * n].dense)
}

/// A^k for a whole k, by squaring.
private func wholePower<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ power: Double) throws -> Tensor<Scalar> {
  guard power.magnitude <= 1e9 else {
    throw InvalidArgument("power", found: "\(power)", wanted: "a power of at most 1e9")
  }
  var rest = Int(power.magnitude)
  var square = power < 0 ? try a.inverse() : a
  var result: Tensor<Scalar>?
  while rest > 0 {
    if rest & 1 == 1 { result = result?.matmul(square) ?? square }
    rest >>= 1
    if rest > 0 { square = square.matmul(square) }
  }
  return result ?? .identity(a.rows)
}

/// cos A and sin A, from exp of [0, -A; A, 0] = [cos A, -sin A; sin A, cos A].
private func rotation<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>
) throws -> (cosine: Tensor<Scalar>, sine: Tensor<Scalar>) {
  let n = a.rows
  let zero = Tensor<Scalar>.zeros([n, n])
  let generator = Tensor.concatenated(
    [.concatenated([zero, -a], axis: 1), .concatenated([a, zero], axis: 1)], axis: 0)
  let turned = try generator.matrixExponential()
  return (turned[0..<n, 0..<n].dense, turned[n..<2 * n, 0..<n].dense)
}

/// Newton's iteration X ← (X + X⁻¹) / 2, scaled by the determinant until it is near.
///
/// Source: Higham, "Functions of matrices", section 5.5; Byers, Linear Algebra Appl. 85 (1987).
private func matrixSign<Scalar: LinearScalar>(_ a: Tensor<Scalar>) throws -> Tensor<Scalar> {
  let size = a.rows
  guard size > 0 else { return a }
  var x = a
  var isScaled = true
  var previous = Scalar.infinity
  for _ in 0..<100 {
    let inverse = try x.inverse()
    let logarithm = isScaled ? try x.logDeterminant().logarithm : 0
    let scale = Scalar.exp(-logarithm / Scalar(size))
    let next = (x * scale + inverse * (1 / scale)) * 0.5
    let change = (next - x).oneNorm() / next.oneNorm()
    guard change.isFinite else { break }
    x = next
    if change < 0.01 { isScaled = false }
    // The last steps halve the digits that are missing; then rounding stops the progress.
    let isDone = change <= Scalar(size) * .ulpOfOne || (!isScaled && change < 1e-4 && change >= previous / 2)
    if isDone { return x }
    previous = change
  }
  throw DecompositionError.notConverged("the iteration for the sign (are eigenvalues on the imaginary axis?)")
}
