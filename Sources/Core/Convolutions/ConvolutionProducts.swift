// The three products on plain numbers, by the fastest way there is for them.

import Tensors

struct ConvolutionProducts {
  let shape: ConvolutionShape

  init(_ shape: ConvolutionShape) { self.shape = shape }

  func output<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ w: Tensor<Scalar>, bias: Tensor<Scalar>?
  ) -> Tensor<Scalar> {
    if shape.isEmpty {
      let bias = bias ?? .zeros([shape.outputChannels])
      return bias.reshaped([1, bias.count] + shape.windows.output.map { _ in 1 }).broadcast(to: shape.outputShape)
    }
    return UnfoldedConvolution(shape).output(x, w, bias: bias)
  }

  func inputGradient<Scalar: RealScalar>(_ g: Tensor<Scalar>, _ w: Tensor<Scalar>) -> Tensor<Scalar> {
    if shape.isEmpty { return .zeros(shape.inputShape) }
    return UnfoldedConvolution(shape).inputGradient(g, w)
  }

  func filterGradient<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
    if shape.isEmpty { return .zeros(shape.filterShape) }
    return UnfoldedConvolution(shape).filterGradient(x, g)
  }
}
