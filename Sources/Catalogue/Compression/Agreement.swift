// What the claim about clustering compares with: k-means, and the agreement of two partitions.

import Tensors

/// Lloyd's algorithm from k-means++ seeds: the labels of the best of a few starts.
func kMeansLabels(
  _ points: Tensor<Double>, clusters: Int, starts: Int = 5, sweeps: Int = 50, random: inout RandomStream
) -> [Int] {
  let lengths = points.sumOfSquares(axes: [1], keepingAxes: true)
  func squaredDistances(_ centres: Tensor<Double>) -> Tensor<Double> {
    let squares = centres.sumOfSquares(axes: [1])
    let products = points.matmul(centres, transposingB: true)
    return (lengths + squares - products * 2).maximum(0)
  }
  var best = (cost: Double.infinity, labels: [Int](repeating: 0, count: points.rows))
  for _ in 0..<starts {
    var centres = points[Int.random(in: 0..<points.rows, using: &random), .all].expanded(axis: 0)
    while centres.rows < clusters {
      // The next seed is drawn in proportion to the squared distance from those there are.
      let weights = squaredDistances(centres).minimum(axis: 1).scalars
      var level = Double.random(in: 0..<max(weights.reduce(0, +), .leastNormalMagnitude), using: &random)
      let drawn = weights.firstIndex { weight in
        level -= weight
        return level < 0
      }
      centres = Tensor.concatenated([centres, points[drawn ?? 0, .all].expanded(axis: 0)])
    }
    var labels: [Int] = []
    for _ in 0..<sweeps {
      let next = squaredDistances(centres).argmin(axis: 1)
      if next.scalars == labels { break }
      labels = next.scalars
      let sums = Tensor<Double>.zeros(centres.shape).scatterAdded(points, at: next)
      let counts = Tensor<Double>.zeros([clusters]).scatterAdded(.ones([points.rows]), at: next).expanded(axis: 1)
      // A centre without points stays where it is.
      centres = (counts .> 0).broadcast(to: centres.shape).select(sums / counts.maximum(1), centres)
    }
    let cost = squaredDistances(centres).minimum(axis: 1).sum().scalar
    if cost < best.cost { best = (cost, labels) }
  }
  return best.labels
}

/// The adjusted Rand index: one for equal partitions, about zero for unrelated ones.
///
/// - Source: Hubert and Arabie, "Comparing partitions", 1985.
func adjustedRandIndex(_ a: [Int], _ b: [Int]) -> Double {
  func pairs(_ count: Int) -> Double { Double(count * (count - 1)) / 2 }
  func sizes(_ labels: [[Int]]) -> Double {
    Dictionary(grouping: labels) { $0 }.values.reduce(0) { $0 + pairs($1.count) }
  }
  let together = sizes(zip(a, b).map { [$0, $1] })
  let inA = sizes(a.map { [$0] })
  let inB = sizes(b.map { [$0] })
  let expected = inA * inB / pairs(a.count)
  let most = (inA + inB) / 2
  return most == expected ? 1 : (together - expected) / (most - expected)
}
