// Residual networks for small images.

import Convolutions
public import Tensors

/// How a residual block passes its input on where the extents or the channels change.
public enum ResidualShortcut: Sendable, Hashable {
  /// Every other place, with channels of zeros behind the others: no parameters. Option A of the source.
  case padding
  /// A 1 x 1 convolution and a normalisation. Option B.
  case projection
}

/// A residual network of depth 6 n + 2 for small images, such as 32 x 32 colours: a convolution, three stages of n blocks
/// at 1, 1/2 and 1/4 of the extents, the mean over places, and a linear layer.
///
/// Names are torchvision's: `conv1`, `bn1`, `layer1.0.conv1`, ..., `layer2.0.downsample.0`, `fc`.
///
/// Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2.
public struct ResNet<Scalar: RealScalar>: Layer {
  public var stem: Convolution<Scalar>
  public var stemNorm: BatchNorm<Scalar>
  public var stages: [[ResidualBlock<Scalar>]]
  public var head: Linear<Scalar>

  /// - Parameters:
  ///   - depth: 8, 14, 20, 32, ...
  ///   - widths: the channels of the three stages.
  public init(
    depth: Int, channels: Int = 3, classes: Int = 10, widths: [Int] = [16, 32, 64],
    shortcut: ResidualShortcut = .padding, random: inout RandomStream
  ) {
    precondition(depth >= 8 && (depth - 2) % 6 == 0, "a depth of \(depth) is not 6 n + 2")
    precondition(widths.count == 3, "widths \(widths) of three stages")
    stem = Convolution(
      channels, widths[0], kernel: [3, 3], .init(padding: 1), hasBias: false, initializer: .kaimingNormal,
      random: &random)
    stemNorm = BatchNorm(widths[0])
    var stages: [[ResidualBlock<Scalar>]] = []
    var inputs = widths[0]
    for (stage, width) in widths.enumerated() {
      var blocks: [ResidualBlock<Scalar>] = []
      for block in 0..<(depth - 2) / 6 {
        let stride = stage > 0 && block == 0 ? 2 : 1
        blocks.append(ResidualBlock(inputs, width, stride: stride, shortcut: shortcut, random: &random))
        inputs = width
      }
      stages.append(blocks)
    }
    self.stages = stages
    head = Linear(widths[2], classes, random: &random)
  }

  /// - Parameter x: shape [examples, channels, height, width].
  /// - Returns: shape [examples, classes].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    head(features(x, in: pass).pooled)
  }

  /// What the network computes on its way.
  public struct Features: Sendable {
    /// The result of each stage, shape [examples, width, height, width].
    public var stages: [Tensor<Scalar>]
    /// The mean of the last over its places, shape [examples, width].
    public var pooled: Tensor<Scalar>
  }

  public func features(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Features {
    var x = stemNorm(stem(x), in: pass, adding: nil, then: .relu)
    let results = stages.map { blocks in
      x = blocks.reduce(x) { $1($0, in: pass) }
      return x
    }
    return Features(stages: results, pooled: x.mean(axes: [2, 3]))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("conv1", &stem)
    visitor.module("bn1", &stemNorm)
    for i in stages.indices { visitor.modules("layer\(i + 1)", &stages[i]) }
    visitor.module("fc", &head)
  }
}

/// relu(x + F(x)), F being two 3 x 3 convolutions, each normalised over the batch.
public struct ResidualBlock<Scalar: RealScalar>: Layer {
  public var conv1: Convolution<Scalar>
  public var norm1: BatchNorm<Scalar>
  public var conv2: Convolution<Scalar>
  public var norm2: BatchNorm<Scalar>
  public var projection: Projection?
  private let stride: Int

  /// The shortcut with parameters.
  public struct Projection: Module {
    public var conv: Convolution<Scalar>
    public var norm: BatchNorm<Scalar>

    public mutating func visit(_ visitor: Visitor<Scalar>) {
      visitor.module("0", &conv)
      visitor.module("1", &norm)
    }
  }

  public init(
    _ inputs: Int, _ outputs: Int, stride: Int = 1, shortcut: ResidualShortcut = .padding, random: inout RandomStream
  ) {
    func filters(_ inputs: Int, kernel: Int, stride: Int, _ random: inout RandomStream) -> Convolution<Scalar> {
      Convolution(
        inputs, outputs, kernel: [kernel, kernel], .init(stride: stride, padding: kernel / 2), hasBias: false,
        initializer: .kaimingNormal, random: &random)
    }
    precondition(
      shortcut == .projection || inputs <= outputs, "a shortcut of \(inputs) channels cannot be padded to \(outputs)")
    self.stride = stride
    conv1 = filters(inputs, kernel: 3, stride: stride, &random)
    norm1 = BatchNorm(outputs)
    conv2 = filters(outputs, kernel: 3, stride: 1, &random)
    norm2 = BatchNorm(outputs)
    if shortcut == .projection && (stride != 1 || inputs != outputs) {
      projection = Projection(conv: filters(inputs, kernel: 1, stride: stride, &random), norm: BatchNorm(outputs))
    }
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    let inner = norm1(conv1(x), in: pass, adding: nil, then: .relu)
    return norm2(conv2(inner), in: pass, adding: shortcut(x, in: pass), then: .relu)
  }

  private func shortcut(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    if let projection { return projection.norm(projection.conv(x), in: pass) }
    let outputs = conv1.weight.shape[0]
    if stride == 1 && outputs == x.shape[1] { return x }
    let thinned = x.averagePooled(window: 1, stride: stride)
    var padding = thinned.shape
    padding[1] = outputs - x.shape[1]
    return Tensor.concatenated([thinned, .zeros(padding)], axis: 1)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("conv1", &conv1)
    visitor.module("bn1", &norm1)
    visitor.module("conv2", &conv2)
    visitor.module("bn2", &norm2)
    visitor.module("downsample", &projection)
  }
}
