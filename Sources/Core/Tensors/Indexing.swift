// Gathering and scattering by integer indices.

import CVectorKernels

extension Tensor {
  /// The slices at `indices` along `axis`: shape [.., n, ..] becomes [.., indices' shape, ..].
  ///
  /// Like an embedding look-up with axis zero. Traps on an index out of range.
  public func gathered(_ indices: Tensor<Int>, axis: Int = 0) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    if let tape = innermostTape(trace) {
      if tape.exampleCount > 0 && trace?.isParameter == true {
        return gatheredPerExample(tape, self, indices, axis: axis)
      }
      let shape = self.shape
      return record(tape, self) { x in
        (
          x.gathered(indices, axis: axis),
          { Tensor(repeating: Scalar.blank, shape: shape).scatterAdded($0, at: indices, axis: axis) }
        )
      }
    }
    let source = dense
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *)
    let extent = shape[axis]
    let positions = indices.dense
    let result = Tensor(uninitializedShape: shape[..<axis] + indices.shape + shape[(axis + 1)...])
    requireIndices(positions, below: extent)
    withExtendedLifetime((source.storage, positions.storage, result.storage)) {
      let from = Foreign(source.base)
      let at = Foreign(positions.base)
      let to = Foreign(result.base)
      let count = positions.count
      for block in 0..<outer {
        parallelRanges(count, grain: max(1, (1 << 14) / max(inner, 1))) { range in
          let target = to.mutable + block * count * inner
          let origin = from.pointer + block * extent * inner
          if inner == 1 {
            apus_gather(
              MemoryLayout<Scalar>.stride, origin, at.pointer + range.lowerBound, target + range.lowerBound, range.count
            )
          } else {
            for i in range { (target + i * inner).update(from: origin + at.pointer[i] * inner, count: inner) }
          }
        }
      }
    }
    return result
  }

  /// This tensor with `values` added at `indices` along `axis`, in the order of the indices where one occurs twice.
  public func scatterAdded(_ values: Tensor, at indices: Tensor<Int>, axis: Int = 0) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    let wanted = shape[..<axis] + indices.shape + shape[(axis + 1)...]
    precondition(
      values.shape == Array(wanted), "scatter into shape \(shape): values have shape \(values.shape), not \(wanted)")
    if let tape = innermostTape(trace, values.trace) {
      return record(tape, self, values) { x, values in
        (x.scatterAdded(values, at: indices, axis: axis), { $0 }, { $0.gathered(indices, axis: axis) })
      }
    }
    return Scalar.scatterAdd(values, to: self, at: indices, axis: axis)
  }

  /// Element i of the result is the one at `indices[i]` along `axis`, all other indices alike; PyTorch's `gather`.
  public func taken(_ indices: Tensor<Int>, along axis: Int) -> Tensor {
    if let trace, trace.isParameter { refuseParameter("taken(_:along:)", shape) }
    let axis = Shape.axis(axis, rank: rank)
    var expected = shape
    expected[axis] = indices.rank == rank ? indices.shape[axis] : 0
    precondition(
      indices.shape == expected, "indices of shape \(indices.shape) along axis \(axis) of shape \(shape)")
    let extent = shape[axis]
    let taken = indices.shape[axis]
    requireIndices(indices.dense, below: extent)
    // As positions in the tensor with this axis last, where every row has its own base.
    let at = indices.exchangingAxes(axis, -1).dense
    guard taken > 0 else { return slice(axis: axis, 0..<0) }
    let base = Tensor<Int>(0..<at.count / taken).expanded(axis: 1) * extent
    let flat = at.reshaped([-1, taken]) + base
    let rows = exchangingAxes(axis, -1).flattened
    return rows.gathered(flat.flattened).reshaped(at.shape).exchangingAxes(axis, -1)
  }

  func requireIndices(_ indices: Tensor<Int>, below extent: Int) {
    indices.withUnsafeBuffer { indices in
      guard let start = indices.baseAddress else { return }
      let bad = apus_first_index_out_of_range(start, indices.count, extent)
      precondition(
        bad == indices.count,
        "index \(indices[min(bad, indices.count - 1)]) is out of range of an axis of extent "
          + "\(extent) of shape \(shape)")
    }
  }

  /// The elements where the mask, of the same shape, holds, as a vector.
  public func masked(_ mask: Tensor<Bool>) -> Tensor {
    precondition(mask.shape == shape, "a mask of shape \(mask.shape) for shape \(shape)")
    return flattened.gathered(mask.trueIndices)
  }
}

extension NumericScalar {
  public static func scatterAdd(
    _ values: Tensor<Self>, to target: Tensor<Self>, at indices: Tensor<Int>, axis: Int
  ) -> Tensor<Self> {
    var result = target
    let extent = target.shape[axis]
    let outer = target.shape[..<axis].reduce(1, *)
    let inner = target.shape[(axis + 1)...].reduce(1, *)
    target.requireIndices(indices.dense, below: extent)
    result.withUnsafeMutableBuffer { buffer in
      values.withUnsafeBuffer { values in
        indices.withUnsafeBuffer { indices in
          guard let to = buffer.baseAddress, let from = values.baseAddress, let at = indices.baseAddress else { return }
          for block in 0..<outer {
            let place = to + block * extent * inner
            let addends = from + block * indices.count * inner
            if inner == 1 {
              scatterAdd(addends, at: at, place, count: indices.count)
              continue
            }
            for i in 0..<indices.count {
              let row = place + at[i] * inner
              apply(.add, row, strideA: 1, addends + i * inner, strideB: 1, row, count: inner)
            }
          }
        }
      }
    }
    return result
  }

  public static func scatterAdd(
    _ values: UnsafePointer<Self>, at indices: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Self>, count: Int
  ) {
    for i in 0..<count { result[indices[i]] += values[i] }
  }
}

extension TensorScalar {
  public static func scatterAdd(
    _ values: Tensor<Self>, to target: Tensor<Self>, at indices: Tensor<Int>, axis: Int
  ) -> Tensor<Self> {
    preconditionFailure("a Tensor<\(name)> cannot be added to")
  }
}
