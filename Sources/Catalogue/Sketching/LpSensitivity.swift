import CatalogueCore
import LinearAlgebra
import Numerics
import Sketching
import Tensors

/// `lp-sensitivity`: a tall matrix in, the importance of its rows and a weighted sample of them out.
struct LpSensitivity: CataloguedMethod {
  enum Scheme: String, ParameterChoice {
    case uniform, leverage
    case rootLeverage = "root-leverage"
    case lewis, sensitivity
    case leverageAndSensitivity = "leverage-and-sensitivity"
  }
  enum Solver: String, ParameterChoice { case coreset, exact, bucketed }

  private let matrix = MethodInput("matrix", "A, with more rows than columns.", shape: "[n, d]")
  private let rightSide = MethodInput(
    "right-side", "b of a regression min ‖A x - b‖_p, to be solved on the sample.", shape: "[n]", isRequired: false)
  private let exponent = MethodParameter("p", "Of the norm.", default: 1.0, in: .atLeast(1))
  private let rows = MethodParameter(
    "rows", "Rows to keep on average; by default what the accuracy asks for.", default: Int?.none, in: .atLeast(1))
  private let accuracy = MethodParameter("accuracy", "Distortion of ‖A x‖_p^p asked for.", default: 0.5, in: .above(0))
  private let scheme = MethodParameter("scheme", "The scores rows are sampled by.", default: Scheme.sensitivity)
  private let solver = MethodParameter(
    "solver", "How sensitivities are found: over a coreset, over all rows, or for buckets of eight rows.",
    default: Solver.coreset)
  private let sensitivities = MethodOutput(
    "sensitivities", "The sensitivity of each row; with the schemes that need them.", shape: "[n]")
  private let lower = MethodOutput("lower-bounds", "No sensitivity is below.", shape: "[n]")
  private let upper = MethodOutput("upper-bounds", "No sensitivity is above.", shape: "[n]")
  private let indices = MethodOutput("indices", "The rows that were kept.", shape: "[m]")
  private let weights = MethodOutput("weights", "What each of them is multiplied by.", shape: "[m]")
  private let sample = MethodOutput("sample", "The weighted rows.", shape: "[m, d]")
  private let solution = MethodOutput("solution", "The coefficients of the regression.", shape: "[d]")

