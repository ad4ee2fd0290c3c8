// Kronecker products and sums, which are never formed.

public import Tensors

/// A₁ ⊗ A₂ ⊗ ... ⊗ A_k as an operator: its matrix has as many rows as the product of theirs.
///
/// A vector it acts on is a tensor of shape [n₁, ..., n_k] laid out row by row, and factor i acts along axis i.
/// Derivatives flow to the vectors and to the factors.
public struct KroneckerProduct<Scalar: LinearScalar>: Sendable {
  public let factors: [Tensor<Scalar>]

  /// - Throws: `InvalidArgument` unless all factors are matrices of finite numbers, and there is one.
  public init(_ factors: [Tensor<Scalar>]) throws {
    guard !factors.isEmpty else { throw InvalidArgument("factors", found: "none", wanted: "at least one matrix") }
    self.factors = try factors.enumerated().map { i, factor in
      let numbers = try factor.withoutDerivative.validMatrix("factors[\(i)]")
      return factor.isDifferentiated ? factor : numbers
    }
  }

  public var rows: Int { factors.reduce(1) { $0 * $1.rows } }
  public var columns: Int { factors.reduce(1) { $0 * $1.columns } }
  public var transposed: KroneckerProduct { KroneckerProduct(unchecked: factors.map { $0.transposed.dense }) }

  private init(unchecked factors: [Tensor<Scalar>]) { self.factors = factors }

  /// The product with x, of shape [columns] or [columns, p].
  ///
  /// - Complexity: O(N sum of nᵢ) time for N elements, against O(N²) of the matrix.
  /// - Source: Van Loan, "The ubiquitous Kronecker product", J. Comput. Appl. Math. 123 (2000).
  public func multiply(_ x: Tensor<Scalar>, transposing: Bool = false) -> Tensor<Scalar> {
    let wanted = transposing ? rows : columns
    precondition(
      (x.rank == 1 || x.rank == 2) && x.shape[0] == wanted,
      "a Kronecker product of \(wanted) columns was applied to shape \(x.shape)")
    guard x.count > 0 else { return .zeros([transposing ? columns : rows] + x.shape.dropFirst()) }
    let extents = factors.map { transposing ? $0.rows : $0.columns }
    return alongAxes(x, extents: extents) { factor, y in factor.matmul(y, transposingA: transposing) }
  }

  /// x with (A₁ ⊗ ... ⊗ A_k) x = b, for square factors and b of shape [N] or [N, p].
  ///
  /// - Throws: `InvalidArgument` for factors that are not square or a b of another shape;
  ///   `DecompositionError.singular`.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    for factor in factors { try factor.requireSquare("factors") }
    try rightSide.requireRightSide(rows: rows)
    guard rightSide.count > 0 else { return rightSide }
    return try alongAxes(rightSide, extents: factors.map(\.rows)) { factor, y in try factor.solve(y) }
  }

  /// The sign of the determinant (zero for a singular matrix) and log |det|, of square factors.
  ///
  /// - Throws: `InvalidArgument` for factors that are not square.
  public func logDeterminant() throws -> (sign: Scalar, logarithm: Scalar) {
    var sign: Scalar = 1
    var logarithm: Scalar = 0
    for factor in factors {
      let part = try factor.logDeterminant()
      // Each factor counts as often as the others have rows.
      let copies = factor.rows == 0 ? 0 : rows / factor.rows
      guard copies > 0 else { continue }
      if part.sign == 0 { return (0, -.infinity) }
      if copies % 2 == 1 { sign *= part.sign }
      logarithm += Scalar(copies) * part.logarithm
    }
    return (sign, logarithm)
  }

  /// log |det| of square factors as a tensor of shape [], through which derivatives flow.
  ///
  /// - Throws: `InvalidArgument` for factors that are not square.
  public func logDeterminantTensor() throws -> Tensor<Scalar> {
    var logarithm = Tensor<Scalar>(0)
    for factor in factors {
      try factor.requireSquare("factors")
      guard rows > 0 else { continue }
      let part = try factor.logDeterminantTensor()
      logarithm = logarithm + part * Scalar(rows / factor.rows)
    }
    return logarithm
  }

  /// The matrix itself, of shape [rows, columns]; for small ones.
  public func dense() -> Tensor<Scalar> {
    factors.dropFirst().reduce(factors[0]) { a, b in
      let blocks = a.reshaped([a.rows, 1, a.columns, 1]) * b.reshaped([1, b.rows, 1, b.columns])
      return blocks.reshaped([a.rows * b.rows, a.columns * b.columns])
    }
  }

  /// Lets each factor act on its own axis, which has the factor's `extent`.
  private func alongAxes(
    _ x: Tensor<Scalar>, extents: [Int],
    _ act: (Tensor<Scalar>, Tensor<Scalar>) throws -> Tensor<Scalar>
  ) rethrows -> Tensor<Scalar> {
    let width = x.rank == 1 ? 1 : x.columns
    var y = x.dense
    // The first axis is transformed and put last; after one turn for each factor, only the right sides come too early.
    for (factor, n) in zip(factors, extents) {
      let matrix = y.reshaped([n, n == 0 ? 0 : y.count / n])
      y = try act(factor, matrix).transposed.dense
    }
    let total = width == 0 ? 0 : y.count / width
    let ordered = y.reshaped([width, total]).transposed.dense
    return x.rank == 1 ? ordered.flattened : ordered
  }
}

