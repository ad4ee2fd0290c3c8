// Products with a matrix of few, very long rows: what every operation of M-FAC spends its time on.

import CVectorKernels
import LinearAlgebra
import Tensors

/// A matrix of gradients as rows, read by columns: it lies in memory row by row, `stride` numbers apart.
///
/// Every product reads the matrix once, strip of columns by strip, and sums in double precision. Strips depend on the
/// shape alone, and so do the results.
struct GradientRows<Scalar: LinearScalar> {
  let start: UnsafePointer<Scalar>
  let stride: Int
  let rows: Int

  /// Columns that are worked on at a time: long runs of each row, as memory likes them, but a part of a vector that stays
  /// in the second cache; and enough strips for the threads to share.
  private func strips(of columns: Range<Int>) -> [Range<Int>] {
    let width = min(max(columns.count / 16, 4_096), 65_536) & ~15
    return Swift.stride(from: columns.lowerBound, to: columns.upperBound, by: width).map {
      $0..<min($0 + width, columns.upperBound)
    }
  }

  /// G x over the columns of a range, where `x` begins.
  func dots(with x: UnsafePointer<Scalar>, columns: Range<Int>) -> [Double] {
    let strips = strips(of: columns)
    var partial = [Double](repeating: 0, count: strips.count * rows)
    partial.withUnsafeMutableBufferPointer { partial in
      guard let sums = partial.baseAddress else { return }
      parallelTasks(strips.count) { i in
        let part = strips[i]
        withUnsafeTemporaryAllocation(of: Double.self, capacity: part.count) { wide in
          guard let wide = wide.baseAddress else { return }
          widen(x + (part.lowerBound - columns.lowerBound), wide, count: part.count)
          apus_row_dots(
            MemoryLayout<Scalar>.stride, start + part.lowerBound, stride, rows, part.count, wide, sums + i * rows)
        }
      }
    }
    return (0..<rows).map { row in
      Swift.stride(from: row, to: partial.count, by: rows).reduce(0) { $0 + partial[$1] }
    }
  }

  /// result = scale (x + Gᵀ coefficients) over the columns of a range, where `x`, if any, and `result` begin.
  func combine(
    _ coefficients: [Double], adding x: UnsafePointer<Scalar>?, scale: Double, columns: Range<Int>,
    to result: UnsafeMutablePointer<Scalar>
  ) {
    let strips = strips(of: columns)
    parallelTasks(strips.count) { i in
      let part = strips[i]
      let offset = part.lowerBound - columns.lowerBound
      withUnsafeTemporaryAllocation(of: Double.self, capacity: part.count) { sums in
        guard let sums = sums.baseAddress else { return }
        if let x {
          widen(x + offset, sums, count: part.count)
        } else {
          sums.initialize(repeating: 0, count: part.count)
        }
        apus_add_rows(
          MemoryLayout<Scalar>.stride, start + part.lowerBound, stride, rows, part.count, coefficients, sums)
        var factor = scale
        Double.apply(.multiply, sums, strideA: 1, &factor, strideB: 0, sums, count: part.count)
        Scalar.convert(from: UnsafePointer(sums), result + offset, count: part.count)
      }
    }
  }

  /// The columns of a range in double precision, of shape [rows, columns].
  func widened(_ columns: Range<Int>) -> Tensor<Double> {
    Tensor(uninitializedShape: [rows, columns.count]) { buffer in
      guard let target = buffer.baseAddress else { return }
      for row in 0..<rows {
        widen(start + row * stride + columns.lowerBound, target + row * columns.count, count: columns.count)
      }
    }
  }

  /// G Gᵀ over the columns of a range, in double precision.
  func gram(_ columns: Range<Int>) -> Tensor<Double> {
    let width = 2_048
    let strips = (columns.count + width - 1) / width
    // Each group of strips is summed by one thread; their number depends on the shape alone.
    let groups = min(strips, 8)
    var sums = [Tensor<Double>](repeating: .zeros([rows, rows]), count: max(groups, 1))
    sums.withUnsafeMutableBufferPointer { sums in
      let sums = sums
      parallelTasks(groups) { group in
        for strip in group * strips / groups..<(group + 1) * strips / groups {
          let first = columns.lowerBound + strip * width
          sums[group] += widened(first..<min(first + width, columns.upperBound)).multipliedByOwnTranspose()
        }
      }
    }
    return sums.dropFirst().reduce(sums[0]) { $0 + $1 }
  }
}

/// The numbers of an array in double precision.
private func widen<Scalar: RealScalar>(
  _ a: UnsafePointer<Scalar>, _ result: UnsafeMutablePointer<Double>, count: Int
) {
  if Scalar.self == Float.self {
    Double.convert(from: UnsafeRawPointer(a).assumingMemoryBound(to: Float.self), result, count: count)
  } else {
    Double.convert(from: UnsafeRawPointer(a).assumingMemoryBound(to: Double.self), result, count: count)
  }
}
