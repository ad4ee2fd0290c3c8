// Copies between strided and dense memory: what every view costs when somebody needs it dense.

import CVectorKernels

extension Tensor {
  /// Writes all elements to `destination`, row by row.
  func copyElements(to destination: UnsafeMutablePointer<Scalar>) {
    withExtendedLifetime(storage) {
      if isDense {
        copyDense(base, destination, count)
      } else {
        let walk = StridedWalk(shape: shape, strides: [strides])
        copyStrided(base, walk.shape[...], walk.strides[0][...], destination)
      }
    }
  }
}

private func copyDense<Scalar: TensorScalar>(
  _ source: UnsafePointer<Scalar>, _ destination: UnsafeMutablePointer<Scalar>, _ count: Int
) {
  let from = Foreign(source)
  let to = Foreign(destination)
  parallelRanges(count, grain: 1 << 18) { range in
    (to.mutable + range.lowerBound).update(from: from.pointer + range.lowerBound, count: range.count)
  }
}

/// Copies axis by axis from the outermost: stretched axes by doubling what is there, the last two in tiles.
private func copyStrided<Scalar: TensorScalar>(
  _ source: UnsafePointer<Scalar>, _ shape: ArraySlice<Int>, _ strides: ArraySlice<Int>,
  _ destination: UnsafeMutablePointer<Scalar>
) {
  let count = shape.reduce(1, *)
  guard count > 0, let extent = shape.first, let stride = strides.first else { return }
  if stride == 0, extent > 1 {
    let part = count / extent
    if shape.count == 1 {
      destination.update(repeating: source.pointee, count: count)
      return
    }
    copyStrided(source, shape.dropFirst(), strides.dropFirst(), destination)
    var done = part
    while done < count {
      let next = min(done, count - done)
      (destination + done).update(from: destination, count: next)
      done += next
    }
    return
  }
  let from = Foreign(source)
  let to = Foreign(destination)
  if shape.count <= 2 {
    let rows = shape.count == 2 ? extent : 1
    let columns = shape.last!
    let columnStride = strides.last!
    // Tiles of rows go to the threads; a tile is copied in cache-sized squares.
    parallelRanges(rows, grain: max(64, (1 << 16) / max(columns, 1))) { range in
      apus_copy_strided_2d(
        MemoryLayout<Scalar>.stride, from.pointer + range.lowerBound * stride, stride, columnStride,
        to.mutable + range.lowerBound * columns, range.count, columns)
    }
    return
  }
  let part = count / extent
  for i in 0..<extent {
    copyStrided(source + i * stride, shape.dropFirst(), strides.dropFirst(), destination + i * part)
  }
}

/// A pointer that crosses into the tasks of the pool; each task touches its own part.
struct Foreign<Scalar>: @unchecked Sendable {
  let mutable: UnsafeMutablePointer<Scalar>
  var pointer: UnsafePointer<Scalar> { UnsafePointer(mutable) }
  init(_ pointer: UnsafeMutablePointer<Scalar>) { mutable = pointer }
  init(_ pointer: UnsafePointer<Scalar>) { mutable = UnsafeMutablePointer(mutating: pointer) }
}
