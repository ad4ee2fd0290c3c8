public import Tensors

extension Tensor where Scalar: FourierScalar {
  /// The frequencies of the elements of a spectrum of `count` samples: 0, 1, ..., then the negative ones up to -1,
  /// divided by count * spacing. In cycles per unit of `spacing`.
  public static func fourierFrequencies(count: Int, spacing: Scalar = 1) -> Tensor {
    precondition(count > 0, "the frequencies of \(count) samples")
    let period = Scalar(count) * spacing
    return Tensor((0..<count).map { Scalar($0 < (count + 1) / 2 ? $0 : $0 - count) / period })
  }

  /// The frequencies of a half spectrum, as real input has it: 0, 1, ..., count / 2, divided by count * spacing.
  public static func realFourierFrequencies(count: Int, spacing: Scalar = 1) -> Tensor {
    precondition(count > 0, "the frequencies of \(count) samples")
    let period = Scalar(count) * spacing
    return Tensor((0...count / 2).map { Scalar($0) / period })
  }

  /// The same elements with frequency zero in the middle of each of `axes`, of all axes by default: rolled by n / 2.
  public func zeroFrequencyCentred(axes: [Int]? = nil) -> Tensor { rolled(axes) { $0 / 2 } }

  /// The inverse of ``zeroFrequencyCentred(axes:)``.
  public func zeroFrequencyFirst(axes: [Int]? = nil) -> Tensor { rolled(axes) { ($0 + 1) / 2 } }

  private func rolled(_ axes: [Int]?, by shift: (Int) -> Int) -> Tensor {
    var result = self
    for axis in axes ?? Array(shape.indices) where !isEmpty {
      let axis = TransformAxis.resolve(axis, shape: shape)
      let count = shape[axis]
      let first = count - shift(count)
      result = Tensor.concatenated(
        [result.slice(axis: axis, first..<count), result.slice(axis: axis, 0..<first)], axis: axis)
    }
    return result
  }

  // MARK: Windows

  /// The Hann window sin²(π j / n); symmetric, with zeros at both ends, unless `periodic`: then the n first elements of
  /// the symmetric window of n + 1, as frames of a longer signal want it.
  public static func hannWindow(_ count: Int, periodic: Bool = true) -> Tensor {
    cosineWindow(count, periodic, mean: 0.5)
  }

  /// The Hamming window, 0.54 - 0.46 cos(2π j / n).
  public static func hammingWindow(_ count: Int, periodic: Bool = true) -> Tensor {
    cosineWindow(count, periodic, mean: 0.54)
  }

  private static func cosineWindow(_ count: Int, _ periodic: Bool, mean: Double) -> Tensor {
    precondition(count > 0, "a window of \(count) elements")
    let period = periodic ? count : count - 1
    return Tensor(
      (0..<count).map { j in period == 0 ? 1 : Scalar(mean - (1 - mean) * UnitRoot(j, of: period).real) })
  }
}

extension ComplexTensor where Scalar: FourierScalar {
  /// The same elements with frequency zero in the middle of each of `axes`, of all axes by default.
  public func zeroFrequencyCentred(axes: [Int]? = nil) -> ComplexTensor {
    ComplexTensor(real: real.zeroFrequencyCentred(axes: axes), imaginary: imaginary.zeroFrequencyCentred(axes: axes))
  }

  /// The inverse of ``zeroFrequencyCentred(axes:)``.
  public func zeroFrequencyFirst(axes: [Int]? = nil) -> ComplexTensor {
    ComplexTensor(real: real.zeroFrequencyFirst(axes: axes), imaginary: imaginary.zeroFrequencyFirst(axes: axes))
  }
}
