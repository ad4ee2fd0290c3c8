// The header of a NumPy file: a Python dictionary, read strictly.

/// The contents of a `.npy` header, and how to write one.
///
/// The format (NumPy enhancement proposal 1): the magic bytes, a version, the header's length in 2 bytes (version 1) or 4,
/// and a Python dictionary of exactly `descr`, `fortran_order` and `shape`.
struct NumPyHeader {
  static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]

  var type: StoredType
  var isSwapped: Bool
  var isFortranOrder: Bool
  var shape: [Int]
  /// Where the numbers begin.
  var length: Int
  /// The bytes that the numbers take.
  var byteCount: Int

  /// Reads the header at the beginning of `bytes`, which need not reach to the end of the file.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(FileError) {
    guard bytes.count > 0 else { throw FileError(.empty, path, "the file is empty, a NumPy array was expected") }
    guard bytes.starts(with: Self.magic.prefix(bytes.count)) else {
      throw FileError(.foreign, path, "this is not a NumPy array: the first bytes are others")
    }
    guard bytes.count >= 10 else { throw FileError(.truncated, path, "the file ends within its first ten bytes") }
    let version = bytes[6]
    guard 1...3 ~= version, bytes[7] == 0 else {
      throw FileError(
        .unsupported, path, "version \(version).\(bytes[7]) of the NumPy format, versions 1 to 3 can be read")
    }
    let start = version == 1 ? 10 : 12
    guard bytes.count >= start else { throw FileError(.truncated, path, "the file ends within its first twelve bytes") }
    let text =
      version == 1
      ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
      : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    guard text <= bytes.count - start else {
      throw FileError(.truncated, path, "the header has \(text) bytes by its own account, the file only \(bytes.count)")
    }
    var parser = PythonDictionaryParser(
      bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<start + text]), path: path)
    let fields = try parser.fields()
    (type, isSwapped) = try Self.type(of: fields.description, path)
    isFortranOrder = fields.isFortranOrder
    shape = fields.shape
    length = start + text
    guard let byteCount = type.byteCount(of: shape) else {
      throw FileError(.malformed, path, "an array of shape \(shape) is larger than memory can hold")
    }
    self.byteCount = byteCount
  }

  /// The header for an array in row-major order, padded so that the numbers begin at a multiple of 64 bytes.
  static func text(type: StoredType, shape: [Int], path: String) throws(FileError) -> [UInt8] {
    guard let code = types.first(where: { $0.value == type })?.key else {
      throw FileError(.unsupportedType, path, "NumPy has no numbers of type \(type)")
    }
    let order = type.bitsPerElement == 8 ? "|" : "<"
    let extents = shape.map { "\($0)," }.joined(separator: " ")
    let tuple = shape.count == 1 ? extents : String(extents.dropLast())
    let dictionary = "{'descr': '\(order)\(code)', 'fortran_order': False, 'shape': (\(tuple)), }"
    // Ten bytes before the text and a line feed after it.
    let padding = -(10 + dictionary.utf8.count + 1) & 63
    let count = UInt16(dictionary.utf8.count + padding + 1)
    return magic + [1, 0, UInt8(count & 0xFF), UInt8(count >> 8)] + Array(dictionary.utf8)
      + Array(repeating: UInt8(ascii: " "), count: padding) + [UInt8(ascii: "\n")]
  }

  private static let types: [String: StoredType] = [
    "b1": .bool, "i1": .int8, "i2": .int16, "i4": .int32, "i8": .int64, "u1": .uint8, "u2": .uint16, "u4": .uint32,
    "u8": .uint64, "f2": .float16, "f4": .float32, "f8": .float64,
  ]

  private static func type(
    of description: String, _ path: String
  ) throws(FileError) -> (type: StoredType, isSwapped: Bool) {
    var code = Substring(description)
    var order = Character("=")
    if let first = code.first, "<>=|".contains(first) {
      order = first
      code = code.dropFirst()
    }
    // Files are written with '<', '>' or '|'; '=' means the machine's own order, which here is little-endian.
    if let type = types[String(code)] { return (type, order == ">") }
    let kind =
      switch code.first {
      case "c": "complex numbers"
      case "O": "Python objects"
      case "U", "S", "a": "text"
      case "M", "m": "dates or times"
      case "V": "raw or structured records"
      default: "numbers of type \(quoted(description))"
      }
    throw FileError(
      .unsupportedType, path, "an array of \(kind), expected integers, Booleans, or floating-point numbers to 64 bits")
  }
}

