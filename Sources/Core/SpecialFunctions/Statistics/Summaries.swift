// A sample in one number.

/// The value below which this share of the sample lies, between two values by linear interpolation; infinities are values
/// like others. NaN of nothing, and of a sample with a NaN.
///
/// - Precondition: a level in [0, 1].
public func quantile(_ values: [Double], _ level: Double) -> Double {
  precondition(level >= 0 && level <= 1, "a quantile's level lies in [0, 1], but \(level) was given")
  guard !values.isEmpty, !values.contains(where: \.isNaN) else { return .nan }
  let sorted = values.sorted()
  let position = level * Double(sorted.count - 1)
  let low = sorted[Int(position)]
  let high = sorted[min(Int(position) + 1, sorted.count - 1)]
  let share = position - position.rounded(.down)
  return share == 0 || low == high ? low : low + (high - low) * share
}

/// The middle value, or the mean of the two in the middle; NaN of nothing, and of a sample with a NaN.
public func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

/// NaN of nothing.
public func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(values.count) }

public func rootMeanSquare(_ values: [Double]) -> Double {
  (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
}
