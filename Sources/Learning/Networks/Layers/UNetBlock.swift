public import Tensors

/// The residual block of diffusion models: shortcut(x) + conv₂(silu(norm₂(conv₁(silu(norm₁(x))) + W silu(t)))).
///
/// Names are those of DDPM's port to PyTorch: `norm1`, `conv1`, `temb_proj`, `norm2`, `conv2`, `nin_shortcut`.
public struct UNetBlock<Scalar: RealScalar>: Module {
  public var norm1: GroupNorm<Scalar>
  public var conv1: Convolution<Scalar>
  public var timeProjection: Linear<Scalar>
  public var norm2: GroupNorm<Scalar>
  public var dropout: Dropout<Scalar>
  public var conv2: Convolution<Scalar>
  /// A convolution without extent, where the number of channels changes.
  public var shortcut: Convolution<Scalar>?

  /// - Parameter timeWidth: the width of the embedded time.
  public init(
    _ inputs: Int, _ outputs: Int, timeWidth: Int, dimensions: Int = 2, groups: Int = 8, dropout: Double = 0,
    random: inout RandomStream
  ) {
    let kernel = [Int](repeating: 3, count: dimensions)
    norm1 = unetNorm(groups: groups, inputs)
    conv1 = Convolution(inputs, outputs, kernel: kernel, .init(padding: 1), random: &random)
    timeProjection = Linear(timeWidth, outputs, random: &random)
    norm2 = unetNorm(groups: groups, outputs)
    self.dropout = Dropout(dropout)
    conv2 = Convolution(outputs, outputs, kernel: kernel, .init(padding: 1), random: &random)
    if inputs != outputs {
      shortcut = Convolution(inputs, outputs, kernel: [Int](repeating: 1, count: dimensions), random: &random)
    }
  }

  /// - Parameters:
  ///   - x: shape [examples, inputs, extents...].
  ///   - activatedTime: SiLU of the embedded time, shape [examples, timeWidth].
  /// - Returns: shape [examples, outputs, extents...].
  public func callAsFunction(
    _ x: Tensor<Scalar>, activatedTime: Tensor<Scalar>, in pass: ForwardPass = .inference
  ) -> Tensor<Scalar> {
    let projected = timeProjection(activatedTime)
    let perPlace = projected.reshaped(projected.shape + [Int](repeating: 1, count: x.rank - 2))
    let inner = conv1(norm1(x, then: .silu)) + perPlace
    let outer = conv2(dropout(norm2(inner, then: .silu), in: pass))
    return (shortcut.map { $0(x) } ?? x) + outer
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("norm1", &norm1)
    visitor.module("conv1", &conv1)
    visitor.module("temb_proj", &timeProjection)
    visitor.module("norm2", &norm2)
    visitor.module("conv2", &conv2)
    visitor.module("nin_shortcut", &shortcut)
  }
}

/// Self-attention of all places of an image to each other, with one head, added to the input.
///
/// Names are those of DDPM's port to PyTorch: `norm`, `q`, `k`, `v`, `proj_out`, convolutions without extent.
public struct SpatialAttention<Scalar: RealScalar>: Layer {
  public var norm: GroupNorm<Scalar>
  public var queries: Convolution<Scalar>
  public var keys: Convolution<Scalar>
  public var values: Convolution<Scalar>
  public var output: Convolution<Scalar>

  public init(_ channels: Int, groups: Int = 8, dimensions: Int = 2, random: inout RandomStream) {
    let kernel = [Int](repeating: 1, count: dimensions)
    norm = unetNorm(groups: groups, channels)
    queries = Convolution(channels, channels, kernel: kernel, random: &random)
    keys = Convolution(channels, channels, kernel: kernel, random: &random)
    values = Convolution(channels, channels, kernel: kernel, random: &random)
    output = Convolution(channels, channels, kernel: kernel, random: &random)
  }

  /// - Parameter x: shape [examples, channels, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let normalized = norm(x)
    let channels = x.shape[1]
    /// Places as columns: shape [examples, channels, places].
    func columns(_ projection: Convolution<Scalar>) -> Tensor<Scalar> {
      projection(normalized).reshaped([x.shape[0], channels, -1])
    }
    let scale = 1 / Scalar.sqrt(Scalar(channels))
    let scores = (columns(queries) * scale).matmul(columns(keys), transposingA: true)
    let attended = columns(values).matmul(scores.softmax(axis: -1), transposingB: true)
    return x + output(attended.reshaped(x.shape))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("norm", &norm)
    visitor.module("q", &queries)
    visitor.module("k", &keys)
    visitor.module("v", &values)
    visitor.module("proj_out", &output)
  }
}
