public import Tensors

/// Which boundaries a cosine or sine transform assumes: of n + 1/2 steps, or of n.
///
/// With plain scaling, cosines: I: y[k] = x[0] + (-1)^k x[n-1] + 2 Σ x[j] cos(π jk/(n-1)), the sum without both ends;
/// II: y[k] = 2 Σ x[j] cos(π k(2j+1)/(2n)); III: y[k] = x[0] + 2 Σ x[j] cos(π j(2k+1)/(2n)), j > 0;
/// IV: y[k] = 2 Σ x[j] cos(π(2k+1)(2j+1)/(4n)). Sines: I: y[k] = 2 Σ x[j] sin(π(k+1)(j+1)/(n+1));
/// II: y[k] = 2 Σ x[j] sin(π(k+1)(2j+1)/(2n)); III: y[k] = (-1)^k x[n-1] + 2 Σ x[j] sin(π(j+1)(2k+1)/(2n)), j < n-1;
/// IV: y[k] = 2 Σ x[j] sin(π(2k+1)(2j+1)/(4n)). These are SciPy's definitions.
public enum TrigonometricType: Sendable, Hashable, CaseIterable {
  case one, two, three, four

  var inverse: TrigonometricType {
    switch self {
    case .two: .three
    case .three: .two
    case .one, .four: self
    }
  }
}

/// The scaling of cosine and sine transforms.
public enum TrigonometricScaling: Sendable, Hashable {
  /// The sums as defined; the inverse divides by 2 n, or by 2 (n - 1) for cosines and 2 (n + 1) for sines of type one.
  case plain
  /// Orthonormal matrices: the inverse is the transpose.
  case orthonormal
}

extension Tensor where Scalar: FourierScalar {
  /// The discrete cosine transform along one axis; ``TrigonometricType`` has the definitions.
  ///
  /// Derivatives flow through it, to any order.
  ///
  /// - Precondition: the axis has an element, for type one two.
  /// - Complexity: O(n log n) for each sequence, that of a real Fourier transform of length n (types two and three), of
  ///   2 n (type one) or of a complex one of n / 2 (type four; for odd n, of 2 n).
  public func cosineTransform(
    _ type: TrigonometricType = .two, axis: Int = -1, scaling: TrigonometricScaling = .plain
  ) -> Tensor {
    trigonometric(type, sine: false, inverse: false, axis, scaling)
  }

  /// The inverse of ``cosineTransform(_:axis:scaling:)`` of the same type and scaling.
  public func inverseCosineTransform(
    _ type: TrigonometricType = .two, axis: Int = -1, scaling: TrigonometricScaling = .plain
  ) -> Tensor {
    trigonometric(type.inverse, sine: false, inverse: true, axis, scaling)
  }

  /// The discrete sine transform along one axis; ``TrigonometricType`` has the definitions.
  ///
  /// - Precondition: the axis has an element.
  /// - Complexity: as for cosines.
  public func sineTransform(
    _ type: TrigonometricType = .two, axis: Int = -1, scaling: TrigonometricScaling = .plain
  ) -> Tensor {
    trigonometric(type, sine: true, inverse: false, axis, scaling)
  }

  /// The inverse of ``sineTransform(_:axis:scaling:)`` of the same type and scaling.
  public func inverseSineTransform(
    _ type: TrigonometricType = .two, axis: Int = -1, scaling: TrigonometricScaling = .plain
  ) -> Tensor {
    trigonometric(type.inverse, sine: true, inverse: true, axis, scaling)
  }

  private func trigonometric(
    _ type: TrigonometricType, sine: Bool, inverse: Bool, _ axis: Int, _ scaling: TrigonometricScaling
  ) -> Tensor {
    let axis = TransformAxis.resolve(axis, shape: shape)
    let length = shape[axis]
    precondition(
      type != .one || sine || length > 1, "a cosine transform of type one needs two elements, the shape is \(shape)")
    if isDifferentiated {
      return differentiatedTrigonometric(type, sine: sine, axis: axis, scaling) { x, type in
        x.trigonometric(type, sine: sine, inverse: inverse, axis, scaling)
      }
    }
    let period = type == .one ? 2 * (sine ? length + 1 : length - 1) : 2 * length
    let isOrthonormal = scaling == .orthonormal
    let factor = isOrthonormal ? 1 / Double(period).squareRoot() : inverse ? 1 / Double(period) : 1
    let rows = TrigonometricRows<Scalar>(length: length, factor: Scalar(factor), sine: sine, orthonormal: isOrthonormal)
    let x = exchangingAxes(axis, rank - 1)
    let y =
      switch type {
      case .one: rows.typeI(x)
      case .two: rows.typeII(x)
      case .three: rows.typeIII(x)
      case .four: rows.typeIV(x)
      }
    return y.exchangingAxes(axis, rank - 1)
  }
}
