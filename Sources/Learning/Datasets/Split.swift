// Parts of a data set for training, validation and test.

public import Tensors

/// The parts of a data set; they have no example in common.
public struct Split<Data: Examples>: Sendable {
  public var train: Data
  /// For choosing between settings and for stopping early; empty unless it was asked for.
  public var validation: Data
  /// For the last word, once.
  public var test: Data
}

extension Examples {
  /// A random split that keeps the share of each class, to within one example. The same seed gives the same parts; the
  /// examples of each part keep their order.
  ///
  /// - Parameters: validation and test, the fractions of all examples that go there.
  /// - Throws: `InvalidArgument` when the fractions leave nothing for training.
  public func split(validation: Double = 0, test: Double = 0.2, seed: UInt64 = 1) throws -> Split<Self> {
    guard validation >= 0, test >= 0, validation + test < 1 else {
      throw InvalidArgument(
        "fractions", found: "validation \(validation) and test \(test)",
        wanted: "fractions of at least zero with a sum below one")
    }
    var random = RandomStream(seed: seed)
    let order = stratifiedOrder(&random)
    // Systematic sampling along the order by class: every stretch of it gives its share.
    let (rest, testing) = Self.every(test, of: order)
    let (training, validating) = Self.every(validation / (1 - test), of: rest)
    return Split(train: part(training), validation: part(validating), test: part(testing))
  }

  /// Cross-validation: `count` splits whose test parts together are all examples, once each.
  public func folds(_ count: Int, seed: UInt64 = 1) throws -> [Split<Self>] {
    guard count >= 2, count <= self.count else {
      throw InvalidArgument(
        "folds", found: "\(count)", wanted: "a number in 2...\(self.count), one example a fold at least")
    }
    var random = RandomStream(seed: seed)
    let order = stratifiedOrder(&random)
    return (0..<count).map { fold in
      let isInFold = { (i: Int) in i % count == fold }
      return Split(
        train: part(order.indices.filter { !isInFold($0) }.map { order[$0] }), validation: part([]),
        test: part(order.indices.filter(isInFold).map { order[$0] }))
    }
  }

  /// All examples, in random order.
  public func shuffled(_ random: inout RandomStream) -> Self { taken(random.permutation(count)) }

  /// The positions class by class, in random order within each.
  private func stratifiedOrder(_ random: inout RandomStream) -> [Int] {
    let shuffled = random.permutation(count)
    let classes = strata.gathered(shuffled)
    return shuffled.gathered(classes.argsort()).scalars
  }

  private func part(_ positions: [Int]) -> Self { taken(Tensor(positions.sorted())) }

  private static func every(_ fraction: Double, of positions: [Int]) -> (others: [Int], chosen: [Int]) {
    var others: [Int] = []
    var chosen: [Int] = []
    for (i, position) in positions.enumerated() {
      let before = (Double(i) * fraction).rounded(.down)
      let after = (Double(i + 1) * fraction).rounded(.down)
      if after > before { chosen.append(position) } else { others.append(position) }
    }
    return (others, chosen)
  }
}
