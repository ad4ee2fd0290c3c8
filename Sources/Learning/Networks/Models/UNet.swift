// The U-Net of diffusion models, in two or three dimensions.

import Convolutions
public import Tensors

/// A U-Net with a time: residual blocks on falling, then on rising resolution, joined by skips.
///
/// Structure, names and defaults follow DDPM as ported to PyTorch (`conv_in`, `down.0.block.0.norm1`, `mid.attn_1`,
/// `up.0.upsample.conv`, ...): residual blocks with group normalisation, SiLU and the projected time between two
/// 3 x 3 convolutions; strided convolutions down, nearest places and a convolution up; self-attention over places at the
/// lowest resolution.
///
/// Source: Ronneberger et al., "U-Net", MICCAI 2015; Ho et al., "Denoising diffusion probabilistic models", 2020.
public struct UNet<Scalar: RealScalar>: Module {
  /// What a U-Net is made of.
  public struct Configuration: Sendable, Hashable {
    public var inputs = 3
    public var outputs = 3
    /// Channels at the highest resolution.
    public var width = 32
    /// Channels at each resolution, in units of `width`; from one to the next the extents are halved.
    public var multipliers = [1, 2, 2]
    public var blocksPerLevel = 1
    /// Parts of the channels that are normalised together.
    public var groups = 8
    /// Spatial axes: 1 to 3.
    public var dimensions = 2
    /// Probability with which the inner numbers of a block are dropped in training.
    public var dropout = 0.0

    public init() {}
  }

  public let configuration: Configuration
  public var time: TimeEmbedding<Scalar>
  public var input: Convolution<Scalar>
  public var down: [UNetLevel<Scalar>]
  public var middle: UNetMiddle<Scalar>
  /// In the order of `down`: the highest resolution first, though it is used last.
  public var up: [UNetLevel<Scalar>]
  public var outputNorm: GroupNorm<Scalar>
  public var output: Convolution<Scalar>

  public init(_ configuration: Configuration = .init(), random: inout RandomStream) {
    let width = configuration.width
    precondition(
      (1...3).contains(configuration.dimensions) && !configuration.multipliers.isEmpty
        && configuration.blocksPerLevel > 0, "a U-Net of \(configuration)")
    self.configuration = configuration
    let build = UNetBuilder<Scalar>(configuration: configuration)
    time = TimeEmbedding(frequencies: width, width: 4 * width, random: &random)
    input = build.convolution(configuration.inputs, width, &random)
    var channels = width
    // Channels of the results that the way up takes over.
    var skips = [width]
    down = []
    for (level, multiplier) in configuration.multipliers.enumerated() {
      let isLast = level == configuration.multipliers.count - 1
      var part = UNetLevel<Scalar>()
      for _ in 0..<configuration.blocksPerLevel {
        part.blocks.append(build.block(channels, multiplier * width, &random))
        channels = multiplier * width
        if isLast { part.attention.append(build.attention(channels, &random)) }
        skips.append(channels)
      }
      if !isLast {
        part.downsample = .init(conv: build.downsampling(channels, &random))
        skips.append(channels)
      }
      down.append(part)
    }
    middle = UNetMiddle(
      before: build.block(channels, channels, &random), attention: build.attention(channels, &random),
      after: build.block(channels, channels, &random))
    up = []
    for (level, multiplier) in configuration.multipliers.enumerated().reversed() {
      let isLast = level == configuration.multipliers.count - 1
      var part = UNetLevel<Scalar>()
      for _ in 0...configuration.blocksPerLevel {
        part.blocks.append(build.block(channels + skips.removeLast(), multiplier * width, &random))
        channels = multiplier * width
        if isLast { part.attention.append(build.attention(channels, &random)) }
      }
      if level > 0 { part.upsample = .init(conv: build.convolution(channels, channels, &random)) }
      up.insert(part, at: 0)
    }
    outputNorm = build.norm(channels)
    output = build.convolution(channels, configuration.outputs, &random)
  }

  /// What the network computes on its way.
  public struct Features: Sendable {
    /// After the last block of each level on the way down, the highest resolution first.
    public var down: [Tensor<Scalar>]
    /// At the lowest resolution.
    public var middle: Tensor<Scalar>
    /// After the last block of each level on the way up, in the order of `down`.
    public var up: [Tensor<Scalar>]
    /// Of the shape of the input, but for its channels.
    public var output: Tensor<Scalar>
  }

  /// - Parameters:
  ///   - x: shape [examples, inputs, extents...]; extents divisible by two for each level after the first.
  ///   - times: shape [examples].
  ///   - condition: what is added to the embedded time, shape [examples, 4 width], such as an embedded class.
  /// - Returns: shape [examples, outputs, extents...].
  public func callAsFunction(
    _ x: Tensor<Scalar>, times: Tensor<Scalar>, condition: Tensor<Scalar>? = nil, in pass: ForwardPass = .inference
  ) -> Tensor<Scalar> {
    features(x, times: times, condition: condition, in: pass).output
  }

