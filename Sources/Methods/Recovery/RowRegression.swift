import CVectorKernels
import LinearAlgebra
import Tensors

/// Least squares for every row of one factor, the other one given: row i minimizes, over its observed entries j,
/// Σ (M_ij - u_jᵀ x_i)² + ridge ‖x_i‖².
///
/// Rows are independent: they are spread over the threads in chunks that depend on the entries alone.
struct RowRegression<Scalar: LinearScalar> {
  let entries: SparseMatrix<Scalar>
  let chunks: [Range<Int>]
  private let longestRow: Int

  /// - Parameter entries: the observed entries, row after row.
  init(_ entries: SparseMatrix<Scalar>) {
    precondition(entries.layout == .rows, "rows are solved for in a matrix stored by rows")
    self.entries = entries
    // Enough chunks to balance the threads, none of them too small to pay.
    let wanted = max(2_048, entries.entryCount / 64)
    var chunks: [Range<Int>] = []
    var longest = 0
    entries.starts.withUnsafeBuffer { starts in
      var first = 0
      for row in 0..<entries.rows {
        longest = max(longest, Int(starts[row + 1] - starts[row]))
        if Int(starts[row + 1] - starts[first]) >= wanted || row == entries.rows - 1 {
          chunks.append(first..<row + 1)
          first = row + 1
        }
      }
    }
    (self.chunks, self.longestRow) = (chunks, longest)
  }

  /// Solves for x, in place; rows of both factors are padded to whole lines.
  func solve(
    _ x: inout Tensor<Scalar>, factor: Tensor<Scalar>, settings: apus_row_regression, solver: CompletionSolver
  ) -> apus_row_regression_work {
    var settings = settings
    let kernels = recoveryKernels(Scalar.self)
    let kernel =
      switch solver {
      case .conjugateGradients: kernels.rows_by_gradients
      case .sketched: kernels.rows_by_sketches
      case .direct: kernels.rows_directly
      }
    switch solver {
    case .conjugateGradients(let steps): settings.steps = steps
    case .sketched(let tolerance):
      settings.steps = 60
      settings.tolerance = tolerance
      settings.sketch_rows = 4 * settings.rank
    case .direct: settings.steps = 0
    }
    let fixed = settings
    let space = settings.stride * (2 * settings.rank + 8 + settings.sketch_rows) + longestRow
    var works = [apus_row_regression_work](repeating: apus_row_regression_work(), count: chunks.count)
    withView { view in
      factor.withUnsafeBuffer { factor in
        x.withUnsafeMutableBuffer { x in
          works.withUnsafeMutableBufferPointer { works in
            parallelTasks(chunks.count) { chunk in
              let scratch = UnsafeMutableRawPointer.allocate(
                byteCount: space * MemoryLayout<Scalar>.stride, alignment: 64)
              defer { scratch.deallocate() }
              withUnsafePointer(to: view) { view in
                withUnsafePointer(to: fixed) { fixed in
                  kernel(
                    view, chunks[chunk].lowerBound, chunks[chunk].upperBound, factor.baseAddress!, x.baseAddress!,
                    fixed, scratch, works.baseAddress! + chunk)
                }
              }
            }
          }
        }
      }
    }
    return works.reduce(into: apus_row_regression_work()) { total, work in
      total.multiply_adds += work.multiply_adds
      total.direct_rows += work.direct_rows
    }
  }

  /// Σ (M_ij - u_jᵀ x_i)² over the observed entries.
  func squaredResidual(_ x: Tensor<Scalar>, factor: Tensor<Scalar>) -> Double {
    let kernel = recoveryKernels(Scalar.self).row_residuals
    var sums = [Double](repeating: 0, count: chunks.count)
    withView { view in
      factor.withUnsafeBuffer { factor in
        x.withUnsafeBuffer { rows in
          sums.withUnsafeMutableBufferPointer { sums in
            parallelTasks(chunks.count) { chunk in
              withUnsafePointer(to: view) { view in
                sums[chunk] = kernel(
                  view, chunks[chunk].lowerBound, chunks[chunk].upperBound, factor.baseAddress!, rows.baseAddress!,
                  x.columns, nil)
              }
            }
          }
        }
      }
    }
    return sums.reduce(0, +)
  }

  private func withView(_ body: (apus_csr) -> Void) {
    entries.starts.withUnsafeBuffer { starts in
      entries.indices.withUnsafeBuffer { indices in
        entries.values.withUnsafeBuffer { values in
          guard let starts = starts.baseAddress, let indices = indices.baseAddress, let values = values.baseAddress
          else { return }
          body(apus_csr(rows: entries.rows, starts: starts, indices: indices, values: values))
        }
      }
    }
  }
}
