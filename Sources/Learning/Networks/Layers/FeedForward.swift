public import Tensors

/// Two linear layers with an activation between them.
public struct FeedForward<Scalar: RealScalar>: Layer {
  public var input: Linear<Scalar>
  public var output: Linear<Scalar>
  public let activation: Activation

  /// - Parameter hidden: the width between the two layers; four times `width` unless given.
  public init(
    _ width: Int, hidden: Int? = nil, activation: Activation = .gelu, hasBias: Bool = true, random: inout RandomStream
  ) {
    input = Linear(width, hidden ?? 4 * width, hasBias: hasBias, random: &random)
    output = Linear(hidden ?? 4 * width, width, hasBias: hasBias, random: &random)
    self.activation = activation
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    output(activation(input(x)))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("input", &input)
    visitor.module("output", &output)
  }
}

/// The gated feed-forward layer of LLaMA: down(silu(gate(x)) · up(x)), without biases; see `swiGLU(gate:up:)`.
public struct SwiGLU<Scalar: RealScalar>: Layer {
  public var gateProjection: Linear<Scalar>
  public var upProjection: Linear<Scalar>
  public var downProjection: Linear<Scalar>

  public init(
    _ width: Int, hidden: Int, initializer: Initializer = .fanInUniform, outputInitializer: Initializer? = nil,
    random: inout RandomStream
  ) {
    gateProjection = Linear(weight: initializer([hidden, width], from: &random))
    upProjection = Linear(weight: initializer([hidden, width], from: &random))
    downProjection = Linear(weight: (outputInitializer ?? initializer)([width, hidden], from: &random))
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    downProjection(swiGLU(gate: gateProjection(x), up: upProjection(x)))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("gate_proj", &gateProjection)
    visitor.module("up_proj", &upProjection)
    visitor.module("down_proj", &downProjection)
  }
}
