public import Tensors

/// A learned function of a time: sinusoids, a linear layer, SiLU, another linear layer.
///
/// Names are those of DDPM's port to PyTorch: `dense.0`, `dense.1`.
public struct TimeEmbedding<Scalar: RealScalar>: Module {
  public let sinusoids: SinusoidalEmbedding<Scalar>
  public var dense: [Linear<Scalar>]

  /// - Parameters:
  ///   - frequencies: how many sines and cosines the time becomes.
  ///   - width: of the result.
  public init(frequencies: Int, width: Int, random: inout RandomStream) {
    sinusoids = SinusoidalEmbedding(frequencies)
    dense = [Linear(frequencies, width, random: &random)]
    dense.append(Linear(width, width, random: &random))
  }

  /// - Parameter times: shape [examples].
  /// - Returns: shape [examples, width].
  public func callAsFunction(_ times: Tensor<Scalar>) -> Tensor<Scalar> {
    dense[1](Activation.silu(dense[0](sinusoids(times))))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) { visitor.modules("dense", &dense) }
}
