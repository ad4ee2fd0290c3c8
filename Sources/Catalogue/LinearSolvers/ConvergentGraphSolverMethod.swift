import CatalogueCore
import Datasets
import FileFormats
import LinearAlgebra
import LinearSolvers
import Networks
import Optimizers
import Tensors

/// `convergent-graph-solver`: a graph with features in; a number for each node out.
struct ConvergentGraphSolverMethod: CataloguedMethod {
  enum Solver: String, ParameterChoice { case picard, anderson, direct }

  private let edges = MethodInput("edges", "Source and destination of each edge, counted from 0.", shape: "[m, 2]")
  private let features = MethodInput("features", "Features of the edges, such as rewards.", shape: "[m] or [m, g]")
  private let nodes = MethodInput(
    "nodes", "Features of the nodes; ones if left out.", shape: "[n] or [n, f]", isRequired: false)
  private let targets = MethodInput(
    "targets", "Known values of the nodes, NaN where unknown: the network learns from these.", shape: "[n]",
    isRequired: false)
  private let gamma = MethodParameter(
    "gamma", "Factor of the contraction; the process's own discount where it is known.", default: 0.9,
    in: .above(0, below: 1))
  private let heads = MethodParameter("heads", "Fixed points side by side.", default: 16, in: .atLeast(1))
  private let layers = MethodParameter("layers", "Hidden layers of the encoder.", default: 1, in: .atLeast(0))
  private let hidden = MethodParameter("hidden", "Width of the encoder.", default: 32, in: .atLeast(1))
  private let steps = MethodParameter("steps", "Updates of the training on targets.", default: 500, in: .atLeast(1))
  private let solver = MethodParameter(
    "solver", "To the fixed points: iteration, the same accelerated by Anderson's method, or LU decompositions.",
    default: Solver.picard)
  private let rate = MethodParameter("rate", "Learning rate, falling to zero.", default: 2e-3, in: .above(0))

