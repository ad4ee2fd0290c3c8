public import Tensors

/// Multiplication of the lowest Fourier modes of each channel by learned complex matrices: a convolution as wide as the
/// domain, over one to three spatial axes, on any grid.
///
/// Only a few modes are kept, so the transforms are products with their cosines and sines: at the usual 8 to 32 modes a
/// whole transform costs more, and products have derivatives of any order.
///
/// Source: Li et al., "Fourier neural operator for parametric partial differential equations", ICLR 2021, whose weights
/// these are: `weights1`, `weights2`, ... for each choice of low positive or low negative modes of all axes but the last,
/// the first axis changing fastest.
public struct SpectralConvolution<Scalar: RealScalar>: Layer {
  /// Shape [inputs, outputs, modes..., 2], real and imaginary parts last.
  public var weights: [Tensor<Scalar>]

  /// - Parameter modes: how many are kept along each spatial axis: of the last one those of frequency 0 and above, of the
  ///   others as many negative ones too.
  public init(_ inputs: Int, _ outputs: Int, modes: [Int], random: inout RandomStream) {
    precondition(
      (1...3).contains(modes.count) && modes.allSatisfy { $0 > 0 }, "modes \(modes): one to three positive numbers")
    let scale = 1 / Scalar(inputs * outputs)
    weights = (0..<1 << (modes.count - 1)).map { _ in
      random.uniform([inputs, outputs] + modes + [2]) * scale
    }
  }

  public var modes: [Int] { Array(weights[0].shape[2...].dropLast()) }

  /// - Parameter x: shape [examples, inputs, extents...], at least 2 modes - 1 long along the last axis (2 modes along
  ///   the others).
  /// - Returns: shape [examples, outputs, extents...].
  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    let modes = modes
    let extents = Array(x.shape.dropFirst(2))
    precondition(
      extents.count == modes.count && x.shape[1] == weights[0].shape[0],
      "a spectral convolution of \(weights[0].shape[0]) channels and modes \(modes) is given \(x.shape)")
    for (axis, (extent, kept)) in zip(extents, modes).enumerated() {
      let isLast = axis == modes.count - 1
      precondition(
        isLast ? kept <= extent / 2 + 1 : 2 * kept <= extent, "\(kept) modes of an axis of \(extent) places")
    }
    let transforms = zip(extents, modes).enumerated().map { axis, sizes in
      ModeTransform<Scalar>(extent: sizes.0, modes: sizes.1, isHalf: axis == modes.count - 1)
    }
    var spectrum = transforms[modes.count - 1].forward(x)
    for axis in (0..<modes.count - 1).reversed() { spectrum = transforms[axis].forward(spectrum, axis: axis + 2) }
    spectrum = mixed(spectrum)
    for axis in 0..<modes.count - 1 { spectrum = transforms[axis].inverse(spectrum, axis: axis + 2) }
    return transforms[modes.count - 1].inverse(spectrum)
  }

  /// Every mode's channels times its matrix.
  private func mixed(_ spectrum: ComplexPair<Scalar>) -> ComplexPair<Scalar> {
    let weight = assembledWeight
    // [inputs, outputs, modes...] as one product for each mode.
    let rank = spectrum.real.rank
    let modesFirst = Array(2..<rank)
    func perMode(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
      x.permuted(modesFirst + [0, 1]).reshaped([-1, x.shape[0], x.shape[1]])
    }
    let product = ComplexPair(real: perMode(spectrum.real), imaginary: perMode(spectrum.imaginary))
      .multiplied(by: ComplexPair(real: perMode(weight.real), imaginary: perMode(weight.imaginary)))
    let shape = Array(spectrum.real.shape[2...]) + [spectrum.real.shape[0], weight.real.shape[1]]
    let back = [rank - 2, rank - 1] + Array(0..<rank - 2)
    return product.map { $0.reshaped(shape).permuted(back) }
  }

  /// The weights side by side along all axes but the last, positive modes before negative ones.
  private var assembledWeight: ComplexPair<Scalar> {
    var blocks = weights
    for axis in 0..<modes.count - 1 {
      blocks = (0..<blocks.count / 2).map { Tensor.concatenated([blocks[2 * $0], blocks[2 * $0 + 1]], axis: axis + 2) }
    }
    let last = blocks[0].rank - 1
    return ComplexPair(real: blocks[0].slice(axis: last, at: 0), imaginary: blocks[0].slice(axis: last, at: 1))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    for i in weights.indices { visitor.parameter("weights\(i + 1)", &weights[i]) }
  }
}

