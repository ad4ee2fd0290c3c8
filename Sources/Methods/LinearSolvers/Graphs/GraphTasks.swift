public import LinearAlgebra
import Networks
import Optimizers
public import Tensors

/// Random graphs whose answers are known: what a graph network learns from.
public protocol GraphTask: Sendable, Hashable {
  var loss: GraphLoss { get }
  func example(random: inout RandomStream) throws -> GraphExample
}

/// How far answers are from the truth.
public enum GraphLoss: Sendable, Hashable {
  /// The mean of squared differences.
  case meanSquare
  /// The cross-entropy of logits with classes 0 and 1.
  case logistic
}

/// A graph, its features, and what is to be predicted.
public struct GraphExample: Sendable {
  public let graph: GraphStructure
  /// Shape [nodes, f].
  public let nodes: Tensor<Double>
  /// Shape [edges, g].
  public let edges: Tensor<Double>
  /// A number for each node, shape [nodes], or for each graph, shape [graphs].
  public let targets: Tensor<Double>
  /// Nodes whose targets count; nil for all.
  public let counted: Tensor<Int>?
  /// Of which graph each node is part, shape [nodes], where graphs have targets; nil where nodes have.
  public let members: Tensor<Int>?

  public init(
    graph: GraphStructure, nodes: Tensor<Double>, edges: Tensor<Double>, targets: Tensor<Double>,
    counted: Tensor<Int>? = nil, members: Tensor<Int>? = nil
  ) {
    (self.graph, self.nodes, self.edges, self.targets) = (graph, nodes, edges, targets)
    (self.counted, self.members) = (counted, members)
  }

  /// Several examples of one task as one.
  public static func union(_ examples: [GraphExample]) throws -> GraphExample {
    var (nodeOffset, graphOffset): (Int, Int) = (0, 0)
    var (counted, members): ([Tensor<Int>], [Tensor<Int>]) = ([], [])
    for example in examples {
      if let places = example.counted { counted.append(places + nodeOffset) }
      if let graphs = example.members { members.append(graphs + graphOffset) }
      nodeOffset += example.graph.nodeCount
      graphOffset += example.targets.count
    }
    return GraphExample(
      graph: try .union(examples.map(\.graph)), nodes: .concatenated(examples.map(\.nodes)),
      edges: .concatenated(examples.map(\.edges)), targets: .concatenated(examples.map(\.targets)),
      counted: counted.isEmpty ? nil : .concatenated(counted), members: members.isEmpty ? nil : .concatenated(members))
  }

  /// The targets that count.
  public var countedTargets: Tensor<Double> { counted.map { targets.gathered($0) } ?? targets }

  /// What a network says where targets count, shape [targets].
  public func answers<Scalar: LinearScalar>(
    of model: ConvergentGraphSolver<Scalar>, log: FixedPointLog? = nil
  ) -> Tensor<Scalar> {
    let output = model(
      graph, nodes: Tensor<Scalar>(nodes), edges: Tensor<Scalar>(edges), graphs: members, log: log
    ).flattened
    return counted.map { output.gathered($0) } ?? output
  }
}

/// Trains a graph network on fresh random graphs.
///
/// - Source: Park, Choo and Park, ICLR 2022, section 5; batches that last for a few updates.
public struct GraphTraining<Task: GraphTask>: Sendable, Hashable {
  public var task: Task
  public var steps: Int
  public var batchSize = 8
  /// Updates on a batch before the next one is drawn.
  public var updatesPerBatch = 4
  /// Falls linearly to zero.
  public var learningRate = 2e-3
  public var seed: UInt64 = 1

  public init(_ task: Task, steps: Int, batchSize: Int = 8, seed: UInt64 = 1) {
    (self.task, self.steps, self.batchSize, self.seed) = (task, steps, batchSize, seed)
  }

  /// - Returns: the loss of each update.
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
    var batch = try GraphExample.union((0..<batchSize).map { _ in try task.example(random: &random) })
    var losses: [Double] = []
    for step in 0..<steps {
      try progress.report(step, of: steps, "training")
      if step > 0 && step % updatesPerBatch == 0 {
        batch = try .union((0..<batchSize).map { _ in try task.example(random: &random) })
      }
      let (example, targets) = (batch, Tensor<Float>(batch.countedTargets))
      let (loss, gradient) = model.valueAndGradient { model in
        let answers = example.answers(of: model, log: log)
        switch task.loss {
        case .meanSquare: return (answers - targets).squared().mean()
        case .logistic: return binaryCrossEntropy(logits: answers, targets: targets)
        }
      }
      losses.append(Double(loss.scalar))
      optimizer.update(&model, along: gradient, rateFactor: schedule(step))
    }
    return losses
  }
}
