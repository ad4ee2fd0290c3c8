/// The values that never decrease and are nearest to `values` by weighted least squares.
///
/// - Parameter weights: positive, one for each value; all one by default.
/// - Complexity: O(n): neighbours that decrease are pooled until none do.
/// - Source: Ayer et al., "An empirical distribution function for sampling with incomplete information", 1955.
public func isotonicRegression(_ values: [Double], weights: [Double]? = nil) -> [Double] {
  let weights = weights ?? Array(repeating: 1, count: values.count)
  precondition(
    weights.count == values.count && weights.allSatisfy { $0 > 0 },
    "\(weights.count) weights, which must be positive, for \(values.count) values")
  var pools: [(mean: Double, weight: Double, count: Int)] = []
  for (value, weight) in zip(values, weights) {
    pools.append((value, weight, 1))
    while pools.count > 1, pools[pools.count - 2].mean >= pools[pools.count - 1].mean {
      let last = pools.removeLast()
      let before = pools.removeLast()
      let weight = before.weight + last.weight
      let mean = (before.mean * before.weight + last.mean * last.weight) / weight
      pools.append((mean, weight, before.count + last.count))
    }
  }
  return pools.flatMap { Array(repeating: $0.mean, count: $0.count) }
}
