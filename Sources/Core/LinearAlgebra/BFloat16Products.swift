// Products in bfloat16 with sums in f32, on Apus's threads.

import CVectorKernels
import OneDNN
public import Tensors

/// In which numbers the terms of an f32 matrix product are multiplied.
public enum ProductPrecision: String, Sendable, Codable, Hashable {
  /// As they are.
  case full
  /// Rounded to bfloat16, of 8 significant bits; sums stay in f32.
  ///
  /// Where that is not faster it is ``full``: on processors without such instructions, and for products of fewer than
  /// 128 rows, columns or terms. So results depend on the processor, though not on the number of threads.
  case bfloat16

  /// Whether this processor has what ``bfloat16`` needs.
  public static let hasBFloat16 = BFloat16Products(rows: 128, columns: 128) != nil
}

extension Tensor where Scalar == Float {
  /// The product of two matrices, [m, k] and [k, n] (or [n, k] when `transposingB`), in a precision of choice.
  ///
  /// Differentiated products are computed in full.
  public func matmul(_ other: Tensor, transposingB: Bool = false, precision: ProductPrecision) -> Tensor {
    guard precision == .bfloat16, rank == 2, other.rank == 2, !isDifferentiated, !other.isDifferentiated else {
      return matmul(other, transposingB: transposingB)
    }
    let (inner, width) = transposingB ? (other.columns, other.rows) : (other.rows, other.columns)
    guard columns == inner,
      let products = BFloat16Products(rows: rows, columns: width, inner: inner, transposingB: transposingB)
    else { return matmul(other, transposingB: transposingB) }
    let a = BFloat16Matrix(rounding: self)
    let b = BFloat16Matrix(rounding: other)
    return products.product(a, b)
  }
}

/// A matrix of bfloat16 numbers, row by row: what is kept between products.
final class BFloat16Matrix: @unchecked Sendable {
  let rows: Int, columns: Int
  let numbers: UnsafeMutablePointer<UInt16>

  init(rows: Int, columns: Int) {
    (self.rows, self.columns) = (rows, columns)
    numbers = .allocate(capacity: rows * columns)
  }

  /// Each number of `matrix` over `divisor`, rounded once.
  convenience init(rounding matrix: Tensor<Float>, dividedBy divisor: Float = 1) {
    self.init(rows: matrix.rows, columns: matrix.columns)
    let factor = 1 / divisor
    // Of so small a divisor that its inverse overflows, the quotient itself.
    let isInverted = factor.isFinite
    matrix.dense.withUnsafeBuffer { buffer in
      let from = buffer.baseAddress!
      parallelRanges(buffer.count, grain: 1 << 15) { range in
        let length = 1_024
        withUnsafeTemporaryAllocation(of: Float.self, capacity: length) { quotients in
          for start in stride(from: range.lowerBound, to: range.upperBound, by: length) {
            let count = min(length, range.upperBound - start)
            let source = from + start
            if isInverted {
              for i in 0..<count { quotients[i] = source[i] * factor }
            } else {
              for i in 0..<count { quotients[i] = source[i] / divisor }
            }
            apus_bf16_from_f32(quotients.baseAddress!, numbers + start, count)
          }
        }
      }
    }
  }

  deinit { numbers.deallocate() }

  /// The same numbers in f32.
  func widened(transposing: Bool) -> Tensor<Float> {
    let result = Tensor<Float>(uninitializedShape: [rows, columns]) { buffer in
      let to = buffer.baseAddress!
      parallelRanges(buffer.count, grain: 1 << 15) { range in
        let start = range.lowerBound
        apus_f32_from_bf16(numbers + start, to + start, range.count)
      }
    }
    return transposing ? result.transposed : result
  }
}

/// Products by pieces that depend on the shapes alone; each element is one sum, whichever thread takes the piece.
struct BFloat16Products {
  /// The least extent at which rounding the operands pays.
  private static let least = 128

  /// Rows in a piece, and the extents of the tiles of a symmetric result: enough pieces for two threads and more.
  private let block: Int
  private let columns: Int, inner: Int
  private let transposingB: Bool

  /// For an iteration on X of shape [rows, columns]: X Xᵀ, products of symmetric matrices, and their products with X.
  init?(rows: Int, columns: Int) { self.init(rows: rows, columns: columns, inner: rows, transposingB: false) }

