// The reflections behind QR, before anybody asks for Q as a matrix.
//
// Blocks of reflections are applied at once, as I - V T Vᵀ, so that nearly all work is in matrix products, which are
// spread over the threads by columns. How the work is cut depends on the shape alone: the result is the same on any
// number of threads.
//
// Source: Schreiber and Van Loan, "A storage-efficient WY representation for products of Householder transformations",
// SIAM J. Sci. Stat. Comput. 10 (1989); the recursion within a block: Elmroth and Gustavson, IBM J. Res. Dev. 44
// (2000).

import Tensors

/// A = Q R, or A P = Q R, with Q as a product of reflections.
struct HouseholderFactors<Scalar: LinearScalar> {
  let rows: Int, columns: Int
  /// R in its upper triangle; column-major, that is of shape [columns, rows].
  private let packed: Tensor<Scalar>
  /// V, of shape [min(rows, columns), rows]: the vectors of the reflections, with their ones and zeros.
  private let vectors: Tensor<Scalar>
  /// T of each block, column-major, with zeros below; of shape [blocks, block, block].
  private let triangles: Tensor<Scalar>
  private let block: Int
  /// Column j of A P is column `permutation[j]` of A.
  let permutation: [Int]

  /// How many reflections there are.
  private var count: Int { vectors.rows }

  /// Factors a finite matrix.
  init(_ matrix: Tensor<Scalar>, pivoting: Bool = false) {
    let (m, n) = (matrix.rows, matrix.columns)
    let k = min(m, n)
    let block = k <= 128 ? 32 : 64
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
    (rows, columns, self.block) = (m, n, block)
    (self.packed, self.vectors, self.triangles, permutation) = (packed, vectors, triangles, pivots.map { Int($0) - 1 })
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
    apply(to: &q, transposing: false, isIdentity: true)
    return q
  }

  /// Q b, or Qᵀ b when `transposing`, for the square Q and b of shape [rows, n].
  func multiply(_ b: Tensor<Scalar>, transposing: Bool) -> Tensor<Scalar> {
    var result = b.transposed
    apply(to: &result, transposing: transposing, isIdentity: false)
    return result.transposed
  }

  /// Applies Q or Qᵀ to the rows of `vectors`, of shape [n, rows].
  private func apply(to target: inout Tensor<Scalar>, transposing: Bool, isIdentity: Bool) {
    guard target.count > 0, count > 0 else { return }
    let width = target.rows
    let starts = Array(stride(from: 0, to: count, by: block))
    target.withUnsafeMutableBuffer { target in
      vectors.withUnsafeBuffer { vectors in
        triangles.withUnsafeBuffer { triangles in
          let target = target.baseAddress!
          let vectors = vectors.baseAddress!
          let triangles = triangles.baseAddress!
          inGroups(width, rows: rows) { group in
            for start in transposing ? starts : starts.reversed() where !isIdentity || start < group.upperBound {
              let first = isIdentity ? max(start, group.lowerBound) : group.lowerBound
              reflect(
                target + first * rows + start, count: group.upperBound - first, length: rows - start, leading: rows,
                vectors: vectors + start * rows + start, triangle: triangles + start * block,
                width: min(block, count - start), leadingTriangle: block, transposing: transposing)
            }
          }
        }
      }
    }
  }
}

/// Runs `body` on groups of vectors, on several threads. The groups depend on the shape alone.
private func inGroups(_ count: Int, rows: Int, _ body: (Range<Int>) -> Void) {
  let size = count * rows < 1 << 13 ? max(count, 1) : count < 512 ? 64 : 128
  parallelTasks((count + size - 1) / size) { i in body(i * size..<min((i + 1) * size, count)) }
}

/// Replaces `count` vectors c, which are rows of `length` numbers, by (I - V T Vᵀ) c, or by the transpose's product.
private func reflect<Scalar: LinearScalar>(
  _ c: UnsafeMutablePointer<Scalar>, count: Int, length: Int, leading: Int, vectors: UnsafePointer<Scalar>,
  triangle: UnsafePointer<Scalar>, width: Int, leadingTriangle: Int, transposing: Bool
) {
  guard count > 0 else { return }
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: 2 * count * width) { work in
    let products = work.baseAddress!
    let scaled = products + count * width
    Scalar.multiply(
      transposingA: false, transposingB: true, rows: count, columns: width, inner: length, alpha: 1, c,
      leadingA: leading, vectors, leadingB: leading, beta: 0, products, leadingC: width)
    Scalar.multiply(
      transposingA: false, transposingB: transposing, rows: count, columns: width, inner: width, alpha: 1, products,
      leadingA: width, triangle, leadingB: leadingTriangle, beta: 0, scaled, leadingC: width)
    Scalar.multiply(
      transposingA: false, transposingB: false, rows: count, columns: length, inner: width, alpha: -1, scaled,
      leadingA: width, vectors, leadingB: leading, beta: 1, c, leadingC: leading)
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