  /// The same with the intermediate results.
  public func features(
    _ x: Tensor<Scalar>, times: Tensor<Scalar>, condition: Tensor<Scalar>? = nil, in pass: ForwardPass = .inference
  ) -> Features {
    requireExtents(x, times)
    let embedded = time(times)
    let activatedTime = Activation.silu(condition.map { embedded + $0 } ?? embedded)
    var h = input(x)
    var skips = [h]
    var wayDown: [Tensor<Scalar>] = []
    for level in down {
      for index in level.blocks.indices {
        h = level.apply(index, to: h, activatedTime, in: pass)
        skips.append(h)
      }
      wayDown.append(h)
      if let downsample = level.downsample {
        h = downsample.conv(h)
        skips.append(h)
      }
    }
    h = middle.before(h, activatedTime: activatedTime, in: pass)
    h = middle.after(middle.attention(h), activatedTime: activatedTime, in: pass)
    let lowest = h
    var wayUp: [Tensor<Scalar>] = []
    for level in up.reversed() {
      for index in level.blocks.indices {
        h = level.apply(index, to: Tensor.concatenated([h, skips.removeLast()], axis: 1), activatedTime, in: pass)
      }
      wayUp.insert(h, at: 0)
      if let upsample = level.upsample { h = upsample.conv(h.resampled(scale: 2, by: .nearest)) }
    }
    let result = output(outputNorm(h, then: .silu))
    return Features(down: wayDown, middle: lowest, up: wayUp, output: result)
  }

  private func requireExtents(_ x: Tensor<Scalar>, _ times: Tensor<Scalar>) {
    let factor = 1 << (configuration.multipliers.count - 1)
    precondition(
      x.rank == configuration.dimensions + 2 && x.shape[1] == configuration.inputs
        && x.shape.dropFirst(2).allSatisfy { $0 % factor == 0 && $0 > 0 },
      "a U-Net of \(configuration.inputs) channels in \(configuration.dimensions) dimensions, with extents divisible by "
        + "\(factor), is given shape \(x.shape)")
    precondition(times.shape == [x.shape[0]], "\(x.shape[0]) examples need as many times, not shape \(times.shape)")
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("temb", &time)
    visitor.module("conv_in", &input)
    visitor.modules("down", &down)
    visitor.module("mid", &middle)
    visitor.modules("up", &up)
    visitor.module("norm_out", &outputNorm)
    visitor.module("conv_out", &output)
  }
}

/// The blocks at one resolution on the way down or up.
public struct UNetLevel<Scalar: RealScalar>: Module {
  public var blocks: [UNetBlock<Scalar>] = []
  /// One behind each block, or none.
  public var attention: [SpatialAttention<Scalar>] = []
  public var downsample: Resize?
  public var upsample: Resize?

  /// The convolution with which the resolution changes.
  public struct Resize: Module {
    public var conv: Convolution<Scalar>
    public mutating func visit(_ visitor: Visitor<Scalar>) { visitor.module("conv", &conv) }
  }

  func apply(
    _ index: Int, to x: Tensor<Scalar>, _ activatedTime: Tensor<Scalar>, in pass: ForwardPass
  ) -> Tensor<Scalar> {
    let y = blocks[index](x, activatedTime: activatedTime, in: pass)
    return attention.isEmpty ? y : attention[index](y)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.modules("block", &blocks)
    visitor.modules("attn", &attention)
    visitor.module("downsample", &downsample)
    visitor.module("upsample", &upsample)
  }
}

/// What stands between the way down and the way up.
public struct UNetMiddle<Scalar: RealScalar>: Module {
  public var before: UNetBlock<Scalar>
  public var attention: SpatialAttention<Scalar>
  public var after: UNetBlock<Scalar>

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("block_1", &before)
    visitor.module("attn_1", &attention)
    visitor.module("block_2", &after)
  }
}

/// The parts of a U-Net, as its configuration wants them.
private struct UNetBuilder<Scalar: RealScalar> {
  let configuration: UNet<Scalar>.Configuration

  func norm(_ channels: Int) -> GroupNorm<Scalar> { unetNorm(groups: configuration.groups, channels) }

  func convolution(_ inputs: Int, _ outputs: Int, _ random: inout RandomStream) -> Convolution<Scalar> {
    let kernel = [Int](repeating: 3, count: configuration.dimensions)
    return Convolution(inputs, outputs, kernel: kernel, .init(padding: 1), random: &random)
  }

  /// To half the extents, with the one zero it needs behind.
  func downsampling(_ channels: Int, _ random: inout RandomStream) -> Convolution<Scalar> {
    var options = ConvolutionOptions(stride: 2)
    options.paddingBehind = [1]
    let kernel = [Int](repeating: 3, count: configuration.dimensions)
    return Convolution(channels, channels, kernel: kernel, options, random: &random)
  }

  func block(_ inputs: Int, _ outputs: Int, _ random: inout RandomStream) -> UNetBlock<Scalar> {
    UNetBlock(
      inputs, outputs, timeWidth: 4 * configuration.width, dimensions: configuration.dimensions,
      groups: configuration.groups, dropout: configuration.dropout, random: &random)
  }

  func attention(_ channels: Int, _ random: inout RandomStream) -> SpatialAttention<Scalar> {
    SpatialAttention(channels, groups: configuration.groups, dimensions: configuration.dimensions, random: &random)
  }
}

/// DDPM's normalisation.
func unetNorm<Scalar: RealScalar>(groups: Int, _ channels: Int) -> GroupNorm<Scalar> {
  var norm = GroupNorm<Scalar>(groups: groups, channels: channels)
  norm.epsilon = 1e-6
  return norm
}
