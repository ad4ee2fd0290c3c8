// The reflections behind QR, before anybody asks for Q as a matrix.
//
// The recursion within a block: Elmroth and Gustavson, IBM J. Res. Dev. 44 (2000). How the work is cut depends on the
// shape alone: the result is the same on any number of threads.

import Tensors

/// A = Q R, or A P = Q R, with Q as a product of reflections.
struct HouseholderFactors<Scalar: LinearScalar> {
  let rows: Int, columns: Int
  /// R in its upper triangle; column-major, that is of shape [columns, rows].
  private let packed: Tensor<Scalar>
  /// Q.
  private let reflections: Reflections<Scalar>
  /// Column j of A P is column `permutation[j]` of A.
  let permutation: [Int]

  /// Factors a finite matrix.
  init(_ matrix: Tensor<Scalar>, pivoting: Bool = false) {
    let (m, n) = (matrix.rows, matrix.columns)
    let k = min(m, n)
    let block = Reflections<Scalar>.block(k)
    var packed = matrix.transposed
    var vectors = Tensor<Scalar>.zeros([k, m])
    var triangles = Tensor<Scalar>.zeros([(k + block - 1) / block, block, block])
    var pivots = [Int32](1..<Int32(n + 1))
    if k > 0 {
      packed.withUnsafeMutableBuffer { packed in
        vectors.withUnsafeMutableBuffer { vectors in
          triangles.withUnsafeMutableBuffer { triangles in
            let work = BlockedQR(
              rows: m, columns: n, block: block, packed: packed.baseAddress!, vectors: vectors.baseAddress!,
              triangles: triangles.baseAddress!)
            if pivoting { work.factorPivoted(&pivots) } else { work.factor() }
          }
        }
      }
    }
    (rows, columns, self.packed, permutation) = (m, n, packed, pivots.map { Int($0) - 1 })
    reflections = Reflections(vectors: vectors, triangles: triangles)
  }

  /// The first `count` rows of R, of shape [count, columns].
  func upper(rows count: Int) -> Tensor<Scalar> {
    let square = min(count, rows, columns)
    var upper = packed[.all, 0..<square].transposed.dense
    upper.withUnsafeMutableBuffer { buffer in
      for i in 0..<square { (buffer.baseAddress! + i * columns).update(repeating: 0, count: min(i, columns)) }
    }
    return square == count ? upper : .concatenated([upper, .zeros([count - square, columns])], axis: 0)
  }

  /// The diagonal of R.
  var diagonal: Tensor<Scalar> { packed.diagonal.dense }

  /// The first `wanted` >= min(rows, columns) columns of Q; transposed, of shape [wanted, rows].
  func orthogonalTransposed(columns wanted: Int) -> Tensor<Scalar> {
    var q = Tensor<Scalar>.identity(wanted, columns: rows)
    // A reflection that starts below row j leaves column j of the identity alone.
    reflections.apply(to: &q, transposing: false, isIdentity: true)
    return q
  }

  /// Q b, or Qᵀ b when `transposing`, for the square Q and b of shape [rows, n].
  func multiply(_ b: Tensor<Scalar>, transposing: Bool) -> Tensor<Scalar> {
    var result = b.transposed
    reflections.apply(to: &result, transposing: transposing)
    return result.transposed
  }
}

/// The factorization itself, over column-major memory.
private struct BlockedQR<Scalar: LinearScalar> {
  let rows: Int, columns: Int, block: Int
  let packed: UnsafeMutablePointer<Scalar>
  let vectors: UnsafeMutablePointer<Scalar>
  let triangles: UnsafeMutablePointer<Scalar>
  private var count: Int { min(rows, columns) }
  /// Below this many columns, reflections are computed and applied one by one.
  private var narrow: Int { 8 }

  /// The entry of T that belongs to reflections i and j of one block.
  private func triangle(_ i: Int, _ j: Int) -> UnsafeMutablePointer<Scalar> {
    let start = i / block * block
    return triangles + start * block + (j - start) * block + (i - start)
  }

  func factor() {
    for start in stride(from: 0, to: count, by: block) {
      let width = min(block, count - start)
      factorPanel(start, width)
      let rest = columns - start - width
      inGroups(rest, rows: rows - start) { group in
        reflectColumns(from: start + width + group.lowerBound, count: group.count, start, width)
      }
    }
  }

  /// Factors `width` columns from `start`, by halves.
  private func factorPanel(_ start: Int, _ width: Int) {
    guard width > narrow else {
      withUnsafeTemporaryAllocation(of: Scalar.self, capacity: width) { scales in
        Scalar.factorQR(
          rows: rows - start, columns: width, packed + start * rows + start, leading: rows,
          scales: scales.baseAddress!)
        finish(start, width, scales.baseAddress!)
      }
      return
    }
    let left = width / 2
    let right = width - left
    let middle = start + left
    factorPanel(start, left)
    reflectColumns(from: middle, count: right, start, left)
    factorPanel(middle, right)
    // T of the whole: [T1, -T1 (V1ᵀ V2) T2; 0, T2]. Read row by row, it is transposed.
    let corner = triangle(start, middle)
    withUnsafeTemporaryAllocation(of: Scalar.self, capacity: 2 * left * right) { work in
      let gram = work.baseAddress!
      let half = gram + left * right
      Scalar.multiply(
        transposingA: false, transposingB: true, rows: right, columns: left, inner: rows - middle, alpha: 1,
        vectors + middle * rows + middle, leadingA: rows, vectors + start * rows + middle, leadingB: rows, beta: 0,
        gram, leadingC: left)
      Scalar.multiply(
        transposingA: false, transposingB: false, rows: right, columns: left, inner: right, alpha: 1,
        triangle(middle, middle), leadingA: block, gram, leadingB: left, beta: 0, half, leadingC: left)
      Scalar.multiply(
        transposingA: false, transposingB: false, rows: right, columns: left, inner: left, alpha: -1, half,
        leadingA: left, triangle(start, start), leadingB: block, beta: 0, corner, leadingC: block)
    }
  }

  /// Takes over the vectors of finished columns, and forms their T.
  private func finish(_ start: Int, _ width: Int, _ scales: UnsafePointer<Scalar>) {
    for j in start..<start + width {
      let vector = vectors + j * rows
      let column = packed + j * rows
      vector[j] = 1
      (vector + j + 1).update(from: column + j + 1, count: rows - j - 1)
    }
    Scalar.formReflectorTriangle(
      rows: rows - start, count: width, vectors + start * rows + start, leading: rows, scales: scales,
      triangle(start, start), leadingT: block)
  }

  private func reflectColumns(from first: Int, count: Int, _ start: Int, _ width: Int) {
    reflect(
      packed + first * rows + start, count: count, length: rows - start, leading: rows,
      vectors: vectors + start * rows + start, triangle: triangle(start, start), width: width,
      leadingTriangle: block, transposing: true)
  }

  func factorPivoted(_ pivots: inout [Int32]) {
    withUnsafeTemporaryAllocation(of: Scalar.self, capacity: count) { scales in
      Scalar.factorPivotedQR(
        rows: rows, columns: columns, packed, leading: rows, pivots: &pivots, scales: scales.baseAddress!)
      for start in stride(from: 0, to: count, by: block) {
        finish(start, min(block, count - start), scales.baseAddress! + start)
      }
    }
  }
}
