import CatalogueCore
import Compression
import LinearAlgebra
import Tensors

/// `concat-svd`: blocks in, clusters with a shared left basis and a certified error out.
struct ConcatSVD: CataloguedMethod {
  enum Bound: String, ParameterChoice {
    case incremental, residual, weyl
    case weylMax = "weyl-max"
  }
  enum Order: String, ParameterChoice { case residual, norm }

  private let blocks = MethodInput(
    tensors: "blocks", "Matrices with the same number of rows; other arrays are left out.")
  private let tolerance = MethodParameter(
    "tolerance", "Relative error that no cluster may exceed.", default: 0.1, in: .atLeast(0))
  private let rank = MethodParameter("rank", "Rank of a cluster's shared basis.", default: 10, in: .atLeast(1))
  private let bound = MethodParameter("bound", "How errors are certified.", default: Bound.incremental)
  private let oversampling = MethodParameter(
    "oversampling", "Directions carried beyond the rank by the incremental bound.", default: 5, in: .atLeast(0))
  private let order = MethodParameter("order", "Which blocks a cluster tries first.", default: Order.residual)
  private let patience = MethodParameter(
    "patience", "Clusters in a row that accept nothing before growth stops.", default: 10, in: .atLeast(1))
  private let minimal = MethodParameter(
    "minimal-rank", "Give each cluster the least rank within the tolerance.", default: false)
  private let refine = MethodParameter("refine", "Merge whole clusters afterwards, best pair first.", default: false)

  var card: MethodCard {
    MethodCard(
      id: "concat-svd", module: "Compression",
      title: "Concatenated Matrix SVD: Compression Bounds, Incremental Approximation, and Error-Constrained Clustering",
      paper: Paper("Shamrai", 2026, arXiv: "2601.11626"),
      summary: "Decides which of many matrices with the same number of rows may share one low-rank left basis, and "
        + "certifies the relative error of every cluster. Clusters grow greedily from the largest block; an incremental "
        + "SVD bounds the error of each merge without forming the concatenation. Linear time in the number of blocks for "
        + "a given number of clusters.",
      inputs: [blocks],
      parameters: [tolerance, rank, bound, oversampling, order, patience, minimal, refine],
      outputs: [
        MethodOutput("labels", "The cluster of each block.", shape: "[blocks]"),
        MethodOutput("predicted-error", "The certified relative error of each cluster.", shape: "[clusters]"),
        MethodOutput("exact-error", "The exact relative error of each cluster.", shape: "[clusters]"),
        MethodOutput("left.C", "The shared basis of cluster C.", shape: "[m, r]"),
        MethodOutput("NAME.right", "What multiplies the basis to give block NAME.", shape: "[r, n]"),
        MethodOutput("NAME", "A block that is kept as it is.", shape: "[m, n]"),
      ],
      example: "apus run concat-svd blocks=layers.npz --tolerance 0.2 --rank 16 -o factors.npz",
      claim: "Finds hidden groups that share a basis, every cluster within the tolerance, where k-means on the same "
        + "blocks violates it. Blocks of handwritten digits merge within the tolerance, all together are beyond it.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let all = try request.tensors(blocks).all(as: Double.self)
    let named = all.filter { $0.1.rank == 2 && !$0.1.isEmpty }
    guard let rows = named.first?.1.rows else {
      throw InvalidArgument("blocks", found: "no matrix among \(all.count) arrays", wanted: "at least one matrix")
    }
    if let (name, matrix) = named.first(where: { $0.1.rows != rows }) {
      throw InvalidArgument(
        name, found: "\(matrix.rows) rows", wanted: "\(rows), as '\(named[0].0)' has: blocks that share a basis")
    }
    let matrices = named.map(\.1)
    let method = CompressionClustering(
      tolerance: request[tolerance], rank: request[rank], bound: bound(request),
      order: request[order] == .norm ? .norm : .residual, patience: request[patience], verifiesErrors: true)
    var result = try method.fit(matrices, progress: request.progress)
    if request[refine] { result = try method.refined(result, of: matrices) }
    let shared = try result.compress(
      matrices, rank: request[minimal] ? .minimal(tolerance: request[tolerance]) : .fixed)

    var table = Table(
      "Clusters", columns: ["cluster", "blocks", "columns", "rank", "predicted error", "exact error", "members"])
    for (number, cluster) in result.clusters.enumerated() {
      let factors = shared.clusters.first { $0.members == cluster.members }
      table.add([
        number, cluster.members.count, cluster.members.reduce(0) { $0 + result.widths[$1] },
        factors.map { $0.left.columns }, cluster.predictedError, cluster.exactError,
        cluster.members.map { named[$0].0 }.joined(separator: " "),
      ])
    }
    var outputs = [
      OutputArray("labels", Tensor(result.labels)),
      OutputArray("predicted-error", Tensor(result.clusters.map(\.predictedError))),
      OutputArray("exact-error", Tensor(result.clusters.map { $0.exactError ?? 0 })),
    ]
    for (number, cluster) in result.clusters.enumerated() {
      if let factors = shared.clusters.first(where: { $0.members == cluster.members }) {
        outputs.append(OutputArray("left.\(number)", factors.left))
        for (block, right) in zip(factors.members, factors.rights) {
          outputs.append(OutputArray("\(named[block].0).right", right))
        }
      } else {
        for block in cluster.members { outputs.append(OutputArray(named[block].0, matrices[block])) }
      }
    }
    return RunOutcome(
      summary: [
        Fact("Blocks", matrices.count), Fact("Clusters", result.clusters.count),
        Fact("Kept as they are", result.clusters.count(where: \.isUncompressible)),
        Fact("Largest exact error", result.largestExactError),
        Fact("Numbers stored", shared.storedScalars), Fact("Numbers before", result.rawScalars),
        Fact("Ratio", Double(shared.storedScalars) / Double(result.rawScalars)),
      ],
      tables: [table],
      plots: [
        Plot(
          "Errors while clusters grow", caption: "The certified error of each cluster after every block that joined.",
          x: "blocks that joined", y: "certified relative error",
          result.clusters.enumerated().filter { $1.history.count > 1 }.prefix(6)
            .map { Series("cluster \($0)", $1.history, first: 0, .lineAndPoints) },
          marks: [.horizontal(at: request[tolerance], "tolerance")])
      ],
      notes: all.count > named.count ? ["\(all.count - named.count) arrays are not matrices and were left out."] : [],
      outputs: outputs)
  }

  private func bound(_ request: RunRequest) -> ConcatenationBound {
    switch request[bound] {
    case .incremental: .incremental(oversampling: request[oversampling])
    case .residual: .residual
    case .weyl: .weylBase
    case .weylMax: .weylMax
    }
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try ConcatSVDClaim(settings: settings).evidence() }
}
