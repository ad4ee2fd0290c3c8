public import Tensors

/// Counts, for each example, how often a classifier forgot it: had it right at one visit and wrong at the next.
///
/// - Source: Toneva et al., "An empirical study of example forgetting during deep neural network learning", ICLR 2019,
///   algorithm 1.
public struct ForgettingTracker: Sendable, Hashable {
  private var wasRight: [Bool]
  private var hasBeenRight: [Bool]
  private var forgotten: [Int]

  public init(count: Int) {
    precondition(count >= 0, "\(count) examples")
    wasRight = Array(repeating: false, count: count)
    hasBeenRight = wasRight
    forgotten = Array(repeating: 0, count: count)
  }

  /// Notes a visit of the examples at `positions`: which of them the classifier has right.
  public mutating func visit(_ positions: Tensor<Int>, isRight: Tensor<Bool>) {
    precondition(
      positions.shape == isRight.shape, "positions of shape \(positions.shape), answers of shape \(isRight.shape)")
    for (position, right) in zip(positions.scalars, isRight.scalars) {
      if wasRight[position] && !right { forgotten[position] += 1 }
      wasRight[position] = right
      if right { hasBeenRight[position] = true }
    }
  }

  /// The number of times each example was forgotten, infinite for those that never were right; shape [count].
  public var scores: Tensor<Double> {
    Tensor(zip(forgotten, hasBeenRight).map { $1 ? Double($0) : .infinity })
  }
}
