import CatalogueCore
import LinearAlgebra
import LinearSolvers
import Tensors

/// `bootstrap-amg`: the clusters of a graph or, with a load, the solution of a system.
struct BootstrapAMGMethod: CataloguedMethod {
  enum Space: String, ParameterChoice { case smooth, eigenvectors }
  enum Cycle: String, ParameterChoice { case v, h, w, k }
  enum Relaxation: String, ParameterChoice {
    case gaussSeidel = "gauss-seidel"
    case jacobi
    case l1Jacobi = "l1-jacobi"
  }
  enum Composition: String, ParameterChoice { case multiplicative, symmetrized, additive }
  enum Prolongation: String, ParameterChoice { case plain, smoothed }

  private let matrix = MethodInput(
    sparse: "matrix", "Weights of an undirected graph's edges; with a load, the matrix of the system.", shape: "[n, n]")
  private let attributes = MethodInput(
    "attributes", "Category numbers of the vertices.", shape: "[n, q]", isRequired: false)
  private let load = MethodInput("load", "Right side: solve matrix x = load instead.", shape: "[n]", isRequired: false)
  private let clusters = MethodParameter("clusters", "Least number of clusters.", default: 2, in: .atLeast(1))
  private let most = MethodParameter(
    "most-clusters", "Most clusters; the number with the best modularity is taken.", default: Int?.none, in: .atLeast(1)
  )
  private let space = MethodParameter(
    "coordinates", "Smooth vectors, or eigenvectors by multigrid: better where edges are clear.", default: Space.smooth)
  private let restarts = MethodParameter("restarts", "Starts of k-means.", default: 100, in: .atLeast(1))
  private let target = MethodParameter(
    "target-rate", "Rate of convergence at which no more hierarchies are built; 1e-6 for clusters, 0.8 for systems.",
    default: Double?.none, in: .above(0, below: 1))
  private let hierarchies = MethodParameter(
    "hierarchies", "Most hierarchies; 40 for clusters, 1 for systems.", default: Int?.none, in: .atLeast(1))
  private let tolerance = MethodParameter(
    "tolerance", "Relative residual of a solved system.", default: 1e-8, in: .above(0))
  private let cycle = MethodParameter(
    "cycle",
    "Visits of coarser levels: v once, h twice from every second level, w twice, k by conjugate gradients. "
      + "V for clusters, k for systems.", default: Cycle?.none)
  private let relaxation = MethodParameter("relaxation", "Of each level.", default: Relaxation.gaussSeidel)
  private let composition = MethodParameter(
    "composition", "How several hierarchies become one iteration.", default: Composition.multiplicative)
  private let prolongation = MethodParameter(
    "prolongation", "Whether prolongators take a step of relaxation.", default: Prolongation.plain)

