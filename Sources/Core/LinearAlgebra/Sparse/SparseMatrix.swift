// Matrices that store only the entries that may differ from zero.

import CVectorKernels
public import Tensors

/// A matrix stored by its entries, row after row (CSR) or column after column (CSC).
///
/// The layout decides which products are fast, not what can be done: every operation takes both, and the transpose is
/// the same memory read the other way, at no cost. Products with vectors and dense matrices want ``Layout/rows``, those
/// with the transpose ``Layout/columns``.
///
/// Entries of a row lie in increasing order of their columns, each place at most once; an entry may be zero. Positions
/// are kept in 32 bits, which bounds extents and entries by 2³¹ - 1 and halves the traffic of 64.
///
/// ```swift
/// let a = try SparseMatrix<Double>(
///   rows: 2, columns: 3, rowIndices: Tensor([0, 1, 1]), columnIndices: Tensor([2, 0, 0]), values: Tensor([5, 1, 2]))
/// a.matmul(Tensor([1, 1, 1]))  // [5, 3]: entries of one place add up
/// ```
public struct SparseMatrix<Scalar: LinearScalar>: Sendable, Equatable {
  /// Whether entries are stored row after row or column after column.
  public enum Layout: Sendable, Hashable {
    case rows, columns
    var opposite: Layout { self == .rows ? .columns : .rows }
  }

  public let rows: Int
  public let columns: Int
  public let layout: Layout
  /// Row (or column) i has the entries starts[i] ..< starts[i + 1]; of shape [rows + 1] (or [columns + 1]).
  public let starts: Tensor<Int32>
  /// The column (or row) of each entry, shape [entries].
  public let indices: Tensor<Int32>
  /// Shape [entries].
  public let values: Tensor<Scalar>

  /// [rows, columns].
  public var shape: [Int] { [rows, columns] }
  /// How many entries are stored, zeros among them included.
  public var entryCount: Int { values.count }

  /// Whoever calls has kept the promises of the layout.
  init(
    trusted rows: Int, _ columns: Int, _ layout: Layout, starts: Tensor<Int32>, indices: Tensor<Int32>,
    values: Tensor<Scalar>
  ) {
    (self.rows, self.columns, self.layout) = (rows, columns, layout)
    (self.starts, self.indices, self.values) = (starts.dense, indices.dense, values.dense)
  }

  /// A matrix from its compressed arrays.
  ///
  /// - Throws: `InvalidArgument` when lengths do not fit, starts decrease, an index is out of range, or indices do not
  ///   increase within a row (or column); it names the entry.
  public init(
    rows: Int, columns: Int, layout: Layout = .rows, starts: Tensor<Int32>, indices: Tensor<Int32>,
    values: Tensor<Scalar>
  ) throws {
    try Self.requireExtents(rows, columns, entries: values.count)
    self.init(trusted: rows, columns, layout, starts: starts, indices: indices, values: values)
    try requireStructure()
  }

  /// A matrix without entries; traps on an extent of 2^31 and more.
  public static func zeros(_ rows: Int, _ columns: Int, layout: Layout = .rows) -> SparseMatrix {
    precondition(
      max(rows, columns) < Int(Int32.max), "shape [\(rows), \(columns)]; a sparse matrix has extents below 2^31")
    let starts = Tensor<Int32>.zeros([(layout == .rows ? rows : columns) + 1])
    return SparseMatrix(trusted: rows, columns, layout, starts: starts, indices: .zeros([0]), values: .zeros([0]))
  }

  /// A square matrix with `diagonal`, of shape [n], on its diagonal.
  public init(diagonal: Tensor<Scalar>) {
    precondition(diagonal.rank == 1, "a diagonal is a vector, but the shape is \(diagonal.shape)")
    let size = diagonal.count
    precondition(size < Int(Int32.max), "\(size) rows; a sparse matrix has fewer than 2^31")
    self.init(
      trusted: size, size, .rows, starts: Tensor(0..<Int32(size + 1)), indices: Tensor(0..<Int32(size)),
      values: diagonal)
  }

  public static func identity(_ size: Int) -> SparseMatrix { SparseMatrix(diagonal: .ones([size])) }

