// The shape of a convolution, and the three products that are each other's derivatives.

import Tensors

/// Everything about a convolution but its numbers.
struct ConvolutionShape: Hashable, Sendable {
  let batch, groups, inputChannels, outputChannels: Int
  let windows: Windows
  let isExact: Bool

  var inputShape: [Int] { [batch, inputChannels] + windows.input }
  var outputShape: [Int] { [batch, outputChannels] + windows.output }
  var filterShape: [Int] { [outputChannels, inputChannels / groups] + windows.window }
  /// Terms in the sum of one output.
  var terms: Int { inputChannels / groups * windows.taps }
  /// Whether there is nothing to multiply.
  var isEmpty: Bool { batch == 0 || inputChannels == 0 || outputChannels == 0 }

  /// The convolution of an input with filters; traps, naming both shapes, when they do not fit.
  init(input: [Int], filters: [Int], _ options: ConvolutionOptions) {
    let extents = spatialExtents(input, "convolution")
    let groups = options.groups
    precondition(
      filters.count == input.count && groups >= 1 && filters[1] * groups == input[1] && filters[0] % groups == 0,
      "convolution: filters of shape \(filters) in \(groups) groups do not fit an input of shape \(input)")
    self.init(
      batch: input[0], groups: groups, inputChannels: input[1], outputChannels: filters[0],
      windows: Windows(
        over: extents, window: Array(filters[2...]), stride: options.stride, padding: options.padding,
        paddingBehind: options.paddingBehind, dilation: options.dilation, name: "convolution"),
      isExact: options.isExact)
  }

  /// The convolution whose transpose takes an input of shape `output`.
  init(output: [Int], filters: [Int], _ options: ConvolutionOptions, outputPadding: [Int]) {
    let extents = spatialExtents(output, "transposed convolution")
    let groups = options.groups
    precondition(
      filters.count == output.count && groups >= 1 && filters[0] == output[1] && filters[0] % groups == 0,
      "transposed convolution: filters of shape \(filters) in \(groups) groups do not fit an input of shape \(output)")
    let axes = extents.count
    let stride = spread(options.stride, axes, "stride")
    let padding = spread(options.padding, axes, "padding")
    let behind = options.paddingBehind.map { spread($0, axes, "padding") } ?? padding
    let dilation = spread(options.dilation, axes, "dilation")
    let extra = spread(outputPadding, axes, "output padding")
    let kernel = Array(filters[2...])
    var input: [Int] = []
    for axis in 0..<axes {
      precondition(
        kernel[axis] >= 1 && stride[axis] >= 1 && dilation[axis] >= 1 && padding[axis] >= 0 && behind[axis] >= 0
          && 0 <= extra[axis] && extra[axis] < max(stride[axis], dilation[axis]),
        "transposed convolution: kernel \(kernel), stride \(stride) and dilation \(dilation) are at least 1, padding "
          + "\(padding) at least 0, and output padding \(extra) less than the stride or the dilation")
      let span = dilation[axis] * (kernel[axis] - 1) + 1
      let extent = (extents[axis] - 1) * stride[axis] - padding[axis] - behind[axis] + span + extra[axis]
      precondition(
        extents[axis] > 0 && extent > 0,
        "transposed convolution: filters of shape \(filters) with padding \(padding) leave nothing of an input of "
          + "shape \(output)")
      input.append(extent)
    }
    self.init(
      batch: output[0], groups: groups, inputChannels: filters[1] * groups, outputChannels: filters[0],
      windows: Windows(
        input: input, output: extents, window: kernel, stride: stride, padding: padding, dilation: dilation),
      isExact: options.isExact)
  }

  init(batch: Int, groups: Int, inputChannels: Int, outputChannels: Int, windows: Windows, isExact: Bool) {
    self.batch = batch
    self.groups = groups
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.windows = windows
    self.isExact = isExact
  }

  func requireBias(_ bias: [Int]?, count: Int) {
    guard let bias else { return }
    precondition(bias == [count], "convolution: a bias of shape \(bias) for filters with \(count) outputs")
  }
}

// MARK: The products

