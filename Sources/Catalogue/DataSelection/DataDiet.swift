import CatalogueCore
import DataSelection
import Datasets
import Networks
import Optimizers
import Tensors

/// `data-diet`: labelled examples in, scores and the positions to keep out.
struct DataDietMethod: CataloguedMethod {
  enum Score: String, ParameterChoice {
    case el2n, grand
    case l1Error = "l1-error"
    case maxMargin = "max-margin"
    case sumMargin = "sum-margin"
    case forgetting
  }
  enum Rule: String, ParameterChoice { case highest, lowest, window, random }

  private let features = MethodInput("features", "Examples, one a row; images are flattened.", shape: "[n, ...]")
  private let labels = MethodInput("labels", "Class of each example, numbered from 0.", shape: "[n]")
  private let score = MethodParameter("score", "How importance is measured.", default: Score.el2n)
  private let epochs = MethodParameter("epochs", "Epochs of training before scoring.", default: 3, in: .atLeast(0))
  private let runs = MethodParameter("runs", "Networks the scores are averaged over.", default: 10, in: .atLeast(1))
  private let keep = MethodParameter(
    "keep", "Fraction of the examples to keep.", default: 0.5, in: .above(0, atMost: 1))
  private let rule = MethodParameter("rule", "Which examples are kept.", default: Rule.highest)
  private let skip = MethodParameter(
    "skip", "With rule window, fraction of the examples that are hardest and left out.", default: 0.1,
    in: .atLeast(0, below: 1))
  private let balanced = MethodParameter("balanced", "Keep the share of each class.", default: false)
  private let hidden = MethodParameter(
    "hidden", "Widths of the hidden layers of the scoring networks.", default: [128, 64], in: .atLeast(1))
  private let rate = MethodParameter("learning-rate", "Learning rate of Adam.", default: 1e-3, in: .above(0))
  private let batchSize = MethodParameter("batch-size", "Examples in a step.", default: 64, in: .atLeast(1))
  private let standardize = MethodParameter(
    "standardize", "Shift and scale every feature to mean 0 and variance 1 first.", default: true)

  private let scoresOutput = MethodOutput("scores", "Mean score of each example.", shape: "[n]")
  private let keptOutput = MethodOutput("kept", "Positions of the examples to keep, increasing.", shape: "[k]")
  private let perRunOutput = MethodOutput("per-run", "Scores by run.", shape: "[runs, n]")

  var card: MethodCard {
    MethodCard(
      id: "data-diet", module: "DataSelection",
      title: "Deep Learning on a Data Diet: Finding Important Examples Early in Training",
      paper: Paper("Paul et al.", 2021, venue: "NeurIPS 2021", arXiv: "2107.07075"),
      summary:
        "Ranks training examples by how much they matter, after a few epochs of a few small networks: by the error "
        + "of the predicted probabilities (EL2N) or the norm of each example's gradient (GraNd). Keep the hard ones and "
        + "train on half of the data, or look at the hardest to find wrong labels. Costs a few short trainings and one "
        + "pass over the data for each.",
      inputs: [features, labels],
      parameters: [score, epochs, runs, keep, rule, skip, balanced, hidden, rate, batchSize, standardize],
      outputs: [scoresOutput, keptOutput, perRunOutput],
      example: "apus run data-diet features=x.npy labels=y.npy --keep 0.5 -o diet.npz",
      claim:
        "On 4,000 digits, a network trained on the half with the highest scores is as good as on all and better than on a "
        + "random half; scores after three epochs find flipped labels; scores before training do not work.",
      pending: ["The large form of the claim, residual networks on CIFAR-10, needs data that is not bundled."])
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    var data = try LabelledData<Float>(
      fromFeatures: request.array(features, as: Float.self), labels: request.integers(labels))
    data = data.with(features: data.features.reshaped([data.count, -1]))
    if request[standardize] {
      data = data.with(features: Standardization(fittedTo: data.features)(data.features))
    }
    let chosen = ImportanceScore(rawValue: request[score].rawValue) ?? .el2n
    let scoring = ImportanceScoring(
      scores: [chosen], epochs: [request[epochs]], runs: request[runs], batchSize: request[batchSize])
    let widths = [data.features.columns] + request[hidden] + [data.classes]
    let report = try scoring.evaluate(
      data, seed: request.seed, optimizer: Adam<Float>(learningRate: request[rate]), progress: request.progress
    ) { random in
      MLP<Float>(widths, random: &random)
    }
    let table = report.table(chosen, epoch: request[epochs])
    let scores = table.mean
    let count = max(1, Int((request[keep] * Double(data.count)).rounded()))
    let subset: SubsetRule =
      switch request[rule] {
      case .highest: .highest
      case .lowest: .lowest
      case .window: .skippingHardest(Int((request[skip] * Double(data.count)).rounded()))
      case .random: .random(seed: request.seed)
      }
    let kept = try SubsetSelection(subset, count: count, keepsClassShares: request[balanced])
      .positions(by: scores, labels: data.labels)

    let values = scores.scalars
    let order = values.indices.sorted { values[$0] != values[$1] ? values[$0] > values[$1] : $0 < $1 }
    var hardest = Table(
      "Hardest examples", columns: ["position", "label", "score"],
      caption: "Look at these first when labels may be wrong.")
    for position in order.prefix(10) { hardest.add([position, data.labels[at: position], values[position]]) }
    var classes = Table("Classes", columns: ["class", "examples", "kept", "mean score"])
    for label in 0..<data.classes {
      let members = values.indices.filter { data.labels[at: $0] == label }
      let sum = members.reduce(0) { $0 + values[$1] }
      classes.add([
        label, members.count, kept.scalars.count { data.labels[at: $0] == label }, sum / Double(members.count),
      ])
    }
    return RunOutcome(
      summary: [
        Fact("Examples", data.count), Fact("Classes", data.classes), Fact("Kept", kept.count),
        Fact("Rank correlation between runs", table.rankCorrelationBetweenRuns),
      ],
      tables: [hardest, classes],
      plots: [Plot("Scores", x: "score", y: "density", [.histogram("", of: values)])],
      notes: request[epochs] == 0
        ? ["Scores of untrained networks: the claim of this method shows that these do not find important examples."]
        : [],
      outputs: [
        OutputArray(scoresOutput, scores), OutputArray(keptOutput, kept), OutputArray(perRunOutput, table.perRun),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try DataDietClaim(settings: settings).evidence() }
}
