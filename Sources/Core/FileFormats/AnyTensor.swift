// A tensor whose element type is known only when the file has been read.

import CVectorKernels
public import Tensors

/// An element type that files can hold as it is.
public protocol StorableScalar: TensorScalar {
  /// The stored type with the same bits.
  static var storedType: StoredType { get }
  /// The case of `AnyTensor` for this type.
  static func erase(_ tensor: Tensor<Self>) -> AnyTensor
  /// result[i] = source[i], rounded to nearest; `true` and `false` become 1 and 0.
  static func convert(_ source: UnsafePointer<Self>, to result: UnsafeMutablePointer<Double>, count: Int)
}

/// A tensor of any element type that files hold.
///
/// Numbers of types that a tensor cannot have (`float16`, `bfloat16`, the 8-bit floats) arrive as `Float`.
public enum AnyTensor: Sendable {
  case float(Tensor<Float>)
  case double(Tensor<Double>)
  case int(Tensor<Int>)
  case int32(Tensor<Int32>)
  case int16(Tensor<Int16>)
  case int8(Tensor<Int8>)
  case uint64(Tensor<UInt64>)
  case uint32(Tensor<UInt32>)
  case uint16(Tensor<UInt16>)
  case uint8(Tensor<UInt8>)
  case bool(Tensor<Bool>)

  public init<Scalar: StorableScalar>(_ tensor: Tensor<Scalar>) { self = Scalar.erase(tensor) }

  public var shape: [Int] { erased.shape }
  public var count: Int { erased.count }
  public var rank: Int { erased.shape.count }
  /// The stored type with the same bits as the elements in memory.
  public var storedType: StoredType { erased.storedType }
  /// The name of the element type: "Float", "Int32", ...
  public var typeName: String { erased.typeName }

  /// The numbers as `Double`. Integers beyond 2^53 are rounded; `true` and `false` become 1 and 0.
  public func asDouble() -> Tensor<Double> { erased.asDouble() }

  /// The numbers as `Float`, rounded to nearest.
  public func asFloat() -> Tensor<Float> {
    if case .float(let tensor) = self { tensor } else { Tensor<Float>(asDouble()) }
  }

  /// The numbers as `Int`, for labels and indices.
  ///
  /// - Throws: `InvalidArgument` under `name` when one of them is not a whole number that an `Int` holds.
  public func asInt(_ name: String) throws -> Tensor<Int> {
    switch self {
    case .int(let tensor): return tensor
    case .uint64(let tensor): return try Self.whole(tensor, name) { Int(exactly: $0) }
    default: return try Self.whole(asDouble(), name) { Int(exactly: $0) }
    }
  }

  private static func whole<Scalar: TensorScalar>(
    _ numbers: Tensor<Scalar>, _ name: String, _ exactly: (Scalar) -> Int?
  ) throws -> Tensor<Int> {
    try Tensor(uninitializedShape: numbers.shape) { result in
      try numbers.withUnsafeBuffer { numbers in
        for i in numbers.indices {
          guard let whole = exactly(numbers[i]) else {
            throw InvalidArgument(name, found: "\(numbers[i]) at position \(i)", wanted: "whole numbers below 2^63")
          }
          result[i] = whole
        }
      }
    }
  }

  /// The numbers as `Scalar`: the tensor itself when it has that type already.
  public func real<Scalar: RealScalar>(as type: Scalar.Type = Scalar.self) -> Tensor<Scalar> {
    if case .float(let tensor) = self { return tensor as? Tensor<Scalar> ?? Tensor<Scalar>(tensor) }
    let tensor = asDouble()
    return tensor as? Tensor<Scalar> ?? Tensor<Scalar>(tensor)
  }

  /// Calls `body` with the elements' bytes in row-major order.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try erased.withBytes(body)
  }

  private var erased: any ErasedTensor {
    switch self {
    case .float(let tensor): tensor
    case .double(let tensor): tensor
    case .int(let tensor): tensor
    case .int32(let tensor): tensor
    case .int16(let tensor): tensor
    case .int8(let tensor): tensor
    case .uint64(let tensor): tensor
    case .uint32(let tensor): tensor
    case .uint16(let tensor): tensor
    case .uint8(let tensor): tensor
    case .bool(let tensor): tensor
    }
  }
}

