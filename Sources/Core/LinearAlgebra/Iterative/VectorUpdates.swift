// In-place updates and inner products of long vectors, on several threads and in a fixed order.

import Tensors

extension Tensor where Scalar: LinearScalar {
  /// Adds a multiple of an equally shaped tensor.
  mutating func add(_ factor: Scalar, times x: Tensor) {
    precondition(shape == x.shape, "adding shape \(x.shape) to shape \(shape)")
    let length = count
    withUnsafeMutableBuffer { y in
      x.withUnsafeBuffer { x in
        let (x, y) = (x.baseAddress!, y.baseAddress!)
        parallelRanges(length, grain: 1 << 13) { range in
          let (from, to) = (x + range.lowerBound, y + range.lowerBound)
          withUnsafePointer(to: factor) {
            Scalar.multiplyAdd(from, strideA: 1, $0, strideB: 0, to, strideC: 1, to, count: range.count)
          }
        }
      }
    }
  }

  /// Adds a multiple of an equally shaped tensor, and returns the sum of the squares of what that gives: over fixed
  /// blocks, then over these in order, each while it is in the caches.
  mutating func addingSquares(_ factor: Scalar, times x: Tensor) -> Scalar {
    precondition(shape == x.shape, "adding shape \(x.shape) to shape \(shape)")
    let (length, block) = (count, 1 << 13)
    let blocks = (length + block - 1) / block
    var parts = [Scalar](repeating: 0, count: blocks)
    parts.withUnsafeMutableBufferPointer { parts in
      withUnsafeMutableBuffer { y in
        x.withUnsafeBuffer { x in
          guard let x = x.baseAddress, let y = y.baseAddress, let parts = parts.baseAddress else { return }
          parallelTasks(blocks) { i in
            let (from, to) = (x + i * block, y + i * block)
            let size = Swift.min(block, length - i * block)
            withUnsafePointer(to: factor) {
              Scalar.multiplyAdd(from, strideA: 1, $0, strideB: 0, to, strideC: 1, to, count: size)
            }
            parts[i] = Scalar.dot(to, strideA: 1, to, strideB: 1, count: size)
          }
        }
      }
    }
    return parts.reduce(0, +)
  }

  /// Multiplies by `factor`, then adds an equally shaped tensor.
  mutating func scale(_ factor: Scalar, adding x: Tensor) {
    precondition(shape == x.shape, "adding shape \(x.shape) to shape \(shape)")
    let length = count
    withUnsafeMutableBuffer { y in
      x.withUnsafeBuffer { x in
        let (x, y) = (x.baseAddress!, y.baseAddress!)
        parallelRanges(length, grain: 1 << 13) { range in
          let (from, to) = (x + range.lowerBound, y + range.lowerBound)
          withUnsafePointer(to: factor) {
            Scalar.multiplyAdd(to, strideA: 1, $0, strideB: 0, from, strideC: 1, to, count: range.count)
          }
        }
      }
    }
  }

  /// The sum of products of all elements of two equally shaped tensors: over fixed blocks, then over these in order.
  func innerProduct(_ other: Tensor) -> Scalar {
    precondition(shape == other.shape, "an inner product of shapes \(shape) and \(other.shape)")
    let block = 1 << 15
    return withUnsafeBuffer { x in
      other.withUnsafeBuffer { y in
        let (x, y) = (x.baseAddress!, y.baseAddress!)
        if count <= block { return Scalar.dot(x, strideA: 1, y, strideB: 1, count: count) }
        let blocks = (count + block - 1) / block
        let parts = [Scalar](unsafeUninitializedCapacity: blocks) { parts, used in
          let parts = parts.baseAddress!
          parallelTasks(blocks) { i in
            let first = i * block
            parts[i] = Scalar.dot(
              x + first, strideA: 1, y + first, strideB: 1, count: Swift.min(block, count - first))
          }
          used = blocks
        }
        return parts.reduce(0, +)
      }
    }
  }

  /// The length of the vector of all elements.
  func length() -> Scalar {
    let squared = innerProduct(self)
    return squared.isFinite && squared >= .leastNormalMagnitude / .ulpOfOne ? .sqrt(squared) : frobeniusNorm()
  }

  // MARK: Columns of a matrix

  /// The inner products of the columns of two matrices.
  func columnProducts(_ other: Tensor) -> [Scalar] {
    columns == 1 ? [innerProduct(other)] : (self * other).sum(axis: 0).scalars
  }

  func columnLengths() -> [Double] {
    if columns == 1 { return [Double(length())] }
    return (0..<columns).map { Double(self[.all, $0].frobeniusNorm()) }
  }

  /// Adds to each column a multiple of the column of `x`.
  mutating func add(_ factors: [Scalar], timesColumns x: Tensor) {
    if columns == 1 { add(factors[0], times: x) } else { self += x * Tensor(factors) }
  }

  /// Subtracts from each column a multiple of the column of `x`; returns the squared length of a single column.
  mutating func subtract(_ factors: [Scalar], timesColumns x: Tensor) -> Scalar? {
    if columns == 1 { return addingSquares(-factors[0], times: x) }
    add(factors.map { -$0 }, timesColumns: x)
    return nil
  }

  /// Multiplies each column by a factor, then adds a matrix.
  mutating func scaleColumns(_ factors: [Scalar], adding x: Tensor) {
    if columns == 1 { scale(factors[0], adding: x) } else { self = self * Tensor(factors) + x }
  }
}
