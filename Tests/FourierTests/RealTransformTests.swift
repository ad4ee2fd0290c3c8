import Fourier
import Numerics
import Tensors
import TestSupport
import Testing

struct RealTransformTests {
  @Test(arguments: ComplexTransformTests.lengths) func realIsComplex(length: Int) {
    var generator = TestGenerator(seed: UInt64(length))
    for count in [1, 5, 20] {
      let x: Tensor<Double> = generator.tensor([count, length])
      let whole = ComplexTensor(x).fourierTransform()
      let half = length / 2 + 1
      let expected = ComplexTensor(real: whole.real[.all, 0..<half], imaginary: whole.imaginary[.all, 0..<half])
      let spectrum = x.realFourierTransform()
      #expect(relativeError(spectrum, expected) < 2e-15, "\(count)")
      #expect(relativeError(spectrum.inverseRealFourierTransform(length: length), x) < 2e-15, "\(count)")
      let single = Tensor<Float>(x)
      let singleSpectrum = single.realFourierTransform()
      #expect(relativeError(singleSpectrum.widened, expected) < 1e-6, "\(count)")
      #expect(distance(singleSpectrum.inverseRealFourierTransform(length: length), single) < 2e-6, "\(count)")
    }
  }

  @Test(arguments: [4098, 8191, 65_536, 100_002, 1 << 18]) func longOnes(length: Int) {
    var generator = TestGenerator(seed: 1)
    let x: Tensor<Double> = generator.tensor([length])
    let whole = ComplexTensor(x).fourierTransform()
    let half = 0..<length / 2 + 1
    let expected = ComplexTensor(real: whole.real[half], imaginary: whole.imaginary[half])
    let spectrum = x.realFourierTransform()
    #expect(relativeError(spectrum, expected) < 3e-15)
    #expect(relativeError(spectrum.inverseRealFourierTransform(length: length), x) < 3e-15)
  }

  @Test(arguments: 0..<24 as Range<UInt64>) func everyAxis(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    var shape = generator.shape(rank: 1...3, extents: 1...20)
    let special = Int.random(in: shape.indices, using: &generator)
    shape[special] = [16, 31, 74, 134, 142, 4106].randomElement(using: &generator)!
    let x: Tensor<Double> = generator.tensor(shape)
    for axis in shape.indices {
      let context = "seed \(seed), axis \(axis) of \(shape)"
      let last = x.exchangingAxes(axis, -1).realFourierTransform().exchangingAxes(axis, -1)
      let spectrum = x.realFourierTransform(axis: axis)
      #expect(relativeError(spectrum, last) < 1e-14, "\(context)")
      #expect(
        relativeError(spectrum.inverseRealFourierTransform(axis: axis, length: shape[axis]), x) < 1e-14, "\(context)")
      for scaling in [FourierScaling.forward, .unitary] {
        let there = x.realFourierTransform(axis: axis, scaling: scaling)
        let back = there.inverseRealFourierTransform(axis: axis, length: shape[axis], scaling: scaling)
        #expect(relativeError(back, x) < 1e-14, "\(context)")
      }
    }
    // Along all axes: the complex transform's half.
    let axes = Array(shape.indices)
    let whole = ComplexTensor(x).fourierTransform(axes: axes)
    let half = 0..<shape[axes.count - 1] / 2 + 1
    let expected = ComplexTensor(
      real: whole.real.slice(axis: -1, half), imaginary: whole.imaginary.slice(axis: -1, half))
    let spectrum = x.realFourierTransform(axes: axes)
    #expect(relativeError(spectrum, expected) < 1e-14, "seed \(seed)")
    let back = spectrum.inverseRealFourierTransform(axes: axes, length: shape[axes.count - 1])
    #expect(relativeError(back, x) < 1e-14, "seed \(seed)")
  }

  @Test func negativeAxes() {
    var generator = TestGenerator(seed: 2)
    let x: Tensor<Double> = generator.tensor([3, 4, 6])
    #expect(x.realFourierTransform(axes: [-1, -2]) == x.realFourierTransform(axes: [2, 1]))
    #expect(x.realFourierTransform(axis: -2) == x.realFourierTransform(axis: 1))
    #expect(x.realFourierTransform(axes: [0, 1]).shape == [3, 3, 6])
  }

  /// The imaginary parts that no spectrum of real numbers has are not read.
  @Test(arguments: [8, 128, 8192]) func impossibleParts(length: Int) {
    var generator = TestGenerator(seed: 4)
    let x: Tensor<Double> = generator.tensor([length])
    var spectrum = x.realFourierTransform()
    spectrum.imaginary[at: 0] = 5
    spectrum.imaginary[at: length / 2] = .nan
    #expect(distance(spectrum.inverseRealFourierTransform(), x) < 1e-14)
  }

  @Test func frequencies() {
    #expect(Tensor<Double>.fourierFrequencies(count: 4) == Tensor([0, 0.25, -0.5, -0.25]))
    #expect(Tensor<Double>.fourierFrequencies(count: 5, spacing: 0.2) == Tensor([0, 1, 2, -2, -1]))
    #expect(Tensor<Double>.realFourierFrequencies(count: 4, spacing: 0.5) == Tensor([0, 0.5, 1]))
    #expect(Tensor<Double>.realFourierFrequencies(count: 5, spacing: 0.2) == Tensor([0, 1, 2]))
    #expect(Tensor<Double>([0, 1, 2, -2, -1]).zeroFrequencyCentred() == Tensor([-2, -1, 0, 1, 2]))
    let x = Tensor<Double>((0..<30).map { Double($0) }).reshaped([5, 6])
    #expect(x.zeroFrequencyCentred().zeroFrequencyFirst() == x)
    #expect(x.zeroFrequencyCentred(axes: [1])[0] == Tensor([3, 4, 5, 0, 1, 2]))
    let pair = ComplexTensor(real: x, imaginary: -x)
    #expect(pair.zeroFrequencyCentred().real[at: 2, 3] == 0 && pair.zeroFrequencyCentred().zeroFrequencyFirst() == pair)
  }

  @Test func windows() {
    #expect(distance(Tensor<Double>.hannWindow(4), Tensor([0, 0.5, 1, 0.5])) < 1e-16)
    #expect(distance(Tensor<Double>.hannWindow(5, periodic: false), Tensor([0, 0.5, 1, 0.5, 0])) < 1e-16)
    #expect(distance(Tensor<Double>.hammingWindow(4), Tensor([0.08, 0.54, 1, 0.54])) < 1e-15)
    #expect(Tensor<Double>.hannWindow(1, periodic: false) == Tensor([1]))
    // Frames that overlap by half add up to one.
    let window = Tensor<Double>.hannWindow(64)
    #expect(distance(window[0..<32] + window[32..<64], .ones([32])) < 1e-15)
  }
}
