public import Tensors

/// A = Q R of a matrix with at least as many rows as columns, whose columns and rows come and go.
public struct UpdatableQR<Scalar: LinearScalar>: Sendable {
  /// Qᵀ, of shape [n, m]: orthonormal rows.
  private var basis: Tensor<Scalar>
  /// R, of shape [n, n], upper triangular. The diagonal may have any sign.
  public private(set) var upper: Tensor<Scalar>
  /// Q, of shape [m, n].
  public var orthogonal: Tensor<Scalar> { basis.transposed }

  /// Decomposes `matrix`, of shape [m, n] with m >= n; n may be zero.
  ///
  /// - Throws: `InvalidArgument` unless it is such a matrix of finite numbers.
  public init(of matrix: Tensor<Scalar>) throws {
    let a = try matrix.validMatrix()
    guard a.rows >= a.columns else {
      throw InvalidArgument("matrix", found: "shape \(a.shape)", wanted: "at least as many rows as columns")
    }
    let qr = try QRDecomposition(of: a)
    (basis, upper) = (qr.orthogonal.transposed.dense, qr.upper.dense)
  }

  /// Puts a column of shape [m] before column `index`.
  ///
  /// - Throws: `InvalidArgument` for a wrong shape, numbers that are not finite, or when there are as many columns as rows.
  /// - Complexity: O(m n) time.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, section 6.5.2; Gram–Schmidt twice: Daniel, Gragg,
  ///   Kaufman and Stewart, Math. Comp. 30 (1976).
  public mutating func insertColumn(_ column: Tensor<Scalar>, at index: Int) throws {
    let (n, m) = (basis.rows, basis.columns)
    precondition(0 <= index && index <= n, "column \(index) of \(n)")
    try column.requireShape([m], "column")
    guard n < m else { throw InvalidArgument("column", found: "\(m) columns already", wanted: "fewer than rows") }
    let coefficients = extend(by: column)
    // R with the new column at its place and a row of zeros below.
    let padded = Tensor.concatenated([upper, .zeros([1, n])], axis: 0)
    upper = .concatenated(
      [padded[.all, 0..<index], coefficients.expanded(axis: 1), padded[.all, index..<n]], axis: 1)
    rotate(pairs: stride(from: n - 1, through: index, by: -1), column: { _ in index }, from: { _ in index })
  }

  /// Takes column `index` out.
  ///
  /// - Complexity: O(m n) time.
  public mutating func removeColumn(at index: Int) {
    let n = basis.rows
    precondition(0 <= index && index < n, "column \(index) of \(n)")
    upper = .concatenated([upper[.all, 0..<index], upper[.all, (index + 1)..<n]], axis: 1)
    rotate(pairs: stride(from: index, to: n - 1, by: 1), column: { $0 }, from: { $0 })
    shorten(to: n - 1)
  }

  /// Puts a row of shape [n] before row `index`.
  ///
  /// - Throws: `InvalidArgument` for a wrong shape or numbers that are not finite.
  /// - Complexity: O(m n) time.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, section 6.5.3.
  public mutating func insertRow(_ row: Tensor<Scalar>, at index: Int) throws {
    let (n, m) = (basis.rows, basis.columns)
    precondition(0 <= index && index <= m, "row \(index) of \(m)")
    try row.requireShape([n], "row")
    // The new row on top of R, and the axis that it stands for on top of Qᵀ.
    let widened = Tensor.concatenated([basis[.all, 0..<index], .zeros([n, 1]), basis[.all, index..<m]], axis: 1)
    var axis = Tensor<Scalar>.zeros([1, m + 1])
    axis[at: 0, index] = 1
    basis = .concatenated([axis, widened], axis: 0)
    upper = .concatenated([row.expanded(axis: 0), upper], axis: 0)
    rotate(pairs: stride(from: 0, to: n, by: 1), column: { $0 }, from: { $0 })
    shorten(to: n)
  }

  /// Takes row `index` out.
  ///
  /// - Throws: `InvalidArgument` when there are no more rows than columns.
  /// - Complexity: O(m n) time.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, section 6.5.3.
  public mutating func removeRow(at index: Int) throws {
    let (n, m) = (basis.rows, basis.columns)
    precondition(0 <= index && index < m, "row \(index) of \(m)")
    guard n < m else { throw InvalidArgument("index", found: "\(m) rows", wanted: "more rows than columns") }
    var axis = Tensor<Scalar>.zeros([m])
    axis[at: index] = 1
    let coefficients = extend(by: axis)
    // Rotations that make the first basis vector the axis; the first row of R is then the row that goes.
    let padded = Tensor.concatenated([upper, .zeros([1, n])], axis: 0)
    upper = .concatenated([padded, coefficients.expanded(axis: 1)], axis: 1)
    rotate(pairs: stride(from: n - 1, through: 0, by: -1), column: { _ in n }, from: { $0 })
    upper = upper[1..., 0..<n].dense
    let rest = basis[1..., .all]
    basis = .concatenated([rest[.all, 0..<index], rest[.all, (index + 1)..<m]], axis: 1)
  }

