/// The shapes that an input may have: "[n, m]", "[samples, 2]", "[n, ...]", "[n] or [n, m]".
///
/// A name stands for the same extent wherever it occurs on a card, so that a cost "[n, m]" and a source "[n]" are
/// checked against each other before a method runs. "..." stands for any further axes.
public struct ShapePattern: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let description: String
  private let alternatives: [[Axis]]

  private enum Axis: Sendable, Hashable {
    case named(String)
    case fixed(Int)
    case rest
  }

  /// Traps when the text is not a pattern: that is a mistake in a card.
  public init(stringLiteral text: String) {
    description = text
    alternatives = text.split(separator: " or ").map { part in
      precondition(part.hasPrefix("[") && part.hasSuffix("]"), "shape '\(text)' is not of the form [a, b]")
      return part.dropFirst().dropLast().split(separator: ",").map { axis in
        let word = String(axis.drop { $0 == " " })
        if word == "..." { return .rest }
        if let extent = Int(word) { return .fixed(extent) }
        precondition(word.allSatisfy { $0.isLetter || $0.isNumber }, "axis '\(word)' of shape '\(text)' is not a name")
        return .named(word)
      }
    }
  }

  /// The extents that names of axes stand for, and which input they were read off.
  public struct Bindings: Sendable {
    fileprivate var extents: [String: (extent: Int, input: String)] = [:]
    public init() {}
  }

  /// Whether a shape fits. If it does, the names take their extents from it; if not, says what is wanted instead.
  func mismatch(of shape: [Int], input: String, bindings: inout Bindings) -> String? {
    for alternative in alternatives {
      if let bound = Self.match(shape, alternative, input: input, bindings: bindings) {
        bindings = bound
        return nil
      }
    }
    let names = alternatives.joined().compactMap { axis -> String? in
      guard case .named(let name) = axis, let known = bindings.extents[name] else { return nil }
      return "\(name) = \(known.extent) as in '\(known.input)'"
    }
    var distinct: [String] = []
    for name in names where !distinct.contains(name) { distinct.append(name) }
    return "shape \(description)" + (distinct.isEmpty ? "" : " with " + distinct.joined(separator: ", "))
  }

  private static func match(_ shape: [Int], _ axes: [Axis], input: String, bindings: Bindings) -> Bindings? {
    var bindings = bindings
    for (i, axis) in axes.enumerated() {
      if axis == .rest { return bindings }
      guard i < shape.count else { return nil }
      switch axis {
      case .fixed(let extent):
        if shape[i] != extent { return nil }
      case .named(let name):
        if let known = bindings.extents[name], known.extent != shape[i] { return nil }
        if bindings.extents[name] == nil { bindings.extents[name] = (shape[i], input) }
      case .rest: break
      }
    }
    return shape.count == axes.count ? bindings : nil
  }
}
