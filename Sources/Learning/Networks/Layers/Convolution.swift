public import Convolutions
public import Tensors

/// Filters that slide over one, two or three spatial axes.
///
/// ```swift
/// let layer = Convolution<Float>(3, 16, kernel: [3, 3], ConvolutionOptions(padding: 1), random: &random)
/// let y = layer(x)  // [batch, 3, height, width] to [batch, 16, height, width]
/// ```
public struct Convolution<Scalar: RealScalar>: Layer {
  /// Shape [outputs, inputs / groups, kernel...].
  public var weight: Tensor<Scalar>
  /// Shape [outputs].
  public var bias: Tensor<Scalar>?
  public let options: ConvolutionOptions

  public init(weight: Tensor<Scalar>, bias: Tensor<Scalar>? = nil, _ options: ConvolutionOptions = .init()) {
    requireFilters(weight, bias, outputs: weight.shape.first ?? 0)
    self.weight = weight
    self.bias = bias
    self.options = options
  }

  /// - Parameter kernel: the filters' extent along each spatial axis; its length decides how many there are.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: [Int], _ options: ConvolutionOptions = .init(), hasBias: Bool = true,
    initializer: Initializer = .fanInUniform, random: inout RandomStream
  ) {
    requireGroups(options.groups, inputs, outputs)
    let shape = [outputs, inputs / options.groups] + kernel
    weight = initializer(shape, from: &random)
    bias = hasBias ? Initializer.uniform(bound: fanInBound(shape))([outputs], from: &random) : nil
    self.options = options
  }

  /// - Parameter x: shape [examples, inputs, extents...].
  /// - Returns: shape [examples, outputs, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    x.convolved(with: weight, bias: bias, options)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
  }
}

/// The transpose of a convolution: each place of the input spreads over the filters' window. Used for upsampling.
public struct TransposedConvolution<Scalar: RealScalar>: Layer {
  /// Shape [inputs, outputs / groups, kernel...].
  public var weight: Tensor<Scalar>
  /// Shape [outputs].
  public var bias: Tensor<Scalar>?
  public let options: ConvolutionOptions
  /// Places that the result has beyond the least extent that fits, along each axis.
  public let outputPadding: [Int]

  public init(
    weight: Tensor<Scalar>, bias: Tensor<Scalar>? = nil, _ options: ConvolutionOptions = .init(),
    outputPadding: [Int] = [0]
  ) {
    requireFilters(weight, bias, outputs: weight.rank > 1 ? weight.shape[1] * options.groups : 0)
    self.weight = weight
    self.bias = bias
    self.options = options
    self.outputPadding = outputPadding
  }

  /// - Parameter kernel: the filters' extent along each spatial axis; its length decides how many there are.
  public init(
    _ inputs: Int, _ outputs: Int, kernel: [Int], _ options: ConvolutionOptions = .init(),
    outputPadding: [Int] = [0], hasBias: Bool = true, initializer: Initializer = .fanInUniform,
    random: inout RandomStream
  ) {
    requireGroups(options.groups, inputs, outputs)
    let shape = [inputs, outputs / options.groups] + kernel
    weight = initializer(shape, from: &random)
    bias = hasBias ? Initializer.uniform(bound: fanInBound(shape))([outputs], from: &random) : nil
    self.options = options
    self.outputPadding = outputPadding
  }

  /// - Parameter x: shape [examples, inputs, extents...].
  /// - Returns: shape [examples, outputs, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    x.transposeConvolved(with: weight, bias: bias, options, outputPadding: outputPadding)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.parameter("weight", &weight)
    visitor.parameter("bias", &bias)
  }
}

private func requireFilters<Scalar: RealScalar>(_ weight: Tensor<Scalar>, _ bias: Tensor<Scalar>?, outputs: Int) {
  precondition(
    (3...5).contains(weight.rank),
    "filters have two axes of channels and one to three of space, but their shape is \(weight.shape)")
  precondition(
    bias.map { $0.shape == [outputs] } ?? true,
    "bias of shape \(bias?.shape ?? []) for filters of shape \(weight.shape)")
}

private func requireGroups(_ groups: Int, _ inputs: Int, _ outputs: Int) {
  precondition(
    groups > 0 && inputs % groups == 0 && outputs % groups == 0,
    "\(inputs) inputs and \(outputs) outputs do not split into \(groups) groups")
}

/// 1 / √fan-in, within which PyTorch starts a bias.
private func fanInBound(_ shape: [Int]) -> Double { 1 / Double(max(1, shape.dropFirst().reduce(1, *))).squareRoot() }
