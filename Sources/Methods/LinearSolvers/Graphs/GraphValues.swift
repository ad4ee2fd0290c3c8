public import LinearAlgebra
import Networks
import Optimizers
public import Tensors

/// Random graphs with rewards on their edges, and the long-run value of each node: tasks whose answers are known.
public struct GraphValueTask: Sendable, Hashable {
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

  public init(_ policy: Policy, nodes: Range<Int>, inEdges: Range<Int>, discount: Double = 0.9) {
    (self.policy, self.nodes, self.inEdges, self.discount) = (policy, nodes, inEdges, discount)
  }

  /// A graph, its features and its values.
  public struct Example: Sendable {
    public let graph: GraphStructure
    /// Shape [nodes, 1].
    public let nodes: Tensor<Double>
    /// The rewards, shape [edges, 1].
    public let edges: Tensor<Double>
    /// Shape [nodes].
    public let values: Tensor<Double>

    /// Several examples as one.
    public static func union(_ examples: [Example]) throws -> Example {
      Example(
        graph: try .union(examples.map(\.graph)), nodes: .concatenated(examples.map(\.nodes)),
        edges: .concatenated(examples.map(\.edges)), values: .concatenated(examples.map(\.values)))
    }
  }

  /// Nodes with edges from random others, with rewards uniform in [-1, 1).
  public func example(random: inout RandomStream) throws -> Example {
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
    return Example(graph: graph, nodes: .ones([count, 1]), edges: rewards, values: found.values)
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

/// Trains a graph network on fresh random graphs.
///
/// - Source: Park, Choo and Park, ICLR 2022, section 5; batches that last for a few updates.
public struct GraphValueTraining: Sendable, Hashable {
  public var task: GraphValueTask
  public var steps: Int
  public var batchSize = 8
  /// Updates on a batch before the next one is drawn.
  public var updatesPerBatch = 4
  /// Falls linearly to zero.
  public var learningRate = 2e-3
  public var seed: UInt64 = 1

  public init(_ task: GraphValueTask, steps: Int, batchSize: Int = 8, seed: UInt64 = 1) {
    (self.task, self.steps, self.batchSize, self.seed) = (task, steps, batchSize, seed)
  }

  /// - Returns: the mean squared error of each update.
  /// - Throws: `InvalidArgument` for settings out of range; `CancellationError`.
  public func train(
    _ model: inout ConvergentGraphSolver<Float>, log: FixedPointLog? = nil, progress: WorkProgress = .silent
  ) throws -> [Double] {
    guard steps >= 1, batchSize >= 1, updatesPerBatch >= 1, learningRate > 0 else {
      throw InvalidArgument(
        "training", found: "\(steps) steps of \(batchSize) at rate \(learningRate)", wanted: "positive numbers")
    }
    var random = RandomStream(seed: seed)
    var optimizer = Adam<Float>(learningRate: learningRate)
    let schedule = Schedule.linear(steps: steps)
    var batch = try GraphValueTask.Example.union((0..<batchSize).map { _ in try task.example(random: &random) })
    var losses: [Double] = []
    for step in 0..<steps {
      try progress.report(step, of: steps, "training")
      if step > 0 && step % updatesPerBatch == 0 {
        batch = try .union((0..<batchSize).map { _ in try task.example(random: &random) })
      }
      let (nodes, edges) = (Tensor<Float>(batch.nodes), Tensor<Float>(batch.edges))
      let targets = Tensor<Float>(batch.values).expanded(axis: 1)
      let graph = batch.graph
      let (loss, gradient) = model.valueAndGradient { model in
        (model(graph, nodes: nodes, edges: edges, log: log) - targets).squared().mean()
      }
      losses.append(Double(loss.scalar))
      optimizer.update(&model, along: gradient, rateFactor: schedule(step))
    }
    return losses
  }
}
