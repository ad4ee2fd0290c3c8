import CatalogueCore
import Recovery
import Tensors

/// `random-support-regression`: a correlated design and responses in, a sparse linear model out.
struct RandomSupportRegressionMethod: CataloguedMethod {
  enum Selection: String, ParameterChoice { case folds, information }
  enum Combination: String, ParameterChoice {
    case leastNorm = "least-norm"
    case columns
  }

  private let design = MethodInput("design", "X, an example a row.", shape: "[n, d]")
  private let observed = MethodInput("observed", "y, the response of each example.", shape: "[n]")
  private let sparsity = MethodParameter(
    "sparsity", "Columns expected in the true model.", default: 10, in: .atLeast(1))
  private let noise = MethodParameter(
    "noise", "The noise's deviation; cross-validation if left out.", default: Double?.none, in: .above(0))
  private let slack = MethodParameter(
    "slack", "How many heavy directions are taken out (t); 0 is the plain lasso; chosen if left out.",
    default: Double?.none, in: .atLeast(0))
  private let selection = MethodParameter(
    "selection", "How slack, penalty and refitting are chosen: on folds of the rows, or by an information criterion.",
    default: Selection.folds)
  private let combination = MethodParameter(
    "combination", "What stands for the directions without penalty: least norm, or few columns.",
    default: Combination.leastNorm)
  private let folds = MethodParameter("folds", "Folds of cross-validation.", default: 5, in: .atLeast(2))
  private let refit = MethodParameter("refit", "Allow least squares on the selected columns.", default: true)

  private let coefficients = MethodOutput("coefficients", "w, with X w the fit.", shape: "[d]")
  private let support = MethodOutput("support", "The selected columns, from zero.", shape: "[selected]")
  private let prediction = MethodOutput("prediction", "Fitted values.", shape: "[n]")

  var card: MethodCard {
    MethodCard(
      id: "random-support-regression", module: "Recovery",
      title: "Sparse Linear Regression is Easy on Random Supports",
      paper: Paper("Chandrasekaran, Meka and Stavropoulos", 2025, arXiv: "2511.06211"),
      summary: """
        Predicts with few columns of a design whose columns are strongly, even pathologically, correlated: paths in time, \
        nested groups, common factors. Takes the few heavy directions out, fits them freely, and runs a lasso on what is \
        left of the columns. Reports the bound on the design's spectrum, the duality gap and the held-out error.
        """,
      inputs: [design, observed], parameters: [sparsity, noise, slack, selection, folds, refit, combination],
      outputs: [coefficients, support, prediction],
      example: "apus run random-support-regression design=x.npy observed=y.npy --sparsity 6 -o model.npz",
      claim: """
        On random walks and on nested groups of 512 columns, cross-validated, it predicts better than a lasso tuned on \
        the truth, and nearly as well or better than matching pursuit tuned the same way; on independent columns it is \
        the lasso.
        """)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let x = try request.matrix(design)
    let y = try request.vector(observed)
    var method = RandomSupportRegression(sparsity: request[sparsity])
    let chosen: RandomSupportRegression.Noise =
      request[selection] == .folds ? .crossValidated(folds: request[folds]) : .informationCriterion()
    method.noise = request[noise].map { .known($0) } ?? chosen
    method.combination = request[combination] == .columns ? .columns : .leastNorm
    if let t = request[slack] { method.slack = t > 0 ? .fixed(t) : .none }
    (method.refits, method.seed) = (request[refit], request.seed)
    let fit = try method.fit(x, observed: y, progress: request.progress)
    let error = (fit.prediction - y).sumOfSquares().scalar / max(y.sumOfSquares().scalar, .leastNormalMagnitude)
    var facts = [
      Fact("Examples", x.rows), Fact("Columns", x.columns), Fact("Selected columns", fit.support.count),
      Fact("Slack", fit.design.slack), Fact("Directions without penalty", fit.unpenalizedDimension),
      Fact("Columns explained by them", fit.design.absorbed.count), Fact("Rounds", fit.design.rounds),
      Fact("Penalty", fit.penalty), Fact("Duality gap", fit.dualityGap), Fact("Refitted", fit.isRefitted),
      Fact("Unexplained share of y", error),
    ]
    if let best = fit.scores.map(\.criterion).min() {
      facts.append(Fact(request[selection] == .folds ? "Held-out mean squared error" : "Information criterion", best))
    }
    if let top = fit.design.topEigenvalues.last, fit.design.slack > 0 {
      facts.append(Fact("Largest eigenvalue of the columns left", top))
      facts.append(Fact("Its bound", Double(fit.design.activeCount) / fit.design.slack))
    }
    var notes: [String] = []
    if !fit.design.emptyColumns.isEmpty {
      notes.append("\(fit.design.emptyColumns.count) columns of zeros were left out.")
    }
    if fit.design.isSaturated { notes.append("The limit of directions was reached: the bound may not hold.") }
    var table = Table("Selected columns", columns: ["column", "coefficient"])
    for j in fit.support.prefix(30) { table.add([j, fit.coefficients[at: j]]) }
    return RunOutcome(
      summary: facts, tables: [table], plots: plots(fit, request[selection]), notes: notes,
      outputs: [
        OutputArray(coefficients, fit.coefficients), OutputArray(support, Tensor<Int>(fit.support)),
        OutputArray(prediction, fit.prediction),
      ])
  }

  /// What spoke for the penalty and the slack that were chosen.
  private func plots(_ fit: RandomSupportFit<Double>, _ selection: Selection) -> [Plot] {
    let slacks = Set(fit.scores.map(\.slack)).sorted()
    let series = slacks.map { slack -> Series in
      let own = Dictionary(grouping: fit.scores.filter { $0.slack == slack }, by: \.pathPlace)
      let places = own.keys.sorted()
      return Series(
        slack == 0 ? "lasso" : "t = \(slack.formatted(digits: 3))", x: places.map { Double($0 + 1) },
        y: places.map { place in own[place]?.map(\.criterion).min() ?? .nan }, .lineAndPoints)
    }
    guard !series.isEmpty else { return [] }
    let isFolds = selection == .folds
    return [
      Plot(
        isFolds ? "Error on held-out rows" : "Information criterion",
        caption: "For each slack, along the path of penalties; with or without refitting, whichever is better.",
        x: "place on the path, from the largest penalty",
        y: isFolds ? .logarithmic("mean squared error") : "criterion", series)
    ]
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try RandomSupportClaim(settings: settings).evidence()
  }
}
