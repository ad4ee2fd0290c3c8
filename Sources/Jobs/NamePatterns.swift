import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Names to take and names to leave out, with `*` and `?` as in a shell.
struct NamePatterns {
  /// None means all.
  var included: [String]
  /// Whatever is included.
  var excluded: [String]

  /// The names that are left.
  ///
  /// - Parameters:
  ///   - kind: what the names are of, for messages.
  ///   - suffix: what a pattern may have at its end and the names have not.
  /// - Throws: `InvalidArgument` when a pattern matches no name.
  func select(from names: [String], of kind: String, orWith suffix: String? = nil) throws -> [String] {
    func matches(_ name: String, _ pattern: String) -> Bool {
      fnmatch(pattern, name, 0) == 0 || (suffix.map { fnmatch(pattern, name + $0, 0) == 0 } ?? false)
    }
    for (option, patterns) in [("include", included), ("exclude", excluded)] {
      for pattern in patterns where !names.contains(where: { matches($0, pattern) }) {
        let shown = names.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        throw InvalidArgument(
          option, found: "'\(pattern)', which matches no \(kind)", wanted: "a pattern for names such as \(shown)")
      }
    }
    return names.filter { name in
      (included.isEmpty || included.contains { matches(name, $0) }) && !excluded.contains { matches(name, $0) }
    }
  }

  /// Layers of a network; a pattern may be meant for a layer or for its weight.
  ///
  /// - Throws: `InvalidArgument` when a pattern matches nothing or nothing is left.
  func layers(from names: [String]) throws -> Set<String> {
    let chosen = try select(from: names, of: "linear layer", orWith: ".weight")
    guard !chosen.isEmpty else {
      throw InvalidArgument("include", found: "no layer that is left", wanted: "patterns that leave a layer")
    }
    return Set(chosen)
  }
}
