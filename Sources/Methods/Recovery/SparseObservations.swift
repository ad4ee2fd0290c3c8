public import LinearAlgebra
public import Tensors

/// Some entries of a matrix, by rows and by columns.
public struct SparseObservations<Scalar: LinearScalar>: Sendable {
  /// The entries row after row.
  public let byRows: SparseMatrix<Scalar>
  /// The transposed matrix row after row, that is, the entries column after column.
  public let byColumns: SparseMatrix<Scalar>
  /// How many entries were given for a place that had one already; the mean of them counts.
  public let duplicateCount: Int

  public var rows: Int { byRows.rows }
  public var columns: Int { byRows.columns }
  public var count: Int { byRows.entryCount }
  /// The share of places that were observed (p).
  public var density: Double { Double(count) / (Double(rows) * Double(columns)) }

  /// Entries given as triplets, in any order; indices count from zero.
  ///
  /// - Parameters: rowIndices, columnIndices and values, all of shape [entries].
  /// - Throws: `InvalidArgument` for shapes that differ, indices out of range, numbers that are not finite, and when
  ///   there is no entry.
  /// - Complexity: O(entries + rows + columns) time and memory.
  public init(
    rows: Int, columns: Int, rowIndices: Tensor<Int>, columnIndices: Tensor<Int>, values: Tensor<Scalar>
  ) throws {
    try values.requireFinite("values")
    let sums = try SparseMatrix(
      rows: rows, columns: columns, rowIndices: rowIndices, columnIndices: columnIndices, values: values)
    let duplicates = values.count - sums.entryCount
    guard duplicates > 0 else {
      try self.init(sums, duplicateCount: 0)
      return
    }
    let counts = try SparseMatrix(
      rows: rows, columns: columns, rowIndices: rowIndices, columnIndices: columnIndices,
      values: Tensor<Scalar>.ones(values.shape))
    try self.init(sums.withValues(sums.values / counts.values), duplicateCount: duplicates)
  }

  /// The stored entries of a sparse matrix, zeros among them included.
  public init(_ matrix: SparseMatrix<Scalar>) throws { try self.init(matrix, duplicateCount: 0) }

  /// The entries of a matrix of shape [m, n] where the mask, of the same shape, is true; the others may be anything.
  public init(_ matrix: Tensor<Scalar>, mask: Tensor<Bool>) throws {
    guard matrix.rank == 2, matrix.shape == mask.shape else {
      throw InvalidArgument("mask", found: "shape \(mask.shape)", wanted: "the shape of the matrix, \(matrix.shape)")
    }
    let places = mask.trueIndices
    let width = max(matrix.columns, 1)
    let rowIndices = places / width
    try self.init(
      rows: matrix.rows, columns: matrix.columns, rowIndices: rowIndices,
      columnIndices: places - rowIndices * width, values: matrix.flattened.gathered(places))
  }

  private init(_ matrix: SparseMatrix<Scalar>, duplicateCount: Int) throws {
    guard matrix.entryCount > 0 else {
      throw InvalidArgument(
        "observations", found: "no entry in shape \(matrix.shape)", wanted: "at least one observed entry")
    }
    try matrix.values.requireFinite("values")
    byRows = matrix.stored(by: .rows)
    byColumns = matrix.stored(by: .columns).transposed
    self.duplicateCount = duplicateCount
  }

  /// The rows, and the columns, that have no entry.
  public var emptyRows: [Int] { Self.empty(byRows) }
  public var emptyColumns: [Int] { Self.empty(byColumns) }

  private static func empty(_ matrix: SparseMatrix<Scalar>) -> [Int] {
    matrix.starts.withUnsafeBuffer { starts in (0..<matrix.rows).filter { starts[$0] == starts[$0 + 1] } }
  }

  /// The entries split at random: about `fraction` of them are held out.
  ///
  /// - Throws: `InvalidArgument` unless both parts have an entry.
  public func holdingOut(
    _ fraction: Double, random: inout RandomStream
  ) throws -> (kept: SparseObservations, heldOut: SparseObservations) {
    guard fraction > 0, fraction < 1 else {
      throw InvalidArgument("fraction", found: "\(fraction)", wanted: "above 0 and below 1")
    }
    let labels = random.bernoulli([count], probability: fraction)
    return (try subset(.!labels), try subset(labels))
  }

  /// The entries split at random into `count` parts of about one size.
  func parts(_ count: Int, random: inout RandomStream) throws -> [SparseObservations] {
    let labels = random.integers([self.count], in: 0..<count)
    return try (0..<count).map { try subset(labels .== Tensor($0)) }
  }

  private func subset(_ chosen: Tensor<Bool>) throws -> SparseObservations {
    let places = chosen.trueIndices
    return try SparseObservations(
      rows: rows, columns: columns, rowIndices: byRows.rowIndices.gathered(places),
      columnIndices: byRows.columnIndices.gathered(places), values: byRows.values.gathered(places))
  }
}
