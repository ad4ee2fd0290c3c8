import Tensors

/// How many query heads share a key and value head: what the shapes in the query and key classes should be judged by.
public enum AttentionArchitecture: Sendable, Hashable, CustomStringConvertible {
  /// Every query head has its own keys and values.
  case multiHead
  /// `sharing` query heads to each key and value head.
  case groupedQuery(sharing: Int)
  /// One key and value head for all.
  case multiQuery

  /// - Throws: `InvalidArgument` unless the counts are positive and the first is a multiple of the second.
  public init(queryHeads: Int, keyValueHeads: Int) throws {
    guard queryHeads > 0 else {
      throw InvalidArgument("queryHeads", found: "\(queryHeads)", wanted: "a positive number")
    }
    guard keyValueHeads > 0, queryHeads.isMultiple(of: keyValueHeads) else {
      throw InvalidArgument("keyValueHeads", found: "\(keyValueHeads)", wanted: "a divisor of \(queryHeads)")
    }
    if queryHeads == keyValueHeads {
      self = .multiHead
    } else {
      self = keyValueHeads == 1 ? .multiQuery : .groupedQuery(sharing: queryHeads / keyValueHeads)
    }
  }

  /// From the rows of a query and a key matrix, [heads * headDimension, width] each.
  ///
  /// Without the dimension of a head, one key head cannot be told from several; it is then taken for grouped queries.
  public init(queryRows: Int, keyRows: Int, headDimension: Int? = nil) throws {
    guard let headDimension else {
      try self.init(queryHeads: queryRows, keyValueHeads: keyRows)
      return
    }
    guard headDimension > 0, queryRows.isMultiple(of: headDimension), keyRows.isMultiple(of: headDimension) else {
      throw InvalidArgument(
        "headDimension", found: "\(headDimension)", wanted: "a common divisor of \(queryRows) and \(keyRows)")
    }
    try self.init(queryHeads: queryRows / headDimension, keyValueHeads: keyRows / headDimension)
  }

  public var description: String {
    switch self {
    case .multiHead: "multi-head"
    case .groupedQuery(let sharing): "grouped-query (\(sharing) query heads to a key head)"
    case .multiQuery: "multi-query"
    }
  }
}
