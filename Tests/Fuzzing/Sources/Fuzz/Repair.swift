// Makes a damaged file agree with itself again where that is easy, so that the damage reaches the deeper checks.

enum Repair {
  /// The header's length: up to the first line feed.
  static func npy(_ bytes: UnsafeMutableRawBufferPointer) {
    guard bytes.count > 12 else { return }
    let start = bytes[6] == 1 ? 10 : 12
    guard let end = bytes[start...].firstIndex(of: 0x0A) else { return }
    let length = end + 1 - start
    if start == 10 {
      store(UInt16(truncatingIfNeeded: length), in: bytes, at: 8)
    } else {
      store(UInt32(truncatingIfNeeded: length), in: bytes, at: 8)
    }
  }

  /// The header's length: up to the brace that closes it.
  static func safetensors(_ bytes: UnsafeMutableRawBufferPointer) {
    guard bytes.count > 8 else { return }
    var depth = 0
    var isQuoted = false
    var position = 8
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "\\") where isQuoted: position += 1
      case UInt8(ascii: "\""): isQuoted.toggle()
      case UInt8(ascii: "{") where !isQuoted: depth += 1
      case UInt8(ascii: "}") where !isQuoted: depth -= 1
      default: break
      }
      position += 1
      if depth == 0 { break }
    }
    store(UInt64(position - 8), in: bytes, at: 0)
  }

  /// The checksums of stored members, wherever a directory entry points to one.
  static func npz(_ bytes: UnsafeMutableRawBufferPointer) {
    var entry = 0
    while entry + 46 <= bytes.count {
      defer { entry += 1 }
      guard load(UInt32.self, bytes, entry) == 0x0201_4B50, load(UInt16.self, bytes, entry + 10) == 0 else { continue }
      let header = Int(load(UInt32.self, bytes, entry + 42))
      // 64-bit members that Apus writes: their sizes stand in the field behind the name.
      let field = entry + 46 + Int(load(UInt16.self, bytes, entry + 28)) + 4
      let isLong = header == 0xFFFF_FFFF && field + 24 <= bytes.count
      let offset = isLong ? Int(truncatingIfNeeded: load(UInt64.self, bytes, field + 16)) : header
      let size = isLong ? load(UInt64.self, bytes, field) : UInt64(load(UInt32.self, bytes, entry + 24))
      guard offset >= 0, offset <= bytes.count - 30 else { continue }
      let names = Int(load(UInt16.self, bytes, offset + 26)) + Int(load(UInt16.self, bytes, offset + 28))
      let start = offset + 30 + names
      guard start <= bytes.count, size <= UInt64(bytes.count - start) else { continue }
      store(checksum(UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(size)])), in: bytes, at: entry + 16)
    }
  }

  /// CRC-32, bit by bit: members are short.
  private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var value = UInt32.max
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320 }
    }
    return ~value
  }

  private static func load<Word: FixedWidthInteger>(
    _: Word.Type, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int
  ) -> Word {
    Word(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Word.self))
  }

  private static func store<Word: FixedWidthInteger>(
    _ word: Word, in bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) {
    bytes.storeBytes(of: word.littleEndian, toByteOffset: offset, as: Word.self)
  }
}
