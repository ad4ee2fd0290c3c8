// The element types of tensors, and the whole-array kernels each of them brings.
//
// A generic loop in another module is not specialised by the compiler (measured: 19 times slower), so the loops are
// requirements of the scalar type: one witness call an operation, and inside it a concrete loop or a C kernel.

import BLAS
public import Numerics

/// An element of a tensor: a plain value without references.
public protocol TensorScalar: Sendable, Hashable, BitwiseCopyable {
  /// The name that messages and printed tensors use: "Float", "Int", ...
  static var name: String { get }

  /// result[i] = mask[i] ? a[i] : b[i]; a stride of zero repeats one element.
  static func select(
    _ mask: UnsafePointer<Bool>, strideMask: Int, _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>,
    strideB: Int, _ result: UnsafeMutablePointer<Self>, count: Int)

  /// One element as a person reads it, with at most `digits` significant digits where it is a fraction.
  func formatted(digits: Int) -> String

  /// What padding and untouched places hold: zero, or false.
  static var blank: Self { get }
  /// Sums of cotangents, for views that are differentiated; only real scalars ever are.
  static func added(_ a: consuming Tensor<Self>, _ b: Tensor<Self>) -> Tensor<Self>
  static func summed(_ a: Tensor<Self>, to shape: [Int]) -> Tensor<Self>
  static func scatterAdd(
    _ values: Tensor<Self>, to target: Tensor<Self>, at indices: Tensor<Int>, axis: Int
  ) -> Tensor<Self>
}

