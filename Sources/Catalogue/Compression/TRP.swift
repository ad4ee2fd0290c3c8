import CatalogueCore
import Compression
import Tensors

/// `trp`: weights in, truncated weights or their factors out.
struct TRP: CataloguedMethod {
  enum Reading: String, ParameterChoice { case channel, spatial, decoupled }
  enum Rule: String, ParameterChoice {
    case energy, value, fraction, rank
    case relativeValue = "relative-value"
  }

  private let weights = MethodInput(
    tensors: "weights", "Weights of a network: matrices and filters [N, C, h, w]; other arrays are left out.")
  private let rule = MethodParameter("rule", "What decides the rank.", default: Rule.energy)
  private let amount = MethodParameter(
    "amount", "The share of energy, the least value, the share of values, or the rank itself.", default: 0.9,
    in: .atLeast(0))
  private let reading = MethodParameter("filters", "How filters are read as matrices.", default: Reading.channel)

  var card: MethodCard {
    MethodCard(
      id: "trp", module: "Compression", title: "Trained Rank Pruning for Efficient Deep Neural Networks",
      paper: Paper("Xu et al.", 2018, venue: "IJCAI 2020", arXiv: "1812.02402"),
      summary:
        "Trains a network whose weights are of low rank at the end, so that two thin layers can take the place of "
        + "each without loss: every few steps weights are truncated in place, and the gradient of their nuclear norm is "
        + "added. The training is a library of hooks for any loop; the command truncates given weights, says their ranks and "
        + "what is dropped, and writes the truncated weights. Costs an eigendecomposition of the short side for each.",
      inputs: [weights], parameters: [rule, amount, reading],
      outputs: [MethodOutput("NAME", "Weight NAME, truncated.", shape: "as it was")],
      example: "apus run trp weights=model.safetensors --rule energy --amount 0.9 -o truncated.npz",
      claim:
        "A perceptron trained with truncation to 0.98 of the energy every 20 steps is within 0.025 of plain training at "
        + "ranks of at most 24, and factoring it costs at most 0.003; truncating the plain one to the same ranks costs more."
    )
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let amount = request[amount]
    let chosen: TruncationRule =
      switch request[rule] {
      case .energy: .energy(amount)
      case .value: .value(amount)
      case .fraction: .fraction(amount)
      case .rank: .fixed(Int(amount))
      case .relativeValue: .relativeValue(amount)
      }
    let filters: Matricisation =
      switch request[reading] {
      case .channel: .channel
      case .spatial: .spatial
      case .decoupled: .decoupled
      }
    let collection = request.tensors(weights)
    var table = Table(
      "Ranks", columns: ["weight", "shape", "rank", "of", "dropped energy", "numbers", "numbers in factors"])
    var outputs: [OutputArray] = []
    var plots: [Series] = []
    for (i, entry) in collection.entries.enumerated() {
      let weight = try collection.tensor(entry, as: Float.self)
      guard !weight.isEmpty, weight.rank == 2 || weight.rank == 4 else { continue }
      let matricisation = weight.rank == 2 ? Matricisation.dense : filters
      let cut = try RankTruncation(weight, matricisation, chosen)
      table.add([
        entry.name, weight.shape.map(String.init).joined(separator: " x "), cut.rank, cut.fullRank, cut.droppedEnergy,
        weight.count, cut.factorCount,
      ])
      outputs.append(OutputArray(entry.name, cut.weight))
      if plots.count < 6 {
        let largest = cut.singularValues.first ?? 1
        plots.append(Series(entry.name, cut.singularValues.map { $0 / largest }))
      }
      try request.progress.report(i + 1, of: collection.count)
    }
    guard !outputs.isEmpty else {
      throw InvalidArgument(
        "weights", found: "no matrix or filters among \(collection.count) arrays", wanted: "at least one")
    }
    let left = collection.count - outputs.count
    return RunOutcome(
      summary: [Fact("Weights", outputs.count), Fact("Left out", left)], tables: [table],
      plots: [Plot("Singular values", x: "index", y: .logarithmic("value / largest"), plots)], outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try TRPClaim(settings: settings).evidence() }
}
