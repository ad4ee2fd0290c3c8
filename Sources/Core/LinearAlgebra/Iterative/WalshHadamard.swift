// The fast Walsh–Hadamard transform.

import CVectorKernels
public import Tensors

extension Tensor where Scalar: LinearScalar {
  /// H x along an axis, where H has entries (-1)^(number of binary ones that row and column have in common).
  ///
  /// H is symmetric and H H = n I: with `normalizing`, the result is divided by sqrt(n), and the transform is orthogonal
  /// and its own inverse. In the order of Hadamard, as `scipy.linalg.hadamard(n) @ x`.
  /// - Precondition: the extent of the axis is a power of two.
  /// - Complexity: O(count log n).
  public func walshHadamard(axis: Int = -1, normalizing: Bool = false) -> Tensor {
    requireConstant()
    let resolved = axis < 0 ? axis + rank : axis
    precondition(0 <= resolved && resolved < rank, "axis \(axis) of a tensor with \(rank) axes")
    let length = shape[resolved]
    precondition(
      length > 0 && length & (length - 1) == 0, "a Walsh–Hadamard transform of length \(length), not a power of two")
    let width = shape[(resolved + 1)...].reduce(1, *)
    let outer = shape[..<resolved].reduce(1, *)
    var result = normalizing ? self / Scalar.sqrt(Scalar(length)) : self
    guard count > 0, length > 1 else { return result }
    let kernels = sparseKernels(Scalar.self)
    result.withUnsafeMutableBuffer { buffer in
      let start = buffer.baseAddress!
      if width == 1 && length >= 1 << 16 {
        // H of a product of extents is the product of their H: along rows, then across them.
        let columns = 1 << (length.trailingZeroBitCount / 2)
        let rows = length / columns
        for block in 0..<outer {
          let matrix = start + block * length
          parallelRanges(rows, grain: 16) { range in
            for row in range { kernels.walsh_hadamard(matrix + row * columns, columns, 1, 1) }
          }
          inPanels(of: 16, columns) { range in
            kernels.walsh_hadamard(matrix + range.lowerBound, rows, range.count, columns)
          }
        }
        return
      }
      if width == 1 {
        return parallelRanges(outer, grain: Swift.max(1, (1 << 14) / length)) { rows in
          for row in rows { kernels.walsh_hadamard(start + row * length, length, 1, 1) }
        }
      }
      for block in 0..<outer {
        inPanels(of: Swift.max(16, (1 << 14) / length), width) { columns in
          kernels.walsh_hadamard(
            start + block * length * width + columns.lowerBound, length, columns.count, width)
        }
      }
    }
    return result
  }
}

/// Runs `body` on stretches of a fixed size: the order of the kernel's sums depends on the width that it is given, and must
/// not depend on the number of threads.
private func inPanels(of size: Int, _ count: Int, _ body: (Range<Int>) -> Void) {
  parallelTasks((count + size - 1) / size) { panel in body(panel * size..<min((panel + 1) * size, count)) }
}
