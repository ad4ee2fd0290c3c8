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
    #if canImport(COneDNN)
      if let x = x as? Tensor<Float>, let w = w as? Tensor<Float>,
        let library = OneDNNConvolution(.output, shape, hasBias: bias != nil),
        let result = library.output(x, w, bias: bias as? Tensor<Float>) as? Tensor<Scalar>
      {
        return result
      }
    #endif
    return UnfoldedConvolution(shape).output(x, w, bias: bias)
  }

  func inputGradient<Scalar: RealScalar>(_ g: Tensor<Scalar>, _ w: Tensor<Scalar>) -> Tensor<Scalar> {
    if shape.isEmpty { return .zeros(shape.inputShape) }
    #if canImport(COneDNN)
      if let g = g as? Tensor<Float>, let w = w as? Tensor<Float>,
        let library = OneDNNConvolution(.inputGradient, shape),
        let result = library.inputGradient(g, w) as? Tensor<Scalar>
      {
        return result
      }
    #endif
    return UnfoldedConvolution(shape).inputGradient(g, w)
  }

  func filterGradient<Scalar: RealScalar>(_ x: Tensor<Scalar>, _ g: Tensor<Scalar>) -> Tensor<Scalar> {
    if shape.isEmpty { return .zeros(shape.filterShape) }
    #if canImport(COneDNN)
      if let x = x as? Tensor<Float>, let g = g as? Tensor<Float>,
        let library = OneDNNConvolution(.filterGradient, shape),
        let result = library.filterGradient(x, g) as? Tensor<Scalar>
      {
        return result
      }
    #endif
    return UnfoldedConvolution(shape).filterGradient(x, g)
  }
}
