public import Tensors

/// P A = L U with row exchanges P, a unit lower triangular (or trapezoidal) L and an upper triangular U.
public struct LUDecomposition<Scalar: LinearScalar>: Sendable {
  private let matrix: Tensor<Scalar>
  /// L and U column by column, that is of shape [n, m]; constants.
  private let packed: Tensor<Scalar>
  /// The exchanges one after another, as LAPACK counts them.
  private let pivots: [Int32]
  /// Row i of P A is row `permutation[i]` of A.
  public let permutation: [Int]
  private let isPermutationOdd: Bool
  /// The first row, counted from zero, whose pivot is exactly zero: A is then singular.
  public let zeroPivot: Int?

  /// Decomposes `matrix`, of shape [m, n], with partial pivoting. A singular matrix has a decomposition too.
  ///
  /// Derivatives flow through solutions and ``logDeterminantTensor``, and through the factors of a square matrix.
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers.
  /// - Complexity: O(m n min(m, n)) time; O(m n) memory.
  public init(of matrix: Tensor<Scalar>) throws {
    let numbers = try matrix.withoutDerivative.validMatrix()
    let (m, n) = (matrix.rows, matrix.columns)
    let k = min(m, n)
    var work = numbers.transposed
    var pivots = [Int32](repeating: 0, count: k)
    var info = 0
    if k > 0 {
      work.withUnsafeMutableBuffer { a in
        info = factorLU(a.baseAddress!, rows: m, columns: n, pivots: &pivots)
      }
    }
    var order = Array(0..<m)
    var isOdd = false
    for (i, pivot) in pivots.enumerated() where Int(pivot) - 1 != i {
      order.swapAt(i, Int(pivot) - 1)
      isOdd.toggle()
    }
    self.matrix = matrix.isDifferentiated ? matrix : numbers
    (packed, self.pivots, permutation, isPermutationOdd) = (work, pivots, order, isOdd)
    zeroPivot = info == 0 ? nil : info - 1
  }

  /// The same factors of a matrix of the same numbers, at another level of differentiation.
  private init(_ other: LUDecomposition, of matrix: Tensor<Scalar>) {
    self.matrix = matrix
    (packed, pivots, permutation) = (other.packed, other.pivots, other.permutation)
    (isPermutationOdd, zeroPivot) = (other.isPermutationOdd, other.zeroPivot)
  }

  /// L, of shape [m, k] with k = min(m, n).
  public var lower: Tensor<Scalar> {
    matrix.isDifferentiated ? differentiatedFactors[0] : lowerNumbers
  }

  /// U, of shape [k, n] with k = min(m, n).
  public var upper: Tensor<Scalar> {
    matrix.isDifferentiated ? differentiatedFactors[1] : upperNumbers
  }

  /// L and U of a square matrix: A's cotangent is Pᵀ L⁻ᵀ (tril₋₁(Lᵀ gL) + triu(gU Uᵀ)) U⁻ᵀ.
  private var differentiatedFactors: [Tensor<Scalar>] {
    precondition(
      matrix.rows == matrix.columns && zeroPivot == nil,
      "derivatives flow through the factors L and U of square invertible matrices only, not of shape \(matrix.shape)"
        + (zeroPivot == nil ? "" : " with a zero pivot"))
    return customDerivatives(at: [matrix]) { arguments in
      let lu = LUDecomposition(self, of: arguments[0])
      let (lower, upper) = (lu.lower, lu.upper)
      return (
        [lower, upper],
        { cotangents, _ in
          var middle = Tensor<Scalar>.zeros(upper.shape)
          if let g = cotangents[0] { middle = lower.matmul(g, transposingA: true).keeping(.lower, diagonal: 0) }
          if let g = cotangents[1] { middle = middle + g.matmul(upper, transposingB: true).keeping(.upper) }
          let half = lower.triangularSolution(middle, .lower, transposing: true, unitDiagonal: true)
          return [half.dividedFromTheRight(by: upper, .upper).gathered(inverseOrder)]
        }
      )
    }
  }

