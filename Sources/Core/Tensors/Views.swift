// Other readings of the same memory: shapes, transposes, broadcasts. None of them copies, but for a reshape of a view.

import CVectorKernels

extension Tensor {
  /// A view of the same storage.
  private func view(_ shape: [Int], _ strides: [Int], offset: Int? = nil) -> Tensor {
    let count = Shape.count(shape)
    let isDense = count == 0 || Shape.isDense(shape, strides)
    return Tensor(
      storage: storage, shape: shape, strides: isDense ? [] : strides, offset: offset ?? self.offset, count: count)
  }

  /// The same elements in row-major order under another shape of equal size; one extent may be -1 and is then found.
  public func reshaped(_ shape: [Int]) -> Tensor {
    let shape = resolved(shape)
    if let tape = innermostTape(trace) {
      let (own, rank) = (self.shape, shape.count)
      return record(tape, self, onParameter: .leadingAxes) { x in
        (x.reshaped(shape), { $0.reshaped($0.shape.dropLast(rank) + own) })
      }
    }
    return dense.view(shape, Shape.denseStrides(shape))
  }

  /// The same elements as a vector.
  public var flattened: Tensor { reshaped([count]) }

  private func resolved(_ wanted: [Int]) -> [Int] {
    var wanted = wanted
    let free = wanted.indices.filter { wanted[$0] == -1 }
    precondition(free.count <= 1, "at most one extent may be -1, but the shape is \(wanted)")
    if let axis = free.first {
      let known = wanted.reduce(-1, *)
      precondition(known != 0 && count % known == 0, "shape \(shape) cannot be read as \(wanted)")
      wanted[axis] = count / known
    }
    precondition(Shape.count(wanted) == count, "shape \(shape) cannot be read as \(wanted)")
    return wanted
  }

  /// The axes in another order: axis `i` of the result is axis `order[i]` of this tensor.
  public func permuted(_ order: [Int]) -> Tensor {
    let order = order.map { Shape.axis($0, rank: rank) }
    precondition(order.count == rank && Set(order).count == rank, "\(order) does not order \(rank) axes")
    if let tape = innermostTape(trace) {
      var inverse = order
      for (to, from) in order.enumerated() { inverse[from] = to }
      return record(tape, self, onParameter: .leadingAxes) { [inverse] x in
        (
          x.permuted(order),
          { g in
            let further = g.rank - inverse.count
            return g.permuted(further == 0 ? inverse : Array(0..<further) + inverse.map { $0 + further })
          }
        )
      }
    }
    let strides = self.strides
    return view(order.map { shape[$0] }, order.map { strides[$0] })
  }

  /// The matrix transpose; with more axes, the last two are exchanged.
  public var transposed: Tensor {
    precondition(rank >= 2, "a transpose needs two axes, but the shape is \(shape)")
    return exchangingAxes(rank - 2, rank - 1)
  }

  public func exchangingAxes(_ a: Int, _ b: Int) -> Tensor {
    var order = Array(0..<rank)
    order.swapAt(Shape.axis(a, rank: rank), Shape.axis(b, rank: rank))
    return permuted(order)
  }

  /// A new axis of extent one before axis `axis`; -1 appends it.
  public func expanded(axis: Int) -> Tensor {
    var shape = self.shape
    let position = axis < 0 ? axis + rank + 1 : axis
    precondition(0 <= position && position <= rank, "no place \(axis) for a new axis in shape \(shape)")
    shape.insert(1, at: position)
    if let tape = innermostTape(trace) {
      // Counted from the end, so that it holds with further axes in front.
      let fromEnd = position - rank - 1
      return record(tape, self, onParameter: .leadingAxes) { x in
        (x.expanded(axis: position), { $0.squeezed(axis: fromEnd) })
      }
    }
    var strides = self.strides
    strides.insert(0, at: position)
    return view(shape, strides)
  }

