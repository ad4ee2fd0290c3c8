public import Tensors

/// Sums over examples of squared gradients of a loss with respect to a weight, by element: the empirical Fisher
/// information.
///
/// The gradient of an example is formed before it is squared: for a sequence it is the sum over the positions. Squares of
/// the gradients of mini-batches would be smaller by the share of noise.
public struct FisherMoments: Sendable {
  /// How many examples were seen.
  public private(set) var examples = 0
  /// Σ (dℓ/dW)², shape [outputs, inputs].
  public private(set) var squares: Tensor<Double>

  /// Nothing seen yet of a weight of shape [outputs, inputs].
  public init(shape: [Int]) {
    precondition(shape.count == 2, "shape \(shape) is not of a weight matrix")
    squares = .zeros(shape)
  }

  /// Moments from stored sums.
  ///
  /// - Throws: `InvalidArgument` for a count that is not positive, or squares that are negative or not finite.
  public init(examples: Int, squares: Tensor<Double>) throws {
    guard examples > 0 else { throw InvalidArgument("examples", found: "\(examples)", wanted: "at least one") }
    try squares.requireMatrix("fisher")
    guard squares.minimum().scalar >= 0 else {
      throw InvalidArgument("fisher", found: "a negative number", wanted: "squares of gradients")
    }
    (self.examples, self.squares) = (examples, squares)
  }

  /// Adds the gradient of one example, shape [outputs, inputs].
  ///
  /// - Throws: `InvalidArgument` for another shape or numbers that are not finite.
  public mutating func add(gradient: Tensor<Float>) throws {
    guard gradient.shape == squares.shape else {
      throw InvalidArgument("gradient", found: "shape \(gradient.shape)", wanted: "\(squares.shape)")
    }
    try gradient.requireFinite("gradient")
    accumulate(gradient)
  }

  /// Adds examples by what went into the layer and what came back to its output; no gradient of the batch is formed.
  ///
  /// - Parameters:
  ///   - inputs: shape [examples, positions, inputs] or [examples, inputs].
  ///   - outputGradients: of each example's loss, shape [examples, positions, outputs] or [examples, outputs].
  /// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite.
  /// - Complexity: O(examples · positions · outputs · inputs) time; the memory of one gradient.
  public mutating func add(inputs: Tensor<Float>, outputGradients: Tensor<Float>) throws {
    guard inputs.rank == 2 || inputs.rank == 3, inputs.rank == outputGradients.rank,
      inputs.shape.dropLast() == outputGradients.shape.dropLast(), inputs.shape.last == squares.columns,
      outputGradients.shape.last == squares.rows
    else {
      throw InvalidArgument(
        "inputs", found: "shapes \(inputs.shape) and \(outputGradients.shape)",
        wanted: "[examples, (positions,) \(squares.columns)] and the same with \(squares.rows)")
    }
    try inputs.requireFinite("inputs")
    try outputGradients.requireFinite("outputGradients")
    guard inputs.rank == 3 else {
      // One position an example: the square of an outer product is the outer product of the squares.
      let x = Tensor<Double>(inputs)
      let g = Tensor<Double>(outputGradients)
      squares += (g * g).matmul(x * x, transposingA: true)
      examples += inputs.shape[0]
      return
    }
    for example in 0..<inputs.shape[0] {
      accumulate(outputGradients[example].matmul(inputs[example], transposingA: true))
    }
  }

  private mutating func accumulate(_ gradient: Tensor<Float>) {
    gradient.withUnsafeBuffer { gradient in
      squares.withUnsafeMutableBuffer { squares in
        guard let from = gradient.baseAddress, let to = squares.baseAddress else { return }
        parallelRanges(gradient.count, grain: 1 << 15) { range in
          for i in range {
            let value = Double(from[i])
            to[i] += value * value
          }
        }
      }
    }
    examples += 1
  }

  /// Takes in what was seen of other examples.
  ///
  /// - Throws: `InvalidArgument` when the shapes differ.
  public mutating func merge(_ other: FisherMoments) throws {
    guard other.squares.shape == squares.shape else {
      throw InvalidArgument("fisher", found: "shape \(other.squares.shape)", wanted: "\(squares.shape)")
    }
    examples += other.examples
    squares += other.squares
  }

  /// I = E[(dℓ/dW)²], shape [outputs, inputs].
  public var information: Tensor<Double> { squares / Double(max(examples, 1)) }
  /// Σ_j I_ij, shape [outputs].
  public var rowWeights: Tensor<Double> { information.sum(axis: 1) }
  /// Σ_i I_ij, shape [inputs].
  public var columnWeights: Tensor<Double> { information.sum(axis: 0) }
}
