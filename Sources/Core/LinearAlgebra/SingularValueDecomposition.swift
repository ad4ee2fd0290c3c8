public import Tensors

/// A = U diag(s) Vᵀ with orthonormal columns in U and V, and singular values s in decreasing order.
///
/// ```swift
/// let svd = try SingularValueDecomposition(of: weight)
/// let best = svd.reconstructed(rank: 32)           // the nearest matrix of rank 32
/// ```
///
/// In each column of V, the first entry within one percent of the largest magnitude is positive; this fixes the signs.
public struct SingularValueDecomposition<Scalar: LinearScalar>: Sendable {
  /// U, of shape [m, k]: left singular vectors as columns. k = min(m, n); a full basis has m columns.
  public let left: Tensor<Scalar>
  /// s, of shape [k], decreasing and not negative.
  public let values: Tensor<Scalar>
  /// V, of shape [n, k]: right singular vectors as columns. A full basis has n columns.
  public let right: Tensor<Scalar>

  /// Decomposes `matrix`, of shape [m, n], by divide and conquer (LAPACK's gesdd).
  ///
  /// Derivatives flow through values always, and through vectors where their singular values are distinct and, beside a
  /// larger extent, not zero; elsewhere vectors have no derivative, and it is not a number. Functions of the matrix such
  /// as ``PolarDecomposition`` have rules of their own, without that limit.
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers, and for a full basis of a matrix that is
  ///   being differentiated and not square; `DecompositionError.notConverged`.
  /// - Complexity: O(m n min(m, n)) time; O(m n) memory.
  public init(of matrix: Tensor<Scalar>, basis: OrthonormalBasis = .thin) throws {
    if matrix.isDifferentiated {
      let numbers = try SingularValueDecomposition(of: matrix.withoutDerivative, basis: basis)
      guard basis == .thin || matrix.rows == matrix.columns else { throw InvalidArgument.fullBasis }
      self = differentiatedSVD(numbers, of: matrix)
      return
    }
    var work = try matrix.validMatrix()
    let (m, n) = (work.rows, work.columns)
    let k = min(m, n)
    if basis == .thin, k > 0, isElongated(m, n) {
      self = try Self.ofElongated(work)
      return
    }
    if basis == .thin || m == n, var large = decomposeLargeSingular(work) {
      let signs = large.right.withUnsafeMutableBuffer { standardizeSigns($0.baseAddress!, count: k, length: n) }
      if signs.contains(-1) { large.left *= Tensor(signs).expanded(axis: 1) }
      (left, values, right) = (large.left.transposed, large.values, large.right.transposed)
      return
    }
    let leftCount = basis == .full ? m : k
    let rightCount = basis == .full ? n : k
    guard k > 0 else {
      (left, values, right) = (.identity(m, columns: leftCount), .zeros([0]), .identity(n, columns: rightCount))
      return
    }
    // LAPACK reads the row-major buffer as Aᵀ = V diag(s) Uᵀ. What it returns column by column is, row by row, Vᵀ in
    // place of its left vectors, and U in place of the transpose of its right ones.
    var info = 0
    var u = Tensor<Scalar>.zeros([m, leftCount])
    var v = Tensor<Scalar>.zeros([rightCount, n])
    values = Tensor(uninitializedShape: [k]) { values in
      work.withUnsafeMutableBuffer { a in
        u.withUnsafeMutableBuffer { u in
          v.withUnsafeMutableBuffer { v in
            info = Scalar.decomposeSingular(
              vectors: basis == .full ? .full : .thin, rows: n, columns: m, a.baseAddress!, leading: n,
              values: values.baseAddress!, u: v.baseAddress!, leadingU: n, v: u.baseAddress!, leadingV: leftCount)
            let signs = standardizeSigns(v.baseAddress!, count: k, length: n)
            multiplyColumns(u.baseAddress!, rows: m, columns: leftCount, by: signs)
          }
        }
      }
    }
    guard info == 0 else { throw DecompositionError.notConverged("the singular value decomposition") }
    left = u
    right = v.transposed
  }

  /// Of a matrix much longer than wide, or the other way round: the decomposition of its triangular factor.
  ///
  /// Source: Chan, "An improved algorithm for computing the singular value decomposition", ACM TOMS 8 (1982).
  private static func ofElongated(_ matrix: Tensor<Scalar>) throws -> SingularValueDecomposition {
    if matrix.rows > matrix.columns {
      // A = Q R and R = U diag(s) Vᵀ.
      let factors = HouseholderFactors(matrix)
      let small = try SingularValueDecomposition(of: factors.upper(rows: matrix.columns))
      let q = factors.orthogonalTransposed(columns: matrix.columns)
      return SingularValueDecomposition(
        left: q.matmul(small.left, transposingA: true), values: small.values, right: small.right)
    }
    // Aᵀ = Q R, so A = Rᵀ Qᵀ, and Rᵀ = U diag(s) Vᵀ.
    let factors = HouseholderFactors(matrix.transposed)
    let small = try SingularValueDecomposition(of: factors.upper(rows: matrix.rows).transposed)
    let q = factors.orthogonalTransposed(columns: matrix.rows)
    return SingularValueDecomposition(
      standardizing: small.left, values: small.values, right: small.right.matmul(q, transposingA: true).transposed)
  }

