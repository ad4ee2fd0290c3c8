import Fourier
import Numerics
import Tensors
import TestSupport
import Testing

struct ComplexTransformTests {
  /// Every kind of plan: butterflies, matrices of them, Rader's and Bluestein's convolutions.
  static let lengths: [Int] = {
    let primesAndMultiples = [67, 77, 101, 127, 134, 143, 169, 179, 243, 251, 263, 361, 509, 719, 1009, 1031]
    let composites = [81, 96, 100, 128, 200, 256, 500, 625, 720, 1000, 1024]
    return Array(1...64) + primesAndMultiples + composites
  }()

  @Test(arguments: lengths) func definition(length: Int) {
    var generator = TestGenerator(seed: UInt64(length))
    // One alone, a few, more than there are lanes.
    for count in length <= 128 ? [1, 3, 8, 19] : [1, 9] {
      let x: ComplexTensor<Double> = generator.complex([count, length])
      let expected = directTransform(x)
      let log = Double.log2(Double(length) + 1)
      #expect(relativeError(x.fourierTransform(), expected) < 2e-16 * (log + 2) + 3e-17 * Double(length), "\(count)")
      let single = ComplexTensor<Float>(real: Tensor(x.real), imaginary: Tensor(x.imaginary))
      let singleExpected = directTransform(single.widened)
      #expect(relativeError(single.fourierTransform().widened, singleExpected) < 1.2e-7 * (log + 2), "\(count)")
      #expect(relativeError(x.fourierTransform().inverseFourierTransform(), x) < 4e-16 * (log + 2), "\(count)")
    }
  }

  private func pattern(_ count: Int, _ step: Int, _ first: Int, _ period: Int) -> Tensor<Double> {
    Tensor(
      (0..<count).map { j in
        let number = (j * step + first) % period - period / 2
        return Double(number) / 64
      })
  }

  /// 40 digits, by mpmath.
  @Test func reference() throws {
    let spectra = try Reference.load().complex
    #expect(spectra.count == 11)
    for spectrum in spectra {
      let length = spectrum.real.count
      let x = ComplexTensor(real: pattern(length, 37, 11, 101), imaginary: pattern(length, 53, 29, 97))
      let expected = ComplexTensor(real: Tensor(spectrum.real), imaginary: Tensor(spectrum.imaginary))
      #expect(relativeError(x.fourierTransform(), expected) < 6e-16, "length \(length)")
    }
  }

  /// A spectrum of two lines, known exactly, at lengths too long for the definition.
  @Test(arguments: [2048, 4096, 5003, 10_007, 15_625, 19_683, 32_768, 65_536, 65_537, 72_030, 100_003, 1 << 20])
  func lines(length: Int) {
    let (j, k) = (length / 3, length - 5)
    var impulses = ComplexTensor(Tensor<Double>.zeros([length]))
    impulses.real[at: j] = 1
    impulses.imaginary[at: k] = 0.5
    func angles(_ j: Int) -> [Double] {
      (0..<length).map { -2 * Double.pi * Double($0 * j % length) / Double(length) }
    }
    let (first, second) = (angles(j), angles(k))
    let real = zip(first, second).map { Double.cos($0) - 0.5 * Double.sin($1) }
    let imaginary = zip(first, second).map { Double.sin($0) + 0.5 * Double.cos($1) }
    let expected = ComplexTensor(real: Tensor(real), imaginary: Tensor(imaginary))
    let spectrum = impulses.fourierTransform()
    #expect(relativeError(spectrum, expected) < 5e-15)
    #expect(distance(spectrum.inverseFourierTransform().real, impulses.real) < 1e-15)
    #expect(distance(spectrum.inverseFourierTransform().imaginary, impulses.imaginary) < 1e-15)
    let single = ComplexTensor<Float>(real: Tensor(impulses.real), imaginary: Tensor(impulses.imaginary))
    #expect(relativeError(single.fourierTransform().widened, expected) < 2e-6)
  }