  /// Where each row of A stands in P A.
  private var inverseOrder: Tensor<Int> {
    var inverse = permutation
    for (i, row) in permutation.enumerated() { inverse[row] = i }
    return Tensor<Int>(inverse)
  }

  private var lowerNumbers: Tensor<Scalar> {
    let (m, k) = (matrix.rows, min(matrix.rows, matrix.columns))
    var lower = packed[0..<k, .all]
    lower.withUnsafeMutableBuffer { buffer in
      for j in 0..<k {
        (buffer.baseAddress! + j * m).update(repeating: 0, count: j)
        buffer[j * m + j] = 1
      }
    }
    return lower.transposed
  }

  private var upperNumbers: Tensor<Scalar> {
    let (n, k) = (matrix.columns, min(matrix.rows, matrix.columns))
    var upper = packed[.all, 0..<k]
    upper.withUnsafeMutableBuffer { buffer in
      for j in 0..<min(n, k) { (buffer.baseAddress! + j * k + j + 1).update(repeating: 0, count: k - j - 1) }
    }
    return upper.transposed
  }

  /// Pᵀ L U.
  public func reconstructed() -> Tensor<Scalar> {
    let product = lower.matmul(upper)
    if product.isDifferentiated { return product.gathered(inverseOrder) }
    var result = product
    for (i, row) in permutation.enumerated() { result[row] = product[i] }
    return result
  }

  /// det A, of a square matrix; it may overflow where ``logDeterminant`` does not.
  ///
  /// - Precondition: A is not being differentiated; ``Tensors/Tensor/determinantTensor()`` is for that.
  public var determinant: Scalar {
    requireSquare()
    matrix.requireConstant(insteadUse: "determinantTensor()")
    let product = packed.diagonal.product().scalar
    return isPermutationOdd ? -product : product
  }

  /// The sign of det A (zero for a singular matrix) and log |det A|, of a square matrix.
  ///
  /// - Precondition: A is not being differentiated; ``logDeterminantTensor`` is for that.
  public var logDeterminant: (sign: Scalar, logarithm: Scalar) {
    requireSquare()
    matrix.requireConstant(insteadUse: "logDeterminantTensor")
    let diagonal = packed.diagonal
    let sign = diagonal.sign().product().scalar
    return (isPermutationOdd ? -sign : sign, diagonal.absolute().log().sum().scalar)
  }

  /// log |det A| of a square matrix as a tensor of shape [], through which derivatives flow: they are A⁻ᵀ.
  public var logDeterminantTensor: Tensor<Scalar> {
    guard matrix.isDifferentiated else { return Tensor(logDeterminant.logarithm) }
    return customDerivative(at: matrix) { matrix in
      let lu = LUDecomposition(self, of: matrix)
      return (lu.logDeterminantTensor, { g in lu.inverse().transposed * g })
    }
  }

  /// det A of a square matrix as a tensor of shape []; its derivatives are det(A) A⁻ᵀ, the cofactors.
  ///
  /// Of a matrix that is singular to working precision, the cofactors come from the singular values; they have no
  /// further derivative, which then is not a number.
  var determinantTensor: Tensor<Scalar> {
    guard matrix.isDifferentiated else { return Tensor(determinant) }
    let isSingular = reciprocalCondition < 16 * .ulpOfOne
    return customDerivative(at: matrix) { matrix in
      let lu = LUDecomposition(self, of: matrix)
      let value = lu.determinantTensor
      return (
        value,
        { g in (isSingular ? matrix.singularCofactors() : lu.inverse().transposed * value) * g }
      )
    }
  }