  var card: MethodCard {
    MethodCard(
      id: "convergent-graph-solver", module: "LinearSolvers", title: "Convergent Graph Solvers",
      paper: Paper("Park et al.", 2022, venue: "ICLR 2022", arXiv: "2106.01680"),
      summary: "Predicts the stationary state of a process on a graph of any size: a graph network makes contractive "
        + "linear maps for the graph, whose fixed points always exist, and reads them. Learns from the nodes whose values "
        + "are known; without any, the network in the program gives the discounted mean of the rewards along random "
        + "walks. The error of the fixed points is bounded and reported.",
      inputs: [edges, features, nodes, targets],
      parameters: [gamma, heads, layers, hidden, steps, rate, solver],
      outputs: [
        MethodOutput("values", "A number for each node.", shape: "[n]"),
        MethodOutput("states", "The fixed points.", shape: "[n, heads]"),
      ],
      example: "apus run convergent-graph-solver edges=edges.csv features=rewards.csv -o values.npz",
      claim:
        "Trained on graphs of 15 to 29 nodes, fixed points predict the values of graphs of 200 nodes with less than "
        + "two thirds of the error of a deeper graph network.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let ends = try request.integers(edges)
    let edgeFeatures = column(try request.array(features))
    let sources = ends[.all, 0].copied().scalars
    let destinations = ends[.all, 1].copied().scalars
    let known = request.isGiven(targets) ? request.unchecked(targets) : nil
    var count = (sources + destinations).max().map { $0 + 1 } ?? 0
    var nodeFeatures: Tensor<Double>?
    if request.isGiven(nodes) {
      let found = column(try request.array(nodes))
      (nodeFeatures, count) = (found, found.rows)
    } else if let known {
      count = known.count
    }
    let graph = try GraphStructure(nodeCount: count, sources: sources, destinations: destinations)
    let inputs = (nodes: Tensor<Float>(nodeFeatures ?? .ones([count, 1])), edges: Tensor<Float>(edgeFeatures))
    var random = request.random
    let log = FixedPointLog()
    var model: ConvergentGraphSolver<Float>
    var (facts, plots, center, scale): ([Fact], [Plot], Double, Double) = ([], [], 0, 1)
    if let known {
      model = try ConvergentGraphSolver(
        nodeFeatures: inputs.nodes.columns, edgeFeatures: inputs.edges.columns, heads: request[heads],
        gamma: request[gamma], hiddenLayers: request[layers], hidden: request[hidden], random: &random
      ).withSolver(way(request))
      let places = known.scalars.indices.filter { known[at: $0].isFinite }
      guard places.count > 1 else {
        throw InvalidArgument("targets", found: "\(places.count) known values", wanted: "at least two")
      }
      let values = known.gathered(Tensor(places))
      center = values.mean().scalar
      scale = max((values - center).squared().mean().scalar.squareRoot(), 1e-12)
      let wanted = Tensor<Float>((values - center) / scale).expanded(axis: 1)
      var optimizer = Adam<Float>(learningRate: request[rate])
      let schedule = Schedule.linear(steps: request[steps])
      var losses: [Double] = []
      for step in 0..<request[steps] {
        try request.progress.report(step, of: request[steps], "training")
        let (loss, gradient) = model.valueAndGradient { model in
          let y = model(graph, nodes: inputs.nodes, edges: inputs.edges).gathered(Tensor(places))
          return (y - wanted).squared().mean()
        }
        losses.append(Double(loss.scalar))
        optimizer.update(&model, along: gradient, rateFactor: schedule(step))
      }
      facts = [
        Fact("Known nodes", places.count), Fact("Error on them", losses.last.map { $0.squareRoot() * scale }),
      ]
      plots = [Plot("Training", x: "update", y: .logarithmic("mean squared error"), [Series("", losses)])]
    } else {
      guard inputs.nodes.columns == 1, inputs.edges.columns == 1 else {
        throw InvalidArgument(
          "features", found: "\(inputs.edges.columns) of edges and \(inputs.nodes.columns) of nodes",
          wanted: "one of each without targets: the network in the program knows rewards alone")
      }
      model = try policyNetwork(usesFixedPoint: true).withSolver(way(request))
    }
    let (b, w) = model.encode(graph, nodes: inputs.nodes, edges: inputs.edges)
    let found = try model.fixedPoint.solve(graph, weights: w, inputs: b)
    let values =
      Tensor<Double>(
        model(graph, nodes: inputs.nodes, edges: inputs.edges, log: log)
      ).flattened * scale + center
    return RunOutcome(
      summary: facts + [
        Fact("Nodes", count), Fact("Edges", graph.edgeCount), Fact("Iterations", found.iterations),
        Fact("Iterations that suffice", found.iterationBound),
        Fact("Error bound of the fixed points", found.errorBound),
        Fact("Converged", found.isConverged),
      ],
      plots: plots + [
        Plot("Changes", x: "iteration", y: .logarithmic("largest change"), [Series("", found.changes)])
      ],
      notes: found.isConverged ? [] : ["A fixed point did not reach its tolerance."],
      outputs: [OutputArray("values", values), OutputArray("states", found.value)])
  }

  private func way(_ request: RunRequest) -> ContractiveFixedPoint.Solver {
    switch request[solver] {
    case .picard: .picard
    case .anderson: .anderson()
    case .direct: .direct
    }
  }

  private func column(_ x: Tensor<Double>) -> Tensor<Double> { x.rank == 1 ? x.expanded(axis: 1) : x }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try ConvergentGraphSolverClaim(settings: settings).evidence()
  }
}

/// A network for values under the mean policy, untrained: with fixed points, or three layers deep without.
func emptyPolicyNetwork(usesFixedPoint: Bool, seed: UInt64) throws -> ConvergentGraphSolver<Float> {
  var random = RandomStream(seed: seed)
  return try ConvergentGraphSolver(
    nodeFeatures: 1, edgeFeatures: 1, heads: 16, gamma: 0.9, hiddenLayers: usesFixedPoint ? 1 : 3, hidden: 32,
    usesFixedPoint: usesFixedPoint, random: &random)
}

/// The one that is part of the program.
func policyNetwork(usesFixedPoint: Bool) throws -> ConvergentGraphSolver<Float> {
  var model = try emptyPolicyNetwork(usesFixedPoint: usesFixedPoint, seed: 1)
  let checkpoint = Datasets.graphValueModels()
  var state: [String: Tensor<Float>] = [:]
  let prefix = usesFixedPoint ? "convergent." : "plain."
  for entry in checkpoint.entries where entry.name.hasPrefix(prefix) {
    state[String(entry.name.dropFirst(prefix.count))] = try checkpoint.tensor(named: entry.name, as: Float.self)
  }
  try model.load(state)
  return model
}
