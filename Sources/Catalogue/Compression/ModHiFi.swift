import CatalogueCore
import Compression
import Convolutions
import Networks
import Tensors

extension SelectionRule: ParameterChoice {}
extension ModHiFiUnlearner.Score: ParameterChoice {}

/// `modhifi`: a layer's weight and its inputs in; the components that matter, or a layer that forgot a class, out.
struct ModHiFi: CataloguedMethod {
  private let weight = MethodInput(
    tensors: "weight", "The weight of one dense layer [outputs, inputs] or convolution [outputs, channels, h, w].")
  private let inputs = MethodInput(
    tensors: "inputs", "What the layer is given: [examples, ..., inputs] or [examples, channels, height, width].")
  private let forget = MethodInput(
    tensors: "forget", "Inputs of examples of a class to forget; 'inputs' are then those to retain.", isRequired: false)
  private let remove = MethodParameter(
    "remove", "The share of components to remove; when forgetting, the largest share.", default: 0.5,
    in: .atLeast(0, below: 1))
  private let level = MethodParameter(
    "level", "Keep as few components as explain 1 - level of the output, instead of a share.",
    default: Double?.none, in: .atLeast(0, below: 1))
  private let rule = MethodParameter("rule", "How components are chosen.", default: SelectionRule.greedy)
  private let width = MethodParameter(
    "width", "Neighbouring inputs that make up a component: the width of a head, or of a flattened channel.",
    default: 1,
    in: .atLeast(1))
  private let stride = MethodParameter("stride", "Stride of a convolution.", default: 1, in: .atLeast(1))
  private let padding = MethodParameter("padding", "Padding of a convolution.", default: 0, in: .atLeast(0))
  private let label = MethodParameter("class", "The class to forget, a row of the weight.", default: 0, in: .atLeast(0))
  private let score = MethodParameter(
    "score", "How components are compared on both sets when forgetting.", default: ModHiFiUnlearner.Score.contribution)

  var card: MethodCard {
    MethodCard(
      id: "modhifi", module: "Compression",
      title: "ModHiFi: Identifying High Fidelity predictive components for Model Modification",
      paper: Paper("Kashyap et al.", 2025, venue: "NeurIPS 2025", arXiv: "2511.19566"),
      summary: "Which neurons, channels or heads explain a layer's output, from inputs alone: no labels, no gradients. "
        + "Those are kept, each with its best scale, or, of a classifier's head, those that only one class needs are "
        + "removed so that it is forgotten. The second moments of the inputs are all that is needed, in one pass. As a "
        + "library for whole perceptrons, convolutional networks and decoders, with a bound on the output's error.",
      inputs: [weight, inputs, forget],
      parameters: [remove, level, rule, width, stride, padding, label, score],
      outputs: [
        MethodOutput("kept", "Components that stay, increasing.", shape: "[k]"),
        MethodOutput("scales", "What each contribution is multiplied with.", shape: "[k]"),
        MethodOutput("fidelities", "How much each component explains by itself.", shape: "[components]"),
        MethodOutput("weight", "The weight scaled, with zeros for what goes.", shape: "that of the weight"),
      ],
      example: "apus run modhifi weight=w.npy inputs=x.npy --remove 0.5 --rule greedy -o kept.npz",
      claim: "A small convolutional network on MNIST loses at most 0.02 of its accuracy when half of its channels are "
        + "removed by greedy fidelity with scales, scales improve every selector, and removing head inputs makes it forget "
        + "a class while the others stay.")
  }

  /// The only array of an input.
  private func single(_ request: RunRequest, _ input: MethodInput) throws -> Tensor<Float> {
    let collection = request.tensors(input)
    guard collection.count == 1, let entry = collection.entries.first else {
      throw InvalidArgument(input.name, found: "\(collection.count) arrays", wanted: "one")
    }
    return try collection.tensor(entry, as: Float.self)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let (w, x) = (try single(request, weight), try single(request, inputs))
    guard w.rank == 2 || w.rank == 4 else {
      throw InvalidArgument(
        "weight", found: "shape \(w.shape)", wanted: "a dense layer's or a two-dimensional convolution's")
    }
    if request.isGiven(forget) { return try unlearn(w, retain: x, request) }
    var moments: InputMoments<Float>
    if w.rank == 4 {
      moments = try InputMoments(
        convolutionOf: w.shape, ConvolutionOptions(stride: request[stride], padding: request[padding]))
    } else {
      guard w.columns % request[width] == 0 else {
        throw InvalidArgument("--width", found: "\(request[width])", wanted: "a divisor of \(w.columns) inputs")
      }
      moments = InputMoments(components: w.columns / request[width], width: request[width])
    }
    try moments.add(x)
    let gram = try ComponentGram(weight: w, moments: moments)
    let count = max(1, gram.count - Int((request[remove] * Double(gram.count)).rounded()))
    let size = request[level].map { SelectionSize.level($0) } ?? .count(count)
    let selection = try selectComponents(gram, size, rule: request[rule])
    let run = greedyFidelities(gram)
    var factors = [Float](repeating: 0, count: gram.count)
    for (component, scale) in zip(selection.kept, selection.scales) { factors[component] = Float(scale) }
    let scaled = w.reshaped([w.shape[0], gram.count, -1]) * Tensor(factors).expanded(axis: 1)
    return RunOutcome(
      summary: [
        Fact("Components", gram.count), Fact("Kept", selection.kept.count), Fact("Fidelity", selection.fidelity),
        Fact("Relative error of the output", (1 - selection.fidelity).squareRoot()),
        Fact("Least scale", selection.scales.min()), Fact("Greatest scale", selection.scales.max()),
      ],
      plots: [
        Plot(
          "Fidelity of the best components", x: "components kept", y: "fidelity",
          [Series("greedy", run.fidelities, first: 0, .line)])
      ],
      outputs: [
        OutputArray("kept", Tensor(selection.kept)), OutputArray("scales", Tensor(selection.scales)),
        OutputArray("fidelities", Tensor(gram.singletonFidelities)), OutputArray("weight", scaled.reshaped(w.shape)),
      ])
  }

  private func unlearn(_ w: Tensor<Float>, retain: Tensor<Float>, _ request: RunRequest) throws -> RunOutcome {
    guard w.rank == 2 else { throw InvalidArgument("weight", found: "shape \(w.shape)", wanted: "a classifier's head") }
    let unlearner = ModHiFiUnlearner(score: request[score], mostRemoved: request[remove])
    let result = try unlearner.unlearn(
      request[label], from: Linear(weight: w), forget: single(request, forget), retain: retain)
    let gone = Set(result.removed)
    let kept = (0..<w.columns).filter { !gone.contains($0) }
    var table = Table("Forgetting", columns: ["removed", "given the class", "margin"])
    for step in result.history { table.add([step.removedShare, step.forgetRate, step.forgetMargin]) }
    return RunOutcome(
      summary: [
        Fact("Inputs removed", result.removed.count), Fact("Forgotten", result.reachedTarget),
        Fact("Still given the class", result.history.last?.forgetRate),
      ],
      tables: [table],
      notes: result.reachedTarget
        ? [] : ["The class is still recognised at the largest share; allow a larger --remove."],
      outputs: [
        OutputArray("kept", Tensor(kept)), OutputArray("scales", Tensor<Double>.ones([kept.count])),
        OutputArray("fidelities", Tensor(result.scores)), OutputArray("weight", result.head.weight),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try ModHiFiClaim(settings: settings).evidence() }
}
