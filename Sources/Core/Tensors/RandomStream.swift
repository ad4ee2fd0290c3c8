// Random numbers from a counter instead of a state.
//
// Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011 (Philox4x32-10).

import CVectorKernels
import Numerics

/// A stream of random numbers that can be read anywhere and split at will.
///
/// Number i of a stream is a function of the seed and i alone. Large tensors are therefore filled on several threads
/// and come out the same on any number of them. A stream is a value: a copy continues as the original would. Give each
/// independent part of a computation its own stream with ``split()``.
///
/// ```swift
/// var random = RandomStream(seed: 7)
/// let weights = random.normal([256, 128], of: Float.self)
/// let order = random.permutation(1_000)
/// ```
public struct RandomStream: Sendable, Hashable, RandomNumberGenerator {
  let key: UInt64
  let stream: UInt64
  /// The next unused 64-bit word. A block of the generator holds two.
  private var position: UInt64 = 0
  /// How many streams were split off.
  private var children: UInt64 = 0

  public init(seed: UInt64) {
    key = seed
    stream = 0
  }

  private init(key: UInt64, stream: UInt64) {
    self.key = key
    self.stream = stream
  }

  /// The next 64 random bits; with it, all of Swift's `random(in:using:)` and `shuffle(using:)`.
  public mutating func next() -> UInt64 {
    defer { position += 1 }
    var word: UInt64 = 0
    apus_random_words(key, stream, position, &word, 1)
    return word
  }

  /// An independent stream; each call gives another.
  ///
  /// The child's key is drawn from the parent's upper half of counters, which no draw reaches.
  public mutating func split() -> RandomStream {
    defer { children += 1 }
    return child(children)
  }

  /// Child `index`, without changing this stream: for the workers or samples of a numbered set.
  public func child(_ index: UInt64) -> RandomStream {
    var words: [UInt64] = [0, 0]
    apus_random_words(key, stream, (1 << 63) + 2 * index, &words, 2)
    return RandomStream(key: words[0], stream: words[1])
  }

  /// Reserves whole blocks for `count` elements, of which a block holds `perBlock`; returns the first one's number.
  private mutating func reserve(_ count: Int, perBlock: UInt64) -> UInt64 {
    let block = (position + 1) / 2
    position = 2 * (block + (UInt64(count) + perBlock - 1) / perBlock)
    return block * perBlock
  }

  private static func perBlock<Scalar>(_: Scalar.Type) -> UInt64 { MemoryLayout<Scalar>.size == 4 ? 4 : 2 }

  // MARK: Continuous distributions

  /// Numbers uniform in `range`: 24 random bits in single precision, 53 in double.
  public mutating func uniform<Scalar: RealScalar>(
    _ shape: [Int], in range: Range<Scalar> = 0..<1, of: Scalar.Type = Scalar.self
  ) -> Tensor<Scalar> {
    let unit = unitUniform(shape, open: false, of: Scalar.self)
    if range == 0..<1 { return unit }
    let width = range.upperBound - range.lowerBound
    // Rounding may reach the upper end, which is not in the range.
    return (unit * width + range.lowerBound).minimum(range.upperBound.nextDown)
  }

  private mutating func unitUniform<Scalar: RealScalar>(
    _ shape: [Int], open: Bool, of: Scalar.Type
  ) -> Tensor<Scalar> {
    fill(shape) { key, stream, first, pointer, count in
      Scalar.fillUniform(key: key, stream: stream, first: first, open: open, pointer, count: count)
    }
  }

  /// Normal numbers, by the method of Box and Muller.
  public mutating func normal<Scalar: RealScalar>(
    _ shape: [Int], mean: Scalar = 0, standardDeviation: Scalar = 1, of: Scalar.Type = Scalar.self
  ) -> Tensor<Scalar> {
    let standard: Tensor<Scalar> = fill(shape) { key, stream, first, pointer, count in
      Scalar.fillNormal(key: key, stream: stream, first: first, pointer, count: count)
    }
    if mean == 0 && standardDeviation == 1 { return standard }
    return standard * standardDeviation + mean
  }

  private mutating func fill<Scalar: RealScalar>(
    _ shape: [Int], _ body: (UInt64, UInt64, UInt64, UnsafeMutablePointer<Scalar>, Int) -> Void
  ) -> Tensor<Scalar> {
    let first = reserve(Shape.count(shape), perBlock: Self.perBlock(Scalar.self))
    return Tensor(uninitializedShape: shape) { buffer in
      guard let start = buffer.baseAddress else { return }
      let to = Foreign(start)
      parallelRanges(buffer.count, grain: 1 << 12) { range in
        body(key, stream, first + UInt64(range.lowerBound), to.mutable + range.lowerBound, range.count)
      }
    }
  }

  /// Exponential numbers of mean 1 / `rate`.
  public mutating func exponential<Scalar: RealScalar>(_ shape: [Int], rate: Scalar = 1) -> Tensor<Scalar> {
    unitUniform(shape, open: true, of: Scalar.self).log() / -rate
  }

