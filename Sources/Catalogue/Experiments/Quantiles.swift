// The middle of repeated measurements, and what lies around it.

/// The value below which this share lies, between two values in proportion; NaN of no values, or of one that is NaN.
public func quantile(_ values: [Double], _ level: Double) -> Double {
  guard !values.isEmpty, !values.contains(where: \.isNaN) else { return .nan }
  let sorted = values.sorted()
  let position = level * Double(sorted.count - 1)
  let low = sorted[Int(position)]
  let high = sorted[min(Int(position) + 1, sorted.count - 1)]
  let share = position - position.rounded(.down)
  // Not by a product: of infinite values that would be NaN.
  return share == 0 || low == high ? low : low + (high - low) * share
}

/// The middle value; of an even number, the mean of the two in the middle.
public func median(_ values: [Double]) -> Double { quantile(values, 0.5) }

public func rootMeanSquare(_ values: [Double]) -> Double {
  (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
}
