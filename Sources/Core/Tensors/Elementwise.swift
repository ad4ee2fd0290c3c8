// Element-wise arithmetic and functions, with their derivatives.

extension Tensor where Scalar: NumericScalar {
  /// `operation` on two tensors whose shapes broadcast; no derivative is recorded.
  static func apply(_ operation: BinaryOperation, _ a: Tensor, _ b: Tensor) -> Tensor {
    combine(a, b, name: "\(operation)", grain: operation.grain) { a, strideA, b, strideB, result, count in
      Scalar.apply(operation, a, strideA: strideA, b, strideB: strideB, result, count: count)
    }
  }

  func apply(_ operation: UnaryOperation) -> Tensor {
    let result = Tensor(uninitializedShape: shape)
    let source = dense
    let from = Foreign(source.base)
    let to = Foreign(result.base)
    withExtendedLifetime((source.storage, result.storage)) {
      parallelRanges(count, grain: operation.grain) { range in
        Scalar.apply(
          operation, from.pointer + range.lowerBound, strideA: 1, to.mutable + range.lowerBound, count: range.count)
      }
    }
    return result
  }
}

extension UnaryOperation {
  /// Elements that take a microsecond or so.
  fileprivate var grain: Int { (Self.cbrt.rawValue...Self.softplus.rawValue).contains(rawValue) ? 1 << 12 : 1 << 13 }
}

extension BinaryOperation {
  fileprivate var grain: Int {
    switch self {
    case .power, .atan2, .hypot, .modulo: 1 << 12
    default: 1 << 14
    }
  }
}

/// A loop over two strided runs into a dense one.
typealias PairLoop<A, R> = (UnsafePointer<A>, Int, UnsafePointer<A>, Int, UnsafeMutablePointer<R>, Int) -> Void

/// Walks two tensors over their common shape; runs of equal, dense or single-number operands take one call.
func combine<A: TensorScalar, R: TensorScalar>(
  _ a: Tensor<A>, _ b: Tensor<A>, name: @autoclosure () -> String, grain: Int = 1 << 14, _ loop: PairLoop<A, R>
) -> Tensor<R> {
  if a.isDense && b.isDense
    && (a.shape == b.shape || (b.count == 1 && b.rank <= a.rank) || (a.count == 1 && a.rank <= b.rank))
  {
    let shape = a.count == 1 && b.rank >= a.rank ? b.shape : a.shape
    let result = Tensor<R>(uninitializedShape: shape)
    let strideA = a.count == 1 ? 0 : 1
    let strideB = b.count == 1 ? 0 : 1
    withExtendedLifetime((a.storage, b.storage, result.storage)) {
      if result.count < 2 * grain {
        loop(a.base, strideA, b.base, strideB, result.base, result.count)
      } else {
        let x = Foreign(a.base)
        let y = Foreign(b.base)
        let z = Foreign(result.base)
        parallelRanges(result.count, grain: grain) { range in
          loop(
            x.pointer + range.lowerBound * strideA, strideA, y.pointer + range.lowerBound * strideB, strideB,
            z.mutable + range.lowerBound, range.count)
        }
      }
    }
    return result
  }
  let shape = Shape.broadcast(a.shape, b.shape, for: name())
  let a = a.broadcast(to: shape)
  let b = b.broadcast(to: shape)
  let walk = StridedWalk(shape: shape, strides: [a.strides, b.strides])
  if walk.innerCount < 32 && walk.outerCount > 32 {
    // Short runs would be all overhead: lay the operands out first.
    return combine(a.copiedUnlessDense, b.copiedUnlessDense, name: name(), grain: grain, loop)
  }
  let result = Tensor<R>(uninitializedShape: shape)
  guard result.count > 0 else { return result }
  withExtendedLifetime((a.storage, b.storage, result.storage)) {
    let x = Foreign(a.base)
    let y = Foreign(b.base)
    let z = Foreign(result.base)
    let inner = walk.innerCount
    let strideA = walk.innerStride(0)
    let strideB = walk.innerStride(1)
    if walk.outerCount == 1 {
      parallelRanges(inner, grain: grain) { range in
        let start = range.lowerBound
        loop(x.pointer + start * strideA, strideA, y.pointer + start * strideB, strideB, z.mutable + start, range.count)
      }
    } else {
      parallelRanges(walk.outerCount, grain: max(1, grain / inner)) { rows in
        walk.forEachRow(in: rows) { row, offsets in
          loop(x.pointer + offsets[0], strideA, y.pointer + offsets[1], strideB, z.mutable + row * inner, inner)
        }
      }
    }
  }
  return result
}

