import Networks
import Tensors
import TestSupport
import Testing

@Suite struct StructuredLinearTests {
  private func layers(_ random: inout RandomStream) throws -> [(any StructuredLinear<Double>, Int)] {
    [
      (try LowRankLinear<Double>(12, 8, rank: 3, random: &random), 3 * 20),
      (try BlockShuffleLinear<Double>(12, 8, blocks: 2, random: &random), 20 * 8 / 2),
      (try BlockShuffleLinear<Double>(8, 12, blocks: 4, random: &random), 20 * 8 / 4),
      (try BlockShuffleLinear<Double>(9, 15, blocks: 3, random: &random), 24 * 9 / 3),
      (try BlockShuffleLinear<Double>(6, 4, blocks: 1, random: &random), 10 * 4),
      (try BlockDenseLinear<Double>(12, 8, rank: 6, blocks: 3, random: &random), 6 * 12 / 3 + 8 * 6),
    ]
  }

  @Test func layersAreTheirMatrices() throws {
    var random = RandomStream(seed: 1)
    for (layer, count) in try layers(&random) { try check(layer, count, &random) }
  }

  private func check(_ layer: some StructuredLinear<Double>, _ count: Int, _ random: inout RandomStream) throws {
    var layer = layer
    layer.forEachParameter { name, tensor in if name == "bias" { tensor = random.normal(tensor.shape) } }
    #expect(layer.weightCount == count && layer.parameterCount == count + layer.outputs)
    for shape in [[1], [7], [2, 3], [700]] {
      let x: Tensor<Double> = random.normal(shape + [layer.inputs])
      let expected = linear(x, weight: layer.dense(), bias: layer.bias)
      #expect(distance(layer(x), expected) < 1e-11, "\(type(of: layer))")
      #expect(distance(layer.merged()(x), layer(x)) < 1e-11)
    }
    #expect(layer.flops(tokens: 3) == 6 * count)
  }

  @Test func derivativesAgreeWithDifferences() throws {
    let shuffled = DerivativeCase("block-shuffle", [5, 6], [2, 2, 3], [2, 4, 2], [8]) { x in
      [BlockShuffleLinear(first: x[1], second: x[2], bias: x[3]).callAsFunction(x[0])]
    }
    let dense = DerivativeCase("block-dense", [5, 6], [3, 2, 2], [4, 6], [4]) { x in
      [BlockDenseLinear(down: x[1], up: x[2], bias: x[3]).callAsFunction(x[0])]
    }
    let lowRank = DerivativeCase("low rank", [5, 6], [2, 6], [4, 2], [4]) { x in
      [LowRankLinear(down: x[1], up: x[2], bias: x[3]).callAsFunction(x[0])]
    }
    for example in [shuffled, dense, lowRank] {
      let errors = try example.errors(seed: 3)
      #expect(errors.first < 1e-7 && errors.second < 1e-5, "\(example.name): \(errors)")
    }
  }

