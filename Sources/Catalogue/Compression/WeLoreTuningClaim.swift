import CatalogueCore
import Compression
import Experiments
import Networks
import Tensors

/// Training after the compression: of low-rank components alone, of all of the blocks, and of what stayed dense.
struct WeLoreTuningClaim {
  let settings: ClaimSettings
  let character: CharacterModel
  /// The loss of the model before it was compressed.
  let full: Double
  private let steps = 120

  /// One way to train, and what came of it.
  private struct Outcome {
    let name: String
    let share: Double
    let model: GPT<Float>
    let curve: [Double]
    var loss: Double { curve[curve.count - 1] }
  }

  func add(to evidence: inout Evidence) throws {
    let plain = try compressed(nil)
    let outcomes = try compare(plain, title: "\(steps) steps of AdamW, kept 0.5", &evidence)
    let (everything, factors) = (outcomes[0], outcomes[1])
    let before = factors.curve[0]
    evidence.check(
      "share of the gap that low-rank components alone close", claimed: "≥ 0.6",
      measured: (before - factors.loss) / (before - full), .atLeast(0.6))
    evidence.check(
      "loss of low-rank components alone minus that of all", claimed: "≤ 0.01",
      measured: factors.loss - everything.loss,
      .atMost(0.01))
    let (start, end) = (plain.parameters, factors.model.parameters)
    let frozen = start.names.filter { !isFactor($0) }.allSatisfy { start[$0] == end[$0] }
    evidence.check("what was not trained is bit-identical", claimed: "yes", measured: frozen, holds: frozen)

    // Nearly all matrices are low-rank components above; with this rule both kinds are there.
    let mixed = try compare(
      try compressed(0.6), title: "\(steps) steps of AdamW, kept 0.5, components with 0.6 of the rank gone", &evidence)
    evidence.check(
      "loss with the other matrices trained minus that with low-rank components, both kinds there",
      claimed: "clearly above 0", measured: mixed[2].loss - mixed[1].loss, .above(0))
  }

  private func compressed(_ minimumReduction: Double?) throws -> GPT<Float> {
    try PlannedCompression(WeLore(minimumReduction: minimumReduction)).compress(character.model, keeping: 0.5).model
  }

  private func isFactor(_ name: String) -> Bool { name.hasSuffix(".left") || name.hasSuffix(".right") }

  private func compare(_ small: GPT<Float>, title: String, _ evidence: inout Evidence) throws -> [Outcome] {
    let outcomes = try [
      tuned("all of the blocks", small) { $0.hasPrefix("model.layers") },
      tuned("low-rank components", small, where: isFactor),
      tuned("the other matrices", small) { $0.hasPrefix("model.layers") && $0.hasSuffix("proj.weight") },
      tuned("additions of rank 8 to low-rank components", adapted(small, rank: 8), where: isFactor),
    ]
    var table = Table(title, columns: ["what is trained", "part of the blocks' numbers before", "held-out loss"])
    table.add(["nothing", 0.0, outcomes[0].curve[0]])
    for outcome in outcomes { table.add([outcome.name, outcome.share, outcome.loss]) }
    evidence.tables.append(table)
    evidence.plots.append(
      Plot(
        title, x: "step", y: "held-out loss in nats",
        outcomes.map { outcome in
          Series(outcome.name, x: outcome.curve.indices.map { Double($0 * 20) }, y: outcome.curve, .lineAndPoints)
        }, marks: [.horizontal(at: full, "uncompressed")]))
    return outcomes
  }

  private func tuned(
    _ name: String, _ model: GPT<Float>, where isTrainable: (String) -> Bool
  ) throws -> Outcome {
    var curve = [character.heldOutLoss(of: model)]
    let all = count(in: character.model) { _ in true }
    let learned = count(in: model, where: isTrainable)
    let result = try character.fineTuned(model, steps: steps, seed: settings.seed, where: isTrainable) { step, model in
      try settings.progress.report(step, of: steps, name)
      if (step + 1) % 20 == 0 { curve.append(character.heldOutLoss(of: model)) }
    }
    return Outcome(name: name, share: Double(learned) / Double(max(all, 1)), model: result, curve: curve)
  }

  /// The numbers of the blocks.
  private func count(in model: GPT<Float>, where isCounted: (String) -> Bool) -> Int {
    let parameters = model.parameters
    return zip(parameters.names, parameters.tensors).reduce(0) { sum, parameter in
      sum + (parameter.0.hasPrefix("model.layers") && isCounted(parameter.0) ? parameter.1.count : 0)
    }
  }

  /// The same network with its factors fixed, and beside them products that start at zero.
  private func adapted(_ small: GPT<Float>, rank: Int) -> GPT<Float> {
    var random = settings.random.child(7)
    let forms = small.linearLayers.map { name, layer -> (String, LinearForm<Float>?) in
      guard case .lowRank(let left, let right) = layer.form else { return (name, nil) }
      let start = random.normal([rank, right.columns], of: Float.self) * Float(1 / Double(right.columns).squareRoot())
      return (name, .corrected(base: left.matmul(right), left: .zeros([left.rows, rank]), right: start))
    }
    return small.installing(forms)
  }
}
