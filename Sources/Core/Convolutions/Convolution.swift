// Convolutions and their transposes over one, two or three spatial axes.
//
// A convolution is linear in its input and in its filters, so that its derivatives are two products of the same kind:
// of the output's cotangent with the filters, and with the input. Each of the three has the other two as derivatives
// (`ConvolutionShape`), which gives derivatives of any order.

public import Tensors

extension Tensor where Scalar: RealScalar {
  /// This batch of images under `filters`: y[n, o] = bias[o] + the sum over c of the correlation of x[n, c] with
  /// filters[o, c]. As in every network library, the filters are not turned round.
  ///
  /// - Parameters:
  ///   - filters: shape [outputs, channels / groups, kernel...].
  ///   - bias: shape [outputs].
  /// - Returns: shape [batch, outputs, (extent + padding - dilation (kernel - 1) - 1) / stride + 1 ...], for an input of
  ///   shape [batch, channels, extent...] with 1, 2 or 3 spatial axes.
  public func convolved(with filters: Tensor, bias: Tensor? = nil, _ options: ConvolutionOptions) -> Tensor {
    let shape = ConvolutionShape(input: self.shape, filters: filters.shape, options)
    shape.requireBias(bias?.shape, count: shape.outputChannels)
    return shape.output(of: self, filters, bias: bias)
  }

  /// The transpose of a convolution: spreads each number of this batch over the filters' window, for upsampling.
  ///
  /// - Parameters:
  ///   - filters: shape [channels, outputs / groups, kernel...], those of the convolution that this one transposes.
  ///   - bias: shape [outputs].
  ///   - outputPadding: places added behind the result's axes, less than the stride or the dilation: the convolution
  ///     has the same output for several extents of its input.
  /// - Returns: shape [batch, outputs, (extent - 1) stride - padding + dilation (kernel - 1) + 1 + outputPadding ...].
  public func transposeConvolved(
    with filters: Tensor, bias: Tensor? = nil, _ options: ConvolutionOptions, outputPadding: some PerAxis = 0
  ) -> Tensor {
    let shape = ConvolutionShape(
      output: self.shape, filters: filters.shape, options, outputPadding: outputPadding.perAxis)
    shape.requireBias(bias?.shape, count: shape.inputChannels)
    let result = shape.inputGradient(of: self, filters)
    guard let bias else { return result }
    return result + bias.reshaped([1, bias.count] + shape.windows.input.map { _ in 1 })
  }
}

/// The filters' gradient of a convolution for each example apart: shape [batch, outputs, channels / groups, kernel...].
///
/// Its sum over the batch is the gradient that training uses. Differentiable to any order.
///
/// - Parameters:
///   - x: the convolution's input, shape [batch, channels, extent...].
///   - cotangent: how the final value changes with the convolution's output, of the output's shape.
///   - kernel: the spatial extents of the filters.
public func convolutionFilterGradients<Scalar: RealScalar>(
  perExample x: Tensor<Scalar>, cotangent: Tensor<Scalar>, kernel: some PerAxis, _ options: ConvolutionOptions
) -> Tensor<Scalar> {
  let extents = spatialExtents(x.shape, "per-example filter gradients")
  let kernel = spread(kernel.perAxis, extents.count, "kernel")
  precondition(
    cotangent.rank == x.rank && options.groups >= 1 && x.shape[1] % options.groups == 0,
    "per-example filter gradients: a cotangent of shape \(cotangent.shape) and \(options.groups) groups for an input of "
      + "shape \(x.shape)")
  let channels = x.shape[1] / options.groups
  let outputs = cotangent.shape[1]
  let wanted = ConvolutionShape(input: x.shape, filters: [outputs, channels] + kernel, options)
  precondition(
    cotangent.shape == wanted.outputShape,
    "per-example filter gradients: an input of shape \(x.shape) has an output of shape \(wanted.outputShape), but the "
      + "cotangent has shape \(cotangent.shape)")
  return wanted.filterGradients(perExample: x, cotangent)
}
