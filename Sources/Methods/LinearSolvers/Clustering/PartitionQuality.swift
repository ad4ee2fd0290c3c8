// How good a partition of a graph is.

public import LinearAlgebra
public import Tensors

/// Q = Σ over clusters of (weight inside / total weight - (degrees / total degree)²): zero for a single cluster.
///
/// - Source: Newman and Girvan, Phys. Rev. E 69 (2004).
/// - Precondition: a label for each vertex, not negative.
public func modularity(_ adjacency: SparseMatrix<Double>, labels: [Int]) -> Double {
  GraphModularity(adjacency).value(labels)
}

/// The modularity of many partitions of one graph.
struct GraphModularity {
  private let rows: CompressedRows
  private let degrees: [Double]
  private let total: Double

  init(_ adjacency: SparseMatrix<Double>) {
    rows = CompressedRows(adjacency)
    let rows = rows
    degrees = (0..<rows.rows).map { i in
      var sum = 0.0
      for k in Int(rows.starts[i])..<Int(rows.starts[i + 1]) { sum += rows.values[k] }
      return sum
    }
    total = degrees.reduce(0, +)
  }

  func value(_ labels: [Int]) -> Double {
    precondition(labels.count == rows.rows, "\(labels.count) labels for \(rows.rows) vertices")
    guard total > 0 else { return 0 }
    var inside = 0.0
    var shares = [Double](repeating: 0, count: (labels.max() ?? 0) + 1)
    labels.withUnsafeBufferPointer { labels in
      for i in labels.indices {
        shares[labels[i]] += degrees[i]
        for k in Int(rows.starts[i])..<Int(rows.starts[i &+ 1]) where labels[Int(rows.indices[k])] == labels[i] {
          inside += rows.values[k]
        }
      }
    }
    return inside / total - shares.reduce(0) { $0 + ($1 / total) * ($1 / total) }
  }
}

/// Σ over clusters of |V_c| / n Σ over attributes of the entropy in bits of their categories within the cluster: zero when
/// every cluster has one category of each.
///
/// - Parameter attributes: shape [n, q].
public func attributeEntropy(_ attributes: Tensor<Int>, labels: [Int]) -> Double {
  precondition(
    attributes.rank == 2 && attributes.rows == labels.count,
    "attributes of shape \(attributes.shape) for \(labels.count) labels")
  let width = attributes.columns
  let values = attributes.scalars
  var sum = 0.0
  for members in Dictionary(grouping: labels.indices, by: { labels[$0] }).values.sorted(by: { $0[0] < $1[0] }) {
    for l in 0..<width {
      let counts = Dictionary(grouping: members) { values[$0 * width + l] }.mapValues(\.count)
      for count in counts.values.sorted() {
        let share = Double(count) / Double(members.count)
        sum -= Double(members.count) / Double(labels.count) * share * .log2(share)
      }
    }
  }
  return sum
}