extension Tensor {
  fileprivate var copiedUnlessDense: Tensor { isDense ? self : copied() }
}

// MARK: Arithmetic of all numbers

extension Tensor where Scalar: NumericScalar {
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.add, a, b) }
    return recordElementwise(tape, a, b) { a, b in (a + b, { $0 }, { $0 }) }
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public static func - (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.subtract, a, b) }
    return recordElementwise(tape, a, b) { a, b in (a - b, { $0 }, { -$0 }) }
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public static func * (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.multiply, a, b) }
    return recordElementwise(tape, a, b) { a, b in (a * b, { $0 * b }, { $0 * a }) }
  }

  /// The quotient; of integers, cut towards zero.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.divide, a, b) }
    return recordElementwise(tape, a, b) { a, b in
      let quotient = a / b
      return (quotient, { $0 / b }, { -($0 * quotient) / b })
    }
  }

  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public static prefix func - (a: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace) else { return a.apply(.negate) }
    return record(tape, a, onParameter: .leadingAxes) { a in (-a, { -$0 }) }
  }

  public static func + (a: Tensor, b: Scalar) -> Tensor { a + Tensor(b) }
  public static func + (a: Scalar, b: Tensor) -> Tensor { Tensor(a) + b }
  public static func - (a: Tensor, b: Scalar) -> Tensor { a - Tensor(b) }
  public static func - (a: Scalar, b: Tensor) -> Tensor { Tensor(a) - b }
  public static func * (a: Tensor, b: Scalar) -> Tensor { a * Tensor(b) }
  public static func * (a: Scalar, b: Tensor) -> Tensor { Tensor(a) * b }
  public static func / (a: Tensor, b: Scalar) -> Tensor { a / Tensor(b) }
  public static func / (a: Scalar, b: Tensor) -> Tensor { Tensor(a) / b }

  public static func += (a: inout Tensor, b: Tensor) { a.update(.add, b) { $0 + $1 } }
  public static func -= (a: inout Tensor, b: Tensor) { a.update(.subtract, b) { $0 - $1 } }
  public static func *= (a: inout Tensor, b: Tensor) { a.update(.multiply, b) { $0 * $1 } }
  public static func /= (a: inout Tensor, b: Tensor) { a.update(.divide, b) { $0 / $1 } }
  public static func += (a: inout Tensor, b: Scalar) { a += Tensor(b) }
  public static func -= (a: inout Tensor, b: Scalar) { a -= Tensor(b) }
  public static func *= (a: inout Tensor, b: Scalar) { a *= Tensor(b) }
  public static func /= (a: inout Tensor, b: Scalar) { a /= Tensor(b) }

  /// In place where this tensor owns its memory and the shapes allow it; otherwise as the operator without `=`.
  private mutating func update(_ operation: BinaryOperation, _ other: Tensor, _ plain: (Tensor, Tensor) -> Tensor) {
    let isPlain = trace == nil && other.trace == nil && other.isDense && (other.shape == shape || other.count == 1)
    guard isPlain && other.rank <= rank else {
      let shape = self.shape
      self = plain(self, other)
      precondition(self.shape == shape, "shape \(shape) cannot be updated in place by shape \(other.shape)")
      return
    }
    makeWritable()
    let stride = other.count == 1 ? 0 : 1
    let to = Foreign(base)
    let from = Foreign(other.base)
    withExtendedLifetime((storage, other.storage)) {
      parallelRanges(count, grain: 1 << 14) { range in
        let target = to.mutable + range.lowerBound
        Scalar.apply(
          operation, target, strideA: 1, from.pointer + range.lowerBound * stride, strideB: stride, target,
          count: range.count)
      }
    }
  }

  public func absolute() -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(.absolute) }
    return record(tape, self, onParameter: .leadingAxes) { x in (x.absolute(), { $0 * x.sign() }) }
  }

  /// -1, 0 or 1.
  public func sign() -> Tensor { withoutDerivative.apply(.sign) }

  public func squared() -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(.square) }
    return record(tape, self, onParameter: .leadingAxes) { x in (x.squared(), { $0 * (x + x) }) }
  }

  /// The larger of each two elements; a NaN in either is the result. At a tie the first argument gets the derivative.
  public func maximum(_ other: Tensor) -> Tensor { extreme(other, .maximum) { $0 .>= $1 } }
  /// The smaller of each two elements; a NaN in either is the result. At a tie the first argument gets the derivative.
  public func minimum(_ other: Tensor) -> Tensor { extreme(other, .minimum) { $0 .<= $1 } }
  public func maximum(_ other: Scalar) -> Tensor { maximum(Tensor(other)) }
  public func minimum(_ other: Scalar) -> Tensor { minimum(Tensor(other)) }
  public func clamped(to range: ClosedRange<Scalar>) -> Tensor {
    maximum(range.lowerBound).minimum(range.upperBound)
  }

  private func extreme(
    _ other: Tensor, _ operation: BinaryOperation, _ takesFirst: @escaping (Tensor, Tensor) -> Tensor<Bool>
  ) -> Tensor {
    guard let tape = innermostTape(trace, other.trace) else { return Tensor.apply(operation, self, other) }
    return recordElementwise(tape, self, other) { a, b in
      let isFirst = takesFirst(a, b)
      let zero = Tensor(0)
      return (a.extreme(b, operation, takesFirst), { isFirst.select($0, zero) }, { isFirst.select(zero, $0) })
    }
  }

  /// What is left over after the division rounded down, with the divisor's sign: Python's `%`.
  ///
  /// Differentiable between its jumps: the slope is 1 in the first argument, and minus the rounded quotient in the other.
  public func modulo(_ divisor: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, divisor.trace) else { return Tensor.apply(.modulo, self, divisor) }
    return recordElementwise(tape, self, divisor) { a, b in
      let rest = a.modulo(b)
      let turns = (a.withoutDerivative - rest.withoutDerivative) / b.withoutDerivative
      return (rest, { $0 }, { -$0 * turns })
    }
  }
  public func modulo(_ divisor: Scalar) -> Tensor { modulo(Tensor(divisor)) }
}

