// Products of Householder reflections, applied to many vectors.
//
// Blocks of reflections are applied at once, as I - V T Vᵀ, so that nearly all work is in matrix products, which are
// spread over the threads by columns. How the work is cut depends on the shape alone: the result is the same on any
// number of threads.
//
// Source: Schreiber and Van Loan, "A storage-efficient WY representation for products of Householder transformations",
// SIAM J. Sci. Stat. Comput. 10 (1989).

import Tensors

/// Q = H_0 H_1 ... of reflections whose vectors start one component later each.
struct Reflections<Scalar: LinearScalar> {
  /// V, of shape [count, length]: the vectors, with a one in component `offset` + i of vector i and zeros before.
  private let vectors: Tensor<Scalar>
  /// T of each block, column-major, with zeros below; of shape [blocks, block, block].
  private let triangles: Tensor<Scalar>
  private let offset: Int

  /// How many reflections make a block.
  static func block(_ count: Int) -> Int { count <= 128 ? 32 : 64 }

  init(vectors: Tensor<Scalar>, triangles: Tensor<Scalar>) {
    (self.vectors, self.triangles, offset) = (vectors, triangles, 0)
  }

  /// The reflections that a reduction left in the rows of `packed`, of shape [.., length], behind their ones.
  init(packed: Tensor<Scalar>, scales: Tensor<Scalar>, offset: Int) {
    let count = scales.count
    let length = packed.columns
    let block = Self.block(count)
    let blocks = (count + block - 1) / block
    var vectors = Tensor<Scalar>.zeros([count, length])
    var triangles = Tensor<Scalar>.zeros([blocks, block, block])
    vectors.withUnsafeMutableBuffer { vectors in
      triangles.withUnsafeMutableBuffer { triangles in
        packed.withUnsafeBuffer { packed in
          scales.withUnsafeBuffer { scales in
            let vectors = vectors.baseAddress!
            let triangles = triangles.baseAddress!
            let packed = packed.baseAddress!
            let scales = scales.baseAddress!
            parallelTasks(blocks) { i in
              let start = i * block
              let width = min(block, count - start)
              for j in start..<start + width {
                let first = j * length + offset + j
                vectors[first] = 1
                (vectors + first + 1).update(from: packed + first + 1, count: length - offset - j - 1)
              }
              Scalar.formReflectorTriangle(
                rows: length - offset - start, count: width, vectors + start * length + offset + start,
                leading: length, scales: scales + start, triangles + start * block, leadingT: block)
            }
          }
        }
      }
    }
    (self.vectors, self.triangles, self.offset) = (vectors, triangles, offset)
  }

  /// Applies Q or Qᵀ to the rows of `target`, of shape [n, length]; with `isIdentity`, to those of an identity matrix.
  func apply(to target: inout Tensor<Scalar>, transposing: Bool, isIdentity: Bool = false) {
    let count = vectors.rows
    guard target.count > 0, count > 0 else { return }
    let (width, rows) = (target.rows, target.columns)
    let block = triangles.shape[1]
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
              let component = offset + start
              reflect(
                target + first * rows + component, count: group.upperBound - first, length: rows - component,
                leading: rows, vectors: vectors + start * rows + component, triangle: triangles + start * block,
                width: min(block, count - start), leadingTriangle: block, transposing: transposing)
            }
          }
        }
      }
    }
  }
}

/// Runs `body` on groups of vectors, on several threads. The groups depend on the shape alone.
func inGroups(_ count: Int, rows: Int, _ body: (Range<Int>) -> Void) {
  let size = count * rows < 1 << 13 ? max(count, 1) : count < 512 ? 64 : 128
  parallelTasks((count + size - 1) / size) { i in body(i * size..<min((i + 1) * size, count)) }
}

/// Replaces `count` vectors c, which are rows of `length` numbers, by (I - V T Vᵀ) c, or by the transpose's product.
func reflect<Scalar: LinearScalar>(
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
