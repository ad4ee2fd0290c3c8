public import Tensors

/// Which examples to keep, given their scores.
public enum SubsetRule: Sendable, Hashable {
  /// Those with the highest scores: the paper's choice for clean labels.
  case highest
  /// Those with the lowest scores, for comparison.
  case lowest
  /// In ascending order of scores, those after the `offset` lowest: a window that leaves out easy and hardest examples.
  case window(offset: Int)
  /// Those with the highest scores below the `count` highest, which with noisy labels are mostly wrong ones.
  case skippingHardest(_ count: Int)
  /// A random choice, for comparison.
  case random(seed: UInt64)
}

/// A choice of `count` examples by their scores.
public struct SubsetSelection: Sendable, Hashable {
  public var rule: SubsetRule
  public var count: Int
  /// Chooses within each class, so that classes keep their shares to within one example; off in the paper.
  public var keepsClassShares: Bool

  public init(_ rule: SubsetRule = .highest, count: Int, keepsClassShares: Bool = false) {
    self.rule = rule
    self.count = count
    self.keepsClassShares = keepsClassShares
  }

  /// The positions of the examples to keep, in increasing order. Among equal scores the first examples count as lower.
  ///
  /// Offsets of `window` and `skippingHardest` are shared among the classes as `count` is.
  /// - Parameters:
  ///   - scores: shape [examples]; infinite ones are allowed.
  ///   - labels: shape [examples], when classes shall keep their shares.
  /// - Throws: `InvalidArgument` for scores that are no vector or hold NaN, a count below one or above the number of
  ///   examples, a window that does not fit, or missing labels.
  public func positions(by scores: Tensor<Double>, labels: Tensor<Int>? = nil) throws -> Tensor<Int> {
    let all = scores.scalars
    guard scores.rank == 1, !all.contains(where: \.isNaN) else {
      throw InvalidArgument("scores", found: "shape \(scores.shape), or NaN", wanted: "a vector of numbers")
    }
    guard 1 <= count, count <= all.count else {
      throw InvalidArgument("count", found: "\(count)", wanted: "1 through \(all.count), the number of examples")
    }
    var skipped = 0
    if case .window(let offset) = rule { skipped = offset }
    if case .skippingHardest(let hardest) = rule { skipped = hardest }
    guard skipped >= 0, skipped + count <= all.count else {
      throw InvalidArgument(
        "offset", found: "\(skipped) with \(count) to keep",
        wanted: "at least 0, and together at most \(all.count) examples")
    }
    guard keepsClassShares else {
      return Tensor(chosen(of: Array(all.indices), all, count: count, skipped: skipped).sorted())
    }
    guard let labels, labels.shape == scores.shape else {
      throw InvalidArgument(
        "labels", found: labels.map { "shape \($0.shape)" } ?? "none", wanted: "shape \(scores.shape)")
    }
    let members = Dictionary(grouping: all.indices, by: { labels[at: $0] }).sorted { $0.key < $1.key }.map(\.value)
    let sizes = members.map(\.count)
    let counts = Self.shares(of: count, sizes)
    let offsets = Self.shares(of: skipped, sizes)
    var result: [Int] = []
    for (c, member) in members.enumerated() {
      // Both shares may be rounded up in a class that has no room for it.
      let skipped = min(offsets[c], sizes[c] - counts[c])
      result += chosen(of: member, all, count: counts[c], skipped: skipped, stream: UInt64(c))
    }
    return Tensor(result.sorted())
  }

  private func chosen(
    of members: [Int], _ scores: [Double], count: Int, skipped: Int, stream: UInt64 = 0
  ) -> [Int] {
    if case .random(let seed) = rule {
      var random = RandomStream(seed: seed).child(stream)
      return random.sample(count, below: members.count).scalars.map { members[$0] }
    }
    let order = members.sorted { scores[$0] != scores[$1] ? scores[$0] < scores[$1] : $0 < $1 }
    return switch rule {
    case .highest: Array(order.suffix(count))
    case .lowest, .random: Array(order.prefix(count))
    case .window: Array(order[skipped..<skipped + count])
    case .skippingHardest: Array(order.dropLast(skipped).suffix(count))
    }
  }

  /// `total` shared in proportion to `sizes`; what rounding leaves goes to the largest remainders.
  private static func shares(of total: Int, _ sizes: [Int]) -> [Int] {
    let all = max(sizes.reduce(0, +), 1)
    var shares = sizes.map { total * $0 / all }
    let rest = total - shares.reduce(0, +)
    let order = sizes.indices.sorted {
      let (a, b) = (total * sizes[$0] % all, total * sizes[$1] % all)
      return a != b ? a > b : $0 < $1
    }
    for i in order.prefix(rest) { shares[i] += 1 }
    return shares
  }
}
