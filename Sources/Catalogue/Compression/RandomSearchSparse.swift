import CatalogueCore
import Compression
import Datasets
import Experiments
import Networks
import Optimizers
import SpecialFunctions
import Tensors

/// `random-search-sparse`: labelled examples in, a calibrated comparison of searched and random sub-networks out.
struct RandomSearchSparseMethod: CataloguedMethod {
  private let features = MethodInput("features", "Examples, one a row.", shape: "[n, ...]")
  private let labels = MethodInput("labels", "Class of each example, numbered from 0.", shape: "[n]")
  private let sparsity = MethodParameter(
    "sparsity", "Fraction of the hidden nodes left out.", default: 0.8, in: .atLeast(0, below: 1))
  private let budget = MethodParameter("budget", "Candidates that are evaluated.", default: 200, in: .atLeast(1))
  private let hidden = MethodParameter(
    "hidden", "Widths of the parent's hidden layers.", default: [256, 256], in: .atLeast(1))
  private let parents = MethodParameter("parents", "Parents, each with a search.", default: 3, in: .atLeast(2))
  private let others = MethodParameter(
    "random", "Random sub-networks trained for each parent.", default: 3, in: .atLeast(1))
  private let epochs = MethodParameter("epochs", "Epochs of training.", default: 8, in: .atLeast(1))
  private let margin = MethodParameter(
    "margin", "Difference of accuracy that does not matter.", default: 0.02, in: .above(0))
  private let climb = MethodParameter("climb", "Search by hill climbing.", default: false)

  private let masksOutput = MethodOutput("nodes.L", "Kept nodes of hidden layer L, first parent.", shape: "[k]")
  private let lossesOutput = MethodOutput(
    "losses", "Initial losses of the candidates, first parent.", shape: "[budget]")

  var card: MethodCard {
    MethodCard(
      id: "random-search-sparse", module: "Compression",
      title: "Random Search as a Baseline for Sparse Neural Network Architecture Search",
      paper: Paper("Farahani", 2024, arXiv: "2403.08265"),
      summary:
        "Searches sub-networks of a wide perceptron by their loss before training, and trains the best one beside "
        + "random ones in exactly the same way: what a search for sparse networks finds must beat this. Reports the "
        + "difference with its interval and whether both are equivalent.",
      inputs: [features, labels],
      parameters: [sparsity, budget, hidden, parents, others, epochs, margin, climb],
      outputs: [masksOutput, lossesOutput],
      example: "apus run random-search-sparse features=x.npy labels=y.npy --sparsity 0.9",
      claim:
        "On 4,000 digits, the best of 200 sub-networks by initial loss starts two deviations below the mean and ends, once "
        + "trained, where random ones do.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    var data = try LabelledData<Float>(
      fromFeatures: request.array(features, as: Float.self), labels: request.integers(labels))
    data = data.with(features: data.features.reshaped([data.count, -1]))
    let parts = try data.split(test: 0.2, seed: request.seed)
    guard parts.test.count > 0 else {
      throw InvalidArgument("features", found: "\(data.count) examples", wanted: "enough to hold out one in five")
    }
    let scale = Standardization(fittedTo: parts.train.features)
    let experiment = SubnetworkExperiment(
      train: parts.train.with(features: scale(parts.train.features)),
      test: parts.test.with(features: scale(parts.test.features)), hidden: request[hidden], epochs: request[epochs],
      budget: request[budget], strategy: request[climb] ? .hillClimbing : .random)
    let result = try experiment.compare(
      sparsity: request[sparsity], parents: request[parents], randomCandidates: request[others],
      margin: request[margin], seed: request.seed, progress: request.progress)
    let report = result.report
    let first = result.searches[0]
    var table = Table("Accuracy on held-out examples", columns: ["parent", "searched", "random, mean", "best loss"])
    for (i, search) in result.searches.enumerated() {
      table.add([
        i + 1, result.searched[i].accuracy, result.searched[i].accuracy - report.differences[i], search.bestValue,
      ])
    }
    var notes = [
      report.equivalence.isEquivalent()
        ? "Searched and random sub-networks are equivalent within \(request[margin])."
        : "Equivalence within \(request[margin]) is not shown by \(request[parents]) parents."
    ]
    if first.discarded > 0 { notes.append("\(first.discarded) candidates had no finite loss and were discarded.") }
    return RunOutcome(
      summary: [
        Fact(
          "Weight sparsity",
          first.best.weightSparsity(
            inputs: parts.train.features.columns, outputs: data.classes)),
        Fact("Mean difference", report.meanDifference),
        Fact("Interval", [report.interval.lowerBound, report.interval.upperBound]),
        Fact("Percentile among random", report.percentile), Fact("Equivalent", report.equivalence.isEquivalent()),
        Fact("Correlation of initial loss and accuracy", report.correlationWithStart),
      ],
      tables: [table],
      plots: [Plot("Best loss so far", x: "candidate", y: "initial loss", [Series("", first.history, .steps)])],
      notes: notes,
      outputs: first.best.layers.enumerated().map { OutputArray("nodes.\($0)", Tensor<Int>($1)) }
        + [OutputArray(lossesOutput, Tensor(first.values))])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try RandomSearchSparseClaim(settings: settings).evidence()
  }
}