  @Test(arguments: 0..<8 as Range<UInt64>) func laws(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let length = Int.random(in: 2...3000, using: &generator)
    let x: ComplexTensor<Double> = generator.complex([length])
    let y: ComplexTensor<Double> = generator.complex([length])
    let (a, b) = (x.fourierTransform(), y.fourierTransform())
    let context = "seed \(seed), length \(length)"
    // Linearity.
    let sum = ComplexTensor(real: x.real + y.real * 3, imaginary: x.imaginary + y.imaginary * 3)
    let expected = ComplexTensor(real: a.real + b.real * 3, imaginary: a.imaginary + b.imaginary * 3)
    #expect(relativeError(sum.fourierTransform(), expected) < 1e-14, "\(context)")
    // Parseval.
    let unitary = x.fourierTransform(scaling: .unitary)
    #expect(abs(rootMeanSquare(unitary) / rootMeanSquare(x) - 1) < 1e-14, "\(context)")
    // A shift turns the spectrum.
    let shift = Int.random(in: 0..<length, using: &generator)
    func rolled(_ x: Tensor<Double>) -> Tensor<Double> {
      Tensor((0..<length).map { x.scalars[($0 + length - shift) % length] })
    }
    let moved = ComplexTensor(real: rolled(x.real), imaginary: rolled(x.imaginary)).fourierTransform()
    let angles = (0..<length).map { -2 * Double.pi * Double($0 * shift % length) / Double(length) }
    let turn = ComplexTensor(angles.map { Complex(length: 1, phase: $0) })
    #expect(relativeError(moved, a * turn) < 1e-14, "\(context)")
    // The conjugate of the input mirrors the conjugate spectrum.
    let mirrored = x.conjugate.fourierTransform()
    for k in [0, 1, length / 2, length - 1] {
      #expect((mirrored[at: k] - a[at: (length - k) % length].conjugate).length < 1e-11, "\(context)")
    }
    // The three scalings.
    let forward = x.fourierTransform(scaling: .forward)
    let scaled = ComplexTensor(real: a.real / Double(length), imaginary: a.imaginary / Double(length))
    #expect(relativeError(forward, scaled) < 1e-15, "\(context)")
    for scaling in [FourierScaling.forward, .unitary] {
      let there = x.fourierTransform(scaling: scaling)
      #expect(relativeError(there.inverseFourierTransform(scaling: scaling), x) < 1e-14, "\(context)")
    }
  }

  @Test(arguments: 0..<24 as Range<UInt64>) func everyAxisAndView(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    var shape = generator.shape(rank: 1...4, extents: 1...9)
    shape[Int.random(in: shape.indices, using: &generator)] = [12, 37, 67, 71, 134, 2050].randomElement(
      using: &generator)!
    let x: ComplexTensor<Double> = generator.complex(shape)
    for axis in shape.indices {
      let expected = x.exchangingAxes(axis, -1).fourierTransform().exchangingAxes(axis, -1)
      let context = "seed \(seed), axis \(axis) of \(shape)"
      #expect(relativeError(x.fourierTransform(axis: axis), expected) < 1e-14, "\(context)")
      #expect(relativeError(x.fourierTransform(axis: axis - shape.count), expected) < 1e-14, "\(context)")
      #expect(relativeError(expected.inverseFourierTransform(axis: axis), x) < 1e-14, "\(context)")
    }
    // One axis after the other.
    let axes = shape.indices.filter { _ in Bool.random(using: &generator) }
    let expected = axes.reduce(x) { $0.fourierTransform(axis: $1) }
    #expect(relativeError(x.fourierTransform(axes: axes.shuffled(using: &generator)), expected) < 1e-14, "seed \(seed)")
    #expect(relativeError(expected.inverseFourierTransform(axes: axes), x) < 1e-14, "seed \(seed)")
    // A strided view.
    let every = ComplexTensor(
      real: x.real[stride(from: 0, to: shape[0], by: 2)], imaginary: x.imaginary[stride(from: 0, to: shape[0], by: 2)])
    let copy = ComplexTensor(real: every.real.dense, imaginary: every.imaginary.dense)
    #expect(every.fourierTransform(axis: 0) == copy.fourierTransform(axis: 0), "seed \(seed)")
  }

  /// Wide matrices, whose columns are transformed where they lie or copied.
  @Test(arguments: [(5, 40), (64, 33), (61, 17), (1009, 11), (4096, 19), (2053, 9)]) func columns(
    length: Int, width: Int
  ) {
    var generator = TestGenerator(seed: 1)
    let x: ComplexTensor<Double> = generator.complex([2, length, width])
    let expected = x.exchangingAxes(1, 2).fourierTransform().exchangingAxes(1, 2)
    #expect(relativeError(x.fourierTransform(axis: 1), expected) < 1e-14)
    let single: ComplexTensor<Float> = generator.complex([2, length, width])
    let singleExpected = single.exchangingAxes(1, 2).fourierTransform().exchangingAxes(1, 2)
    #expect(relativeError(single.fourierTransform(axis: 1).widened, singleExpected.widened) < 1e-6)
  }

