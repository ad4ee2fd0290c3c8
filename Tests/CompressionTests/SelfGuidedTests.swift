import Compression
import Foundation
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct SelfGuidedTests {
  private typealias FFN = StructuredFeedForward<Double>

  private static let structures: [LinearStructure] = [
    .lowRank(3), .blockShuffle(blocks: 2), .blockDense(rank: 4, blocks: 2),
  ]

  @Test(arguments: structures)
  func guidanceMixesDenseAndStructured(structure: LinearStructure) throws {
    var random = RandomStream(seed: 1)
    let core = try StructuredLayer<Double>(6, 8, structure: structure, random: &random)
    var layer = SelfGuided(core)
    let x: Tensor<Double> = random.normal([5, 6])
    for share in [1, 0.3, 0] {
      layer.guideShare = share
      #expect(distance(layer(x), core(x)) < 1e-12, "at the start the guide is the structured product")
    }
    let guide: Tensor<Double> = random.normal([8, 6])
    layer.guide = guide
    layer.guideShare = 1
    #expect(distance(layer(x), linear(x, weight: guide, bias: core.bias)) < 1e-12)
    layer.guideShare = 0.25
    #expect(distance(layer(x), linear(x, weight: guide, bias: core.bias) * 0.25 + core(x) * 0.75) < 1e-12)
    layer.guideShare = 0
    let gradient = layer.valueAndGradient { $0(x).squared().sum() }.gradient
    #expect(gradient["guide"]?.largestMagnitude == 0)
    let before = layer(x)
    layer.dropGuide()
    #expect(distance(layer(x), before) == 0 && layer.parameters["guide"] == nil)
  }

  @Test func scheduleFallsToZeroHalfWay() throws {
    let guidance = try SelfGuidance()
    #expect(guidance.share(step: 0, of: 100) == 1 && guidance.share(step: 50, of: 100) == 0)
    #expect(abs(guidance.share(step: 25, of: 100) - 0.5) < 1e-12)
    #expect(try SelfGuidance(.linear, fraction: 1).share(step: 25, of: 100) == 0.75)
    var random = RandomStream(seed: 2)
    var model = try FFN(4, structure: .lowRank(2), isGated: true, isGuided: true, random: &random)
    guidance.apply(to: &model, step: 25, of: 100)
    for layer in [model.input, model.output, model.gate] { #expect(abs((layer?.guideShare ?? .nan) - 0.5) < 1e-12) }
    for bad in [0, -1, 1.5, .nan] {
      #expect(throws: InvalidArgument.self) { try SelfGuidance(fraction: bad) }
    }
  }

  @Test func guidesAreDroppedFromAWholeLayer() throws {
    var random = RandomStream(seed: 12)
    var model = try FFN(4, structure: .lowRank(2), activation: .silu, isGated: true, isGuided: true, random: &random)
    let x: Tensor<Double> = random.normal([3, 4])
    let count = model.parameterCount
    let guides = [model.input.guide, model.gate?.guide, model.output.guide].compactMap { $0?.count }.reduce(0, +)
    #expect(guides == 3 * 64)
    try SelfGuidance().apply(to: &model, step: 60, of: 100)
    let before = model(x)
    model.dropGuides()
    #expect(model(x) == before)
    #expect(model.parameterCount == count - guides && model.parameters.names.allSatisfy { !$0.hasSuffix("guide") })
  }

  @Test func stochasticGuidanceIsUsedAsOftenAsItsShare() throws {
    var random = RandomStream(seed: 3)
    var layer = SelfGuided(
      try StructuredLayer<Double>(3, 3, structure: .lowRank(1), random: &random), isStochastic: true)
    layer.guide = layer.guide.map { $0 + 1 }
    layer.guideShare = 0.3
    let x: Tensor<Double> = random.normal([1, 3])
    let pass = ForwardPass.training(random: RandomStream(seed: 4))
    let plain = layer.structured(x)
    let used = (0..<2_000).count { _ in distance(layer(x, in: pass), plain) > 1e-9 }
    #expect(abs(Double(used) / 2_000 - 0.3) < 0.04)
  }

  @Test func mergedMatrixGrowsStaleByUpdates() throws {
    var random = RandomStream(seed: 5)
    var layer = PreMerged(try BlockShuffleLinear<Double>(8, 8, blocks: 4, random: &random), overhead: 1 << 20)
    let x: Tensor<Double> = random.normal([2, 8])
    #expect(!layer.isStale && layer.prefersMerged(tokens: 1) && !layer.prefersMerged(tokens: 1 << 20))
    #expect(distance(layer(x), layer.structured(x)) < 1e-12)
    let gradient = layer.valueAndGradient { $0(x).squared().sum() }.gradient
    #expect(!layer.isStale, "a gradient changes nothing")
    var optimizer = SGD<Double>(learningRate: 0.1)
    optimizer.update(&layer, along: gradient)
    #expect(layer.isStale && distance(layer(x), layer.structured(x)) == 0)
    layer.merge()
    #expect(!layer.isStale && distance(layer(x), layer.structured(x)) < 1e-12)
  }

  @Test(arguments: structures)
  func projectionsKeepWhatFits(structure: LinearStructure) throws {
    var random = RandomStream(seed: 6)
    let layer = try StructuredLayer<Double>(6, 8, structure: structure, random: &random)
    let again = try StructuredLayer<Double>(projecting: layer.dense(), onto: structure)
    #expect(distance(again.dense(), layer.dense()) < 1e-10)
    #expect(again.weightCount == structure.weightCount(inputs: 6, outputs: 8))
    let gated = try FFN(8, structure: structure, activation: .silu, isGated: true, random: &random)
    #expect(gated(random.normal([3, 8])).shape == [3, 8])
  }

  @Test func scalingLawsAreRecovered() throws {
    let costs = (0..<8).map { pow(10, 15 + Double($0) / 2) }
    let exact = try ScalingLaw(costs: costs, losses: costs.map { 80 * pow($0, -0.1) })
    #expect(abs(exact.slope - 0.1) < 1e-10 && abs(exact.factor / 80 - 1) < 1e-8)
    let floored = try ScalingLaw(costs: costs, losses: costs.map { 80 * pow($0, -0.1) + 1.5 }, hasFloor: true)
    #expect(abs(floored.floor - 1.5) < 1e-3 && abs(floored.slope - 0.1) < 1e-3)
    #expect(throws: InvalidArgument.self) { try ScalingLaw(costs: [1, 1], losses: [1, 2]) }
  }
}
