public import Tensors

/// A multi-layer perceptron: linear layers with a function between them.
///
/// Names are those of a PyTorch `Sequential` of linear layers and functions in turn: `0.weight`, `2.weight`, ...
public struct MLP<Scalar: RealScalar>: Layer {
  public var layers: [Linear<Scalar>]
  public let activation: Activation

  /// - Parameter widths: of the input, of each hidden layer, and of the output.
  public init(
    _ widths: [Int], activation: Activation = .relu, initializer: Initializer = .fanInUniform,
    random: inout RandomStream
  ) {
    precondition(widths.count >= 2, "a perceptron needs an input's and an output's width, but is given \(widths)")
    var layers: [Linear<Scalar>] = []
    for (inputs, outputs) in zip(widths, widths.dropFirst()) {
      layers.append(Linear(inputs, outputs, initializer: initializer, random: &random))
    }
    self.layers = layers
    self.activation = activation
  }

  /// - Parameter x: shape [..., inputs].
  /// - Returns: shape [..., outputs].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    layers[layers.count - 1](features(x).last ?? x)
  }

  /// What each hidden layer hands on, in order.
  public func features(_ x: Tensor<Scalar>) -> [Tensor<Scalar>] {
    var x = x
    return layers.dropLast().map { layer in
      x = activation(layer(x))
      return x
    }
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    for i in layers.indices { visitor.module("\(2 * i)", &layers[i]) }
  }
}

extension MLP: SequentialLinearGroups {
  /// Every layer has an input of its own.
  public var linearGroups: [[String]] { layers.indices.map { ["\(2 * $0)"] } }
}
