import Convolutions
import Tensors
import TestSupport
import Testing

@Suite struct ConvolutionLaws {
  @Test(arguments: 0..<24 as Range<UInt64>)
  func productsEqualTheirSums(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let problem = RandomConvolution(axes: Int(seed % 3) + 1, using: &generator)
    checkProducts(of: problem, Double.self, within: 1e-12, &generator)
    checkProducts(of: problem, Float.self, within: 1e-5, &generator)
  }

  /// The value, and both gradients, against the sums written out.
  private func checkProducts<Scalar: RealScalar>(
    of problem: RandomConvolution, _: Scalar.Type, within tolerance: Double, _ generator: inout TestGenerator
  ) {
    let x: Tensor<Scalar> = generator.tensor(problem.inputShape)
    let w: Tensor<Scalar> = generator.tensor(problem.filterShape)
    let b: Tensor<Scalar> = generator.tensor([problem.outputs])
    let g: Tensor<Scalar> = generator.tensor(problem.outputShape)
    let (xs, ws, gs) = (x.scalars, w.scalars, g.scalars)
    let places = problem.output.reduce(1, *)
    var y = (0..<g.count).map { Double(b.scalars[$0 / places % problem.outputs]) }
    var towardsX = [Double](repeating: 0, count: x.count)
    var towardsW = [Double](repeating: 0, count: w.count)
    var apart = [Double](repeating: 0, count: problem.batch * w.count)
    problem.forEachProduct { i, f, o in
      y[o] += Double(xs[i]) * Double(ws[f])
      towardsX[i] += Double(gs[o]) * Double(ws[f])
      towardsW[f] += Double(gs[o]) * Double(xs[i])
      apart[o / (places * problem.outputs) * w.count + f] += Double(gs[o]) * Double(xs[i])
    }
    func expect(_ name: String, _ value: Tensor<Scalar>, _ wanted: [Double], _ shape: [Int]) {
      let error = distance(Tensor<Double>(value), Tensor(shape: shape, scalars: wanted))
      #expect(error <= tolerance * Double(1 + problem.batch * places), "\(name) of \(problem): error \(error)")
    }
    let value = x.convolved(with: w, bias: b, problem.options)
    expect("output", value, y, problem.outputShape)
    let (_, gradients) = vectorJacobianProduct(at: [x, w, b]) {
      $0[0].convolved(with: $0[1], bias: $0[2], problem.options)
    } direction: { _ in
      g
    }
    expect("input gradient", gradients[0], towardsX, problem.inputShape)
    expect("filter gradient", gradients[1], towardsW, problem.filterShape)
    let towardsB = Tensor<Double>(g).sum(axes: [0] + Array(2..<g.rank))
    expect("bias gradient", gradients[2], towardsB.scalars, [problem.outputs])
    let examples = convolutionFilterGradients(perExample: x, cotangent: g, kernel: problem.kernel, problem.options)
    expect("gradients of the examples", examples, apart, [problem.batch] + problem.filterShape)
  }

  @Test(arguments: 0..<12 as Range<UInt64>)
  func derivativesEqualDifferences(seed: UInt64) {
    var generator = TestGenerator(seed: 100 + seed)
    let problem = RandomConvolution(axes: Int(seed % 3) + 1, using: &generator)
    let x: Tensor<Double> = generator.tensor(problem.inputShape)
    let w: Tensor<Double> = generator.tensor(problem.filterShape)
    let b: Tensor<Double> = generator.tensor([problem.outputs])
    let g: Tensor<Double> = generator.tensor(problem.outputShape)
    func check(_ name: String, _ x: Tensor<Double>, _ function: (Tensor<Double>) -> Tensor<Double>) {
      let errors = derivativeErrors(at: x, using: &generator) { (function($0).sin() * 2).sum() }
      #expect(errors.first < 1e-7, "\(name) of \(problem)")
      #expect(errors.second < 1e-6, "\(name) of \(problem)")
    }
    check("input", x) { $0.convolved(with: w, bias: b, problem.options) }
    check("filters", w) { x.convolved(with: $0, bias: b, problem.options) }
    check("bias", b) { x.convolved(with: w, bias: $0, problem.options) }
    // Both at once: the mixed derivatives too.
    let joined = Tensor.concatenated([x.flattened, w.flattened])
    check("both", joined) { both in
      let parts = both.split(sizes: [x.count, w.count])
      return parts[0].reshaped(x.shape).convolved(with: parts[1].reshaped(w.shape), problem.options)
    }
    check("transpose", g) { $0.transposeConvolved(with: w, problem.options, outputPadding: problem.rest) }
    check("transpose's filters", w) { g.transposeConvolved(with: $0, problem.options, outputPadding: problem.rest) }
    check("gradients of the examples", x) {
      convolutionFilterGradients(perExample: $0, cotangent: g, kernel: problem.kernel, problem.options)
    }
  }