  var card: MethodCard {
    MethodCard(
      id: "bootstrap-amg", module: "LinearSolvers",
      title: "Extending Bootstrap AMG for Clustering of Attributed Graphs",
      paper: Paper("D'Ambra et al.", 2023, venue: "Appl. Math. Comput. 447", arXiv: "2109.09610"),
      summary:
        "Clusters the vertices of a large graph, with or without categories on them, in the space of the vectors "
        + "that multigrid relaxation reduces worst, and solves symmetric positive definite systems of Laplacian kind. "
        + "Linear time in the edges for each of a few hierarchies; the measured rates and the residual are reported.",
      inputs: [matrix, attributes, load],
      parameters: [
        clusters, most, space, restarts, target, hierarchies, tolerance, cycle, relaxation, composition, prolongation,
      ],
      outputs: [
        MethodOutput("labels", "The cluster of each vertex.", shape: "[n]"),
        MethodOutput("embedding", "The vertices' coordinates.", shape: "[n, d]"),
        MethodOutput("solution", "The solution of the system.", shape: "[n]"),
      ],
      example: "apus run bootstrap-amg matrix=graph.mtx attributes=groups.csv --clusters 3 -o clusters.npz",
      claim: "Where edges alone are ambiguous, clusters of an attributed graph agree with the hidden ones better than "
        + "those from edges or categories alone.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    request.isGiven(load) ? try solve(request) : try cluster(request)
  }

  private func solve(_ request: RunRequest) throws -> RunOutcome {
    var settings = BootstrapAMG.singleHierarchy
    if let most = request[hierarchies], most > 1 {
      settings = BootstrapAMG(targetRate: request[target] ?? 0.8, hierarchyLimit: most, cycle: .k)
    }
    settings = described(settings, request)
    let solver = try settings.build(request.sparse(matrix), progress: request.progress)
    let found = try solver.solve(
      request.vector(load), tolerance: request[tolerance], progress: request.progress)
    return RunOutcome(
      summary: [
        Fact("Unknowns", solver.size), Fact("Hierarchies", solver.hierarchies.count),
        Fact("Operator complexity", solver.operatorComplexity), Fact("Iterations", found.iterations),
        Fact("Relative residual", found.residual), Fact("Converged", found.isConverged),
      ],
      plots: [
        Plot(
          "Residual", x: "iteration", y: .logarithmic("relative residual"), [Series("", found.convergence.history)])
      ],
      notes: found.isConverged ? [] : ["The residual did not reach the tolerance: \(found.stop)."],
      outputs: [OutputArray("solution", found.solution)])
  }

  /// Settings with what the request says of cycles.
  private func described(_ settings: BootstrapAMG, _ request: RunRequest) -> BootstrapAMG {
    var result = settings
    result.seed = request.seed
    switch request[cycle] {
    case .v: result.cycle = .v
    case .h: result.cycle = .h
    case .w: result.cycle = .w
    case .k: result.cycle = .k
    case nil: break
    }
    switch request[relaxation] {
    case .gaussSeidel: result.relaxation = .gaussSeidel
    case .jacobi: result.relaxation = .jacobi()
    case .l1Jacobi: result.relaxation = .l1Jacobi
    }
    switch request[composition] {
    case .multiplicative: result.composition = .multiplicative
    case .symmetrized: result.composition = .symmetrized
    case .additive: result.composition = .additive
    }
    result.smoothsProlongators = request[prolongation] == .smoothed
    return result
  }

  private func cluster(_ request: RunRequest) throws -> RunOutcome {
    let least = request[clusters]
    let highest = request[most] ?? least
    guard highest >= least else {
      throw InvalidArgument("--most-clusters", found: "\(highest)", wanted: "at least \(least), as --clusters")
    }
    var method = AttributedGraphClustering(clusters: least...highest, restarts: request[restarts], seed: request.seed)
    method.coordinates = request[space] == .smooth ? .smoothVectors : .eigenvectors
    method.multigrid.targetRate = request[target] ?? 1e-6
    method.multigrid.hierarchyLimit = request[hierarchies] ?? 40
    method.multigrid = described(method.multigrid, request)
    let categories = request.isGiven(attributes) ? try request.integers(attributes) : nil
    let found = try method.fit(request.sparse(matrix), attributes: categories, progress: request.progress)
    var table = Table("Numbers of clusters", columns: ["clusters", "modularity"])
    for candidate in found.candidates { table.add([candidate.clusters, candidate.modularity]) }
    var facts = [
      Fact("Vertices", found.labels.count), Fact("Clusters", found.clusterCount), Fact("Modularity", found.modularity),
      Fact("Hierarchies", found.rates.count), Fact("Rate", found.rates.last),
    ]
    if let entropy = found.attributeEntropy { facts.append(Fact("Attribute entropy in bits", entropy)) }
    if !found.isolatedVertices.isEmpty { facts.append(Fact("Vertices without edges", found.isolatedVertices.count)) }
    let coordinates = found.embedding.coordinates[0..<found.labels.count].copied()
    return RunOutcome(
      summary: facts, tables: [table], plots: [embeddingPlot(coordinates, labels: found.labels)],
      notes: found.warnings,
      outputs: [OutputArray("labels", Tensor(found.labels)), OutputArray("embedding", coordinates)])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try BootstrapAMGClaim(settings: settings).evidence() }
}

/// The first two coordinates, a cloud for each cluster.
func embeddingPlot(_ coordinates: Tensor<Double>, labels: [Int]) -> Plot {
  let x = coordinates[.all, 0].copied().scalars
  let y = coordinates[.all, min(1, coordinates.columns - 1)].copied().scalars
  let clouds = (0..<min((labels.max() ?? 0) + 1, 6)).map { label in
    let members = labels.indices.filter { labels[$0] == label }
    return Series("cluster \(label)", x: members.map { x[$0] }, y: members.map { y[$0] }, .points)
  }
  return Plot("Embedding", x: "first coordinate", y: "second coordinate", clouds)
}
