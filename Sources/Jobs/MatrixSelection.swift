import Diagnostics
import FileFormats
import Tensors

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Which tensors of a checkpoint a job works on.
///
/// Without patterns: all matrices of fractions, but for embeddings and the head, whose rows belong to words and are met
/// with very different frequencies.
public struct MatrixSelection: Sendable, Hashable {
  /// Names to take, with `*` and `?` as in a shell; none means the default.
  public var included: [String] = []
  /// Names to leave out, whatever is included.
  public var excluded: [String] = []
  /// Whether the default takes embeddings and the head too.
  public var includesEmbeddings = false

  public init(included: [String] = [], excluded: [String] = [], includesEmbeddings: Bool = false) {
    self.included = included
    self.excluded = excluded
    self.includesEmbeddings = includesEmbeddings
  }

  /// The selected matrices, in the order of the checkpoint.
  ///
  /// - Throws: `InvalidArgument` when a pattern matches no tensor, or nothing is selected.
  func select(from entries: [FactoredCheckpoint.Entry], of path: String) throws -> [FactoredCheckpoint.Entry] {
    for (option, patterns) in [("include", included), ("exclude", excluded)] {
      for pattern in patterns where !entries.contains(where: { shellMatches($0.name, pattern) }) {
        let names = entries.prefix(3).map { "'\($0.name)'" }.joined(separator: ", ")
        throw InvalidArgument(
          option, found: "'\(pattern)', which matches no tensor", wanted: "a pattern for names such as \(names)")
      }
    }
    let chosen = entries.filter { entry in
      guard entry.shape.count == 2, !entry.shape.contains(0), entry.type.isFloatingPoint else { return false }
      if excluded.contains(where: { shellMatches(entry.name, $0) }) { return false }
      if !included.isEmpty { return included.contains { shellMatches(entry.name, $0) } }
      return includesEmbeddings || !isEmbedding(entry.name)
    }
    guard !chosen.isEmpty else {
      throw InvalidArgument(
        "checkpoint", found: "no matrix to work on in \(path)",
        wanted: "a matrix that the patterns leave in; `apus inspect` lists what there is")
    }
    return chosen
  }

  private func isEmbedding(_ name: String) -> Bool {
    let role = TensorRole(tensorName: name)
    return role == .embedding || role == .head
  }

}

/// Whether a name fits a pattern with * and ?, as in a shell.
func shellMatches(_ name: String, _ pattern: String) -> Bool { fnmatch(pattern, name, 0) == 0 }
