public import Tensors

/// Two convolutions and three linear layers for small grey images, by default of 28 x 28 places.
///
/// LeNet-5 as it is trained today: padding at the first convolution, maxima for pooling, rectified units.
///
/// Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998.
public struct LeNet<Scalar: RealScalar>: Layer {
  public var conv1: Convolution<Scalar>
  public var conv2: Convolution<Scalar>
  public var fc1: Linear<Scalar>
  public var fc2: Linear<Scalar>
  public var fc3: Linear<Scalar>

  /// - Parameter extent: the height and width of the images, at least 12.
  public init(channels: Int = 1, extent: Int = 28, classes: Int = 10, random: inout RandomStream) {
    precondition(extent >= 12, "images of \(extent) x \(extent) places are too small for two 5 x 5 convolutions")
    let side = (extent / 2 - 4) / 2
    conv1 = Convolution(channels, 6, kernel: [5, 5], .init(padding: 2), random: &random)
    conv2 = Convolution(6, 16, kernel: [5, 5], random: &random)
    fc1 = Linear(16 * side * side, 120, random: &random)
    fc2 = Linear(120, 84, random: &random)
    fc3 = Linear(84, classes, random: &random)
  }

  /// - Parameter x: shape [examples, channels, extent, extent].
  /// - Returns: shape [examples, classes].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    fc3(features(x))
  }

  /// The last hidden layer, shape [examples, 84].
  public func features(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    // Rectifying the maxima is rectifying before pooling, on a quarter of the numbers.
    let first = conv1(x).maximumPooled(window: 2).relu()
    let second = conv2(first).maximumPooled(window: 2).relu()
    let flat = second.reshaped([x.shape[0], -1])
    return fc2(fc1(flat).relu()).relu()
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("conv1", &conv1)
    visitor.module("conv2", &conv2)
    visitor.module("fc1", &fc1)
    visitor.module("fc2", &fc2)
    visitor.module("fc3", &fc3)
  }
}
