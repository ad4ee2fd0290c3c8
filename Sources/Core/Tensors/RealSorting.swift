// Sorting of real numbers: short rows by comparisons, long ones by radix, and very long ones in two halves side by side.

import CVectorKernels

/// A row cut into two halves where that pays. The result of sorting is unique, so the cut does not show.
private struct Halves {
  /// Below this many elements, the radix sort's tables cost more than comparisons.
  static let radixCount = 512

  let count: Int
  /// Fixed once: the number of threads may change between sorting and merging.
  let tasks: Int

  init(_ count: Int) {
    self.count = count
    tasks = count >= 1 << 15 && threadCount > 1 ? 2 : 1
  }

  subscript(half: Int) -> Range<Int> {
    guard tasks == 2 else { return 0..<count }
    return half == 0 ? 0..<count / 2 : count / 2..<count
  }
}

private func withScratch<Element: TensorScalar>(
  _ count: Int, of: Element.Type, _ body: (UnsafeMutablePointer<Element>) -> Void
) {
  let scratch = Tensor<Element>(uninitializedShape: [count])
  withExtendedLifetime(scratch.storage) { body(scratch.base) }
}

extension Float {
  public static func sort(_ row: UnsafeMutablePointer<Float>, count: Int, descending: Bool) {
    guard count >= Halves.radixCount else {
      var buffer = UnsafeMutableBufferPointer(start: row, count: count)
      return buffer.sort(by: descending ? { precedes($1, $0) } : precedes)
    }
    let halves = Halves(count)
    let target = Foreign(row)
    withScratch(2 * count, of: Float.self) { scratch in
      let scratch = Foreign(scratch)
      parallelTasks(halves.tasks) { half in
        let part = halves[half]
        apus_sort_f32(target.mutable + part.lowerBound, part.count, descending, scratch.mutable + 2 * part.lowerBound)
      }
      guard halves.tasks == 2 else { return }
      scratch.mutable.update(from: row, count: count)
      parallelTasks(2) { half in
        apus_merge_f32(
          scratch.pointer, halves[0].count, halves[1].count, descending, half == 0, target.mutable, halves[half].count)
      }
    }
  }

  public static func argsort(
    _ row: UnsafePointer<Float>, count: Int, descending: Bool, _ result: UnsafeMutablePointer<Int>
  ) {
    guard count >= Halves.radixCount else {
      var order = UnsafeMutableBufferPointer(start: result, count: count)
      for i in 0..<count { order[i] = i }
      return order.sort { i, j in
        let a = descending ? row[j] : row[i]
        let b = descending ? row[i] : row[j]
        return precedes(a, b) || (!precedes(b, a) && i < j)
      }
    }
    let halves = Halves(count)
    let keys = Foreign(row)
    let target = Foreign(result)
    withScratch(2 * count, of: Int.self) { scratch in
      let scratch = Foreign(scratch)
      parallelTasks(halves.tasks) { half in
        let part = halves[half]
        let start = part.lowerBound
        apus_argsort_f32(
          keys.pointer + start, part.count, descending, start, target.mutable + start, scratch.mutable + 2 * start)
      }
      guard halves.tasks == 2 else { return }
      scratch.mutable.update(from: result, count: count)
      parallelTasks(2) { half in
        apus_merge_positions_f32(
          keys.pointer, scratch.pointer, halves[0].count, halves[1].count, descending, half == 0, target.mutable,
          halves[half].count)
      }
    }
  }

  public static func scatterAdd(
    _ values: UnsafePointer<Float>, at indices: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Float>, count: Int
  ) {
    apus_scatter_add_f32(values, indices, result, count)
  }

  @inline(__always)
  private static func precedes(_ a: Float, _ b: Float) -> Bool { a < b || (b != b && a == a) }
}

extension Double {
  public static func sort(_ row: UnsafeMutablePointer<Double>, count: Int, descending: Bool) {
    guard count >= Halves.radixCount else {
      var buffer = UnsafeMutableBufferPointer(start: row, count: count)
      return buffer.sort(by: descending ? { precedes($1, $0) } : precedes)
    }
    let halves = Halves(count)
    let target = Foreign(row)
    withScratch(2 * count, of: Double.self) { scratch in
      let scratch = Foreign(scratch)
      parallelTasks(halves.tasks) { half in
        let part = halves[half]
        apus_sort_f64(target.mutable + part.lowerBound, part.count, descending, scratch.mutable + 2 * part.lowerBound)
      }
      guard halves.tasks == 2 else { return }
      scratch.mutable.update(from: row, count: count)
      parallelTasks(2) { half in
        apus_merge_f64(
          scratch.pointer, halves[0].count, halves[1].count, descending, half == 0, target.mutable, halves[half].count)
      }
    }
  }

  public static func argsort(
    _ row: UnsafePointer<Double>, count: Int, descending: Bool, _ result: UnsafeMutablePointer<Int>
  ) {
    guard count >= Halves.radixCount else {
      var order = UnsafeMutableBufferPointer(start: result, count: count)
      for i in 0..<count { order[i] = i }
      return order.sort { i, j in
        let a = descending ? row[j] : row[i]
        let b = descending ? row[i] : row[j]
        return precedes(a, b) || (!precedes(b, a) && i < j)
      }
    }
    let halves = Halves(count)
    let keys = Foreign(row)
    let target = Foreign(result)
    withScratch(4 * count, of: Int.self) { scratch in
      let scratch = Foreign(scratch)
      parallelTasks(halves.tasks) { half in
        let part = halves[half]
        let start = part.lowerBound
        apus_argsort_f64(
          keys.pointer + start, part.count, descending, start, target.mutable + start, scratch.mutable + 4 * start)
      }
      guard halves.tasks == 2 else { return }
      scratch.mutable.update(from: result, count: count)
      parallelTasks(2) { half in
        apus_merge_positions_f64(
          keys.pointer, scratch.pointer, halves[0].count, halves[1].count, descending, half == 0, target.mutable,
          halves[half].count)
      }
    }
  }

  public static func scatterAdd(
    _ values: UnsafePointer<Double>, at indices: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Double>, count: Int
  ) {
    apus_scatter_add_f64(values, indices, result, count)
  }

  @inline(__always)
  private static func precedes(_ a: Double, _ b: Double) -> Bool { a < b || (b != b && a == a) }
}