  init(left: Tensor<Scalar>, values: Tensor<Scalar>, right: Tensor<Scalar>) {
    (self.left, self.values, self.right) = (left, values, right)
  }

  /// Gives vectors from elsewhere the standard signs.
  init(standardizing left: Tensor<Scalar>, values: Tensor<Scalar>, right: Tensor<Scalar>) {
    var rows = right.transposed
    let signs = rows.withUnsafeMutableBuffer {
      standardizeSigns($0.baseAddress!, count: right.columns, length: right.rows)
    }
    self.init(left: signs.contains(-1) ? left * Tensor(signs) : left, values: values, right: rows.transposed)
  }

  /// The number of singular values that count as not zero: those above `tolerance` times the largest.
  ///
  /// The default is the precision times the larger extent: what rounding alone can make of a zero.
  public func rank(tolerance: Scalar? = nil) -> Int {
    numericalRank(values, tolerance: tolerance ?? .ulpOfOne * Scalar(max(left.rows, right.rows)))
  }

  /// The largest singular value over the smallest; infinite for a singular matrix, one for an empty one.
  public var conditionNumber: Scalar {
    values.requireConstant(insteadUse: "the quotient of the first and the last of values")
    guard values.count > 0 else { return 1 }
    return values[at: 0] / values[at: values.count - 1]
  }

  /// Only the `rank` largest singular values and their vectors; all of them when there are fewer.
  public func truncated(rank: Int) -> SingularValueDecomposition {
    precondition(rank >= 0, "a rank is not negative, but \(rank) was asked for")
    let rank = min(rank, values.count)
    return SingularValueDecomposition(
      left: left[.all, 0..<rank], values: values[0..<rank], right: right[.all, 0..<rank])
  }

  /// U diag(s) Vᵀ, of shape [m, n]; with a `rank`, the nearest matrix of that rank in any unitarily invariant norm.
  public func reconstructed(rank: Int? = nil) -> Tensor<Scalar> {
    let part = truncated(rank: rank ?? values.count)
    return (part.left * part.values).matmul(part.right, transposingB: true)
  }

  /// The smallest rank whose squared singular values sum to at least `share`, in 0...1, of the total.
  public func rank(retaining share: Scalar) -> Int {
    precondition((0...1).contains(share), "a share lies between 0 and 1, but is \(share)")
    let energy = values.squared().scalars
    let total = energy.reduce(0, +)
    // Summed from the small end, where the rest that may be dropped is found.
    var dropped: Scalar = 0
    var rank = energy.count
    while rank > 0, dropped + energy[rank - 1] <= (1 - share) * total {
      dropped += energy[rank - 1]
      rank -= 1
    }
    return rank
  }
}

/// Whether to take out an orthonormal factor before singular values are computed. Measured at 8 to 1: faster from 32
/// columns to 512; the threshold itself is near the one LAPACK uses.
private func isElongated(_ rows: Int, _ columns: Int) -> Bool { 5 * max(rows, columns) >= 8 * min(rows, columns) }

/// How many of decreasing `values` exceed `tolerance` times the first.
func numericalRank<Scalar: LinearScalar>(_ values: Tensor<Scalar>, tolerance: Scalar) -> Int {
  let values = values.scalars
  guard let largest = values.first, largest > 0 else { return 0 }
  return values.count { $0 > tolerance * largest }
}

extension Tensor where Scalar: LinearScalar {
  /// The singular values of a matrix, decreasing, without vectors: two to three times faster than the decomposition.
  ///
  /// Derivatives flow through all of them; a value of several vectors has one of its subgradients.
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers; `DecompositionError.notConverged`.
  public func singularValues() throws -> Tensor {
    if isDifferentiated { return try SingularValueDecomposition(of: self).values }
    var work = try validMatrix()
    let (m, n) = (work.rows, work.columns)
    let k = min(m, n)
    guard k > 0 else { return .zeros([0]) }
    if isElongated(m, n) {
      return try HouseholderFactors(m > n ? work : work.transposed).upper(rows: k).singularValues()
    }
    var info = 0
    let values = Tensor(uninitializedShape: [k]) { values in
      work.withUnsafeMutableBuffer { a in
        var unused: Scalar = 0
        withUnsafeMutablePointer(to: &unused) { unused in
          info = Scalar.decomposeSingular(
            vectors: .none, rows: n, columns: m, a.baseAddress!, leading: n, values: values.baseAddress!, u: unused,
            leadingU: 1, v: unused, leadingV: 1)
        }
      }
    }
    guard info == 0 else { throw DecompositionError.notConverged("the iteration for singular values") }
    return values
  }
}
