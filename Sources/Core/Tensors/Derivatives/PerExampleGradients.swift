// The gradient of every example by itself, for the whole batch at once.
//
// Sources: Goodfellow, "Efficient per-example gradient computations", arXiv:1510.01799, for dense layers; the norms of
// sequences without the gradients ("ghost norms") after Li et al., "Large language models can be strong differentially
// private learners", ICLR 2022, section 4.

/// A part of the examples' gradients of one parameter in factors.
enum PerExampleShare {
  /// leftᵢᵀ rightᵢ for each example i: shapes [examples, rows, m] and [examples, rows, n].
  case product(UntypedTensor, UntypedTensor)
  /// The rows of a table of this shape that example i looked up, and their cotangents: [examples, ...] + a row's shape.
  case rows(Tensor<Int>, UntypedTensor, _ table: [Int])
}

extension PerExampleShare {
  /// The gradients, of shape [examples] + the parameter's.
  func multipliedOut<Scalar: RealScalar>(as type: Scalar.Type = Scalar.self) -> Tensor<Scalar> {
    switch self {
    case .product(let left, let right):
      let (left, right) = (left.typed(as: Scalar.self), right.typed(as: Scalar.self))
      if left.shape[1] == 1 { return left.squeezed(axis: 1).expanded(axis: 2) * right }
      return left.matmul(right, transposingA: true)
    case .rows(let indices, let changes, let table):
      // One table for each example, one behind the other.
      let changes = changes.typed(as: Scalar.self)
      let count = indices.shape[0]
      let perExample = indices.count / max(count, 1)
      let starts = Tensor<Int>(0..<count).expanded(axis: 1) * table[0]
      let places = (indices.reshaped([count, perExample]) + starts).flattened
      let row = Array(table.dropFirst())
      let zeros = Tensor<Scalar>.zeros([count * table[0]] + row)
      return zeros.scatterAdded(changes.reshaped([places.count] + row), at: places).reshaped([count] + table)
    }
  }

  /// The squared norm of each example's gradient, without the gradients where that is less work.
  func squaredNorms<Scalar: RealScalar>(as type: Scalar.Type = Scalar.self) -> Tensor<Scalar> {
    let grams: (Tensor<Scalar>, Tensor<Scalar>)
    switch self {
    case .product(let left, let right):
      let (left, right) = (left.typed(as: Scalar.self), right.typed(as: Scalar.self))
      let (rows, m, n) = (left.shape[1], left.shape[2], right.shape[2])
      if rows == 1 { return left.sumOfSquares(axes: [1, 2]) * right.sumOfSquares(axes: [1, 2]) }
      if rows * (m + n) >= m * n { return multipliedOut(as: Scalar.self).sumOfSquares(axes: [1, 2]) }
      grams = (left.matmul(left, transposingB: true), right.matmul(right, transposingB: true))
    case .rows(let indices, let changes, let table):
      let count = indices.shape[0]
      let places = indices.reshaped([count, indices.count / max(count, 1)])
      let width = max(table.dropFirst().reduce(1, *), 1)
      let rows = changes.typed(as: Scalar.self).reshaped([count, places.shape[1], width])
      let isSame = places.expanded(axis: 2) .== places.expanded(axis: 1)
      grams = (Tensor<Scalar>(isSame), rows.matmul(rows, transposingB: true))
    }
    // |Σₜ lₜ rₜᵀ|² = Σₛₜ (lₛ · lₜ)(rₛ · rₜ)
    return (grams.0 * grams.1).sum(axes: [1, 2])
  }
}

extension Recording {
  /// Walks back from the examples' losses.
  fileprivate func walkBackByExample() {
    let losses = values[0]
    let count = tape.exampleCount
    precondition(
      losses.shape == [count],
      "per-example gradients: \(count) examples need losses of shape [\(count)], but the shape is \(losses.shape)")
    precondition(
      results[0]?.isParameter != true, "per-example gradients: the losses depend on the parameters but on no example")
    walk([.ones([count])])
  }

