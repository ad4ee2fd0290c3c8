import CatalogueCore
import Datasets
import Diagnostics
import Tensors

/// `intrinsic-dimension`: labelled examples in, the least dimension in which a perceptron learns them out.
struct IntrinsicDimensionMethod: CataloguedMethod {
  enum Kind: String, ParameterChoice { case dense, sparse, fastfood, orthonormal }

  private let features = MethodInput("features", "Examples, one a row.", shape: "[n, ...]")
  private let labels = MethodInput("labels", "Class of each example, numbered from 0.", shape: "[n]")
  private let hidden = MethodParameter(
    "hidden", "Widths of the hidden layers.", default: [32], in: .atLeast(1))
  private let kind = MethodParameter("kind", "Kind of the random map.", default: Kind.fastfood)
  private let fraction = MethodParameter(
    "fraction", "Of the accuracy of direct training, to be reached.", default: 0.9, in: .above(0, atMost: 1))
  private let threshold = MethodParameter(
    "threshold", "Accuracy to be reached instead, the same for several models.", default: Double?.none, in: .above(0))
  private let grid = MethodParameter(
    "grid", "Dimensions tried first; ten to all parameters, doubled each time, if left out.", default: [Int](),
    in: .atLeast(1))
  private let seeds = MethodParameter("seeds", "Trainings of each dimension.", default: 3, in: .atLeast(1))
  private let epochs = MethodParameter("epochs", "Epochs of each training.", default: 60, in: .atLeast(1))
  private let rate = MethodParameter("rate", "Learning rate of Adam on coordinates.", default: 1e-2, in: .above(0))
  private let batchSize = MethodParameter("batch-size", "Examples in a step.", default: 128, in: .atLeast(1))

  private let dimensions = MethodOutput("dimensions", "Dimensions tried.", shape: "[k]")
  private let accuracies = MethodOutput("accuracies", "Best held-out accuracies.", shape: "[k, seeds]")

  var card: MethodCard {
    MethodCard(
      id: "intrinsic-dimension", module: "Diagnostics",
      title: "Measuring the Intrinsic Dimension of Objective Landscapes",
      paper: Paper("Li et al.", 2018, venue: "ICLR 2018", arXiv: "1804.08838"),
      summary:
        "Trains a network in random subspaces of its parameters and finds the least dimension in which it reaches "
        + "nine tenths of what it reaches in all of them: a measure of how hard a problem is that hardly depends on the "
        + "size of the network, and a compressor, for a seed and that many numbers describe it. Costs a few dozen "
        + "trainings.",
      inputs: [features, labels],
      parameters: [hidden, kind, fraction, threshold, grid, seeds, epochs, rate, batchSize],
      outputs: [dimensions, accuracies],
      example: "apus run intrinsic-dimension features=x.npy labels=y.npy --hidden 32",
      claim:
        "A problem of exactly ten dimensions is solved from ten on; on handwritten digits two perceptrons, one 3.7 times "
        + "larger, have dimensions within a factor of two.",
      pending: ["The paper's reinforcement-learning, CIFAR-10 and ImageNet figures are cited, not repeated."])
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
    var experiment = SubspaceExperiment(
      train: parts.train.with(features: scale(parts.train.features)),
      test: parts.test.with(features: scale(parts.test.features)),
      widths: [data.features.columns] + request[hidden] + [data.classes])
    experiment.kind = SubspaceProjection(rawValue: request[kind].rawValue) ?? .fastfood
    experiment.epochs = request[epochs]
    experiment.subspaceRate = request[rate]
    experiment.batchSize = request[batchSize]
    let count = experiment.parameterCount
    var grid = request[grid]
    if grid.isEmpty {
      var dimension = min(10, count)
      while dimension <= min(count, 10_240) {
        grid.append(dimension)
        dimension *= 2
      }
    }
    if let large = grid.first(where: { $0 > count }) {
      throw InvalidArgument("--grid", found: "\(large)", wanted: "at most \(count), the number of parameters")
    }
    let seeds = request[seeds]
    let direct = try parallelMap(seeds) { try experiment.direct(seed: request.seed + UInt64($0)) }
    let baseline = direct.reduce(0, +) / Double(seeds)
    let search = IntrinsicDimensionSearch(
      fraction: request[fraction], grid: grid, seeds: seeds, seed: request.seed)
    let curve = try search.run(
      baseline: baseline, threshold: request[threshold], progress: request.progress,
      train: { try experiment.inSubspace($0, seed: $1) })

    var table = Table("Accuracy in subspaces", columns: ["dimension", "held-out accuracy", "smoothed"])
    for (point, smoothed) in zip(curve.points, curve.smoothed) { table.add([point.dimension, point.mean, smoothed]) }
    var summary = [
      Fact("Parameters", count), Fact("Accuracy in all parameters", baseline), Fact("Threshold", curve.threshold),
    ]
    var notes: [String] = []
    switch curve.intrinsicDimension {
    case .reached(let dimension, let above):
      summary += [
        Fact("Intrinsic dimension", dimension), Fact("Interpolated", curve.interpolatedDimension),
        Fact("Parameters per coordinate", Double(count) / Double(dimension)),
        Fact("Bits of a description", 32 * dimension + 128),
      ]
      if let interval = curve.interval {
        summary.append(Fact("Interval", [interval.lowerBound, interval.upperBound]))
      }
      if above == nil { notes.append("The smallest dimension tried suffices: the true one is no larger.") }
    case .notReached(let best):
      summary.append(Fact("Intrinsic dimension", Datum.missing))
      notes.append(
        "No dimension reached the threshold; the best accuracy was \(best). Try larger dimensions, more epochs or another rate."
      )
    }
    return RunOutcome(
      summary: summary, tables: [table], plots: [IntrinsicDimensionClaim.plot([("", curve)])], notes: notes,
      outputs: [
        OutputArray(dimensions, Tensor<Int>(curve.points.map(\.dimension))),
        OutputArray(accuracies, Tensor(curve.points.map(\.results))),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try IntrinsicDimensionClaim(settings: settings).evidence()
  }
}
