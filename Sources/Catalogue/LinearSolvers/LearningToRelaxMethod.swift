import CatalogueCore
import LinearAlgebra
import LinearSolvers
import Tensors

/// `learning-to-relax`: a matrix, shifts of its diagonal and right sides in; the solutions, and what learning saved, out.
struct LearningToRelaxMethod: CataloguedMethod {
  enum Learner: String, ParameterChoice {
    case chebyshev, tsallis, binned, greedy, thompson
  }
  enum Solver: String, ParameterChoice {
    case sor, cg
  }
  enum Ordering: String, ParameterChoice {
    case natural, colored
  }

  private let matrix = MethodInput(sparse: "matrix", "Symmetric positive definite matrix A.", shape: "[n, n]")
  private let loads = MethodInput("loads", "Right sides, one a row.", shape: "[t, n]")
  private let shifts = MethodInput(
    "shifts", "Numbers c: row t is solved with A + c[t] I, and c[t] is its context.", shape: "[t]", isRequired: false)
  private let learner = MethodParameter(
    "learner",
    "Chebyshev regression on the shifts, one bandit, or one for each bin of the shifts; greedy and thompson are "
      + "baselines.",
    default: Learner.chebyshev)
  private let solver = MethodParameter(
    "solver", "Over-relaxation, or conjugate gradients with it.", default: Solver.sor)
  private let ordering = MethodParameter(
    "ordering", "Of the unknowns in a sweep of sor: colored (red and black on grids) uses several threads.",
    default: Ordering.natural)
  private let actions = MethodParameter("actions", "Factors between 1 and 1.95.", default: 20, in: .atLeast(1))
  private let terms = MethodParameter(
    "terms", "Coefficients of each Chebyshev polynomial.", default: 6, in: .atLeast(1, atMost: 64))
  private let bins = MethodParameter("bins", "Bins of the shifts.", default: 5, in: .atLeast(1))
  private let tolerance = MethodParameter("tolerance", "Relative residual.", default: 1e-8, in: .above(0))

  var card: MethodCard {
    MethodCard(
      id: "learning-to-relax", module: "LinearSolvers",
      title: "Learning to Relax: Setting Solver Parameters Across a Sequence of Linear System Instances",
      paper: Paper("Khodak et al.", 2024, venue: "ICLR 2024", arXiv: "2310.02246"),
      summary:
        "Solves a sequence of systems by over-relaxation, or by conjugate gradients with a symmetric sweep of it, "
        + "and learns the relaxation factor from the iterations of the systems before. A bandit comes close to the best "
        + "fixed factor; one that sees a context, such as a shift of the diagonal, to the best factor of each system. "
        + "A choice costs microseconds.",
      inputs: [matrix, loads, shifts],
      parameters: [learner, solver, ordering, actions, terms, bins, tolerance],
      outputs: [
        MethodOutput("solutions", "The solutions, one a row.", shape: "[t, n]"),
        MethodOutput("iterations", "The iterations of each system.", shape: "[t]"),
        MethodOutput("relaxation", "The factor of each system.", shape: "[t]"),
        MethodOutput("probability", "With what probability it was chosen.", shape: "[t]"),
      ],
      example: "apus run learning-to-relax matrix=laplacian.mtx loads=b.npy shifts=c.npy -o out.npz",
      claim:
        "On Laplacians with random shifts, learning beats the best fixed factor when it sees the shift, and nears it "
        + "when it does not.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let loads = try request.matrix(loads)
    let base = request.sparse(matrix)
    let shifts = request.isGiven(shifts) ? try request.vector(shifts).scalars : nil
    let grid = relaxationGrid(request[actions])
    let low = shifts?.min() ?? 0
    let high = shifts?.max() ?? 0
    let range = low < high ? low...high : low...(low + 1)
    if [.chebyshev, .binned].contains(request[learner]) && shifts == nil {
      throw InvalidArgument(
        "shifts", found: "none", wanted: "shifts=file for this learner, or --learner tsallis without them")
    }
    switch request[learner] {
    case .greedy: return try run(request, base, loads, shifts, try EpsilonGreedy(actions: grid, seed: request.seed))
    case .thompson:
      return try run(request, base, loads, shifts, try ThompsonSampling(actions: grid, seed: request.seed))
    case .tsallis: return try run(request, base, loads, shifts, try TsallisINF(actions: grid, seed: request.seed))
    case .binned:
      let learner = try TsallisINFContextual(actions: grid, context: range, bins: request[bins], seed: request.seed)
      return try run(request, base, loads, shifts, learner)
    case .chebyshev:
      let learner = try ChebCB(actions: grid, terms: request[terms], context: range, seed: request.seed)
      return try run(request, base, loads, shifts, learner)
    }
  }

  private func run(
    _ request: RunRequest, _ base: SparseMatrix<Double>, _ loads: Tensor<Double>, _ shifts: [Double]?,
    _ learner: some RelaxationLearner
  ) throws -> RunOutcome {
    var tuner = RelaxationTuner(
      solver: request[solver] == .sor ? .overRelaxation : .conjugateGradients, learner: learner,
      tolerance: request[tolerance], ordering: request[ordering] == .natural ? .natural : .colored)
    var (solutions, worst): ([Tensor<Double>], Double) = ([], 0)
    for t in 0..<loads.rows {
      try request.progress.report(t, of: loads.rows, "systems")
      let shift = shifts?[t]
      let system = shift.map { base + SparseMatrix.identity(base.rows) * $0 } ?? base
      let found = try tuner.solve(system, loads[t].copied(), context: shift)
      solutions.append(found.solution)
      worst = max(worst, found.residual)
    }
    let costs = tuner.costs
    let half = costs.count / 2
    func mean(_ values: ArraySlice<Int>) -> Double { Double(values.reduce(0, +)) / Double(max(values.count, 1)) }
    return RunOutcome(
      summary: [
        Fact("Systems", costs.count), Fact("Iterations", tuner.totalCost),
        Fact("Mean iterations of the first half", mean(costs[..<half])),
        Fact("Mean iterations of the second half", mean(costs[half...])), Fact("Largest residual", worst),
        Fact("Not converged", tuner.failures), Fact("Estimated regret", tuner.log.estimatedRegret),
      ],
      plots: [
        Plot("Iterations", x: "system", y: "iterations", [Series("", costs.map(Double.init), .points)]),
        Plot("Relaxation factors", x: "system", y: "factor", [Series("", tuner.choices, .points)]),
      ],
      notes: tuner.failures == 0 ? [] : ["\(tuner.failures) systems did not reach the tolerance."],
      outputs: [
        OutputArray("solutions", Tensor.stacked(solutions)), OutputArray("iterations", Tensor(costs)),
        OutputArray("relaxation", Tensor(tuner.choices)),
        OutputArray("probability", Tensor(tuner.log.rounds.map(\.probability))),
      ])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try LearningToRelaxClaim(settings: settings).evidence()
  }
}
