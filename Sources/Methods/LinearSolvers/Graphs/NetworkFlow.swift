import LinearAlgebra
public import Tensors

/// Random planar networks with conductances on their edges, and the potentials of their nodes when some are prescribed: the
/// pressures in a porous medium, the voltages of a circuit.
///
/// Nodes are points of the unit square, joined where the circle over them holds no other point: the Gabriel graph, a connected
/// part of the Delaunay triangulation.
/// - Source: Park, Choo and Park, ICLR 2022, section 5.1; Gabriel and Sokal, Syst. Zool. 18 (1969).
public struct NetworkFlowTask: GraphTask {
  public var nodes: Range<Int>
  /// Which part of the nodes has a prescribed potential, at least two of them.
  public var prescribedShare = 0.1
  public var loss: GraphLoss { .meanSquare }

  public init(nodes: Range<Int>, prescribedShare: Double = 0.1) {
    (self.nodes, self.prescribedShare) = (nodes, prescribedShare)
  }

  /// Features of nodes are whether the potential is prescribed, and its value, in [-1, 1), there; of edges, the conductance, in
  /// [0.1, 1). Targets count where nothing is prescribed.
  public func example(random: inout RandomStream) throws -> GraphExample {
    let count = max(Int.random(in: nodes, using: &random), 3)
    let pairs = gabrielPairs(random.uniform([count, 2], of: Double.self))
    let sources = pairs.flatMap { [$0.0, $0.1] }
    let destinations = pairs.flatMap { [$0.1, $0.0] }
    let graph = try GraphStructure(nodeCount: count, sources: sources, destinations: destinations)
    let each: Tensor<Double> = random.uniform([pairs.count], in: 0.1..<1)
    let conductances = each.gathered(Tensor((0..<sources.count).map { $0 / 2 }))
    let chosen = max(2, min(count - 1, Int((prescribedShare * Double(count)).rounded())))
    let places = Tensor(random.permutation(count).scalars.prefix(chosen).sorted())
    let values: Tensor<Double> = random.uniform([chosen], in: -1..<1)
    let potentials = try networkPotentials(graph, conductances: conductances, prescribed: places, values: values)
    let isPrescribed = Tensor<Double>.zeros([count]).scatterAdded(.ones([chosen]), at: places)
    let known = Tensor<Double>.zeros([count]).scatterAdded(values, at: places)
    return GraphExample(
      graph: graph, nodes: .stacked([isPrescribed, known], axis: 1), edges: conductances.expanded(axis: 1),
      targets: potentials, counted: (isPrescribed .== 0).trueIndices)
  }
}

/// Pairs of points, shape [n, 2], with no third point in the circle whose diameter joins them.
func gabrielPairs(_ points: Tensor<Double>) -> [(Int, Int)] {
  let count = points.rows
  let (x, y) = (points[.all, 0].copied().scalars, points[.all, 1].copied().scalars)
  var pairs: [(Int, Int)] = []
  for i in 0..<count {
    for j in i + 1..<max(count, i + 1) {
      let (centerX, centerY) = ((x[i] + x[j]) / 2, (y[i] + y[j]) / 2)
      let (dx, dy) = (x[i] - centerX, y[i] - centerY)
      let radius = dx * dx + dy * dy
      let isEmpty = (0..<count).allSatisfy { k in
        let (dx, dy) = (x[k] - centerX, y[k] - centerY)
        return k == i || k == j || dx * dx + dy * dy >= radius
      }
      if isEmpty { pairs.append((i, j)) }
    }
  }
  return pairs
}

/// The potentials p of a network's nodes, where Σ over edges from u into v of c_e (p_u - p_v) = 0 at all nodes but the
/// prescribed ones: shape [nodes].
///
/// - Parameters:
///   - graph: with every edge in both directions.
///   - conductances: positive, shape [edges], the same for both directions.
///   - prescribed: nodes, shape [k]; every component of the graph must have one.
///   - values: their potentials, shape [k].
/// - Throws: `InvalidArgument` for shapes that do not fit, conductances that are not positive and symmetric, or components
///   without a prescribed potential.
public func networkPotentials(
  _ graph: GraphStructure, conductances: Tensor<Double>, prescribed: Tensor<Int>, values: Tensor<Double>
) throws -> Tensor<Double> {
  guard conductances.shape == [graph.edgeCount], prescribed.rank == 1, values.shape == prescribed.shape else {
    throw InvalidArgument(
      "conductances", found: "shapes \(conductances.shape), \(prescribed.shape) and \(values.shape)",
      wanted: "a number for each of \(graph.edgeCount) edges, and a value for each prescribed node")
  }
  try conductances.requireFinite("conductances")
  try values.requireFinite("values")
  let count = graph.nodeCount
  let matrix = try SparseMatrix<Double>(
    rows: count, columns: count, rowIndices: graph.destinations, columnIndices: graph.sources, values: conductances)
  guard matrix.isSymmetric(tolerance: 1e-12), conductances.isEmpty || conductances.minimum().scalar > 0 else {
    throw InvalidArgument(
      "conductances", found: "numbers that are not positive, or differ with the direction",
      wanted: "positive ones, the same for both directions of an edge")
  }
  let places = prescribed.scalars
  guard places.allSatisfy({ (0..<count).contains($0) }), Set(places).count == places.count else {
    throw InvalidArgument("prescribed", found: "\(places)", wanted: "different nodes below \(count)")
  }
  let components = connectedComponents(matrix)
  let grounded = Set(places.map { components[$0] })
  if let loose = components.first(where: { !grounded.contains($0) }) {
    throw InvalidArgument(
      "prescribed", found: "none in component \(loose) of the graph", wanted: "at least one in each component")
  }
  let known = Tensor<Double>.zeros([count]).scatterAdded(values, at: prescribed)
  let isPrescribed = Tensor<Double>.zeros([count]).scatterAdded(.ones([places.count]), at: prescribed)
  let free = Tensor(1) - isPrescribed
  // Rows and columns of prescribed nodes become those of the identity.
  let laplacian = try graphLaplacian(matrix).scalingRows(by: free).scalingColumns(by: free)
  let system = laplacian + SparseMatrix(diagonal: isPrescribed)
  let load = free * matrix.matmul(known)
  let found = try ConjugateGradients(tolerance: 1e-12).solve(
    system, load, preconditioner: JacobiPreconditioner(of: system))
  return found.solution * free + known
}
