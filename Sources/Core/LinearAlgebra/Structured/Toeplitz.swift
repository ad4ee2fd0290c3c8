// Toeplitz matrices: the same number along each diagonal.

public import Tensors

/// A Toeplitz matrix, held as its first column and row.
public struct ToeplitzMatrix<Scalar: LinearScalar>: Sendable {
  /// Entries (i, 0), of shape [m].
  public let column: Tensor<Scalar>
  /// Entries (0, j), of shape [n]; the first is column[0].
  public let row: Tensor<Scalar>

  /// - Parameter row: by default the column: a symmetric matrix. Its first entry is not used.
  /// - Throws: `InvalidArgument` unless both are vectors of finite numbers with at least one entry.
  public init(column: Tensor<Scalar>, row: Tensor<Scalar>? = nil) throws {
    guard try column.validVector("column") > 0, try (row ?? column).validVector("row") > 0 else {
      throw InvalidArgument("column", found: "no entries", wanted: "at least one")
    }
    self.column = column.dense
    var first = (row ?? column).dense
    first[0] = column[0]
    self.row = first
  }

  /// Entries (0, n - 1), ..., (0, 0), ..., (m - 1, 0): entry (i, j) stands at n - 1 + i - j.
  private var diagonals: Tensor<Scalar> { .concatenated([row.reversed(axis: 0), column[1...]], axis: 0) }

  /// The matrix itself, of shape [m, n].
  public func dense() -> Tensor<Scalar> {
    let (m, n) = (column.count, row.count)
    return diagonals.withUnsafeBuffer { d in
      Tensor(uninitializedShape: [m, n]) { t in
        for i in 0..<m { for j in 0..<n { t[i * n + j] = d[n - 1 + i - j] } }
      }
    }
  }

  /// The product with x, of shape [n], as a sliding dot product.
  ///
  /// - Complexity: O(m n) time without a matrix in memory. From a few thousand entries on, the fast Fourier transform of
  ///   the module Fourier does it in O((m + n) log(m + n)); circulant matrices, too, are diagonal there.
  public func multiply(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let (m, n) = (column.count, row.count)
    precondition(x.shape == [n], "a Toeplitz matrix of shape [\(m), \(n)] was applied to shape \(x.shape)")
    let reversed = x.reversed(axis: 0).dense
    return diagonals.withUnsafeBuffer { d in
      reversed.withUnsafeBuffer { x in
        Tensor(uninitializedShape: [m]) { y in
          for i in 0..<m {
            y[i] = Scalar.dot(d.baseAddress! + i, strideA: 1, x.baseAddress!, strideB: 1, count: n)
          }
        }
      }
    }
  }

  /// x with T x = b, for a square T and b of shape [n] or [n, p].
  ///
  /// Stable for symmetric positive definite and for diagonally dominant matrices. In general errors grow as the condition
  /// of the leading blocks does: when in doubt, compare ``multiply(_:)`` with b, or solve with ``dense()``.
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite; `DecompositionError.singular` when a leading
  ///   block is singular, which a regular T may have.
  /// - Complexity: O(n²) time; O(n) memory.
  /// - Source: Levinson's recursion; Golub and Van Loan, "Matrix computations", 4th edition, sections 4.7.3 and 4.7.5.
  ///   Stability: Cybenko, SIAM J. Sci. Stat. Comput. 1 (1980).
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let n = column.count
    guard row.count == n else {
      throw InvalidArgument("matrix", found: "shape [\(n), \(row.count)]", wanted: "a square matrix")
    }
    let b = try rightSide.validRightSide(rows: n)
    var pivot = -1
    let x = solvingColumns(b.dense) { x, count in
      column.withUnsafeBuffer { c in
        row.withUnsafeBuffer { r in
          pivot = levinson(c.baseAddress!, r.baseAddress!, x, size: n, count: count)
        }
      }
    }
    guard pivot < 0 else { throw DecompositionError.singular(pivot: pivot) }
    return x
  }
}

/// Replaces `count` right sides of length n, one after another, by solutions. The order of a singular leading block, or -1.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func levinson<Scalar: LinearScalar>(
  _ column: UnsafePointer<Scalar>, _ row: UnsafePointer<Scalar>, _ x: UnsafeMutablePointer<Scalar>, size n: Int,
  count: Int
) -> Int {
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: 4 * n) { buffer in
    // T f = (pivot, 0, ..., 0) with f[0] = 1, and T g = (0, ..., 0, pivot) with g[k - 1] = 1, for the leading block T.
    let forward = buffer.baseAddress!
    // Grows at its front: it ends where the allocation's third quarter does.
    var backward = forward + 3 * n - 1
    // Backwards, so that all sums are dot products.
    let columnBack = forward + 3 * n
    for i in 0..<n { columnBack[n - 1 - i] = column[i] }
    var pivot = column[0]
    guard pivot != 0 else { return 0 }
    (forward[0], backward[0]) = (1, 1)
    for p in 0..<count { x[p * n] /= pivot }
    for k in 1..<max(n, 1) {
      // What the row below says of forward, and the row above of backward.
      let below = Scalar.dot(columnBack + n - 1 - k, strideA: 1, forward, strideB: 1, count: k)
      let above = Scalar.dot(row + 1, strideA: 1, backward, strideB: 1, count: k)
      let (f, g) = (below / pivot, above / pivot)
      // forward ← (forward, 0) - f (0, backward), backward ← (0, backward) - g (forward, 0).
      forward[k] = 0
      backward -= 1
      backward[0] = 0
      for i in 0...k {
        let (old, shifted) = (forward[i], backward[i])
        forward[i] = old - f * shifted
        backward[i] = shifted - g * old
      }
      pivot -= f * above
      guard pivot != 0, pivot.isFinite else { return k }
      for p in 0..<count {
        let y = x + p * n
        let gap = (y[k] - Scalar.dot(columnBack + n - 1 - k, strideA: 1, y, strideB: 1, count: k)) / pivot
        y[k] = 0
        for i in 0...k { y[i] += gap * backward[i] }
      }
    }
    return -1
  }
}
