import CatalogueCore
import Recovery
import Tensors

/// `altmin-completion`: some entries of a matrix in, its low-rank factors and their held-out error out.
struct AltMinCompletion: CataloguedMethod {
  enum Solver: String, ParameterChoice { case gradients, sketched, direct }

  private let entries = MethodInput(
    "entries", "Observed entries, one a row: row, column (both counted from zero), value.", shape: "[entries, 3]",
    isRequired: false)
  private let matrix = MethodInput(
    "matrix", "The matrix instead; without a mask, zeros are missing entries, as in a sparse file.", shape: "[m, n]",
    isRequired: false)
  private let mask = MethodInput(
    "mask", "Not zero where the matrix is observed.", shape: "[m, n]", isRequired: false)
  private let rank = MethodParameter("rank", "Rank of the completed matrix.", default: 10, in: .atLeast(1))
  private let solver = MethodParameter(
    "solver", "How rows are solved: a few conjugate gradients, preconditioned by a sketch, or directly.",
    default: Solver.gradients)
  private let steps = MethodParameter("steps", "Conjugate gradient steps a row.", default: 2, in: .atLeast(1))
  private let ridge = MethodParameter(
    "ridge", "Penalty on the factors' squares, for noisy data.", default: 0.0, in: .atLeast(0))
  private let huber = MethodParameter(
    "huber", "Residual above which errors count linearly, against outliers.", default: Double?.none, in: .above(0))
  private let blocks = MethodParameter(
    "blocks",
    "Solve each row on so many blocks of its entries, and take the median, against entries that are all wrong.",
    default: Int?.none, in: .atLeast(3))
  private let heldOut = MethodParameter(
    "held-out", "Share of the entries kept back to measure the error.", default: 0.1, in: .atLeast(0, below: 1))
  private let sweeps = MethodParameter("sweeps", "Most sweeps.", default: 100, in: .atLeast(1))
  private let tolerance = MethodParameter(
    "tolerance", "Relative change of the residual at which sweeps end.", default: 1e-8, in: .atLeast(0))
  private let dense = MethodParameter("dense", "Also write the completed matrix.", default: false)

  private let left = MethodOutput("left", "U, with orthonormal columns.", shape: "[m, k]")
  private let values = MethodOutput("values", "Singular values, decreasing.", shape: "[k]")
  private let right = MethodOutput(
    "right", "V, with orthonormal columns: the matrix is U diag(values) Vᵀ.", shape: "[n, k]")
  private let completed = MethodOutput("completed", "The completed matrix, with --dense.", shape: "[m, n]")

  var card: MethodCard {
    MethodCard(
      id: "altmin-completion", module: "Recovery",
      title: "Low Rank Matrix Completion via Robust Alternating Minimization in Nearly Linear Time",
      paper: Paper("Gu, Song, Yin and Zhang", 2024, venue: "ICLR 2024", arXiv: "2302.11068"),
      summary: """
        Fills a large matrix of low rank from some of its entries: ratings, sensors, images. Alternating least squares \
        whose rows are solved by a few warm-started conjugate gradient steps, in time linear in the observations and in \
        the rank, at the convergence rate of exact solves. Reports the error on held-out entries.
        """,
      inputs: [entries, matrix, mask],
      parameters: [rank, solver, steps, ridge, huber, blocks, heldOut, sweeps, tolerance, dense],
      outputs: [left, values, right, completed],
      example: "apus run altmin-completion entries=ratings.csv --rank 10 --ridge 0.1 -o factors.npz",
      claim: """
        On random matrices of rank 10 with 35 % of the entries, two conjugate gradient steps a row converge at the rate \
        of exact solves, at a cost linear in the rank; errors in the solves stay proportional errors; and recovery \
        begins at the same number of entries.
        """)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let all = try observations(request)
    var method = MatrixCompletion(rank: request[rank])
    method.solver =
      switch request[solver] {
      case .gradients: .conjugateGradients(steps: request[steps])
      case .sketched: .sketched()
      case .direct: .direct
      }
    (method.ridge, method.huberThreshold, method.medianBlocks) = (request[ridge], request[huber], request[blocks])
    (method.sweepLimit, method.tolerance, method.seed) = (request[sweeps], request[tolerance], request.seed)
    var (kept, validation) = (all, SparseObservations<Double>?.none)
    if request[heldOut] > 0 {
      var random = request.random.child(1)
      let split = try all.holdingOut(request[heldOut], random: &random)
      (kept, validation) = (split.kept, split.heldOut)
    }
    let result = try method.complete(kept, validation: validation, progress: request.progress)
    let history = result.history
    var series = [Series("observed entries", history.observedErrors, first: 0)]
    var facts = [
      Fact("Rows", all.rows), Fact("Columns", all.columns), Fact("Observed", all.count), Fact("Density", all.density),
      Fact("Sweeps", result.sweeps), Fact("Converged", result.convergence.isConverged),
      Fact("Observed relative error", result.observedError),
    ]
    if let validation, let error = result.heldOutError {
      let size = Double(validation.byRows.frobeniusNorm()) / Double(validation.count).squareRoot()
      facts += [Fact("Held-out RMSE", error), Fact("Held-out relative error", size > 0 ? error / size : 0)]
      series.append(Series("held-out entries", history.heldOutErrors.map { size > 0 ? $0 / size : 0 }, first: 0))
    }
    facts.append(Fact("Multiply-adds", history.multiplyAdds.reduce(0, +)))
    var notes = result.notices.map { $0.description.prefix(1).uppercased() + $0.description.dropFirst() + "." }
    if !result.clippedRows.isEmpty { notes.append("\(result.clippedRows.count) rows of the start were clipped.") }
    var outputs = [
      OutputArray(left, result.left), OutputArray(values, result.values), OutputArray(right, result.right),
    ]
    if request[dense] { outputs.append(OutputArray(completed, result.completed())) }
    return RunOutcome(
      summary: facts,
      plots: [Plot("Error after each sweep", x: "sweep", y: .logarithmic("relative error"), series)],
      notes: notes, outputs: outputs)
  }

  private func observations(_ request: RunRequest) throws -> SparseObservations<Double> {
    guard request.isGiven(entries) != request.isGiven(matrix) else {
      throw InvalidArgument(
        "entries", found: request.isGiven(entries) ? "entries and a matrix" : "neither entries nor a matrix",
        wanted: "one of entries=file and matrix=file")
    }
    if request.isGiven(matrix) {
      let numbers = try request.matrix(matrix)
      let observed = request.isGiven(mask) ? try request.array(mask) .!= 0 : numbers .!= 0
      return try SparseObservations(numbers, mask: observed)
    }
    let table = try request.matrix(entries)
    let places = table[.all, 0..<2].dense
    guard places.minimum().scalar >= 0, (places - places.floor()).absolute().maximum().scalar == 0 else {
      throw InvalidArgument(
        "entries", found: "rows or columns that are no whole numbers of at least 0", wanted: "indices from zero")
    }
    let rows = Tensor<Int>(table[.all, 0].dense.scalars.map { Int($0) })
    let columns = Tensor<Int>(table[.all, 1].dense.scalars.map { Int($0) })
    return try SparseObservations(
      rows: rows.maximum().scalar + 1, columns: columns.maximum().scalar + 1, rowIndices: rows,
      columnIndices: columns, values: table[.all, 2].dense)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try AltMinCompletionClaim(settings: settings).evidence()
  }
}
