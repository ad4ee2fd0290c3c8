public import Tensors

/// A learned vector for each of a number of tokens.
public struct Embedding<Scalar: RealScalar>: Module {
  /// Shape [vocabulary, width].
  public var weight: Tensor<Scalar>

  public init(weight: Tensor<Scalar>) { self.weight = weight }

  public init(
    _ vocabulary: Int, _ width: Int, initializer: Initializer = .normal(deviation: 1), random: inout RandomStream
  ) {
    weight = initializer([vocabulary, width], from: &random)
  }

  /// - Parameter tokens: any shape, values below the vocabulary's size; traps on others.
  /// - Returns: shape of `tokens` + [width].
  public func callAsFunction(_ tokens: Tensor<Int>) -> Tensor<Scalar> { weight.gathered(tokens) }

  public mutating func visit(_ visitor: Visitor<Scalar>) { visitor.parameter("weight", &weight) }
}
