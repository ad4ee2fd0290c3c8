// What the tests of several modules share.

public import Tensors

/// A small deterministic generator for test cases, independent of the library's own random streams.
public struct TestGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 0x1234_5678_9ABC_DEF1 }

  /// SplitMix64.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform numbers in [-1, 1).
  public mutating func tensor<Scalar: RealScalar>(_ shape: [Int], of: Scalar.Type = Scalar.self) -> Tensor<Scalar> {
    let count = shape.reduce(1, *)
    return Tensor(shape: shape, scalars: (0..<count).map { _ in Scalar(Double.random(in: -1..<1, using: &self)) })
  }

  /// A shape with up to `rank` axes of extents from `extents`.
  public mutating func shape(rank: ClosedRange<Int>, extents: ClosedRange<Int>) -> [Int] {
    (0..<Int.random(in: rank, using: &self)).map { _ in Int.random(in: extents, using: &self) }
  }
}

extension Tensor where Scalar: RealScalar {
  /// The largest absolute element, as a `Double`; zero when empty.
  public var largestMagnitude: Double { isEmpty ? 0 : Double(absolute().maximum().scalar) }
}

/// The largest absolute difference of two tensors of one shape; infinite when the shapes differ or a difference is no
/// number: the largest of several distances would forget a NaN.
public func distance<Scalar: RealScalar>(_ a: Tensor<Scalar>, _ b: Tensor<Scalar>) -> Double {
  guard a.shape == b.shape else { return .infinity }
  let largest = (a - b).largestMagnitude
  return largest.isNaN ? .infinity : largest
}

extension Double {
  /// Takes the larger of the two, and a NaN of either for good, so that a limit on the result fails. `max` would lose it.
  public mutating func raise(to other: Double) { if !(self >= other) && !isNaN { self = other } }
}