  @Test func fusedAndPlainGradientsAgreeOverManyTiles() throws {
    // More tokens than a tile, blocks of several pieces; single precision goes the same way.
    var random = RandomStream(seed: 2)
    let layer = try BlockShuffleLinear<Double>(96, 768, blocks: 3, random: &random)
    let x: Tensor<Double> = random.normal([600, 96])
    let (value, gradients) = valueAndGradients(at: [x, layer.first, layer.second]) { a in
      BlockShuffleLinear(first: a[1], second: a[2]).product(a[0]).squared().sum()
    }
    let expected = valueAndGradients(at: [x, layer.first, layer.second]) { a -> Tensor<Double> in
      let z = a[0].reshaped([600, 3, 32]).permuted([1, 0, 2]).matmul(a[1], transposingB: true)
      let flat = z.permuted([1, 0, 2]).reshaped([600, 32, 3])
      let y = flat.permuted([2, 0, 1]).matmul(a[2], transposingB: true)
      return y.squared().sum()
    }
    #expect(abs(value.scalar - expected.value.scalar) < 1e-8 * value.scalar)
    for (a, b) in zip(gradients, expected.gradients) { #expect(distance(a, b) < 1e-9 * max(1, b.largestMagnitude)) }
  }

  @Test func shufflesOfIdentitiesUndoEachOther() {
    let identity = Tensor<Double>.stacked([.identity(3), .identity(3)])
    let layer = BlockShuffleLinear(first: identity, second: identity)
    #expect(layer.dense() == .identity(6))
    // A second stage that reverses each part: y[2 s + l] = x[2 (2 - s) + l].
    let reversed = Tensor<Double>.stacked([Tensor<Double>.identity(3).reversed(axis: 0)].flatMap { [$0, $0] })
    let y = BlockShuffleLinear(first: identity, second: reversed).product(Tensor([[0, 1, 2, 3, 4, 5]]))
    #expect(y.scalars == [4, 5, 2, 3, 0, 1])
  }

  @Test func oneBlockIsTheSimplerLayer() throws {
    var random = RandomStream(seed: 4)
    let down: Tensor<Double> = random.normal([3, 6])
    let up: Tensor<Double> = random.normal([5, 3])
    let single = BlockDenseLinear(down: down.expanded(axis: 0), up: up)
    #expect(distance(single.dense(), LowRankLinear(down: down, up: up).dense()) < 1e-13)
    let shuffled = BlockShuffleLinear(first: down.expanded(axis: 0), second: up.expanded(axis: 0))
    #expect(distance(shuffled.dense(), up.matmul(down)) < 1e-13)
  }

  @Test func spectralStartIsTheBestApproximation() throws {
    var random = RandomStream(seed: 5)
    let weight: Tensor<Double> = random.normal([8, 12])
    let layer = try LowRankLinear<Double>(approximating: weight, rank: 3)
    let grams = (layer.down.multipliedByOwnTranspose(), layer.up.multipliedByOwnTranspose(transposing: true))
    #expect(distance(grams.0, grams.1) < 1e-11, "both factors carry the roots of the singular values")
    for start in [layer.dense(), try LowRankLinear<Double>(approximating: layer.dense(), rank: 3).dense()] {
      #expect(distance(start, layer.dense()) < 1e-11)
    }
  }

  @Test(arguments: [(12, 8, 2), (8, 12, 4), (9, 15, 3), (6, 6, 3), (10, 10, 5), (8, 8, 1)])
  func projectionsOfStructuredMatricesAreExact(extents: (Int, Int, Int)) throws {
    let (n, m, b) = extents
    var random = RandomStream(seed: 6)
    let shuffled = try BlockShuffleLinear<Double>(n, m, blocks: b, random: &random)
    let again = try BlockShuffleLinear<Double>(approximating: shuffled.dense(), blocks: b)
    #expect(distance(again.dense(), shuffled.dense()) < 1e-10)
    let weight: Tensor<Double> = random.normal([m, n])
    let best = try BlockShuffleLinear<Double>(approximating: weight, blocks: b)
    let error = (best.dense() - weight).sumOfSquares().scalar
    // Moving any block a little makes it worse.
    for _ in 0..<20 {
      let moved = BlockShuffleLinear(
        first: best.first + random.normal(best.first.shape) * 1e-3,
        second: best.second + random.normal(best.second.shape) * 1e-3)
      #expect((moved.dense() - weight).sumOfSquares().scalar > error - 1e-12)
    }
  }

  @Test func badExtentsAreRefused() {
    var random = RandomStream(seed: 7)
    #expect(throws: InvalidArgument.self) { try LowRankLinear<Float>(4, 6, rank: 5, random: &random) }
    #expect(throws: InvalidArgument.self) { try LowRankLinear<Float>(4, 6, rank: 0, random: &random) }
    #expect(throws: InvalidArgument.self) { try BlockShuffleLinear<Float>(4, 6, blocks: 4, random: &random) }
    #expect(throws: InvalidArgument.self) { try BlockDenseLinear<Float>(4, 6, rank: 3, blocks: 2, random: &random) }
    #expect(throws: InvalidArgument.self) { try matchedRank(keep: 0, inputs: 4, outputs: 4) }
    #expect(!LinearStructure.lowRank(4).saves(inputs: 4, outputs: 6))
  }
}
