public import Tensors

/// Where the factor goes that makes the inverse transform of a transform the input again.
public enum FourierScaling: Sendable, Hashable {
  /// 1 / n with the inverse transform.
  case inverse
  /// 1 / sqrt(n) with both, which are then unitary.
  case unitary
  /// 1 / n with the forward transform.
  case forward

  /// The factor of one transform of `length` elements.
  func factor(_ length: Int, inverse: Bool) -> Double {
    switch self {
    case .unitary: 1 / Double(length).squareRoot()
    case .inverse: inverse ? 1 / Double(length) : 1
    case .forward: inverse ? 1 : 1 / Double(length)
    }
  }

  /// The scaling that gives the inverse transform the factor of the forward one, and the other way round.
  var exchanged: FourierScaling {
    switch self {
    case .unitary: .unitary
    case .inverse: .forward
    case .forward: .inverse
    }
  }
}

extension ComplexTensor where Scalar: FourierScalar {
  /// The discrete Fourier transform along one axis: y[k] = Σ x[j] exp(-2πi jk/n), times the factor of `scaling`.
  ///
  /// Every length is fast: butterflies for small prime factors, Rader's and Bluestein's convolutions for large ones. The
  /// relative error, in the root of the mean square, is a few roundings times log n. Transforms along one axis do not
  /// mix: a NaN stays in its own. The result does not depend on the number of threads. Derivatives flow through all
  /// transforms, to any order.
  ///
  /// - Parameters:
  ///   - axis: counted from the end when negative; its extent must not be zero.
  ///   - length: the number of elements to transform, if other than the extent: the rest is cut off, or zeros follow.
  /// - Complexity: O(n log n) for each sequence; plans are kept.
  public func fourierTransform(
    axis: Int = -1, length: Int? = nil, scaling: FourierScaling = .inverse
  ) -> ComplexTensor {
    resized(axis: axis, to: length).transformed(axes: [axis], scaling, inverse: false)
  }

  /// The inverse of ``fourierTransform(axis:length:scaling:)``: x[j] = (1/n) Σ y[k] exp(2πi jk/n).
  public func inverseFourierTransform(
    axis: Int = -1, length: Int? = nil, scaling: FourierScaling = .inverse
  ) -> ComplexTensor {
    resized(axis: axis, to: length).transformed(axes: [axis], scaling, inverse: true)
  }

  /// The transform along several axes, or along every one: the n-dimensional transform.
  public func fourierTransform(axes: [Int], scaling: FourierScaling = .inverse) -> ComplexTensor {
    transformed(axes: axes, scaling, inverse: false)
  }

  /// The inverse of ``fourierTransform(axes:scaling:)``.
  public func inverseFourierTransform(axes: [Int], scaling: FourierScaling = .inverse) -> ComplexTensor {
    transformed(axes: axes, scaling, inverse: true)
  }

  // MARK: How

  func transformed(axes: [Int], _ scaling: FourierScaling, inverse: Bool) -> ComplexTensor {
    if real.isDifferentiated || imaginary.isDifferentiated {
      return differentiated { x in
        (
          x.transformed(axes: axes, scaling, inverse: inverse),
          { $0.transformed(axes: axes, scaling.exchanged, inverse: !inverse) }
        )
      }
    }
    let layouts = TransformAxis.several(axes, shape: shape)
    var result = self
    for (position, layout) in layouts.reversed().enumerated() {
      let factor = Scalar(scaling.factor(layout.length, inverse: inverse))
      if layout.isNarrow(Scalar.self) {
        // Few columns would leave most lanes idle: as rows, they are many.
        let rows = result.exchangingAxes(layout.axis, shape.count - 1)
        let moved = TransformAxis(shape.count - 1, shape: rows.shape)
        result = rows.transformed(moved, inPlace: false, factor, inverse: inverse)
          .exchangingAxes(layout.axis, shape.count - 1)
      } else {
        result = result.transformed(layout, inPlace: position > 0, factor, inverse: inverse)
      }
    }
    return result
  }

