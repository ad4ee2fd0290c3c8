public import Tensors

/// A perceptron of residual blocks under a time: for scores and velocities of points in few dimensions.
///
/// Each block is x + W₂ silu(W₁ silu(x) + V silu(t)), with the embedding t of the time. The last layer of a block starts
/// at zero, so that the network starts as a linear one.
public struct ResidualMLP<Scalar: RealScalar>: Module {
  public var time: TimeEmbedding<Scalar>
  public var input: Linear<Scalar>
  public var blocks: [Block]
  public var output: Linear<Scalar>

  /// One residual block.
  public struct Block: Module {
    public var inner: Linear<Scalar>
    public var timeProjection: Linear<Scalar>
    public var outer: Linear<Scalar>

    init(width: Int, timeWidth: Int, random: inout RandomStream) {
      inner = Linear(width, width, random: &random)
      timeProjection = Linear(timeWidth, width, random: &random)
      outer = Linear(weight: .zeros([width, width]), bias: .zeros([width]))
    }

    func callAsFunction(_ x: Tensor<Scalar>, activatedTime: Tensor<Scalar>) -> Tensor<Scalar> {
      let hidden = inner(Activation.silu(x)) + timeProjection(activatedTime)
      return x + outer(Activation.silu(hidden))
    }

    public mutating func visit(_ visitor: Visitor<Scalar>) {
      visitor.module("inner", &inner)
      visitor.module("time", &timeProjection)
      visitor.module("outer", &outer)
    }
  }

  /// - Parameters:
  ///   - outputs: how many numbers come out; as many as go in by default.
  ///   - frequencies: how many sines and cosines the time becomes.
  public init(
    _ inputs: Int, outputs: Int? = nil, width: Int = 128, blocks: Int = 3, frequencies: Int = 64,
    random: inout RandomStream
  ) {
    time = TimeEmbedding(frequencies: frequencies, width: width, random: &random)
    input = Linear(inputs, width, random: &random)
    var made: [Block] = []
    for _ in 0..<blocks { made.append(Block(width: width, timeWidth: width, random: &random)) }
    self.blocks = made
    output = Linear(width, outputs ?? inputs, random: &random)
  }

  /// - Parameters:
  ///   - x: shape [examples, inputs].
  ///   - times: shape [examples], of any scale; the sinusoids suit steps counted up to about a thousand.
  /// - Returns: shape [examples, outputs].
  public func callAsFunction(_ x: Tensor<Scalar>, times: Tensor<Scalar>) -> Tensor<Scalar> {
    let activatedTime = Activation.silu(time(times))
    return output(Activation.silu(blocks.reduce(input(x)) { $1($0, activatedTime: activatedTime) }))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("time", &time)
    visitor.module("input", &input)
    visitor.modules("blocks", &blocks)
    visitor.module("output", &output)
  }
}