  /// Makes it the decomposition of A + u vᵀ, for u of shape [m] and v of shape [n].
  ///
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite.
  /// - Complexity: O(m n) time.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, section 6.5.1.
  public mutating func update(_ u: Tensor<Scalar>, _ v: Tensor<Scalar>) throws {
    let (n, m) = (basis.rows, basis.columns)
    try u.requireShape([m], "u")
    try v.requireShape([n], "v")
    guard n > 0 else { return }
    let isSquare = n == m
    var coefficients = isSquare ? basis.matmul(u) : extend(by: u)
    let rows = isSquare ? n : n + 1
    // One more column for the coefficients, which rotations gather in the first row.
    let padded = isSquare ? upper : .concatenated([upper, .zeros([1, n])], axis: 0)
    upper = .concatenated([padded, coefficients.expanded(axis: 1)], axis: 1)
    rotate(pairs: stride(from: rows - 2, through: 0, by: -1), column: { _ in n }, from: { $0 })
    coefficients = upper[.all, n].dense
    upper = upper[.all, 0..<n].dense
    upper[0] = upper[0] + v * coefficients[at: 0]
    rotate(pairs: stride(from: 0, to: min(rows - 1, n), by: 1), column: { $0 }, from: { $0 })
    if !isSquare { shorten(to: n) }
  }

  /// The x that minimizes ‖A x - b‖, for b of shape [m] or [m, p].
  ///
  /// - Throws: `InvalidArgument`; `DecompositionError.singular` when R has a zero on its diagonal.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let b = try rightSide.validRightSide(rows: basis.columns)
    return try upper.solveTriangular(basis.matmul(b), .upper)
  }

  /// Q R.
  public func reconstructed() -> Tensor<Scalar> { orthogonal.matmul(upper) }

  /// Appends what is left of a vector to the basis, and returns the vector's coordinates in it.
  private mutating func extend(by vector: Tensor<Scalar>) -> Tensor<Scalar> {
    let n = basis.rows
    let length = vector.frobeniusNorm()
    var rest = vector
    var coordinates = Tensor<Scalar>.zeros([n])
    for _ in 0..<2 {
      let part = basis.matmul(rest)
      rest = rest - part.matmul(basis)
      coordinates = coordinates + part
    }
    var height = rest.frobeniusNorm()
    if height > length * .ulpOfOne {
      rest = rest / height
    } else {
      // The vector lies in the span: any direction outside of it will do.
      height = 0
      rest = directionOutside()
    }
    basis = .concatenated([basis, rest.expanded(axis: 0)], axis: 0)
    return .concatenated([coordinates, Tensor([height])], axis: 0)
  }

  /// A unit vector orthogonal to the basis, from the axis that is farthest from its span.
  private func directionOutside() -> Tensor<Scalar> {
    let m = basis.columns
    var rest = Tensor<Scalar>.zeros([m])
    rest[basis.sumOfSquares(axes: [0]).argmin(axis: 0).scalar] = Tensor(1)
    for _ in 0..<2 {
      rest = rest - basis.matmul(rest).matmul(basis)
      rest = rest / rest.frobeniusNorm()
    }
    return rest
  }

  /// Rotates pairs of rows (i, i + 1) so that entry (i + 1, column(i)) of R vanishes; entries of R left of from(i) are zero.
  private mutating func rotate(pairs: StrideThrough<Int>, column: (Int) -> Int, from: (Int) -> Int) {
    rotate(Array(pairs), column, from)
  }

  private mutating func rotate(pairs: StrideTo<Int>, column: (Int) -> Int, from: (Int) -> Int) {
    rotate(Array(pairs), column, from)
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private mutating func rotate(_ pairs: [Int], _ column: (Int) -> Int, _ from: (Int) -> Int) {
    guard !pairs.isEmpty else { return }
    let (width, m) = (upper.columns, basis.columns)
    upper.withUnsafeMutableBuffer { r in
      basis.withUnsafeMutableBuffer { q in
        for i in pairs {
          let row = r.baseAddress! + i * width
          let start = from(i)
          let (c, s, _) = rotation(row[column(i)], row[width + column(i)])
          rotateRows(row + start, row + width + start, count: width - start, cosine: c, sine: s)
          row[width + column(i)] = 0
          rotateRows(q.baseAddress! + i * m, q.baseAddress! + (i + 1) * m, count: m, cosine: c, sine: s)
        }
      }
    }
  }

  private mutating func shorten(to count: Int) {
    upper = upper[0..<count, .all].dense
    basis = basis[0..<count, .all].dense
  }
}