  // MARK: Layout

  /// The number of rows (or columns) along which entries are stored.
  var majorCount: Int { layout == .rows ? rows : columns }
  var minorCount: Int { layout == .rows ? columns : rows }

  /// Aᵀ: the same memory, with the other layout.
  public var transposed: SparseMatrix {
    SparseMatrix(trusted: columns, rows, layout.opposite, starts: starts, indices: indices, values: values)
  }

  /// The same matrix in the given layout; rearranging takes O(entries + rows + columns).
  public func stored(by wanted: Layout) -> SparseMatrix {
    if wanted == layout { return self }
    let minor = minorCount
    var starts = Tensor<Int32>.unwritten([minor + 1])
    var indices = Tensor<Int32>.unwritten([entryCount])
    var values = Tensor<Scalar>.unwritten([entryCount])
    withKernels { kernels, view in
      starts.withUnsafeMutableBuffer { starts in
        indices.withUnsafeMutableBuffer { indices in
          values.withUnsafeMutableBuffer { values in
            kernels.transpose(view, minor, starts.baseAddress!, indices.baseAddress!, values.baseAddress!)
          }
        }
      }
    }
    return SparseMatrix(trusted: rows, columns, wanted, starts: starts, indices: indices, values: values)
  }

  /// The same places with other values, of shape [entries] in the order of storage.
  public func withValues(_ values: Tensor<Scalar>) -> SparseMatrix {
    precondition(values.shape == [entryCount], "values of shape \(values.shape) for \(entryCount) entries")
    return SparseMatrix(trusted: rows, columns, layout, starts: starts, indices: indices, values: values)
  }

  /// The row of each entry in the order of storage, for coordinate files; shape [entries].
  public var rowIndices: Tensor<Int> { layout == .rows ? majorIndices : minorIndices }
  /// The column of each entry in the order of storage; shape [entries].
  public var columnIndices: Tensor<Int> { layout == .rows ? minorIndices : majorIndices }

  private var minorIndices: Tensor<Int> {
    Tensor(uninitializedShape: [entryCount]) { result in
      indices.withUnsafeBuffer { indices in for k in result.indices { result[k] = Int(indices[k]) } }
    }
  }

  private var majorIndices: Tensor<Int> {
    Tensor(uninitializedShape: [entryCount]) { result in
      starts.withUnsafeBuffer { starts in
        for i in 0..<majorCount { for k in starts[i]..<starts[i + 1] { result[Int(k)] = i } }
      }
    }
  }

  // MARK: Checks

  static func requireExtents(_ rows: Int, _ columns: Int, entries: Int) throws {
    for (name, extent) in [("rows", rows), ("columns", columns), ("values", entries)]
    where extent < 0 || extent >= Int(Int32.max) {
      throw InvalidArgument(name, found: "\(extent)", wanted: "at least 0, below 2^31 - 1")
    }
  }

  private func requireStructure() throws {
    guard starts.shape == [majorCount + 1] else {
      throw InvalidArgument(
        "starts", found: "shape \(starts.shape)", wanted: "shape [\(majorCount + 1)] for \(majorCount) \(layout)")
    }
    guard values.rank == 1, indices.shape == values.shape else {
      throw InvalidArgument(
        "indices", found: "shape \(indices.shape) beside values of shape \(values.shape)",
        wanted: "one index for each value, as vectors")
    }
    let extent = Int32(minorCount)
    try starts.withUnsafeBuffer { starts in
      guard starts[0] == 0, starts[majorCount] == Int32(entryCount) else {
        throw InvalidArgument(
          "starts", found: "\(starts[0]) through \(starts[majorCount])", wanted: "0 through \(entryCount) entries")
      }
      if let i = (0..<majorCount).first(where: { starts[$0] > starts[$0 + 1] }) {
        throw InvalidArgument(
          "starts", found: "\(starts[i + 1]) after \(starts[i]) at [\(i + 1)]", wanted: "no decrease")
      }
      try indices.withUnsafeBuffer { indices in
        for i in 0..<majorCount {
          var previous: Int32 = -1
          for k in Int(starts[i])..<Int(starts[i + 1]) {
            let index = indices[k]
            guard previous < index && index < extent else {
              throw InvalidArgument(
                "indices", found: "\(index) at [\(k)]",
                wanted: previous >= 0 && previous >= index
                  ? "more than \(previous), its neighbour" : "at least 0, below \(extent)")
            }
            previous = index
          }
        }
      }
    }
  }

