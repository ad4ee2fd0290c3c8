import CatalogueCore
import Compression
import Experiments
import Networks
import SpecialFunctions
import Tensors

/// Ranks on the trained character model: losses by rule and budget, and where the ranks go.
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
      if settings.isFull, kept == 0.5 {
        try WeLoreTuningClaim(settings: settings, character: character, full: full).add(to: &evidence)
      }
    }
    evidence.tables.append(table)
    evidence.check(
      "median rank fraction of v, gate, up minus that of q and k, character model, least of the budgets",
      claimed: "above 0", measured: narrowest, .above(0))
  }

  private func gap(_ small: NetworkCompression<GPT<Float>>) -> Double {
    func medianFraction(_ parts: [String]) -> Double {
      let fractions = small.layers.filter { layer in parts.contains { layer.name.hasSuffix(".\($0)_proj") } }
        .map { Double($0.result.form?.rank ?? $0.shape.min() ?? 1) / Double($0.shape.min() ?? 1) }
      return median(fractions)
    }
    let queries = medianFraction(["q", "k"])
    return ["v", "gate", "up"].map { medianFraction([$0]) - queries }.min() ?? 0
  }
}