/// A scalar with an order and arithmetic.
public protocol NumericScalar: TensorScalar, Numeric, Comparable {
  static func apply(
    _ operation: BinaryOperation, _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>, strideB: Int,
    _ result: UnsafeMutablePointer<Self>, count: Int)
  static func apply(
    _ operation: UnaryOperation, _ a: UnsafePointer<Self>, strideA: Int, _ result: UnsafeMutablePointer<Self>,
    count: Int)
  static func compare(
    _ comparison: Comparison, _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>, strideB: Int,
    _ result: UnsafeMutablePointer<Bool>, count: Int)
  /// The value of an empty range is the operation's neutral element.
  static func reduce(_ reduction: Reduction, _ a: UnsafePointer<Self>, stride: Int, count: Int) -> Self
  static func cumulate(
    _ reduction: Reduction, _ a: UnsafePointer<Self>, stride: Int, _ result: UnsafeMutablePointer<Self>, count: Int)
  /// result[c] folds column c of `rows` >= 1 rows.
  static func foldRows(
    _ reduction: Reduction, _ a: UnsafePointer<Self>, rowStride: Int, rows: Int, columns: Int,
    _ result: UnsafeMutablePointer<Self>)
  /// The first smallest or largest of `count` >= 1 elements; the first NaN if there is one.
  static func indexOfExtreme(largest: Bool, _ a: UnsafePointer<Self>, stride: Int, count: Int) -> Int
  /// Puts a row in order, NaN last (first when descending).
  static func sort(_ row: UnsafeMutablePointer<Self>, count: Int, descending: Bool)
  /// The positions that put a row in order; equal elements keep theirs.
  static func argsort(_ row: UnsafePointer<Self>, count: Int, descending: Bool, _ result: UnsafeMutablePointer<Int>)
  /// result[indices[i]] += values[i], in order.
  static func scatterAdd(
    _ values: UnsafePointer<Self>, at indices: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Self>, count: Int)
  /// Nearest value of this type; fractions are cut towards zero, values out of range are clamped.
  init(clamping value: Double)
  var asDouble: Double { get }
  /// The same, of whole rows.
  static func clamp(_ a: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func widen(_ a: UnsafePointer<Self>, _ result: UnsafeMutablePointer<Double>, count: Int)
}

/// A floating-point scalar: `Float` or `Double`.
public protocol RealScalar: NumericScalar, BinaryFloatingPoint, Real, MatrixKernels
where RawSignificand: FixedWidthInteger {
  static func multiplyAdd(
    _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>, strideB: Int, _ c: UnsafePointer<Self>,
    strideC: Int, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func dot(_ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>, strideB: Int, count: Int) -> Self
  /// The sum of squared distances to `mean`.
  static func squaredDeviations(_ a: UnsafePointer<Self>, from mean: Double, count: Int) -> Double
  static func logSumExp(_ a: UnsafePointer<Self>, stride: Int, count: Int) -> Self
  static func softmax(_ a: UnsafePointer<Self>, stride: Int, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func logSoftmax(_ a: UnsafePointer<Self>, stride: Int, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func areAllFinite(_ a: UnsafePointer<Self>, stride: Int, count: Int) -> Bool
  static func fillUniform(
    key: UInt64, stream: UInt64, first: UInt64, open: Bool, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func fillNormal(key: UInt64, stream: UInt64, first: UInt64, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func convert(from a: UnsafePointer<Float>, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func convert(from a: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Self>, count: Int)
}

/// Element-wise operations of two arguments.
public enum BinaryOperation: UInt32, Sendable {
  case add, subtract, multiply, divide, power, minimum, maximum, atan2, hypot, modulo, copySign
}

/// Element-wise operations of one argument.
public enum UnaryOperation: UInt32, Sendable {
  case negate, absolute, sign, square, sqrt, reciprocal, reciprocalSqrt, cbrt
  case exp, exp2, expMinusOne, log, log2, log10, logOnePlus
  case sin, cos, tan, asin, acos, atan, sinh, cosh, tanh, asinh, acosh, atanh
  case erf, erfc, sigmoid, softplus, relu, floor, ceil, round, truncate
}

public enum Comparison: UInt32, Sendable { case equal, notEqual, less, lessEqual, greater, greaterEqual }

/// Ways to fold many elements into one.
public enum Reduction: UInt32, Sendable { case sum, sumOfSquares, sumOfAbsolutes, product, smallest, largest }

// MARK: Defaults for the types without C kernels (integers and Bool)

extension TensorScalar {
  public static func select(
    _ mask: UnsafePointer<Bool>, strideMask: Int, _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>,
    strideB: Int, _ result: UnsafeMutablePointer<Self>, count: Int
  ) {
    for i in 0..<count { result[i] = mask[i * strideMask] ? a[i * strideA] : b[i * strideB] }
  }
}

extension TensorScalar {
  public static func added(_ a: consuming Tensor<Self>, _ b: Tensor<Self>) -> Tensor<Self> { notDifferentiable() }
  public static func summed(_ a: Tensor<Self>, to shape: [Int]) -> Tensor<Self> { notDifferentiable() }
  private static func notDifferentiable() -> Never { preconditionFailure("a Tensor<\(name)> has no derivative") }
}

extension RealScalar {
  public static func added(_ a: consuming Tensor<Self>, _ b: Tensor<Self>) -> Tensor<Self> {
    guard a.isOnlyOwner && b.shape == a.shape && b.trace == nil else { return a + b }
    a += b
    return a
  }
  public static func summed(_ a: Tensor<Self>, to shape: [Int]) -> Tensor<Self> { a.sum(to: shape) }
}

extension NumericScalar {
  public static var blank: Self { 0 }

  public static func clamp(_ a: UnsafePointer<Double>, _ result: UnsafeMutablePointer<Self>, count: Int) {
    for i in 0..<count { result[i] = Self(clamping: a[i]) }
  }
  public static func widen(_ a: UnsafePointer<Self>, _ result: UnsafeMutablePointer<Double>, count: Int) {
    for i in 0..<count { result[i] = a[i].asDouble }
  }
}

extension Bool: TensorScalar {
  public static var blank: Bool { false }
  public static var name: String { "Bool" }
  public func formatted(digits: Int) -> String { self ? "true" : "false" }
}

/// An integer scalar: indices, labels, counts. Arithmetic wraps around on overflow, as it does in NumPy.
public protocol IntegerScalar: NumericScalar, FixedWidthInteger {
  /// The nearest values of the other type, whole rows at a time.
  static func clamp(_ a: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Self>, count: Int)
  static func widen(_ a: UnsafePointer<Self>, _ result: UnsafeMutablePointer<Int>, count: Int)
}

extension Int: IntegerScalar { public static var name: String { "Int" } }
extension Int32: IntegerScalar { public static var name: String { "Int32" } }
extension Int16: IntegerScalar { public static var name: String { "Int16" } }
extension Int8: IntegerScalar { public static var name: String { "Int8" } }
extension UInt8: IntegerScalar { public static var name: String { "UInt8" } }
extension UInt16: IntegerScalar { public static var name: String { "UInt16" } }
extension UInt32: IntegerScalar { public static var name: String { "UInt32" } }
extension UInt64: IntegerScalar { public static var name: String { "UInt64" } }

extension IntegerScalar {
  public static func clamp(_ a: UnsafePointer<Int>, _ result: UnsafeMutablePointer<Self>, count: Int) {
    for i in 0..<count { result[i] = Self(clamping: a[i]) }
  }
  public static func widen(_ a: UnsafePointer<Self>, _ result: UnsafeMutablePointer<Int>, count: Int) {
    for i in 0..<count { result[i] = Int(clamping: a[i]) }
  }

  public func formatted(digits: Int) -> String { "\(self)" }
  public var asDouble: Double { Double(self) }

  public init(clamping value: Double) {
    if value.isNaN {
      self = 0
    } else if value <= Double(Self.min) {
      self = Self.min
    } else if value >= Double(Self.max) {
      self = Self.max
    } else {
      self = Self(value)
    }
  }

  public static func apply(
    _ operation: BinaryOperation, _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>, strideB: Int,
    _ result: UnsafeMutablePointer<Self>, count: Int
  ) {
    func loop(_ body: (Self, Self) -> Self) {
      for i in 0..<count { result[i] = body(a[i * strideA], b[i * strideB]) }
    }
    switch operation {
    case .add: loop(&+)
    case .subtract: loop(&-)
    case .multiply: loop(&*)
    case .divide:
      loop { a, b in
        precondition(b != 0, "division of a Tensor<\(Self.name)> by zero")
        return a.dividedReportingOverflow(by: b).partialValue
      }
    case .modulo:
      loop { a, b in
        precondition(b != 0, "a Tensor<\(Self.name)> modulo zero")
        let rest = a.remainderReportingOverflow(dividingBy: b).partialValue
        return rest != 0 && (rest < 0) != (b < 0) ? rest &+ b : rest
      }
    case .minimum: loop(Swift.min)
    case .maximum: loop(Swift.max)
    case .power, .atan2, .hypot, .copySign: preconditionFailure("\(operation) is not defined on Tensor<\(Self.name)>")
    }
  }

  public static func apply(
    _ operation: UnaryOperation, _ a: UnsafePointer<Self>, strideA: Int, _ result: UnsafeMutablePointer<Self>,
    count: Int
  ) {
    func loop(_ body: (Self) -> Self) { for i in 0..<count { result[i] = body(a[i * strideA]) } }
    switch operation {
    case .negate: loop { 0 &- $0 }
    case .absolute: loop { $0 < 0 ? 0 &- $0 : $0 }
    case .sign: loop { $0.signum() }
    case .square: loop { $0 &* $0 }
    case .relu: loop { $0 < 0 ? 0 : $0 }
    case .floor, .ceil, .round, .truncate: loop { $0 }
    default: preconditionFailure("\(operation) is not defined on Tensor<\(Self.name)>")
    }
  }

  public static func compare(
    _ comparison: Comparison, _ a: UnsafePointer<Self>, strideA: Int, _ b: UnsafePointer<Self>, strideB: Int,
    _ result: UnsafeMutablePointer<Bool>, count: Int
  ) {
    func loop(_ body: (Self, Self) -> Bool) {
      for i in 0..<count { result[i] = body(a[i * strideA], b[i * strideB]) }
    }
    switch comparison {
    case .equal: loop(==)
    case .notEqual: loop(!=)
    case .less: loop(<)
    case .lessEqual: loop(<=)
    case .greater: loop(>)
    case .greaterEqual: loop(>=)
    }
  }

  public static func reduce(_ reduction: Reduction, _ a: UnsafePointer<Self>, stride: Int, count: Int) -> Self {
    func fold(_ start: Self, _ body: (Self, Self) -> Self) -> Self {
      var total = start
      for i in 0..<count { total = body(total, a[i * stride]) }
      return total
    }
    switch reduction {
    case .sum: return fold(0, &+)
    case .sumOfSquares: return fold(0) { $0 &+ $1 &* $1 }
    case .sumOfAbsolutes: return fold(0) { $0 &+ ($1 < 0 ? 0 &- $1 : $1) }
    case .product: return fold(1, &*)
    case .smallest: return fold(.max, Swift.min)
    case .largest: return fold(.min, Swift.max)
    }
  }

  public static func cumulate(
    _ reduction: Reduction, _ a: UnsafePointer<Self>, stride: Int, _ result: UnsafeMutablePointer<Self>, count: Int
  ) {
    var total = reduce(reduction, a, stride: stride, count: 0)
    for i in 0..<count {
      let value = a[i * stride]
      switch reduction {
      case .sum: total = total &+ value
      case .sumOfSquares: total = total &+ value &* value
      case .sumOfAbsolutes: total = total &+ (value < 0 ? 0 &- value : value)
      case .product: total = total &* value
      case .smallest: total = Swift.min(total, value)
      case .largest: total = Swift.max(total, value)
      }
      result[i] = total
    }
  }

  public static func foldRows(
    _ reduction: Reduction, _ a: UnsafePointer<Self>, rowStride: Int, rows: Int, columns: Int,
    _ result: UnsafeMutablePointer<Self>
  ) {
    for column in 0..<columns { result[column] = reduce(reduction, a + column, stride: rowStride, count: rows) }
  }

  public static func indexOfExtreme(largest: Bool, _ a: UnsafePointer<Self>, stride: Int, count: Int) -> Int {
    var best = 0
    for i in 1..<Swift.max(count, 1) {
      let isBetter = largest ? a[i * stride] > a[best * stride] : a[i * stride] < a[best * stride]
      if isBetter { best = i }
    }
    return best
  }
}