// MARK: Functions of real numbers

extension Tensor where Scalar: RealScalar {
  /// A function with its slope in terms of the argument.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func function(_ operation: UnaryOperation, slopeAt slope: @escaping (_ x: Tensor) -> Tensor) -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(operation) }
    return record(tape, self, onParameter: .leadingAxes) { x in
      (x.function(operation, slopeAt: slope), { $0 * slope(x) })
    }
  }

  /// A function with its slope in terms of its value, which alone is kept for the way back.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  private func function(_ operation: UnaryOperation, slopeOf slope: @escaping (_ y: Tensor) -> Tensor) -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(operation) }
    return record(tape, self, onParameter: .leadingAxes) { x in
      // The slope as a function of x stays differentiable because y was computed from x one level down.
      let y = x.function(operation, slopeOf: slope)
      return (y, { $0 * slope(y) })
    }
  }

  /// Functions that are constant between jumps.
  private func steps(_ operation: UnaryOperation) -> Tensor { withoutDerivative.apply(operation) }

  public func sqrt() -> Tensor { function(.sqrt, slopeOf: { y in 0.5 / y }) }
  public func cbrt() -> Tensor { function(.cbrt, slopeOf: { y in 1 / (3 * y.squared()) }) }
  public func reciprocal() -> Tensor { function(.reciprocal, slopeOf: { y in -y.squared() }) }
  public func reciprocalSqrt() -> Tensor { function(.reciprocalSqrt, slopeOf: { y in -0.5 * (y * y.squared()) }) }

  public func exp() -> Tensor { function(.exp, slopeOf: { $0 }) }
  public func exp2() -> Tensor { function(.exp2, slopeOf: { y in y * Scalar.log(2) }) }
  /// exp(x) - 1, accurate near zero.
  public func expMinusOne() -> Tensor { function(.expMinusOne, slopeOf: { y in y + 1 }) }
  public func log() -> Tensor { function(.log, slopeAt: { x in x.reciprocal() }) }
  public func log2() -> Tensor { function(.log2, slopeAt: { x in 1 / (x * Scalar.log(2)) }) }
  public func log10() -> Tensor { function(.log10, slopeAt: { x in 1 / (x * Scalar.log(10)) }) }
  /// log(1 + x), accurate near zero.
  public func logOnePlus() -> Tensor { function(.logOnePlus, slopeAt: { x in 1 / (x + 1) }) }

  public func sin() -> Tensor { function(.sin, slopeAt: { x in x.cos() }) }
  public func cos() -> Tensor { function(.cos, slopeAt: { x in -x.sin() }) }
  public func tan() -> Tensor { function(.tan, slopeOf: { y in y.squared() + 1 }) }
  public func asin() -> Tensor { function(.asin, slopeAt: { x in (1 - x.squared()).reciprocalSqrt() }) }
  public func acos() -> Tensor { function(.acos, slopeAt: { x in -(1 - x.squared()).reciprocalSqrt() }) }
  public func atan() -> Tensor { function(.atan, slopeAt: { x in 1 / (x.squared() + 1) }) }
  public func sinh() -> Tensor { function(.sinh, slopeAt: { x in x.cosh() }) }
  public func cosh() -> Tensor { function(.cosh, slopeAt: { x in x.sinh() }) }
  public func tanh() -> Tensor { function(.tanh, slopeOf: { y in 1 - y.squared() }) }
  public func asinh() -> Tensor { function(.asinh, slopeAt: { x in (x.squared() + 1).reciprocalSqrt() }) }
  public func acosh() -> Tensor { function(.acosh, slopeAt: { x in (x.squared() - 1).reciprocalSqrt() }) }
  public func atanh() -> Tensor { function(.atanh, slopeAt: { x in 1 / (1 - x.squared()) }) }

  public func erf() -> Tensor { function(.erf, slopeAt: { x in gaussianSlope(x) }) }
  /// 1 - erf(x), accurate for large x.
  public func erfc() -> Tensor { function(.erfc, slopeAt: { x in -gaussianSlope(x) }) }
  /// 1 / (1 + exp(-x)).
  public func sigmoid() -> Tensor { function(.sigmoid, slopeOf: { y in y * (1 - y) }) }
  /// log(1 + exp(x)), without overflow.
  public func softplus() -> Tensor { function(.softplus, slopeAt: { x in x.sigmoid() }) }
  /// max(x, 0); its slope at zero is zero.
  public func relu() -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(.relu) }
    return record(tape, self, onParameter: .leadingAxes) { x in
      let y = x.relu()
      // The result is kept in any case by what comes next; the argument may then be freed.
      let value = y.withoutDerivative
      return (y, { (value .> 0).select($0, Tensor(0)) })
    }
  }

  public func floor() -> Tensor { steps(.floor) }
  public func ceil() -> Tensor { steps(.ceil) }
  /// To the nearest integer, halves to even, as NumPy and PyTorch round.
  public func rounded() -> Tensor { steps(.round) }
  public func truncated() -> Tensor { steps(.truncate) }

  /// x to the power y, element by element: NaN where x < 0 and y is not an integer.
  ///
  /// The slope of x⁰ is zero at zero too. The slope in y is zero where x <= 0.
  public func power(_ exponent: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, exponent.trace) else { return Tensor.apply(.power, self, exponent) }
    return recordElementwise(tape, self, exponent) { x, y in
      let value = x.power(y)
      return (
        value,
        { g in
          // Where x and y are zero, y xʸ⁻¹ would be 0 · ∞.
          let isFlat = (x .== 0) .& (y .== 0)
          return g * y * x.power(isFlat.select(Tensor(1), y) - 1)
        },
        { g in
          let isPositive = x .> 0
          return g * isPositive.select(value, Tensor(0)) * isPositive.select(x, Tensor(1)).log()
        }
      )
    }
  }

  public func power(_ exponent: Scalar) -> Tensor {
    guard let tape = innermostTape(trace) else { return Tensor.apply(.power, self, Tensor(exponent)) }
    return record(tape, self, onParameter: .leadingAxes) { x in
      (x.power(exponent), { exponent == 0 ? .zeros($0.shape) : $0 * (x.power(exponent - 1) * exponent) })
    }
  }

  /// The angle of the point (x, self) to the x axis, in (-pi, pi]. At the origin the derivative is set to zero.
  public func atan2(_ x: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, x.trace) else { return Tensor.apply(.atan2, self, x) }
    return recordElementwise(tape, self, x) { y, x in
      let length = y.nonzeroHypot(x)
      return (y.atan2(x), { $0 * (x / length) / length }, { -$0 * (y / length) / length })
    }
  }

  /// The length of (self, other), without overflow. At the origin the derivative is set to zero.
  public func hypot(_ other: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, other.trace) else { return Tensor.apply(.hypot, self, other) }
    return recordElementwise(tape, self, other) { a, b in
      let length = a.hypot(b)
      let divisor = (length .== 0).select(Tensor(1), length)
      return (length, { $0 * (a / divisor) }, { $0 * (b / divisor) })
    }
  }

  /// The length, or one at the origin, so that division by it is harmless.
  private func nonzeroHypot(_ other: Tensor) -> Tensor {
    let length = hypot(other)
    return (length .== 0).select(Tensor(1), length)
  }

  /// The magnitudes of this tensor with the signs of the other, of zeros and NaNs too.
  ///
  /// Differentiable in the magnitudes; at zero, where a magnitude has no slope, the derivative is zero.
  public func copyingSign(of other: Tensor) -> Tensor {
    let other = other.withoutDerivative
    guard let tape = innermostTape(trace) else { return Tensor.apply(.copySign, self, other) }
    return recordElementwise(tape, self, other) { x, other in
      let value = x.copyingSign(of: other)
      let slope = x.sign() * value.sign()
      return (value, { $0 * slope }, { .zeros($0.shape) })
    }
  }

  /// self * b + c, rounded once.
  public func multiplyAdd(_ b: Tensor, _ c: Tensor) -> Tensor {
    let isPlain = trace == nil && b.trace == nil && c.trace == nil
    guard isPlain, isDense, b.isDense, c.isDense, shape == b.shape, shape == c.shape else { return self * b + c }
    let result = Tensor(uninitializedShape: shape)
    let x = Foreign(base)
    let y = Foreign(b.base)
    let z = Foreign(c.base)
    let to = Foreign(result.base)
    withExtendedLifetime((storage, b.storage, c.storage, result.storage)) {
      parallelRanges(count, grain: 1 << 13) { range in
        let start = range.lowerBound
        Scalar.multiplyAdd(
          x.pointer + start, strideA: 1, y.pointer + start, strideB: 1, z.pointer + start, strideC: 1,
          to.mutable + start, count: range.count)
      }
    }
    return result
  }

  /// Whether no element is NaN or infinite.
  public var isFinite: Bool {
    withUnsafeBuffer { $0.isEmpty || Scalar.areAllFinite($0.baseAddress!, stride: 1, count: $0.count) }
  }
}