extension AnyTensor: Equatable {
  /// Whether element types, shapes and elements are equal. A NaN equals nothing.
  public static func == (a: AnyTensor, b: AnyTensor) -> Bool { a.erased.equals(b.erased) }
}

/// What `AnyTensor` asks of its tensor, whatever the element type.
private protocol ErasedTensor {
  var shape: [Int] { get }
  var count: Int { get }
  var storedType: StoredType { get }
  var typeName: String { get }
  func asDouble() -> Tensor<Double>
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result
  func equals(_ other: any ErasedTensor) -> Bool
}

extension Tensor: ErasedTensor where Scalar: StorableScalar {
  fileprivate var storedType: StoredType { Scalar.storedType }
  fileprivate var typeName: String { Scalar.name }

  fileprivate func asDouble() -> Tensor<Double> {
    if let same = self as? Tensor<Double> { return same }
    return Tensor<Double>(uninitializedShape: shape) { result in
      withUnsafeBuffer { source in
        guard let source = source.baseAddress, let result = result.baseAddress else { return }
        parallelRanges(count, grain: 1 << 16) { range in
          Scalar.convert(source + range.lowerBound, to: result + range.lowerBound, count: range.count)
        }
      }
    }
  }

  fileprivate func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try withUnsafeBuffer { try body(UnsafeRawBufferPointer($0)) }
  }

  fileprivate func equals(_ other: any ErasedTensor) -> Bool { (other as? Tensor) == self }
}

extension StorableScalar where Self: BinaryInteger {
  public static func convert(_ source: UnsafePointer<Self>, to result: UnsafeMutablePointer<Double>, count: Int) {
    for i in 0..<count { result[i] = Double(source[i]) }
  }
}

extension Float: StorableScalar {
  public static var storedType: StoredType { .float32 }
  public static func erase(_ tensor: Tensor<Float>) -> AnyTensor { .float(tensor) }
  public static func convert(_ source: UnsafePointer<Float>, to result: UnsafeMutablePointer<Double>, count: Int) {
    apus_f64_from_f32(source, result, count)
  }
}

extension Double: StorableScalar {
  public static var storedType: StoredType { .float64 }
  public static func erase(_ tensor: Tensor<Double>) -> AnyTensor { .double(tensor) }
  public static func convert(_ source: UnsafePointer<Double>, to result: UnsafeMutablePointer<Double>, count: Int) {
    result.update(from: source, count: count)
  }
}

extension Bool: StorableScalar {
  public static var storedType: StoredType { .bool }
  public static func erase(_ tensor: Tensor<Bool>) -> AnyTensor { .bool(tensor) }
  public static func convert(_ source: UnsafePointer<Bool>, to result: UnsafeMutablePointer<Double>, count: Int) {
    for i in 0..<count { result[i] = source[i] ? 1 : 0 }
  }
}

extension Int: StorableScalar {
  public static var storedType: StoredType { .int64 }
  public static func erase(_ tensor: Tensor<Int>) -> AnyTensor { .int(tensor) }
}

extension Int32: StorableScalar {
  public static var storedType: StoredType { .int32 }
  public static func erase(_ tensor: Tensor<Int32>) -> AnyTensor { .int32(tensor) }
}

extension Int16: StorableScalar {
  public static var storedType: StoredType { .int16 }
  public static func erase(_ tensor: Tensor<Int16>) -> AnyTensor { .int16(tensor) }
}

extension Int8: StorableScalar {
  public static var storedType: StoredType { .int8 }
  public static func erase(_ tensor: Tensor<Int8>) -> AnyTensor { .int8(tensor) }
}

extension UInt64: StorableScalar {
  public static var storedType: StoredType { .uint64 }
  public static func erase(_ tensor: Tensor<UInt64>) -> AnyTensor { .uint64(tensor) }
}

extension UInt32: StorableScalar {
  public static var storedType: StoredType { .uint32 }
  public static func erase(_ tensor: Tensor<UInt32>) -> AnyTensor { .uint32(tensor) }
}

extension UInt16: StorableScalar {
  public static var storedType: StoredType { .uint16 }
  public static func erase(_ tensor: Tensor<UInt16>) -> AnyTensor { .uint16(tensor) }
}

extension UInt8: StorableScalar {
  public static var storedType: StoredType { .uint8 }
  public static func erase(_ tensor: Tensor<UInt8>) -> AnyTensor { .uint8(tensor) }
}
