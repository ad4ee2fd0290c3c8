import FileFormats

/// A JSON document whose members keep their order, so that equal results print equally.
public indirect enum JSONValue: Sendable, Hashable {
  case object([Member])
  case array([JSONValue])
  case string(String)
  /// NaN and infinities, which JSON does not have, are written as null.
  case number(Double)
  case integer(Int)
  case boolean(Bool)
  case null

  public struct Member: Sendable, Hashable {
    public var name: String
    public var value: JSONValue

    public init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  /// The document over several lines, indented by two spaces; arrays of plain values stay on one line.
  public var text: String {
    var text = ""
    write(to: &text, indentation: 0)
    return text
  }

  private var isPlain: Bool {
    switch self {
    case .object, .array: false
    default: true
    }
  }

  private func write(to text: inout String, indentation: Int) {
    let margin = "\n" + String(repeating: " ", count: indentation + 2)
    let closing = "\n" + String(repeating: " ", count: indentation)
    switch self {
    case .object(let members) where members.isEmpty: text += "{}"
    case .object(let members):
      text += "{"
      for (i, member) in members.enumerated() {
        text += (i == 0 ? "" : ",") + margin + jsonString(member.name) + ": "
        member.value.write(to: &text, indentation: indentation + 2)
      }
      text += closing + "}"
    case .array(let values) where values.allSatisfy(\.isPlain):
      text += "["
      for (i, value) in values.enumerated() {
        if i > 0 { text += ", " }
        value.write(to: &text, indentation: indentation)
      }
      text += "]"
    case .array(let values):
      text += "["
      for (i, value) in values.enumerated() {
        text += (i == 0 ? "" : ",") + margin
        value.write(to: &text, indentation: indentation + 2)
      }
      text += closing + "]"
    case .string(let string): text += jsonString(string)
    case .number(let number): text += number.isFinite ? "\(number)" : "null"
    case .integer(let integer): text += "\(integer)"
    case .boolean(let boolean): text += boolean ? "true" : "false"
    case .null: text += "null"
    }
  }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral
{
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  public init(stringLiteral value: String) { self = .string(value) }
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  public init(integerLiteral value: Int) { self = .integer(value) }
  public init(floatLiteral value: Double) { self = .number(value) }
}
