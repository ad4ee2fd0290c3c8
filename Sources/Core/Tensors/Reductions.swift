// Folding many elements into few: sums, means, extremes, norms, log-sum-exp, running totals.
//
// The order of every sum is fixed by the shape alone, so a result does not depend on the number of threads.

extension Tensor {
  /// Splits the axes at the reduced ones: the result's extents, and this tensor with the reduced axes moved last.
  fileprivate func gathered(_ axes: [Int]) -> (kept: [Int], reduced: Int, view: Tensor) {
    let axes = Shape.axes(axes, rank: rank)
    let keptAxes = (0..<rank).filter { !axes.contains($0) }
    let kept = keptAxes.map { shape[$0] }
    let reduced = axes.map { shape[$0] }.reduce(1, *)
    return (kept, reduced, permuted(keptAxes + axes).reshaped(kept + [reduced]))
  }

  /// `shape` with extent one in place of the reduced axes.
  fileprivate func keeping(_ axes: [Int]) -> [Int] {
    var shape = self.shape
    for axis in Shape.axes(axes, rank: rank) { shape[axis] = 1 }
    return shape
  }

  /// One value of another type for each row along the last axis of a tensor of shape [..., length].
  fileprivate func mapRows<R: TensorScalar>(
    to shape: [Int], length: Int, _ body: @escaping (UnsafePointer<Scalar>, Int) -> R
  ) -> Tensor<R> {
    let result = Tensor<R>(uninitializedShape: shape)
    let source = dense
    let from = Foreign(source.base)
    let to = Foreign(result.base)
    withExtendedLifetime((source.storage, result.storage)) {
      parallelRanges(result.count, grain: max(1, (1 << 14) / max(length, 1))) { rows in
        for row in rows { to.mutable[row] = body(from.pointer + row * length, length) }
      }
    }
    return result
  }
}

extension Tensor where Scalar: NumericScalar {
  /// Long single rows are folded in blocks, the blocks in order: on several threads, but always in the same order.
  private static var block: Int { 1 << 16 }

  fileprivate func reduce(_ reduction: Reduction, axes: [Int]) -> Tensor {
    let axes = Shape.axes(axes, rank: rank)
    // Leading axes of a dense tensor: fold whole rows onto each other instead of transposing.
    let isElementWise = reduction == .sum || reduction == .product || reduction == .smallest || reduction == .largest
    if isDense && isElementWise && !axes.isEmpty && axes == Array(0..<axes.count) && axes.count < rank {
      let kept = Array(shape.dropFirst(axes.count))
      return foldRows(reduction, rows: shape.prefix(axes.count).reduce(1, *), to: kept)
    }
    let (kept, length, view) = gathered(axes)
    if view.count == length && length >= 2 * Self.block { return view.foldBlocks(reduction).reshaped(kept) }
    return view.mapRows(to: kept, length: length) { Scalar.reduce(reduction, $0, stride: 1, count: $1) }
  }

  private func foldBlocks(_ reduction: Reduction) -> Tensor {
    let source = dense
    let blocks = (count + Self.block - 1) / Self.block
    let partial = Tensor(uninitializedShape: [blocks])
    let from = Foreign(source.base)
    let to = Foreign(partial.base)
    withExtendedLifetime((source.storage, partial.storage)) {
      parallelTasks(blocks) { i in
        let start = i * Self.block
        to.mutable[i] = Scalar.reduce(
          reduction, from.pointer + start, stride: 1, count: min(Self.block, count - start))
      }
    }
    let isSum = reduction == .sumOfSquares || reduction == .sumOfAbsolutes
    return Tensor(Scalar.reduce(isSum ? .sum : reduction, partial.base, stride: 1, count: blocks))
  }

