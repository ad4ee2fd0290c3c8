// A sparse linear map along one axis: average pooling, resampling and padding by what is there are each one for every
// spatial axis in turn.

import CVectorKernels
import Tensors

struct AxisMap<Scalar: RealScalar>: Sendable {
  let rows, columns: Int
  private let starts: [Int32]
  private let indices: [Int32]
  private let weights: [Scalar]
  private let isSelection: Bool

  /// The map to `rows` places from `columns`, given the places and weights that each result is summed from.
  init(to rows: Int, from columns: Int, _ entries: (Int) -> [(place: Int, weight: Double)]) {
    var starts: [Int32] = [0]
    var indices: [Int32] = []
    var weights: [Scalar] = []
    starts.reserveCapacity(rows + 1)
    for row in 0..<rows {
      for entry in entries(row) {
        indices.append(Int32(entry.place))
        weights.append(Scalar(entry.weight))
      }
      starts.append(Int32(indices.count))
    }
    self.init(rows: rows, columns: columns, starts: starts, indices: indices, weights: weights)
  }

  private init(rows: Int, columns: Int, starts: [Int32], indices: [Int32], weights: [Scalar]) {
    (self.rows, self.columns) = (rows, columns)
    (self.starts, self.indices, self.weights) = (starts, indices, weights)
    isSelection = starts.indices.allSatisfy { starts[$0] == $0 } && weights.allSatisfy { $0 == 1 }
  }

  var transposed: AxisMap {
    var next = [Int32](repeating: 0, count: columns + 1)
    for column in indices { next[Int(column) + 1] += 1 }
    for column in 0..<columns { next[column + 1] += next[column] }
    let starts = next
    var turned = [Int32](repeating: 0, count: indices.count)
    var turnedWeights = weights
    for row in 0..<rows {
      for k in Int(self.starts[row])..<Int(self.starts[row + 1]) {
        let column = Int(indices[k])
        let place = Int(next[column])
        turned[place] = Int32(row)
        turnedWeights[place] = weights[k]
        next[column] += 1
      }
    }
    return AxisMap(rows: columns, columns: rows, starts: starts, indices: turned, weights: turnedWeights)
  }

  /// `x` with axis `axis` mapped; differentiable to any order.
  func applied(to x: Tensor<Scalar>, axis: Int) -> Tensor<Scalar> {
    customDerivative(at: x) { x in
      (
        x.isDifferentiated ? applied(to: x, axis: axis) : mapped(x, axis),
        { transposed.applied(to: $0, axis: axis) }
      )
    }
  }

  private func mapped(_ x: Tensor<Scalar>, _ axis: Int) -> Tensor<Scalar> {
    precondition(x.shape[axis] == columns, "axis \(axis) of shape \(x.shape) does not have extent \(columns)")
    var shape = x.shape
    shape[axis] = rows
    let outer = shape[..<axis].reduce(1, *)
    let inner = shape[(axis + 1)...].reduce(1, *)
    let kernel = windowKernels(Scalar.self).map_axis
    return Tensor(uninitializedShape: shape) { result in
      guard let result = result.baseAddress, outer * inner * rows > 0 else { return }
      x.withUnsafeBuffer { x in
        guard let x = x.baseAddress else { return }
        starts.withUnsafeBufferPointer { starts in
          indices.withUnsafeBufferPointer { indices in
            weights.withUnsafeBufferPointer { weights in
              let map = apus_axis_map(
                rows: rows, columns: columns, is_selection: isSelection, starts: starts.baseAddress!,
                indices: indices.baseAddress!,
                weights: weights.baseAddress!)
              parallelRanges(outer, grain: max(1, (1 << 13) / (inner * max(rows, columns)))) { range in
                withUnsafePointer(to: map) { map in
                  kernel(
                    map, range.count, inner, x + range.lowerBound * columns * inner,
                    result + range.lowerBound * rows * inner)
                }
              }
            }
          }
        }
      }
    }
  }
}

extension Tensor where Scalar: RealScalar {
  /// This tensor under one map for each of its last axes.
  func mapped(_ maps: [AxisMap<Scalar>]) -> Tensor {
    var result = self
    for (i, map) in maps.enumerated() { result = map.applied(to: result, axis: rank - maps.count + i) }
    return result
  }
}