  fileprivate func gradientsByExample(_ shapes: [[Int]]) -> [Tensor<Scalar>] {
    zip(leaves, shapes).map { leaf, shape in
      var total: Tensor<Scalar>? = leaf.take()
      for share in leaf.shares {
        let part = share.multipliedOut(as: Scalar.self)
        total = total.map { Scalar.added($0, part) } ?? part
      }
      leaf.shares = []
      return total ?? .zeros([tape.exampleCount] + shape)
    }
  }

  fileprivate func squaredNormsByExample(_ shapes: [[Int]]) -> [Tensor<Scalar>] {
    zip(leaves, shapes).map { leaf, shape in
      // Several shares have mixed products: then the gradients themselves are needed.
      if leaf.shares.count == 1, !leaf.hasCotangent {
        defer { leaf.shares = [] }
        return leaf.shares[0].squaredNorms(as: Scalar.self)
      }
      let total: Tensor<Scalar>? = leaf.take()
      let parts = leaf.shares.map { $0.multipliedOut(as: Scalar.self) }
      leaf.shares = []
      let all = (total.map { [$0] } ?? []) + parts
      guard var sum = all.first else { return .zeros([tape.exampleCount]) }
      for part in all.dropFirst() { sum = Scalar.added(sum, part) }
      return sum.sumOfSquares(axes: Array(1..<sum.rank))
    }
  }
}

/// The losses of the examples of a batch, and the gradient of each with respect to the parameters.
///
/// This costs about as much as the gradient of the sum, and memory for the results; it does not loop over the examples.
/// The loss of an example must depend on that example alone (no statistics of the batch), and wherever a parameter is
/// used, the examples must lie on the first axis of what it is used with:
///
/// ```swift
/// let (losses, gradients) = perExampleGradients(at: [weight, bias], examples: 32) { p in
///   (x.matmul(p[0], transposingB: true) + p[1] - y).squared().sum(axis: 1)      // x: [32, inputs], y: [32, outputs]
/// }                                                                            // gradients[0]: [32, outputs, inputs]
/// ```
///
/// Parameters may take part in matrix products, element-wise operations, look-ups (`gathered`, by indices whose first
/// extent is the number of examples), in any operation of parameters alone, and in operations that state
/// `customDerivatives(at:perExample:)`. Anything else traps and says so. A constant that has as many rows as there are
/// examples is taken for data of the examples where it is combined with a parameter.
///
/// - Parameters:
///   - count: the number of examples.
///   - losses: returns one loss for each example, of shape [count].
/// - Returns: the losses, and for each parameter gradients of shape [count] + the parameter's shape.
public func perExampleGradients<Scalar: RealScalar>(
  at parameters: [Tensor<Scalar>], examples count: Int, of losses: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> (values: Tensor<Scalar>, gradients: [Tensor<Scalar>]) {
  precondition(count > 0, "per-example gradients need at least one example")
  let recording = try Recording(at: parameters, exampleCount: count) { [try losses($0)] }
  defer { recording.tape.clear() }
  recording.walkBackByExample()
  return (recording.values[0], recording.gradientsByExample(parameters.map(\.shape)))
}

/// The losses of the examples of a batch, and the Euclidean norm of each example's gradient.
///
/// The gradients of dense layers and look-ups are not formed where their factors are smaller: |Σₜ xₜ gₜᵀ|² is
/// Σₛₜ (xₛ · xₜ)(gₛ · gₜ), for a layer that each example passes once |x|² |g|². What the losses may contain is said at
/// `perExampleGradients`.
///
/// - Returns: the losses; the norms over all parameters, of shape [count]; and their squares by parameter.
public func perExampleGradientNorms<Scalar: RealScalar>(
  at parameters: [Tensor<Scalar>], examples count: Int, of losses: ([Tensor<Scalar>]) throws -> Tensor<Scalar>
) rethrows -> (values: Tensor<Scalar>, norms: Tensor<Scalar>, squaredNorms: [Tensor<Scalar>]) {
  precondition(count > 0, "per-example gradients need at least one example")
  let recording = try Recording(at: parameters, exampleCount: count) { [try losses($0)] }
  defer { recording.tape.clear() }
  recording.walkBackByExample()
  let squares = recording.squaredNormsByExample(parameters.map(\.shape))
  let total = squares.reduce(Tensor<Scalar>.zeros([count])) { $0 + $1 }
  return (recording.values[0], total.sqrt(), squares)
}
