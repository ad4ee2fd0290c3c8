// Derivatives of transforms, which are linear: the cotangent of x under y = F x is the adjoint, Fᴴ g, again a transform.

import Tensors

extension ComplexTensor where Scalar: FourierScalar {
  /// The value of a linear map of complex tensors, differentiated by its adjoint. Of a real part's cotangent, what is
  /// missing counts as zero.
  func differentiated(
    _ rule: (ComplexTensor) -> (value: ComplexTensor, adjoint: (ComplexTensor) -> ComplexTensor)
  ) -> ComplexTensor {
    let parts = customDerivatives(at: [real, imaginary]) { arguments in
      let (value, adjoint) = rule(ComplexTensor(real: arguments[0], imaginary: arguments[1]))
      return (
        [value.real, value.imaginary],
        { cotangents, _ in
          let back = adjoint(ComplexTensor(cotangents, shape: value.shape))
          return [back.real, back.imaginary]
        }
      )
    }
    return ComplexTensor(real: parts[0], imaginary: parts[1])
  }

  fileprivate init(_ parts: [Tensor<Scalar>?], shape: [Int]) {
    self.init(real: parts[0] ?? .zeros(shape), imaginary: parts[1] ?? .zeros(shape))
  }

  /// Half a spectrum with its inner elements, which stand for two each, times `factor`.
  fileprivate func weighted(axis: Int, length: Int, by factor: Scalar) -> ComplexTensor {
    let count = shape[axis]
    let weights = Tensor<Scalar>((0..<count).map { $0 == 0 || 2 * $0 == length ? 1 : factor })
      .reshaped([count] + [Int](repeating: 1, count: shape.count - 1 - axis))
    return ComplexTensor(real: real * weights, imaginary: imaginary * weights)
  }
}

extension Tensor where Scalar: FourierScalar {
  /// The real transform along an axis, counted from the start, of a tensor that is being differentiated.
  ///
  /// The inverse counts inner elements of the half spectrum twice, its adjoint once.
  func differentiatedRealTransform(axis: Int, _ scaling: FourierScaling) -> ComplexTensor<Scalar> {
    let length = shape[axis]
    let parts = customDerivatives(at: [self]) { arguments in
      let spectrum = arguments[0].realFourierTransform(axis: axis, scaling: scaling)
      return (
        [spectrum.real, spectrum.imaginary],
        { cotangents, _ in
          let g = ComplexTensor(cotangents, shape: spectrum.shape)
          let back = g.weighted(axis: axis, length: length, by: 0.5)
            .inverseRealFourierTransform(axis: axis, length: length, scaling: scaling.exchanged)
          return [back]
        }
      )
    }
    return ComplexTensor(real: parts[0], imaginary: parts[1])
  }
}

extension ComplexTensor where Scalar: FourierScalar {
  /// The inverse real transform along an axis, counted from the start, of the length / 2 + 1 elements of a spectrum that
  /// is being differentiated.
  func differentiatedInverseRealTransform(axis: Int, length: Int, _ scaling: FourierScaling) -> Tensor<Scalar> {
    customDerivatives(at: [real, imaginary]) { arguments in
      let x = ComplexTensor(real: arguments[0], imaginary: arguments[1])
      return (
        [x.inverseRealFourierTransform(axis: axis, length: length, scaling: scaling)],
        { cotangents, _ in
          guard let g = cotangents[0] else { return [nil, nil] }
          let back = g.realFourierTransform(axis: axis, scaling: scaling.exchanged)
            .weighted(axis: axis, length: length, by: 2)
          return [back.real, back.imaginary]
        }
      )
    }[0]
  }
}

extension TrigonometricType {
  /// By what the transposed transform of plain scaling differs from that of the inverse type: factors of the element
  /// that the definitions take once instead of twice, before and after it.
  fileprivate func endFactors(sine: Bool) -> (before: Double, after: Double) {
    switch self {
    case .one: sine ? (1, 1) : (2, 0.5)
    case .two: (2, 1)
    case .three: (1, 0.5)
    case .four: (1, 1)
    }
  }

  /// Which elements those are: for cosines of type one both ends, otherwise the first cosine or the last sine.
  fileprivate func isEnd(_ i: Int, length: Int, sine: Bool) -> Bool {
    self == .one ? i == 0 || i == length - 1 : i == (sine ? length - 1 : 0)
  }
}

extension Tensor where Scalar: FourierScalar {
  /// A cosine or sine transform along an axis of a tensor that is being differentiated.
  func differentiatedTrigonometric(
    _ type: TrigonometricType, sine: Bool, axis: Int, _ scaling: TrigonometricScaling,
    _ transform: @escaping (Tensor, TrigonometricType) -> Tensor
  ) -> Tensor {
    let length = shape[axis]
    let ends = scaling == .plain ? type.endFactors(sine: sine) : (1, 1)
    func weights(_ factor: Double) -> Tensor {
      Tensor((0..<length).map { type.isEnd($0, length: length, sine: sine) ? Scalar(factor) : 1 })
        .reshaped([length] + [Int](repeating: 1, count: rank - 1 - axis))
    }
    let (before, after) = (weights(ends.0), weights(ends.1))
    return customDerivative(at: self) { x in
      (transform(x, type), { g in transform(g * before, type.inverse) * after })
    }
  }

  /// The full convolution of operands of which one is being differentiated: the cotangent of each is the correlation of
  /// the result's with the other one.
  func differentiatedConvolution(with kernel: Tensor) -> Tensor {
    customDerivatives(at: [self, kernel]) { arguments in
      let (x, kernel) = (arguments[0], arguments[1])
      return (
        [x.convolved(with: kernel)],
        { cotangents, wanted in
          guard let g = cotangents[0] else { return [nil, nil] }
          return [
            wanted[0] ? g.correlated(with: kernel, .valid) : nil, wanted[1] ? g.correlated(with: x, .valid) : nil,
          ]
        }
      )
    }[0]
  }
}