  /// Sums of columns and the like: rows are combined pairwise, so that rounding errors grow with the logarithm of
  /// their number only.
  private func foldRows(_ reduction: Reduction, rows: Int, to kept: [Int]) -> Tensor {
    let width = Shape.count(kept)
    guard rows > 0, width > 0 else {
      return Tensor(repeating: Scalar.reduce(reduction, base, stride: 1, count: 0), shape: kept)
    }
    let result = Tensor(uninitializedShape: kept)
    let from = Foreign(base)
    let to = Foreign(result.base)
    withExtendedLifetime((storage, result.storage)) {
      parallelRanges(width, grain: max(64, (1 << 15) / rows)) { columns in
        let length = columns.count
        let levels = Int.bitWidth - rows.leadingZeroBitCount
        let scratch = UnsafeMutablePointer<Scalar>.allocate(capacity: levels * length)
        defer { scratch.deallocate() }
        func fold(_ range: Range<Int>, into target: UnsafeMutablePointer<Scalar>, level: Int) {
          if range.count <= 32 {
            let first = from.pointer + range.lowerBound * width + columns.lowerBound
            Scalar.foldRows(reduction, first, rowStride: width, rows: range.count, columns: length, target)
          } else {
            let middle = range.lowerBound + range.count / 2
            let other = scratch + level * length
            fold(range.lowerBound..<middle, into: target, level: level + 1)
            fold(middle..<range.upperBound, into: other, level: level + 1)
            // The two halves are two rows, some distance apart.
            Scalar.foldRows(reduction, target, rowStride: other - target, rows: 2, columns: length, target)
          }
        }
        fold(0..<rows, into: to.mutable + columns.lowerBound, level: 0)
      }
    }
    return result
  }

  private var allAxes: [Int] { Array(0..<rank) }

  /// The sum over `axes`, or of everything; with `keepingAxes`, they stay with extent one.
  public func sum(axes: [Int], keepingAxes: Bool = false) -> Tensor {
    if let tape = innermostTape(trace) {
      let (kept, shape) = (keeping(axes), self.shape)
      return record(tape, self, onParameter: .byExample) { x in
        (x.sum(axes: axes, keepingAxes: keepingAxes), { $0.reshaped(kept).broadcast(to: shape) })
      }
    }
    let total = reduce(.sum, axes: axes)
    return keepingAxes ? total.reshaped(keeping(axes)) : total
  }
  public func sum(axis: Int, keepingAxis: Bool = false) -> Tensor { sum(axes: [axis], keepingAxes: keepingAxis) }
  public func sum() -> Tensor { sum(axes: allAxes) }

  /// Summed over whatever broadcasting from `shape` had stretched.
  public func sum(to shape: [Int]) -> Tensor {
    if self.shape == shape { return self }
    let lead = rank - shape.count
    let axes = (0..<rank).filter { $0 < lead || (shape[$0 - lead] == 1 && self.shape[$0] != 1) }
    return sum(axes: axes).reshaped(shape)
  }

  /// The product over `axes`. The derivative holds where factors are zero too.
  public func product(axes: [Int], keepingAxes: Bool = false) -> Tensor {
    if trace != nil {
      let (kept, length, rows) = gathered(axes)
      let product = Tensor.productOfRows(rows.reshaped([kept.reduce(1, *), length])).reshaped(kept)
      return keepingAxes ? product.reshaped(keeping(axes)) : product
    }
    let product = reduce(.product, axes: axes)
    return keepingAxes ? product.reshaped(keeping(axes)) : product
  }

  /// The products of the rows of a matrix, in a tree of pairs: differentiable without a division.
  private static func productOfRows(_ rows: Tensor) -> Tensor {
    var rows = rows
    guard rows.columns > 0 else { return Tensor(repeating: 1, shape: [rows.rows]) }
    while rows.columns > 1 {
      let half = rows.columns / 2
      let pairs = rows.slice(axis: 1, 0..<half) * rows.slice(axis: 1, half..<2 * half)
      let isOdd = rows.columns % 2 == 1
      rows = isOdd ? concatenated([pairs, rows.slice(axis: 1, 2 * half..<rows.columns)], axis: 1) : pairs
    }
    return rows.squeezed(axis: 1)
  }
  public func product(axis: Int) -> Tensor { product(axes: [axis]) }
  public func product() -> Tensor { product(axes: allAxes) }

