// Sparse matrices from triplets and dense matrices, and back.

import CVectorKernels
public import Tensors

extension SparseMatrix {
  /// A matrix from triplets in any order; those of one place add up, in the order given.
  ///
  /// - Parameters: rowIndices, columnIndices and values, all of one shape [entries].
  /// - Throws: `InvalidArgument` for shapes that differ, or an index out of range; it names the entry.
  /// - Complexity: O(entries + rows + columns) time and memory.
  public init(
    rows: Int, columns: Int, rowIndices: Tensor<Int>, columnIndices: Tensor<Int>, values: Tensor<Scalar>,
    layout: Layout = .rows
  ) throws {
    try Self.requireExtents(rows, columns, entries: values.count)
    guard values.rank == 1, rowIndices.shape == values.shape, columnIndices.shape == values.shape else {
      throw InvalidArgument(
        "triplets", found: "shapes \(rowIndices.shape), \(columnIndices.shape) and \(values.shape)",
        wanted: "three vectors of one length")
    }
    try requireIndices(rowIndices, "rowIndices", below: rows)
    try requireIndices(columnIndices, "columnIndices", below: columns)
    if let sorted = Self.compressed(
      layout == .rows ? rowIndices : columnIndices, layout == .rows ? columnIndices : rowIndices,
      extent: layout == .rows ? rows : columns)
    {
      self.init(trusted: rows, columns, layout, starts: sorted.starts, indices: sorted.indices, values: values)
      return
    }
    // First by the minor index; the transpose then walks each row in increasing order, and equal places meet.
    let byRows = layout == .rows
    let distributed = Self.distributed(
      keys: byRows ? columnIndices : rowIndices, others: byRows ? rowIndices : columnIndices, values,
      extent: byRows ? columns : rows)
    let unsummed = SparseMatrix(
      trusted: rows, columns, layout.opposite, starts: distributed.starts, indices: distributed.indices,
      values: distributed.values
    ).stored(by: layout)
    self = unsummed.summingDuplicates()
  }

  /// The compressed indices, if the triplets are in order already and no place occurs twice.
  private static func compressed(
    _ majors: Tensor<Int>, _ minors: Tensor<Int>, extent: Int
  ) -> (starts: Tensor<Int32>, indices: Tensor<Int32>)? {
    var starts = Tensor<Int32>.unwritten([extent + 1])
    var indices = Tensor<Int32>.unwritten([minors.count])
    let isSorted = starts.withUnsafeMutableBuffer { starts in
      indices.withUnsafeMutableBuffer { indices in
        majors.withUnsafeBuffer { majors in
          minors.withUnsafeBuffer { minors in
            var next = 0
            var (lastMajor, lastMinor) = (-1, -1)
            for entry in majors.indices {
              let (major, minor) = (majors[entry], minors[entry])
              guard major > lastMajor || (major == lastMajor && minor > lastMinor) else { return false }
              while next <= major {
                starts[next] = Int32(entry)
                next += 1
              }
              indices[entry] = Int32(minor)
              (lastMajor, lastMinor) = (major, minor)
            }
            while next <= extent {
              starts[next] = Int32(majors.count)
              next += 1
            }
            return true
          }
        }
      }
    }
    return isSorted ? (starts, indices) : nil
  }

  private static func distributed(
    keys: Tensor<Int>, others: Tensor<Int>, _ entries: Tensor<Scalar>, extent: Int
  ) -> (starts: Tensor<Int32>, indices: Tensor<Int32>, values: Tensor<Scalar>) {
    let count = entries.count
    var starts = Tensor<Int32>.unwritten([extent + 1])
    var indices = Tensor<Int32>.unwritten([count])
    var values = Tensor<Scalar>.unwritten([count])
    keys.withUnsafeBuffer { keys in
      others.withUnsafeBuffer { others in
        entries.withUnsafeBuffer { entries in
          starts.withUnsafeMutableBuffer { starts in
            indices.withUnsafeMutableBuffer { indices in
              values.withUnsafeMutableBuffer { values in
                sparseKernels(Scalar.self).distribute(
                  count, keys.baseAddress!, others.baseAddress!, entries.baseAddress!, extent, starts.baseAddress!,
                  indices.baseAddress!, values.baseAddress!)
              }
            }
          }
        }
      }
    }
    return (starts, indices, values)
  }

  private func summingDuplicates() -> SparseMatrix {
    var (starts, indices, values) = (starts, indices, values)
    let count = starts.withUnsafeMutableBuffer { starts in
      indices.withUnsafeMutableBuffer { indices in
        values.withUnsafeMutableBuffer { values in
          sparseKernels(Scalar.self).sum_duplicates(
            majorCount, starts.baseAddress!, indices.baseAddress!, values.baseAddress!)
        }
      }
    }
    return SparseMatrix(
      trusted: rows, columns, layout, starts: starts, indices: indices[0..<count], values: values[0..<count])
  }

  /// The entries of a dense matrix whose magnitude exceeds `threshold`; NaN counts as an entry.
  public init(_ matrix: Tensor<Scalar>, threshold: Scalar = 0, layout: Layout = .rows) throws {
    guard matrix.rank == 2 else { throw InvalidArgument("matrix", found: "shape \(matrix.shape)", wanted: "a matrix") }
    let places = (.!(matrix.absolute() .<= threshold)).flattened.trueIndices
    let width = max(matrix.columns, 1)
    let rowIndices = places / width
    try self.init(
      rows: matrix.rows, columns: matrix.columns, rowIndices: rowIndices, columnIndices: places - rowIndices * width,
      values: matrix.flattened.gathered(places), layout: layout)
  }

  /// The matrix with its zeros, of shape [rows, columns].
  public var dense: Tensor<Scalar> {
    let places = rowIndices * columns + columnIndices
    return Tensor.zeros([rows * columns]).scatterAdded(values, at: places).reshaped(shape)
  }
}

/// Throws unless every index is at least zero and below `extent`; the error names the first entry that is not.
private func requireIndices(_ indices: Tensor<Int>, _ name: String, below extent: Int) throws {
  try indices.withUnsafeBuffer { indices in
    guard let start = indices.baseAddress else { return }
    let bad = apus_first_index_out_of_range(start, indices.count, extent)
    guard bad == indices.count else {
      throw InvalidArgument(name, found: "\(indices[bad]) at entry \(bad)", wanted: "at least 0, below \(extent)")
    }
  }
}
