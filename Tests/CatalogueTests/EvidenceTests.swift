import CatalogueCore
import Foundation
import Tensors
import Testing

@Suite struct EvidenceTests {
  static let bounds: [(Bound, inside: Double, outside: Double)] = [
    (.atMost(2), 2, 2.000001), (.below(2), 1.9999, 2), (.atLeast(2), 2, 1.999999), (.above(2), 2.0001, 2),
    (.within(1...2), 1, 2.1), (.near(1, tolerance: 0.5), 0.5, 1.500001),
  ]

  @Test(arguments: bounds.indices) func boundsHoldWhereTheySay(_ i: Int) {
    let (bound, inside, outside) = Self.bounds[i]
    #expect(Check("x", claimed: "1", measured: inside, bound).passed, "\(bound)")
    #expect(!Check("x", claimed: "1", measured: outside, bound).passed, "\(bound)")
    #expect(!Check("x", claimed: "1", measured: .nan, bound).passed, "NaN passes \(bound)")
    #expect(!bound.text.isEmpty)
  }

  @Test func noChecksMeanNotPassed() {
    #expect(!Evidence().passed)
  }

  @Test func oneFailureFailsAll() {
    var evidence = Evidence()
    evidence.check("a", claimed: 1, measured: 1, .atMost(1))
    #expect(evidence.passed)
    evidence.check("b", claimed: "yes", measured: "no", holds: false)
    #expect(!evidence.passed)
    #expect(evidence.checks.map(\.passed) == [true, false])
  }

  @Test func aReproductionIsTheContractsObject() throws {
    let reproduction = try Reproduction(of: ToyMethod(), ClaimSettings(isFull: true, seed: 9))
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(reproduction.json.text.utf8)) as? [String: Any])
    #expect(Set(object.keys) == ["id", "passed", "seconds", "checks"])
    #expect(object["id"] as? String == "toy-mean")
    #expect(object["passed"] as? Bool == true)
    let checks = try #require(object["checks"] as? [[String: Any]])
    #expect(checks.count == 2)
    #expect(Set(checks[0].keys) == ["name", "claimed", "measured", "bound", "passed"])
    #expect(checks[0]["measured"] as? Double == 0.5)
    #expect(checks[1]["measured"] as? Double == 2, "the full size was asked for")
    #expect(reproduction.command == "apus reproduce toy-mean --full --seed 9")
  }

  @Test func anErrorIsAFailedCheck() throws {
    var toy = ToyMethod()
    toy.failure = InvalidArgument("cost", found: "NaN", wanted: "numbers")
    let reproduction = try Reproduction(of: toy, ClaimSettings())
    #expect(!reproduction.passed)
    #expect(reproduction.evidence.checks[0].measured.text.contains("cost: found NaN"))
  }

  @Test func cancellationIsThrownOn() async {
    struct Endless: CataloguedMethod {
      var card: MethodCard { ToyMethod().card }
      func run(_ request: RunRequest) throws -> RunOutcome { RunOutcome() }
      func reproduce(_ settings: ClaimSettings) throws -> Evidence {
        for step in 0... { try settings.progress.report(step, of: .max) }
        return Evidence()
      }
    }
    let work = Task.detached { try Reproduction(of: Endless(), ClaimSettings()) }
    work.cancel()
    await #expect(throws: CancellationError.self) { try await work.value }
  }
}
