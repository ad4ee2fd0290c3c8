public import LinearAlgebra
public import Networks
public import Tensors

/// One round of messages along the edges of a graph, weighted by attention over the edges into each node.
///
/// - Source: Park, Choo and Park, ICLR 2022, section 3.1.
public struct AttentionMessagePassing<Scalar: LinearScalar>: Module {
  var edgeNetwork: MLP<Scalar>
  var attentionNetwork: MLP<Scalar>
  var nodeNetwork: MLP<Scalar>
  let isOutput: Bool

  init(
    nodeInputs: Int, edgeInputs: Int, nodeOutputs: Int, edgeOutputs: Int, hidden: Int, isOutput: Bool,
    random: inout RandomStream
  ) {
    let width = edgeInputs + 2 * nodeInputs
    let activation = Activation.leakyReLU()
    edgeNetwork = MLP([width, hidden, edgeOutputs], activation: activation, random: &random)
    attentionNetwork = MLP([width, hidden, 1], activation: activation, random: &random)
    nodeNetwork = MLP([edgeOutputs + nodeInputs, hidden, nodeOutputs], activation: activation, random: &random)
    self.isOutput = isOutput
  }

  /// Features of nodes, shape [nodes, f], and of edges, shape [edges, g], in and out.
  func callAsFunction(
    _ graph: GraphStructure, _ nodes: Tensor<Scalar>, _ edges: Tensor<Scalar>
  ) -> (nodes: Tensor<Scalar>, edges: Tensor<Scalar>) {
    let joined = Tensor.concatenated(
      [edges, nodes.gathered(graph.sources), nodes.gathered(graph.destinations)], axis: 1)
    let activation = Activation.leakyReLU()
    func finished(_ x: Tensor<Scalar>) -> Tensor<Scalar> { isOutput ? x : activation(x) }
    let messages = finished(edgeNetwork(joined))
    let attention = graph.softmaxByDestination(attentionNetwork(joined))
    let received = graph.summedByDestination(messages * attention)
    return (finished(nodeNetwork(Tensor.concatenated([received, nodes], axis: 1))), messages)
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("edge", &edgeNetwork)
    visitor.module("attention", &attentionNetwork)
    visitor.module("node", &nodeNetwork)
  }
}

/// A graph network whose depth is a fixed point: an encoder makes, for each graph, contractive linear maps; their fixed
/// points always exist, and a decoder reads them.
///
/// Without the fixed point (`usesFixedPoint: false`) it is a plain graph network that sees as far as it has layers.
/// - Complexity: O(edges heads) time an iteration of the fixed point, beside the encoder.
/// - Source: Park, Choo and Park, ICLR 2022, arXiv 2106.01680.
public struct ConvergentGraphSolver<Scalar: LinearScalar>: Module {
  /// What the weights of a node's edges are divided by.
  public enum Normalizer: Sendable, Hashable {
    /// Clipped to [0, 1], over the edges into the destination.
    case inDegree
    /// Clipped, over the edges out of the source: the authors' program, which sums the other way.
    case outDegree
    /// A softmax over the edges into the destination.
    case softmax
  }

  /// What is predicted.
  public enum Task: Sendable, Hashable {
    /// A number for each node.
    case node
    /// A number for each graph, from the sum over its nodes.
    case graphSum
    /// From their mean.
    case graphMean
  }

  public private(set) var fixedPoint: ContractiveFixedPoint
  public let normalizer: Normalizer
  public let task: Task
  public let usesFixedPoint: Bool
  public let nodeFeatures, edgeFeatures: Int
  var layers: [AttentionMessagePassing<Scalar>]
  var decoder: MLP<Scalar>

  /// - Throws: `InvalidArgument` for a γ that is not between 0 and 1.
  public init(
    nodeFeatures: Int, edgeFeatures: Int, heads: Int = 64, gamma: Double = 0.5, hiddenLayers: Int = 3,
    hidden: Int = 64, normalizer: Normalizer = .inDegree, decoder: [Int] = [64, 32], outputs: Int = 1,
    task: Task = .node, usesFixedPoint: Bool = true, random: inout RandomStream
  ) throws {
    fixedPoint = try ContractiveFixedPoint(gamma: gamma)
    (self.normalizer, self.task, self.usesFixedPoint) = (normalizer, task, usesFixedPoint)
    (self.nodeFeatures, self.edgeFeatures) = (nodeFeatures, edgeFeatures)
    var (nodes, edges) = (nodeFeatures, edgeFeatures)
    layers = []
    for _ in 0..<hiddenLayers {
      layers.append(
        AttentionMessagePassing(
          nodeInputs: nodes, edgeInputs: edges, nodeOutputs: hidden, edgeOutputs: hidden, hidden: hidden,
          isOutput: false, random: &random))
      (nodes, edges) = (hidden, hidden)
    }
    var last = AttentionMessagePassing<Scalar>(
      nodeInputs: nodes, edgeInputs: edges, nodeOutputs: heads, edgeOutputs: heads, hidden: hidden, isOutput: true,
      random: &random)
    // Logits begin inside (0, 1), where the clip lets derivatives through.
    let end = last.edgeNetwork.layers.count - 1
    if let bias = last.edgeNetwork.layers[end].bias { last.edgeNetwork.layers[end].bias = bias + 0.5 }
    layers.append(last)
    self.decoder = MLP([heads] + decoder + [outputs], activation: .leakyReLU(), random: &random)
  }

