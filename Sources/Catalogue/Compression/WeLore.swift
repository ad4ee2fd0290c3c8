import CatalogueCore
import Compression
import Tensors

/// `welore`: named matrices in, ranks and factors out.
struct WeLoreMethod: CataloguedMethod {
  enum Budget: String, ParameterChoice {
    case parameters
    case rankReduction = "rank-reduction"
  }
  enum Rule: String, ParameterChoice { case normalized, uniform, energy, outlier }

  private let weights = MethodInput(
    tensors: "weights", "Weights of a network; arrays that are not matrices are left out.")
  private let keep = MethodParameter(
    "keep", "Fraction of the parameters, or of the total rank, to keep.", default: 0.5, in: .above(0, below: 1))
  private let budget = MethodParameter("budget", "What 'keep' is a fraction of.", default: Budget.parameters)
  private let rule = MethodParameter("rule", "How ranks are spread over the matrices.", default: Rule.normalized)
  private let minimumReduction = MethodParameter(
    "minimum-reduction",
    "Fraction of the rank that must go for a matrix to be factored; by default where factors are smaller.",
    default: Double?.none, in: .atLeast(0, below: 1))

  var card: MethodCard {
    MethodCard(
      id: "welore", module: "Compression",
      title: "From GaLore to WeLore: How Low-Rank Weights Non-uniformly Emerge from Low-Rank Gradients",
      paper: Paper("Jaiswal et al.", 2024, arXiv: "2407.11239"),
      summary: "Chooses a different rank for each matrix of a trained network, without data: one threshold on singular "
        + "values relative to the largest of their matrix, found exactly for a budget. Says which matrices are low-rank "
        + "components, kept as factors, and which stay dense. Costs one values-only decomposition for each matrix.",
      inputs: [weights], parameters: [keep, budget, rule, minimumReduction],
      outputs: [
        MethodOutput("NAME.left", "Left factor of matrix NAME, a low-rank component.", shape: "[m, r]"),
        MethodOutput("NAME.right", "Right factor of matrix NAME.", shape: "[r, n]"),
      ],
      example: "apus run welore weights=model.safetensors --keep 0.5 -o factors.npz",
      claim:
        "The threshold search is exact, and on a network of equal spectral norms with known light and heavy tails its "
        + "ranks reconstruct better than uniform ones at 0.5 and 0.4 of the parameters. On the character model they lose "
        + "less than uniform ones there, and training factors alone makes up for most of it. While it is trained, low ranks "
        + "of gradients go with low ranks of the weights they lead to, most of it by their shapes.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(weights)
    var matrices: [(name: String, matrix: Tensor<Float>)] = []
    for entry in collection.entries {
      let tensor = try collection.tensor(entry, as: Float.self)
      if tensor.rank == 2, !tensor.isEmpty { matrices.append((entry.name, tensor)) }
    }
    guard !matrices.isEmpty else {
      throw InvalidArgument(
        "weights", found: "no matrix among \(collection.count) arrays", wanted: "at least one matrix")
    }
    let survey = try SpectrumSurvey(named: matrices, progress: request.progress)
    let target: RankBudget =
      request[budget] == .parameters ? .parameters(request[keep]) : .rankReduction(1 - request[keep])
    let chosen: RankRule =
      switch request[rule] {
      case .normalized: .normalizedThreshold
      case .uniform: .uniform
      case .energy: .energy
      case .outlier: .outlierWeighted(spread: 0.08)
      }
    let plan = try survey.allocateRanks(target, rule: chosen, minimumReduction: request[minimumReduction])
    let applied = try plan.applied(to: matrices, progress: request.progress)

    var table = Table(
      "Ranks",
      columns: ["matrix", "rows", "columns", "rank", "rank fraction", "component", "relative error", "numbers kept"])
    for entry in plan.entries {
      table.add([
        entry.name, entry.shape.rows, entry.shape.columns, entry.rank, entry.rankFraction,
        entry.component == .lowRank ? "low-rank" : "dense", entry.relativeError, entry.keptParameters,
      ])
    }
    var outputs: [OutputArray] = []
    for part in applied {
      guard case .factored(let factors) = part.matrix else { continue }
      outputs.append(OutputArray("\(part.name).left", factors.left))
      outputs.append(OutputArray("\(part.name).right", factors.right))
    }
    let left = collection.count - matrices.count
    return RunOutcome(
      summary: [
        Fact("Matrices", matrices.count), Fact("Threshold", plan.threshold), Fact("Parameters kept", plan.keptFraction),
        Fact("Rank reduction", plan.rankReduction),
        Fact("Low-rank components", plan.entries.count { $0.component == .lowRank }),
        Fact("Trainable in low-rank components", plan.parameters(of: .lowRank)),
      ],
      tables: [table],
      plots: [
        Plot(
          "Rank of each matrix", x: "matrix", y: "rank / short side",
          [Series("", plan.entries.map(\.rankFraction), .bars)])
      ],
      notes: left > 0 ? ["\(left) arrays are not matrices and were left out."] : [],
      outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try WeLoreClaim(settings: settings).evidence() }
}
