// Products of sparse matrices with vectors, dense matrices and each other.

import CVectorKernels
public import Tensors

extension SparseMatrix {
  /// A x, or Aᵀ x when `transposing`, for a vector x of shape [columns] or a matrix of shape [columns, p].
  ///
  /// Traps when shapes do not fit. Results do not depend on the number of threads.
  /// - Complexity: 2 entries p operations. Reads the matrix once for each 64 columns of a dense x, at the speed of
  ///   memory. The product against the layout adds up in a few parts for a vector, and rearranges a copy otherwise:
  ///   to repeat it, keep `stored(by:)`.
  public func matmul(_ x: Tensor<Scalar>, transposing: Bool = false) -> Tensor<Scalar> {
    let (inner, outer) = transposing ? (rows, columns) : (columns, rows)
    precondition(
      (x.rank == 1 || x.rank == 2) && x.shape[0] == inner,
      "matmul: shapes \(shape)\(transposing ? " transposed" : "") and \(x.shape) do not fit")
    x.requireConstant()
    let isAlongLayout = (layout == .rows) != transposing
    if x.rank == 1 { return isAlongLayout ? timesVector(x) : transposedTimesVector(x) }
    if x.columns == 1 { return matmul(x.reshaped([inner]), transposing: transposing).reshaped([outer, 1]) }
    return (isAlongLayout ? self : stored(by: layout.opposite)).timesDense(x, rows: outer)
  }

  private func timesVector(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    Tensor(uninitializedShape: [majorCount]) { y in
      x.withUnsafeBuffer { x in
        withKernels { kernels, view in
          parallelMajors {
            kernels.times_vector(view, $0.lowerBound, $0.upperBound, x.baseAddress!, y.baseAddress!)
          }
        }
      }
    }
  }

  private func timesDense(_ x: Tensor<Scalar>, rows: Int) -> Tensor<Scalar> {
    let width = x.columns
    let rowBytes = width * MemoryLayout<Scalar>.stride
    return Tensor(uninitializedShape: [rows, width]) { y in
      guard y.count > 0 else { return }
      // A result larger than the caches is written past them: it is not read again soon, nor fetched before it is
      // overwritten.
      let isAligned = UInt(bitPattern: y.baseAddress!) % 64 == 0 && rowBytes % 64 == 0
      let isStreaming = isAligned && rows * rowBytes >= 1 << 24
      x.withUnsafeBuffer { x in
        withKernels { kernels, view in
          parallelMajors(work: max(1, width / 4)) {
            kernels.times_dense(
              view, $0.lowerBound, $0.upperBound, x.baseAddress!, width, y.baseAddress!, isStreaming)
          }
        }
      }
    }
  }

  /// Each part of the rows scatters into the span of columns that it meets; the spans are then added in order. The
  /// parts follow from the matrix alone.
  private func transposedTimesVector(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let parts = entryCount >= 1 << 17 && entryCount >= 2 * minorCount ? 4 : 1
    let bounds = (0...parts).map { majorCount * $0 / parts }
    var result = Tensor<Scalar>.cleared([minorCount])
    x.withUnsafeBuffer { x in
      withKernels { kernels, view in
        result.withUnsafeMutableBuffer { result in
          let result = result.baseAddress!
          if parts == 1 { return kernels.transposed_times_vector(view, 0, majorCount, x.baseAddress!, result, 0) }
          let spans = (0..<parts).map { span(ofMajors: bounds[$0]..<bounds[$0 + 1]) }
          let offsets = spans.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
          var partial = Tensor<Scalar>.cleared([offsets[parts]])
          partial.withUnsafeMutableBuffer { partial in
            let partial = partial.baseAddress!
            parallelTasks(parts) { part in
              kernels.transposed_times_vector(
                view, bounds[part], bounds[part + 1], x.baseAddress!, partial + offsets[part], spans[part].lowerBound)
            }
            parallelRanges(minorCount, grain: 1 << 14) { range in
              for part in 0..<parts {
                let common = range.clamped(to: spans[part])
                let from = partial + offsets[part] + common.lowerBound - spans[part].lowerBound
                let to = result + common.lowerBound
                Scalar.apply(.add, to, strideA: 1, from, strideB: 1, to, count: common.count)
              }
            }
          }
        }
      }
    }
    return result
  }