  /// For products of shape [rows, columns]; nil where f32 is the faster way.
  init?(rows: Int, columns: Int, inner: Int, transposingB: Bool) {
    block = rows < 512 ? 64 : 128
    (self.columns, self.inner, self.transposingB) = (columns, inner, transposingB)
    guard min(rows, columns, inner) >= Self.least, BFloat16Product.prepared(form(rows: block)) != nil else {
      return nil
    }
  }

  private func form(rows: Int) -> BFloat16ProductForm {
    BFloat16ProductForm(rows: rows, columns: columns, inner: inner, transposingB: transposingB)
  }

  private func prepared(_ form: BFloat16ProductForm) -> BFloat16Product {
    guard let product = BFloat16Product.prepared(form) else {
      preconditionFailure(
        "oneDNN has no product of \(form.rows) x \(form.columns) with \(form.inner) terms in bfloat16")
    }
    return product
  }

  /// Calls `body` with the ranges that `extent` is cut into, on several threads.
  private func parallelBlocks(_ extent: Int, _ body: (Range<Int>) -> Void) {
    parallelTasks((extent + block - 1) / block) { body($0 * block..<min(($0 + 1) * block, extent)) }
  }

  /// a b in f32.
  func product(_ a: BFloat16Matrix, _ b: BFloat16Matrix) -> Tensor<Float> {
    Tensor(uninitializedShape: [a.rows, columns]) { buffer in
      let to = buffer.baseAddress!
      parallelBlocks(a.rows) { rows in
        var form = form(rows: rows.count)
        form.resultIsSingle = true
        prepared(form)(
          a.numbers + rows.lowerBound * inner, b.numbers, into: to + rows.lowerBound * columns)
      }
    }
  }

  /// a b + scale · addend, which may be b.
  func product(
    _ a: BFloat16Matrix, _ b: BFloat16Matrix, plus addend: BFloat16Matrix, scaledBy scale: Float,
    into result: BFloat16Matrix
  ) {
    parallelBlocks(a.rows) { rows in
      var form = form(rows: rows.count)
      form.beta = scale
      let to = result.numbers + rows.lowerBound * columns
      to.update(from: addend.numbers + rows.lowerBound * columns, count: rows.count * columns)
      prepared(form)(a.numbers + rows.lowerBound * inner, b.numbers, into: to)
    }
  }

  /// alpha a aᵀ + beta · addend, of a symmetric addend: the tiles above the diagonal are computed, those below copied.
  func symmetric(
    _ a: BFloat16Matrix, scaledBy alpha: Float = 1, plus addend: BFloat16Matrix? = nil, scaledBy beta: Float = 0,
    into result: BFloat16Matrix
  ) {
    let size = a.rows
    let blocks = (size + block - 1) / block
    let tiles = (0..<blocks).flatMap { i in (i..<blocks).map { (i, $0) } }
    parallelTasks(tiles.count) { tile in
      let (i, j) = tiles[tile]
      let rows = i * block..<min((i + 1) * block, size)
      let columns = j * block..<min((j + 1) * block, size)
      var form = BFloat16ProductForm(rows: rows.count, columns: columns.count, inner: a.columns, transposingB: true)
      form.leadingC = size
      form.alpha = alpha
      form.beta = beta
      let place = rows.lowerBound * size + columns.lowerBound
      let to = result.numbers + place
      if let addend {
        for row in 0..<rows.count {
          (to + row * size).update(from: addend.numbers + place + row * size, count: columns.count)
        }
      }
      prepared(form)(a.numbers + rows.lowerBound * a.columns, a.numbers + columns.lowerBound * a.columns, into: to)
      if i != j { result.mirror(rows, columns) }
    }
  }
}

extension BFloat16Matrix {
  /// Copies a tile of a square matrix to the other side of the diagonal.
  fileprivate func mirror(_ tileRows: Range<Int>, _ tileColumns: Range<Int>) {
    let (height, width) = (tileRows.count, tileColumns.count)
    let from = numbers + tileRows.lowerBound * columns + tileColumns.lowerBound
    let to = numbers + tileColumns.lowerBound * columns + tileRows.lowerBound
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: height * width) { turned in
      let turned = turned.baseAddress!
      apus_copy_strided_2d(MemoryLayout<UInt16>.size, from, 1, columns, turned, width, height)
      for row in 0..<width { (to + row * columns).update(from: turned + row * height, count: height) }
    }
  }
}
