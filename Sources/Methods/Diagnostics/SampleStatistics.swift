/// Pearson's correlation; nil when one of the two is constant, or for fewer than two values.
func pearsonCorrelation(_ a: [Double], _ b: [Double]) -> Double? {
  precondition(a.count == b.count, "\(a.count) values cannot be correlated with \(b.count)")
  let count = Double(a.count)
  let meanA = a.reduce(0, +) / count
  let meanB = b.reduce(0, +) / count
  var aa = 0.0
  var ab = 0.0
  var bb = 0.0
  for (x, y) in zip(a, b) {
    aa += (x - meanA) * (x - meanA)
    ab += (x - meanA) * (y - meanB)
    bb += (y - meanB) * (y - meanB)
  }
  return aa > 0 && bb > 0 ? ab / (aa * bb).squareRoot() : nil
}

/// Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank.
func spearmanCorrelation(_ a: [Double], _ b: [Double]) -> Double? { pearsonCorrelation(ranks(a), ranks(b)) }

private func ranks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count && values[order[end]] == values[order[start]] { end += 1 }
    for i in start..<end { ranks[order[i]] = 0.5 * Double(start + end - 1) }
    start = end
  }
  return ranks
}

/// The middle value, or the mean of the two in the middle; NaN of nothing.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let count = sorted.count
  guard count > 0 else { return .nan }
  return 0.5 * (sorted[(count - 1) / 2] + sorted[count / 2])
}
