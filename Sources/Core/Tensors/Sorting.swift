// Order along an axis: sorting, top-k, quantiles. NaN counts as larger than every number, as in NumPy.

extension Tensor where Scalar: NumericScalar {
  /// The positions that put the elements along `axis` in order; equal elements keep theirs.
  public func argsort(axis: Int = -1, descending: Bool = false) -> Tensor<Int> {
    let axis = Shape.axis(axis, rank: rank)
    let rows = withoutDerivative.exchangingAxes(axis, -1).dense
    let length = shape[axis]
    let result = Tensor<Int>(uninitializedShape: rows.shape)
    guard count > 0 else { return result.exchangingAxes(axis, -1) }
    let from = Foreign(rows.base)
    let to = Foreign(result.base)
    withExtendedLifetime((rows.storage, result.storage)) {
      parallelRanges(count / length, grain: max(1, (1 << 10) / length)) { range in
        for row in range {
          Scalar.argsort(from.pointer + row * length, count: length, descending: descending, to.mutable + row * length)
        }
      }
    }
    return result.exchangingAxes(axis, -1)
  }

  /// The elements along `axis` in increasing or decreasing order.
  public func sorted(axis: Int = -1, descending: Bool = false) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    if trace != nil { return taken(argsort(axis: axis, descending: descending), along: axis) }
    var rows = exchangingAxes(axis, -1).copied()
    let length = shape[axis]
    guard count > 0 else { return self }
    rows.withUnsafeMutableBuffer { buffer in
      let at = Foreign(buffer.baseAddress!)
      parallelRanges(count / length, grain: max(1, (1 << 10) / length)) { range in
        for row in range { Scalar.sort(at.mutable + row * length, count: length, descending: descending) }
      }
    }
    return rows.exchangingAxes(axis, -1)
  }

  /// The `k` largest (or smallest) elements along `axis`, in order, and where they stood.
  ///
  /// - Complexity: O(n log k) for each of the rows along the axis.
  public func topK(_ k: Int, axis: Int = -1, largest: Bool = true) -> (values: Tensor, indices: Tensor<Int>) {
    let axis = Shape.axis(axis, rank: rank)
    precondition(0 <= k && k <= shape[axis], "the top \(k) of \(shape[axis]) elements along axis \(axis) of \(shape)")
    let rows = withoutDerivative.exchangingAxes(axis, -1).dense
    let length = shape[axis]
    let indices = Tensor<Int>(uninitializedShape: rows.shape.dropLast() + [k])
    if k > 0 {
      let from = Foreign(rows.base)
      let to = Foreign(indices.base)
      withExtendedLifetime((rows.storage, indices.storage)) {
        parallelRanges(count / length, grain: max(1, (1 << 12) / length)) { range in
          for row in range {
            Scalar.topK(from.pointer + row * length, count: length, largest: largest, k, to.mutable + row * k)
          }
        }
      }
    }
    let at = indices.exchangingAxes(axis, -1)
    return (taken(at, along: axis), at)
  }

  /// The distinct elements in increasing order, and how often each occurs.
  public func uniqueValues() -> (values: Tensor, counts: Tensor<Int>) {
    var values: [Scalar] = []
    var counts: [Int] = []
    for value in withoutDerivative.flattened.sorted().scalars {
      if let last = values.last, last == value {
        counts[counts.count - 1] += 1
      } else {
        values.append(value)
        counts.append(1)
      }
    }
    return (Tensor(values), Tensor<Int>(counts))
  }
}

extension Tensor where Scalar: RealScalar {
  /// The quantiles at `levels` in [0, 1] along `axis`, between two elements by linear interpolation.
  ///
  /// The result has the levels as its first axis, in place of `axis`; rows with a NaN give NaN.
  public func quantiles(_ levels: [Double], axis: Int = -1) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    let length = shape[axis]
    precondition(length > 0, "the quantile of no elements: axis \(axis) of shape \(shape) is empty")
    let ordered = sorted(axis: axis)
    let hasNaN = ordered.slice(axis: axis, at: length - 1)
    let parts = levels.map { level in
      precondition(0 <= level && level <= 1, "a quantile's level lies in [0, 1], but \(level) was given")
      let position = level * Double(length - 1)
      let below = Int(position)
      let above = min(below + 1, length - 1)
      let fraction = Scalar(position - Double(below))
      let low = ordered.slice(axis: axis, at: below)
      let high = ordered.slice(axis: axis, at: above)
      let between = fraction == 0 ? low : low + (high - low) * fraction
      return (hasNaN .!= hasNaN).select(hasNaN, between)
    }
    return Tensor.stacked(parts)
  }

  public func quantile(_ level: Double, axis: Int = -1) -> Tensor { quantiles([level], axis: axis)[0] }

  public func median(axis: Int = -1) -> Tensor { quantile(0.5, axis: axis) }
}

// MARK: One row

extension NumericScalar {
  /// Before in order, with NaN last.
  @inline(__always)
  fileprivate static func precedes(_ a: Self, _ b: Self) -> Bool { a < b || (b != b && a == a) }

  public static func sort(_ row: UnsafeMutablePointer<Self>, count: Int, descending: Bool) {
    var buffer = UnsafeMutableBufferPointer(start: row, count: count)
    buffer.sort(by: descending ? { precedes($1, $0) } : precedes)
  }

  public static func argsort(
    _ row: UnsafePointer<Self>, count: Int, descending: Bool, _ result: UnsafeMutablePointer<Int>
  ) {
    var order = UnsafeMutableBufferPointer(start: result, count: count)
    for i in 0..<count { order[i] = i }
    // Equal elements by position, which makes the order unique whatever the algorithm.
    if descending {
      order.sort { i, j in precedes(row[j], row[i]) || (!precedes(row[i], row[j]) && i < j) }
    } else {
      order.sort { i, j in precedes(row[i], row[j]) || (!precedes(row[j], row[i]) && i < j) }
    }
  }

  /// A heap of the best so far, its worst on top; most elements are turned away by one comparison.
  @specialized(where Self == Float)
  @specialized(where Self == Double)
  fileprivate static func topK(
    _ row: UnsafePointer<Self>, count: Int, largest: Bool, _ k: Int, _ heap: UnsafeMutablePointer<Int>
  ) {
    func isBetter(_ i: Int, _ j: Int) -> Bool {
      let a = largest ? row[j] : row[i]
      let b = largest ? row[i] : row[j]
      return precedes(a, b) || (!precedes(b, a) && i < j)
    }
    func siftDown(_ start: Int, _ size: Int) {
      var parent = start
      while true {
        var child = 2 * parent + 1
        guard child < size else { return }
        if child + 1 < size && isBetter(heap[child], heap[child + 1]) { child += 1 }
        guard isBetter(heap[parent], heap[child]) else { return }
        (heap[parent], heap[child]) = (heap[child], heap[parent])
        parent = child
      }
    }
    for i in 0..<k { heap[i] = i }
    for i in stride(from: k / 2 - 1, through: 0, by: -1) { siftDown(i, k) }
    for i in k..<count where isBetter(i, heap[0]) {
      heap[0] = i
      siftDown(0, k)
    }
    for size in stride(from: k - 1, to: 0, by: -1) {
      (heap[0], heap[size]) = (heap[size], heap[0])
      siftDown(0, size)
    }
  }
}