extension Tensor where Scalar: RealScalar {
  /// The product of a matrix, of shape [p, n], with this tensor along an axis of extent n, which becomes p.
  ///
  /// - Source: Kolda and Bader, "Tensor decompositions and applications", SIAM Review 51 (2009), section 2.5.
  public func modeProduct(_ matrix: Tensor, axis: Int) -> Tensor {
    precondition(0 <= axis && axis < rank, "axis \(axis) of shape \(shape)")
    precondition(
      matrix.rank == 2 && matrix.columns == shape[axis],
      "modeProduct: a matrix of shape \(matrix.shape) along axis \(axis) of shape \(shape)")
    let before = shape[..<axis].reduce(1, *)
    let after = shape[(axis + 1)...].reduce(1, *)
    var result = shape
    result[axis] = matrix.rows
    if after == 1 {
      return reshaped([before, shape[axis]]).matmul(matrix, transposingB: true).reshaped(result)
    }
    if before == 1 { return matrix.matmul(reshaped([shape[axis], after])).reshaped(result) }
    return matrix.expanded(axis: 0).matmul(reshaped([before, shape[axis], after])).reshaped(result)
  }
}

/// A ⊗ I + I ⊗ B for symmetric A and B, through their eigenvalues: the operator of a separable equation in two variables.
public struct SymmetricKroneckerSum<Scalar: LinearScalar>: Sendable {
  private let left: SymmetricEigendecomposition<Scalar>
  private let right: SymmetricEigendecomposition<Scalar>

  /// - Throws: `InvalidArgument` unless both are symmetric and finite.
  /// - Complexity: O(m³ + n³) time.
  public init(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) throws {
    self.init(try SymmetricEigendecomposition(of: a), try SymmetricEigendecomposition(of: b))
  }

  /// From decompositions that are known.
  init(_ left: SymmetricEigendecomposition<Scalar>, _ right: SymmetricEigendecomposition<Scalar>) {
    (self.left, self.right) = (left, right)
  }

  /// The sums of eigenvalues, of shape [m, n]; the eigenvectors are the products of those of A and B.
  public var values: Tensor<Scalar> { left.values.expanded(axis: 1) + right.values }

  /// f(A ⊗ I + I ⊗ B) applied to X of shape [m, n], for a function of all eigenvalues. For f(w) = 1 / w this solves
  /// A X + X B = C, for f(w) = exp(-t w) it lets heat flow. Derivatives flow through values and vectors, as in
  /// ``SymmetricEigendecomposition``.
  ///
  /// - Complexity: four products of matrices.
  public func applying(_ function: (Tensor<Scalar>) -> Tensor<Scalar>, to x: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(x.shape == values.shape, "a Kronecker sum of shape \(values.shape) was applied to shape \(x.shape)")
    let inner = left.vectors.matmul(x, transposingA: true).matmul(right.vectors) * function(values)
    return left.vectors.matmul(inner).matmul(right.vectors, transposingB: true)
  }

