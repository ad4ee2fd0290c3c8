import Convolutions
import Tensors
import TestSupport
import Testing

@Suite struct PoolingLaws {
  /// Maxima, means and their gradients against sums written out. Whole numbers make ties.
  @Test(arguments: 0..<24 as Range<UInt64>)
  func poolingEqualsItsDefinition(seed: UInt64) {
    var generator = TestGenerator(seed: 300 + seed)
    var problem = RandomConvolution(axes: Int(seed % 3) + 1, using: &generator)
    problem = problem.pooling
    let isWhole = seed % 2 == 0
    var x: Tensor<Double> = generator.tensor(problem.inputShape)
    if isWhole { x = (x * 3).rounded() }
    let g: Tensor<Double> = generator.tensor(problem.outputShape)
    var maxima = [Double](repeating: -.infinity, count: g.count)
    var firsts = [Int](repeating: 0, count: g.count)
    let xs = x.scalars
    problem.forEachProduct { i, _, o in if xs[i] > maxima[o] { (maxima[o], firsts[o]) = (xs[i], i) } }
    var towardsX = [Double](repeating: 0, count: x.count)
    for (o, first) in firsts.enumerated() { towardsX[first] += g.scalars[o] }
    let pool = { (x: Tensor<Double>) in
      x.maximumPooled(
        window: problem.kernel, stride: problem.stride, padding: problem.padding, dilation: problem.dilation)
    }
    #expect(pool(x).scalars == maxima, "\(problem)")
    let gradient = vectorJacobianProduct(at: [x]) {
      pool($0[0])
    } direction: { _ in
      g
    }.gradients[0]
    #expect(distance(gradient, Tensor(shape: x.shape, scalars: towardsX)) < 1e-14, "\(problem)")
    let narrow = Tensor<Float>(x).maximumPooled(
      window: problem.kernel, stride: problem.stride, padding: problem.padding, dilation: problem.dilation)
    #expect(narrow.scalars == maxima.map { Float($0) }, "\(problem)")
    guard problem.dilation.allSatisfy({ $0 == 1 }) else { return }
    for counting in [true, false] {
      var sums = [Double](repeating: 0, count: g.count)
      var counts = [Double](repeating: 0, count: g.count)
      problem.forEachProduct { i, _, o in
        sums[o] += xs[i]
        counts[o] += 1
      }
      let size = Double(problem.kernel.reduce(1, *))
      let means = zip(sums, counts).map { $0 / (counting ? size : $1) }
      let value = x.averagePooled(
        window: problem.kernel, stride: problem.stride, padding: problem.padding, countingPadding: counting)
      #expect(distance(value, Tensor(shape: problem.outputShape, scalars: means)) < 1e-13, "\(problem)")
    }
  }

  @Test(arguments: 0..<9 as Range<UInt64>)
  func derivativesEqualDifferences(seed: UInt64) {
    var generator = TestGenerator(seed: 400 + seed)
    let axes = Int(seed % 3) + 1
    let x: Tensor<Double> = generator.tensor([2, 2] + [5, 6, 4].prefix(axes))
    func check(_ name: String, _ x: Tensor<Double>, _ function: (Tensor<Double>) -> Tensor<Double>) {
      let errors = derivativeErrors(at: x, using: &generator) { (function($0).sin() * 2).sum() }
      #expect(errors.first < 1e-7, "\(name) of shape \(x.shape), seed \(seed)")
      #expect(errors.second < 1e-6, "\(name) of shape \(x.shape), seed \(seed)")
    }
    check("maximum", x) { $0.maximumPooled(window: 3, stride: 2, padding: 1) }
    check("average", x) { $0.averagePooled(window: 3, stride: 1, padding: 1, countingPadding: false) }
    check("adaptive average", x) { $0.adaptiveAveragePooled(to: 3) }
    check("adaptive maximum", x) { $0.adaptiveMaximumPooled(to: 3) }
    check("nearest", x) { $0.resampled(to: 7, by: .nearest) }
    check("linear", x) { $0.resampled(scale: 1.7) }
    check("cubic", x) { $0.resampled(to: 3, by: .cubic, aligningCorners: true) }
    check("reflecting", x) { $0.padded([(2, 1)], by: .reflecting) }
    check("replicating", x) { $0.padded([(2, 1)], by: .replicating) }
    check("wrapping", x) { $0.padded([(2, 1)], by: .wrapping) }
    check("unfolded", x) { $0.unfolded(window: 2, stride: 2, padding: 1) }
    let extents = Array(x.shape[2...])
    let columns = x.unfolded(window: 2, dilation: 2)
    check("folded", columns) { $0.folded(to: extents, window: 2, dilation: 2) }
  }

