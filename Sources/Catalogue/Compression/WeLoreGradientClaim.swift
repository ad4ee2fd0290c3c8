import CatalogueCore
import Compression
import Experiments
import Networks
import Optimizers
import SpecialFunctions
import Tensors

/// The gradients of a character model while it learns, beside the weights that they lead to; and GaLore, which trains by
/// their leading directions alone.
struct WeLoreGradientClaim {
  let settings: ClaimSettings

  private var steps: Int { settings.size(quick: 120, full: 900) }
  private var batch: Int { settings.size(quick: 4, full: 8) }
  private let rate = 2e-3

  func add(to evidence: inout Evidence) throws {
    let character = try CharacterModel()
    let seeds = Array(settings.seed..<settings.seed + settings.size(quick: 1, full: 3))
    for seed in seeds {
      let link = try link(character, seed: seed)
      if seed == seeds[0] { show(link, &evidence) }
      evidence.check(
        "rank correlation of low-rankness, gradients and weights of \(link.rows.count) matrices, seed \(seed)",
        claimed: "above 0", measured: link.rankCorrelation ?? .nan, .above(0))
      let square = GradientLink(rows: link.rows.filter { $0.history.rows == $0.history.columns })
      evidence.notes.append(
        "Seed \(seed): among the \(square.rows.count) square matrices alone the rank correlation is "
          + "\((square.rankCorrelation ?? .nan).formatted(digits: 3)), for an oblong matrix has more directions for its "
          + "short side. How steady the gradients' leading 8 directions are has a rank correlation of "
          + "\((link.alignmentCorrelation ?? .nan).formatted(digits: 3)) with the weights' low-rankness.")
    }
    evidence.notes.append(
      "Gradients are of \(steps) steps from random weights, on \(batch) windows of 128 characters each.")
    if settings.isFull { try galore(character, &evidence) }
  }

  private func start(_ character: CharacterModel, seed: UInt64) throws -> (
    model: GPT<Float>, training: LanguageTraining
  ) {
    var random = RandomStream(seed: seed).child(5)
    let model = try GPT<Float>(character.model.configuration, random: &random)
    let schedule = Schedule.constant.warmedUp(over: 20)
    return (model, LanguageTraining(steps: steps, batchSize: batch, schedule: schedule, random: random.split()))
  }

  private func link(_ character: CharacterModel, seed: UInt64) throws -> GradientLink {
    let (initial, training) = try start(character, seed: seed)
    var model = initial
    var optimizer = AdamW<Float>(learningRate: rate, secondDecay: 0.95, weightDecay: 0.1)
    var tracker = try GradientRankTracker<Float>(where: { $0.contains("layers.") })
    let interval = max(1, steps / 18)
    try training.run(
      &model, optimizer: &optimizer, on: character.train,
      afterGradient: { step, gradient in
        try settings.progress.report(step, of: steps, "gradients, seed \(seed)")
        if step % interval == 0 { try tracker.record(gradient, at: step) }
      }, scores: { $0($1, in: $2) })
    return try tracker.link(to: model.parameters)
  }

  private func role(_ name: String) -> String {
    ["q", "k", "v", "o", "gate", "up", "down"].first { name.contains(".\($0)_proj") } ?? "other"
  }

  private func show(_ link: GradientLink, _ evidence: inout Evidence) {
    var table = Table(
      "Gradients and the weights they lead to, medians over the layers",
      columns: ["matrix", "1 - rank of gradients", "1 - rank of weight", "similarity", "steadiness of directions"],
      caption: "Ranks hold 0.9 of the squared norm, over the short side; similarity and steadiness are of successive "
        + "recorded steps.")
    var series: [Series] = []
    for role in ["q", "k", "v", "o", "gate", "up", "down"] {
      let rows = link.rows.filter { self.role($0.history.name) == role }
      let (gradients, weights) = (rows.map(\.history.lowRankness), rows.map { 1 - $0.weightRankFraction })
      table.add([
        role, median(gradients), median(weights), median(rows.compactMap(\.history.meanSimilarity)),
        median(rows.compactMap(\.history.meanAlignment)),
      ])
      series.append(Series(role, x: gradients, y: weights, .points))
    }
    evidence.tables.append(table)
    evidence.plots.append(
      Plot(
        "Low-rank gradients and low-rank weights", caption: "One point a matrix.", x: "1 - mean rank of its gradients",
        y: "1 - rank of the weight", series))
  }

  /// Not asserted: the specification has GaLore as a point of comparison.
  private func galore(_ character: CharacterModel, _ evidence: inout Evidence) throws {
    var table = Table(
      "The same \(steps) steps by GaLore", columns: ["optimizer", "numbers kept beside the weights", "held-out loss"],
      caption: "GaLore at rank 32 of 128, chosen anew every 200 steps, scale 0.25, rate 0.01, on the blocks' matrices.")
    var (model, training) = try start(character, seed: settings.seed)
    var full = AdamW<Float>(learningRate: rate, secondDecay: 0.95, weightDecay: 0.1)
    try training.run(&model, optimizer: &full, on: character.train, scores: { $0($1, in: $2) })
    table.add([
      "AdamW", full.state.tensors.tensors.reduce(0) { $0 + $1.count }, character.heldOutLoss(of: model),
    ])
    (model, training) = try start(character, seed: settings.seed)
    var projected = GaLore<Float>(
      learningRate: 1e-2, rank: 32, rest: AdamW(learningRate: rate, secondDecay: 0.95, weightDecay: 0.1),
      isProjected: { $0.contains("layers.") })
    try training.run(&model, optimizer: &projected, on: character.train, scores: { $0($1, in: $2) })
    table.add(["GaLore", projected.stateCount, character.heldOutLoss(of: model)])
    evidence.tables.append(table)
  }
}
