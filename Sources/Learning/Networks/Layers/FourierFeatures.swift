public import Tensors

/// cos(2π B x) and sin(2π B x) for a fixed random matrix B: lets a network learn high frequencies of a few coordinates.
///
/// Source: Tancik et al., "Fourier features let networks learn high frequency functions", NeurIPS 2020.
public struct RandomFourierFeatures<Scalar: RealScalar>: Layer {
  /// The matrix B, shape [features / 2, inputs].
  public var frequencies: Tensor<Scalar>

  /// - Parameters:
  ///   - features: how many numbers come out, an even one.
  ///   - deviation: of the frequencies, which are normal; in turns for each unit of a coordinate.
  public init(_ inputs: Int, features: Int, deviation: Scalar = 1, random: inout RandomStream) {
    precondition(features > 0 && features % 2 == 0, "\(features) features are not pairs of a cosine and a sine")
    frequencies = random.normal([features / 2, inputs], standardDeviation: deviation)
  }

  /// - Parameter x: shape [..., inputs].
  /// - Returns: shape [..., features], all cosines before the sines.
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let angles = x.matmul(frequencies, transposingB: true) * (2 * Scalar.pi)
    return Tensor.concatenated([angles.cos(), angles.sin()], axis: -1)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) { visitor.buffer("frequencies", &frequencies) }
}

/// Sines and cosines of a time at geometrically spaced frequencies, from 1 down to 1 / `longestPeriod`.
///
/// Source: Vaswani et al., NeurIPS 2017, in the form of Ho et al., "Denoising diffusion probabilistic models", 2020:
/// frequency i of n is longestPeriod^(-i / (n - 1)).
public struct SinusoidalEmbedding<Scalar: RealScalar>: Layer {
  public let width: Int
  /// 2π times this is the longest period.
  public let longestPeriod: Double

  /// - Parameter width: how many numbers come out, an even one above two.
  public init(_ width: Int, longestPeriod: Double = 10_000) {
    precondition(width > 2 && width % 2 == 0, "a width of \(width) is not an even number above two")
    self.width = width
    self.longestPeriod = longestPeriod
  }

  /// - Parameter times: shape [...].
  /// - Returns: shape [..., width], all sines before the cosines.
  public func callAsFunction(_ times: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let half = width / 2
    let steps = Tensor<Double>(from: 0, through: 1, count: half)
    let frequencies = Tensor<Scalar>((steps * -Double.log(longestPeriod)).exp())
    let angles = times.expanded(axis: -1) * frequencies
    return Tensor.concatenated([angles.sin(), angles.cos()], axis: -1)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}