  /// A window's columns are what a convolution with unit filters sees.
  @Test(arguments: 0..<12 as Range<UInt64>)
  func columnsAreWindows(seed: UInt64) {
    var generator = TestGenerator(seed: 500 + seed)
    let problem = RandomConvolution(axes: Int(seed % 3) + 1, using: &generator).ungrouped
    let x: Tensor<Double> = generator.tensor(problem.inputShape)
    let w: Tensor<Double> = generator.tensor(problem.filterShape)
    let columns = x.unfolded(
      window: problem.kernel, stride: problem.stride, padding: problem.padding, dilation: problem.dilation)
    let product = w.reshaped([problem.outputs, -1]).matmul(columns)
    #expect(
      distance(product.reshaped(problem.outputShape), x.convolved(with: w, problem.options)) < 1e-12, "\(problem)")
    // Folding is the adjoint of unfolding.
    let g: Tensor<Double> = generator.tensor(columns.shape)
    let back = g.folded(
      to: problem.extents, window: problem.kernel, stride: problem.stride, padding: problem.padding,
      dilation: problem.dilation)
    #expect(abs((columns * g).sum().scalar - (back * x).sum().scalar) < 1e-10, "\(problem)")
  }

  @Test func aNaNIsTheMaximumOfItsWindow() {
    let x = Tensor<Float>(shape: [1, 1, 4], scalars: [1, .nan, 3, 2])
    let y = x.maximumPooled(window: 2)
    #expect(y.scalars[0].isNaN)
    #expect(y.scalars[1] == 3)
    let nothing = Tensor<Float>(shape: [1, 1, 2], scalars: [-.infinity, -.infinity])
    #expect(nothing.maximumPooled(window: 2).scalars == [-.infinity])
  }

  @Test func edgesContinueAsNamed() {
    let x = Tensor<Double>([1, 2, 3])
    #expect(x.padded([(2, 1)], by: .reflecting).scalars == [3, 2, 1, 2, 3, 2])
    #expect(x.padded([(2, 1)], by: .replicating).scalars == [1, 1, 1, 2, 3, 3])
    #expect(x.padded([(2, 3)], by: .wrapping).scalars == [2, 3, 1, 2, 3, 1, 2, 3])
    let plane = Tensor<Double>([[1, 2], [3, 4]])
    #expect(plane.padded([(1, 0), (0, 1)], by: .reflecting) == Tensor([[3, 4, 3], [1, 2, 1], [3, 4, 3]]))
  }
}

extension RandomConvolution {
  /// The same windows over each channel apart, with padding that pooling takes.
  var pooling: RandomConvolution {
    let padding = zip(padding, zip(kernel, dilation)).map { min($0, (($1.0 - 1) * $1.1 + 1) / 2) }
    return RandomConvolution(self, groups: inputs, outputs: inputs, padding: padding)
  }
  var ungrouped: RandomConvolution { RandomConvolution(self, groups: 1, outputs: outputs, padding: padding) }

  private init(_ other: RandomConvolution, groups: Int, outputs: Int, padding: [Int]) {
    (batch, self.groups, inputs, self.outputs) = (other.batch, groups, other.inputs, outputs)
    (extents, kernel, stride, dilation) = (other.extents, other.kernel, other.stride, other.dilation)
    self.padding = padding
  }
}
