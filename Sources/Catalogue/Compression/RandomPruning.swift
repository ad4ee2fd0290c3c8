import CatalogueCore
import Compression
import Networks
import Tensors

/// `random-pruning`: a checkpoint in, the same with random zeros out.
struct RandomPruningMethod: CataloguedMethod {
  enum Rule: String, ParameterChoice {
    case uniform
    case uniformPlus = "uniform-plus"
    case er, erk
  }

  private let weights = MethodInput(
    tensors: "weights", "Weights of a network; arrays with fewer than two axes stay whole.")
  private let density = MethodParameter(
    "density", "Fraction of the weights to keep.", default: 0.1, in: .above(0, atMost: 1))
  private let rule = MethodParameter("rule", "How the density is spread over the layers.", default: Rule.erk)
  private let power = MethodParameter("power", "Power of the scores of rule erk.", default: 1.0, in: .above(0))
  private let bernoulli = MethodParameter(
    "bernoulli", "Draw each position by itself, instead of an exact number a layer.", default: false)
  private let rescale = MethodParameter(
    "rescale", "Multiply what stays by 1 / sqrt(density of its layer), for weights that are not trained yet.",
    default: false)
  private let skip = MethodParameter(
    "skip", "Words; arrays with one of them in their name stay whole, such as embed,norm.", default: [String]())

  var card: MethodCard {
    MethodCard(
      id: "random-pruning", module: "Compression",
      title: "The Unreasonable Effectiveness of Random Pruning: Return of the Most Naive Baseline for Sparse Training",
      paper: Paper("Liu et al.", 2022, venue: "ICLR 2022", arXiv: "2202.02643"),
      summary:
        "Makes a network sparse at random before it is trained: no scores, no data. All that is chosen is how dense "
        + "each layer is; narrow layers stay denser (ERK) and wide ones thinner. The baseline that every pruning method "
        + "has to beat. Costs a few nanoseconds a weight.",
      inputs: [weights], parameters: [density, rule, power, bernoulli, rescale, skip],
      outputs: [MethodOutput("NAME", "Every array of the input, with its zeros.", shape: "as it was")],
      example: "apus run random-pruning weights=model.safetensors --density 0.1 -o sparse.safetensors",
      claim:
        "On 4,000 digits, the gap between dense and randomly sparse perceptrons falls threefold from width 16 to 128, and "
        + "layer-wise densities matter where layers are narrow.",
      pending: ["Wide residual networks on CIFAR-10 (the large form of the claim) need data that is not bundled."])
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(weights)
    var tensors: [(name: String, tensor: Tensor<Float>)] = []
    for entry in collection.entries { tensors.append((entry.name, try collection.tensor(entry, as: Float.self))) }
    for (name, tensor) in tensors { try tensor.requireFinite(name) }
    let words = request[skip]
    let masked = tensors.filter { entry in
      entry.tensor.rank >= 2 && !entry.tensor.isEmpty && !words.contains { entry.name.contains($0) }
    }
    guard !masked.isEmpty else {
      throw InvalidArgument(
        "weights", found: "no array with two axes or more among \(tensors.count)", wanted: "at least one to prune")
    }
    let chosen: LayerDensityRule =
      switch request[rule] {
      case .uniform: .uniform
      case .uniformPlus: .uniformPlus
      case .er: .er
      case .erk: .erk(power: request[power])
      }
    let shapes = masked.map { (name: $0.name, shape: $0.tensor.shape) }
    let densities = try layerDensities(shapes: shapes.map(\.shape), density: request[density], rule: chosen)
    let mask = try SparseMask(
      shapes: shapes, densities: densities, seed: request.seed, isExact: !request[bernoulli])
    var model = NamedTensors(names: tensors.map(\.name), tensors: tensors.map(\.tensor))
    mask.apply(to: &model)
    var table = Table("Layers", columns: ["array", "weights", "kept", "density"])
    for part in mask.parts { table.add([part.name, part.isKept.count, part.keptCount, part.density]) }
    if request[rescale] {
      for (i, name) in model.names.enumerated() {
        guard let part = mask.parts.first(where: { $0.name == name }), part.keptCount > 0 else { continue }
        model.tensors[i] = model.tensors[i] / Float(part.density.squareRoot())
      }
    }
    let whole = tensors.count - mask.parts.count
    return RunOutcome(
      summary: [
        Fact("Arrays masked", mask.parts.count), Fact("Weights kept", mask.keptCount), Fact("Density", mask.density),
        Fact("Arrays left whole", whole),
      ],
      tables: [table],
      plots: [Plot("Density of each layer", x: "layer", y: "density", [Series("", mask.parts.map(\.density), .bars)])],
      outputs: zip(model.names, model.tensors).map { OutputArray($0, $1) })
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try RandomPruningClaim(settings: settings).evidence()
  }
}
