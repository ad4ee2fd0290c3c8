// Putting tensors together and around: concatenation, stacking, padding, splitting, tiling.

extension Tensor {
  /// One behind the other along `axis`; all other extents must agree.
  public static func concatenated(_ parts: [Tensor], axis: Int = 0) -> Tensor {
    precondition(!parts.isEmpty, "there is nothing to concatenate")
    let axis = Shape.axis(axis, rank: parts[0].rank)
    for (i, part) in parts.enumerated() {
      var other = part.shape
      if other.count == parts[0].rank { other[axis] = parts[0].shape[axis] }
      precondition(
        other == parts[0].shape,
        "concatenate along axis \(axis): part \(i) has shape \(part.shape), "
          + "which does not fit part 0 of shape \(parts[0].shape)")
    }
    if let tape = innermostTape(of: parts) {
      return record(tape, parts) { parts in
        let sizes = parts.map { $0.shape[axis] }
        return (concatenated(parts, axis: axis), { $0.split(sizes: sizes, axis: axis) })
      }
    }
    var shape = parts[0].shape
    shape[axis] = parts.reduce(0) { $0 + $1.shape[axis] }
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *)
    return Tensor(uninitializedShape: shape) { buffer in
      guard let start = buffer.baseAddress else { return }
      var done = 0
      for part in parts {
        let length = part.shape[axis] * inner
        part.withUnsafeBuffer { source in
          guard let from = source.baseAddress, length > 0 else { return }
          for block in 0..<outer {
            (start + block * shape[axis] * inner + done).update(from: from + block * length, count: length)
          }
        }
        done += length
      }
    }
  }

  /// Side by side along a new axis; all shapes must be equal.
  public static func stacked(_ parts: [Tensor], axis: Int = 0) -> Tensor {
    concatenated(parts.map { $0.expanded(axis: axis) }, axis: axis)
  }

  /// The parts of the given extents along `axis`, as views. Traps unless they add up to the extent.
  public func split(sizes: [Int], axis: Int = 0) -> [Tensor] {
    let axis = Shape.axis(axis, rank: rank)
    precondition(
      sizes.reduce(0, +) == shape[axis] && !sizes.contains { $0 < 0 },
      "parts of \(sizes) do not make up axis \(axis) of shape \(shape)")
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return slice(axis: axis, start..<start + size)
    }
  }

  /// `count` parts of equal extent along `axis`, as views; it must be divisible.
  public func split(count: Int, axis: Int = 0) -> [Tensor] {
    let extent = shape[Shape.axis(axis, rank: rank)]
    precondition(count > 0 && extent % count == 0, "axis \(axis) of shape \(shape) does not split into \(count) parts")
    return split(sizes: [Int](repeating: extent / count, count: count), axis: axis)
  }

  /// This tensor with `widths[axis].before` and `.after` more places along each axis, which hold `value`.
  public func padded(_ widths: [(before: Int, after: Int)], with value: Scalar = Scalar.blank) -> Tensor {
    precondition(widths.count == rank, "\(widths.count) widths of padding for shape \(shape)")
    var target: [Int] = []
    var parts: [AxisPart] = []
    for (extent, width) in zip(shape, widths) {
      precondition(width.before >= 0 && width.after >= 0, "padding is not negative, but \(width) was given")
      target.append(width.before + extent + width.after)
      parts.append(.range(width.before, width.before + extent, step: 1))
    }
    return placed(in: Tensor(repeating: value, shape: target), at: parts)
  }

  /// This tensor `counts[axis]` times along each axis.
  public func tiled(_ counts: [Int]) -> Tensor {
    precondition(counts.count == rank, "\(counts.count) repetitions for shape \(shape)")
    var split: [Int] = []
    var stretched: [Int] = []
    for (extent, count) in zip(shape, counts) {
      split += [1, extent]
      stretched += [count, extent]
    }
    return reshaped(split).broadcast(to: stretched).reshaped(zip(shape, counts).map(*))
  }
}
