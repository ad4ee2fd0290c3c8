import Fourier
import Tensors
import TestSupport
import Testing

/// By the definition.
private func directConvolution(_ x: Tensor<Double>, _ kernel: Tensor<Double>) -> Tensor<Double> {
  let (a, b) = (x.scalars, kernel.scalars)
  var result = [Double](repeating: 0, count: a.count + b.count - 1)
  for i in a.indices { for j in b.indices { result[i + j] += a[i] * b[j] } }
  return Tensor(result)
}

private func directConvolution2(_ x: Tensor<Double>, _ kernel: Tensor<Double>) -> Tensor<Double> {
  let shape = [x.rows + kernel.rows - 1, x.columns + kernel.columns - 1]
  var result = Tensor<Double>.zeros(shape)
  for i in 0..<x.rows {
    for j in 0..<x.columns {
      for k in 0..<kernel.rows {
        for l in 0..<kernel.columns { result[at: i + k, j + l] += x[at: i, j] * kernel[at: k, l] }
      }
    }
  }
  return result
}

struct ConvolutionTests {
  /// Direct sums, one transform, and overlapping blocks, in either order.
  @Test(arguments: [
    (1, 1), (5, 3), (100, 32), (100, 33), (33, 100), (3000, 700), (20_000, 40), (40, 20_000), (30_000, 999),
  ])
  func definition(length: Int, kernelLength: Int) {
    var generator = TestGenerator(seed: UInt64(length))
    let x: Tensor<Double> = generator.tensor([length])
    let kernel: Tensor<Double> = generator.tensor([kernelLength])
    let full = directConvolution(x, kernel)
    let limit = 1e-15 * Double(min(length, kernelLength)).squareRoot() * 20
    #expect(distance(x.convolved(with: kernel), full) < limit)
    let start = (full.count - length) / 2
    #expect(distance(x.convolved(with: kernel, .same), full[start..<start + length]) < limit)
    let (short, long) = (min(length, kernelLength), max(length, kernelLength))
    #expect(distance(x.convolved(with: kernel, .valid), full[short - 1..<long]) < limit)
    let single = Tensor<Float>(x).convolved(with: Tensor<Float>(kernel))
    #expect(distance(Tensor<Double>(single), full) < limit * 1e9)
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func twoAxes(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let shape = generator.shape(rank: 2...2, extents: 1...20)
    let kernelShape = shape.map { Int.random(in: 1...$0, using: &generator) }
    let x: Tensor<Double> = generator.tensor(shape)
    let kernel: Tensor<Double> = generator.tensor(kernelShape)
    let full = directConvolution2(x, kernel)
    #expect(distance(x.convolved(with: kernel), full) < 1e-13, "seed \(seed)")
    let (top, left) = (kernelShape[0] - 1, kernelShape[1] - 1)
    let same = full[top / 2..<top / 2 + shape[0], left / 2..<left / 2 + shape[1]]
    #expect(distance(x.convolved(with: kernel, .same), same) < 1e-13, "seed \(seed)")
    let valid = full[top..<shape[0], left..<shape[1]]
    #expect(distance(x.convolved(with: kernel, .valid), valid) < 1e-13, "seed \(seed)")
    #expect(distance(kernel.convolved(with: x, .valid), valid) < 1e-13, "seed \(seed)")
  }

  @Test func correlation() {
    let x = Tensor<Double>([1, 2, 3, 4, 5])
    let template = Tensor<Double>([1, 0, -1])
    // SciPy: signal.correlate.
    #expect(distance(x.correlated(with: template), Tensor([-1, -2, -2, -2, -2, 4, 5])) < 1e-14)
    #expect(distance(x.correlated(with: template, .same), Tensor([-2, -2, -2, -2, 4])) < 1e-14)
    #expect(distance(x.correlated(with: template, .valid), Tensor([-2, -2, -2])) < 1e-14)
    let plane = Tensor<Double>([[1, 2], [3, 4]])
    #expect(distance(plane.correlated(with: plane, .valid), Tensor([[30]])) < 1e-14)
  }

  /// Circular shifts commute with the transform's product: convolution in one domain is a product in the other.
  @Test func theorem() {
    var generator = TestGenerator(seed: 1)
    let x: Tensor<Double> = generator.tensor([50])
    let y: Tensor<Double> = generator.tensor([71])
    let a = x.realFourierTransform(length: 120)
    let b = y.realFourierTransform(length: 120)
    #expect(distance((a * b).inverseRealFourierTransform(), x.convolved(with: y)) < 1e-13)
  }
}
