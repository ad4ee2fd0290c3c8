import CatalogueCore
import Compression
import Datasets
import Experiments
import Networks
import Optimizers
import Tensors

/// A teacher whose structure the student shares; a character model with structured layers; and times at width 1,024.
struct StructuredFFNClaim {
  let settings: ClaimSettings

  private typealias FFN = StructuredFeedForward<Float>

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try teacher(&evidence)
    try languageModel(&evidence)
    try times(&evidence)
    evidence.notes += [
      "The first block of the language model stays dense, as in the paper. The paper's gaps in perplexity, of models of 110M "
        + "parameters and more, do not show at this size: the language model checks that structured layers keep up.",
      "Times are of this machine and moment, and are not asserted.",
    ]
    if !settings.isFull {
      evidence.notes.append(
        "The language model takes 350 steps only in the full size; here 120, with 0.1 nats allowed.")
    }
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
    evidence.notes.append(
      "The mean loss of self-guided students is \((mean(guided) / mean(plain)).formatted(digits: 3)) of the plain ones'. "
        + "The specification asks for at most 0.6 (its prototype: 0.40); the factor is not asserted, only which is better."
    )
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
    var random = RandomStream(seed: seed)
    func teacherWeight(_ inputs: Int, _ outputs: Int) throws -> Tensor<Float> {
      guard let teacherRank else { return Initializer.leCunNormal([outputs, inputs], from: &random) }
      return try LowRankLinear<Float>(inputs, outputs, rank: teacherRank, hasBias: false, random: &random).dense()
    }
    let first = try teacherWeight(32, 128)
    let second = try teacherWeight(128, 32)
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

  // MARK: Language model

  private func languageModel(_ evidence: inout Evidence) throws {
    let corpus = Datasets.shakespearePlays()
    let tokenizer = CharacterTokenizer(alphabetOf: corpus.text)
    let parts = corpus.split(heldOut: 0.1)
    let train = try TokenWindows(tokenizer.encode(parts.train.text), length: 64)
    let heldOut = try TokenWindows(tokenizer.encode(parts.heldOut.text), length: 64)
    let vocabulary = (train.tokens.max().map(Int.init) ?? 66) + 1
    let steps = settings.size(quick: 120, full: 350)
    let kinds: [(String, LinearStructure, Int, Bool)] =
      [("dense", .dense, 65_536, false), ("low rank 16", .lowRank(16), 20_480, false)]
      + (settings.isFull
        ? [
          ("low rank 8", .lowRank(8), 10_240, false), ("low rank 8, self-guided", .lowRank(8), 10_240, true),
          ("low rank 16, self-guided", .lowRank(16), 20_480, true),
          ("block-shuffle 4", .blockShuffle(blocks: 4), 20_480, false),
          ("block-dense 16, 2", .blockDense(rank: 16, blocks: 2), 17_920, false),
        ] : [("block-shuffle 4", .blockShuffle(blocks: 4), 20_480, false)])
    var table = Table("Character model", columns: ["feed-forward layers", "numbers in them", "held-out loss"])
    var dense = 0.0
    var series: [Series] = []
    for (name, structure, numbers, isGuided) in kinds {
      var random = RandomStream(seed: settings.seed)
      var model = try StructuredDecoder(
        vocabulary: max(vocabulary, 67), structure: structure, isGuided: isGuided, random: &random)
      var optimizer = AdamW<Float>(learningRate: 4e-3, firstDecay: 0.9, secondDecay: 0.95, weightDecay: 0.1)
      let schedule = Schedule.cosine(steps: steps - 50, floor: 0.1).warmedUp(over: 50)
      let guidance = try SelfGuidance()
      var losses: [Double] = []
      for step in 0..<steps {
        if isGuided { guidance.apply(to: &model, step: step, of: steps) }
        let batch = train.batch(at: step, size: 16, random: RandomStream(seed: settings.seed))
        let (loss, gradient) = model.valueAndGradient { crossEntropy($0(batch.inputs), labels: batch.targets) }
        optimizer.update(&model, along: gradient, rateFactor: schedule(step))
        losses.append(Double(loss.scalar))
      }
      let batch = heldOut.consecutive(0..<128)
      let loss = Double(crossEntropy(model(batch.inputs), labels: batch.targets).scalar)
      table.add([name, model.structuredWeights, loss])
      series.append(Series(name, smooth(losses)))
      evidence.check(
        "numbers in the feed-forward layers of blocks 2 and 3, \(name)", claimed: numbers,
        measured: model.structuredWeights, holds: model.structuredWeights == numbers)
      if structure == .dense {
        dense = loss
      } else if !isGuided {
        evidence.check(
          "held-out loss above dense, \(name), in nats", claimed: "at most 0.05", measured: loss - dense,
          .atMost(settings.isFull ? 0.05 : 0.1))
      }
    }
    evidence.notes.append(
      "The character model is trained for \(steps) steps: the specification's 350 in the full form. Its run of 2,000 steps "
        + "at width 128 is not built. Losses of self-guided variants are shown, not asserted.")
    evidence.tables.append(table)
    evidence.plots.append(Plot("Training loss of the character model", x: "50 steps", y: "nats", series))
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

  private func mean(_ values: some Collection<Double>) -> Double { values.reduce(0, +) / Double(max(values.count, 1)) }

  private func smooth(_ losses: [Double]) -> [Double] {
    stride(from: 0, to: losses.count, by: 50).map { mean(losses[$0..<min($0 + 50, losses.count)]) }
  }
}

/// Three blocks of width 64: the first dense, the others with structured feed-forward layers.
private struct StructuredDecoder: Layer {
  typealias Scalar = Float

