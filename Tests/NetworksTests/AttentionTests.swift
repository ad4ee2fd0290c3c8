import Networks
import Tensors
import TestSupport
import Testing

/// Attention one number at a time.
private func plainAttention(
  _ queries: Tensor<Double>, _ keys: Tensor<Double>, _ values: Tensor<Double>, isCausal: Bool, mask: Tensor<Bool>?
) -> Tensor<Double> {
  let (batch, count, heads, width) = (queries.shape[0], queries.shape[1], queries.shape[2], queries.shape[3])
  let (keyCount, keyHeads, valueWidth) = (keys.shape[1], keys.shape[2], values.shape[3])
  var result = Tensor<Double>.zeros([batch, count, heads, valueWidth])
  for b in 0..<batch {
    for h in 0..<heads {
      for i in 0..<count {
        let k = h / (heads / keyHeads)
        let seen = (0..<keyCount).filter { j in
          (mask?[at: b, j] ?? true) && (!isCausal || j <= i + keyCount - count)
        }
        let scores = seen.map { j in
          (0..<width).reduce(0.0) { $0 + queries[at: b, i, h, $1] * keys[at: b, j, k, $1] }
            / Double(width).squareRoot()
        }
        guard let largest = scores.max() else { continue }
        let weights = scores.map { Double.exp($0 - largest) }
        let total = weights.reduce(0, +)
        for (j, weight) in zip(seen, weights) {
          for d in 0..<valueWidth { result[at: b, i, h, d] += weight / total * values[at: b, j, k, d] }
        }
      }
    }
  }
  return result
}

struct AttentionTests {
  private struct Case {
    var queries: Tensor<Double>, keys: Tensor<Double>, values: Tensor<Double>
    var isCausal: Bool
    var mask: Tensor<Bool>?

    init(seed: UInt64, longest: Int) {
      var generator = TestGenerator(seed: seed)
      let batch = Int.random(in: 1...2, using: &generator)
      let keyHeads = Int.random(in: 1...2, using: &generator)
      let heads = keyHeads * Int.random(in: 1...2, using: &generator)
      let width = Int.random(in: 1...5, using: &generator)
      let keyCount = Int.random(in: 1...longest, using: &generator)
      isCausal = seed % 2 == 0
      let count = Int.random(in: 1...(isCausal ? keyCount : longest), using: &generator)
      queries = generator.tensor([batch, count, heads, width])
      keys = generator.tensor([batch, keyCount, keyHeads, width])
      values = generator.tensor([batch, keyCount, keyHeads, width + 1])
      let chances: Tensor<Double> = generator.tensor([batch, keyCount])
      mask = seed % 3 == 0 ? chances .> -0.3 : nil
    }

    func callAsFunction(_ x: [Tensor<Double>]) -> Tensor<Double> {
      scaledDotProductAttention(queries: x[0], keys: x[1], values: x[2], isCausal: isCausal, keyMask: mask)
    }
  }

  @Test(arguments: 0..<24) func attentionIsItsDefinition(seed: UInt64) {
    let c = Case(seed: seed, longest: seed < 12 ? 7 : 150)
    let wanted = plainAttention(c.queries, c.keys, c.values, isCausal: c.isCausal, mask: c.mask)
    #expect(distance(c([c.queries, c.keys, c.values]), wanted) < 1e-13, "seed \(seed)")
    let single = scaledDotProductAttention(
      queries: Tensor<Float>(c.queries), keys: Tensor<Float>(c.keys), values: Tensor<Float>(c.values),
      isCausal: c.isCausal, keyMask: c.mask)
    #expect(distance(Tensor<Double>(single), wanted) < 2e-6, "seed \(seed)")
  }

  @Test(arguments: 0..<12) func derivativesOfBothOrders(seed: UInt64) {
    let c = Case(seed: seed, longest: 6)
    expectDerivatives(at: [c.queries, c.keys, c.values], seed: seed) { c($0) }
  }