/// Complex numbers as two tensors of reals.
private struct ComplexPair<Scalar: RealScalar> {
  var real: Tensor<Scalar>
  var imaginary: Tensor<Scalar>

  func map(_ transform: (Tensor<Scalar>) -> Tensor<Scalar>) -> ComplexPair {
    ComplexPair(real: transform(real), imaginary: transform(imaginary))
  }

  /// The matrix product, in batches.
  func multiplied(by other: ComplexPair) -> ComplexPair {
    ComplexPair(
      real: real.matmul(other.real) - imaginary.matmul(other.imaginary),
      imaginary: real.matmul(other.imaginary) + imaginary.matmul(other.real))
  }
}

/// The discrete Fourier transform from `extent` places to the kept modes along one axis, and back.
private struct ModeTransform<Scalar: RealScalar> {
  /// cos and sin of 2π k j / extent, shape [extent, modes].
  let cosines: Tensor<Scalar>
  let sines: Tensor<Scalar>
  /// How often each mode counts on the way back: those without a kept negative partner twice, all over the extent.
  let counts: Tensor<Scalar>

  init(extent: Int, modes: Int, isHalf: Bool) {
    let frequencies = Array(0..<modes) + (isHalf ? [] : Array(-modes..<0))
    var (cosines, sines): ([Double], [Double]) = ([], [])
    for place in 0..<extent {
      for frequency in frequencies {
        // The remainder first: large angles lose digits.
        let turns = Double((place * frequency) % extent) / Double(extent)
        cosines.append(Double.cos(2 * .pi * turns))
        sines.append(Double.sin(2 * .pi * turns))
      }
    }
    let shape = [extent, frequencies.count]
    self.cosines = Tensor(Tensor<Double>(shape: shape, scalars: cosines))
    self.sines = Tensor(Tensor<Double>(shape: shape, scalars: sines))
    counts = Tensor(
      frequencies.map { frequency in
        let isOwnPartner = frequency == 0 || 2 * frequency == extent
        return (isHalf && !isOwnPartner ? 2 : 1) / Scalar(extent)
      })
  }

  /// Along the last axis of real numbers.
  func forward(_ x: Tensor<Scalar>) -> ComplexPair<Scalar> {
    ComplexPair(real: x.matmul(cosines), imaginary: -x.matmul(sines))
  }

  func forward(_ x: ComplexPair<Scalar>, axis: Int) -> ComplexPair<Scalar> {
    let x = x.map { $0.exchangingAxes(axis, -1) }
    let result = ComplexPair(
      real: x.real.matmul(cosines) + x.imaginary.matmul(sines),
      imaginary: x.imaginary.matmul(cosines) - x.real.matmul(sines))
    return result.map { $0.exchangingAxes(axis, -1) }
  }

  /// Along the last axis to real numbers.
  func inverse(_ x: ComplexPair<Scalar>) -> Tensor<Scalar> {
    (x.real * counts).matmul(cosines, transposingB: true) - (x.imaginary * counts).matmul(sines, transposingB: true)
  }

  func inverse(_ x: ComplexPair<Scalar>, axis: Int) -> ComplexPair<Scalar> {
    let x = x.map { $0.exchangingAxes(axis, -1) * counts }
    let result = ComplexPair(
      real: x.real.matmul(cosines, transposingB: true) - x.imaginary.matmul(sines, transposingB: true),
      imaginary: x.imaginary.matmul(cosines, transposingB: true) + x.real.matmul(sines, transposingB: true))
    return result.map { $0.exchangingAxes(axis, -1) }
  }
}
