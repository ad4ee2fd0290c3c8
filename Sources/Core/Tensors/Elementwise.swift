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
  public static func + (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.add, a, b) }
    return record(tape, a, b) { a, b in
      (a + b, { Scalar.summed($0, to: a.shape) }, { Scalar.summed($0, to: b.shape) })
    }
  }

  public static func - (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.subtract, a, b) }
    return record(tape, a, b) { a, b in
      (a - b, { Scalar.summed($0, to: a.shape) }, { Scalar.summed(-$0, to: b.shape) })
    }
  }

  public static func * (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.multiply, a, b) }
    return record(tape, a, b) { a, b in
      (a * b, { Scalar.summed($0 * b, to: a.shape) }, { Scalar.summed($0 * a, to: b.shape) })
    }
  }

  /// The quotient; of integers, cut towards zero.
  public static func / (a: Tensor, b: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace, b.trace) else { return apply(.divide, a, b) }
    return record(tape, a, b) { a, b in
      let quotient = a / b
      return (
        quotient, { Scalar.summed($0 / b, to: a.shape) }, { Scalar.summed(-($0 * quotient) / b, to: b.shape) }
      )
    }
  }

  public static prefix func - (a: Tensor) -> Tensor {
    guard let tape = innermostTape(a.trace) else { return a.apply(.negate) }
    return record(tape, a) { a in (-a, { -$0 }) }
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
    return record(tape, self) { x in (x.absolute(), { $0 * x.sign() }) }
  }

  /// -1, 0 or 1.
  public func sign() -> Tensor { withoutDerivative.apply(.sign) }

  public func squared() -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(.square) }
    return record(tape, self) { x in (x.squared(), { $0 * (x + x) }) }
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
    return record(tape, self, other) { a, b in
      let isFirst = takesFirst(a, b)
      let zero = Tensor(0)
      return (
        a.extreme(b, operation, takesFirst),
        { Scalar.summed(isFirst.select($0, zero), to: a.shape) },
        { Scalar.summed(isFirst.select(zero, $0), to: b.shape) }
      )
    }
  }

  /// What is left over after the division rounded down, with the divisor's sign: Python's `%`.
  public func modulo(_ divisor: Tensor) -> Tensor {
    Tensor.apply(.modulo, withoutDerivative, divisor.withoutDerivative)
  }
  public func modulo(_ divisor: Scalar) -> Tensor { modulo(Tensor(divisor)) }
}

// MARK: Functions of real numbers

extension Tensor where Scalar: RealScalar {
  /// A function with its slope, which may use the argument x and the value y.
  private func function(
    _ operation: UnaryOperation, slope: @escaping (_ x: Tensor, _ y: Tensor) -> Tensor
  ) -> Tensor {
    guard let tape = innermostTape(trace) else { return apply(operation) }
    return record(tape, self) { x in
      let y = x.function(operation, slope: slope)
      // The slope as a function of x stays differentiable because y was computed from x one level down.
      return (y, { $0 * slope(x, y) })
    }
  }

  /// Functions that are constant between jumps.
  private func steps(_ operation: UnaryOperation) -> Tensor { withoutDerivative.apply(operation) }

  public func sqrt() -> Tensor { function(.sqrt) { _, y in 0.5 / y } }
  public func cbrt() -> Tensor { function(.cbrt) { _, y in 1 / (3 * y.squared()) } }
  public func reciprocal() -> Tensor { function(.reciprocal) { _, y in -y.squared() } }
  public func reciprocalSqrt() -> Tensor { function(.reciprocalSqrt) { x, y in -0.5 * y / x } }

  public func exp() -> Tensor { function(.exp) { _, y in y } }
  public func exp2() -> Tensor { function(.exp2) { _, y in y * Scalar.log(2) } }
  /// exp(x) - 1, accurate near zero.
  public func expMinusOne() -> Tensor { function(.expMinusOne) { _, y in y + 1 } }
  public func log() -> Tensor { function(.log) { x, _ in x.reciprocal() } }
  public func log2() -> Tensor { function(.log2) { x, _ in 1 / (x * Scalar.log(2)) } }
  public func log10() -> Tensor { function(.log10) { x, _ in 1 / (x * Scalar.log(10)) } }
  /// log(1 + x), accurate near zero.
  public func logOnePlus() -> Tensor { function(.logOnePlus) { x, _ in 1 / (x + 1) } }

