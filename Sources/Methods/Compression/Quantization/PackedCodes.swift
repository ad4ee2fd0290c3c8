import CVectorKernels
import Tensors

/// Numbers of 1 to 8 bits, one behind the other without gaps; the lowest bits of a byte come first.
public struct PackedCodes: Sendable, Hashable {
  /// Bits of a code.
  public let bits: Int
  public let count: Int
  /// ceil(count · bits / 8) bytes; what is left of the last one is zero.
  public let bytes: [UInt8]

  /// Packs `codes`, each below 2^bits.
  public init(_ codes: [UInt8], bits: Int) {
    precondition(1...8 ~= bits, "codes have 1 to 8 bits, not \(bits)")
    let largest = codes.max() ?? 0
    precondition(Int(largest) < 1 << bits, "code \(largest) has more than \(bits) bits")
    self.bits = bits
    count = codes.count
    bytes = [UInt8](unsafeUninitializedCapacity: Self.byteCount(of: codes.count, bits: bits)) { bytes, count in
      count = Self.byteCount(of: codes.count, bits: bits)
      if let start = bytes.baseAddress { apus_pack_codes(codes, codes.count, UInt32(bits), start) }
    }
  }

  /// Codes that were packed before, as a file has them.
  ///
  /// - Throws: `InvalidArgument` when there are not as many bytes as `count` codes take.
  public init(bytes: [UInt8], bits: Int, count: Int) throws {
    guard 1...8 ~= bits else { throw InvalidArgument("bits", found: "\(bits)", wanted: "1 to 8") }
    guard count >= 0, bytes.count == Self.byteCount(of: count, bits: bits) else {
      throw InvalidArgument(
        "bytes", found: "\(bytes.count) bytes",
        wanted: "\(Self.byteCount(of: max(0, count), bits: bits)) for \(count) codes")
    }
    (self.bits, self.count, self.bytes) = (bits, count, bytes)
  }

  static func byteCount(of codes: Int, bits: Int) -> Int { (codes * bits + 7) / 8 }

  /// Whether so many codes end with a byte.
  static func fillsBytes(_ codes: Int, bits: Int) -> Bool { codes * bits % 8 == 0 }

  public subscript(index: Int) -> UInt8 {
    precondition(0 <= index && index < count, "code \(index) of \(count)")
    let (byte, shift) = (index * bits / 8, index * bits % 8)
    let high = shift + bits > 8 ? UInt16(bytes[byte + 1]) << 8 : 0
    let word = (UInt16(bytes[byte]) | high) >> UInt16(shift)
    return UInt8(truncatingIfNeeded: word & UInt16((1 << bits) - 1))
  }

  /// All of them, a byte each.
  public var unpacked: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { codes, count in
      count = self.count
      if let start = codes.baseAddress { apus_unpack_codes(bytes, count, UInt32(bits), start) }
    }
  }
}
