import Tensors

/// A hyper-parameter as a card offers it: the name people type, what it means, its default and what is allowed.
///
/// It is also the key that reads the value, with its type: `request[rank]`.
///
/// ```swift
/// let rank = MethodParameter("rank", "Rank of the correction.", default: 32, in: .atLeast(1))
/// let rule = MethodParameter("rule", "How ranks are chosen.", default: Rule.energy)
/// let limit = MethodParameter("limit", "Most iterations; automatic if left out.", default: Int?.none)
/// ```
public struct MethodParameter<Value: ParameterValue>: Sendable {
  /// In small letters, words joined by hyphens: `warm-up-sweeps`.
  public let name: String
  public let meaning: String
  public let defaultValue: Value
  public let range: ParameterRange

  /// Traps when the default is outside the range: that is a mistake in the card.
  public init(_ name: String, _ meaning: String, default value: Value, in range: ParameterRange = .any) {
    self.name = name
    self.meaning = meaning
    self.defaultValue = value
    self.range = range
    precondition(value.magnitudes.allSatisfy(range.contains), "the default of parameter '\(name)' is out of its range")
  }
}

/// A parameter whose type of value is not known here.
public protocol MethodParameterDescription: Sendable {
  var name: String { get }
  var meaning: String { get }
  /// What may be given, as a person reads it: "an integer, at least 1".
  var wanted: String { get }
  var kind: ParameterKind { get }
  var defaultText: String { get }
  var defaultJSON: JSONValue { get }
  /// The default, as a value of the parameter's own type.
  var defaultAnyValue: any ParameterValue { get }
  /// Throws `InvalidArgument` that names the parameter.
  func parse(_ text: String) throws -> any ParameterValue
}

extension MethodParameter: MethodParameterDescription {
  public var wanted: String { range.text.isEmpty ? Value.wanted : "\(Value.wanted), \(range.text)" }
  public var kind: ParameterKind { Value.kind }
  public var defaultText: String { defaultValue.text }
  public var defaultJSON: JSONValue { defaultValue.json }
  public var defaultAnyValue: any ParameterValue { defaultValue }

  public func parse(_ text: String) throws -> any ParameterValue {
    guard let value = Value(parsing: text), value.magnitudes.allSatisfy(range.contains) else {
      throw InvalidArgument("--\(name)", found: "'\(text)'", wanted: wanted)
    }
    return value
  }
}

/// What a parameter's values look like.
public enum ParameterKind: Sendable, Hashable {
  case integer, number, flag, text
  case choice([String])
  indirect case list(ParameterKind)

  public var name: String {
    switch self {
    case .integer: "integer"
    case .number: "number"
    case .flag: "flag"
    case .text: "text"
    case .choice: "choice"
    case .list(let element): "list of \(element.name)s"
    }
  }
}

/// A type that a parameter can have: `Int`, `Double`, `Bool`, `String`, a `ParameterChoice`, an array of such values
/// (typed `1,2,3`), or an optional one (`none` when absent).
public protocol ParameterValue: Sendable {
  static var kind: ParameterKind { get }
  /// What may be given: "an integer".
  static var wanted: String { get }
  init?(parsing text: String)
  var text: String { get }
  var json: JSONValue { get }
  /// The numbers that must lie in the parameter's range.
  var magnitudes: [Double] { get }
}

extension ParameterValue {
  public var magnitudes: [Double] { [] }
}

extension Int: ParameterValue {
  public static var kind: ParameterKind { .integer }
  public static var wanted: String { "an integer" }
  public init?(parsing text: String) { self.init(text) }
  public var text: String { "\(self)" }
  public var json: JSONValue { .integer(self) }
  public var magnitudes: [Double] { [Double(self)] }
}

extension Double: ParameterValue {
  public static var kind: ParameterKind { .number }
  public static var wanted: String { "a number" }
  public init?(parsing text: String) {
    guard let value = Double(text), value.isFinite else { return nil }
    self = value
  }
  public var text: String { formatted(digits: 8) }
  public var json: JSONValue { .number(self) }
  public var magnitudes: [Double] { [self] }
}

