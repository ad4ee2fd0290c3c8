/// One claim, executed: what was found and how long it took.
public struct Reproduction: Sendable {
  public let id: String
  public let seed: UInt64
  public let isFull: Bool
  public let seconds: Double
  public let evidence: Evidence

  public var passed: Bool { evidence.passed }

  /// The command line that repeats it.
  public var command: String {
    "apus reproduce \(id)" + (isFull ? " --full" : "") + (seed == ClaimSettings().seed ? "" : " --seed \(seed)")
  }

  /// Executes a method's claim. An error that stops the experiment is a failed check, so that the claims after it still
  /// run; only cancellation is thrown on.
  public init(of method: any CataloguedMethod, _ settings: ClaimSettings) throws {
    let clock = ContinuousClock()
    let start = clock.now
    var evidence: Evidence
    do {
      evidence = try method.reproduce(settings)
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      evidence = Evidence()
      evidence.check("the experiment runs to its end", claimed: "yes", measured: "\(error)", holds: false)
    }
    self.id = method.card.id
    self.seed = settings.seed
    self.isFull = settings.isFull
    self.evidence = evidence
    self.seconds = (clock.now - start) / .seconds(1)
  }

  /// The object that `apus reproduce --json` prints.
  public var json: JSONValue {
    let checks = evidence.checks.map { check -> JSONValue in
      [
        "name": .string(check.name), "claimed": check.claimed.json, "measured": check.measured.json,
        "bound": .string(check.bound), "passed": .boolean(check.passed),
      ]
    }
    return [
      "id": .string(id), "passed": .boolean(passed), "seconds": .number(seconds), "checks": .array(checks),
    ]
  }
}
