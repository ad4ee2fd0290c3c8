import Tensors

/// Cosine or sine transforms along the last axis, by way of Fourier transforms.
struct TrigonometricRows<Scalar: FourierScalar> {
  let length: Int
  let factor: Scalar
  let sine: Bool
  let orthonormal: Bool

  private var kernels: FourierKernels<Scalar> { Scalar.fourier.kernels }
  private var oddSign: Scalar { sine ? -1 : 1 }
  private var isSine: CInt { sine ? 1 : 0 }
  /// Of types two and three, the basis vector that is longer than the others: the constant or the alternating one.
  private var longest: Int { sine ? length - 1 : 0 }

  // MARK: Type one

  /// By way of the even extension, of length 2 (n - 1), or the odd one, of length 2 (n + 1).
  func typeI(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let rows = x.reshaped([x.count / length, length])
    return (sine ? sineTypeI(rows) : cosineTypeI(rows)).reshaped(x.shape)
  }

  private func sineTypeI(_ rows: Tensor<Scalar>) -> Tensor<Scalar> {
    let zero = Tensor<Scalar>.zeros([rows.rows, 1])
    let extended = Tensor.concatenated([zero, rows, zero, -backwards(rows)], axis: 1)
    return extended.realFourierTransform().imaginary[.all, 1..<length + 1] * -factor
  }

  private func cosineTypeI(_ rows: Tensor<Scalar>) -> Tensor<Scalar> {
    var ends = Tensor<Scalar>.ones([length])
    if orthonormal {
      ends[at: 0] = Scalar(2).squareRoot()
      ends[at: length - 1] = Scalar(2).squareRoot()
    }
    let scaled = rows * ends
    let extended = Tensor.concatenated([scaled, backwards(scaled[.all, 1..<length - 1])], axis: 1)
    return extended.realFourierTransform().real * factor / ends
  }

  private func backwards(_ rows: Tensor<Scalar>) -> Tensor<Scalar> { rows.reversed(axis: 1) }

  // MARK: Types two and three

  /// The spectrum of the row in the order 0, 2, 4, ..., 5, 3, 1, turned (Makhoul, 1980). Sines are cosines of the row
  /// with alternating signs, read from the end.
  func typeII(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let ordered = eachRow(of: x) { from, to in kernels.order(from, oddSign, to, length) }
    let spectrum = ordered.realFourierTransform()
    let roots = Scalar.fourier.cosineRoots(length)
    let spectrumLength = length / 2 + 1
    var result = Tensor<Scalar>.unwritten(x.shape)
    result.withWriting { y in
      reading(spectrum) { z in
        eachRow(x.count) { row in
          let z = z + row * spectrumLength
          let y = y + row * length
          kernels.turn(roots.re.pointer, roots.im.pointer, z.re, z.im, 2 * factor, isSine, y, length)
          if orthonormal { y[longest] *= Scalar(0.5).squareRoot() }
        }
      }
    }
    return result
  }

  /// Type two backwards.
  func typeIII(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let roots = Scalar.fourier.cosineRoots(length)
    let spectrumLength = length / 2 + 1
    let spectrum = ComplexTensor<Scalar>.writing(x.shape.replacing(x.rank - 1, with: spectrumLength)) { z in
      x.withReading { from in
        eachRow(x.count) { row in
          let z = z + row * spectrumLength
          kernels.turnBack(roots.re.pointer, roots.im.pointer, from + row * length, isSine, z.re, z.im, length)
          if orthonormal { z.re[0] *= Scalar(2).squareRoot() }
        }
      }
    }
    let ordered = spectrum.inverseRealFourierTransform(length: length, scaling: .forward) * factor
    return eachRow(of: ordered) { from, to in kernels.restore(from, oddSign, to, length) }
  }

  // MARK: Type four

  func typeIV(_ x: Tensor<Scalar>) -> Tensor<Scalar> { length % 2 == 0 ? evenTypeIV(x) : oddTypeIV(x) }

  /// A complex transform of half the length between two turns.
  private func evenTypeIV(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let half = length / 2
    let roots = Scalar.fourier.typeIVRoots(length)
    let plan = Scalar.fourier.plan(half)
    var result = Tensor<Scalar>.unwritten(x.shape)
    let turned = ComplexTensor<Scalar>.writing(x.shape.replacing(x.rank - 1, with: half)) { z in
      x.withReading { from in
        eachRow(x.count) { row in
          let z = z + row * half
          kernels.beforeTypeIV(roots.re.pointer, roots.im.pointer, from + row * length, isSine, z.re, z.im, half)
        }
      }
      plan.transformRows(z, to: z, count: x.count / length, scale: 1)
    }
    result.withWriting { y in
      reading(turned) { z in
        eachRow(x.count) { row in
          let z = z + row * half
          kernels.afterTypeIV(
            roots.re.pointer, roots.im.pointer, z.re, z.im, 2 * factor, isSine, y + row * length, half)
        }
      }
    }
    return result
  }

  /// A complex transform of twice the length, of the turned row and zeros. Sines are cosines of the row read from its
  /// end, with alternating signs.
  private func oddTypeIV(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    let rows = x.reshaped([x.count / length, length])
    let before = Planes<Scalar>(count: length) { UnitRoot(-$0, of: 4 * length) }.tensor
    let after = Planes<Scalar>(count: length) { UnitRoot(-(2 * $0 + 1), of: 8 * length) }.tensor
    let read = ComplexTensor(sine ? backwards(rows) : rows)
    let spectrum = (read * before).fourierTransform(length: 2 * length)
    let result = (spectrum.resized(axis: 1, to: length) * after).real * (2 * factor)
    guard sine else { return result.reshaped(x.shape) }
    let signs = Tensor<Scalar>((0..<length).map { $0 % 2 == 0 ? 1 : -1 })
    return (result * signs).reshaped(x.shape)
  }

  // MARK: Rows

  /// A tensor of the shape of `x`, written row by row.
  private func eachRow(
    of x: Tensor<Scalar>, _ body: (UnsafePointer<Scalar>, UnsafeMutablePointer<Scalar>) -> Void
  ) -> Tensor<Scalar> {
    var result = Tensor<Scalar>.unwritten(x.shape)
    result.withWriting { y in
      x.withReading { from in eachRow(x.count) { row in body(from + row * length, y + row * length) } }
    }
    return result
  }

  private func eachRow(_ count: Int, _ body: (Int) -> Void) {
    parallelParts(count / length, work: count) { rows in
      for row in rows { body(row) }
    }
  }

  private func reading(_ x: ComplexTensor<Scalar>, _ body: (PlanePointers<Scalar>) -> Void) {
    x.real.withReading { re in x.imaginary.withReading { im in body(PlanePointers(re, im)) } }
  }
}

extension Planes {
  fileprivate var tensor: ComplexTensor<Scalar> {
    ComplexTensor(
      real: Tensor(Array(UnsafeBufferPointer(start: re.pointer, count: count))),
      imaginary: Tensor(Array(UnsafeBufferPointer(start: im.pointer, count: count))))
  }
}