  /// Without axis `axis`, whose extent must be one.
  public func squeezed(axis: Int) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    precondition(shape[axis] == 1, "axis \(axis) of shape \(shape) does not have extent one")
    if let tape = innermostTape(trace) {
      let fromEnd = axis - rank
      return record(tape, self, onParameter: .leadingAxes) { x in
        (x.squeezed(axis: axis), { $0.expanded(axis: fromEnd) })
      }
    }
    var shape = self.shape
    var strides = self.strides
    shape.remove(at: axis)
    strides.remove(at: axis)
    return view(shape, strides)
  }

  /// This tensor stretched to `target`: missing axes are added in front, extents of one repeat.
  public func broadcast(to target: [Int]) -> Tensor {
    if shape == target { return self }
    if let tape = innermostTape(trace) {
      if tape.exampleCount > 0 && trace?.isParameter == true { return broadcastPerExample(tape, self, to: target) }
      let shape = self.shape
      return record(tape, self) { x in (x.broadcast(to: target), { Scalar.summed($0, to: shape) }) }
    }
    guard let strides = Shape.broadcastStrides(shape, strides, to: target) else {
      preconditionFailure("shape \(shape) does not stretch to \(target)")
    }
    return view(target, strides)
  }

  // MARK: Slices

  /// Part of the tensor, axis by axis: a number keeps one position and drops the axis, a range keeps a range,
  /// `stride(from:to:by:)` every n-th position, and `.all`, or leaving out later axes, keeps them whole.
  ///
  /// ```swift
  /// x[0]                               // the first row
  /// x[.all, 1..<3]                     // two columns
  /// x[stride(from: 0, to: 10, by: 2)]  // every other row
  /// x[0, .all] = Tensor(repeating: 1, shape: [3])
  /// ```
  public subscript<A: AxisSelection>(_ first: A) -> Tensor {
    get { slice([first.part]) }
    set { assign(newValue, to: [first.part]) }
  }

  // One overload for each number of axes: the compiler (6.3) crashes on the setter of a subscript with a pack.

  public subscript<A: AxisSelection, B: AxisSelection>(_ first: A, _ second: B) -> Tensor {
    get { slice([first.part, second.part]) }
    set { assign(newValue, to: [first.part, second.part]) }
  }

  public subscript<A: AxisSelection, B: AxisSelection, C: AxisSelection>(_ first: A, _ second: B, _ third: C) -> Tensor
  {
    get { slice([first.part, second.part, third.part]) }
    set { assign(newValue, to: [first.part, second.part, third.part]) }
  }

  public subscript<A: AxisSelection, B: AxisSelection, C: AxisSelection, D: AxisSelection>(_ first: A, _ second: B,
    _ third: C, _ fourth: D
  ) -> Tensor {
    get { slice([first.part, second.part, third.part, fourth.part]) }
    set { assign(newValue, to: [first.part, second.part, third.part, fourth.part]) }
  }

  public subscript<A: AxisSelection, B: AxisSelection, C: AxisSelection, D: AxisSelection, E: AxisSelection>(_ first: A,
    _ second: B, _ third: C, _ fourth: D, _ fifth: E
  ) -> Tensor {
    get { slice([first.part, second.part, third.part, fourth.part, fifth.part]) }
    set { assign(newValue, to: [first.part, second.part, third.part, fourth.part, fifth.part]) }
  }

  /// The slice whose axis `axis` is `range`, and whole otherwise.
  public func slice(axis: Int, _ range: Range<Int>) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    return slice([AxisPart](repeating: .all, count: axis) + [.range(range.lowerBound, range.upperBound, step: 1)])
  }

  /// The slice at position `index` of axis `axis`, without that axis.
  public func slice(axis: Int, at index: Int) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    return slice([AxisPart](repeating: .all, count: axis) + [.index(index)])
  }

  func slice(_ parts: [AxisPart]) -> Tensor {
    if let tape = innermostTape(trace) {
      let shape = self.shape
      return record(tape, self, onParameter: .byExample) { x in
        (x.slice(parts), { $0.placed(in: Tensor(repeating: Scalar.blank, shape: shape), at: parts) })
      }
    }
    let (shape, strides, offset) = layout(of: parts)
    return view(shape, strides, offset: offset)
  }

  /// `background` with this tensor in place of its slice `parts`.
  func placed(in background: Tensor, at parts: [AxisPart]) -> Tensor {
    if let tape = innermostTape(trace) {
      return record(tape, self, onParameter: .byExample) { x in
        (x.placed(in: background, at: parts), { $0.slice(parts) })
      }
    }
    var result = background
    result.assign(self, to: parts)
    return result
  }

  private func layout(of parts: [AxisPart]) -> (shape: [Int], strides: [Int], offset: Int) {
    precondition(parts.count <= rank, "\(parts.count) indices into shape \(shape)")
    let allStrides = self.strides
    var shape: [Int] = []
    var strides: [Int] = []
    var offset = self.offset
    for axis in self.shape.indices {
      let extent = self.shape[axis]
      let stride = allStrides[axis]
      switch axis < parts.count ? parts[axis] : .all {
      case .index(let index):
        precondition(0 <= index && index < extent, "index \(index) of axis \(axis) is out of range of \(self.shape)")
        offset += index * stride
      case .all:
        shape.append(extent)
        strides.append(stride)
      case .range(let lower, let upper, let step):
        let end = upper ?? (step > 0 ? extent : -1)
        let count = step > 0 ? max(0, (end - lower + step - 1) / step) : max(0, (lower - end - step - 1) / -step)
        let last = lower + (count - 1) * step
        precondition(
          count == 0 ? 0 <= lower && lower <= extent : 0 <= min(lower, last) && max(lower, last) < extent,
          "range \(lower)..<\(end) of axis \(axis) is out of range of \(self.shape)")
        if count > 0 { offset += lower * stride }
        shape.append(count)
        strides.append(stride * step)
      }
    }
    return (shape, strides, offset)
  }

  private mutating func assign(_ value: Tensor, to parts: [AxisPart]) {
    if trace != nil || value.trace != nil {
      // Functional form: what stays plus what comes, each with its derivative.
      var kept = Tensor<Bool>(repeating: true, shape: shape)
      kept.assign(Tensor<Bool>(false), to: parts)
      let target = layout(of: parts).shape
      let blank = Tensor(repeating: Scalar.blank, shape: shape)
      self = kept.select(self, value.broadcast(to: target).placed(in: blank, at: parts))
      return
    }
    makeWritable()
    let (shape, strides, offset) = layout(of: parts)
    guard let valueStrides = Shape.broadcastStrides(value.shape, value.strides, to: shape) else {
      preconditionFailure("shape \(value.shape) does not stretch to the slice's \(shape)")
    }
    guard !shape.contains(0) else { return }
    let walk = StridedWalk(shape: shape, strides: [strides, valueStrides])
    let target = storage.pointer.assumingMemoryBound(to: Scalar.self) + offset
    let (step, valueStep) = (walk.innerStride(0), walk.innerStride(1))
    withExtendedLifetime(value.storage) {
      let source = value.base
      walk.forEachRow(in: 0..<walk.outerCount) { _, offsets in
        let to = target + offsets[0]
        let from = source + offsets[1]
        if step == 1 && valueStep == 1 {
          to.update(from: from, count: walk.innerCount)
        } else {
          apus_copy_strided(MemoryLayout<Scalar>.stride, from, valueStep, to, step, walk.innerCount)
        }
      }
    }
  }

  /// The diagonal of a matrix as a view; with more axes, of the last two.
  public var diagonal: Tensor {
    precondition(rank >= 2, "a diagonal needs two axes, but the shape is \(shape)")
    let size = min(shape[rank - 2], shape[rank - 1])
    if let tape = innermostTape(trace) {
      let shape = self.shape
      return record(tape, self, onParameter: .byExample) { x in
        (x.diagonal, { $0.placedOnDiagonal(of: Tensor(repeating: Scalar.blank, shape: shape)) })
      }
    }
    let strides = self.strides
    return view(shape.dropLast(2) + [size], strides.dropLast(2) + [strides[rank - 2] + strides[rank - 1]])
  }

  func placedOnDiagonal(of background: Tensor) -> Tensor {
    if let tape = innermostTape(trace) {
      return record(tape, self, onParameter: .byExample) { x in (x.placedOnDiagonal(of: background), { $0.diagonal }) }
    }
    let rows = background.shape[background.rank - 2]
    let columns = background.shape[background.rank - 1]
    let size = min(rows, columns)
    var result = background
    result.withUnsafeMutableBuffer { buffer in
      withUnsafeBuffer { diagonal in
        for i in 0..<diagonal.count { buffer[i / size * rows * columns + i % size * (columns + 1)] = diagonal[i] }
      }
    }
    return result
  }

  /// The order along axis `axis` turned round, as a view.
  public func reversed(axis: Int) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    let whole = [AxisPart](repeating: .all, count: axis)
    return slice(whole + [shape[axis] == 0 ? .all : .range(shape[axis] - 1, nil, step: -1)])
  }
}