  var embedding: Embedding<Float>
  var blocks: [Block]
  var norm: RMSNorm<Float>
  var head: Linear<Float>

  struct Block: Module {
    var attentionNorm: RMSNorm<Float>
    var attention: Attention<Float>
    var norm: RMSNorm<Float>
    var feedForward: StructuredFeedForward<Float>

    mutating func visit(_ visitor: Visitor<Float>) {
      visitor.module("attention_norm", &attentionNorm)
      visitor.module("attention", &attention)
      visitor.module("norm", &norm)
      visitor.module("feed_forward", &feedForward)
    }
  }

  init(vocabulary: Int, structure: LinearStructure, isGuided: Bool, random: inout RandomStream) throws {
    let initializer = Initializer.normal(deviation: 0.02)
    let positions = RotaryPositions<Float>(width: 32, count: 64)
    embedding = Embedding(vocabulary, 64, initializer: initializer, random: &random)
    blocks = try (0..<3).map { i in
      Block(
        attentionNorm: RMSNorm(64),
        attention: Attention(
          64, heads: 2, isCausal: true, positions: positions, initializer: initializer, random: &random),
        norm: RMSNorm(64),
        feedForward: try StructuredFeedForward(
          64, structure: i == 0 ? .dense : structure, hasBias: false, isGuided: isGuided, random: &random))
    }
    norm = RMSNorm(64)
    head = Linear(weight: initializer([vocabulary, 64], from: &random))
  }

  var structuredWeights: Int { blocks.dropFirst().reduce(0) { $0 + $1.feedForward.weightCount } }

  func callAsFunction(_ tokens: Tensor<Int>) -> Tensor<Float> { self(embedding(tokens), in: .inference) }

  func callAsFunction(_ x: Tensor<Float>, in pass: ForwardPass) -> Tensor<Float> {
    var x = x
    for block in blocks {
      x = x + block.attention(block.attentionNorm(x), in: pass)
      x = x + block.feedForward(block.norm(x), in: pass)
    }
    return head(norm(x))
  }

  mutating func visit(_ visitor: Visitor<Float>) {
    visitor.module("embedding", &embedding)
    visitor.modules("blocks", &blocks)
    visitor.module("norm", &norm)
    visitor.module("head", &head)
  }
}