  /// <conv(x), g> = <x, transpose(g)>, where the output padding restores the extents that the stride cuts off.
  @Test(arguments: 0..<24 as Range<UInt64>)
  func theTransposeIsTheAdjoint(seed: UInt64) {
    var generator = TestGenerator(seed: 200 + seed)
    let problem = RandomConvolution(axes: Int(seed % 3) + 1, using: &generator)
    let x: Tensor<Double> = generator.tensor(problem.inputShape)
    let w: Tensor<Double> = generator.tensor(problem.filterShape)
    let g: Tensor<Double> = generator.tensor(problem.outputShape)
    let back = g.transposeConvolved(with: w, problem.options, outputPadding: problem.rest)
    #expect(back.shape == x.shape, "\(problem)")
    let left = (x.convolved(with: w, problem.options) * g).sum().scalar
    let right = (back * x).sum().scalar
    #expect(abs(left - right) < 1e-10, "\(problem)")
  }

  @Test func theBiasOfATransposeIsAdded() {
    var generator = TestGenerator(seed: 3)
    let x: Tensor<Double> = generator.tensor([2, 3, 4, 4])
    let w: Tensor<Double> = generator.tensor([3, 2, 3, 3])
    let b = Tensor<Double>([1, -2])
    let plain = x.transposeConvolved(with: w, ConvolutionOptions(stride: 2))
    let biased = x.transposeConvolved(with: w, bias: b, ConvolutionOptions(stride: 2))
    #expect(distance(biased - plain, b.reshaped([1, 2, 1, 1]).broadcast(to: plain.shape)) < 1e-14)
  }

  @Test(arguments: 1...5)
  func samePaddingKeepsExtents(kernel: Int) {
    var generator = TestGenerator(seed: UInt64(kernel))
    for dilation in 1...2 {
      let x: Tensor<Double> = generator.tensor([2, 3, 11, 12])
      let w: Tensor<Double> = generator.tensor([4, 3, kernel, 3])
      let options = ConvolutionOptions.same(kernel: [kernel, 3], dilation: dilation)
      let y = x.convolved(with: w, options)
      #expect(y.shape == [2, 4, 11, 12])
      // The zeros made explicit.
      let total = (kernel - 1) * dilation
      let padded = x.padded([(0, 0), (0, 0), (total / 2, total - total / 2), (dilation, dilation)])
      #expect(distance(y, padded.convolved(with: w, ConvolutionOptions(dilation: dilation))) < 1e-12)
    }
  }

  @Test func emptyBatchesHaveEmptyResults() {
    let x = Tensor<Float>.zeros([0, 3, 8, 8])
    let w = Tensor<Float>.ones([4, 3, 3, 3])
    let (_, gradients) = vectorJacobianProduct(at: [x, w]) {
      $0[0].convolved(with: $0[1], ConvolutionOptions(padding: 1))
    } direction: {
      $0
    }
    #expect(x.convolved(with: w, ConvolutionOptions(padding: 1)).shape == [0, 4, 8, 8])
    #expect(gradients[0].shape == [0, 3, 8, 8])
    #expect(gradients[1] == .zeros([4, 3, 3, 3]))
    #expect(x.maximumPooled(window: 2).shape == [0, 3, 4, 4])
    #expect(x.averagePooled(window: 2).shape == [0, 3, 4, 4])
    #expect(x.resampled(to: 4).shape == [0, 3, 4, 4])
    #expect(x.unfolded(window: 3).shape == [0, 27, 36])
  }

  @Test func viewsAreRead() {
    var generator = TestGenerator(seed: 9)
    let x: Tensor<Float> = generator.tensor([2, 9, 7, 3])
    let w: Tensor<Float> = generator.tensor([3, 3, 3, 5])
    let view = x.permuted([0, 3, 1, 2])
    let filters = w.permuted([3, 0, 1, 2])
    let options = ConvolutionOptions(padding: 1)
    #expect(
      distance(view.convolved(with: filters, options), view.copied().convolved(with: filters.copied(), options)) == 0)
  }
}
