public import Tensors

/// The edges u → v of a directed graph, arranged for sums over the edges into and out of each node.
public struct GraphStructure: Sendable {
  public let nodeCount: Int
  /// u and v of each edge, shape [edges].
  public let sources, destinations: Tensor<Int>
  /// The edges by destination: those into node v are order[starts[v] ..< starts[v + 1]]; and by source likewise.
  let incoming, outgoing: Arrangement

  struct Arrangement: Sendable {
    var starts: [Int32]
    var order: [Int32]
    /// The node at the other end of each edge, in that order.
    var others: [Int32]

    init(ends: [Int], others: [Int], nodeCount: Int) {
      starts = [Int32](repeating: 0, count: nodeCount + 1)
      for end in ends { starts[end + 1] += 1 }
      for v in 0..<nodeCount { starts[v + 1] += starts[v] }
      var next = starts
      order = [Int32](repeating: 0, count: ends.count)
      self.others = order
      for (edge, end) in ends.enumerated() {
        order[Int(next[end])] = Int32(edge)
        self.others[Int(next[end])] = Int32(others[edge])
        next[end] += 1
      }
    }
  }

  /// - Throws: `InvalidArgument` for a graph without nodes, lists of different lengths, or an end that is no node. Edges
  ///   may be missing, and may occur several times.
  public init(nodeCount: Int, sources: [Int], destinations: [Int]) throws {
    guard nodeCount >= 1 else { throw InvalidArgument("nodeCount", found: "\(nodeCount)", wanted: "at least 1") }
    guard sources.count == destinations.count else {
      throw InvalidArgument(
        "edges", found: "\(sources.count) sources and \(destinations.count) destinations", wanted: "as many of both")
    }
    if let bad = (sources + destinations).first(where: { $0 < 0 || $0 >= nodeCount }) {
      throw InvalidArgument("edges", found: "node \(bad)", wanted: "at least 0, below \(nodeCount)")
    }
    self.nodeCount = nodeCount
    (self.sources, self.destinations) = (Tensor(sources), Tensor(destinations))
    incoming = Arrangement(ends: destinations, others: sources, nodeCount: nodeCount)
    outgoing = Arrangement(ends: sources, others: destinations, nodeCount: nodeCount)
  }

  public var edgeCount: Int { sources.count }

  /// Edges into each node, shape [nodes].
  public var inDegrees: [Int] { (0..<nodeCount).map { Int(incoming.starts[$0 + 1] - incoming.starts[$0]) } }
  public var outDegrees: [Int] { (0..<nodeCount).map { Int(outgoing.starts[$0 + 1] - outgoing.starts[$0]) } }

  /// The same nodes with every edge turned round.
  public var reversed: GraphStructure { GraphStructure(reversing: self) }

  private init(reversing other: GraphStructure) {
    nodeCount = other.nodeCount
    (sources, destinations) = (other.destinations, other.sources)
    (incoming, outgoing) = (other.outgoing, other.incoming)
  }

  /// One graph of several side by side: nodes and edges one after another.
  ///
  /// - Throws: `InvalidArgument` without graphs.
  public static func union(_ graphs: [GraphStructure]) throws -> GraphStructure {
    guard !graphs.isEmpty else { throw InvalidArgument("graphs", found: "none", wanted: "at least one") }
    var (sources, destinations, offset): ([Int], [Int], Int) = ([], [], 0)
    for graph in graphs {
      sources += graph.sources.scalars.map { $0 + offset }
      destinations += graph.destinations.scalars.map { $0 + offset }
      offset += graph.nodeCount
    }
    return try GraphStructure(nodeCount: offset, sources: sources, destinations: destinations)
  }

  /// Sums of edge values by destination: shape [edges, k] to [nodes, k]; differentiable.
  public func summedByDestination<Scalar: RealScalar>(_ values: Tensor<Scalar>) -> Tensor<Scalar> {
    Tensor<Scalar>.zeros([nodeCount] + values.shape.dropFirst()).scatterAdded(values, at: destinations)
  }

  /// Shares that sum to one over the edges into each node, from scores of shape [edges, k]; differentiable.
  ///
  /// The largest score of each node is taken off first: scores of any size neither overflow nor vanish.
  public func softmaxByDestination<Scalar: RealScalar>(_ scores: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(
      scores.rank == 2 && scores.shape[0] == edgeCount, "scores of shape \(scores.shape) for \(edgeCount) edges")
    let width = scores.columns
    let plain = scores.withoutDerivative.dense
    var largest = [Scalar](repeating: -.infinity, count: nodeCount * width)
    let ends = destinations.scalars
    plain.withUnsafeBuffer { plain in
      for (edge, end) in ends.enumerated() {
        for k in 0..<width { largest[end * width + k] = max(largest[end * width + k], plain[edge * width + k]) }
      }
    }
    let shift = Tensor(shape: [nodeCount, width], scalars: largest).gathered(destinations)
    let powers = (scores - shift).exp()
    return powers / summedByDestination(powers).gathered(destinations)
  }
}