  /// The fused way back over several blocks of queries, against the tensor operations that second order uses.
  @Test(arguments: [0, 2, 6, 9] as [UInt64]) func longWaysBackAgree(seed: UInt64) {
    let c = Case(seed: seed, longest: 200)
    let inputs = [c.queries, c.keys, c.values]
    let weights = c(inputs).sin()
    func value(_ x: [Tensor<Double>]) -> Tensor<Double> { (c(x) * weights).sum() }
    let fused = valueAndGradients(at: inputs, of: value).gradients
    // Inside another transform the kernels step aside.
    _ = valueAndGradients(at: inputs) { x in
      let plain = valueAndGradients(at: x, of: value).gradients
      for (a, b) in zip(fused, plain) { #expect(distance(a, b.withoutDerivative) < 1e-12, "seed \(seed)") }
      return plain[0].sum()
    }
  }

  @Test func rotationsTurnPairsOfHalves() {
    var generator = TestGenerator(seed: 1)
    let x: Tensor<Double> = generator.tensor([2, 5, 3, 6])
    let turned = RotaryPositions<Double>(width: 6, count: 4)(x, from: 2)
    for p in 0..<5 {
      for i in 0..<3 {
        let angle = Double(p + 2) * Double.pow(10_000, -2 * Double(i) / 6)
        let (a, b) = (x[at: 1, p, 2, i], x[at: 1, p, 2, i + 3])
        #expect(abs(turned[at: 1, p, 2, i] - (a * .cos(angle) - b * .sin(angle))) < 1e-14)
        #expect(abs(turned[at: 1, p, 2, i + 3] - (b * .cos(angle) + a * .sin(angle))) < 1e-14)
      }
    }
    expectDerivatives(at: [x], seed: 1) { RotaryPositions<Double>(width: 6, count: 4)($0[0], from: 2) }
  }

  @Test(arguments: 0..<4) func cachedAttentionIsTheWhole(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let layer = Attention<Double>(
      12, heads: 4, keyValueHeads: 2, headWidth: 6, isCausal: true, normalizesHeads: seed % 2 == 0,
      positions: RotaryPositions(width: 6, count: 100), random: &random)
    let x: Tensor<Double> = random.normal([2, 80, 12])
    var cache = KeyValueCache<Double>()
    let parts = [x[.all, 0..<3], x[.all, 3..<4], x[.all, 4..<70], x[.all, 70..<80]].map { layer($0, cache: &cache) }
    #expect(distance(Tensor.concatenated(parts, axis: 1), layer(x)) < 1e-13)
    #expect(cache.count == 80)
  }

  @Test func crossAttentionReadsTheContext() {
    var random = RandomStream(seed: 2)
    let layer = Attention<Double>(8, heads: 2, contextWidth: 5, hasBias: true, random: &random)
    let x: Tensor<Double> = random.normal([1, 3, 8])
    let context: Tensor<Double> = random.normal([1, 4, 5])
    let padded = Tensor.concatenated([context, .ones([1, 2, 5])], axis: 1)
    let mask = Tensor<Bool>(shape: [1, 6], scalars: [true, true, true, true, false, false])
    #expect(distance(layer(x, context: context), layer(x, context: padded, keyMask: mask)) < 1e-14)
    #expect(layer.parameters["k_proj.weight"]?.shape == [8, 5])
  }

  @Test(arguments: 0..<4) func expertsAreWeightedByTheRouter(seed: UInt64) {
    var random = RandomStream(seed: seed)
    let layer = MixtureOfExperts<Double>(6, hidden: 8, experts: 4, chosen: 2, random: &random)
    let x: Tensor<Double> = random.normal([5, 6])
    let (output, balance) = layer(x)
    for row in 0..<5 {
      let token = x[row..<row + 1]
      let shares = layer.router(token).softmax(axis: -1)
      let (values, indices) = shares.topK(2)
      let wanted = (0..<2).reduce(Tensor<Double>.zeros([1, 6])) { sum, i in
        sum + layer.experts[indices[at: 0, i]](token) * (values[at: 0, i] / values.sum().scalar)
      }
      #expect(distance(output[row..<row + 1], wanted) < 1e-14, "seed \(seed)")
    }
    // The share of choices that fall on each expert times its mean probability, one when all are alike.
    let probabilities = layer.router(x).softmax(axis: -1)
    let choices = probabilities.topK(2, axis: -1).indices.scalars
    let load = Tensor((0..<4).map { expert in Double(choices.count { $0 == expert }) / 10 })
    #expect(abs(balance.scalar - 4 * (probabilities.mean(axis: 0) * load).sum().scalar) < 1e-14, "seed \(seed)")
    expectDerivatives(at: [x], seed: seed, tolerance: 1e-6) { layer($0[0]).output }
  }
}
