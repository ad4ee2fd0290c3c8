public import LinearAlgebra
public import SpecialFunctions
public import Tensors

/// Clusters the vertices of a large graph, with or without categories on them, in the space of the vectors that multigrid
/// relaxation reduces worst: a substitute for the Laplacian's eigenvectors that costs a few sweeps over the graph.
///
/// Categories help where edges alone are ambiguous. Where edges are clear and categories weak, they harm: compare with a
/// fit without them.
///
/// ```swift
/// let clustering = try AttributedGraphClustering(clusters: 3...3).fit(adjacency, attributes: categories)
/// print(clustering.labels, clustering.modularity)
/// ```
///
/// - Complexity: O(edges) for each hierarchy and cycle; O(N R²) for the coordinates; O(n (q + 1) R K) a sweep of k-means.
/// - Source: D'Ambra, Vassilevski and Cutillo, Appl. Math. Comput. 447 (2023), arXiv 2109.09610.
public struct AttributedGraphClustering: Sendable, Hashable {
  /// The space in which vertices are compared.
  public enum Coordinates: Sendable, Hashable {
    /// The left singular vectors of ones and the smooth vectors: the published method, for graphs that are ambiguous.
    case smoothVectors
    /// The first eigenvectors of the normalised Laplacian, as many as clusters, by LOBPCG, where needed with multigrid as
    /// preconditioner: better where the edges are clear, and quicker on large graphs whose coarse levels fill up.
    case eigenvectors
  }

  /// How many clusters; of several numbers the one with the best modularity is taken.
  public var clusters: ClosedRange<Int>
  public var coordinates = Coordinates.smoothVectors
  /// How the smooth vectors are found.
  public var multigrid = BootstrapAMG(targetRate: 1e-6, hierarchyLimit: 40)
  public var restarts = 100
  public var sweepLimit = 30
  public var seeding = KMeans.Seeding.plusPlus
  /// Whether a vertex is compared together with its categories, each a point of its own, or by its own coordinates alone.
  public var usesBlocks = true
  public var seed: UInt64 = 1

  public init(clusters: ClosedRange<Int>, restarts: Int = 100, usesBlocks: Bool = true, seed: UInt64 = 1) {
    (self.clusters, self.restarts, self.usesBlocks, self.seed) = (clusters, restarts, usesBlocks, seed)
    multigrid.seed = seed
  }

  public init(clusters: Int, restarts: Int = 100, usesBlocks: Bool = true, seed: UInt64 = 1) {
    self.init(clusters: clusters...clusters, restarts: restarts, usesBlocks: usesBlocks, seed: seed)
  }

  /// - Parameters:
  ///   - adjacency: weights of undirected edges, shape [n, n].
  ///   - attributes: category numbers, shape [n, q].
  /// - Throws: `InvalidArgument` for weights that are not symmetric, finite and non-negative, attributes of another number
  ///   of rows, more clusters than vertices, or settings out of range; `CancellationError`.
  public func fit(
    _ adjacency: SparseMatrix<Double>, attributes: Tensor<Int>? = nil, progress: WorkProgress = .silent
  ) throws -> Clustering {
    let graph = try AttributedGraph(adjacency: adjacency, attributes: attributes)
    return try fit(graph, attributes: attributes, embedding: embed(graph, progress: progress.part(0, of: 2)), progress)
  }

  /// Coordinates of all N vertices, shape [N, R + 1] of R smooth vectors, or [N, clusters] of eigenvectors.
  public func embed(_ graph: AttributedGraph, progress: WorkProgress = .silent) throws -> GraphEmbedding {
    if coordinates == .eigenvectors {
      let components = (connectedComponents(graph.augmented).max() ?? -1) + 1
      let vectors = try eigenvectors(graph, progress: progress)
      return GraphEmbedding(coordinates: vectors, rates: [], components: components, isStagnated: false)
    }
    let (matrix, components) = try graph.definiteLaplacian()
    let solver = try multigrid.build(matrix, progress: progress)
    let columns = [Tensor<Double>.ones([matrix.rows])] + solver.smoothVectors
    let coordinates = try SingularValueDecomposition(of: Tensor.stacked(columns, axis: 1)).left
    return GraphEmbedding(
      coordinates: coordinates, rates: solver.rates, components: components, isStagnated: solver.isStagnated)
  }

