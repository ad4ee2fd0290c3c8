/// The middle value, or the mean of the two in the middle; NaN of nothing.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let count = sorted.count
  guard count > 0 else { return .nan }
  return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2])
}