  /// The largest element along `axes`; NaN if one is NaN. Ties share the derivative evenly.
  public func maximum(axes: [Int], keepingAxes: Bool = false) -> Tensor { extreme(.largest, axes, keepingAxes) }
  public func maximum(axis: Int, keepingAxis: Bool = false) -> Tensor {
    maximum(axes: [axis], keepingAxes: keepingAxis)
  }
  public func maximum() -> Tensor { maximum(axes: allAxes) }

  /// The smallest element along `axes`; NaN if one is NaN. Ties share the derivative evenly.
  public func minimum(axes: [Int], keepingAxes: Bool = false) -> Tensor { extreme(.smallest, axes, keepingAxes) }
  public func minimum(axis: Int, keepingAxis: Bool = false) -> Tensor {
    minimum(axes: [axis], keepingAxes: keepingAxis)
  }
  public func minimum() -> Tensor { minimum(axes: allAxes) }

  private func extreme(_ reduction: Reduction, _ axes: [Int], _ keepingAxes: Bool) -> Tensor {
    if let tape = innermostTape(trace) {
      return record(tape, self, onParameter: .byExample) { x in
        let value = x.extreme(reduction, axes, true)
        let isExtreme = Tensor(x .== value)
        let share = isExtreme / isExtreme.sum(axes: axes, keepingAxes: true)
        let kept = value.shape
        let result = keepingAxes ? value : value.reshaped(x.gathered(axes).kept)
        return (result, { $0.reshaped(kept) * share })
      }
    }
    let value = reduce(reduction, axes: axes)
    return keepingAxes ? value.reshaped(keeping(axes)) : value
  }

  /// The position of the first largest element along `axis`; of the first NaN if there is one.
  public func argmax(axis: Int) -> Tensor<Int> { indexOfExtreme(axis, largest: true) }
  /// The position of the first smallest element along `axis`; of the first NaN if there is one.
  public func argmin(axis: Int) -> Tensor<Int> { indexOfExtreme(axis, largest: false) }

  private func indexOfExtreme(_ axis: Int, largest: Bool) -> Tensor<Int> {
    let axis = Shape.axis(axis, rank: rank)
    precondition(shape[axis] > 0, "the extreme of no elements: axis \(axis) of shape \(shape) is empty")
    let (kept, length, view) = withoutDerivative.gathered([axis])
    return view.mapRows(to: kept, length: length) {
      Scalar.indexOfExtreme(largest: largest, $0, stride: 1, count: $1)
    }
  }

  /// Running sums along `axis`: element i is the sum of elements 0 through i.
  public func cumulativeSum(axis: Int) -> Tensor {
    if let tape = innermostTape(trace) {
      return record(tape, self, onParameter: .byExample) { x in
        (x.cumulativeSum(axis: axis), { $0.reversed(axis: axis).cumulativeSum(axis: axis).reversed(axis: axis) })
      }
    }
    return cumulate(.sum, axis)
  }

  /// Running products along `axis`. The derivative holds where factors are zero too.
  ///
  /// - Complexity: with a derivative, O(n log n) along the axis.
  public func cumulativeProduct(axis: Int) -> Tensor {
    guard trace != nil else { return cumulate(.product, axis) }
    let axis = Shape.axis(axis, rank: rank)
    let extent = shape[axis]
    // Each round multiplies what lies 2ⁱ places before: differentiable without a division.
    var result = self
    var distance = 1
    while distance < extent {
      let head = result.slice(axis: axis, 0..<distance)
      let tail = result.slice(axis: axis, distance..<extent) * result.slice(axis: axis, 0..<extent - distance)
      result = Tensor.concatenated([head, tail], axis: axis)
      distance *= 2
    }
    return result
  }

