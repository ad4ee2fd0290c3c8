public import Tensors

/// Layers one after another, of any kinds, named `0`, `1`, ... as PyTorch's.
///
/// ```swift
/// let model = Sequential<Float>(
///   Convolution(1, 8, kernel: [3, 3], random: &random), BatchNorm(8), Mapping { $0.relu() }, Flatten())
/// ```
public struct Sequential<Scalar: RealScalar>: Layer {
  public var layers: [any Layer<Scalar>]

  public init(_ layers: any Layer<Scalar>...) { self.layers = layers }
  public init(_ layers: [any Layer<Scalar>]) { self.layers = layers }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    layers.reduce(x) { $1($0, in: pass) }
  }

  /// The result of every layer, in order.
  public func intermediates(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> [Tensor<Scalar>] {
    var x = x
    return layers.map { layer in
      x = layer(x, in: pass)
      return x
    }
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    for i in layers.indices { visitor.module("\(i)", &layers[i]) }
  }
}

/// A function without parameters as a layer.
public struct Mapping<Scalar: RealScalar>: Layer {
  private let function: @Sendable (Tensor<Scalar>) -> Tensor<Scalar>

  public init(_ function: @escaping @Sendable (Tensor<Scalar>) -> Tensor<Scalar>) { self.function = function }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> { function(x) }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}

/// Everything about an example in one row: shape [examples, ...] becomes [examples, numbers].
public struct Flatten<Scalar: RealScalar>: Layer {
  public init() {}

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    x.reshaped([x.shape[0], x.shape.dropFirst().reduce(1, *)])
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}
