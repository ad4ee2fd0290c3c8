// Lengths with a large prime factor: a convolution of a friendlier length does their work.

import Tensors

/// Rader's algorithm for a prime length p: but for element 0, the powers of a generator of the multiplicative group
/// modulo p order the elements so that the transform is a cyclic convolution of length p - 1 (Rader, 1968).
final class RaderTransform<Scalar: FourierScalar>: Sendable {
  private let prime: Int
  private let inner: FourierPlan<Scalar>
  private let inputOrder: Table<Int32>
  private let outputOrder: Table<Int32>
  private let kernel: Planes<Scalar>

  /// Nil unless `length` is a prime with p - 1 of small factors.
  init?(length: Int) {
    guard length > 2, length < 1 << 31, Length.primeFactors(length) == [length], Length.radices(length - 1) != nil
    else { return nil }
    prime = length
    inner = Scalar.fourier.plan(length - 1)
    let generator = Length.primitiveRoot(prime)
    let inverse = Length.power(generator, prime - 2, modulo: prime)
    func powers(_ base: Int) -> [Int] {
      var (power, result) = (1, [Int]())
      for _ in 0..<length - 1 {
        result.append(power)
        power = power * base % length
      }
      return result
    }
    let outputs = powers(inverse)
    inputOrder = Table(powers(generator).map { Int32($0) })
    outputOrder = Table(outputs.map { Int32($0) })
    kernel = spectrum(of: outputs.map { UnitRoot(-$0, of: length) }, as: Scalar.self)
  }

  var scratchCount: Int { 2 * (prime - 1) + inner.rowScratchCount }

  func transform(
    _ x: PlanePointers<Scalar>, to y: PlanePointers<Scalar>, scale: Scalar, scratch: UnsafeMutablePointer<Scalar>
  ) {
    let kernels = Scalar.fourier.kernels
    let count = prime - 1
    let a = PlanePointers(scratch, count: count)
    let rest = scratch + 2 * count
    let (firstRe, firstIm) = (x.re[0], x.im[0])
    kernels.gather(x.re, inputOrder.pointer, a.re, count)
    kernels.gather(x.im, inputOrder.pointer, a.im, count)
    inner.transformRow(a, to: a, scale: 1, scratch: rest)
    let (sumRe, sumIm) = (firstRe + a.re[0], firstIm + a.im[0])
    kernels.multiply(a.re, a.im, kernel.re.pointer, kernel.im.pointer, 1, a.re, a.im, count)
    // Once in the convolution's element 0, the first element is added to all of its results.
    a.re[0] += firstRe
    a.im[0] += firstIm
    inner.transformRow(a.exchanged, to: a.exchanged, scale: 1, scratch: rest)
    y.re[0] = sumRe * scale
    y.im[0] = sumIm * scale
    kernels.scatter(a.re, outputOrder.pointer, scale, y.re, count)
    kernels.scatter(a.im, outputOrder.pointer, scale, y.im, count)
  }
}

/// Bluestein's algorithm for any length n: with j k = (j² + k² - (k - j)²) / 2 the transform is a convolution with a
/// chirp, done cyclically at a length of at least 2 n - 1 (Bluestein, 1970).
final class BluesteinTransform<Scalar: FourierScalar>: Sendable {
  private let length: Int
  private let padded: Int
  private let inner: FourierPlan<Scalar>
  /// exp(-pi i k² / n).
  private let chirp: Planes<Scalar>
  private let kernel: Planes<Scalar>

  init(length: Int) {
    self.length = length
    padded = Length.fast(atLeast: 2 * length - 1)
    inner = Scalar.fourier.plan(padded)
    // k² modulo 2 n, by the differences of squares.
    var square = 0
    let squares = (0..<length).map { k in
      defer { square = (square + 2 * k + 1) % (2 * length) }
      return square
    }
    let padded = self.padded
    chirp = Planes(count: length) { UnitRoot(-squares[$0], of: 2 * length) }
    let around = (0..<padded).map { k -> UnitRoot? in
      k < length
        ? UnitRoot(squares[k], of: 2 * length)
        : padded - k < length ? UnitRoot(squares[padded - k], of: 2 * length) : nil
    }
    kernel = spectrum(of: around, as: Scalar.self)
  }

  var scratchCount: Int { 2 * padded + inner.rowScratchCount }

  func transform(
    _ x: PlanePointers<Scalar>, to y: PlanePointers<Scalar>, scale: Scalar, scratch: UnsafeMutablePointer<Scalar>
  ) {
    let kernels = Scalar.fourier.kernels
    let a = PlanePointers(scratch, count: padded)
    let rest = scratch + 2 * padded
    let turn = chirp.pointers
    kernels.multiply(x.re, x.im, turn.re, turn.im, 1, a.re, a.im, length)
    (a.re + length).update(repeating: 0, count: padded - length)
    (a.im + length).update(repeating: 0, count: padded - length)
    inner.transformRow(a, to: a, scale: 1, scratch: rest)
    kernels.multiply(a.re, a.im, kernel.re.pointer, kernel.im.pointer, 1, a.re, a.im, padded)
    inner.transformRow(a.exchanged, to: a.exchanged, scale: 1, scratch: rest)
    kernels.multiply(a.re, a.im, turn.re, turn.im, scale, y.re, y.im, length)
  }
}

/// The transform, in double precision and over its length, of a convolution's kernel; nil counts as zero.
private func spectrum<Scalar: RealScalar>(of kernel: [UnitRoot?], as type: Scalar.Type) -> Planes<Scalar> {
  let count = kernel.count
  var re = kernel.map { $0?.real ?? 0 }
  var im = kernel.map { $0?.imaginary ?? 0 }
  let plan = Double.fourier.plan(count)
  re.withUnsafeMutableBufferPointer { re in
    im.withUnsafeMutableBufferPointer { im in
      guard let re = re.baseAddress, let im = im.baseAddress else { return }
      let planes = PlanePointers(re, im)
      withScratch(plan.rowScratchCount) {
        plan.transformRow(planes, to: planes, scale: 1 / Double(count), scratch: $0)
      }
    }
  }
  return Planes(re: re, im: im)
}
