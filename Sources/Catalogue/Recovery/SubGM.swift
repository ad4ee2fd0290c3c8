import CatalogueCore
import Recovery
import Tensors

/// `subgm`: measurements of a low-rank matrix, many of them wrong, in; the matrix out.
struct SubGM: CataloguedMethod {
  enum Steps: String, ParameterChoice { case automatic, median, geometric, constant }

  private let observed = MethodInput("observed", "The measured numbers y.", shape: "[m]")
  private let measurements = MethodInput(
    "measurements", "Matrices A with y = <A, X>.", shape: "[m, rows, columns]", isRequired: false)
  private let vectors = MethodInput(
    "vectors", "Vectors a with y = aᵀ X a, instead.", shape: "[m, n]", isRequired: false)
  private let places = MethodInput(
    "places", "Row and column of each measured entry, from zero, instead.", shape: "[m, 2]", isRequired: false)
  private let rank = MethodParameter(
    "rank", "Columns of the factor; the full size if left out.", default: Int?.none, in: .atLeast(1))
  private let symmetric = MethodParameter("symmetric", "Whether X is positive semi-definite.", default: true)
  private let steps = MethodParameter("steps", "How long steps are.", default: Steps.automatic)
  private let step = MethodParameter(
    "step", "Factor of the median, first step, or the step itself.", default: Double?.none, in: .above(0))
  private let decay = MethodParameter(
    "decay", "Ratio of geometric steps.", default: 0.985, in: .above(0, below: 1))
  private let scale = MethodParameter("scale", "Size of the start.", default: 1e-8, in: .above(0))
  private let iterations = MethodParameter("iterations", "Most iterations.", default: 1_000, in: .atLeast(1))

  private let matrix = MethodOutput("matrix", "X.", shape: "[rows, columns]")
  private let factor = MethodOutput("factor", "U with X = U Uᵀ, or U Vᵀ.", shape: "[rows, k]")
  private let right = MethodOutput("right", "V, when X is not symmetric.", shape: "[columns, k]")
  private let residuals = MethodOutput("residuals", "<A, X> - y: large where a measurement is wrong.", shape: "[m]")

  var card: MethodCard {
    MethodCard(
      id: "subgm", module: "Recovery",
      title: "Global Convergence of Sub-gradient Method for Robust Matrix Recovery: Small Initialization, Noisy "
        + "Measurements, and Over-parameterization",
      paper: Paper("Ma and Fattahi", 2023, venue: "JMLR", arXiv: "2202.08788"),
      summary: """
        Recovers a low-rank matrix from few linear measurements when a large share of them is grossly wrong and the \
        rank is unknown: sub-gradient steps on the sum of absolute residuals, from a tiny start, with as many columns as \
        one likes. Outliers of any size count alike. Reports the effective rank and whether half of the measurements may \
        be wrong.
        """,
      inputs: [observed, measurements, vectors, places],
      parameters: [rank, symmetric, steps, step, decay, scale, iterations],
      outputs: [matrix, factor, right, residuals],
      example: "apus run subgm observed=y.npy measurements=a.npy --iterations 800 -o recovered.npz",
      claim: """
        With 30 % of the measurements replaced by noise a hundred times larger, it recovers a matrix of rank 2 with 20 \
        columns to 1e-5 or better, where gradient descent on squares fails; fewer measurements than unknowns, entries, \
        and Gaussian noise as in the paper.
        """)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let y = try request.vector(observed)
    let given = [measurements, vectors, places].filter { request.isGiven($0) }
    guard given.count == 1 else {
      throw InvalidArgument(
        "measurements", found: given.isEmpty ? "none" : given.map(\.name).joined(separator: " and "),
        wanted: "one of measurements=file, vectors=file and places=file")
    }
    if request.isGiven(measurements) {
      return try run(request, y, DenseMeasurement(request.array(measurements)))
    }
    if request.isGiven(vectors) { return try run(request, y, RankOneMeasurement(request.matrix(vectors))) }
    let indices = try request.integers(places)
    guard indices.minimum().scalar >= 0 else {
      throw InvalidArgument("places", found: "\(indices.minimum().scalar)", wanted: "indices from zero")
    }
    let (i, j) = (indices[.all, 0].dense, indices[.all, 1].dense)
    var extents = (rows: i.maximum().scalar + 1, columns: j.maximum().scalar + 1)
    if request[symmetric] {
      let size = max(extents.rows, extents.columns)
      extents = (size, size)
    }
    // With this factor, a measurement's mean square is that of the whole matrix.
    let unit = (Double(extents.rows) * Double(extents.columns)).squareRoot()
    let entries = try EntryMeasurement(
      rows: extents.rows, columns: extents.columns, rowIndices: i, columnIndices: j, scale: unit)
    return try run(request, y * unit, entries)
  }

  private func run<Measurement: LinearMeasurement>(
    _ request: RunRequest, _ y: Tensor<Double>, _ measurement: Measurement
  ) throws -> RunOutcome where Measurement.Scalar == Double {
    var method = RobustMatrixRecovery()
    (method.rank, method.isSymmetric, method.initialScale) = (request[rank], request[symmetric], request[scale])
    (method.iterationLimit, method.seed) = (request[iterations], request.seed)
    switch request[steps] {
    case .automatic: break
    case .median: method.step = .median(request[step] ?? 0.36)
    case .geometric: method.step = .geometric(first: request[step] ?? 0.5, ratio: request[decay])
    case .constant: method.step = .constant(request[step] ?? 0.05)
    }
    let result = try method.recover(from: measurement, observed: y, progress: request.progress)
    let gaps = measurement.apply(result.matrix) - y
    let scale = max(y.absolute().median().scalar, .leastNormalMagnitude)
    let outliers = (gaps.absolute() .> 0.01 * scale).trueCount
    var outputs = [OutputArray(matrix, result.matrix), OutputArray(factor, result.factor)]
    if let rightFactor = result.rightFactor { outputs.append(OutputArray(right, rightFactor)) }
    outputs.append(OutputArray(residuals, gaps))
    let history = result.history
    return RunOutcome(
      summary: [
        Fact("Measurements", measurement.count), Fact("Rows", measurement.rows), Fact("Columns", measurement.columns),
        Fact("Effective rank", result.effectiveRank), Fact("Iterations", result.convergence.iterations),
        Fact("Converged", result.convergence.isConverged),
        Fact("Median residual, relative", gaps.absolute().median().scalar / scale),
        Fact("Measurements off by more than 1 %", outliers),
      ],
      plots: [
        Plot(
          "Residuals", x: "iteration", y: .logarithmic("relative to the median of |y|"),
          [
            Series("mean", history.losses.map { $0 }, first: 0), Series("median", history.residualMedians, first: 0),
          ])
      ],
      notes: result.notices.map { $0.description.prefix(1).uppercased() + $0.description.dropFirst() + "." },
      outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence { try SubGMClaim(settings: settings).evidence() }
}
