public import LinearAlgebra
import Tensors

/// Pairs of neighbours in a weighted graph.
public struct Matching: Sendable, Hashable {
  /// For each vertex its partner, nil for those left over.
  public let partners: [Int?]
  /// The sum of the weights of the pairs.
  public let weight: Double

  /// The pairs, the smaller vertex first.
  public var pairs: [(Int, Int)] {
    partners.enumerated().compactMap { i, partner in partner.flatMap { i < $0 ? (i, $0) : nil } }
  }
}

/// A matching of at least half the largest weight.
///
/// Each vertex in turn proposes to the neighbour by the heaviest edge that outbids the neighbour's present suitor; who is
/// outbid proposes again. Ties go to the edge with the smaller vertices, so that the result is that of the greedy
/// algorithm on all edges by decreasing weight, without sorting them.
/// - Parameter graph: symmetric; edges of weight zero and less are not used, nor is the diagonal.
/// - Throws: `InvalidArgument` unless the matrix is square, symmetric and finite.
/// - Complexity: near O(edges) time in practice.
/// - Source: Manne and Halappanavar, "New effective multithreaded matching algorithms", IPDPS 2014 (Suitor).
public func weightedMatching(_ graph: SparseMatrix<Double>) throws -> Matching {
  guard graph.isSymmetric() else {
    throw InvalidArgument("graph", found: "a matrix that is not symmetric", wanted: "a symmetric one")
  }
  try graph.requireFinite("graph")
  let rows = CompressedRows(graph)
  let mates = suitorMatching(rows, weights: rows.values)
  var weight = 0.0
  for i in 0..<rows.rows where Int32(i) < mates[i] {
    for k in Int(rows.starts[i])..<Int(rows.starts[i + 1]) where rows.indices[k] == mates[i] {
      weight += rows.values[k]
    }
  }
  return Matching(partners: mates.map { $0 < 0 ? nil : Int($0) }, weight: weight)
}

/// The partner of each vertex, -1 for none. `weights` has one number for each entry of the graph.
func suitorMatching(_ graph: CompressedRows, weights: UnsafePointer<Double>) -> [Int32] {
  let count = graph.rows
  var suitors = [Int32](repeating: -1, count: count)
  var bids = [Double](repeating: 0, count: count)
  suitors.withUnsafeMutableBufferPointer { suitors in
    bids.withUnsafeMutableBufferPointer { bids in
      for start in 0..<count {
        var proposer = Int32(start)
        while true {
          var best: Int32 = -1
          var bestWeight = 0.0
          for k in Int(graph.starts[Int(proposer)])..<Int(graph.starts[Int(proposer) + 1]) {
            let other = graph.indices[k]
            let weight = weights[k]
            guard other != proposer, weight > 0, weight >= bids[Int(other)], weight >= bestWeight else { continue }
            if weight == bids[Int(other)], !precedes(proposer, suitors[Int(other)], besides: other) { continue }
            if weight == bestWeight, best >= 0, !precedes(other, best, besides: proposer) { continue }
            (best, bestWeight) = (other, weight)
          }
          guard best >= 0 else { break }
          let displaced = suitors[Int(best)]
          suitors[Int(best)] = proposer
          bids[Int(best)] = bestWeight
          guard displaced >= 0 else { break }
          proposer = displaced
        }
      }
    }
  }
  return suitors.enumerated().map { i, suitor in suitor >= 0 && suitors[Int(suitor)] == Int32(i) ? suitor : -1 }
}

/// Whether of two equally heavy edges {a, v} and {b, v} the first comes first.
@inline(__always)
private func precedes(_ a: Int32, _ b: Int32, besides v: Int32) -> Bool {
  let (lowA, lowB) = (min(a, v), min(b, v))
  return lowA != lowB ? lowA < lowB : max(a, v) < max(b, v)
}