  /// Gamma numbers of the given shape parameter and scale.
  ///
  /// By rejection; each element has its own child stream, so that how often one is rejected does not move the others.
  /// - Source: Marsaglia and Tsang, "A simple method for generating gamma variables", ACM TOMS 2000.
  public mutating func gamma<Scalar: RealScalar>(
    _ shape: [Int], shapeParameter: Double, scale: Double = 1
  ) -> Tensor<Scalar> {
    precondition(shapeParameter > 0 && scale > 0, "gamma: shape \(shapeParameter) and scale \(scale) must be positive")
    let source = split()
    return Tensor(uninitializedShape: shape) { buffer in
      guard let start = buffer.baseAddress else { return }
      let to = Foreign(start)
      parallelRanges(buffer.count, grain: 1 << 8) { range in
        for i in range {
          to.mutable[i] = Scalar(scale * standardGamma(shapeParameter, key: source.key, element: UInt64(i)))
        }
      }
    }
  }

  /// Beta numbers with parameters a and b, as a ratio of gamma numbers.
  public mutating func beta<Scalar: RealScalar>(_ shape: [Int], _ a: Double, _ b: Double) -> Tensor<Scalar> {
    let x: Tensor<Scalar> = gamma(shape, shapeParameter: a)
    let y: Tensor<Scalar> = gamma(shape, shapeParameter: b)
    return x / (x + y)
  }

  /// Points uniform on the unit sphere: the last axis of `shape` is the dimension.
  public mutating func sphere<Scalar: RealScalar>(_ shape: [Int]) -> Tensor<Scalar> {
    precondition(shape.last ?? 0 > 0, "a sphere needs a dimension, but the shape is \(shape)")
    let points = normal(shape, of: Scalar.self)
    return points / points.sumOfSquares(axes: [-1], keepingAxes: true).sqrt()
  }

  // MARK: Discrete distributions

  /// Integers uniform in `range`; the bias is below the range's width divided by 2^64.
  public mutating func integers(_ shape: [Int], in range: Range<Int>) -> Tensor<Int> {
    precondition(!range.isEmpty, "there are no integers in \(range)")
    let width = UInt64(range.count)
    let words = words(Shape.count(shape))
    return Tensor(shape: shape, scalars: words.map { range.lowerBound + Int($0.multipliedFullWidth(by: width).high) })
  }

  /// True with the given probability.
  public mutating func bernoulli(_ shape: [Int], probability: Double) -> Tensor<Bool> {
    uniform(shape, in: 0.0..<1.0) .< probability
  }

  /// Indices drawn with the given weights, which need not sum to one.
  ///
  /// - Complexity: O(k + n log k) for k weights and n draws.
  public mutating func categorical(_ shape: [Int], weights: Tensor<Double>) throws -> Tensor<Int> {
    try weights.requireFinite("weights")
    guard weights.rank == 1, weights.count > 0, weights.minimum().scalar >= 0, weights.maximum().scalar > 0 else {
      throw InvalidArgument(
        "weights", found: "shape \(weights.shape), smallest \(weights.isEmpty ? 0 : weights.minimum().scalar)",
        wanted: "a vector of non-negative weights that are not all zero")
    }
    let cumulative = weights.cumulativeSum(axis: 0).scalars
    let total = cumulative[cumulative.count - 1]
    let last = weights.scalars.lastIndex { $0 > 0 } ?? 0
    let levels = unitUniform(shape, open: false, of: Double.self) * total
    return Tensor(
      shape: shape,
      scalars: levels.scalars.map { level in
        // The first index whose running sum exceeds the level.
        var low = 0
        var high = last
        while low < high {
          let middle = (low + high) / 2
          if cumulative[middle] > level { high = middle } else { low = middle + 1 }
        }
        return low
      })
  }

  /// The numbers below `count` in random order.
  public mutating func permutation(_ count: Int) -> Tensor<Int> { sample(count, below: count) }

  /// `size` different numbers below `count`, in random order, each choice equally likely.
  public mutating func sample(_ size: Int, below count: Int) -> Tensor<Int> {
    precondition(0 <= size && size <= count, "\(size) different numbers below \(count)")
    var order = Array(0..<count)
    for (i, word) in words(size).enumerated() {
      order.swapAt(i, i + Int(word.multipliedFullWidth(by: UInt64(count - i)).high))
    }
    return Tensor(Array(order.prefix(size)))
  }

  private mutating func words(_ count: Int) -> [UInt64] {
    let first = reserve(count, perBlock: 2)
    return [UInt64](unsafeUninitializedCapacity: count) { buffer, used in
      if let start = buffer.baseAddress { apus_random_words(key, stream, first, start, count) }
      used = count
    }
  }
}

private func standardGamma(_ shape: Double, key: UInt64, element: UInt64) -> Double {
  /// Two normals and two uniforms of attempt number `attempt`.
  func draw(_ attempt: UInt64) -> (normal: Double, uniform: Double) {
    var normal = 0.0
    var uniform = 0.0
    apus_random_normal_f64(key, element, 4 * attempt, &normal, 1)
    apus_random_uniform_f64(key, element, 4 * attempt + 2, true, &uniform, 1)
    return (normal, uniform)
  }
  if shape < 1 {
    // A gamma number of shape + 1 times U^(1/shape); attempt 2^40 is never reached by the rejection.
    let boost = Double.pow(draw(1 << 40).uniform, 1 / shape)
    return boost * standardGamma(shape + 1, key: key, element: element)
  }
  let d = shape - 1 / 3.0
  let c = 1 / (3 * d.squareRoot())
  var attempt: UInt64 = 0
  while true {
    let (x, u) = draw(attempt)
    attempt += 1
    let root = 1 + c * x
    guard root > 0 else { continue }
    let v = root * root * root
    if Double.log(u) < 0.5 * x * x + d * (1 - v + Double.log(v)) { return d * v }
  }
}