extension Bool: ParameterValue {
  public static var kind: ParameterKind { .flag }
  public static var wanted: String { "yes or no" }
  public init?(parsing text: String) {
    switch text.lowercased() {
    case "yes", "true", "on", "1": self = true
    case "no", "false", "off", "0": self = false
    default: return nil
    }
  }
  public var text: String { self ? "yes" : "no" }
  public var json: JSONValue { .boolean(self) }
}

extension String: ParameterValue {
  public static var kind: ParameterKind { .text }
  public static var wanted: String { "a text" }
  public init?(parsing text: String) { self = text }
  public var text: String { self }
  public var json: JSONValue { .string(self) }
}

/// One of a few named values: an enumeration with raw values of type `String` has nothing more to do.
public protocol ParameterChoice: ParameterValue, CaseIterable, RawRepresentable where RawValue == String {}

extension ParameterChoice {
  public static var kind: ParameterKind { .choice(allCases.map(\.rawValue)) }
  public static var wanted: String { "one of " + allCases.map(\.rawValue).joined(separator: ", ") }
  public init?(parsing text: String) { self.init(rawValue: text) }
  public var text: String { rawValue }
  public var json: JSONValue { .string(rawValue) }
}

extension Optional: ParameterValue where Wrapped: ParameterValue {
  public static var kind: ParameterKind { Wrapped.kind }
  public static var wanted: String { Wrapped.wanted }
  public init?(parsing text: String) {
    if text == "none" {
      self = .none
    } else if let value = Wrapped(parsing: text) {
      self = .some(value)
    } else {
      return nil
    }
  }
  public var text: String { self?.text ?? "none" }
  public var json: JSONValue { self?.json ?? .null }
  public var magnitudes: [Double] { self?.magnitudes ?? [] }
}

extension Array: ParameterValue where Element: ParameterValue {
  public static var kind: ParameterKind { .list(Element.kind) }
  public static var wanted: String { "values separated by commas, each \(Element.wanted)" }
  public init?(parsing text: String) {
    var values: [Element] = []
    if text == "none" {
      self = values
      return
    }
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = Element(parsing: String(part)) else { return nil }
      values.append(value)
    }
    self = values
  }
  public var text: String { isEmpty ? "none" : map(\.text).joined(separator: ",") }
  public var json: JSONValue { .array(map(\.json)) }
  public var magnitudes: [Double] { flatMap(\.magnitudes) }
}

/// The numbers that a parameter may take.
public struct ParameterRange: Sendable, Hashable {
  var lower = -Double.infinity
  var upper = Double.infinity
  var includesLower = true
  var includesUpper = true

  public static let any = ParameterRange()
  public static func above(_ lower: Double) -> ParameterRange { .init(lower: lower, includesLower: false) }
  public static func atLeast(_ lower: Double) -> ParameterRange { .init(lower: lower) }
  public static func atMost(_ upper: Double) -> ParameterRange { .init(upper: upper) }
  public static func above(_ lower: Double, atMost upper: Double) -> ParameterRange {
    .init(lower: lower, upper: upper, includesLower: false)
  }
  public static func above(_ lower: Double, below upper: Double) -> ParameterRange {
    .init(lower: lower, upper: upper, includesLower: false, includesUpper: false)
  }
  public static func atLeast(_ lower: Double, atMost upper: Double) -> ParameterRange {
    .init(lower: lower, upper: upper)
  }
  public static func atLeast(_ lower: Double, below upper: Double) -> ParameterRange {
    .init(lower: lower, upper: upper, includesUpper: false)
  }

  public func contains(_ value: Double) -> Bool {
    (includesLower ? value >= lower : value > lower) && (includesUpper ? value <= upper : value < upper)
  }

  /// "at least 1", "above 0 and at most 1"; empty when everything is allowed.
  public var text: String {
    var parts: [String] = []
    if lower > -.infinity { parts.append((includesLower ? "at least " : "above ") + lower.formatted(digits: 8)) }
    if upper < .infinity { parts.append((includesUpper ? "at most " : "below ") + upper.formatted(digits: 8)) }
    return parts.joined(separator: " and ")
  }
}
