import Diagnostics
import FileFormats
import Tensors

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
    let patterns = NamePatterns(included: included, excluded: excluded)
    let named = Set(try patterns.select(from: entries.map(\.name), of: "tensor"))
    let chosen = entries.filter { entry in
      let isMatrix = entry.shape.count == 2 && !entry.shape.contains(0) && entry.type.isFloatingPoint
      let isMeant = !included.isEmpty || includesEmbeddings || !isEmbedding(entry.name)
      return isMatrix && isMeant && named.contains(entry.name)
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