  @Test(arguments: [7, 64, 100, 509, 1009, 4096]) func batchIsOneByOne(length: Int) {
    var generator = TestGenerator(seed: 7)
    let x: ComplexTensor<Double> = generator.complex([21, length])
    let all = x.fourierTransform()
    for row in [0, 7, 8, 20] {
      let one = ComplexTensor(real: x.real[row], imaginary: x.imaginary[row]).fourierTransform()
      let expected = ComplexTensor(real: all.real[row], imaginary: all.imaginary[row])
      #expect(relativeError(one, expected) < 1e-15 * Double.log2(Double(length)), "row \(row)")
    }
  }

  /// Numbers that are not finite, or huge, stay in their own sequence.
  @Test(arguments: [8, 60, 512, 1009]) func sequencesDoNotMix(length: Int) {
    var generator = TestGenerator(seed: 3)
    let clean: ComplexTensor<Double> = generator.complex([10, length])
    var spoiled = clean
    spoiled.real[at: 4, 3] = .nan
    spoiled.real[at: 9, 0] = 1e300
    let (a, b) = (clean.fourierTransform(), spoiled.fourierTransform())
    let (c, d) = (clean.real.realFourierTransform(), spoiled.real.realFourierTransform())
    for row in 0..<10 where row != 4 && row != 9 {
      #expect(a.real[row] == b.real[row] && a.imaginary[row] == b.imaginary[row], "row \(row)")
      #expect(c.real[row] == d.real[row] && c.imaginary[row] == d.imaginary[row], "row \(row)")
    }
    let spoiledRow = b.real[4] + b.imaginary[4]
    #expect(spoiledRow.scalars.filter { !$0.isNaN }.isEmpty)
    #expect(b.real[9].isFinite)
  }

  @Test func cutAndPadded() {
    var generator = TestGenerator(seed: 2)
    let x: ComplexTensor<Double> = generator.complex([3, 10])
    let cut = ComplexTensor(real: x.real[.all, 0..<7], imaginary: x.imaginary[.all, 0..<7])
    #expect(x.fourierTransform(length: 7) == cut.fourierTransform())
    let padded = x.fourierTransform(axis: 0, length: 5)
    #expect(padded.shape == [5, 10])
    #expect(relativeError(padded.inverseFourierTransform(axis: 0, length: 5).slice3, x) < 1e-15)
  }

  @Test func smallAndEmpty() {
    let one = ComplexTensor([Complex(2.5, -1)])
    #expect(one.fourierTransform() == one && one.inverseFourierTransform() == one)
    #expect(one.fourierTransform(axes: []) == one)
    let none = ComplexTensor(Tensor<Double>.zeros([0, 4]))
    #expect(none.fourierTransform().shape == [0, 4])
    #expect(Tensor<Float>.zeros([4, 0]).realFourierTransform(axis: 0).shape == [3, 0])
  }
}

extension ComplexTensor<Double> {
  fileprivate var slice3: ComplexTensor { ComplexTensor(real: real[0..<3], imaginary: imaginary[0..<3]) }
}

/// Alone in its suite that changes the number of threads.
@Suite(.serialized) struct ThreadTests {
  @Test func resultsDoNotDependOnThreads() {
    var generator = TestGenerator(seed: 5)
    let batch: ComplexTensor<Double> = generator.complex([300, 256])
    let long: ComplexTensor<Double> = generator.complex([1 << 17])
    let prime: ComplexTensor<Float> = generator.complex([100_003])
    let cube: Tensor<Double> = generator.tensor([40, 50, 60])
    func all() -> [Tensor<Double>] {
      let p = prime.fourierTransform().widened
      let c = cube.realFourierTransform(axes: [0, 1, 2])
      let results = [batch.fourierTransform(), long.fourierTransform(), p, c]
      return results.flatMap { [$0.real, $0.imaginary] } + [cube.cosineTransform(.two, axis: 1)]
    }
    let alone = withThreads(1, all)
    for threads in 2...5 { #expect(withThreads(threads, all) == alone, "\(threads) threads") }
  }
}