/// Reads the one dictionary that a header is.
private struct PythonDictionaryParser {
  struct Fields {
    var description: String
    var isFortranOrder: Bool
    var shape: [Int]
  }

  let bytes: UnsafeRawBufferPointer
  let path: String
  private var position = 0

  init(bytes: UnsafeRawBufferPointer, path: String) {
    self.bytes = bytes
    self.path = path
  }

  mutating func fields() throws(FileError) -> Fields {
    var description: String?
    var isFortranOrder: Bool?
    var shape: [Int]?
    try expect("{")
    while !take("}") {
      let key = try text()
      try expect(":")
      switch key {
      case "descr" where description == nil: description = try typeDescription()
      case "fortran_order" where isFortranOrder == nil: isFortranOrder = try flag()
      case "shape" where shape == nil: shape = try tuple()
      default: throw error("the key \(quoted(key)) is unknown or occurs twice")
      }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard position == bytes.count else { throw error("more text after the dictionary") }
    guard let description, let isFortranOrder, let shape else {
      throw error("descr, fortran_order and shape are not all there")
    }
    return Fields(description: description, isFortranOrder: isFortranOrder, shape: shape)
  }

  private func error(_ reason: String) -> FileError {
    FileError(.malformed, path, "the header of the NumPy array is not valid: \(reason)")
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(FileError) {
    guard take(character) else { throw error("\(quoted(String(character))) was expected at byte \(position) of it") }
  }

  private mutating func typeDescription() throws(FileError) -> String {
    skipSpace()
    guard position < bytes.count, bytes[position] != UInt8(ascii: "[") else {
      throw FileError(.unsupportedType, path, "an array of structured records, expected an array of plain numbers")
    }
    return try text()
  }

  private mutating func text() throws(FileError) -> String {
    skipSpace()
    guard position < bytes.count, bytes[position] == UInt8(ascii: "'") || bytes[position] == UInt8(ascii: "\"") else {
      throw error("a text in quotes was expected at byte \(position) of it")
    }
    let quote = bytes[position]
    position += 1
    let start = position
    while position < bytes.count, bytes[position] != quote {
      guard 0x20..<0x7F ~= bytes[position], bytes[position] != UInt8(ascii: "\\") else {
        throw error("an unexpected character inside quotes")
      }
      position += 1
    }
    guard position < bytes.count else { throw error("a quote is not closed") }
    defer { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func flag() throws(FileError) -> Bool {
    skipSpace()
    let rest = bytes[position...]
    for (word, value) in [("True", true), ("False", false)] where rest.starts(with: word.utf8) {
      position += word.utf8.count
      return value
    }
    throw error("fortran_order is neither True nor False")
  }

  private mutating func tuple() throws(FileError) -> [Int] {
    try expect("(")
    var extents: [Int] = []
    while !take(")") {
      skipSpace()
      var extent = 0
      var digits = 0
      while position < bytes.count, isDigit(bytes[position]) {
        let (scaled, overflow) = extent.multipliedReportingOverflow(by: 10)
        let (sum, overflowOfSum) = scaled.addingReportingOverflow(Int(bytes[position] - 48))
        guard !overflow, !overflowOfSum else { throw error("an extent of the shape is larger than memory can hold") }
        extent = sum
        digits += 1
        position += 1
      }
      guard digits > 0 else { throw error("the shape is not a tuple of whole numbers") }
      // Python 2 wrote long integers with an L.
      if position < bytes.count, bytes[position] == UInt8(ascii: "L") { position += 1 }
      extents.append(extent)
      if !take(",") {
        try expect(")")
        break
      }
    }
    return extents
  }
}
