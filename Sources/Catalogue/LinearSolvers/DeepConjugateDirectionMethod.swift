import CatalogueCore
import Datasets
import FileFormats
import LinearAlgebra
import LinearSolvers
import Tensors

/// `deep-conjugate-direction`: a right side on a grid in; the solution of Poisson's equation out.
struct DeepConjugateDirectionMethod: CataloguedMethod {
  private let load = MethodInput("load", "Right side on a grid.", shape: "[h, w] or [d, h, w]")
  private let mask = MethodInput(
    "mask", "Cells of the domain, not zero inside.", shape: "[h, w] or [d, h, w]", isRequired: false)
  private let weights = MethodInput(
    tensors: "weights", "A trained network; the one in the program, for the plane, if left out.", isRequired: false)
  private let tolerance = MethodParameter("tolerance", "Relative residual.", default: 1e-6, in: .above(0))
  private let memory = MethodParameter(
    "memory", "Directions to which a new one is made conjugate.", default: 2, in: .atLeast(0))
  private let limit = MethodParameter("iterations", "Most iterations.", default: 1_000, in: .atLeast(1))
  private let training = MethodParameter(
    "train", "Train the network on this grid first, by so many steps.", default: 0, in: .atLeast(0))

  var card: MethodCard {
    MethodCard(
      id: "deep-conjugate-direction", module: "LinearSolvers",
      title: "A Deep Conjugate Direction Method for Iteratively Solving Linear Systems",
      paper: Paper("Kaneda et al.", 2023, venue: "ICML 2023", arXiv: "2205.10763"),
      summary:
        "Solves Poisson's equation on a masked grid along directions that a convolutional network proposes, made "
        + "conjugate to those before and searched exactly: the error falls with every step, whatever the network says, "
        + "to any tolerance. Several times fewer iterations than conjugate gradients; each costs a pass of the network.",
      inputs: [load, mask, weights],
      parameters: [tolerance, memory, limit, training],
      outputs: [
        MethodOutput("solution", "The solution on the grid.", shape: "[h, w]"),
        MethodOutput("weights.NAME", "The network, if it was trained.", shape: "[...]"),
      ],
      example: "apus run deep-conjugate-direction load=b.npy mask=domain.npy -o solution.npz",
      claim: "A network trained on one square needs several times fewer iterations than conjugate gradients there, and "
        + "keeps an advantage on larger grids and other domains.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let field = try request.array(load)
    let domain = request.isGiven(mask) ? try request.array(mask) : nil
    let inside = domain.map { Tensor(shape: $0.shape, scalars: $0.scalars.map { $0 != 0 }) }
    let grid = try GridPoisson<Double>(field.shape, mask: inside)
    var network = try startingNetwork(request, dimensions: field.rank)
    var facts: [Fact] = []
    var outputs: [OutputArray] = []
    var plots: [Plot] = []
    if request[training] > 0 {
      let single = try GridPoisson<Float>(field.shape, mask: inside)
      let found = try DirectionTraining(steps: request[training], seed: request.seed)
        .train(network, on: single, progress: request.progress.part(0, of: 2))
      network = found.network
      facts.append(Fact("Last training loss", found.losses.last))
      plots.append(
        Plot("Training", x: "step", y: .logarithmic("loss"), [Series("", found.losses)]))
      for (name, tensor) in network.stateDictionary.sorted(by: { $0.key < $1.key }) {
        outputs.append(OutputArray("weights.\(name)", tensor))
      }
    }
    let method = DeepConjugateDirections(
      memory: request[memory], tolerance: request[tolerance], iterationLimit: request[limit])
    let right = (grid.mask.map { field.flattened * $0 } ?? field.flattened)
    let found = try method.solve(
      grid, right, model: try NetworkDirection(network, on: grid), progress: request.progress.part(1, of: 2))
    let solution = found.solution
    plots.append(
      Plot(
        "Residual", x: "iteration", y: .logarithmic("relative residual"), [Series("", solution.convergence.history)]))
    if field.rank == 2 {
      plots.append(
        Plot("Solution", x: "column", y: "row", heatMap: solution.solution.reshaped(field.shape)))
    }
    return RunOutcome(
      summary: facts + [
        Fact("Cells", grid.count), Fact("Iterations", solution.iterations),
        Fact("Relative residual", solution.residual), Fact("Converged", solution.isConverged),
        Fact("Residual taken for a direction", found.fallbacks),
      ],
      plots: plots,
      notes: solution.isConverged ? [] : ["The residual did not reach the tolerance: \(solution.stop)."],
      outputs: [OutputArray("solution", solution.solution.reshaped(field.shape))] + outputs)
  }

  private func startingNetwork(_ request: RunRequest, dimensions: Int) throws -> DirectionNetwork<Float> {
    if request.isGiven(weights) {
      let named = try request.tensors(weights).all(as: Float.self)
      return try DirectionNetwork(weights: Dictionary(named) { $1 })
    }
    var random = request.random
    var network = DirectionNetwork<Float>(dimensions: dimensions, random: &random)
    if dimensions == 2 {
      try network.load(from: Datasets.conjugateDirectionModel())
    } else if request[training] == 0 {
      throw InvalidArgument(
        "weights", found: "none", wanted: "weights=file for a grid of \(dimensions) axes, or --train steps")
    }
    return network
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try DeepConjugateDirectionClaim(settings: settings).evidence()
  }
}
