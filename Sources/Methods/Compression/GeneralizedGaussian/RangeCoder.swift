// Bytes for integers that are mostly small: adaptive binary range coding.

import Tensors

/// Codes integers by a binary range coder whose probabilities adapt to what it has seen.
///
/// An integer is written as: is it zero; its sign; the number of binary digits of its magnitude, in unary; the digits
/// below the first. Every decision of the first three kinds and the three highest digits have probabilities of their own;
/// the digits below count as even. On weights the bytes come near the entropy, and below it where the law changes from
/// one matrix to the next.
///
/// - Source: Martin, "Range encoding", 1979, with the carry propagation of Igor Pavlov's LZMA.
public struct RangeCoder: Sendable {
  public init() {}

  /// The bytes of `integers`; their number is not among them.
  public func encode(_ integers: [Int32]) -> [UInt8] {
    var coder = BinaryEncoder()
    coder.bytes.reserveCapacity(integers.count / 2)
    var contexts = IntegerContexts()
    for integer in integers {
      coder.encode(integer == 0 ? 1 : 0, &contexts.zero)
      guard integer != 0 else { continue }
      coder.encode(integer < 0 ? 1 : 0, &contexts.sign)
      let magnitude = integer.magnitude
      let digits = UInt32.bitWidth - 1 - magnitude.leadingZeroBitCount
      for i in 0..<digits { coder.encode(1, &contexts.length[i]) }
      if digits < 31 { coder.encode(0, &contexts.length[digits]) }
      var node = 1
      for place in stride(from: digits - 1, through: 0, by: -1) {
        let bit = Int(magnitude >> UInt32(place)) & 1
        if node < 8 {
          coder.encode(bit, &contexts.digits[8 * digits + node])
          node = 2 * node + bit
        } else {
          coder.encodeEven(bit)
        }
      }
    }
    return coder.finished()
  }

  /// The `count` integers in `bytes`.
  ///
  /// - Throws: `InvalidArgument` where the bytes end too early or hold no code of this coder.
  public func decode(_ bytes: [UInt8], count: Int) throws -> [Int32] {
    guard count >= 0 else { throw InvalidArgument("count", found: "\(count)", wanted: "at least 0") }
    var coder = BinaryDecoder(bytes)
    var contexts = IntegerContexts()
    var result: [Int32] = []
    result.reserveCapacity(min(count, 64 * bytes.count + 64))
    for _ in 0..<count {
      guard !coder.isExhausted else {
        throw InvalidArgument(
          "bytes", found: "\(bytes.count) bytes that end after \(result.count) integers", wanted: "\(count) integers")
      }
      if coder.decode(&contexts.zero) == 1 {
        result.append(0)
        continue
      }
      let isNegative = coder.decode(&contexts.sign) == 1
      var digits = 0
      while digits < 31, coder.decode(&contexts.length[digits]) == 1 { digits += 1 }
      var magnitude: UInt32 = 1
      var node = 1
      for _ in 0..<digits {
        let bit: Int
        if node < 8 {
          bit = coder.decode(&contexts.digits[8 * digits + node])
          node = 2 * node + bit
        } else {
          bit = coder.decodeEven()
        }
        magnitude = magnitude << 1 | UInt32(bit)
      }
      let value = isNegative ? -Int64(magnitude) : Int64(magnitude)
      guard let integer = Int32(exactly: value) else {
        throw InvalidArgument("bytes", found: "an integer beyond 32 bits", wanted: "a code of this coder")
      }
      result.append(integer)
    }
    return result
  }
}

/// The probabilities of all decisions in an integer.
private struct IntegerContexts {
  var zero = AdaptiveBit()
  var sign = AdaptiveBit()
  var length = [AdaptiveBit](repeating: AdaptiveBit(), count: 32)
  var digits = [AdaptiveBit](repeating: AdaptiveBit(), count: 8 * 32)
}

/// The probability of a zero in units of 2⁻¹⁶; fast at first, then slow.
private struct AdaptiveBit {
  var probability: UInt32 = 1 << 15
  private var seen: UInt32 = 0

  mutating func update(_ bit: Int) {
    let rate = min(seen / 4 + 2, 8)
    if seen < 32 { seen += 1 }
    if bit == 0 {
      probability += ((1 << 16) - probability) >> rate
    } else {
      probability -= probability >> rate
    }
    probability = min(max(probability, 64), (1 << 16) - 64)
  }
}

private struct BinaryEncoder {
  var bytes: [UInt8] = []
  private var low: UInt64 = 0
  private var range: UInt32 = .max
  /// The last byte, which a carry may still change, and how many bytes of 255 follow it.
  private var pending: UInt8 = 0
  private var pendingCount = 1

  mutating func encode(_ bit: Int, _ context: inout AdaptiveBit) {
    let bound = (range >> 16) * context.probability
    if bit == 0 {
      range = bound
    } else {
      low += UInt64(bound)
      range -= bound
    }
    context.update(bit)
    while range < 1 << 24 { shift() }
  }

  mutating func encodeEven(_ bit: Int) {
    range >>= 1
    if bit == 1 { low += UInt64(range) }
    while range < 1 << 24 { shift() }
  }

  private mutating func shift() {
    writeSettledBytes()
    range <<= 8
  }

  private mutating func writeSettledBytes() {
    if low < 0xFF00_0000 || low > 0xFFFF_FFFF {
      let carry = UInt8(truncatingIfNeeded: low >> 32)
      var byte = pending
      repeat {
        bytes.append(byte &+ carry)
        byte = 0xFF
        pendingCount -= 1
      } while pendingCount > 0
      pending = UInt8(truncatingIfNeeded: low >> 24)
    }
    pendingCount += 1
    low = (low & 0x00FF_FFFF) << 8
  }

  mutating func finished() -> [UInt8] {
    for _ in 0..<5 { writeSettledBytes() }
    return bytes
  }
}

private struct BinaryDecoder {
  private let bytes: [UInt8]
  private var position = 1  // the first byte is always zero
  private var range: UInt32 = .max
  private var code: UInt32 = 0
  /// Whether more bytes were asked for than there are.
  var isExhausted: Bool { position > bytes.count }

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    for _ in 0..<4 { code = code << 8 | next() }
  }

  private mutating func next() -> UInt32 {
    defer { position += 1 }
    return position < bytes.count ? UInt32(bytes[position]) : 0
  }

  mutating func decode(_ context: inout AdaptiveBit) -> Int {
    let bound = (range >> 16) * context.probability
    let bit: Int
    if code < bound {
      range = bound
      bit = 0
    } else {
      code -= bound
      range -= bound
      bit = 1
    }
    context.update(bit)
    fill()
    return bit
  }

  mutating func decodeEven() -> Int {
    range >>= 1
    let bit = code >= range ? 1 : 0
    if bit == 1 { code -= range }
    fill()
    return bit
  }

  private mutating func fill() {
    while range < 1 << 24 {
      code = code << 8 | next()
      range <<= 8
    }
  }
}
