import CatalogueCore
import DataSelection
import Datasets
import Networks
import Tensors

/// `dataset-distillation`: labelled examples in, a few synthetic ones of each class out.
struct DatasetDistillation: CataloguedMethod {
  private let features = MethodInput("features", "Examples, one a row.", shape: "[n, d]")
  private let labels = MethodInput("labels", "The class of each example, counted from zero.", shape: "[n]")
  private let perClass = MethodParameter(
    "images-per-class", "Synthetic examples of each class.", default: 1, in: .atLeast(1))
  private let hidden = MethodParameter(
    "hidden", "Widths of the hidden layers of the network.", default: [32])
  private let innerSteps = MethodParameter("inner-steps", "Steps of a student.", default: 20, in: .atLeast(1))
  private let expertEpochs = MethodParameter(
    "expert-epochs", "Epochs of an expert that they stand for.", default: 3, in: .atLeast(1))
  private let experts = MethodParameter(
    "experts", "Networks trained on the real examples.", default: 4, in: .atLeast(1))
  private let iterations = MethodParameter("iterations", "Updates of the examples.", default: 250, in: .atLeast(1))
  private let penalty = MethodParameter(
    "gradient-penalty", "How smooth experts are kept.", default: 0.1, in: .atLeast(0))

  var card: MethodCard {
    MethodCard(
      id: "dataset-distillation", module: "DataSelection",
      title: "Efficient Dataset Distillation through Alignment with Smooth and High-Quality Expert Trajectories",
      paper: Paper("Shen, Yang and Lam", 2023, arXiv: "2310.10541"),
      summary:
        "Makes a handful of synthetic examples of each class, and a step size, such that a network trained on them "
        + "alone comes near to one trained on everything. Examples are changed until training on them moves weights as "
        + "real training did: the derivative goes through all steps of a student. For small networks and images: each "
        + "iteration costs about eighty gradients.",
      inputs: [features, labels],
      parameters: [perClass, hidden, innerSteps, expertEpochs, experts, iterations, penalty],
      outputs: [
        MethodOutput("features", "The synthetic examples, class by class.", shape: "[classes * images-per-class, d]"),
        MethodOutput("labels", "Their classes.", shape: "[classes * images-per-class]"),
        MethodOutput("step-size", "The step size of gradient descent that belongs to them.", shape: "[1]"),
      ],
      example: "apus run dataset-distillation features=x.npy labels=y.npy --images-per-class 5 -o small.npz",
      claim:
        "On digits, networks trained on one or five synthetic examples a class beat those trained on as many random "
        + "real ones by 0.12 and 0.04, and experts with a penalty on their input slopes take shorter steps.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let x = try request.array(features, as: Float.self)
    let y = try request.integers(labels)
    guard let least = y.scalars.min(), least >= 0, let most = y.scalars.max(), most < 10_000 else {
      throw InvalidArgument("labels", found: "labels out of range or none", wanted: "classes counted from zero")
    }
    let classes = most + 1
    let data = LabelledData<Float>(features: x, labels: y, classNames: (0..<classes).map { "\($0)" })
    let widths = [x.columns] + request[hidden] + [classes]
    guard widths.allSatisfy({ $0 >= 1 }) else {
      throw InvalidArgument("--hidden", found: "\(request[hidden])", wanted: "widths of at least 1")
    }
    let makeModel: (inout RandomStream) -> MLP<Float> = { MLP(widths, random: &$0) }
    var method = TrajectoryMatching(imagesPerClass: request[perClass])
    (method.innerSteps, method.expertEpochs, method.iterations) = (
      request[innerSteps], request[expertEpochs], request[iterations]
    )
    let buffer = try ExpertBuffer.train(
      makeModel, on: data, epochs: method.lastStart + method.expertEpochs, count: request[experts],
      smoothness: ExpertSmoothness(gradientPenalty: request[penalty]), seed: request.seed,
      progress: request.progress.part(0, of: 4))
    let result = try method.distill(
      data, from: buffer, makeModel, seed: request.seed, progress: request.progress.part(1, of: 2))
    let accuracies = try evaluateDistilled(result.data, stepSize: result.stepSize, makeModel, on: data, runs: 3)
    return RunOutcome(
      summary: [
        Fact("Synthetic examples", result.data.count), Fact("Real examples", data.count),
        Fact("Step size", result.stepSize), Fact("Matching loss at the end", result.history.last),
        Fact("Accuracy on the real examples, mean of 3 networks", accuracies.reduce(0, +) / 3),
      ],
      plots: [
        Plot("Matching loss", x: "iteration", y: "loss", [Series("", result.history, .line)]),
        Plot(
          "Steps of the experts", x: "epoch", y: "length of the change", [Series("", buffer.stepNorms, .lineAndPoints)]),
      ],
      notes: result.divergences > 0
        ? ["The step size was halved \(result.divergences) times where training diverged."] : [],
      outputs: [
        OutputArray("features", result.data.features), OutputArray("labels", result.data.labels),
        OutputArray("step-size", Tensor([result.stepSize])),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try DatasetDistillationClaim(settings: settings).evidence()
  }
}