  /// A⁻¹ of a square matrix; not a number where a pivot is zero.
  func inverse() -> Tensor<Scalar> {
    guard matrix.isDifferentiated else {
      guard zeroPivot == nil else { return Tensor(repeating: .nan, shape: packed.shape) }
      var result = packed
      let size = packed.rows
      guard size > 0 else { return result }
      result.withUnsafeMutableBuffer { a in
        _ = Scalar.invertLU(size: size, a.baseAddress!, leading: size, pivots: pivots)
      }
      return result.transposed
    }
    return customDerivative(at: matrix) { matrix in
      let inverse = LUDecomposition(self, of: matrix).inverse()
      return (inverse, { g in inverseCotangent(inverse, g) })
    }
  }

  /// An estimate of 1 / (‖A‖ ‖A⁻¹‖) in the one-norm, of a square matrix: zero when it is singular, near the precision
  /// when solutions are meaningless.
  public var reciprocalCondition: Scalar {
    requireSquare()
    let size = matrix.rows
    guard size > 0 else { return 1 }
    guard zeroPivot == nil else { return 0 }
    let norm = matrix.withoutDerivative.oneNorm()
    return packed.withUnsafeBuffer {
      Scalar.reciprocalConditionLU(size: size, $0.baseAddress!, leading: size, norm: norm)
    }
  }

  /// x with A x = b, for a square A and b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite;
  ///   `DecompositionError.singular`.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    requireSquare()
    try rightSide.requireRightSide(rows: matrix.rows)
    if let zeroPivot { throw DecompositionError.singular(pivot: zeroPivot) }
    return solution(rightSide)
  }

  /// The same, or A⁻ᵀ b, without checks. With y = A⁻ᵀ g for a cotangent g of x, that of b is y, that of A -y xᵀ.
  func solution(_ b: Tensor<Scalar>, transposing: Bool = false) -> Tensor<Scalar> {
    guard matrix.isDifferentiated || b.isDifferentiated else {
      return transposing ? transposedSolution(b.dense) : plainSolution(b.dense)
    }
    return customDerivatives(at: [matrix, b]) { arguments in
      let lu = LUDecomposition(self, of: arguments[0])
      let x = lu.solution(arguments[1], transposing: transposing)
      return (
        [x],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          let y = lu.solution(g, transposing: !transposing)
          guard wanted[0] else { return [nil, y] }
          return [-(transposing ? x.outerSum(y) : y.outerSum(x)), y]
        }
      )
    }[0]
  }

  private func plainSolution(_ b: Tensor<Scalar>) -> Tensor<Scalar> {
    let width = b.rank == 1 ? 1 : b.columns
    var x = Tensor<Scalar>(uninitializedShape: b.shape) { x in
      b.withUnsafeBuffer { b in
        guard let x = x.baseAddress, let b = b.baseAddress else { return }
        for (i, row) in permutation.enumerated() { (x + i * width).update(from: b + row * width, count: width) }
      }
    }
    // Read row by row, the packed buffer holds Lᵀ (unit upper) and Uᵀ (lower).
    packed.solveTriangular(&x, .upper, transposing: true, unitDiagonal: true)
    packed.solveTriangular(&x, .lower, transposing: true, unitDiagonal: false)
    return x
  }

  private func transposedSolution(_ b: Tensor<Scalar>) -> Tensor<Scalar> {
    var y = b
    packed.solveTriangular(&y, .lower, transposing: false, unitDiagonal: false)
    packed.solveTriangular(&y, .upper, transposing: false, unitDiagonal: true)
    let width = b.rank == 1 ? 1 : b.columns
    return Tensor<Scalar>(uninitializedShape: b.shape) { x in
      y.withUnsafeBuffer { y in
        guard let x = x.baseAddress, let y = y.baseAddress else { return }
        for (i, row) in permutation.enumerated() { (x + row * width).update(from: y + i * width, count: width) }
      }
    }
  }

  private func requireSquare() {
    precondition(matrix.rows == matrix.columns, "a square matrix was expected, but the shape is \(matrix.shape)")
  }
}