  /// The largest element so far along `axis`; the derivative belongs to the last of equal ones.
  public func cumulativeMax(axis: Int) -> Tensor { cumulativeExtreme(.largest, axis) }
  /// The smallest element so far along `axis`; the derivative belongs to the last of equal ones.
  public func cumulativeMin(axis: Int) -> Tensor { cumulativeExtreme(.smallest, axis) }

  private func cumulativeExtreme(_ reduction: Reduction, _ axis: Int) -> Tensor {
    guard trace != nil else { return cumulate(reduction, axis) }
    let axis = Shape.axis(axis, rank: rank)
    let plain = withoutDerivative
    let isRecord = (plain .== plain.cumulate(reduction, axis)) .| (plain .!= plain)
    // Where the extreme was last reached.
    var alongAxis = [Int](repeating: 1, count: rank)
    alongAxis[axis] = shape[axis]
    let places = Tensor<Int>(0..<shape[axis]).reshaped(alongAxis)
    let reached = isRecord.select(places.broadcast(to: shape), Tensor<Int>(0))
    return taken(reached.cumulate(.largest, axis), along: axis)
  }

  private func cumulate(_ reduction: Reduction, _ axis: Int) -> Tensor {
    mapAlong(axis) { Scalar.cumulate(reduction, $0, stride: 1, $1, count: $2) }
  }

  /// Rewrites every row along `axis` into one of equal length.
  fileprivate func mapAlong(
    _ axis: Int, _ body: @escaping (UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>, Int) -> Void
  ) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    let source = exchangingAxes(axis, -1).dense
    let length = shape[axis]
    let result = Tensor(uninitializedShape: source.shape)
    let from = Foreign(source.base)
    let to = Foreign(result.base)
    guard count > 0 else { return self }
    withExtendedLifetime((source.storage, result.storage)) {
      parallelRanges(count / length, grain: max(1, (1 << 13) / length)) { rows in
        for row in rows { body(from.pointer + row * length, to.mutable + row * length, length) }
      }
    }
    return result.exchangingAxes(axis, -1)
  }
}

extension Tensor where Scalar: RealScalar {
  public func mean(axes: [Int], keepingAxes: Bool = false) -> Tensor {
    let length = axes.map { shape[Shape.axis($0, rank: rank)] }.reduce(1, *)
    return sum(axes: axes, keepingAxes: keepingAxes) / Scalar(length)
  }
  public func mean(axis: Int, keepingAxis: Bool = false) -> Tensor { mean(axes: [axis], keepingAxes: keepingAxis) }
  public func mean() -> Tensor { mean(axes: Array(0..<rank)) }

  /// The mean squared deviation from the mean; divided by n - `correction` (one for the unbiased estimate).
  public func variance(axes: [Int], correction: Int = 0, keepingAxes: Bool = false) -> Tensor {
    let length = axes.map { shape[Shape.axis($0, rank: rank)] }.reduce(1, *)
    if trace != nil {
      let deviation = self - mean(axes: axes, keepingAxes: true)
      return deviation.squared().sum(axes: axes, keepingAxes: keepingAxes) / Scalar(length - correction)
    }
    let (kept, count, view) = gathered(axes)
    let divisor = Double(length - correction)
    let spread: Tensor = view.mapRows(to: kept, length: count) { row, count in
      let mean = Double(Scalar.reduce(.sum, row, stride: 1, count: count)) / Double(count)
      return Scalar(Scalar.squaredDeviations(row, from: mean, count: count) / divisor)
    }
    return keepingAxes ? spread.reshaped(keeping(axes)) : spread
  }