  /// Throws unless every entry is finite; the error gives the row and column of the first that is not.
  public func requireFinite(_ name: String = "matrix") throws {
    guard !values.isFinite else { return }
    let bad = values.withUnsafeBuffer { $0.firstIndex { !$0.isFinite } } ?? 0
    let (row, column) = (rowIndices[at: bad], columnIndices[at: bad])
    throw InvalidArgument(name, found: "\(values[at: bad]) at [\(row), \(column)]", wanted: "finite numbers")
  }

  /// This matrix by rows, after a check that it is square and finite.
  func validSquare(_ name: String = "matrix") throws -> SparseMatrix {
    guard rows == columns else { throw InvalidArgument(name, found: "shape \(shape)", wanted: "a square matrix") }
    try requireFinite(name)
    return stored(by: .rows)
  }

  /// Whether the matrix equals its transpose, up to `tolerance` times its largest magnitude.
  public func isSymmetric(tolerance: Scalar = 0) -> Bool {
    guard rows == columns else { return false }
    let difference = (self - transposed).maximumNorm()
    return difference <= tolerance * maximumNorm()
  }

  // MARK: Kernels

  /// Calls `body` with the kernels of this scalar and the arrays of this matrix, seen as compressed rows.
  func withKernels<Result>(
    _ body: (apus_sparse_kernels, UnsafePointer<apus_csr>) throws -> Result
  ) rethrows -> Result {
    try starts.withUnsafeBuffer { starts in
      try indices.withUnsafeBuffer { indices in
        try values.withUnsafeBuffer { values in
          let view = apus_csr(
            rows: majorCount, starts: starts.baseAddress!, indices: indices.baseAddress!,
            values: UnsafeRawPointer(values.baseAddress!))
          return try withUnsafePointer(to: view) { try body(sparseKernels(Scalar.self), $0) }
        }
      }
    }
  }

  /// Runs `body` on consecutive ranges of rows (or columns) with about equally many entries, on several threads.
  ///
  /// The rows of a range are worked off one after another, each into a place of its own: the split does not show.
  func parallelMajors(work: Int = 1, _ body: (Range<Int>) -> Void) {
    let total = entryCount + majorCount
    let threads = threadCount
    guard threads > 1, total * work >= 1 << 14 else { return body(0..<majorCount) }
    // More pieces than threads: a thread that the system holds up leaves work to the others.
    let pieces = min(8 * threads, max(2, total * work >> 13))
    let bounds = starts.withUnsafeBuffer { starts in
      (0...pieces).map { piece in
        // The first row before which this share of the work lies.
        let share = total / pieces * piece
        var (low, high) = (0, majorCount)
        while low < high {
          let middle = (low + high) / 2
          if Int(starts[middle]) + middle < share { low = middle + 1 } else { high = middle }
        }
        return piece == pieces ? majorCount : low
      }
    }
    parallelTasks(pieces) { piece in
      if bounds[piece] < bounds[piece + 1] { body(bounds[piece]..<bounds[piece + 1]) }
    }
  }
}

/// The kernels for a scalar: there are two, told apart by their size.
func sparseKernels<Scalar: LinearScalar>(_: Scalar.Type) -> apus_sparse_kernels {
  MemoryLayout<Scalar>.size == 4 ? apus_sparse_f32().pointee : apus_sparse_f64().pointee
}

extension Tensor {
  /// Memory that a kernel is about to write, all of it.
  static func unwritten(_ shape: [Int]) -> Tensor { Tensor(uninitializedShape: shape) { _ in } }

  /// Zeros, by the machine's own loop.
  static func cleared(_ shape: [Int]) -> Tensor where Scalar: NumericScalar {
    Tensor(uninitializedShape: shape) {
      _ = UnsafeMutableRawBufferPointer($0).initializeMemory(as: UInt8.self, repeating: 0)
    }
  }
}
