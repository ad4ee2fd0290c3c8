public import Tensors

/// Random graphs with rewards on their edges, and the long-run value of each node: tasks whose answers are known.
public struct GraphValueTask: GraphTask {
  /// How a node continues.
  public enum Policy: Sendable, Hashable {
    /// By each edge alike: V(v) = mean of r_e + γ V(u), a linear system.
    case mean
    /// By the best edge: V(v) = max of r_e + γ V(u).
    case best
  }

  public var policy: Policy
  public var nodes: Range<Int>
  public var inEdges: Range<Int>
  public var discount: Double
  public var loss: GraphLoss { .meanSquare }

  public init(_ policy: Policy, nodes: Range<Int>, inEdges: Range<Int>, discount: Double = 0.9) {
    (self.policy, self.nodes, self.inEdges, self.discount) = (policy, nodes, inEdges, discount)
  }

  /// Nodes with edges from random others, with rewards uniform in [-1, 1).
  public func example(random: inout RandomStream) throws -> GraphExample {
    let count = Int.random(in: nodes, using: &random)
    let degree = Int.random(in: inEdges, using: &random)
    var (sources, destinations): ([Int], [Int]) = ([], [])
    for v in 0..<count {
      for _ in 0..<degree {
        // Any node but v.
        let other = Int.random(in: 0..<max(count - 1, 1), using: &random)
        sources.append(count > 1 && other >= v ? other + 1 : other)
        destinations.append(v)
      }
    }
    let graph = try GraphStructure(nodeCount: count, sources: sources, destinations: destinations)
    let rewards: Tensor<Double> = random.uniform([sources.count, 1], in: -1..<1)
    let found = try graphValueIteration(graph, rewards: rewards.flattened, policy: policy, discount: discount)
    return GraphExample(graph: graph, nodes: .ones([count, 1]), edges: rewards, targets: found.values)
  }
}

/// The values of a graph's nodes, and how they were found.
public struct GraphValues: Sendable {
  /// Shape [nodes]; zero for nodes without edges into them.
  public let values: Tensor<Double>
  /// The best edge into each node, nil where there is none.
  public let bestEdges: [Int?]
  /// A bound on the largest error.
  public let errorBound: Double
  public let convergence: Convergence
}

/// Value iteration: V(v) = max, or mean, over edges e from u to v of r_e + γ V(u).
///
/// - Throws: `InvalidArgument` for rewards of another shape or not finite, or a discount outside [0, 1).
public func graphValueIteration(
  _ graph: GraphStructure, rewards: Tensor<Double>, policy: GraphValueTask.Policy, discount: Double = 0.9,
  tolerance: Double = 1e-10, iterationLimit: Int = 10_000
) throws -> GraphValues {
  guard rewards.shape == [graph.edgeCount] else {
    throw InvalidArgument("rewards", found: "shape \(rewards.shape)", wanted: "shape [\(graph.edgeCount)]")
  }
  try rewards.requireFinite("rewards")
  guard discount >= 0, discount < 1 else {
    throw InvalidArgument("discount", found: "\(discount)", wanted: "at least 0, below 1")
  }
  let r = rewards.scalars
  let edges = graph.incoming
  var values = [Double](repeating: 0, count: graph.nodeCount)
  var best = [Int?](repeating: nil, count: graph.nodeCount)
  var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
  while true {
    var next = values
    for v in 0..<graph.nodeCount {
      let range = Int(edges.starts[v])..<Int(edges.starts[v + 1])
      guard !range.isEmpty else { continue }
      var (sum, highest) = (0.0, -Double.infinity)
      for k in range {
        let value = r[Int(edges.order[k])] + discount * values[Int(edges.others[k])]
        sum += value
        if value > highest { (highest, best[v]) = (value, Int(edges.order[k])) }
      }
      next[v] = policy == .best ? highest : sum / Double(range.count)
    }
    let change = zip(values, next).reduce(0) { max($0, ($1.0 - $1.1).magnitude) }
    values = next
    if !convergence.continues(residual: discount / (1 - discount) * change) { break }
  }
  return GraphValues(
    values: Tensor(values), bestEdges: best, errorBound: convergence.residual, convergence: convergence)
}
