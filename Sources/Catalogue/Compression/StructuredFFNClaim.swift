import CatalogueCore
import Compression
import Networks
import Optimizers
import SpecialFunctions
import Tensors

/// A teacher whose structure the student shares; a character model with structured layers; and times at width 1,024.
struct StructuredFFNClaim {
  let settings: ClaimSettings

  private typealias FFN = StructuredFeedForward<Float>

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try teacher(&evidence)
    try StructuredLanguageClaim(settings: settings).add(to: &evidence)
    try times(&evidence)
    evidence.notes.append("Times are of this machine and moment, and are not asserted.")
    return evidence
  }

  // MARK: Teacher and student

  private func teacher(_ evidence: inout Evidence) throws {
    let seeds = Array(settings.seed..<settings.seed + 5)
    var plain: [Double] = []
    var guided: [Double] = []
    var curves: [Series] = []
    for seed in seeds {
      let a = try student(seed: seed, teacherRank: 8, rank: 8, isGuided: false)
      let b = try student(seed: seed, teacherRank: 8, rank: 8, isGuided: true)
      plain.append(mean(a.suffix(100)))
      guided.append(mean(b.suffix(100)))
      if seed == seeds[0] { curves = [Series("plain", smooth(a)), Series("self-guided", smooth(b))] }
      try settings.progress.report(plain.count, of: 10)
    }
    var table = Table("Final loss of the student, rank 8", columns: ["seed", "plain", "self-guided"])
    for (seed, losses) in zip(seeds, zip(plain, guided)) { table.add([Int(seed), losses.0, losses.1]) }
    evidence.tables.append(table)
    evidence.plots.append(
      Plot("Student and teacher", x: "50 steps", y: .logarithmic("loss"), curves))
    evidence.check(
      "mean loss of self-guided over that of plain students, 5 seeds", claimed: "0.40",
      measured: mean(guided) / mean(plain),
      .atMost(0.6))
    evidence.check(
      "seeds where self-guided training is better, of 5", claimed: "3 of 3",
      measured: Double(zip(plain, guided).count { $0 > $1 }), .atLeast(4))
    for rank in settings.size(quick: [16], full: [8, 16]) {
      let a = mean(try student(seed: settings.seed, teacherRank: nil, rank: rank, isGuided: false).suffix(100))
      let b = mean(try student(seed: settings.seed, teacherRank: nil, rank: rank, isGuided: true).suffix(100))
      evidence.check(
        "loss self-guided over plain at rank \(rank), teacher without structure",
        claimed: rank == 8 ? "0.81 / 0.78" : "0.435 / 0.435",
        measured: b / a, .within(0.9...1.1))
    }
  }

  /// The loss of every step.
  private func student(seed: UInt64, teacherRank: Int?, rank: Int, isGuided: Bool) throws -> [Double] {
    // One teacher for all students.
    var random = settings.random.child(9)
    func teacherWeight(_ inputs: Int, _ outputs: Int) throws -> Tensor<Float> {
      guard let teacherRank else { return Initializer.leCunNormal([outputs, inputs], from: &random) }
      return try LowRankLinear<Float>(inputs, outputs, rank: teacherRank, hasBias: false, random: &random).dense()
    }
    let first = try teacherWeight(32, 128)
    let second = try teacherWeight(128, 32)
    random = RandomStream(seed: seed)
    var model = try FFN(32, hidden: 128, structure: .lowRank(rank), hasBias: false, isGuided: isGuided, random: &random)
    var optimizer = Adam<Float>(learningRate: 2e-3)
    let steps = 1_500
    let schedule = Schedule.cosine(steps: steps, floor: 0.05)
    let guidance = try SelfGuidance()
    var losses: [Double] = []
    for step in 0..<steps {
      if isGuided { guidance.apply(to: &model, step: step, of: steps) }
      let x: Tensor<Float> = random.normal([128, 32])
      let y = Activation.gelu(linear(x, weight: first) * 3).matmul(second, transposingB: true) * 3
      let (loss, gradient) = model.valueAndGradient { squaredError($0(x), y) }
      optimizer.update(&model, along: gradient, rateFactor: schedule(step))
      losses.append(Double(loss.scalar))
    }
    return losses
  }

  // MARK: Times

  private func times(_ evidence: inout Evidence) throws {
    var random = RandomStream(seed: settings.seed)
    let kinds: [(String, LinearStructure)] = [
      ("dense", .dense), ("low rank 256", .lowRank(256)), ("block-dense 512, 2", .blockDense(rank: 512, blocks: 2)),
      ("block-shuffle 2", .blockShuffle(blocks: 2)),
    ]
    let many: Tensor<Float> = random.normal([512, 1_024])
    let one: Tensor<Float> = random.normal([1, 1_024])
    var table = Table(
      "Feed-forward layer 1,024 to 4,096 and back, milliseconds",
      columns: ["structure", "512 tokens", "dense / this", "1 token", "1 token, merged"])
    var dense = 0.0
    for (name, structure) in kinds {
      let layer = try FFN(1_024, structure: structure, random: &random)
      let merged = FeedForwardMerged(layer)
      let time = milliseconds { _ = layer(many) }
      if structure == .dense { dense = time }
      table.add([name, time, dense / time, milliseconds { _ = layer(one) }, milliseconds { _ = merged(one) }])
    }
    table.caption = "Not asserted. Whether multiplying out pays for one token is in the last two columns."
    evidence.tables.append(table)
  }

  private struct FeedForwardMerged {
    let input: Linear<Float>, output: Linear<Float>
    init(_ layer: FFN) { (input, output) = (layer.input.structured.merged(), layer.output.structured.merged()) }
    func callAsFunction(_ x: Tensor<Float>) -> Tensor<Float> { output(Activation.gelu(input(x))) }
  }

  private func milliseconds(_ body: () -> Void) -> Double {
    let clock = ContinuousClock()
    body()
    return (0..<5).map { _ in clock.measure(body) / .milliseconds(1) }.min() ?? .nan
  }

}

/// The mean of every 50 losses.
func smooth(_ losses: [Double]) -> [Double] {
  stride(from: 0, to: losses.count, by: 50).map { mean(losses[$0..<min($0 + 50, losses.count)]) }
}
