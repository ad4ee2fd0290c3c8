// Gathering and scattering by integer indices.

extension Tensor {
  /// The slices at `indices` along `axis`: shape [.., n, ..] becomes [.., indices' shape, ..].
  ///
  /// Like an embedding look-up with axis zero. Traps on an index out of range.
  public func gathered(_ indices: Tensor<Int>, axis: Int = 0) -> Tensor {
    let axis = Shape.axis(axis, rank: rank)
    if let tape = innermostTape(trace) {
      return record(tape, self) { x in
        let zeros = Tensor(repeating: Scalar.blank, shape: x.shape)
        return (x.gathered(indices, axis: axis), { zeros.scatterAdded($0, at: indices, axis: axis) })
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
            for i in range { target[i] = origin[at.pointer[i]] }
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

  private func requireIndices(_ indices: Tensor<Int>, below extent: Int) {
    indices.withUnsafeBuffer { indices in
      for index in indices where index < 0 || index >= extent {
        preconditionFailure("index \(index) is out of range of an axis of extent \(extent) of shape \(shape)")
      }
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
    result.withUnsafeMutableBuffer { buffer in
      values.withUnsafeBuffer { values in
        indices.withUnsafeBuffer { indices in
          for index in indices {
            precondition(0 <= index && index < extent, "index \(index) is out of range of an axis of extent \(extent)")
          }
          guard let to = buffer.baseAddress, let from = values.baseAddress else { return }
          for block in 0..<outer {
            for (i, index) in indices.enumerated() {
              let place = to + (block * extent + index) * inner
              let addend = from + (block * indices.count + i) * inner
              if inner == 1 {
                place.pointee += addend.pointee
              } else {
                apply(.add, place, strideA: 1, addend, strideB: 1, place, count: inner)
              }
            }
          }
        }
      }
    }
    return result
  }
}

extension TensorScalar {
  public static func scatterAdd(
    _ values: Tensor<Self>, to target: Tensor<Self>, at indices: Tensor<Int>, axis: Int
  ) -> Tensor<Self> {
    preconditionFailure("a Tensor<\(name)> cannot be added to")
  }
}
