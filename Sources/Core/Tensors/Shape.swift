// Arithmetic on shapes and strides.

enum Shape {
  /// The number of elements; traps on a negative extent or an overflow.
  static func count(_ shape: [Int]) -> Int {
    var count = 1
    for extent in shape {
      precondition(extent >= 0, "a shape has no negative extents, but this one is \(shape)")
      let (product, overflow) = count.multipliedReportingOverflow(by: extent)
      precondition(!overflow, "shape \(shape) has more elements than memory can hold")
      count = product
    }
    return count
  }

  /// Distances between neighbours along each axis of a dense row-major array.
  static func denseStrides(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    var stride = 1
    for axis in shape.indices.reversed() {
      strides[axis] = stride
      stride *= max(shape[axis], 1)
    }
    return strides
  }

  /// Whether an array with these strides is dense; axes of extent one do not matter.
  static func isDense(_ shape: [Int], _ strides: [Int]) -> Bool {
    var expected = 1
    for axis in shape.indices.reversed() where shape[axis] != 1 {
      if strides[axis] != expected { return false }
      expected *= shape[axis]
    }
    return true
  }

  /// The shape of an element-wise operation: axes are matched from the last, and an extent of one stretches.
  static func broadcast(_ a: [Int], _ b: [Int], for operation: @autoclosure () -> String) -> [Int] {
    if a == b { return a }
    let rank = max(a.count, b.count)
    var shape = [Int](repeating: 1, count: rank)
    for axis in 0..<rank {
      let x = axis - (rank - a.count) < 0 ? 1 : a[axis - (rank - a.count)]
      let y = axis - (rank - b.count) < 0 ? 1 : b[axis - (rank - b.count)]
      precondition(
        x == y || x == 1 || y == 1, "\(operation()): shapes \(a) and \(b) do not broadcast to a common shape")
      shape[axis] = x == 1 ? y : x
    }
    return shape
  }

  /// Strides with which an array of `shape` reads as one of shape `target`: zero along stretched axes.
  static func broadcastStrides(_ shape: [Int], _ strides: [Int], to target: [Int]) -> [Int]? {
    guard shape.count <= target.count else { return nil }
    let lead = target.count - shape.count
    var result = [Int](repeating: 0, count: target.count)
    for axis in shape.indices {
      if shape[axis] == target[lead + axis] {
        result[lead + axis] = shape[axis] == 1 ? 0 : strides[axis]
      } else if shape[axis] != 1 {
        return nil
      }
    }
    return result
  }

  /// An axis counted from the end when negative, checked.
  static func axis(_ axis: Int, rank: Int) -> Int {
    let resolved = axis < 0 ? axis + rank : axis
    precondition(0 <= resolved && resolved < rank, "axis \(axis) of a tensor with \(rank) axes")
    return resolved
  }

  /// Distinct axes in increasing order, counted from the end when negative.
  static func axes(_ axes: [Int], rank: Int) -> [Int] {
    let resolved = axes.map { axis($0, rank: rank) }.sorted()
    for (a, b) in zip(resolved, resolved.dropFirst()) { precondition(a != b, "axis \(a) is named twice in \(axes)") }
    return resolved
  }
}

/// A walk over several strided operands in the row-major order of a common shape, in runs along the innermost axis.
///
/// Neighbouring axes that every operand crosses evenly are merged first, so that most walks are one long run.
struct StridedWalk {
  private(set) var shape: [Int]
  /// One array of strides for each operand, parallel to `shape`.
  private(set) var strides: [[Int]]

  init(shape: [Int], strides: [[Int]]) {
    self.shape = []
    self.strides = strides.map { _ in [] }
    for axis in shape.indices where shape[axis] != 1 {
      let last = self.shape.count - 1
      let merges =
        last >= 0 && strides.indices.allSatisfy { self.strides[$0][last] == strides[$0][axis] * shape[axis] }
      if merges {
        self.shape[last] *= shape[axis]
        for operand in strides.indices { self.strides[operand][last] = strides[operand][axis] }
      } else {
        self.shape.append(shape[axis])
        for operand in strides.indices { self.strides[operand].append(strides[operand][axis]) }
      }
    }
    if self.shape.isEmpty {
      self.shape = [1]
      for operand in strides.indices { self.strides[operand] = [0] }
    }
  }

  var innerCount: Int { shape[shape.count - 1] }
  var outerCount: Int { shape.dropLast().reduce(1, *) }
  func innerStride(_ operand: Int) -> Int { strides[operand][shape.count - 1] }

  /// Calls `body(row, offsets)` for each run numbered in `rows`, with the offset of its first element in each operand.
  func forEachRow(in rows: Range<Int>, _ body: (Int, UnsafePointer<Int>) -> Void) {
    guard !rows.isEmpty, innerCount > 0 else { return }
    let outerAxes = shape.count - 1
    var index = [Int](repeating: 0, count: max(outerAxes, 1))
    var offsets = [Int](repeating: 0, count: max(strides.count, 1))
    var rest = rows.lowerBound
    for axis in (0..<outerAxes).reversed() {
      index[axis] = rest % shape[axis]
      rest /= shape[axis]
      for operand in strides.indices { offsets[operand] += index[axis] * strides[operand][axis] }
    }
    for row in rows {
      body(row, offsets)
      var axis = outerAxes - 1
      while axis >= 0 {
        index[axis] += 1
        for operand in strides.indices { offsets[operand] += strides[operand][axis] }
        if index[axis] < shape[axis] { break }
        for operand in strides.indices { offsets[operand] -= shape[axis] * strides[operand][axis] }
        index[axis] = 0
        axis -= 1
      }
    }
  }
}
