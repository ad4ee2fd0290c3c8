public import Convolutions
public import Tensors

/// The largest number in each window.
public struct MaximumPooling<Scalar: RealScalar>: Layer {
  /// One number for all spatial axes, or one for each.
  public var window: [Int]
  /// Places from one window to the next.
  public var stride: [Int]
  public var padding: [Int]

  /// - Parameter stride: the window's extents when nil.
  public init(_ window: some PerAxis = 2, stride: (any PerAxis)? = nil, padding: some PerAxis = 0) {
    self.window = window.perAxis
    self.stride = stride?.perAxis ?? window.perAxis
    self.padding = padding.perAxis
  }

  /// - Parameter x: shape [examples, channels, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    x.maximumPooled(window: window, stride: stride, padding: padding)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}

/// The mean over each window.
public struct AveragePooling<Scalar: RealScalar>: Layer {
  /// One number for all spatial axes, or one for each.
  public var window: [Int]
  /// Places from one window to the next.
  public var stride: [Int]
  /// Zeros around the input, which count as places of their windows.
  public var padding: [Int]

  /// - Parameter stride: the window's extents when nil.
  public init(_ window: some PerAxis = 2, stride: (any PerAxis)? = nil, padding: some PerAxis = 0) {
    self.window = window.perAxis
    self.stride = stride?.perAxis ?? window.perAxis
    self.padding = padding.perAxis
  }

  /// - Parameter x: shape [examples, channels, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    x.averagePooled(window: window, stride: stride, padding: padding)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}

/// Means over windows that cover the input, whatever its extents.
public struct AdaptiveAveragePooling<Scalar: RealScalar>: Layer {
  public var extents: [Int]

  /// - Parameter extents: of the result, one number for all spatial axes or one for each.
  public init(_ extents: some PerAxis = 1) { self.extents = extents.perAxis }

  /// - Parameter x: shape [examples, channels, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    if extents.allSatisfy({ $0 == 1 }) { return x.mean(axes: Array(2..<x.rank), keepingAxes: true) }
    return x.adaptiveAveragePooled(to: extents)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}

/// Interpolation to `scale` times the extents: upsampling above one, downsampling below.
public struct Resampling<Scalar: RealScalar>: Layer {
  public var scale: Double
  public var interpolation: Interpolation

  public init(scale: Double, by interpolation: Interpolation = .nearest) {
    self.scale = scale
    self.interpolation = interpolation
  }

  /// - Parameter x: shape [examples, channels, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    x.resampled(scale: scale, by: interpolation)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {}
}
