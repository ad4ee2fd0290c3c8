import CatalogueCore
import Tensors

/// A method with every kind of input and parameter: the weighted mean of a matrix's rows.
struct ToyMethod: CataloguedMethod {
  enum Rule: String, ParameterChoice { case plain, weighted }

  let data = MethodInput("data", "One point a row.", shape: "[points, coordinates]")
  let weights = MethodInput("weights", "Weight of each point.", shape: "[points]", isRequired: false)
  let extras = MethodInput(tensors: "extras", "More arrays, counted only.", isRequired: false)
  let rule = MethodParameter("rule", "How points count.", default: Rule.plain)
  let scale = MethodParameter("scale", "Factor on the mean.", default: 1.0, in: .above(0, atMost: 10))
  let repeats = MethodParameter("repeats", "How often the mean is taken.", default: 1, in: .atLeast(1))
  let centred = MethodParameter("centred", "Subtract the mean of the coordinates.", default: false)
  let limit = MethodParameter(
    "limit", "Largest norm of the result; none for no limit.", default: Int?(100), in: .atLeast(1))
  let factors = MethodParameter("factors", "A factor for each coordinate.", default: [Double](), in: .atLeast(-1))
  let mean = MethodOutput("mean", "The mean point.", shape: "[coordinates]")

  /// What the claim measures; tests choose it.
  var measured = 0.5
  var failure: InvalidArgument?

  var card: MethodCard {
    MethodCard(
      id: "toy-mean", module: "Toys", title: "The Mean of \"Points\" & <Their> Friends",
      paper: Paper("Nobody et al.", 2020, venue: "Journal of Means", arXiv: "0000.00000"),
      summary: "Takes the mean of points, each with its weight, and scales it.", inputs: [data, weights, extras],
      parameters: [rule, scale, repeats, centred, limit, factors], outputs: [mean],
      example: "apus run toy-mean data=points.npy --scale 2", claim: "The mean of uniform numbers is one half.",
      pending: ["Medians wait for sorting."])
  }

  func run(_ request: RunRequest) throws -> RunOutcome {
    let points = try request.matrix(data)
    var result = points.mean(axis: 0) * request[scale]
    if request.isGiven(weights), request[rule] == .weighted {
      let weights = try request.vector(weights)
      result = (points * weights.expanded(axis: 1)).sum(axis: 0) / weights.sum() * request[scale]
    }
    if request[centred] { result = result - result.mean() }
    for step in 0..<request[repeats] { try request.progress.report(step, of: request[repeats]) }
    let largest = result.absolute().maximum().scalar
    return RunOutcome(
      summary: [Fact("Points", points.rows), Fact("Largest coordinate", largest), Fact("Limit", request[limit])],
      tables: [
        Table("Coordinates", columns: ["coordinate", "mean"], rows: result.scalars.enumerated().map { [$0, $1] })
      ],
      plots: [Plot("Mean", x: "coordinate", y: "mean", [Series("", result.scalars, .bars)])],
      outputs: [OutputArray(mean, result)])
  }

  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    if let failure { throw failure }
    var evidence = Evidence()
    evidence.check("mean", claimed: "0.5", measured: measured, .near(0.5, tolerance: 0.01))
    evidence.check("size", claimed: "full runs are larger", measured: settings.size(quick: 1, full: 2), holds: true)
    evidence.plots = [Plot("History", x: "step", y: .logarithmic("error"), [Series("toy", [1, 0.1, 0.01])])]
    evidence.notes = ["A toy."]
    return evidence
  }
}
