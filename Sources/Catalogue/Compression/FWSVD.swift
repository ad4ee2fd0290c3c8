import CatalogueCore
import Compression
import LinearAlgebra
import Tensors

/// `fwsvd`: a weight and the squared gradients of a loss in, low-rank factors out.
struct FWSVDMethod: CataloguedMethod {
  enum Axis: String, ParameterChoice { case output, input, both, elementwise }

  private let weight = MethodInput("weight", "Weight of a linear layer, outputs first.", shape: "[m, n]")
  private let gradients = MethodInput(
    "gradients", "Gradient of the loss of each example with respect to the weight.", shape: "[d, m, n]",
    isRequired: false)
  private let fisher = MethodInput(
    "fisher", "Means of squared gradients, instead of the gradients.", shape: "[m, n]", isRequired: false)
  private let keep = MethodParameter(
    "keep", "Fraction of the weight's numbers to keep.", default: 0.5, in: .above(0, atMost: 1))
  private let rank = MethodParameter(
    "rank", "Rank of the factors, instead of a fraction.", default: Int?.none, in: .atLeast(1))
  private let axis = MethodParameter(
    "axis", "What is weighted: outputs, inputs (the paper's rows), both, or every element.", default: Axis.output)

  var card: MethodCard {
    MethodCard(
      id: "fwsvd", module: "Compression",
      title: "Language model compression with weighted low-rank factorization",
      paper: Paper("Hsu et al.", 2022, venue: "ICLR 2022", arXiv: "2207.00112"),
      summary:
        "Low-rank factors of a trained weight that spare what the loss depends on: its rows or columns are weighted "
        + "by their Fisher information, the mean of squared gradients by example. The weight itself is farther off than "
        + "by plain SVD, and the task suffers less. Costs one backward pass over some examples, and one decomposition.",
      inputs: [weight, gradients, fisher], parameters: [keep, rank, axis],
      outputs: [
        MethodOutput("left", "Left factor.", shape: "[m, r]"), MethodOutput("right", "Right factor.", shape: "[r, n]"),
      ],
      example: "apus run fwsvd weight=w.npy fisher=squares.npy --keep 0.4 -o factors.npz",
      claim:
        "On a character language model the loss that factors add is at most 0.7 of plain SVD's at 0.5 and 0.4 of the "
        + "parameters, while every weight is farther off than by plain SVD.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let matrix = try request.matrix(weight, as: Float.self)
    let moments = try moments(request, shape: matrix.shape)
    guard let rank = try request[rank] ?? lowRank(keeping: request[keep], of: matrix.shape) else {
      throw InvalidArgument(
        "--keep", found: "\(request[keep])", wanted: "a fraction at which factors are smaller than the weight")
    }
    let tied: FisherAxis =
      switch request[axis] {
      case .output, .elementwise: .output
      case .input: .input
      case .both: .both
      }
    let result = try fisherWeightedSVD(matrix, fisher: moments, rank: rank, axis: tied)
    var factors = result.factors
    var facts = [
      Fact("Rank", rank), Fact("Numbers kept", Double(factors.parameterCount) / Double(matrix.count)),
      Fact("Relative weighted error", result.relativeWeightedError),
      Fact("Relative error of the weight", factors.relativeError(to: Tensor<Double>(matrix))),
      Fact("Predicted rise of the loss", result.predictedLossIncrease),
    ]
    var plots: [Plot] = []
    if request[axis] == .elementwise {
      let finer = try elementwiseWeightedLowRank(matrix, fisher: moments, rank: rank, progress: request.progress)
      factors = finer.factors
      facts.append(Fact("Predicted rise, every element for itself", (finer.history.last ?? 0) / 2))
      facts.append(Fact("Sweeps", finer.convergence.iterations))
      plots.append(
        Plot(
          "Weighted squared error", x: "sweep", y: .logarithmic("error"),
          [Series("", finer.history, first: 0, .lineAndPoints)]))
    }
    return RunOutcome(
      summary: facts, plots: plots,
      outputs: [
        OutputArray("left", Tensor<Float>(factors.left)), OutputArray("right", Tensor<Float>(factors.right)),
      ])
  }

  private func moments(_ request: RunRequest, shape: [Int]) throws -> FisherMoments {
    switch (request.isGiven(fisher), request.isGiven(gradients)) {
    case (true, false): return try FisherMoments(examples: 1, squares: request.matrix(fisher))
    case (false, true):
      let all = try request.array(gradients, as: Float.self)
      var moments = FisherMoments(shape: shape)
      for example in 0..<all.shape[0] { try moments.add(gradient: all[example]) }
      return moments
    default:
      throw InvalidArgument("fisher", found: "gradients and fisher, or neither", wanted: "one of the two files")
    }
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try FWSVDClaim(settings: settings).evidence() }
}
