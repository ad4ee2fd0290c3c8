/// A request that cannot be carried out as it was made; the message says what to do instead.
public struct UsageError: Error, Sendable, Hashable, CustomStringConvertible {
  public var description: String

  public init(_ description: String) { self.description = description }

  /// There is no such thing; perhaps another one was meant, and these there are.
  ///
  /// - Parameters:
  ///   - word: as it was typed.
  ///   - listing: the command that lists what is known, where that is much.
  public init(noSuch thing: String, _ word: String, among known: [String], listedBy listing: String? = nil) {
    let guess = nearest(to: word, among: known).map { "did you mean '\($0)'? " } ?? ""
    let list = listing.map { "`\($0)` lists all" } ?? "there are \(known.joined(separator: ", "))"
    self.init("there is no \(thing); \(guess)\(list)")
  }

  /// An unknown word, with the known one that was probably meant, or else all the known ones.
  static func unknown(_ kind: String, _ word: String, among known: [String], of owner: String) -> UsageError {
    if let candidate = nearest(to: word, among: known) {
      return UsageError("\(owner) has no \(kind) '\(word)'; did you mean '\(candidate)'?")
    }
    let list = known.isEmpty ? "it has none" : "it has " + known.joined(separator: ", ")
    return UsageError("\(owner) has no \(kind) '\(word)'; \(list)")
  }
}