/// What a subscript keeps of one axis.
public enum AxisPart: Sendable {
  case all
  case index(Int)
  case range(Int, Int?, step: Int)
}

/// Something that selects positions along an axis: a number, a range, a stride, or `.all`.
public protocol AxisSelection {
  var part: AxisPart { get }
}

/// The whole of an axis.
public struct WholeAxis: AxisSelection {
  public var part: AxisPart { .all }
}

extension AxisSelection where Self == WholeAxis {
  public static var all: WholeAxis { WholeAxis() }
}

extension Int: AxisSelection { public var part: AxisPart { .index(self) } }
extension Range<Int>: AxisSelection { public var part: AxisPart { .range(lowerBound, upperBound, step: 1) } }
extension ClosedRange<Int>: AxisSelection { public var part: AxisPart { .range(lowerBound, upperBound + 1, step: 1) } }
extension PartialRangeFrom<Int>: AxisSelection { public var part: AxisPart { .range(lowerBound, nil, step: 1) } }
extension PartialRangeUpTo<Int>: AxisSelection { public var part: AxisPart { .range(0, upperBound, step: 1) } }
extension PartialRangeThrough<Int>: AxisSelection { public var part: AxisPart { .range(0, upperBound + 1, step: 1) } }
extension StrideTo<Int>: AxisSelection {
  public var part: AxisPart {
    // A stride does not show its bounds; its elements do.
    let positions = Array(self)
    guard let first = positions.first else { return .range(0, 0, step: 1) }
    let step = positions.count > 1 ? positions[1] - first : 1
    return positions.count == 1
      ? .range(first, first + 1, step: 1) : .range(first, positions.last! + step.signum(), step: step)
  }
}