  public func variance(axis: Int, correction: Int = 0, keepingAxis: Bool = false) -> Tensor {
    variance(axes: [axis], correction: correction, keepingAxes: keepingAxis)
  }
  public func variance(correction: Int = 0) -> Tensor { variance(axes: Array(0..<rank), correction: correction) }
  public func standardDeviation(axis: Int, correction: Int = 0, keepingAxis: Bool = false) -> Tensor {
    variance(axis: axis, correction: correction, keepingAxis: keepingAxis).sqrt()
  }
  public func standardDeviation(correction: Int = 0) -> Tensor { variance(correction: correction).sqrt() }

  /// The sum of squares along `axes`; zero where there is no element. In the scalar's own range: squares of large numbers
  /// overflow, those of small ones vanish.
  public func sumOfSquares(axes: [Int], keepingAxes: Bool = false) -> Tensor {
    if trace != nil { return squared().sum(axes: axes, keepingAxes: keepingAxes) }
    let total = reduce(.sumOfSquares, axes: axes)
    return keepingAxes ? total.reshaped(keeping(axes)) : total
  }
  public func sumOfSquares() -> Tensor { sumOfSquares(axes: Array(0..<rank)) }

  /// The Euclidean norm along `axes`, or of everything, by the sum of squares and in its range; LinearAlgebra's
  /// `frobeniusNorm()` scales. At zero the derivative is set to zero, of every order.
  public func norm(axes: [Int], keepingAxes: Bool = false) -> Tensor {
    guard trace != nil else { return sumOfSquares(axes: axes, keepingAxes: keepingAxes).sqrt() }
    let squares = sumOfSquares(axes: axes, keepingAxes: keepingAxes)
    let isZero = squares .== 0
    // The root of one instead, whose slope is finite, so that it vanishes when it is not chosen.
    return isZero.select(Tensor(0), isZero.select(Tensor(1), squares).sqrt())
  }
  public func norm(axis: Int, keepingAxis: Bool = false) -> Tensor { norm(axes: [axis], keepingAxes: keepingAxis) }
  public func norm() -> Tensor { norm(axes: Array(0..<rank)) }

  /// log(sum(exp(x))) along `axis`, without overflow.
  public func logSumExp(axis: Int, keepingAxis: Bool = false) -> Tensor {
    if let tape = innermostTape(trace) {
      return record(tape, self, onParameter: .byExample) { x in
        let value = x.logSumExp(axis: axis, keepingAxis: true)
        let result = keepingAxis ? value : value.squeezed(axis: axis)
        return (
          result,
          { g in
            // A row of -inf throughout has no derivative, and -inf + inf would be NaN.
            let finite = (value .== -Scalar.infinity).select(Tensor(0), value)
            return g.reshaped(value.shape) * (x - finite).exp()
          }
        )
      }
    }
    let (kept, length, view) = gathered([axis])
    let value = view.mapRows(to: kept, length: length) { Scalar.logSumExp($0, stride: 1, count: $1) }
    return keepingAxis ? value.reshaped(keeping([axis])) : value
  }

  /// exp(x) / sum(exp(x)) along `axis`.
  public func softmax(axis: Int) -> Tensor {
    guard let tape = innermostTape(trace) else {
      return mapAlong(axis) { Scalar.softmax($0, stride: 1, $1, count: $2) }
    }
    return record(tape, self, onParameter: .byExample) { x in
      let y = x.softmax(axis: axis)
      return (y, { g in y * (g - (g * y).sum(axis: axis, keepingAxis: true)) })
    }
  }

  /// log(softmax(x)) along `axis`.
  public func logSoftmax(axis: Int) -> Tensor {
    guard let tape = innermostTape(trace) else {
      return mapAlong(axis) { Scalar.logSoftmax($0, stride: 1, $1, count: $2) }
    }
    return record(tape, self, onParameter: .byExample) { x in
      let y = x.logSoftmax(axis: axis)
      return (y, { g in g - y.exp() * g.sum(axis: axis, keepingAxis: true) })
    }
  }
}
