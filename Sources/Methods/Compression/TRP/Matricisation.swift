public import Tensors

/// How a weight is read as a matrix whose rank is cut.
///
/// Filters have shape [N, C, h, w] (N outputs, C channels); each reading belongs to a pair of layers that the factors
/// become.
public enum Matricisation: String, Sendable, Hashable, CaseIterable {
  /// A dense layer's weight as it is: two dense layers.
  case dense
  /// N × (C h w): a convolution with h × w taps and r outputs, then one with a single tap.
  case channel
  /// (C h) × (N w): a convolution of h × 1 taps, then one of 1 × w.
  case spatial
  /// A matrix C × (h w) for each output by itself: r sums of channels for it, then r filters of a single channel.
  case decoupled

  /// The matrices of a weight, one behind the other: shape [count, rows, columns]; count is one but for `decoupled`.
  public func matrices<Scalar: RealScalar>(of weight: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try require(weight.shape)
    let shape = weight.shape
    switch self {
    case .dense: return weight.expanded(axis: 0)
    case .channel: return weight.reshaped([1, shape[0], shape[1...].reduce(1, *)])
    case .spatial: return weight.permuted([1, 2, 0, 3]).reshaped([1, shape[1] * shape[2], shape[0] * shape[3]])
    case .decoupled: return weight.reshaped([shape[0], shape[1], shape[2] * shape[3]])
    }
  }

  /// The weight of the given shape that has these matrices.
  public func weight<Scalar: RealScalar>(from matrices: Tensor<Scalar>, shape: [Int]) throws -> Tensor<Scalar> {
    try require(shape)
    switch self {
    case .dense, .channel, .decoupled: return matrices.reshaped(shape)
    case .spatial: return matrices.reshaped([shape[1], shape[2], shape[0], shape[3]]).permuted([2, 0, 1, 3]).dense
    }
  }

  /// Throws `InvalidArgument` where a weight of this shape cannot be read so.
  func require(_ shape: [Int], _ name: String = "weight") throws {
    let rank = self == .dense ? 2 : 4
    guard shape.count == rank, shape.allSatisfy({ $0 > 0 }) else {
      throw InvalidArgument(
        name, found: "shape \(shape)",
        wanted: self == .dense ? "a matrix for dense factors" : "filters [N, C, h, w] for \(rawValue) factors")
    }
  }

  /// The largest rank that a weight of this shape can have.
  func fullRank(_ shape: [Int]) -> Int {
    switch self {
    case .dense: min(shape[0], shape[1])
    case .channel: min(shape[0], shape[1...].reduce(1, *))
    case .spatial: min(shape[1] * shape[2], shape[0] * shape[3])
    case .decoupled: min(shape[1], shape[2] * shape[3])
    }
  }

  /// Numbers in the factors of a weight of this shape.
  func parameterCount(_ shape: [Int], rank: Int) -> Int {
    switch self {
    case .dense: rank * (shape[0] + shape[1])
    case .channel: rank * (shape[0] + shape[1...].reduce(1, *))
    case .spatial: rank * (shape[1] * shape[2] + shape[0] * shape[3])
    case .decoupled: shape[0] * rank * (shape[1] + shape[2] * shape[3])
    }
  }
}

/// How many singular values of a matrix stay; always at least one.
public enum TruncationRule: Sendable, Hashable {
  /// The fewest whose squares are at least this share, in (0, 1], of all squares.
  case energy(Double)
  /// The fewest whose sum is at least this share, in (0, 1], of the sum of all.
  case nuclearShare(Double)
  /// Those of at least this size.
  case value(Double)
  /// Those of at least this share, in [0, 1], of the largest.
  case relativeValue(Double)
  /// This share, in [0, 1], of their number, rounded down.
  case fraction(Double)
  /// So many.
  case fixed(Int)

  /// Throws `InvalidArgument` for a number out of range.
  func validate() throws {
    switch self {
    case .energy(let share), .nuclearShare(let share):
      guard share > 0, share <= 1 else {
        throw InvalidArgument("rule", found: "a share of \(share)", wanted: "in (0, 1]")
      }
    case .value(let least):
      guard least >= 0 else { throw InvalidArgument("rule", found: "a least value of \(least)", wanted: "at least 0") }
    case .relativeValue(let share), .fraction(let share):
      guard (0...1).contains(share) else {
        throw InvalidArgument("rule", found: "a share of \(share)", wanted: "in [0, 1]")
      }
    case .fixed(let rank):
      guard rank >= 1 else { throw InvalidArgument("rule", found: "rank \(rank)", wanted: "at least 1") }
    }
  }

  /// The rank for decreasing singular values.
  func rank(_ values: [Double]) -> Int {
    func least(_ share: Double, _ parts: [Double]) -> Int {
      // All of it means all: sums of rounded numbers must not decide then.
      if share >= 1 { return parts.count }
      let wanted = share * parts.reduce(0, +)
      var sum = 0.0
      for (i, part) in parts.enumerated() {
        sum += part
        if sum >= wanted { return i + 1 }
      }
      return parts.count
    }
    let rank =
      switch self {
      case .energy(let share): least(share, values.map { $0 * $0 })
      case .nuclearShare(let share): least(share, values)
      case .value(let limit): values.count { $0 >= limit }
      case .relativeValue(let share): values.count { $0 >= share * (values.first ?? 0) && $0 > 0 }
      case .fraction(let share): Int(share * Double(values.count))
      case .fixed(let rank): rank
      }
    return min(max(rank, 1), values.count)
  }
}