/// The derivative of erf: 2 / sqrt(pi) exp(-x^2).
private func gaussianSlope<Scalar: RealScalar>(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
  (-x.squared()).exp() * (2 / Scalar.sqrt(Scalar.pi))
}

// MARK: Other scalars

extension Tensor where Scalar: NumericScalar {
  /// The nearest values of another type: fractions are cut towards zero, and values out of range clamped.
  public init<Other: NumericScalar>(_ other: Tensor<Other>) {
    if let same = other as? Tensor<Scalar> {
      self = same
      return
    }
    self = converted(other, by: Other.widen, Scalar.clamp)
  }

  /// Ones where the mask holds, zeros elsewhere.
  public init(_ mask: Tensor<Bool>) {
    self.init(uninitializedShape: mask.shape) { buffer in
      mask.withUnsafeBuffer { source in
        for i in source.indices { buffer[i] = source[i] ? 1 : 0 }
      }
    }
  }
}

extension Tensor where Scalar: IntegerScalar {
  /// The nearest integers of another type.
  public init<Other: IntegerScalar>(_ other: Tensor<Other>) {
    if let same = other as? Tensor<Scalar> {
      self = same
      return
    }
    self = converted(other, by: Other.widen, Scalar.clamp)
  }
}

/// By way of a type that holds the values of both, a block at a time: a loop over two generic types is slow.
private func converted<From: TensorScalar, Middle: NumericScalar, To: TensorScalar>(
  _ source: Tensor<From>, by widen: (UnsafePointer<From>, UnsafeMutablePointer<Middle>, Int) -> Void,
  _ narrow: (UnsafePointer<Middle>, UnsafeMutablePointer<To>, Int) -> Void
) -> Tensor<To> {
  let block = 1_024
  return Tensor<To>(uninitializedShape: source.shape) { result in
    source.withUnsafeBuffer { source in
      guard let from = source.baseAddress, let to = result.baseAddress else { return }
      withUnsafeTemporaryAllocation(of: Middle.self, capacity: block) { middle in
        for start in stride(from: 0, to: source.count, by: block) {
          let count = min(block, source.count - start)
          widen(from + start, middle.baseAddress!, count)
          narrow(middle.baseAddress!, to + start, count)
        }
      }
    }
  }
}

extension Tensor where Scalar: RealScalar {
  /// The same numbers in double or single precision; derivatives flow through the conversion.
  public init(_ other: Tensor<Float>) { self = convert(other, Scalar.convert(from:_:count:)) }
  public init(_ other: Tensor<Double>) { self = convert(other, Scalar.convert(from:_:count:)) }
}

private func convert<From: RealScalar, To: RealScalar>(
  _ source: Tensor<From>, _ kernel: (UnsafePointer<From>, UnsafeMutablePointer<To>, Int) -> Void
) -> Tensor<To> {
  if let same = source as? Tensor<To> { return same }
  if let tape = innermostTape(source.trace) {
    return record(tape, source, onParameter: .leadingAxes) { x in (Tensor<To>(x), { Tensor<From>($0) }) }
  }
  let result = Tensor<To>(uninitializedShape: source.shape)
  let dense = source.dense
  let from = Foreign(dense.base)
  let to = Foreign(result.base)
  withExtendedLifetime((dense.storage, result.storage)) {
    parallelRanges(source.count, grain: 1 << 14) { range in
      kernel(from.pointer + range.lowerBound, to.mutable + range.lowerBound, range.count)
    }
  }
  return result
}
