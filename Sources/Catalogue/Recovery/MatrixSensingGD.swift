import CatalogueCore
import Recovery
import Tensors

/// `matrix-sensing-gd`: measurements of a low-rank matrix in, its factors and the law of convergence out.
struct MatrixSensingGD: CataloguedMethod {
  enum Parameterization: String, ParameterChoice { case symmetric, asymmetric, accelerated }

  private let observed = MethodInput("observed", "The measured numbers y.", shape: "[m]")
  private let measurements = MethodInput(
    "measurements", "Matrices A with y = <A, M>, of unit variance or so.", shape: "[m, rows, columns]")
  private let rank = MethodParameter("rank", "Columns of the factors.", default: 10, in: .atLeast(1))
  private let parameterization = MethodParameter(
    "parameterization", "One factor, two of different sizes, or two that are rebalanced once.",
    default: Parameterization.accelerated)
  private let scale = MethodParameter("scale", "Size of the start.", default: 0.1, in: .above(0))
  private let imbalance = MethodParameter(
    "imbalance", "How many times larger the left factor starts.", default: 3.0, in: .above(0))
  private let switchAt = MethodParameter(
    "switch-at", "Relative residual at which factors are rebalanced.", default: 0.3, in: .above(0))
  private let step = MethodParameter(
    "step", "Step; from the measurements if left out.", default: Double?.none, in: .above(0))
  private let iterations = MethodParameter("iterations", "Most iterations.", default: 1_000, in: .atLeast(1))
  private let tolerance = MethodParameter(
    "tolerance", "Relative residual at which iterations end.", default: 1e-10, in: .atLeast(0))

  private let matrix = MethodOutput("matrix", "M.", shape: "[rows, columns]")
  private let left = MethodOutput("left", "F, with M = F Gᵀ or F Fᵀ.", shape: "[rows, k]")
  private let right = MethodOutput("right", "G, unless symmetric.", shape: "[columns, k]")

  var card: MethodCard {
    MethodCard(
      id: "matrix-sensing-gd", module: "Recovery",
      title: "How Over-Parameterization Slows Down Gradient Descent in Matrix Sensing: The Curses of Symmetry and "
        + "Initialization",
      paper: Paper("Xiong, Ding and Du", 2024, venue: "ICLR 2024", arXiv: "2310.01769"),
      summary: """
        Recovers a low-rank matrix from linear measurements by gradient descent on factors with more columns than \
        needed, and says which law its convergence follows. One symmetric factor is slow (1/T), two factors of different \
        sizes are linear, and one change of factors in between makes the rate independent of the start.
        """,
      inputs: [observed, measurements],
      parameters: [rank, parameterization, scale, imbalance, switchAt, step, iterations, tolerance],
      outputs: [matrix, left, right],
      example: "apus run matrix-sensing-gd observed=y.npy measurements=a.npy --rank 8 -o sensed.npz",
      claim: """
        With twice the columns needed, the symmetric factorization's squared error falls as 1/T² on the predicted \
        curve, the asymmetric one's linearly with a rate that is quadratic in the start's size, and the accelerated one \
        reaches 1e-10 in 300 iterations from any start.
        """)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let y = try request.vector(observed)
    let measurement = try DenseMeasurement(request.array(measurements))
    var method = MatrixSensing(rank: request[rank])
    method.parameterization =
      switch request[parameterization] {
      case .symmetric: .symmetric
      case .asymmetric: .asymmetric(imbalance: request[imbalance])
      case .accelerated: .accelerated(imbalance: request[imbalance], switchAt: request[switchAt])
      }
    (method.initialScale, method.stepSize, method.seed) = (request[scale], request[step], request.seed)
    (method.iterationLimit, method.tolerance) = (request[iterations], request[tolerance])
    let result = try method.recover(from: measurement, observed: y, progress: request.progress)
    let law: String? =
      switch result.fittedRate {
      case .power(let exponent): "error ~ t^\(exponent.formatted(digits: 3))"
      case .linear(let rate): "error ~ exp(-\(rate.formatted(digits: 3)) t)"
      case nil: nil
      }
    var outputs = [OutputArray(matrix, result.matrix), OutputArray(left, result.left)]
    if let factor = result.right { outputs.append(OutputArray(right, factor)) }
    return RunOutcome(
      summary: [
        Fact("Measurements", measurement.count), Fact("Iterations", result.convergence.iterations),
        Fact("Converged", result.convergence.isConverged), Fact("Relative residual", result.convergence.residual),
        Fact("Step", result.stepSize), Fact("Rebalanced at", result.switched?.iteration),
        Fact("Law of convergence", law), Fact("Drift of the imbalance", result.imbalanceDrift),
      ],
      plots: [
        Plot(
          "Convergence", x: "iteration", y: .logarithmic("relative residual"),
          [Series("", result.history.residuals, first: 0)])
      ],
      notes: result.notices.map { $0.description.prefix(1).uppercased() + $0.description.dropFirst() + "." },
      outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try MatrixSensingClaim(settings: settings).evidence()
  }
}
