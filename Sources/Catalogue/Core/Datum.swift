import Tensors

/// One value of a table or a summary, which people read as text and machines as JSON.
public enum Datum: Sendable, Hashable {
  case number(Double)
  case integer(Int)
  case text(String)
  case flag(Bool)
  case list([Datum])
  case missing

  /// The value as a person reads it: five significant digits, long integers in groups of three digits.
  public var text: String { text(digits: 5) }

  func text(digits: Int) -> String {
    switch self {
    case .number(let number): number.formatted(digits: digits)
    case .integer(let integer): Self.grouped(integer)
    case .text(let text): text
    case .flag(let flag): flag ? "yes" : "no"
    case .list(let values): "[" + values.map { $0.text(digits: digits) }.joined(separator: ", ") + "]"
    case .missing: "–"
    }
  }

  public var json: JSONValue {
    switch self {
    case .number(let number): .number(number)
    case .integer(let integer): .integer(integer)
    case .text(let text): .string(text)
    case .flag(let flag): .boolean(flag)
    case .list(let values): .array(values.map(\.json))
    case .missing: .null
    }
  }

  /// Whether a table aligns the value to the right.
  var isNumeric: Bool {
    switch self {
    case .number, .integer: true
    default: false
    }
  }

  /// Thousands apart from five digits on: 1024, 22,713,216.
  private static func grouped(_ integer: Int) -> String {
    let digits = String(integer.magnitude)
    guard digits.count > 4 else { return String(integer) }
    var result = ""
    for (i, digit) in digits.enumerated() {
      if i > 0, (digits.count - i).isMultiple(of: 3) { result += "," }
      result.append(digit)
    }
    return (integer < 0 ? "-" : "") + result
  }
}

/// What can stand in a table or a summary.
public protocol DatumConvertible: Sendable {
  var datum: Datum { get }
}

extension Datum: DatumConvertible { public var datum: Datum { self } }
extension Double: DatumConvertible { public var datum: Datum { .number(self) } }
extension Float: DatumConvertible { public var datum: Datum { .number(Double(self)) } }
extension Int: DatumConvertible { public var datum: Datum { .integer(self) } }
extension String: DatumConvertible { public var datum: Datum { .text(self) } }
extension Bool: DatumConvertible { public var datum: Datum { .flag(self) } }
extension Optional: DatumConvertible where Wrapped: DatumConvertible {
  public var datum: Datum { self?.datum ?? .missing }
}
extension Array: DatumConvertible where Element: DatumConvertible {
  public var datum: Datum { .list(map(\.datum)) }
}

/// One line of a summary: a label and its value.
///
/// In JSON the label becomes a name in small letters: "Relative error" is `relative_error`.
public struct Fact: Sendable, Hashable {
  public var label: String
  public var value: Datum

  public init(_ label: String, _ value: some DatumConvertible) {
    self.label = label
    self.value = value.datum
  }
}

/// A table for people and machines: titled columns, one datum a cell.
public struct Table: Sendable, Hashable {
  public var title: String
  public var columns: [String]
  public var rows: [[Datum]]
  /// A sentence under the table, or nothing.
  public var caption: String

  /// Traps when a row has more or fewer cells than there are columns.
  public init(_ title: String, columns: [String], rows: [[any DatumConvertible]] = [], caption: String = "") {
    self.title = title
    self.columns = columns
    self.rows = []
    self.caption = caption
    for row in rows { add(row) }
  }

  /// Adds a row, one value a column; traps on another number of values.
  public mutating func add(_ row: [any DatumConvertible]) {
    precondition(
      row.count == columns.count, "a row of \(row.count) values in table '\(title)' of \(columns.count) columns")
    rows.append(row.map(\.datum))
  }

  /// An array with one object a row.
  var json: JSONValue {
    let names = jsonNames(columns)
    return .array(rows.map { row in .object(zip(names, row).map { JSONValue.Member($0, $1.json) }) })
  }
}

extension [Fact] {
  var json: JSONValue {
    .object(zip(jsonNames(map(\.label)), self).map { JSONValue.Member($0, $1.value.json) })
  }
}

/// The JSON names of labels: letters and digits in small letters, all else one underscore, and all different.
func jsonNames(_ labels: [String]) -> [String] {
  var used: Set<String> = []
  return labels.map { label in
    let words = label.lowercased().split { !$0.isLetter && !$0.isNumber }
    let base = words.isEmpty ? "value" : words.joined(separator: "_")
    var name = base
    var suffix = 2
    while !used.insert(name).inserted {
      name = "\(base)_\(suffix)"
      suffix += 1
    }
    return name
  }
}
