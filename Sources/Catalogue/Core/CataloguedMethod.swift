/// A method as the catalogue offers it: its card, its command and its executable claim.
///
/// Each conforming type is one small file that adapts the method's own API; it computes nothing itself. Inputs and
/// parameters are stored properties, which the card lists and by which a request is read:
///
/// ```swift
/// let cost = MethodInput("cost", "Cost of moving a unit of mass.", shape: "[n, m]")
/// let tolerance = MethodParameter("tolerance", "Largest marginal error.", default: 1e-9, in: .above(0))
///
/// func run(_ request: RunRequest) throws -> RunOutcome {
///   let plan = try SinkhornNewton(tolerance: request[tolerance]).solve(cost: request.matrix(cost), ...)
///   ...
/// }
/// ```
public protocol CataloguedMethod: Sendable {
  var card: MethodCard { get }

  /// Runs the method on a person's files. Inputs and parameters have been checked against the card.
  func run(_ request: RunRequest) throws -> RunOutcome

  /// Repeats the paper's headline experiment at laptop scale, or at full scale if the settings say so.
  func reproduce(_ settings: ClaimSettings) throws -> Evidence
}