  var card: MethodCard {
    MethodCard(
      id: "lp-sensitivity", module: "Sketching", title: "Sharper Bounds for ℓp Sensitivity Sampling",
      paper: Paper("Woodruff and Yasuda", 2023, venue: "ICML 2023", arXiv: "2306.00732"),
      summary: "Reduces a tall matrix to a few weighted rows that keep ‖A x‖_p for every x, by sampling rows by their "
        + "sensitivity: the largest share of ‖A x‖_p^p that the row can have. Isolated rows, which uniform "
        + "sampling loses and leverage scores misjudge for p other than 2, are kept. Sensitivities come with lower "
        + "and upper bounds; regression in the p-norm is solved on the sample.",
      inputs: [matrix, rightSide], parameters: [exponent, rows, accuracy, scheme, solver],
      outputs: [sensitivities, lower, upper, indices, weights, sample, solution],
      example: "apus run lp-sensitivity matrix=features.npy --p 1 --rows 400 -o sample/",
      claim: "The rows needed for a distortion of 0.3 at p = 1 grow as the dimension, not as its power 3/2; and on a "
        + "matrix with sixty important rows among 4,000, sampling by sensitivity has less than half of the "
        + "distortion of uniform sampling.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let a = try request.matrix(matrix)
    let p = request[exponent]
    let method: LpSensitivities.Method =
      switch request[solver] {
      case .coreset: .coreset()
      case .exact: .exact
      case .bucketed: .bucketed(rows: 8)
      }
    let importance: LpImportance =
      switch request[scheme] {
      case .uniform: .uniform
      case .leverage: .leverage
      case .rootLeverage: .rootLeverage
      case .lewis: .lewis
      case .sensitivity: .sensitivity
      case .leverageAndSensitivity: .leverageAndSensitivity
      }
    // With a right side, rows count for [A b].
    let joined =
      request.isGiven(rightSide)
      ? Tensor.concatenated([a, try request.vector(rightSide).expanded(axis: 1)], axis: 1) : a
    let sampling = LpRowSampling(
      p: p, size: request[rows].map { .rows($0) } ?? .accuracy(request[accuracy]), scheme: importance, method: method,
      seed: request.seed)
    var facts = [Fact("Rows", a.rows), Fact("Columns", a.columns)]
    var outputs: [OutputArray] = []
    var notes: [String] = []
    let kept: LpRowSample
    if importance == .sensitivity {
      let found = try LpSensitivities(p: p, method: method, seed: request.seed).estimate(
        joined, progress: request.progress)
      facts += [Fact("Rank", found.rank), Fact("Total sensitivity", found.total)]
      outputs += [
        OutputArray(sensitivities, found.values), OutputArray(lower, found.lowerBounds),
        OutputArray(upper, found.upperBounds),
      ]
      if !found.isConverged {
        notes.append("\(found.unconverged) sensitivities reached the limit of iterations; their bounds hold.")
      }
      kept = try sampling.sample(joined, scores: found.values)
    } else {
      kept = try sampling.sample(joined, progress: request.progress)
    }
    let distortion = try LpDistortion(p: p, seed: request.seed).measure(joined, kept)
    facts += [
      Fact("Rows kept", kept.indices.count), Fact("Rows kept on average", kept.expectedRows),
      Fact("Distortion, largest found", distortion.value),
    ]
    if kept.passes > 1 { facts.append(Fact("Rows after each pass", kept.passSizes)) }
    if kept.isBelowRank { notes.append("Fewer rows than the rank were asked for: directions are lost.") }
    if kept.isBelowTotalSensitivity {
      notes.append("Fewer rows than the total sensitivity were asked for: a row that matters may be missing.")
    }
    outputs += [
      OutputArray(indices, Tensor(kept.indices)), OutputArray(weights, kept.weights),
      OutputArray(sample, kept.apply(to: a)),
    ]
    if request.isGiven(rightSide) {
      let b = try request.vector(rightSide)
      let fit = try LpRegression(p: p).solve(kept.apply(to: a), kept.apply(to: b))
      let power = (a.matmul(fit.solution) - b).absolute().power(p).sum().scalar
      facts.append(Fact("‖A x - b‖_p over all rows", Double.pow(power, 1 / p)))
      facts.append(Fact("‖A x - b‖_p over the sample", fit.cost))
      facts.append(Fact("No x is better over the sample than", fit.lowerBound))
      outputs.append(OutputArray(solution, fit.solution))
    }
    return RunOutcome(summary: facts, plots: plots(kept, outputs), notes: notes, outputs: outputs)
  }

  /// Sensitivities and probabilities, each in falling order.
  private func plots(_ kept: LpRowSample, _ outputs: [OutputArray]) -> [Plot] {
    func falling(_ label: String, _ values: Tensor<Double>) -> Series {
      let sorted = values.sorted(axis: 0, descending: true).scalars.prefix { $0 > 0 }
      // Evenly in logarithms: a few hundred points are enough to draw any number of rows.
      let places = Set((0...300).map { Int(Double.pow(Double(max(sorted.count, 1)), Double($0) / 300)) }).sorted()
        .filter { $0 <= sorted.count }
      return Series(label, x: places.map(Double.init), y: places.map { sorted[$0 - 1] })
    }
    var series = [falling("probability of a row", kept.probabilities)]
    for name in ["sensitivities", "lower-bounds", "upper-bounds"] {
      guard case .double(let values)? = outputs.first(where: { $0.name == name })?.array else { continue }
      series.append(falling(name == "sensitivities" ? "sensitivity" : name.replacing("-", with: " "), values))
    }
    return [
      Plot(
        "Rows, the most important first", x: .logarithmic("rows"), y: .logarithmic("share"),
        series.filter { !$0.y.isEmpty })
    ]
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try LpSensitivityClaim(settings: settings).evidence() }
}