  /// X with A X + X B = C, of shape [m, n]. Derivatives flow to all three, also where eigenvalues coincide.
  ///
  /// - Throws: `InvalidArgument` for a C of another shape; `MatrixEquationError.commonEigenvalues` when a sum of
  ///   eigenvalues is zero to rounding.
  public func solve(_ c: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let values = values.withoutDerivative
    try c.withoutDerivative.requireShape(values.shape, "c")
    guard !values.isEmpty else { return c }
    let magnitudes = values.absolute()
    guard magnitudes.minimum().scalar > .ulpOfOne * magnitudes.maximum().scalar else {
      throw MatrixEquationError.commonEigenvalues
    }
    return solution(c)
  }

  /// The same without checks. The equation is its own adjoint: with Y the solution for a cotangent of X, that of C is Y,
  /// that of A is -Y Xᵀ, and that of B is -Xᵀ Y.
  func solution(_ c: Tensor<Scalar>) -> Tensor<Scalar> {
    guard left.source != nil || right.source != nil || c.isDifferentiated else {
      return applying({ $0.reciprocal() }, to: c)
    }
    let none = Tensor<Scalar>.zeros([0, 0])
    return customDerivatives(at: [left.source ?? none, right.source ?? none, c]) { arguments in
      let sum = SymmetricKroneckerSum(left.attached(to: arguments[0]), right.attached(to: arguments[1]))
      let x = sum.solution(arguments[2])
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil, nil] }
          let y = sum.solution(g)
          return [
            wanted[0] ? -y.matmul(x, transposingB: true).symmetrized : nil,
            wanted[1] ? -x.matmul(y, transposingA: true).symmetrized : nil, y,
          ]
        }
      )
    }[0]
  }
}

/// A tensor as a small core multiplied along each axis by a matrix with orthonormal columns.
public struct HigherOrderSVD<Scalar: LinearScalar>: Sendable {
  /// Of shape [r₁, ..., r_k]. Its slices along each axis are orthogonal to each other where nothing was truncated.
  public let core: Tensor<Scalar>
  /// Of shapes [nᵢ, rᵢ].
  public let factors: [Tensor<Scalar>]

  /// Decomposes `tensor`, keeping `ranks[i]` directions of axis i (all, by default), one axis after another.
  ///
  /// The error is at most sqrt(k) times that of the best approximation of these ranks.
  /// - Throws: `InvalidArgument` for numbers that are not finite, or ranks that do not fit.
  /// - Complexity: O(N sum of nᵢ) time for N elements.
  /// - Source: De Lathauwer, De Moor and Vandewalle, SIAM J. Matrix Anal. Appl. 21 (2000); truncation in sequence:
  ///   Vannieuwenhoven, Vandebril and Meerbergen, SIAM J. Sci. Comput. 34 (2012).
  public init(of tensor: Tensor<Scalar>, ranks: [Int]? = nil) throws {
    let ranks = ranks ?? tensor.shape
    guard ranks.count == tensor.rank, zip(ranks, tensor.shape).allSatisfy({ 0 < $0 && $0 <= $1 }) else {
      throw InvalidArgument("ranks", found: "\(ranks)", wanted: "one in 1...n for each axis of \(tensor.shape)")
    }
    tensor.requireConstant()
    try tensor.requireFinite("tensor")
    var core = tensor.dense
    var factors: [Tensor<Scalar>] = []
    for (axis, count) in ranks.enumerated() {
      let order = [axis] + (0..<core.rank).filter { $0 != axis }
      let unfolded = core.permuted(order).dense.reshaped([core.shape[axis], core.count / core.shape[axis]])
      // A wide matrix has the left singular vectors of its triangular factor, and fewer rows than wanted when narrow.
      let basis = try SingularValueDecomposition(
        of: unfolded, basis: unfolded.columns < count ? .full : .thin
      ).left[.all, 0..<count]
      factors.append(basis.dense)
      core = core.modeProduct(basis.transposed.dense, axis: axis)
    }
    (self.core, self.factors) = (core, factors)
  }

  /// The tensor that core and factors stand for.
  public func reconstructed() -> Tensor<Scalar> {
    factors.enumerated().reduce(core) { $0.modeProduct($1.element, axis: $1.offset) }
  }
}
