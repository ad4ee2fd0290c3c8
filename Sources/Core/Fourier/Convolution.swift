public import Tensors

/// Which part of a convolution is wanted, for extents n and m.
public enum ConvolutionExtent: Sendable, Hashable {
  /// Every overlap, the partial ones too: n + m - 1.
  case full
  /// The middle of it, as long as the first operand: n.
  case same
  /// Where the shorter one overlaps the longer one wholly: |n - m| + 1.
  case valid
}

extension Tensor where Scalar: FourierScalar {
  /// The convolution of two vectors, or of two tensors along every axis: y[k] = Σ x[j] kernel[k - j].
  ///
  /// Short kernels are applied as they stand, larger ones by Fourier transforms; a kernel much shorter than a long
  /// vector, block by block (overlap-add). The absolute error is a few roundings times the largest possible sum.
  /// Derivatives flow to both operands, to any order.
  ///
  /// - Precondition: equal ranks of at least one, no empty axis; for `valid`, one operand is at least as long as the other
  ///   along every axis.
  /// - Complexity: for vectors O(n log m), m the shorter length; otherwise O(N log N) for N elements of the full result.
  public func convolved(with kernel: Tensor, _ extent: ConvolutionExtent = .full) -> Tensor {
    precondition(
      rank == kernel.rank && rank > 0 && !isEmpty && !kernel.isEmpty,
      "a convolution of shapes \(shape) and \(kernel.shape)")
    let full =
      isDifferentiated || kernel.isDifferentiated
      ? differentiatedConvolution(with: kernel)
      : rank == 1 ? fullConvolution(with: kernel) : fullConvolutionOfAllAxes(with: kernel)
    switch extent {
    case .full: return full
    case .same: return full.middle(shape)
    case .valid:
      let differences = zip(shape, kernel.shape).map { $0 - $1 }
      precondition(
        differences.allSatisfy { $0 >= 0 } || differences.allSatisfy { $0 <= 0 },
        "neither of shapes \(shape) and \(kernel.shape) fits into the other")
      return full.middle(differences.map { abs($0) + 1 })
    }
  }

  /// The correlation with a template: y[k] = Σ x[j + k] template[j], with k from -(m - 1) on for `full`.
  ///
  /// This is the convolution with the template read backwards along every axis.
  ///
  /// - Precondition: as for ``convolved(with:_:)``.
  public func correlated(with template: Tensor, _ extent: ConvolutionExtent = .full) -> Tensor {
    convolved(with: template.reversed(axes: Array(template.shape.indices)), extent)
  }

  // MARK: How

  /// Below this length of a kernel, sums of shifted vectors are faster than transforms.
  private static var longestDirectKernel: Int { 32 }

  private func fullConvolution(with kernel: Tensor) -> Tensor {
    if kernel.count > count { return kernel.fullConvolution(with: self) }
    if kernel.count <= Self.longestDirectKernel { return directConvolution(with: kernel) }
    let length = count + kernel.count - 1
    // Blocks four to eight times as long as the kernel waste little, and stay in the caches.
    let block = Length.fast(atLeast: Swift.max(4 * kernel.count, 1 << 12))
    return length <= 2 * block ? cyclicConvolution(with: kernel, length: length) : overlapAdd(kernel, block: block)
  }

  private func directConvolution(with kernel: Tensor) -> Tensor {
    var result = Tensor.zeros([count + kernel.count - 1])
    let (count, taps) = (self.count, kernel.count)
    result.withWriting { y in
      withUnsafeBuffer { x in
        kernel.withUnsafeBuffer { kernel in
          guard let x = x.baseAddress, let kernel = kernel.baseAddress else { return }
          // In pieces that stay in the first cache while every kernel element passes over them.
          let piece = 2048
          for start in stride(from: 0, to: count, by: piece) {
            let length = Swift.min(piece, count - start)
            for j in 0..<taps {
              let to = y + start + j
              Scalar.multiplyAdd(
                x + start, strideA: 1, kernel + j, strideB: 0, to, strideC: 1, to, count: length)
            }
          }
        }
      }
    }
    return result
  }

  private func cyclicConvolution(with kernel: Tensor, length: Int) -> Tensor {
    let padded = Length.fast(atLeast: length)
    let spectrum = realFourierTransform(length: padded).product(with: kernel.realFourierTransform(length: padded))
    return spectrum.inverseRealFourierTransform(length: padded).slice(axis: 0, 0..<length)
  }

  /// Blocks of the vector are convolved apart; where the results overlap they add up.
  private func overlapAdd(_ kernel: Tensor, block: Int) -> Tensor {
    let length = count + kernel.count - 1
    let step = block - kernel.count + 1
    let blocks = (length + step - 1) / step
    let rows = resized(axis: 0, to: blocks * step).reshaped([blocks, step])
    let spectrum = rows.realFourierTransform(length: block).product(with: kernel.realFourierTransform(length: block))
    let parts = spectrum.inverseRealFourierTransform(length: block)
    var result = parts[.all, 0..<step].dense
    let overlap = kernel.count - 1
    result[1..<blocks, 0..<overlap] = result[1..<blocks, 0..<overlap] + parts[0..<blocks - 1, step..<block]
    return result.reshaped([blocks * step]).slice(axis: 0, 0..<length)
  }

  private func fullConvolutionOfAllAxes(with kernel: Tensor) -> Tensor {
    let lengths = zip(shape, kernel.shape).map { $0 + $1 - 1 }
    let padded = lengths.map { Length.fast(atLeast: $0) }
    let axes = Array(shape.indices)
    func spectrum(_ x: Tensor) -> ComplexTensor<Scalar> {
      x.padded(axes.map { (before: 0, after: padded[$0] - x.shape[$0]) }).realFourierTransform(axes: axes)
    }
    var result = spectrum(self).product(with: spectrum(kernel))
      .inverseRealFourierTransform(axes: axes, length: padded[rank - 1])
    for axis in axes { result = result.slice(axis: axis, 0..<lengths[axis]) }
    return result.dense
  }

  /// The centre of this tensor, of shape `extents`; of two centres, the earlier one.
  private func middle(_ extents: [Int]) -> Tensor {
    var result = self
    for (axis, extent) in extents.enumerated() {
      let start = (shape[axis] - extent) / 2
      result = result.slice(axis: axis, start..<start + extent)
    }
    return result.dense
  }

  /// Read from the end along `axes`.
  func reversed(axes: [Int]) -> Tensor {
    axes.reduce(self) { $0.reversed(axis: $1) }
  }
}

extension ComplexTensor where Scalar: FourierScalar {
  /// The element-wise product with a tensor of the same shape, or with one for each row.
  func product(with other: ComplexTensor) -> ComplexTensor {
    let kernels = Scalar.fourier.kernels
    let columns = other.real.count
    return ComplexTensor.writing(shape) { y in
      real.withReading { re in
        imaginary.withReading { im in
          other.real.withReading { otherRe in
            other.imaginary.withReading { otherIm in
              parallelParts(real.count / columns, work: real.count) { rows in
                for row in rows {
                  let at = row * columns
                  kernels.multiply(re + at, im + at, otherRe, otherIm, 1, y.re + at, y.im + at, columns)
                }
              }
            }
          }
        }
      }
    }
  }
}