extension Tensor where Scalar: LinearScalar {
  /// x with A x = b, for this square matrix A and b of shape [n] or [n, p], by Gaussian elimination.
  ///
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite; `DecompositionError.singular` for an
  ///   exactly singular matrix. A nearly singular one shows in ``LUDecomposition/reciprocalCondition``.
  public func solve(_ rightSide: Tensor) throws -> Tensor {
    try requireSquare()
    return try LUDecomposition(of: self).solve(rightSide)
  }

  /// A⁻¹ of this square matrix. To apply it, ``solve(_:)`` is faster and more accurate.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite; `DecompositionError.singular`.
  public func inverse() throws -> Tensor {
    if isDifferentiated {
      try requireSquare()
      let lu = try LUDecomposition(of: self)
      if let zeroPivot = lu.zeroPivot { throw DecompositionError.singular(pivot: zeroPivot) }
      return lu.inverse()
    }
    var result = try validSquare()
    let size = rows
    guard size > 0 else { return result }
    // The inverse of the transpose is the transpose of the inverse: LAPACK may read the buffer as Aᵀ.
    let info = result.withUnsafeMutableBuffer { a in
      var pivots = [Int32](repeating: 0, count: size)
      let info = factorLU(a.baseAddress!, rows: size, columns: size, pivots: &pivots)
      return info != 0 ? info : Scalar.invertLU(size: size, a.baseAddress!, leading: size, pivots: pivots)
    }
    guard info == 0 else { throw DecompositionError.singular(pivot: info - 1) }
    return result
  }

  /// The determinant of this square matrix; one for an empty matrix.
  ///
  /// - Precondition: this is not being differentiated; ``determinantTensor()`` is for that.
  /// - Throws: `InvalidArgument` unless this is square and finite.
  public func determinant() throws -> Scalar {
    try requireSquare()
    return try LUDecomposition(of: self).determinant
  }

  /// The determinant as a tensor of shape [], through which derivatives flow.
  ///
  /// Its derivatives exist for singular matrices too, but second ones are not a number there.
  /// - Throws: `InvalidArgument` unless this is square and finite.
  public func determinantTensor() throws -> Tensor {
    try requireSquare()
    return try LUDecomposition(of: self).determinantTensor
  }

  /// The sign of the determinant (zero for a singular matrix) and log |det A| (then minus infinity).
  ///
  /// - Precondition: this is not being differentiated; ``logDeterminantTensor()`` is for that.
  /// - Throws: `InvalidArgument` unless this is square and finite.
  public func logDeterminant() throws -> (sign: Scalar, logarithm: Scalar) {
    try requireSquare()
    return try LUDecomposition(of: self).logDeterminant
  }

  /// log |det A| as a tensor of shape [], through which derivatives flow.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite.
  public func logDeterminantTensor() throws -> Tensor {
    try requireSquare()
    return try LUDecomposition(of: self).logDeterminantTensor
  }

  /// The cofactors det(U) det(V) U diag(Π of the other singular values) Vᵀ.
  fileprivate func singularCofactors() -> Tensor {
    customDerivative(at: self) { a in
      let numbers = a.withoutDerivative
      let blank = Tensor(repeating: .nan, shape: a.shape)
      guard let svd = try? SingularValueDecomposition(of: numbers), let left = try? svd.left.determinant(),
        let right = try? svd.right.determinant()
      else { return (blank, { _ in blank }) }
      let values = svd.values.scalars
      let others = values.indices.map { i in
        values.indices.reduce(Scalar(1)) { $1 == i ? $0 : $0 * values[$1] }
      }
      let cofactors = (svd.left * Tensor(others)).matmul(svd.right, transposingB: true)
      return (cofactors * (left * right < 0 ? -1 : 1), { _ in blank })
    }
  }
}

/// The cotangent of A for one of X = A⁻¹: -Xᵀ g Xᵀ.
func inverseCotangent<Scalar: LinearScalar>(_ inverse: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
  -inverse.matmul(g, transposingA: true).matmul(inverse, transposingB: true)
}