  /// The inputs b, shape [nodes, heads], and weights w, shape [edges, heads], of the maps for a graph.
  public func encode(
    _ graph: GraphStructure, nodes: Tensor<Scalar>, edges: Tensor<Scalar>
  ) -> (inputs: Tensor<Scalar>, weights: Tensor<Scalar>) {
    precondition(
      nodes.shape == [graph.nodeCount, nodeFeatures] && edges.shape == [graph.edgeCount, edgeFeatures],
      "features of shapes \(nodes.shape) and \(edges.shape) for \(graph.nodeCount) nodes with \(nodeFeatures), and "
        + "\(graph.edgeCount) edges with \(edgeFeatures)")
    var features = (nodes: nodes, edges: edges)
    for layer in layers { features = layer(graph, features.nodes, features.edges) }
    return (features.nodes, normalized(features.edges, graph))
  }

  /// Weights of a contraction from logits of any size, shape [edges, heads].
  public func normalized(_ logits: Tensor<Scalar>, _ graph: GraphStructure) -> Tensor<Scalar> {
    switch normalizer {
    case .softmax: return graph.softmaxByDestination(logits)
    case .inDegree, .outDegree:
      let degrees = normalizer == .inDegree ? graph.inDegrees : graph.outDegrees
      let ends = normalizer == .inDegree ? graph.destinations : graph.sources
      let shares = Tensor(degrees.map { 1 / Scalar(max($0, 1)) }).gathered(ends).expanded(axis: 1)
      return logits.clamped(to: 0...1) * shares
    }
  }

  /// - Parameters:
  ///   - nodes: shape [nodes, nodeFeatures].
  ///   - edges: shape [edges, edgeFeatures].
  ///   - graphs: of which graph each node is part, for tasks on graphs; by default all are one.
  /// - Returns: shape [nodes, outputs], or [graphs, outputs].
  public func callAsFunction(
    _ graph: GraphStructure, nodes: Tensor<Scalar>, edges: Tensor<Scalar>, graphs: Tensor<Int>? = nil,
    log: FixedPointLog? = nil
  ) -> Tensor<Scalar> {
    let (inputs, weights) = encode(graph, nodes: nodes, edges: edges)
    var states = inputs
    if usesFixedPoint {
      // Weights by the source's degree are a contraction of the reversed graph.
      let along = normalizer == .outDegree ? graph.reversed : graph
      states = fixedPoint(along, weights: weights, inputs: inputs, log: log)
    }
    guard task != .node else { return decoder(states) }
    let members = graphs ?? .zeros([graph.nodeCount])
    let count = (members.scalars.max() ?? 0) + 1
    var sums = Tensor<Scalar>.zeros([count, states.columns]).scatterAdded(states, at: members)
    if task == .graphMean {
      let sizes = Tensor<Scalar>.zeros([count]).scatterAdded(.ones([graph.nodeCount]), at: members)
      sums = sums / sizes.maximum(1).expanded(axis: 1)
    }
    return decoder(sums)
  }

  /// This network with another tolerance of its fixed points.
  public func withTolerance(_ tolerance: Double) -> ConvergentGraphSolver {
    var result = self
    result.fixedPoint.tolerance = tolerance
    return result
  }

  /// This network with another way to its fixed points.
  public func withSolver(_ solver: ContractiveFixedPoint.Solver) -> ConvergentGraphSolver {
    var result = self
    result.fixedPoint.solver = solver
    return result
  }

  /// The decoder of states from elsewhere, shape [nodes, heads].
  public func decode(_ states: Tensor<Scalar>) -> Tensor<Scalar> { decoder(states) }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.modules("layers", &layers)
    visitor.module("decoder", &decoder)
  }
}
