import LinearAlgebra
import Tensors

/// A sparse matrix by rows in memory of its own, for the loops of multigrid. Nothing changes after it has been filled.
///
/// Columns increase within a row.
final class CompressedRows: @unchecked Sendable {
  let rows: Int
  let columns: Int
  let starts: UnsafeMutablePointer<Int32>
  let indices: UnsafeMutablePointer<Int32>
  let values: UnsafeMutablePointer<Double>

  /// Room for `capacity` entries; whoever calls fills it.
  init(rows: Int, columns: Int, capacity: Int) {
    (self.rows, self.columns) = (rows, columns)
    starts = .allocate(capacity: rows + 1)
    indices = .allocate(capacity: max(capacity, 1))
    values = .allocate(capacity: max(capacity, 1))
    starts[0] = 0
  }

  convenience init(_ matrix: SparseMatrix<Double>) {
    let matrix = matrix.stored(by: .rows)
    self.init(rows: matrix.rows, columns: matrix.columns, capacity: matrix.entryCount)
    matrix.starts.withUnsafeBuffer { starts.update(from: $0.baseAddress!, count: rows + 1) }
    guard matrix.entryCount > 0 else { return }
    matrix.indices.withUnsafeBuffer { indices.update(from: $0.baseAddress!, count: matrix.entryCount) }
    matrix.values.withUnsafeBuffer { values.update(from: $0.baseAddress!, count: matrix.entryCount) }
  }

  deinit {
    starts.deallocate()
    indices.deallocate()
    values.deallocate()
  }

  var entryCount: Int { Int(starts[rows]) }

  func sparseMatrix() throws -> SparseMatrix<Double> {
    try SparseMatrix(
      rows: rows, columns: columns,
      starts: Tensor(Array(UnsafeBufferPointer(start: starts, count: rows + 1))),
      indices: Tensor(Array(UnsafeBufferPointer(start: indices, count: entryCount))),
      values: Tensor(Array(UnsafeBufferPointer(start: values, count: entryCount))))
  }

  /// The diagonal, with zeros where no entry is stored.
  func diagonal() -> [Double] {
    (0..<rows).map { i in
      for k in Int(starts[i])..<Int(starts[i + 1]) where indices[k] == Int32(i) { return values[k] }
      return 0
    }
  }

  /// y = A x.
  func multiply(_ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>) {
    parallelRanges(rows, grain: 1 << 13) { range in
      for i in range {
        var sum = 0.0
        var k = Int(starts[i])
        let end = Int(starts[i &+ 1])
        while k < end {
          sum += values[k] * x[Int(indices[k])]
          k &+= 1
        }
        y[i] = sum
      }
    }
  }

  /// y = b - A x.
  func residual(
    _ b: UnsafePointer<Double>, _ x: UnsafePointer<Double>, into y: UnsafeMutablePointer<Double>
  ) {
    parallelRanges(rows, grain: 1 << 13) { range in
      for i in range {
        var sum = b[i]
        var k = Int(starts[i])
        let end = Int(starts[i &+ 1])
        while k < end {
          sum -= values[k] * x[Int(indices[k])]
          k &+= 1
        }
        y[i] = sum
      }
    }
  }

  /// A forward Gauss–Seidel sweep from x = 0, and the residual after it, in one pass over the lower triangle of a
  /// symmetric matrix: what row i adds to the rows above it is known as soon as x_i is.
  func forwardSweepFromZero(
    _ b: UnsafePointer<Double>, inverseDiagonal: UnsafePointer<Double>, solution x: UnsafeMutablePointer<Double>,
    residual r: UnsafeMutablePointer<Double>
  ) {
    for i in 0..<rows {
      var rest = b[i]
      let start = Int(starts[i])
      let end = Int(starts[i &+ 1])
      let row = Int32(truncatingIfNeeded: i)
      var k = start
      while k < end && indices[k] < row {
        rest -= values[k] * x[Int(indices[k])]
        k &+= 1
      }
      let value = rest * inverseDiagonal[i]
      x[i] = value
      r[i] = 0
      var l = start
      while l < k {
        r[Int(indices[l])] -= values[l] * value
        l &+= 1
      }
    }
  }

  /// A backward Gauss–Seidel sweep over x towards A x = b.
  func backwardSweep(
    _ b: UnsafePointer<Double>, inverseDiagonal: UnsafePointer<Double>, solution x: UnsafeMutablePointer<Double>
  ) {
    var i = rows &- 1
    while i >= 0 {
      var rest = b[i]
      var k = Int(starts[i])
      let end = Int(starts[i &+ 1])
      while k < end {
        rest -= values[k] * x[Int(indices[k])]
        k &+= 1
      }
      x[i] += rest * inverseDiagonal[i]
      i &-= 1
    }
  }
}
