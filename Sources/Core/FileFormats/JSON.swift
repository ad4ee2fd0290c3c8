// A strict reader of JSON for file headers.
//
// Foundation's reader keeps one of two equal keys silently, and so would accept a header that two programs understand
// differently; this one refuses. It also bounds the depth and keeps the order of keys.

/// A JSON value; objects keep the order in which their members stand.
enum JSON: Sendable {
  case null
  case bool(Bool)
  /// A whole number that fits an `Int`.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([Member])

  struct Member: Sendable {
    var key: String
    var value: JSON
  }

  /// What is wrong with a text, and the byte it was found at.
  struct SyntaxError: Error {
    var position: Int
    var reason: String
  }

  /// Reads one value with white space around it, and nothing else.
  ///
  /// Headers have no long arrays: the limit on them bounds the memory that a hostile one can ask for.
  init(
    parsing bytes: UnsafeRawBufferPointer, maximumDepth: Int = 8, maximumArrayCount: Int = 1_000
  ) throws(SyntaxError) {
    var parser = JSONParser(bytes: bytes, maximumArrayCount: maximumArrayCount)
    self = try parser.value(depth: maximumDepth)
    parser.skipSpace()
    if parser.position < bytes.count { throw parser.error("more text after the end of the value") }
  }

  subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  var string: String? { if case .string(let text) = self { text } else { nil } }
  var integer: Int? { if case .integer(let number) = self { number } else { nil } }
  var array: [JSON]? { if case .array(let values) = self { values } else { nil } }
  var members: [Member]? { if case .object(let members) = self { members } else { nil } }
}

/// `text` as a JSON string, quotes included.
package func jsonString(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\r": result += "\\r"
    case "\t": result += "\\t"
    case _ where scalar.value < 0x20:
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}

private struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  let maximumArrayCount: Int
  var position = 0

  func error(_ reason: String) -> JSON.SyntaxError { JSON.SyntaxError(position: position, reason: reason) }

  var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func value(depth: Int) throws(JSON.SyntaxError) -> JSON {
    guard depth > 0 else { throw error("values are nested too deeply") }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw error("the text ends where a value was expected")
    default: return try number()
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSON) throws(JSON.SyntaxError) -> JSON {
    let count = text.utf8CodeUnitCount
    guard bytes.count - position >= count else { throw error("a value was expected") }
    for i in 0..<count where bytes[position + i] != text.utf8Start[i] { throw error("a value was expected") }
    position += count
    return value
  }

  private mutating func object(depth: Int) throws(JSON.SyntaxError) -> JSON {
    position += 1
    var members: [JSON.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if take("}") { return .object([]) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw error("a key in quotes was expected") }
      let key = try string()
      guard keys.insert(key).inserted else { throw error("the key \(quoted(key)) occurs twice") }
      skipSpace()
      guard take(":") else { throw error("a colon was expected after the key \(quoted(key))") }
      members.append(JSON.Member(key: key, value: try value(depth: depth - 1)))
      skipSpace()
    } while take(",")
    guard take("}") else { throw error("a comma or a closing brace was expected") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws(JSON.SyntaxError) -> JSON {
    position += 1
    var values: [JSON] = []
    skipSpace()
    if take("]") { return .array([]) }
    repeat {
      guard values.count < maximumArrayCount else { throw error("an array is too long") }
      values.append(try value(depth: depth - 1))
      skipSpace()
    } while take(",")
    guard take("]") else { throw error("a comma or a closing bracket was expected") }
    return .array(values)
  }

  private mutating func digits() throws(JSON.SyntaxError) {
    let start = position
    while let byte = next, isDigit(byte) { position += 1 }
    if position == start { throw error("a value was expected") }
  }

  private mutating func number() throws(JSON.SyntaxError) -> JSON {
    let start = position
    _ = take("-")
    let firstDigit = position
    try digits()
    if bytes[firstDigit] == UInt8(ascii: "0"), position > firstDigit + 1 {
      throw error("a number must not begin with a zero")
    }
    var isWhole = true
    if take(".") {
      isWhole = false
      try digits()
    }
    if take("e") || take("E") {
      isWhole = false
      if !take("+") { _ = take("-") }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, let integer = Int(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { throw error("a number out of range") }
    return .number(number)
  }

  private mutating func string() throws(JSON.SyntaxError) -> String {
    position += 1
    var units: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: units, as: UTF8.self) else { throw error("a text is not valid UTF-8") }
        return text
      case UInt8(ascii: "\\"): units.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw error("a control character inside quotes")
      default: units.append(byte)
      }
    }
    throw error("a quote is not closed")
  }

  private mutating func escape() throws(JSON.SyntaxError) -> Character {
    guard let byte = next else { throw error("a quote is not closed") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return Character(try unicodeEscape())
    default: throw error("an unknown escape sequence")
    }
  }

  private mutating func unicodeEscape() throws(JSON.SyntaxError) -> Unicode.Scalar {
    let first = try fourHexDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    // The first half of a surrogate pair must be followed by the second.
    guard first < 0xDC00, take("\\"), take("u") else { throw error("half of a surrogate pair") }
    let second = try fourHexDigits()
    guard 0xDC00..<0xE000 ~= second,
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw error("half of a surrogate pair") }
    return scalar
  }

  private mutating func fourHexDigits() throws(JSON.SyntaxError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
        throw error("four hexadecimal digits were expected")
      }
      position += 1
      value = value << 4 | UInt32(digit)
    }
    return value
  }
}

func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }
