import CatalogueCore
import Recovery
import Tensors

/// `kronecker-sbl`: factors of a dictionary and observations in, a vector with a product of supports out.
struct KroneckerSBLMethod: CataloguedMethod {
  enum Variant: String, ParameterChoice { case svd, alternating, classic }

  private let observed = MethodInput(
    "observed", "Observations, an axis for each factor's rows (or one for all of them).", shape: "[...]")
  private let factors = MethodInput(
    tensors: "factors", "The dictionary's factors, in the order of their names.")
  private let variant = MethodParameter(
    "variant", "How variances are updated; classic ones have no structure.", default: Variant.svd)
  private let noise = MethodParameter(
    "noise", "Noise variance; estimated if left out.", default: Double?.none, in: .above(0))
  private let pruning = MethodParameter(
    "pruning", "Share of the largest variance below which an index is dropped.", default: Double?.none,
    in: .atLeast(0, below: 1))
  private let iterations = MethodParameter("iterations", "Most iterations.", default: 150, in: .atLeast(1))
  private let tolerance = MethodParameter(
    "tolerance", "Relative change of the variances at which iterations end.", default: 1e-4, in: .atLeast(0))

  private let mean = MethodOutput("mean", "The posterior mean.", shape: "[n1, n2, ...]")
  private let variances = MethodOutput("variances", "The posterior variances.", shape: "[n1, n2, ...]")
  private let gamma = MethodOutput("gamma.I", "The prior variances of mode I, zero where dropped.", shape: "[nI]")

  var card: MethodCard {
    MethodCard(
      id: "kronecker-sbl", module: "Recovery",
      title: "Bayesian Algorithms for Kronecker-structured Sparse Vector Recovery With Application to IRS-MIMO Channel "
        + "Estimation",
      paper: Paper("He and Joseph", 2024, venue: "IEEE Transactions on Signal Processing", arXiv: "2307.14719"),
      summary: """
        Recovers a sparse vector from few observations through a Kronecker product of dictionaries, when its support is a \
        product too: angles times delays, several axes of a spectrum. Learns one variance for each index of each mode, \
        not for each unknown, and never forms the product. Noise is estimated, indices are dropped as it goes.
        """,
      inputs: [observed, factors], parameters: [variant, noise, pruning, iterations, tolerance],
      outputs: [mean, variances, gamma],
      example: "apus run kronecker-sbl observed=y.npy factors=dictionaries.npz -o estimate.npz",
      claim: """
        With three 6 x 10 or 5 x 10 dictionaries and 27 of 1,000 unknowns at 20 dB, a third of the error of classic \
        sparse Bayesian learning and a better support, at a fifth of the time or less; and the cascaded channel of an \
        antenna array behind a reflecting surface.
        """)
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let collection = request.tensors(factors)
    var matrices: [(String, Tensor<Double>)] = []
    for entry in collection.entries {
      let tensor = try collection.tensor(entry, as: Double.self)
      try tensor.requireMatrix(entry.name)
      matrices.append((entry.name, tensor))
    }
    matrices.sort { $0.0 < $1.0 }
    let dictionary = try KroneckerDictionary(matrices.map(\.1))
    let y = try request.array(observed)
    guard y.count == dictionary.rows else {
      throw InvalidArgument(
        "observed", found: "\(y.count) numbers",
        wanted: "\(dictionary.rows), the product of rows \(dictionary.rowExtents)")
    }
    var method = KroneckerSBL()
    method.variant =
      switch request[variant] {
      case .svd: .svd
      case .alternating: .alternating()
      case .classic: .classic
      }
    method.noiseVariance = request[noise].map { .known($0) } ?? .estimated
    (method.pruning, method.iterationLimit) = (request[pruning], request[iterations])
    method.tolerance = request[tolerance]
    let result = try method.fit(dictionary, observed: y.flattened, progress: request.progress)
    let extents = dictionary.columnExtents
    var table = Table("Modes", columns: ["factor", "rows", "columns", "indices left", "which"])
    var outputs = [
      OutputArray(mean, result.mean.reshaped(extents)), OutputArray(variances, result.variances.reshaped(extents)),
    ]
    for (mode, indices) in result.support.enumerated() {
      if request[variant] != .classic {
        table.add([
          matrices[mode].0, dictionary.rowExtents[mode], extents[mode], indices.count,
          indices.prefix(12).map(String.init).joined(separator: " ") + (indices.count > 12 ? " ..." : ""),
        ])
      }
      outputs.append(OutputArray("gamma.\(mode + 1)", result.gammas[mode]))
    }
    let model = dictionary.apply(result.mean).real
    let share = (model - y.flattened).sumOfSquares().scalar / max(y.sumOfSquares().scalar, .leastNormalMagnitude)
    var notes: [String] = []
    if result.isTrivial { notes.append("The observations are all zero, and so is the answer.") }
    if !result.convergence.isConverged { notes.append("The variances were still changing when iterations ended.") }
    return RunOutcome(
      summary: [
        Fact("Observations", y.count), Fact("Unknowns", dictionary.columns),
        Fact("Unknowns left", result.support.map(\.count).reduce(1, *)),
        Fact("Iterations", result.convergence.iterations),
        Fact("Converged", result.convergence.isConverged), Fact("Noise variance", result.noiseVariance),
        Fact("Unexplained share of the energy", share),
      ],
      tables: request[variant] == .classic ? [] : [table],
      plots: [
        Plot("Cost", x: "iteration", y: "negative log-likelihood", [Series("", result.costs, first: 0)])
      ],
      notes: notes, outputs: outputs)
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try KroneckerSBLClaim(settings: settings).evidence()
  }
}
