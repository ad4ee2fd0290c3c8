import CatalogueCore
import Compression
import Experiments
import Networks
import Tensors

/// Ranks on the trained character model: losses by rule and budget, where the ranks go, and training of factors alone.
struct WeLoreTrainedClaim {
  let settings: ClaimSettings

  func add(to evidence: inout Evidence) throws {
    let character = try CharacterModel()
    let full = character.heldOutLoss(of: character.model)
    let rules: [(String, RankRule)] = [("WeLore", .normalizedThreshold), ("energy", .energy)]
    var table = Table(
      "Held-out loss of the character model in nats", columns: ["kept", "uniform", "WeLore", "energy"],
      caption: "The model itself: \(Datum.number(full).text). Uniform: the same fraction of each matrix's parameters.")
    var narrowest = Double.infinity
    for kept in settings.size(quick: [0.5, 0.4], full: [0.8, 0.7, 0.6, 0.5, 0.4]) {
      try settings.progress.report(0, of: 1, "character model, kept \(kept)")
      let uniform = try SAESSVD(mode: .plain).compress(character.model, keeping: kept)
      let networks = try rules.map {
        try PlannedCompression(WeLore(rule: $0.1)).compress(character.model, keeping: kept)
      }
      let losses = ([uniform] + networks).map { character.heldOutLoss(of: $0.model) }
      table.add([kept, losses[0], losses[1], losses[2]])
      narrowest = min(narrowest, gap(networks[0]))
      if kept <= 0.5 {
        evidence.check(
          "loss added by WeLore over that of uniform ranks, character model, kept \(kept)",
          claimed: kept == 0.4 ? "≤ 0.70" : "below 1", measured: (losses[1] - full) / (losses[0] - full),
          kept == 0.4 ? .atMost(0.7) : .below(1))
      }
      if settings.isFull, kept == 0.5 { try fineTuning(character, networks[0], full, &evidence) }
    }
    evidence.tables.append(table)
    evidence.check(
      "median rank fraction of v, gate, up minus that of q and k, character model, least of the budgets",
      claimed: "above 0", measured: narrowest, .above(0))
  }

  private func gap(_ small: NetworkCompression<GPT<Float>>) -> Double {
    func median(_ parts: [String]) -> Double {
      let fractions = small.layers.filter { layer in parts.contains { layer.name.hasSuffix(".\($0)_proj") } }
        .map { Double($0.result.form?.rank ?? $0.shape.min() ?? 1) / Double($0.shape.min() ?? 1) }.sorted()
      return fractions[fractions.count / 2]
    }
    let queries = median(["q", "k"])
    return ["v", "gate", "up"].map { median([$0]) - queries }.min() ?? 0
  }

  /// 120 steps on all parameters of the blocks, on factors alone, and on the matrices that stayed dense.
  private func fineTuning(
    _ character: CharacterModel, _ small: NetworkCompression<GPT<Float>>, _ full: Double, _ evidence: inout Evidence
  ) throws {
    func tuned(_ isTrainable: (String) -> Bool) -> GPT<Float> {
      character.fineTuned(small.model, steps: 120, seed: settings.seed, where: isTrainable)
    }
    func isFactor(_ name: String) -> Bool { name.hasSuffix(".left") || name.hasSuffix(".right") }
    let before = character.heldOutLoss(of: small.model)
    let everything = character.heldOutLoss(of: tuned { $0.hasPrefix("model.layers") })
    let learned = tuned(isFactor)
    let factors = character.heldOutLoss(of: learned)
    let dense = character.heldOutLoss(of: tuned { $0.hasPrefix("model.layers") && $0.hasSuffix("proj.weight") })
    evidence.tables.append(
      Table(
        "120 steps of AdamW, kept 0.5", columns: ["what is trained", "held-out loss"],
        rows: [
          ["nothing", before], ["all of the blocks", everything], ["low-rank components", factors],
          ["the other matrices", dense],
        ]))
    evidence.check(
      "share of the gap that low-rank components alone close", claimed: "≥ 0.6",
      measured: (before - factors) / (before - full), .atLeast(0.6))
    evidence.check(
      "loss of low-rank components alone minus that of all", claimed: "≤ 0.01", measured: factors - everything,
      .atMost(0.01))
    let start = small.model.parameters
    let end = learned.parameters
    let frozen = start.names.filter { !isFactor($0) }.allSatisfy { start[$0] == end[$0] }
    evidence.check("what was not trained is bit-identical", claimed: "yes", measured: frozen, holds: frozen)
  }
}
