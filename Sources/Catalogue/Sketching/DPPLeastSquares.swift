import CatalogueCore
import LinearAlgebra
import Sketching
import Tensors

/// `dpp-least-squares`: points to evaluate a function at, and the fit to its values.
struct DPPLeastSquares: CataloguedMethod {
  enum Strategy: String, ParameterChoice {
    case independent, volume
    case repeatedDPP = "repeated-dpp"
  }
  enum Family: String, ParameterChoice { case legendre, chebyshev, hermite, trigonometric }
  enum Space: String, ParameterChoice {
    case total, tensor
    case cross
  }

  private let features = MethodInput(
    "features", "Features of candidates, one a row, to choose among; without, polynomials are the space.",
    shape: "[candidates, m]", isRequired: false)
  private let points = MethodInput(
    "points", "Points that a function was evaluated at, to fit polynomials to its values.", shape: "[n, variables]",
    isRequired: false)
  private let values = MethodInput(
    "values", "The function's values: at the points, or at all candidates.", shape: "[values]", isRequired: false)
  private let count = MethodParameter(
    "count", "Points wanted; twice the dimension by default.", default: Int?.none, in: .atLeast(1))
  private let strategy = MethodParameter("strategy", "How points are drawn.", default: Strategy.repeatedDPP)
  private let smallest = MethodParameter(
    "smallest-eigenvalue", "Draw again until the Gram matrix has none below this.", default: Double?.none,
    in: .above(0, below: 1))
  private let family = MethodParameter("basis", "Polynomials of each variable.", default: Family.legendre)
  private let variables = MethodParameter("variables", "Of the polynomials.", default: 1, in: .atLeast(1, atMost: 12))
  private let degree = MethodParameter("degree", "Of the polynomials.", default: 9, in: .atLeast(0))
  private let space = MethodParameter(
    "space", "Of several variables: by total degree, all products, or the hyperbolic cross.", default: Space.total)
  private let chosen = MethodOutput("candidates", "The numbers of the chosen candidates.", shape: "[n]")
  private let drawn = MethodOutput("points", "The points to evaluate the function at.", shape: "[n, variables]")
  private let weights = MethodOutput("weights", "The weight of each point in the fit.", shape: "[n]")
  private let coefficients = MethodOutput(
    "coefficients", "Of the orthonormal polynomials, or of the features.", shape: "[m]")

  var card: MethodCard {
    MethodCard(
      id: "dpp-least-squares", module: "Sketching",
      title: "Weighted least-squares approximation with determinantal point processes and generalized volume sampling",
      paper: Paper("Nouy and Michel", 2023, arXiv: "2312.14057"),
      summary: "Chooses the few points at which an expensive function should be evaluated to approximate it in a space "
        + "of dimension m, and fits. Determinantal points repel each other: 2 m of them do what takes m log m "
        + "independent ones. A draw costs O(m³ log m), on any number of candidates. The eigenvalues of the Gram matrix "
        + "come with the points, and with them an error bound.",
      inputs: [features, points, values],
      parameters: [count, strategy, smallest, family, variables, degree, space],
      outputs: [chosen, drawn, weights, coefficients],
      example: "apus run dpp-least-squares features=features.npy --count 100 -o design/",
      claim: "Runge's function in polynomials below degree ten: two determinantal draws of ten points give a smaller "
        + "median error than volume sampling, and that a smaller one than independent points, which fail in two draws of "
        + "three.")
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    if request.isGiven(features) { return try candidates(request) }
    let variables = request.isGiven(points) ? try request.matrix(points).columns : request[variables]
    let indices =
      switch request[space] {
      case .total: MultiIndexSet.totalDegree(variables: variables, degree: request[degree])
      case .tensor: MultiIndexSet.tensorProduct([Int](repeating: request[degree], count: variables))
      case .cross: MultiIndexSet.hyperbolicCross(variables: variables, degree: request[degree])
      }
    let kind = PolynomialFamily(rawValue: request[family].rawValue) ?? .legendre
    let basis = try PolynomialBasis(families: [PolynomialFamily](repeating: kind, count: variables), indices: indices)
    guard request.isGiven(points) else {
      let design = try design(request, basis)
      return RunOutcome(
        summary: facts(design, basis.dimension), tables: [],
        notes: ["Evaluate the function at the points, and give both back as points=FILE values=FILE for the fit."],
        outputs: [OutputArray(drawn, design.points), OutputArray(weights, design.weights)])
    }
    guard request.isGiven(values) else {
      throw InvalidArgument("values", found: "none", wanted: "the function's values at the points")
    }
    let design = try SamplingDesign(request.matrix(points), of: basis)
    let fit = try WeightedLeastSquares().fit(basis, design, values: request.vector(values))
    let residual = try fit.evaluate(design.points) - request.vector(values)
    return RunOutcome(
      summary: facts(design, basis.dimension)
        + [Fact("Root mean square of the residual", (residual.squared().mean().scalar).squareRoot())],
      outputs: [OutputArray(coefficients, fit.coefficients), OutputArray(weights, design.weights)])
  }

  private func candidates(_ request: RunRequest) throws -> RunOutcome {
    let phi = try request.matrix(features)
    let basis = try CandidateBasis.orthonormalizing(phi)
    let design = try design(request, basis)
    var outputs = [OutputArray(chosen, Tensor(design.candidates)), OutputArray(weights, design.weights)]
    var facts = [Fact("Candidates", basis.candidates)] + facts(design, basis.dimension)
    if request.isGiven(values) {
      let all = try request.vector(values)
      guard all.count == basis.candidates else {
        throw InvalidArgument(
          "values", found: "\(all.count)", wanted: "\(basis.candidates), one for each candidate")
      }
      // In the features that were given, not in the orthonormal ones.
      let rows = phi.gathered(Tensor(design.candidates))
      let scale = design.weights.sqrt()
      let fit = try (rows * scale.expanded(axis: 1)).leastSquares(all.gathered(Tensor(design.candidates)) * scale)
      let error = (phi.matmul(fit.solution) - all).norm().scalar
      let best = try phi.leastSquares(all).residualNorms.scalar
      facts += [Fact("Error over all candidates", error), Fact("Least possible", best)]
      outputs.append(OutputArray(coefficients, fit.solution))
    }
    return RunOutcome(summary: facts, outputs: outputs)
  }

  private func design(_ request: RunRequest, _ basis: some ApproximationBasis) throws -> SamplingDesign {
    let strategy = DesignSampling.Strategy(rawValue: request[strategy].rawValue) ?? .repeatedDPP
    var random = request.random
    return try DesignSampling(
      count: request[count] ?? 2 * basis.dimension, strategy: strategy, smallestEigenvalue: request[smallest]
    ).sample(basis, random: &random, progress: request.progress)
  }

  private func facts(_ design: SamplingDesign, _ dimension: Int) -> [Fact] {
    [
      Fact("Dimension", dimension), Fact("Points", design.count), Fact("Draws", design.attempts),
      Fact("Smallest eigenvalue", design.smallestEigenvalue), Fact("Largest eigenvalue", design.largestEigenvalue),
      Fact("Error over the best in the supremum norm, at most", design.supremumFactor),
    ]
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    try DPPLeastSquaresClaim(settings: settings).evidence()
  }
}
