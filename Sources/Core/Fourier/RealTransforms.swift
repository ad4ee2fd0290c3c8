public import Tensors

extension Tensor where Scalar: FourierScalar {
  /// The Fourier transform of real numbers along one axis: elements 0...n/2 of the spectrum. The others are the
  /// conjugates of these, y[n - k] = conj(y[k]).
  ///
  /// - Parameters:
  ///   - axis: counted from the end when negative; its extent n must not be zero, and becomes n / 2 + 1.
  ///   - length: the number of elements to transform, if other than the extent: the rest is cut off, or zeros follow.
  /// - Complexity: about half a complex transform for even n, a complex one for odd n.
  public func realFourierTransform(
    axis: Int = -1, length: Int? = nil, scaling: FourierScaling = .inverse
  ) -> ComplexTensor<Scalar> {
    let x = resized(axis: axis, to: length)
    let layout = TransformAxis(TransformAxis.resolve(axis, shape: x.shape), shape: x.shape)
    if x.isDifferentiated { return x.differentiatedRealTransform(axis: layout.axis, scaling) }
    let last = rank - 1
    let factor = Scalar(scaling.factor(layout.length, inverse: false))
    guard layout.length % 2 == 0 else {
      let whole = ComplexTensor(x).transformed(axes: [layout.axis], scaling, inverse: false)
      return whole.resized(axis: layout.axis, to: layout.length / 2 + 1)
    }
    let plan = Scalar.fourier.realPlan(layout.length)
    if layout.width > 1, layout.isNarrow(Scalar.self) || !plan.transformsColumns {
      let rows = x.exchangingAxes(layout.axis, last)
      return rows.realFourierTransform(axis: last, scaling: scaling).exchangingAxes(layout.axis, last)
    }
    return ComplexTensor.writing(x.shape.replacing(layout.axis, with: layout.length / 2 + 1)) { y in
      x.withReading { x in
        if layout.width == 1 {
          plan.transformRows(x, to: y, count: layout.matrices, scale: factor)
        } else {
          plan.transformColumns(x, to: y, matrices: layout.matrices, width: layout.width, scale: factor)
        }
      }
    }
  }

  /// The transform of real numbers along several axes: real along the last that is named, complex along the others.
  ///
  /// - Precondition: `axes` is not empty.
  public func realFourierTransform(axes: [Int], scaling: FourierScaling = .inverse) -> ComplexTensor<Scalar> {
    guard let last = axes.last else { preconditionFailure("a real transform along no axis") }
    _ = TransformAxis.several(axes, shape: shape)
    return realFourierTransform(axis: last, scaling: scaling)
      .transformed(axes: axes.dropLast().map { $0 < 0 ? $0 + rank : $0 }, scaling, inverse: false)
  }
}

extension ComplexTensor where Scalar: FourierScalar {
  /// The inverse of ``Tensors/Tensor/realFourierTransform(axis:length:scaling:)``: `length` real numbers from the first
  /// length/2 + 1 elements of their spectrum.
  ///
  /// The imaginary part of element 0, and of element n/2 for even n, is taken as zero: the spectrum of real numbers has
  /// none.
  ///
  /// - Parameter length: n; by default the even one, 2 (m - 1) for an extent of m.
  public func inverseRealFourierTransform(
    axis: Int = -1, length: Int? = nil, scaling: FourierScaling = .inverse
  ) -> Tensor<Scalar> {
    let axis = TransformAxis.resolve(axis, shape: shape)
    let length = length ?? max(1, 2 * (shape[axis] - 1))
    precondition(length >= 1, "a spectrum of \(length) real numbers has no inverse")
    let x = resized(axis: axis, to: length / 2 + 1)
    if x.real.isDifferentiated || x.imaginary.isDifferentiated {
      return x.differentiatedInverseRealTransform(axis: axis, length: length, scaling)
    }
    let layout = TransformAxis(axis, shape: x.shape)
    let last = shape.count - 1
    let factor = Scalar(scaling.factor(length, inverse: true))
    guard length % 2 == 0 else {
      return x.mirrored(axis: axis).transformed(axes: [axis], scaling, inverse: true).real
    }
    let plan = Scalar.fourier.realPlan(length)
    if layout.width > 1, layout.isNarrow(Scalar.self) || !plan.transformsColumns {
      let rows = x.exchangingAxes(axis, last)
      return rows.inverseRealFourierTransform(axis: last, length: length, scaling: scaling).exchangingAxes(axis, last)
    }
    var result = Tensor<Scalar>.unwritten(x.shape.replacing(axis, with: length))
    result.withWriting { y in
      x.real.withReading { re in
        x.imaginary.withReading { im in
          let x = PlanePointers(re, im)
          if layout.width == 1 {
            plan.invertRows(x, to: y, count: layout.matrices, scale: factor)
          } else {
            plan.invertColumns(x, to: y, matrices: layout.matrices, width: layout.width, scale: factor)
          }
        }
      }
    }
    return result
  }

  /// The inverse of ``Tensors/Tensor/realFourierTransform(axes:scaling:)``.
  ///
  /// - Parameter length: the extent of the last named axis in the result; by default the even one.
  public func inverseRealFourierTransform(
    axes: [Int], length: Int? = nil, scaling: FourierScaling = .inverse
  ) -> Tensor<Scalar> {
    guard let last = axes.last else { preconditionFailure("a real transform along no axis") }
    _ = TransformAxis.several(axes, shape: shape)
    return transformed(axes: Array(axes.dropLast()), scaling, inverse: true)
      .inverseRealFourierTransform(axis: last, length: length, scaling: scaling)
  }

  /// The whole spectrum of an odd number of real numbers from its first half.
  private func mirrored(axis: Int) -> ComplexTensor {
    let count = shape[axis]
    guard count > 1 else { return ComplexTensor(real) }
    let first = Tensor.concatenated(
      [.zeros(shape.replacing(axis, with: 1)), imaginary.slice(axis: axis, 1..<count)], axis: axis)
    func backwards(_ part: Tensor<Scalar>) -> Tensor<Scalar> {
      part.slice(axis: axis, 1..<count).reversed(axis: axis)
    }
    return ComplexTensor(
      real: Tensor.concatenated([real, backwards(real)], axis: axis),
      imaginary: Tensor.concatenated([first, -backwards(imaginary)], axis: axis))
  }
}

extension [Int] {
  func replacing(_ position: Int, with extent: Int) -> [Int] {
    var result = self
    result[position] = extent
    return result
  }
}
