import Convolutions
import Tensors
import TestSupport
import Testing

/// Sizes that take the ways of single precision apart: channels last, blocks of channels, Winograd's method, batches
/// that do not divide evenly, groups and single channels.
@Suite struct SinglePrecisionTests {
  private struct Size: Sendable {
    let input, filters: [Int]
    var options = ConvolutionOptions(padding: 1)
  }

  private static let sizes = [
    Size(input: [33, 16, 9, 8], filters: [16, 16, 3, 3]),
    Size(input: [19, 32, 12, 11], filters: [48, 32, 3, 3]),
    Size(input: [65, 64, 8, 8], filters: [64, 64, 3, 3]),
    Size(input: [5, 32, 8, 8], filters: [64, 32, 3, 3], options: ConvolutionOptions(stride: 2, padding: 1)),
    Size(input: [34, 3, 16, 16], filters: [24, 3, 5, 5], options: ConvolutionOptions(padding: 2)),
    Size(input: [4, 32, 10, 10], filters: [32, 1, 3, 3], options: ConvolutionOptions(padding: 1, groups: 32)),
    Size(input: [4, 32, 10, 10], filters: [64, 16, 3, 3], options: ConvolutionOptions(dilation: 2, groups: 2)),
    Size(input: [18, 24, 50], filters: [40, 24, 4], options: ConvolutionOptions(stride: 3, padding: 1)),
    Size(input: [3, 16, 6, 7, 8], filters: [16, 16, 3, 3, 3]),
    Size(input: [70, 16, 8, 8], filters: [32, 16, 1, 1], options: ConvolutionOptions(stride: 2)),
  ]

  private func products<Scalar: RealScalar>(
    _ x: Tensor<Scalar>, _ w: Tensor<Scalar>, _ b: Tensor<Scalar>, _ g: Tensor<Scalar>, _ options: ConvolutionOptions
  ) -> [Tensor<Scalar>] {
    let (value, gradients) = vectorJacobianProduct(at: [x, w, b]) {
      $0[0].convolved(with: $0[1], bias: $0[2], options)
    } direction: { _ in
      g
    }
    let kernel = Array(w.shape[2...])
    return [value] + gradients
      + [convolutionFilterGradients(perExample: x, cotangent: g, kernel: kernel, options)]
  }

  @Test(arguments: 0..<10) func singlePrecisionAgreesWithDouble(index: Int) {
    var generator = TestGenerator(seed: UInt64(index))
    let size = Self.sizes[index]
    let x: Tensor<Float> = generator.tensor(size.input)
    let w: Tensor<Float> = generator.tensor(size.filters)
    let b: Tensor<Float> = generator.tensor([size.filters[0]])
    var options = size.options
    let shape = x.convolved(with: w, options).shape
    let g: Tensor<Float> = generator.tensor(shape)
    let wanted = products(Tensor<Double>(x), Tensor<Double>(w), Tensor<Double>(b), Tensor<Double>(g), options)
    for isExact in [true, false] {
      options.isExact = isExact
      let found = products(x, w, b, g, options)
      for (i, (value, wanted)) in zip(found, wanted).enumerated() {
        let error = distance(Tensor<Double>(value), wanted) / wanted.largestMagnitude
        #expect(error < (isExact ? 3e-6 : 3e-5), "product \(i) of \(size), exact: \(isExact)")
      }
      // The same bits again, whatever else goes on.
      #expect(products(x, w, b, g, options) == found, "\(size)")
    }
  }

  @Test func resultsDoNotDependOnThreads() {
    var generator = TestGenerator(seed: 77)
    let x: Tensor<Float> = generator.tensor([21, 16, 10, 10])
    let w: Tensor<Float> = generator.tensor([32, 16, 3, 3])
    let b: Tensor<Float> = generator.tensor([32])
    let g: Tensor<Float> = generator.tensor([21, 32, 10, 10])
    let options = ConvolutionOptions(padding: 1)
    let found = products(x, w, b, g, options)
    // Inside a task of the pool everything runs on one thread.
    var alone: [[Tensor<Float>]] = [[], []]
    alone.withUnsafeMutableBufferPointer { results in
      let results = Results(pointer: results.baseAddress!)
      parallelTasks(2) { results.pointer[$0] = products(x, w, b, g, options) }
    }
    #expect(alone[0] == found)
    #expect(alone[1] == found)
  }

  private struct Results: @unchecked Sendable { let pointer: UnsafeMutablePointer<[Tensor<Float>]> }
}

@Suite struct ExampleGradientTests {
  /// Against the gradients of batches of one.
  @Test(arguments: 0..<6 as Range<UInt64>)
  func gradientsOfTheExamplesAreThoseOfBatchesOfOne(seed: UInt64) {
    var generator = TestGenerator(seed: 700 + seed)
    let problem = RandomConvolution(axes: Int(seed % 3) + 1, using: &generator)
    let x: Tensor<Double> = generator.tensor(problem.inputShape)
    let w: Tensor<Double> = generator.tensor(problem.filterShape)
    let b: Tensor<Double> = generator.tensor([problem.outputs])
    let back: Tensor<Double> = generator.tensor(problem.filterShape)
    let c: Tensor<Double> = generator.tensor([problem.inputs])
    func losses(_ x: Tensor<Double>, _ p: [Tensor<Double>]) -> Tensor<Double> {
      let hidden = x.convolved(with: p[0], bias: p[1], problem.options).sin()
      let y = hidden.transposeConvolved(with: p[2], bias: p[3], problem.options, outputPadding: problem.rest)
      return y.squared().sum(axes: Array(1..<y.rank))
    }
    let parameters = [w, b, back, c]
    let (values, gradients) = perExampleGradients(at: parameters, examples: problem.batch) { losses(x, $0) }
    for example in 0..<problem.batch {
      let (value, alone) = valueAndGradients(at: parameters) { losses(x[example..<example + 1], $0).sum() }
      #expect(abs(value.scalar - values.scalars[example]) < 1e-9, "seed \(seed)")
      for (together, alone) in zip(gradients, alone) {
        #expect(distance(together[example], alone) < 1e-9 * (1 + alone.largestMagnitude), "\(problem)")
      }
    }
  }
}
