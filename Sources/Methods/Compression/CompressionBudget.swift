import Tensors

/// How much a compression may keep, or may lose.
public enum CompressionBudget: Sendable, Hashable {
  /// The fraction of all parameters to keep, in (0, 1]. Matrices that stay dense count with all of theirs.
  case keepingParameters(Double)
  /// A rank; each method says how it spends it. Matrices of smaller rank keep theirs.
  case rank(Int)
  /// The relative error in the Frobenius norm that no matrix may exceed, in [0, 1).
  case relativeError(Double)

  /// Throws `InvalidArgument` for a number outside its range.
  public func validate() throws {
    switch self {
    case .keepingParameters(let ratio):
      guard ratio > 0, ratio <= 1 else { throw InvalidArgument("ratio", found: "\(ratio)", wanted: "in (0, 1]") }
    case .rank(let rank):
      guard rank >= 1 else { throw InvalidArgument("rank", found: "\(rank)", wanted: "at least 1") }
    case .relativeError(let error):
      guard error >= 0, error < 1 else { throw InvalidArgument("error", found: "\(error)", wanted: "in [0, 1)") }
    }
  }
}
