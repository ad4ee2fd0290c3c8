// The number types that files hold, whether or not a tensor in memory can.

/// How a number is stored in a file.
public enum StoredType: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case uint32 = "U32"
  case int32 = "I32"
  case uint64 = "U64"
  case int64 = "I64"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case float32 = "F32"
  case float64 = "F64"
  /// Eight bits: sign, 4 exponent bits, 3 fraction bits, no infinity (OCP 8-bit floating point specification).
  case float8E4M3 = "F8_E4M3"
  /// Eight bits: sign, 5 exponent bits, 2 fraction bits.
  case float8E5M2 = "F8_E5M2"
  /// As `float8E4M3` with one more in the exponent's bias, no negative zero, and one NaN in its place.
  case float8E4M3FNUZ = "F8_E4M3FNUZ"
  /// As `float8E5M2` with one more in the exponent's bias, no infinity or negative zero, and one NaN in its place.
  case float8E5M2FNUZ = "F8_E5M2FNUZ"
  /// A power of two as its biased exponent, for scales of blocks.
  case float8E8M0 = "F8_E8M0"
  /// Four and six bits, packed. Their bytes can be copied, but not read as numbers.
  case float4 = "F4"
  case float6E2M3 = "F6_E2M3"
  case float6E3M2 = "F6_E3M2"
  /// Pairs of `float32`. Their bytes can be copied, but not read as numbers.
  case complex64 = "C64"

  /// The name that safetensors files use.
  public var description: String { rawValue }

  public var bitsPerElement: Int {
    switch self {
    case .float4: 4
    case .float6E2M3, .float6E3M2: 6
    case .bool, .uint8, .int8, .float8E4M3, .float8E5M2, .float8E4M3FNUZ, .float8E5M2FNUZ, .float8E8M0: 8
    case .uint16, .int16, .float16, .bfloat16: 16
    case .uint32, .int32, .float32: 32
    case .uint64, .int64, .float64, .complex64: 64
    }
  }

  /// Whether the numbers are real and stored with a fraction.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64, .float4, .float6E2M3, .float6E3M2: true
    case .float8E4M3, .float8E5M2, .float8E4M3FNUZ, .float8E5M2FNUZ, .float8E8M0: true
    default: false
    }
  }

  /// The bytes of `shape`, `nil` when they are more than memory can address or not whole bytes.
  public func byteCount(of shape: [Int]) -> Int? {
    guard let count = checkedCount(shape, bytesPerElement: 8) else { return nil }
    let (bits, overflow) = count.multipliedReportingOverflow(by: bitsPerElement)
    return overflow || bits % 8 != 0 ? nil : bits / 8
  }
}

extension StoredType {
  /// The values of all 256 bytes, for the types of eight bits with a fraction.
  func valuesOfBytes() -> [Float]? {
    if self == .float8E8M0 {
      return (0..<256).map { $0 == 255 ? .nan : Float(sign: .plus, exponent: $0 - 127, significand: 1) }
    }
    guard let format = SmallFloat(self) else { return nil }
    return (0..<256).map { format.value(UInt8($0)) }
  }
}
