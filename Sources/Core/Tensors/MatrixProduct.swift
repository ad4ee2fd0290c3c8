// Matrix products: single, batched, with either operand transposed without a copy.
//
// Products are split over Apus's own threads, on a BLAS that runs single-threaded: each element is then the same sum in
// the same order whatever the number of threads (measured bitwise equal; the library's own threading is not).

import BLAS

extension Tensor where Scalar: RealScalar {
  /// The matrix product; leading axes are batches, which broadcast.
  ///
  /// Shapes [m, k] and [k, n] give [m, n]. A vector on the left counts as a row, on the right as a column, and that
  /// axis is missing in the result. With `transposingA` or `transposingB` the last two axes of that operand are
  /// exchanged, at no cost.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func matmul(_ other: Tensor, transposingA: Bool = false, transposingB: Bool = false) -> Tensor {
    precondition(rank >= 1 && other.rank >= 1, "matmul: shapes \(shape) and \(other.shape); each needs an axis")
    if rank == 1 || other.rank == 1 {
      let a = rank == 1 ? expanded(axis: 0) : self
      let b = other.rank == 1 ? other.expanded(axis: 1) : other
      let product = a.matmul(b, transposingA: transposingA && rank > 1, transposingB: transposingB && other.rank > 1)
      let rowless = rank == 1 ? product.squeezed(axis: -2) : product
      return other.rank == 1 ? rowless.squeezed(axis: -1) : rowless
    }
    guard let tape = innermostTape(trace, other.trace) else {
      return Tensor.product(self, other, transposingA, transposingB)
    }
    if tape.exampleCount > 0 { return Tensor.productPerExample(tape, self, other, transposingA, transposingB) }
    if other.rank == 2 && rank > 2 && !transposingA {
      // A common right operand: the batches of the left are just more rows, here and on the way back.
      let count = shape.dropLast().reduce(1, *)
      let rows = reshaped([count, shape[rank - 1]]).matmul(other, transposingB: transposingB)
      return rows.reshaped(shape.dropLast() + [rows.shape[1]])
    }
    let shapeA = shape
    let shapeB = other.shape
    return record(tape, self, other) { a, b in
      let value = a.matmul(b, transposingA: transposingA, transposingB: transposingB)
      return (
        value,
        { g in
          let towardsA =
            transposingA
            ? b.matmul(g, transposingA: transposingB, transposingB: true)
            : g.matmul(b, transposingB: !transposingB)
          return towardsA.sum(to: shapeA)
        },
        { g in
          let towardsB =
            transposingB
            ? g.matmul(a, transposingA: true, transposingB: transposingA)
            : a.matmul(g, transposingA: !transposingA)
          return towardsB.sum(to: shapeB)
        }
      )
    }
  }

  /// aᵀ b of two vectors.
  public func dot(_ other: Tensor) -> Tensor {
    precondition(rank == 1 && shape == other.shape, "dot: shapes \(shape) and \(other.shape) are not equal vectors")
    if trace != nil || other.trace != nil { return (self * other).sum() }
    let (a, b) = (dense, other.dense)
    return withExtendedLifetime((a.storage, b.storage)) {
      Tensor(Scalar.dot(a.base, strideA: 1, b.base, strideB: 1, count: count))
    }
  }

  /// a bᵀ of two vectors, of shape [a.count, b.count].
  public func outer(_ other: Tensor) -> Tensor {
    precondition(rank == 1 && other.rank == 1, "outer: shapes \(shape) and \(other.shape) are not vectors")
    return expanded(axis: 1) * other.expanded(axis: 0)
  }

  /// A Aᵀ, or Aᵀ A when `transposing`, at half the cost of the general product; exactly symmetric.
  public func multipliedByOwnTranspose(transposing: Bool = false) -> Tensor {
    precondition(rank == 2, "A A^T needs a matrix, but the shape is \(shape)")
    if trace != nil {
      return transposing ? matmul(self, transposingA: true) : matmul(self, transposingB: true)
    }
    let a = Operand(self, transposing)
    let size = a.rows
    let inner = a.columns
    var result = Tensor.zeros([size, size])
    guard size > 0, inner > 0 else { return result }
    result.withUnsafeMutableBuffer { buffer in
      let to = Foreign(buffer.baseAddress!)
      let from = a.pointer
      // Row blocks of the upper triangle: the diagonal block by the symmetric kernel, the rest by the general one.
      let block = 256
      let blocks = (size + block - 1) / block
      let isSmall = size * size * inner < Tensor.leastPiece
      withExtendedLifetime(a.tensor.storage) {
        parallelTasks(isSmall ? 0 : blocks) { i in rowBlock(i) }
        if isSmall { for i in 0..<blocks { rowBlock(i) } }
      }
      func rowBlock(_ i: Int) {
        let start = i * block
        let height = min(block, size - start)
        let rowStride = a.isTransposed ? 1 : a.leading
        Scalar.multiplyByOwnTranspose(
          transposing: a.isTransposed, size: height, inner: inner, alpha: 1, from.pointer + start * rowStride,
          leadingA: a.leading, beta: 0, to.mutable + start * size + start, leadingC: size)
        let next = start + height
        guard next < size else { return }
        Scalar.multiply(
          transposingA: a.isTransposed, transposingB: !a.isTransposed, rows: height, columns: size - next,
          inner: inner, alpha: 1, from.pointer + start * rowStride, leadingA: a.leading,
          from.pointer + next * rowStride, leadingB: a.leading, beta: 0, to.mutable + start * size + next,
          leadingC: size)
      }
      Tensor.mirrorUpperTriangle(buffer.baseAddress!, size: size)
    }
    return result
  }

  /// Copies what is above the diagonal of a square matrix below it, in tiles of a cache line's width.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private static func mirrorUpperTriangle(_ a: UnsafeMutablePointer<Scalar>, size: Int) {
    let tile = 16
    for top in stride(from: 0, to: size, by: tile) {
      for left in stride(from: 0, through: top, by: tile) {
        for i in top..<min(top + tile, size) {
          for j in left..<max(left, min(left + tile, i)) { a[i * size + j] = a[j * size + i] }
        }
      }
    }
  }

  // MARK: Kernel calls

  /// A matrix as BLAS wants it: one axis of stride one, the other at least as far apart as a row is long.
  private struct Operand {
    let tensor: Tensor
    let rows: Int, columns: Int
    let isTransposed: Bool
    let leading: Int
    var pointer: Foreign<Scalar> { Foreign(tensor.base) }

    init(_ matrix: Tensor, _ transposing: Bool) {
      let last = matrix.rank - 1
      let stored = (matrix.shape[last - 1], matrix.shape[last])
      (rows, columns) = transposing ? (stored.1, stored.0) : stored
      let strides = matrix.strides
      let (rowStride, columnStride) = (strides[last - 1], strides[last])
      let isSingle = matrix.rank == 2
      if (columnStride == 1 || stored.1 == 1) && (rowStride >= stored.1 || stored.0 == 1) && isSingle {
        tensor = matrix
        isTransposed = transposing
        leading = max(1, stored.1, stored.0 == 1 ? 0 : rowStride)
      } else if (rowStride == 1 || stored.0 == 1) && (columnStride >= stored.0 || stored.1 == 1) && isSingle {
        tensor = matrix
        isTransposed = !transposing
        leading = max(1, stored.0, stored.1 == 1 ? 0 : columnStride)
      } else {
        tensor = matrix.dense
        isTransposed = transposing
        leading = max(1, stored.1)
      }
    }
  }

  private static func product(_ a: Tensor, _ b: Tensor, _ transposingA: Bool, _ transposingB: Bool) -> Tensor {
    let left = Operand(a, transposingA)
    let right = Operand(b, transposingB)
    precondition(
      left.columns == right.rows,
      "matmul: shapes \(a.shape)\(transposingA ? " transposed" : "") and "
        + "\(b.shape)\(transposingB ? " transposed" : "") do not fit: \(left.columns) columns, \(right.rows) rows")
    let (m, n, k) = (left.rows, right.columns, left.columns)
    if a.rank == 2 && b.rank == 2 {
      let result = k == 0 ? Tensor.zeros([m, n]) : Tensor(uninitializedShape: [m, n])
      guard result.count > 0, k > 0 else { return result }
      withExtendedLifetime((left.tensor.storage, right.tensor.storage, result.storage)) {
        multiply(left, left.pointer, right, right.pointer, Foreign(result.base), m, n, k)
      }
      return result
    }
    let batch = Shape.broadcast(a.shape.dropLast(2), b.shape.dropLast(2), for: "matmul batches")
    if b.rank == 2 && !left.isTransposed {
      // A common right operand: the batches of the left are just more rows.
      let count = batch.reduce(m, *)
      return product(left.tensor.reshaped([count, k]), b, false, transposingB).reshaped(batch + [m, n])
    }
    let result = Tensor.zeros(batch + [m, n])
    guard result.count > 0, k > 0 else { return result }
    let strideA = batchStrides(left.tensor, to: batch)
    let strideB = batchStrides(right.tensor, to: batch)
    let walk = StridedWalk(shape: batch, strides: [strideA, strideB])
    let inner = walk.innerCount
    withExtendedLifetime((left.tensor.storage, right.tensor.storage, result.storage)) {
      let x = left.pointer
      let y = right.pointer
      let z = Foreign(result.base)
      let pieces = m * n * k * Shape.count(batch) < 1 << 18 ? 1 : min(walk.outerCount * inner, 4 * threadCount)
      let total = walk.outerCount * inner
      let length = (total + pieces - 1) / pieces
      parallelTasks((total + length - 1) / length) { piece in
        let range = piece * length..<min((piece + 1) * length, total)
        let rows = range.lowerBound / inner..<(range.upperBound + inner - 1) / inner
        walk.forEachRow(in: rows) { row, offsets in
          for i in max(0, range.lowerBound - row * inner)..<min(inner, range.upperBound - row * inner) {
            let index = row * inner + i
            Scalar.multiply(
              transposingA: left.isTransposed, transposingB: right.isTransposed, rows: m, columns: n, inner: k,
              alpha: 1, x.pointer + offsets[0] + i * walk.innerStride(0), leadingA: left.leading,
              y.pointer + offsets[1] + i * walk.innerStride(1), leadingB: right.leading, beta: 0,
              z.mutable + index * m * n, leadingC: n)
          }
        }
      }
    }
    return result
  }

  /// Strides over the batches of a dense operand, in elements, zero where it is stretched.
  private static func batchStrides(_ operand: Tensor, to batch: [Int]) -> [Int] {
    let own = Array(operand.shape.dropLast(2))
    return Shape.broadcastStrides(own, Array(operand.strides.dropLast(2)), to: batch)
      ?? [Int](repeating: 0, count: batch.count)
  }

  /// Multiplications in the least piece that a product is split into: what pays for waking a thread, and is too much for
  /// the special kernels that BLAS has for small products.
  private static var leastPiece: Int { 1 << 21 }

  /// One product, its rows or columns split over the threads.
  ///
  /// Each element must be summed as in the whole product, whatever the number of threads. Between rows this holds where
  /// cuts fall on edges of BLAS's tiles (48 is a multiple of all their sizes). Between columns it does not, so those
  /// pieces depend on the shape alone.
  private static func multiply(
    _ left: Operand, _ a: Foreign<Scalar>, _ right: Operand, _ b: Foreign<Scalar>, _ c: Foreign<Scalar>, _ m: Int,
    _ n: Int, _ k: Int
  ) {
    func part(_ rows: Range<Int>, _ columns: Range<Int>) {
      let x = a.pointer + rows.lowerBound * (left.isTransposed ? 1 : left.leading)
      let y = b.pointer + columns.lowerBound * (right.isTransposed ? right.leading : 1)
      let z = c.mutable + rows.lowerBound * n + columns.lowerBound
      // A matrix times a vector: the vector kernel reads the matrix once, at memory speed.
      if n == 1 {
        Scalar.multiplyVector(
          transposing: left.isTransposed, rows: left.isTransposed ? k : rows.count,
          columns: left.isTransposed ? rows.count : k, alpha: 1, x, leadingA: left.leading, y,
          strideX: right.isTransposed ? 1 : right.leading, beta: 0, z, strideY: 1)
      } else if m == 1 {
        Scalar.multiplyVector(
          transposing: !right.isTransposed, rows: right.isTransposed ? columns.count : k,
          columns: right.isTransposed ? k : columns.count, alpha: 1, y, leadingA: right.leading, x,
          strideX: left.isTransposed ? left.leading : 1, beta: 0, z, strideY: 1)
      } else {
        Scalar.multiply(
          transposingA: left.isTransposed, transposingB: right.isTransposed, rows: rows.count, columns: columns.count,
          inner: k, alpha: 1, x, leadingA: left.leading, y, leadingB: right.leading, beta: 0, z, leadingC: n)
      }
    }
    let isVector = m == 1 || n == 1
    // Few long rows are cut across: every piece then repeats the packing of the smaller operand only.
    let splitsRows = m >= n || m >= 512
    let long = splitsRows ? m : n
    var pieces = m * n * k / (isVector ? leastPiece / 16 : leastPiece)
    if splitsRows && !isVector { pieces = min(threadCount, pieces) }
    if pieces <= 1 { return part(0..<m, 0..<n) }
    let length = max((long + pieces - 1) / pieces + 47, 191) / 48 * 48
    // A small rest goes with the piece before it.
    let rest = long % length
    let isRestOfUse = rest * (m * n / long) * k >= leastPiece / 2
    let count = max(1, long / length + (isRestOfUse ? 1 : 0))
    parallelTasks(count) { piece in
      let range = piece * length..<(piece == count - 1 ? long : (piece + 1) * length)
      if splitsRows { part(range, 0..<n) } else { part(0..<m, range) }
    }
  }
}