  /// The smallest range that holds the indices of these rows (or columns).
  private func span(ofMajors majors: Range<Int>) -> Range<Int> {
    starts.withUnsafeBuffer { starts in
      indices.withUnsafeBuffer { indices in
        var (low, high) = (Int32.max, Int32(-1))
        for i in majors where starts[i] < starts[i + 1] {
          low = min(low, indices[Int(starts[i])])
          high = max(high, indices[Int(starts[i + 1]) - 1])
        }
        return low <= high ? Int(low)..<Int(high) + 1 : 0..<0
      }
    }
  }

  /// The entries of left · rightᵀ at this matrix's places, in the order of storage; shape [entries].
  ///
  /// The gradient of (A x)ᵀ g with respect to the entries of A is that of `left` g and `right` x.
  /// - Parameters: left, shape [rows, p]; right, shape [columns, p].
  /// - Complexity: 2 entries p operations; the full product is not formed.
  public func sampledProduct(_ left: Tensor<Scalar>, _ right: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(
      left.rank == 2 && right.rank == 2 && left.shape == [rows, right.columns] && right.rows == columns,
      "sampledProduct: shapes \(left.shape) and \(right.shape) do not fit \(shape)")
    left.requireConstant()
    right.requireConstant()
    let (major, minor) = layout == .rows ? (left, right) : (right, left)
    return Tensor(uninitializedShape: [entryCount]) { result in
      guard let result = result.baseAddress else { return }
      major.withUnsafeBuffer { major in
        minor.withUnsafeBuffer { minor in
          guard let major = major.baseAddress, let minor = minor.baseAddress else {
            return result.update(repeating: 0, count: entryCount)
          }
          withKernels { kernels, view in
            parallelMajors(work: max(1, left.columns / 4)) {
              kernels.sampled_product(view, $0.lowerBound, $0.upperBound, major, minor, left.columns, result)
            }
          }
        }
      }
    }
  }

  /// A B of two sparse matrices, in the layout of A; sums that cancel stay as zero entries.
  ///
  /// - Throws: `InvalidArgument` when the product has 2³¹ entries or more. Traps when shapes do not fit.
  /// - Complexity: O(multiplications + sorting) time, row by row on several threads.
  /// - Source: Gustavson, "Two fast algorithms for sparse matrices", ACM TOMS 4 (1978).
  public func matmul(_ other: SparseMatrix) throws -> SparseMatrix {
    precondition(columns == other.rows, "matmul: shapes \(shape) and \(other.shape) do not fit")
    if layout == .columns {
      // (Bᵀ Aᵀ)ᵀ, where the transposes are by rows at no cost.
      return try other.stored(by: .columns).transposed.productByRows(transposed).transposed
    }
    return try productByRows(other.stored(by: .rows))
  }

  private func productByRows(_ other: SparseMatrix) throws -> SparseMatrix {
    let width = other.columns
    let pieces = entryCount < 1 << 12 ? 1 : 4 * threadCount
    func pieceRange(_ piece: Int) -> Range<Int> { rows * piece / pieces..<rows * (piece + 1) / pieces }
    var counts = Tensor<Int32>.unwritten([rows])
    withKernels { _, a in
      other.withKernels { _, b in
        counts.withUnsafeMutableBuffer { counts in
          let counts = counts.baseAddress!
          parallelTasks(pieces) { piece in
            let range = pieceRange(piece)
            var marker = [Int32](repeating: -1, count: max(width, 1))
            apus_csr_product_counts(a, b, range.lowerBound, range.upperBound, &marker, counts)
          }
        }
      }
    }
    let total = Tensor<Int>(counts).sum().scalar
    try Self.requireExtents(rows, width, entries: total)
    let starts = Tensor<Int32>.concatenated([.zeros([1]), counts.cumulativeSum(axis: 0)])
    var indices = Tensor<Int32>.unwritten([total])
    var values = Tensor<Scalar>.unwritten([total])
    withKernels { kernels, a in
      other.withKernels { _, b in
        starts.withUnsafeBuffer { starts in
          indices.withUnsafeMutableBuffer { indices in
            values.withUnsafeMutableBuffer { values in
              let (starts, indices, values) = (starts.baseAddress!, indices.baseAddress!, values.baseAddress!)
              parallelTasks(pieces) { piece in
                let range = pieceRange(piece)
                var marker = [Int32](repeating: -1, count: max(width, 1))
                var sums = [Scalar](repeating: 0, count: max(width, 1))
                kernels.product(a, b, range.lowerBound, range.upperBound, starts, indices, values, &marker, &sums)
              }
            }
          }
        }
      }
    }
    return SparseMatrix(trusted: rows, width, .rows, starts: starts, indices: indices, values: values)
  }
}