  private consuming func transformed(
    _ layout: TransformAxis, inPlace: Bool, _ factor: Scalar, inverse: Bool
  ) -> ComplexTensor {
    let plan = Scalar.fourier.plan(layout.length)
    func run(_ x: PlanePointers<Scalar>, _ y: PlanePointers<Scalar>) {
      let from = inverse ? x.exchanged : x
      let to = inverse ? y.exchanged : y
      if layout.width == 1 {
        plan.transformRows(from, to: to, count: layout.matrices, scale: factor)
      } else {
        plan.transformColumns(from, to: to, matrices: layout.matrices, width: layout.width, scale: factor)
      }
    }
    if inPlace {
      real.withWriting { re in
        imaginary.withWriting { im in run(PlanePointers(re, im), PlanePointers(re, im)) }
      }
      return self
    }
    return ComplexTensor.writing(shape) { y in
      real.withReading { re in imaginary.withReading { im in run(PlanePointers(re, im), y) } }
    }
  }

  /// A new tensor whose elements `body` writes, all of them.
  static func writing(_ shape: [Int], _ body: (PlanePointers<Scalar>) -> Void) -> ComplexTensor {
    var imaginary = Tensor<Scalar>.unwritten(shape)
    var real = Tensor<Scalar>.unwritten(shape)
    real.withWriting { re in imaginary.withWriting { im in body(PlanePointers(re, im)) } }
    return ComplexTensor(real: real, imaginary: imaginary)
  }

  func exchangingAxes(_ a: Int, _ b: Int) -> ComplexTensor {
    ComplexTensor(real: real.exchangingAxes(a, b), imaginary: imaginary.exchangingAxes(a, b))
  }

  func resized(axis: Int, to length: Int?) -> ComplexTensor {
    guard let length else { return self }
    return ComplexTensor(
      real: real.resized(axis: axis, to: length), imaginary: imaginary.resized(axis: axis, to: length))
  }
}

/// An axis to transform along: the tensor is `matrices` matrices of shape [length, width].
struct TransformAxis {
  let axis: Int
  let length: Int
  let matrices: Int
  let width: Int

  init(_ axis: Int, shape: [Int]) {
    self.axis = axis
    length = shape[axis]
    matrices = shape[..<axis].reduce(1, *)
    width = shape[(axis + 1)...].reduce(1, *)
  }

  /// Distinct axes in increasing order; traps on an axis that there is not, that is named twice, or without elements.
  static func several(_ axes: [Int], shape: [Int]) -> [TransformAxis] {
    let resolved = axes.map { resolve($0, shape: shape) }.sorted()
    precondition(Set(resolved).count == resolved.count, "an axis is named twice in \(axes)")
    return resolved.map { TransformAxis($0, shape: shape) }
  }

  static func resolve(_ axis: Int, shape: [Int]) -> Int {
    let resolved = axis < 0 ? axis + shape.count : axis
    precondition(shape.indices.contains(resolved), "axis \(axis) of a tensor with \(shape.count) axes")
    precondition(shape[resolved] > 0, "nothing to transform along axis \(axis) of shape \(shape)")
    return resolved
  }

  /// Whether columns are so few that they had better be rows.
  func isNarrow<Scalar: FourierScalar>(_ scalar: Scalar.Type) -> Bool {
    width > 1 && width < Scalar.fourier.kernels.lanes && matrices * width > width
  }
}

extension Tensor where Scalar: FourierScalar {
  /// The first `length` elements along an axis, or all of them with zeros behind.
  func resized(axis: Int, to length: Int?) -> Tensor {
    guard let length else { return self }
    precondition(length > 0, "a transform of length \(length)")
    let axis = axis < 0 ? axis + rank : axis
    precondition(shape.indices.contains(axis), "axis \(axis) of a tensor with \(rank) axes")
    if length == shape[axis] { return self }
    if length < shape[axis] { return slice(axis: axis, 0..<length) }
    return padded(shape.indices.map { (before: 0, after: $0 == axis ? length - shape[axis] : 0) })
  }
}
