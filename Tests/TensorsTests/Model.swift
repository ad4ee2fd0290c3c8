// A tensor as plain as can be: nested index arithmetic, one element at a time. What the real one is compared with.

import Tensors
import TestSupport

struct Model: Equatable {
  var shape: [Int]
  var scalars: [Double]

  init(shape: [Int], scalars: [Double]) {
    self.shape = shape
    self.scalars = scalars
  }

  init(_ tensor: Tensor<Double>) { self.init(shape: tensor.shape, scalars: tensor.scalars) }

  /// Every index of a shape, in row-major order.
  static func indices(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { heads, extent in heads.flatMap { head in (0..<extent).map { head + [$0] } } }
  }

  subscript(_ index: [Int]) -> Double {
    var position = 0
    for (i, extent) in zip(index, shape) { position = position * extent + i }
    return scalars[position]
  }

  /// NumPy's rule, spelled out.
  static func broadcast(_ a: Model, _ b: Model, _ body: (Double, Double) -> Double) -> Model {
    let rank = max(a.shape.count, b.shape.count)
    func padded(_ shape: [Int]) -> [Int] { [Int](repeating: 1, count: rank - shape.count) + shape }
    let shapeA = padded(a.shape)
    let shapeB = padded(b.shape)
    let shape = zip(shapeA, shapeB).map { $0 == 1 ? $1 : $0 }
    func element(_ model: Model, _ own: [Int], _ index: [Int]) -> Double {
      let clipped = zip(own, index).map { $0 == 1 ? 0 : $1 }
      return model[Array(clipped.suffix(model.shape.count))]
    }
    return Model(shape: shape, scalars: indices(shape).map { body(element(a, shapeA, $0), element(b, shapeB, $0)) })
  }

  /// The elements of each row along the reduced axes, folded.
  func folded(axes: [Int], _ body: ([Double]) -> Double) -> Model {
    let kept = shape.indices.filter { !axes.contains($0) }
    let outer = kept.map { shape[$0] }
    let values = Model.indices(outer).map { outerIndex in
      body(
        Model.indices(axes.map { shape[$0] }).map { innerIndex in
          var index = shape
          for (axis, i) in zip(kept, outerIndex) { index[axis] = i }
          for (axis, i) in zip(axes, innerIndex) { index[axis] = i }
          return self[index]
        })
    }
    return Model(shape: outer, scalars: values)
  }
}

extension TestGenerator {
  /// A tensor that is a view more often than not: transposed, sliced, reversed, stretched.
  mutating func view(rank: ClosedRange<Int> = 0...4, extents: ClosedRange<Int> = 1...5) -> Tensor<Double> {
    var x: Tensor<Double> = tensor(shape(rank: rank, extents: extents))
    for _ in 0..<Int.random(in: 0...3, using: &self) where x.rank > 0 {
      let axis = Int.random(in: 0..<x.rank, using: &self)
      switch Int.random(in: 0..<5, using: &self) {
      case 0: x = x.permuted(Array(0..<x.rank).shuffled(using: &self))
      case 1:
        let lower = Int.random(in: 0..<x.shape[axis], using: &self)
        x = x.slice(axis: axis, lower..<Int.random(in: lower + 1...x.shape[axis], using: &self))
      case 2: x = x.reversed(axis: axis)
      case 3: x = x.expanded(axis: axis)
      default: if x.shape[axis] == 1 { x = x.broadcast(to: x.shape.enumerated().map { $0 == axis ? 3 : $1 }) }
      }
    }
    return x
  }
}
