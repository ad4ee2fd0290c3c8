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
    self.bits = bits
    count = codes.count
    var bytes = [UInt8](repeating: 0, count: (codes.count * bits + 7) / 8)
    var position = 0
    for code in codes {
      precondition(Int(code) < 1 << bits, "code \(code) has more than \(bits) bits")
      let word = UInt16(code) << UInt16(position % 8)
      bytes[position / 8] |= UInt8(truncatingIfNeeded: word)
      if word > 255 { bytes[position / 8 + 1] |= UInt8(word >> 8) }
      position += bits
    }
    self.bytes = bytes
  }

  /// Codes that were packed before, as a file has them.
  ///
  /// - Throws: `InvalidArgument` when there are not as many bytes as `count` codes take.
  public init(bytes: [UInt8], bits: Int, count: Int) throws {
    guard 1...8 ~= bits else { throw InvalidArgument("bits", found: "\(bits)", wanted: "1 to 8") }
    guard count >= 0, bytes.count == (count * bits + 7) / 8 else {
      throw InvalidArgument(
        "bytes", found: "\(bytes.count) bytes", wanted: "\((max(0, count) * bits + 7) / 8) for \(count) codes")
    }
    (self.bits, self.count, self.bytes) = (bits, count, bytes)
  }

  public subscript(index: Int) -> UInt8 {
    precondition(0 <= index && index < count, "code \(index) of \(count)")
    var reader = reader(at: index)
    return reader.next()
  }

  /// All of them, a byte each.
  public var unpacked: [UInt8] {
    var reader = reader(at: 0)
    return (0..<count).map { _ in reader.next() }
  }

  /// Reads on from one code.
  func reader(at index: Int) -> Reader { Reader(bytes: bytes, bits: bits, position: index * bits) }

  struct Reader {
    let bytes: [UInt8]
    let bits: Int
    var position: Int

    mutating func next() -> UInt8 {
      let at = position / 8
      let high = at + 1 < bytes.count ? UInt16(bytes[at + 1]) << 8 : 0
      let word = (UInt16(bytes[at]) | high) >> UInt16(position % 8)
      position += bits
      return UInt8(truncatingIfNeeded: word) & UInt8(truncatingIfNeeded: (1 << bits) - 1)
    }
  }
}