  /// D^(-1/2) times the first eigenvectors of D^(-1/2) (D - A) D^(-1/2).
  ///
  /// In graphs that mix fast the eigenvalues are well apart, and plain steps in single precision find them; multigrid is set
  /// up where those do not get there.
  private func eigenvectors(_ graph: AttributedGraph, progress: WorkProgress) throws -> Tensor<Double> {
    let size = graph.augmented.rows
    let degrees = graph.augmented.matmul(.ones([size]))
    let roots = (degrees .> 0).select(degrees, .ones(degrees.shape)).sqrt()
    let inverse = roots.reciprocal()
    let normalized = try graphLaplacian(graph.augmented).scalingRows(by: inverse).scalingColumns(by: inverse)
    let single = try SparseMatrix<Float>(
      rows: size, columns: size, starts: normalized.starts, indices: normalized.indices,
      values: Tensor<Float>(normalized.values))
    var random = RandomStream(seed: seed)
    var method = LOBPCG(count: min(clusters.upperBound, size), tolerance: 1e-4, iterationLimit: 30)
    let quick = try method.eigenpairs(of: single, random: &random, progress: progress)
    if quick.convergence.isConverged { return Tensor<Double>(quick.vectors) * inverse.expanded(axis: 1) }
    var settings = BootstrapAMG(hierarchyLimit: 1)
    settings.rateIterations = 0
    let multigrid = try settings.build(graph.definiteLaplacian().matrix).asPreconditioner
    let column = roots.expanded(axis: 1)
    let preconditioner = FunctionOperator<Double>(symmetric: size, takesBlocks: true) { x in
      x.rank == 1 ? try multigrid.apply(x * roots) * roots : try multigrid.apply(x * column) * column
    }
    method.iterationLimit = 100
    let found = try method.eigenpairs(
      of: normalized, preconditioner: preconditioner, startingFrom: Tensor<Double>(quick.vectors), random: &random,
      progress: progress)
    return found.vectors * inverse.expanded(axis: 1)
  }

  private func fit(
    _ graph: AttributedGraph, attributes: Tensor<Int>?, embedding: GraphEmbedding, _ progress: WorkProgress
  ) throws -> Clustering {
    guard clusters.lowerBound >= 1, clusters.upperBound <= graph.vertexCount else {
      throw InvalidArgument(
        "clusters", found: "\(clusters.upperBound)", wanted: "at least 1, at most the \(graph.vertexCount) vertices")
    }
    let quality = GraphModularity(graph.adjacency)
    var random = RandomStream(seed: seed)
    var best: KMeans.Result?
    var scanned: [Clustering.Candidate] = []
    for count in clusters {
      // As many eigenvectors as clusters: further ones would split what belongs together.
      let all = embedding.coordinates
      let used = coordinates == .eigenvectors ? all[.all, ..<min(count, all.columns)].copied() : all
      let points = usesBlocks ? graph.blockCoordinates(used) : used[0..<graph.vertexCount].copied()
      let method = KMeans(clusters: count, restarts: restarts, sweepLimit: sweepLimit, seeding: seeding)
      let found = try method.fit(points, random: &random, progress: progress.part(1, of: 2)) { labels, _ in
        quality.value(labels)
      }
      scanned.append(Clustering.Candidate(clusters: count, modularity: found.score))
      if best.map({ found.score > $0.score }) ?? true { best = found }
    }
    let labels = best?.labels ?? []
    var warnings: [String] = []
    if embedding.components > 1 {
      warnings.append("The graph has \(embedding.components) components; each was made positive definite by itself.")
    }
    if embedding.isStagnated { warnings.append("Further hierarchies did not improve the rate; the last were kept.") }
    let degrees = graph.adjacency.matmul(.ones([graph.vertexCount]))
    return Clustering(
      labels: labels, modularity: best?.score ?? 0,
      attributeEntropy: attributes.map { $0.count > 0 ? LinearSolvers.attributeEntropy($0, labels: labels) : 0 },
      embedding: embedding, isolatedVertices: (degrees .<= 0).trueIndices.scalars, candidates: scanned,
      restart: best?.restart ?? 0, warnings: warnings)
  }
}

/// Coordinates of the vertices of a graph, and how they were found.
public struct GraphEmbedding: Sendable {
  /// Shape [N, d]; of smooth vectors, the columns are orthonormal. The vertices of categories come last.
  public let coordinates: Tensor<Double>
  /// The measured rate after each hierarchy; empty for eigenvectors.
  public let rates: [Double]
  public let components: Int
  public let isStagnated: Bool
}

/// A partition of a graph's vertices.
public struct Clustering: Sendable {
  /// How good a number of clusters was.
  public struct Candidate: Sendable, Hashable {
    public let clusters: Int
    public let modularity: Double
  }

  /// The cluster of each vertex: 0, 1, ... in the order of their first vertices.
  public let labels: [Int]
  /// Of the original graph.
  public let modularity: Double
  /// In bits; nil without attributes.
  public let attributeEntropy: Double?
  public let embedding: GraphEmbedding
  /// Vertices without edges: where they ended says nothing about edges.
  public let isolatedVertices: [Int]
  /// The modularity for each number of clusters that was tried.
  public let candidates: [Candidate]
  /// Which start of k-means was the best.
  public let restart: Int
  public let warnings: [String]
  public var rates: [Double] { embedding.rates }
  public var clusterCount: Int { (labels.max() ?? -1) + 1 }
}
