// How two samples go together.

/// Pearson's correlation; nil when one of the two is constant, or for fewer than two values.
public func pearsonCorrelation(_ a: [Double], _ b: [Double]) -> Double? {
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

/// Spearman's correlation: Pearson's of the ranks, equal values sharing their mean rank; infinities are values like others.
public func spearmanCorrelation(_ a: [Double], _ b: [Double]) -> Double? {
  pearsonCorrelation(sharedRanks(a), sharedRanks(b))
}

/// The rank of each value, counted from one; equal values share their mean rank.
public func sharedRanks(_ values: [Double]) -> [Double] {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var start = 0
  while start < order.count {
    var end = start + 1
    while end < order.count && values[order[end]] == values[order[start]] { end += 1 }
    for i in start..<end { ranks[order[i]] = 0.5 * Double(start + end + 1) }
    start = end
  }
  return ranks
}

/// The probability that a random one of `positives` exceeds a random one of `negatives`, equality counting one half: the
/// area under the curve of the receiver operating characteristic. Nil when one of the two is empty.
///
/// - Complexity: O(n log n).
/// - Source: Mann and Whitney, "On a test of whether one of two random variables is stochastically larger", 1947.
public func areaUnderROC(positives: [Double], negatives: [Double]) -> Double? {
  guard !positives.isEmpty, !negatives.isEmpty else { return nil }
  let count = Double(positives.count)
  let sum = sharedRanks(positives + negatives).prefix(positives.count).reduce(0, +)
  return (sum - count * (count + 1) / 2) / (count * Double(negatives.count))
}
