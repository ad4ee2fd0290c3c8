// What training does to parts of the data, and where two trainings from a common start end up.

public import Networks
public import Tensors

/// The loss along the straight line between two networks of one shape.
public struct LinearPath: Sendable, Hashable {
  /// From 0, the first network, to 1, the second.
  public let positions: [Double]
  public let losses: [Double]

  /// The most by which the loss exceeds the line between its two ends; zero when nothing lies between.
  ///
  /// - Source: Frankle et al., "Linear mode connectivity and the lottery ticket hypothesis", ICML 2020, section 2.
  public var barrier: Double {
    let (first, last) = (losses[0], losses[losses.count - 1])
    return zip(positions, losses).map { $1 - (first + $0 * (last - first)) }.max() ?? 0
  }
}

/// Evaluates `loss` at `points` equally spaced mixtures of the parameters of two networks.
///
/// Buffers, such as running statistics, are mixed as the parameters are.
/// - Parameter loss: of a network, for instance on the examples of a range of scores.
public func linearPath<Model: Module>(
  from a: Model, to b: Model, points: Int = 21, loss: (Model) throws -> Double
) rethrows -> LinearPath {
  precondition(points >= 2, "a path of \(points) points")
  var others: [Tensor<Model.Scalar>] = []
  var walked = b
  walked.forEachTensor { _, _, tensor in others.append(tensor) }
  let positions = (0..<points).map { Double($0) / Double(points - 1) }
  let losses = try positions.map { position in
    var mixed = a
    var next = 0
    mixed.forEachTensor { _, _, tensor in
      precondition(
        others[next].shape == tensor.shape, "tensors of shapes \(tensor.shape) and \(others[next].shape) on one path")
      tensor = tensor * Model.Scalar(1 - position) + others[next] * Model.Scalar(position)
      next += 1
    }
    return try loss(mixed)
  }
  return LinearPath(positions: positions, losses: losses)
}

extension Layer {
  /// The empirical tangent kernel: inner products of the gradients of the outputs of every two examples, summed over the
  /// outputs; shape [examples, examples].
  ///
  /// - Parameter input: shape [examples, ...].
  /// - Complexity: one way back for each output; memory for the gradients of one output of all examples.
  public func tangentKernel(_ input: Tensor<Scalar>) -> Tensor<Scalar> {
    let count = input.shape[0]
    let outputs = self(input).shape[1]
    return (0..<outputs).reduce(Tensor.zeros([count, count])) { sum, output in
      let gradients = perExampleGradients(examples: count) { $0(input).slice(axis: 1, at: output) }.gradients
      return gradients.tensors.reduce(sum) { $0 + $1.reshaped([count, -1]).multipliedByOwnTranspose() }
    }
  }
}

/// How far a tangent kernel turned: one minus the cosine of the angle between the two as vectors.
///
/// - Source: Fort et al., "Deep learning versus kernel learning", NeurIPS 2020, section 3.
public func kernelVelocity<Scalar: RealScalar>(from a: Tensor<Scalar>, to b: Tensor<Scalar>) -> Double {
  precondition(a.shape == b.shape, "kernels of shapes \(a.shape) and \(b.shape)")
  let product = (a * b).sum().scalar
  return 1 - Double(product / (a.norm().scalar * b.norm().scalar))
}
