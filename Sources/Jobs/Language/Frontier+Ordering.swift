import CatalogueCore
import Tensors

/// Two ways to make a model smaller of which one is claimed to do less damage, and what was measured.
public struct OrderingCheck: Sendable {
  public enum Verdict: String, Sendable {
    case holds, level
    case fails = "does not hold"
  }

  /// What is claimed, in words.
  public var claim: String
  public var setting: String
  public var better: String
  public var worse: String
  public var betterDamage: Double
  public var worseDamage: Double
  /// Of the difference of the damages, from the windows or sentences that both were measured on.
  public var standardError: Double
  public var verdict: Verdict
  /// Why it does not hold, as far as the figures tell.
  public var reason: String
}

extension Frontier {
  /// What the papers claim of the methods here: which does less damage than which at the same setting.
  private static let claims: [(better: String, worse: String, claim: String)] = [
    ("welore", "svd", "a rank for each matrix by the spectra is better than the same share"),
    ("fwsvd", "svd", "weights that count by the loss are better than plain ones"),
    ("whitened-svd", "svd", "knowing the inputs is better than weights alone"),
    ("saes-svd", "whitened-svd", "making good the errors of layers before is better still"),
    ("cospadi", "whitened-svd", "sparse sums of atoms are better than low rank on the same inputs"),
    ("rounded + qera", "rounded", "repaired weights are better than rounded ones"),
  ]

  /// Whether the order that the papers claim is found here, at every ratio and in every format.
  public var ordering: [OrderingCheck] {
    var settings: [String] = []
    for point in points where !settings.contains(point.setting) { settings.append(point.setting) }
    return settings.flatMap { setting -> [OrderingCheck] in
      Self.claims.compactMap { claim in
        guard let better = point(claim.better, setting), let worse = point(claim.worse, setting) else { return nil }
        return check(better, worse, claim.claim)
      }
    }
  }

  private func check(_ better: FrontierPoint, _ worse: FrontierPoint, _ claim: String) -> OrderingCheck? {
    guard better.damage.isFinite, worse.damage.isFinite else { return nil }
    let error = Self.standardError(better.evaluation.samples, worse.evaluation.samples)
    let difference = better.damage - worse.damage
    var verdict = OrderingCheck.Verdict.holds
    if abs(difference) <= 2 * error { verdict = .level } else if difference > 0 { verdict = .fails }
    return OrderingCheck(
      claim: claim, setting: better.setting, better: better.method, worse: worse.method, betterDamage: better.damage,
      worseDamage: worse.damage, standardError: error, verdict: verdict,
      reason: reason(verdict, better, worse, error))
  }

  /// Of the mean of the differences between two models on the same windows or sentences.
  private static func standardError(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count, a.count > 1 else { return 0 }
    let differences = Tensor(zip(a, b).map { $0 - $1 })
    return (differences.variance().scalar / Double(a.count - 1)).squareRoot()
  }

  private func reason(
    _ verdict: OrderingCheck.Verdict, _ better: FrontierPoint, _ worse: FrontierPoint, _ error: Double
  ) -> String {
    switch verdict {
    case .holds: return ""
    case .level:
      return "the difference is within two standard errors of this text; measure on more to tell them apart"
    case .fails: break
    }
    if better.method == "fwsvd", !isDecoder {
      return "an encoder has no loss: its squared gradients are those of random directions of its vectors"
    }
    let poor = Set(better.warnings).count
    if poor > 0, better.method != "welore" {
      return "\(poor) warnings, the first: \(better.warnings[0]); give more --tokens"
    }
    func mean(_ errors: [Double]) -> Double { errors.reduce(0, +) / Double(max(errors.count, 1)) }
    let outputs = [better, worse].map { mean($0.layers.compactMap(\.outputError)) }
    let weights = [better, worse].map { mean($0.layers.map(\.weightError)) }
    if outputs[0] > outputs[1], weights[0] <= weights[1] {
      return "it keeps the weights better (mean error \(short(weights[0])) against \(short(weights[1]))) and not the "
        + "outputs of the layers (\(short(outputs[0])) against \(short(outputs[1])))"
    }
    if outputs[0] > outputs[1] {
      return "the outputs of its layers are farther off, too: mean error \(short(outputs[0])) against "
        + "\(short(outputs[1]))"
    }
    return "the outputs of its layers are nearer one by one (mean error \(short(outputs[0])) against "
      + "\(short(outputs[1]))), and their errors do more damage together"
  }

  /// The checks in one sentence.
  public var orderingSummary: String? {
    let checks = ordering
    guard !checks.isEmpty else { return nil }
    let level = checks.count { $0.verdict == .level }
    let holding = checks.count { $0.verdict == .holds }
    let failing = checks.filter { $0.verdict == .fails }.map { "\($0.better) at \($0.setting)" }
    return "holds in \(holding) of \(checks.count) comparisons, level in \(level)"
      + (failing.isEmpty ? "" : ", not: \(failing.joined(separator: ", "))")
  }

  /// The checks that fail, for a terminal.
  var notHolding: Table? {
    let checks = ordering.filter { $0.verdict == .fails }
    guard !checks.isEmpty else { return nil }
    var table = Table("Where the papers' order does not hold", columns: ["at", "less damage", "than", "why"])
    for check in checks {
      let (better, worse) = (
        "\(check.better) \(short(check.betterDamage))", "\(check.worse) \(short(check.worseDamage))"
      )
      table.add([check.setting, better, worse, check.reason])
    }
    return table
  }

  /// The checks as a table; nothing when no two methods can be compared.
  var orderingTable: Table? {
    let checks = ordering
    guard !checks.isEmpty else { return nil }
    var table = Table(
      "The order that the papers claim",
      columns: ["at", "less damage", "than", "damage", "against", "verdict", "claim", "why not"],
      caption: "Level: within two standard errors of the difference, on the windows or sentences measured on.")
    for check in checks {
      table.add([
        check.setting, check.better, check.worse, check.betterDamage, check.worseDamage, check.verdict.rawValue,
        check.claim, check.reason,
      ])
    }
    return table
  }

  var orderingJSON: JSONValue {
    .array(
      ordering.map { check in
        [
          "claim": .string(check.claim), "setting": .string(check.setting), "better": .string(check.better),
          "worse": .string(check.worse), "better_damage": .number(check.betterDamage),
          "worse_damage": .number(check.worseDamage), "standard_error": .number(check.standardError),
          "verdict": .string(check.verdict.rawValue), "reason": .string(check.reason),
        ]
      })
  }
}
