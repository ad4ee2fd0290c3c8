// The reflections behind QR, before anybody asks for Q as a matrix.

import Tensors

/// A = Q R, or A P = Q R, as LAPACK packs it: R above, the Householder vectors below.
struct HouseholderFactors<Scalar: LinearScalar> {
  let rows: Int, columns: Int
  /// Column-major, that is of shape [columns, rows].
  private var packed: Tensor<Scalar>
  private var scales: Tensor<Scalar>
  /// Column j of A P is column `permutation[j]` of A.
  let permutation: [Int]

  /// Factors a dense, finite matrix.
  init(_ matrix: Tensor<Scalar>, pivoting: Bool = false) {
    let (m, n) = (matrix.rows, matrix.columns)
    var packed = matrix.transposed
    var pivots = [Int32](1..<Int32(n + 1))
    scales = Tensor(uninitializedShape: [min(m, n)]) { scales in
      guard scales.count > 0 else { return }
      packed.withUnsafeMutableBuffer { a in
        if pivoting {
          Scalar.factorPivotedQR(
            rows: m, columns: n, a.baseAddress!, leading: m, pivots: &pivots, scales: scales.baseAddress!)
        } else {
          Scalar.factorQR(rows: m, columns: n, a.baseAddress!, leading: m, scales: scales.baseAddress!)
        }
      }
    }
    (rows, columns, self.packed, permutation) = (m, n, packed, pivots.map { Int($0) - 1 })
  }

  /// The first `count` rows of R, of shape [count, columns].
  func upper(rows count: Int) -> Tensor<Scalar> {
    let square = min(count, rows, columns)
    var upper = Tensor<Scalar>.zeros([count, columns])
    if square > 0 { upper[0..<square, .all] = packed[.all, 0..<square].transposed }
    upper.withUnsafeMutableBuffer { buffer in
      for i in 0..<square { (buffer.baseAddress! + i * columns).update(repeating: 0, count: min(i, columns)) }
    }
    return upper
  }

  /// The magnitudes on the diagonal of R.
  var diagonal: Tensor<Scalar> { packed.diagonal.dense }

  /// The first `count` >= min(rows, columns) columns of Q; transposed, of shape [count, rows].
  func orthogonalTransposed(columns count: Int) -> Tensor<Scalar> {
    var q = Tensor<Scalar>.zeros([count, rows])
    let square = min(rows, columns)
    guard count > 0, rows > 0 else { return q }
    if square > 0 { q[0..<square, .all] = packed[0..<square, .all] }
    q.withUnsafeMutableBuffer { q in
      scales.withUnsafeBuffer { scales in
        Scalar.formQ(
          rows: rows, columns: count, reflectors: square, q.baseAddress!, leading: rows, scales: scales.baseAddress!)
      }
    }
    return q
  }

  /// Q b, or Qᵀ b when `transposing`, for the square Q and b of shape [rows, n].
  func multiply(_ b: Tensor<Scalar>, transposing: Bool) -> Tensor<Scalar> {
    guard b.count > 0, scales.count > 0 else { return b }
    var result = b.transposed
    result.withUnsafeMutableBuffer { c in
      packed.withUnsafeBuffer { a in
        scales.withUnsafeBuffer { scales in
          Scalar.applyQ(
            transposing: transposing, rows: rows, columns: b.columns, reflectors: scales.count, a.baseAddress!,
            leadingA: rows, scales: scales.baseAddress!, c.baseAddress!, leadingC: rows)
        }
      }
    }
    return result.transposed
  }
}
