public import Tensors

/// Which examples each step of a training run sees: every one once an epoch, in an order of the epoch's own.
///
/// The batch of a step is a function of the seed and the step's number alone. A run that is resumed at a step therefore
/// needs no other record of where in the data it was.
///
/// ```swift
/// var batches = Batches(count: data.count, size: 64, random: RandomStream(seed: 1))
/// for step in 0..<10 * batches.perEpoch {
///   let batch = data.taken(batches.positions(at: step))
/// }
/// ```
public struct Batches: Sendable {
  /// How many examples there are.
  public let count: Int
  public let size: Int
  /// Whether the last batch of an epoch, when it is smaller than the others, is left out.
  public let dropsRest: Bool
  private let random: RandomStream
  private var orderedEpoch: Int?
  private var order = Tensor<Int>(0..<0)

  /// - Parameter random: where the orders come from; it is not changed.
  public init(count: Int, size: Int, dropsRest: Bool = false, random: RandomStream) {
    precondition(count > 0 && size > 0, "batches of \(size) out of \(count) examples")
    self.count = count
    self.size = min(size, count)
    self.dropsRest = dropsRest
    self.random = random
  }

  /// The number of steps in which every example is seen once.
  public var perEpoch: Int { dropsRest ? count / size : (count + size - 1) / size }

  /// The number of the epoch that a step is in, from zero.
  public func epoch(at step: Int) -> Int { step / perEpoch }

  /// The positions of the examples of a step, from zero on.
  public mutating func positions(at step: Int) -> Tensor<Int> {
    let epoch = epoch(at: step)
    if orderedEpoch != epoch {
      var stream = random.child(UInt64(epoch))
      order = stream.permutation(count)
      orderedEpoch = epoch
    }
    let start = step % perEpoch * size
    return order[start..<min(start + size, count)]
  }
}
