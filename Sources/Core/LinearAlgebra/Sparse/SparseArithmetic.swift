// Sums, multiples, parts and norms of sparse matrices.

import CVectorKernels
public import Tensors

extension SparseMatrix {
  // MARK: Sums and multiples

  /// alpha A + beta B, in the layout of A; sums that cancel stay as zero entries. Traps on unequal shapes.
  ///
  /// - Complexity: O(entries of both + rows) time, and a rearrangement of B if its layout is another.
  public func combined(_ alpha: Scalar = 1, with other: SparseMatrix, _ beta: Scalar = 1) -> SparseMatrix {
    precondition(shape == other.shape, "a sum of shapes \(shape) and \(other.shape)")
    let other = other.stored(by: layout)
    let room = entryCount + other.entryCount
    precondition(room < Int(Int32.max), "a sum of \(room) entries; a sparse matrix has fewer than 2^31")
    var starts = Tensor<Int32>.unwritten([majorCount + 1])
    var indices = Tensor<Int32>.unwritten([room])
    var values = Tensor<Scalar>.unwritten([room])
    let count = withKernels { kernels, a in
      other.withKernels { _, b in
        starts.withUnsafeMutableBuffer { starts in
          indices.withUnsafeMutableBuffer { indices in
            values.withUnsafeMutableBuffer { values in
              kernels.add(
                a, Double(alpha), b, Double(beta), starts.baseAddress!, indices.baseAddress!, values.baseAddress!)
            }
          }
        }
      }
    }
    return SparseMatrix(
      trusted: rows, columns, layout, starts: starts, indices: indices[0..<count], values: values[0..<count])
  }

  public static func + (a: SparseMatrix, b: SparseMatrix) -> SparseMatrix { a.combined(with: b) }
  public static func - (a: SparseMatrix, b: SparseMatrix) -> SparseMatrix { a.combined(with: b, -1) }
  public static prefix func - (a: SparseMatrix) -> SparseMatrix { a.withValues(-a.values) }
  public static func * (a: SparseMatrix, factor: Scalar) -> SparseMatrix { a.withValues(a.values * factor) }
  public static func * (factor: Scalar, a: SparseMatrix) -> SparseMatrix { a * factor }
  public static func / (a: SparseMatrix, divisor: Scalar) -> SparseMatrix { a.withValues(a.values / divisor) }

  /// diag(d) A: row i times d[i].
  public func scalingRows(by factors: Tensor<Scalar>) -> SparseMatrix {
    precondition(factors.shape == [rows], "factors of shape \(factors.shape) for \(rows) rows")
    return withValues(values * factors.gathered(rowIndices))
  }

  /// A diag(d): column j times d[j].
  public func scalingColumns(by factors: Tensor<Scalar>) -> SparseMatrix {
    precondition(factors.shape == [columns], "factors of shape \(factors.shape) for \(columns) columns")
    return withValues(values * factors.gathered(columnIndices))
  }

  // MARK: Parts

  /// The diagonal with its zeros, of shape [min(rows, columns)].
  public var diagonal: Tensor<Scalar> {
    let onDiagonal = triangle(.lower).triangle(.upper)
    return Tensor.cleared([min(rows, columns)]).scatterAdded(onDiagonal.values, at: onDiagonal.rowIndices)
  }

  /// The rows of a range, as a matrix of their own; along the layout at the cost of a copy.
  public subscript(rows range: Range<Int>) -> SparseMatrix {
    precondition(
      0 <= range.lowerBound && range.upperBound <= rows, "rows \(range) of a sparse matrix of shape \(shape)")
    guard layout == .rows else { return stored(by: .rows)[rows: range].stored(by: .columns) }
    let first = starts[at: range.lowerBound]
    let entries = Int(first)..<Int(starts[at: range.upperBound])
    return SparseMatrix(
      trusted: range.count, columns, .rows, starts: starts[range.lowerBound..<range.upperBound + 1] - first,
      indices: indices[entries], values: values[entries])
  }

  /// The columns of a range, as a matrix of their own.
  public subscript(columns range: Range<Int>) -> SparseMatrix { transposed[rows: range].transposed }

  /// Which part of a square matrix.
  public enum Triangle: Sendable, Hashable {
    case lower, upper
    var opposite: Triangle { self == .lower ? .upper : .lower }
  }

  /// The entries on one side of the diagonal, and on it unless `strictly`.
  public func triangle(_ triangle: Triangle, strictly: Bool = false) -> SparseMatrix {
    // Seen along the layout, as major and minor indices.
    let isLower = (triangle == .lower) == (layout == .rows)
    return keeping { major, minor, _ in minor == major ? !strictly : (minor < major) == isLower }
  }

  /// Without the entries whose magnitude is at most `threshold`.
  public func pruned(threshold: Scalar = 0) -> SparseMatrix {
    let isSmall = (values.absolute() .<= threshold).scalars
    return keeping { _, _, entry in !isSmall[entry] }
  }

  /// The entries for which `isKept`, given the row, the column (or the other way, by layout) and the entry's number.
  private func keeping(_ isKept: (Int, Int, Int) -> Bool) -> SparseMatrix {
    var keptStarts = Tensor<Int32>.unwritten([majorCount + 1])
    var keptIndices = Tensor<Int32>.unwritten([entryCount])
    var places = Tensor<Int>.unwritten([entryCount])
    var count = 0
    starts.withUnsafeBuffer { starts in
      indices.withUnsafeBuffer { indices in
        keptStarts.withUnsafeMutableBuffer { keptStarts in
          keptIndices.withUnsafeMutableBuffer { keptIndices in
            places.withUnsafeMutableBuffer { places in
              keptStarts[0] = 0
              for major in 0..<majorCount {
                for entry in Int(starts[major])..<Int(starts[major + 1])
                where isKept(major, Int(indices[entry]), entry) {
                  keptIndices[count] = indices[entry]
                  places[count] = entry
                  count += 1
                }
                keptStarts[major + 1] = Int32(count)
              }
            }
          }
        }
      }
    }
    return SparseMatrix(
      trusted: rows, columns, layout, starts: keptStarts, indices: keptIndices[0..<count],
      values: values.gathered(places[0..<count]))
  }

  // MARK: Norms

  /// The square root of the sum of squares of all entries.
  public func frobeniusNorm() -> Scalar { values.frobeniusNorm() }
  /// The largest magnitude of an entry; zero without entries.
  public func maximumNorm() -> Scalar { values.maximumNorm() }
  /// The largest sum of magnitudes in a column: the operator norm from l1 to l1.
  public func oneNorm() -> Scalar {
    withValues(values.absolute()).matmul(.ones([rows]), transposing: true).maximumNorm()
  }
  /// The largest sum of magnitudes in a row: the operator norm from l∞ to l∞.
  public func infinityNorm() -> Scalar { withValues(values.absolute()).matmul(.ones([columns])).maximumNorm() }
}
