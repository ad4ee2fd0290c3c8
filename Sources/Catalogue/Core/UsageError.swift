/// A request that cannot be carried out as it was made; the message says what to do instead.
public struct UsageError: Error, Sendable, Hashable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }

  /// An unknown word, with the known one that was probably meant, or else all the known ones.
  static func unknown(_ kind: String, _ word: String, among known: [String], of owner: String) -> UsageError {
    if let candidate = nearest(to: word, among: known) {
      return UsageError("\(owner) has no \(kind) '\(word)'; did you mean '\(candidate)'?")
    }
    let list = known.isEmpty ? "it has none" : "it has " + known.joined(separator: ", ")
    return UsageError("\(owner) has no \(kind) '\(word)'; \(list)")
  }
}