  public func sin() -> Tensor { function(.sin) { x, _ in x.cos() } }
  public func cos() -> Tensor { function(.cos) { x, _ in -x.sin() } }
  public func tan() -> Tensor { function(.tan) { _, y in y.squared() + 1 } }
  public func asin() -> Tensor { function(.asin) { x, _ in (1 - x.squared()).reciprocalSqrt() } }
  public func acos() -> Tensor { function(.acos) { x, _ in -(1 - x.squared()).reciprocalSqrt() } }
  public func atan() -> Tensor { function(.atan) { x, _ in 1 / (x.squared() + 1) } }
  public func sinh() -> Tensor { function(.sinh) { x, _ in x.cosh() } }
  public func cosh() -> Tensor { function(.cosh) { x, _ in x.sinh() } }
  public func tanh() -> Tensor { function(.tanh) { _, y in 1 - y.squared() } }
  public func asinh() -> Tensor { function(.asinh) { x, _ in (x.squared() + 1).reciprocalSqrt() } }
  public func acosh() -> Tensor { function(.acosh) { x, _ in (x.squared() - 1).reciprocalSqrt() } }
  public func atanh() -> Tensor { function(.atanh) { x, _ in 1 / (1 - x.squared()) } }

  public func erf() -> Tensor { function(.erf) { x, _ in gaussianSlope(x) } }
  /// 1 - erf(x), accurate for large x.
  public func erfc() -> Tensor { function(.erfc) { x, _ in -gaussianSlope(x) } }
  /// 1 / (1 + exp(-x)).
  public func sigmoid() -> Tensor { function(.sigmoid) { _, y in y * (1 - y) } }
  /// log(1 + exp(x)), without overflow.
  public func softplus() -> Tensor { function(.softplus) { x, _ in x.sigmoid() } }
  /// max(x, 0); its slope at zero is zero.
  public func relu() -> Tensor { function(.relu) { x, _ in Tensor(x .> 0) } }

  public func floor() -> Tensor { steps(.floor) }
  public func ceil() -> Tensor { steps(.ceil) }
  /// To the nearest integer, halves to even, as NumPy and PyTorch round.
  public func rounded() -> Tensor { steps(.round) }
  public func truncated() -> Tensor { steps(.truncate) }

  /// x to the power y, element by element: NaN where x < 0 and y is not an integer.
  public func power(_ exponent: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, exponent.trace) else { return Tensor.apply(.power, self, exponent) }
    return record(tape, self, exponent) { x, y in
      let value = x.power(y)
      return (
        value, { Scalar.summed($0 * y * x.power(y - 1), to: x.shape) },
        { Scalar.summed($0 * (x .> 0).select(value * x.log(), Tensor(0)), to: y.shape) }
      )
    }
  }
  public func power(_ exponent: Scalar) -> Tensor { power(Tensor(exponent)) }

  /// The angle of the point (x, self) to the x axis, in (-pi, pi].
  public func atan2(_ x: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, x.trace) else { return Tensor.apply(.atan2, self, x) }
    return record(tape, self, x) { y, x in
      let radius = x.squared() + y.squared()
      return (
        y.atan2(x), { Scalar.summed($0 * x / radius, to: y.shape) }, { Scalar.summed(-$0 * y / radius, to: x.shape) }
      )
    }
  }

  /// The length of (self, other), without overflow.
  public func hypot(_ other: Tensor) -> Tensor {
    guard let tape = innermostTape(trace, other.trace) else { return Tensor.apply(.hypot, self, other) }
    return record(tape, self, other) { a, b in
      let length = a.hypot(b)
      return (
        length, { Scalar.summed($0 * a / length, to: a.shape) }, { Scalar.summed($0 * b / length, to: b.shape) }
      )
    }
  }

  /// The magnitudes of this tensor with the signs of the other, of zeros and NaNs too.
  public func copyingSign(of other: Tensor) -> Tensor {
    Tensor.apply(.copySign, withoutDerivative, other.withoutDerivative)
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
    return record(tape, source) { x in (Tensor<To>(x), { Tensor<From>($0) }) }
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