extension ConvolutionShape {
  /// The convolution itself: linear in `x` and in `w`.
  func output<Scalar: RealScalar>(
    of x: Tensor<Scalar>, _ w: Tensor<Scalar>, bias: Tensor<Scalar>?
  ) -> Tensor<Scalar> {
    let arguments = [x, w] + (bias.map { [$0] } ?? [])
    return customDerivatives(
      at: arguments,
      perExample: { arguments in
        let (x, w) = (arguments[0], arguments[1])
        let bias = arguments.count > 2 ? arguments[2] : nil
        let isTraced = arguments.contains { $0.isDifferentiated }
        let value = isTraced ? output(of: x, w, bias: bias) : ConvolutionProducts(self).output(x, w, bias: bias)
        return (
          values: [value],
          pullback: { cotangents, wanted in
            guard let g = cotangents[0] else { return arguments.map { _ in nil } }
            let shares = [wanted[0] ? inputGradient(of: g, w) : nil, wanted[1] ? filterGradient(of: x, g) : nil]
            return bias == nil ? shares : shares + [wanted[2] ? g.sum(axes: [0] + Array(2..<g.rank)) : nil]
          },
          perExamplePullback: { cotangents, isParameter in
            requireExamples(!isParameter[0])
            guard let g = cotangents[0] else { return arguments.map { _ in nil } }
            let shares = [nil, isParameter[1] ? filterGradients(perExample: x, g) : nil]
            return bias == nil ? shares : shares + [isParameter[2] ? g.sum(axes: Array(2..<g.rank)) : nil]
          }
        )
      })[0]
  }

  /// What a change `g` of the output is to the input: linear in `g` and in `w`; the transposed convolution.
  func inputGradient<Scalar: RealScalar>(of g: Tensor<Scalar>, _ w: Tensor<Scalar>) -> Tensor<Scalar> {
    customDerivatives(
      at: [g, w],
      perExample: { arguments in
        let (g, w) = (arguments[0], arguments[1])
        let isTraced = g.isDifferentiated || w.isDifferentiated
        return (
          values: [isTraced ? inputGradient(of: g, w) : ConvolutionProducts(self).inputGradient(g, w)],
          pullback: { cotangents, wanted in
            guard let c = cotangents[0] else { return [nil, nil] }
            return [wanted[0] ? output(of: c, w, bias: nil) : nil, wanted[1] ? filterGradient(of: c, g) : nil]
          },
          perExamplePullback: { cotangents, isParameter in
            requireExamples(!isParameter[0])
            return [nil, cotangents[0].map { filterGradients(perExample: $0, g) }]
          }
        )
      })[0]
  }

  /// What a change `g` of the output is to the filters: linear in `x` and in `g`.
  func filterGradient<Scalar: RealScalar>(of x: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
    customDerivatives(at: [x, g]) { arguments in
      let (x, g) = (arguments[0], arguments[1])
      let isTraced = x.isDifferentiated || g.isDifferentiated
      return (
        values: [isTraced ? filterGradient(of: x, g) : ConvolutionProducts(self).filterGradient(x, g)],
        pullback: { cotangents, wanted in
          guard let c = cotangents[0] else { return [nil, nil] }
          return [wanted[0] ? inputGradient(of: g, c) : nil, wanted[1] ? output(of: x, c, bias: nil) : nil]
        }
      )
    }[0]
  }

  /// The filters' gradient of each example: examples whose filters are not shared are groups of the channels of one
  /// image.
  func filterGradients<Scalar: RealScalar>(perExample x: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
    guard batch > 0 else { return .zeros([batch] + filterShape) }
    let apart = ConvolutionShape(
      batch: 1, groups: batch * groups, inputChannels: batch * inputChannels, outputChannels: batch * outputChannels,
      windows: windows, isExact: isExact)
    let gradients = apart.filterGradient(of: x.reshaped(apart.inputShape), g.reshaped(apart.outputShape))
    return gradients.reshaped([batch] + filterShape)
  }

  private func requireExamples(_ holds: Bool) {
    precondition(holds, "per-example gradients: a convolution's input is data of the examples, not a parameter")
  }
}
