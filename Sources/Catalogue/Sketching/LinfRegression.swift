import CatalogueCore
import LinearAlgebra
import Sketching
import Tensors

/// `linf-regression`: a tall least-squares problem in, coefficients with a bound for each out.
struct LinfRegression: CataloguedMethod {
  enum Kind: String, ParameterChoice {
    case hadamard, gaussian, cosine
    case countSketch = "count-sketch"
    case blockSigns = "block-signs"
  }

  private let matrix = MethodInput("matrix", "A, with more rows than columns.", shape: "[n, d]")
  private let rightSide = MethodInput("right-side", "b; several right sides as columns.", shape: "[n] or [n, r]")
  private let sketch = MethodParameter("sketch", "How rows are mixed.", default: Kind.hadamard)
  private let rows = MethodParameter(
    "rows", "Rows of the sketch; by default what the accuracy asks for.", default: Int?.none, in: .atLeast(1))
  private let accuracy = MethodParameter(
    "accuracy", "Accuracy asked for: 4 d / accuracy² rows.", default: 0.5, in: .above(0))
  private let failure = MethodParameter(
    "failure-probability", "That any coefficient is farther off than its bound.", default: 0.01,
    in: .above(0, below: 1))
  private let refine = MethodParameter(
    "refine", "Most iterations of LSQR afterwards, to full accuracy.", default: 0, in: .atLeast(0))
  private let shortest = MethodParameter(
    "shortest", "Take the shortest solution where the sketch loses rank.", default: false)
  private let solution = MethodOutput("solution", "The coefficients.", shape: "[d] or [d, r]")
  private let standardErrors = MethodOutput(
    "standard-errors", "Of each coefficient against the exact solution; dense sketches only.", shape: "as the solution")
  private let bound = MethodOutput(
    "bound", "That no coefficient's error exceeds, up to the failure probability.", shape: "as the solution")

  var card: MethodCard {
    MethodCard(
      id: "linf-regression", module: "Sketching",
      title: "A Nearly-Optimal Bound for Fast Regression with ℓ∞ Guarantee",
      paper: Paper("Song, Ye, Yin and Zhang", 2023, venue: "ICML 2023", arXiv: "2302.00248"),
      summary:
        "Solves a tall least-squares problem from a random sketch of its rows, in one pass over the matrix, with "
        + "an error bound for every coefficient. Dense sketches (a subsampled Hadamard transform, normal entries) spread "
        + "the error evenly; sparse ones may put all of it into one coefficient. LSQR with the sketch as "
        + "preconditioner takes the solution to full accuracy.",
      inputs: [matrix, rightSide], parameters: [sketch, rows, accuracy, failure, refine, shortest],
      outputs: [solution, standardErrors, bound],
      example: "apus run linf-regression matrix=features.npy right-side=targets.npy --accuracy 0.25 -o fit/",
      claim: "On an instance made to hurt sparse sketches, the largest error of a coefficient grows as √d with a "
        + "CountSketch and only as √log d with a Hadamard sketch, while their errors in length agree.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let a = try request.matrix(matrix)
    let b = try request.array(rightSide)
    let family: SketchFamily =
      switch request[sketch] {
      case .hadamard: .hadamard
      case .gaussian: .gaussian
      case .cosine: .cosine
      case .countSketch: .countSketch
      case .blockSigns: .blockSigns()
      }
    let method = SketchedLeastSquares(
      sketch: family, rows: request[rows], accuracy: request[accuracy], failureProbability: request[failure],
      refinement: request[refine] > 0 ? .lsqr(iterations: request[refine]) : .none,
      rankLoss: request[shortest] ? .minimumNorm : .fail, seed: request.seed)
    let fit = try method.solve(a, b, progress: request.progress)
    var facts = [
      Fact("Rows", a.rows), Fact("Columns", a.columns), Fact("Rows of the sketch", fit.rows), Fact("Rank", fit.rank),
      Fact("Accuracy", fit.accuracy), Fact("Condition of the matrix", fit.conditionEstimate),
      Fact("Residual of the sketch", fit.sketchedResidual.norm().scalar),
    ]
    if let estimate = fit.residualEstimate { facts.append(Fact("Residual, estimated", estimate.norm().scalar)) }
    if let bound = fit.entrywiseBound { facts.append(Fact("Largest bound", bound.maximum().scalar)) }
    var outputs = [OutputArray(solution, fit.solution)]
    if let errors = fit.standardErrors { outputs.append(OutputArray(standardErrors, errors)) }
    if let limits = fit.entrywiseBound { outputs.append(OutputArray(bound, limits)) }
    var notes = fit.diagnostic.map { [$0] } ?? []
    if let refinement = fit.refinement {
      facts.append(Fact("Iterations of LSQR", refinement.map(\.iterations).max() ?? 0))
      if refinement.contains(where: { !$0.isConverged }) {
        notes.append("LSQR stopped at its limit of iterations, before full accuracy.")
      }
    }
    return RunOutcome(summary: facts, plots: plots(fit), notes: notes, outputs: outputs)
  }

  /// The coefficients of the first right side, and where the exact ones lie.
  private func plots(_ fit: SketchedSolution<Double>) -> [Plot] {
    guard let bound = fit.entrywiseBound else { return [] }
    let columns = [fit.solution, bound].map { $0.rank == 1 ? $0 : $0[.all, 0].dense }
    let (x, width) = (columns[0].scalars, columns[1].scalars)
    return [
      Plot(
        "Coefficients of the sketch",
        caption: "The exact ones lie between the lines, all of them with the probability "
          + "asked for.", x: "column", y: "coefficient",
        [
          Series("from the sketch", x, first: 0, .points),
          Series("at most", zip(x, width).map { $0 + $1 }, first: 0, .steps),
          Series("at least", zip(x, width).map { $0 - $1 }, first: 0, .steps),
        ])
    ]
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try LinfRegressionClaim(settings: settings).evidence()
  }
}
