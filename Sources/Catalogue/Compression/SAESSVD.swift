import CatalogueCore
import Compression
import LinearAlgebra
import Tensors

/// `saes-svd`: a weight and its inputs, as they are and as they were, in; low-rank factors out.
struct SAESSVDMethod: CataloguedMethod {
  enum Solver: String, ParameterChoice { case exact, subspace }

  private let weight = MethodInput("weight", "Weight of a linear layer, outputs first.", shape: "[m, n]")
  private let activations = MethodInput(
    "activations", "Inputs of the layer, a row a token, in the network compressed so far.", shape: "[N, n]")
  private let reference = MethodInput(
    "reference", "Inputs of the same tokens in the original network; as the activations if left out.", shape: "[N, n]",
    isRequired: false)
  private let keep = MethodParameter(
    "keep", "Fraction of the weight's numbers to keep.", default: 0.5, in: .above(0, atMost: 1))
  private let rank = MethodParameter(
    "rank", "Rank of the factors, instead of a fraction.", default: Int?.none, in: .atLeast(1))
  private let low = MethodParameter(
    "lowest-beta", "Least weight of the accumulated error.", default: 0.5, in: .atLeast(0, atMost: 1))
  private let high = MethodParameter(
    "highest-beta", "Largest weight of the accumulated error.", default: 0.9, in: .atLeast(0, atMost: 1))
  private let solver = MethodParameter("solver", "How the weight is searched.", default: Solver.exact)
  private let damping = MethodParameter(
    "damping", "Added to the second moment, as a fraction of its mean; raised where it does not do.", default: 1e-6,
    in: .atLeast(0, atMost: 0.01))

  var card: MethodCard {
    MethodCard(
      id: "saes-svd", module: "Compression",
      title: "SAES-SVD: Self-Adaptive Suppression of Accumulated and Local Errors for SVD-based LLM Compression",
      paper: Paper("Hu et al.", 2026, arXiv: "2602.03051"),
      summary:
        "Compresses linear layers to low rank, each fitted on the inputs that it really gets from layers compressed "
        + "before it, to an output between its own and the original network's: errors do not pile up. The weight of the "
        + "accumulated error is chosen for each layer. Closed form from two second moments; one pass over the data a "
        + "layer, no training.",
      inputs: [weight, activations, reference], parameters: [keep, rank, low, high, solver, damping],
      outputs: [
        MethodOutput("left", "Left factor.", shape: "[m, r]"), MethodOutput("right", "Right factor.", shape: "[r, n]"),
      ],
      example: "apus run saes-svd weight=w.npy activations=x.npy reference=original.npy --keep 0.4 -o factors.npz",
      claim: "On a character language model the loss that compression adds falls to half or less of what whitened SVD "
        + "layer by layer adds, and to 0.4 or less of plain SVD's, at 0.4 of the parameters.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let matrix = try request.matrix(weight, as: Float.self)
    var moments = ActivationMoments(width: matrix.columns)
    let inputs = try request.matrix(activations, as: Float.self)
    try moments.add(
      inputs, reference: request.isGiven(reference) ? request.matrix(reference, as: Float.self) : nil)
    guard request[low] <= request[high] else {
      throw InvalidArgument(
        "--highest-beta", found: "\(request[high])", wanted: "at least the lowest, \(request[low])")
    }
    let given = request[rank]
    guard let rank = try given ?? lowRank(keeping: request[keep], of: matrix.shape) else {
      throw InvalidArgument(
        "--keep", found: "\(request[keep])", wanted: "a fraction at which factors are smaller than the weight")
    }
    let target = try CumulativeTarget(weight: matrix, moments: moments, damping: request[damping])
    let search = try target.search(
      rank: rank, range: request[low]...request[high],
      solver: request[solver] == .exact ? .exact() : .subspace())
    let factors = try target.factors(rank: rank, beta: search.beta)
    let change = factors.reconstructed() - target.weight
    func size(_ x: Tensor<Double>) -> Double { (x.matmul(moments.gram) * x).sum().scalar }
    let output = size(target.weight)
    var notes: [String] = []
    if moments.isUnderdetermined {
      notes.append(
        "\(moments.tokens) tokens for \(moments.width) inputs: the second moment is singular, and was damped.")
    }
    if !request.isGiven(reference) {
      notes.append("Without a reference there is no accumulated error: this is whitened SVD, whatever beta is.")
    }
    return RunOutcome(
      summary: [
        Fact("Rank", rank), Fact("Numbers kept", Double(factors.parameterCount) / Double(matrix.count)),
        Fact("Beta", search.beta), Fact("Share of the target retained", search.ratio),
        Fact("Relative error of the output", output > 0 ? (max(size(change), 0) / output).squareRoot() : 0),
        Fact("Damping", target.damping),
      ],
      plots: [
        Plot(
          "Share of the target that the rank retains", x: "beta", y: "rho",
          [Series("", x: search.curve.map(\.beta), y: search.curve.map(\.ratio), .lineAndPoints)])
      ],
      notes: notes,
      outputs: [
        OutputArray("left", Tensor<Float>(factors.left)), OutputArray("right", Tensor<Float>(factors.right)),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try SAESSVDClaim(settings: settings).evidence() }
}
