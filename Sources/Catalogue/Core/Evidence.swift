public import Tensors

/// What a measured number must satisfy for a claim to hold. NaN satisfies no bound.
public enum Bound: Sendable, Hashable {
  case atMost(Double)
  case below(Double)
  case atLeast(Double)
  case above(Double)
  case within(ClosedRange<Double>)
  /// Not farther than `tolerance` from the first number.
  case near(Double, tolerance: Double)

  func holds(for measured: Double) -> Bool {
    switch self {
    case .atMost(let limit): measured <= limit
    case .below(let limit): measured < limit
    case .atLeast(let limit): measured >= limit
    case .above(let limit): measured > limit
    case .within(let range): range.contains(measured)
    case .near(let value, let tolerance): (measured - value).magnitude <= tolerance
    }
  }

  public var text: String {
    func number(_ value: Double) -> String { value.formatted(digits: 8) }
    return switch self {
    case .atMost(let limit): "≤ \(number(limit))"
    case .below(let limit): "< \(number(limit))"
    case .atLeast(let limit): "≥ \(number(limit))"
    case .above(let limit): "> \(number(limit))"
    case .within(let range): "\(number(range.lowerBound)) … \(number(range.upperBound))"
    case .near(let value, let tolerance): "\(number(value)) ± \(number(tolerance))"
    }
  }
}

/// One comparison of what a paper says with what was measured.
public struct Check: Sendable, Hashable {
  public var name: String
  /// What the paper says, as it says it.
  public var claimed: Datum
  public var measured: Datum
  /// What the measured value had to satisfy, as text.
  public var bound: String
  public var passed: Bool

  /// The measured value as a person reads it: with a digit more than elsewhere, because it stands beside its bound.
  var measuredText: String { measured.text(digits: 6) }

  /// A number against a bound.
  public init(_ name: String, claimed: some DatumConvertible, measured: Double, _ bound: Bound) {
    self.name = name
    self.claimed = claimed.datum
    self.measured = .number(measured)
    self.bound = bound.text
    self.passed = bound.holds(for: measured)
  }

  /// A statement that is true or not; `measured` says what was seen.
  public init(_ name: String, claimed: some DatumConvertible, measured: some DatumConvertible, holds: Bool) {
    self.name = name
    self.claimed = claimed.datum
    self.measured = measured.datum
    self.bound = "holds"
    self.passed = holds
  }
}

/// What an executed claim shows: checks that can fail, and the plots and tables behind them.
public struct Evidence: Sendable {
  public private(set) var checks: [Check] = []
  public var plots: [Plot] = []
  public var tables: [Table] = []
  /// Sentences a reader must know to judge the checks: what was scaled down, what is not asserted, and why.
  public var notes: [String] = []

  public init() {}

  /// Whether every check holds. Evidence without checks shows nothing, and has not passed.
  public var passed: Bool { !checks.isEmpty && checks.allSatisfy(\.passed) }

  public mutating func add(_ check: Check) { checks.append(check) }

  /// Compares a measured number with its bound.
  ///
  /// ```swift
  /// evidence.check("largest |k - 1.2054| over 5 scales", claimed: "1.2054", measured: worst, .atMost(0.005))
  /// ```
  public mutating func check(_ name: String, claimed: some DatumConvertible, measured: Double, _ bound: Bound) {
    add(Check(name, claimed: claimed, measured: measured, bound))
  }

  /// Notes whether a statement holds; `measured` says what was seen.
  public mutating func check(
    _ name: String, claimed: some DatumConvertible, measured: some DatumConvertible, holds: Bool
  ) {
    add(Check(name, claimed: claimed, measured: measured, holds: holds))
  }
}

/// How a claim is to be reproduced.
public struct ClaimSettings: Sendable {
  /// The specification's full size instead of the quick one (at most about 15 s on two cores).
  public var isFull: Bool
  /// The same seed gives the same numbers.
  public var seed: UInt64
  public var progress: WorkProgress

  public init(isFull: Bool = false, seed: UInt64 = 1, progress: WorkProgress = .silent) {
    self.isFull = isFull
    self.seed = seed
    self.progress = progress
  }

  /// The stream of random numbers that belongs to the seed.
  public var random: RandomStream { RandomStream(seed: seed) }

  /// One of two sizes of an experiment.
  public func size<Value>(quick: Value, full: Value) -> Value { isFull ? full : quick }
}
