import Compression
import Foundation
import LinearAlgebra
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct GradientRankTests {
  private typealias Tracker = GradientRankTracker<Double>

  /// U Vᵀ with orthonormal columns: all singular values are one.
  private func isometry(_ rows: Int, _ columns: Int, rank: Int, _ random: inout RandomStream) throws -> Tensor<Double> {
    let left = try QRDecomposition(of: random.normal([rows, rank], of: Double.self)).orthogonal
    let right = try QRDecomposition(of: random.normal([columns, rank], of: Double.self)).orthogonal
    return left.matmul(right, transposingB: true)
  }

  @Test func knownRanksAndAngles() throws {
    var random = RandomStream(seed: 1)
    let (a, b) = (try isometry(12, 10, rank: 3, &random), try isometry(9, 20, rank: 9, &random))
    var tracker = try Tracker(subspaceRank: 3)
    try tracker.record(NamedTensors(names: ["a", "bias", "b"], tensors: [a, .ones([4]), b]), at: 0)
    try tracker.record(NamedTensors(names: ["a", "bias", "b"], tensors: [a * -2, .ones([4]), b * 0]), at: 5)
    #expect(tracker.histories.map(\.name) == ["a", "b"])
    let (first, second) = (tracker.histories[0], tracker.histories[1])
    #expect(first.points.map(\.rankFraction) == [0.3, 0.3])
    #expect(abs(first.lowRankness - 0.7) < 1e-12)
    #expect(abs(first.points[1].norm - 2 * 3.0.squareRoot()) < 1e-12)
    #expect(first.points[0].similarity == nil && first.points[0].alignment == nil)
    #expect(abs(try #require(first.meanSimilarity) + 1) < 1e-12)
    #expect(abs(try #require(first.meanAlignment) - 1) < 1e-12)
    // A gradient of zero has no rank, and no angle with another.
    #expect(second.points.map(\.rankFraction) == [1, 0])
    #expect(second.points[1].similarity == 0)
  }

  @Test func otherSubspacesDoNotAlign() throws {
    let basis = Tensor<Double>.identity(8)
    var tracker = try Tracker(subspaceRank: 2)
    for (step, range) in [0..<2, 1..<3, 4..<6].enumerated() {
      let part = basis[.all, range].copied()
      // Different values, so that the singular vectors are these.
      let matrix = (part * Tensor([2, 1])).matmul(part, transposingB: true)
      try tracker.record(NamedTensors(names: ["w"], tensors: [matrix]), at: step)
    }
    let alignments = tracker.histories[0].points.map(\.alignment)
    #expect(abs(try #require(alignments[1]) - 0.5) < 1e-12)
    #expect(abs(try #require(alignments[2])) < 1e-12)
  }

  @Test func lowRanksOfGradientsAndWeightsAreLinked() throws {
    var random = RandomStream(seed: 2)
    var (tracker, other) = (try Tracker(), try Tracker())
    let names = (0..<6).map { "w\($0)" }
    let matrices = try (0..<6).map { try isometry(12, 12, rank: 2 * $0 + 1, &random) }
    try tracker.record(NamedTensors(names: names, tensors: matrices), at: 0)
    let weights = NamedTensors(names: names + ["bias"], tensors: matrices + [.ones([3])])
    let link = try tracker.link(to: weights)
    #expect(abs(try #require(link.rankCorrelation) - 1) < 1e-12)
    // The least rank with nine tenths of 1, 3, 5, ... equal values.
    let wanted = [1.0, 3, 5, 7, 9, 10].map { $0 / 12 }
    #expect(link.rows.map(\.weightRankFraction) == wanted)
    try other.record(NamedTensors(names: names, tensors: matrices.reversed()), at: 0)
    #expect(abs(try #require(try other.link(to: weights).rankCorrelation) + 1) < 1e-12)
  }

  @Test func badGradientsAreNamed() throws {
    #expect(throws: InvalidArgument.self) { try Tracker(energy: 0) }
    #expect(throws: InvalidArgument.self) { try Tracker(energy: 1.5) }
    #expect(throws: InvalidArgument.self) { try Tracker(subspaceRank: 0) }
    var tracker = try Tracker(where: { $0 != "out" })
    #expect(throws: InvalidArgument.self) { try tracker.link(to: NamedTensors()) }
    let w = NamedTensors(names: ["w", "out"], tensors: [Tensor<Double>.identity(4), .ones([2, 2])])
    #expect(throws: InvalidArgument.self) {
      try tracker.record(NamedTensors(names: ["b"], tensors: [.ones([4])]), at: 0)
    }
    try tracker.record(w, at: 3)
    #expect(tracker.histories.map(\.name) == ["w"])
    #expect(throws: InvalidArgument.self) { try tracker.record(w, at: 3) }
    #expect(throws: InvalidArgument.self) {
      try tracker.record(NamedTensors(names: ["v"], tensors: [.identity(4)]), at: 4)
    }
    let broken = NamedTensors(names: ["w"], tensors: [Tensor<Double>(repeating: .nan, shape: [4, 4])])
    let error = #expect(throws: InvalidArgument.self) { try tracker.record(broken, at: 4) }
    #expect(error?.name == "w")
    #expect(tracker.histories[0].points.count == 1)
    #expect(throws: InvalidArgument.self) {
      try tracker.link(to: NamedTensors(names: ["w"], tensors: [.identity(5)]))
    }
  }
}

@Suite struct GaLoreTests {
  private struct Pair: Module {
    var weight: Tensor<Double>
    var bias: Tensor<Double>
    mutating func visit(_ visitor: Visitor<Double>) {
      visitor.parameter("weight", &weight)
      visitor.parameter("bias", &bias)
    }
  }

  private func gradients(_ count: Int, _ shape: [Int], seed: UInt64) -> [NamedTensors<Double>] {
    var random = RandomStream(seed: seed)
    return (0..<count).map { _ in
      NamedTensors(names: ["weight", "bias"], tensors: [random.normal(shape), random.normal([3])])
    }
  }

  /// The formulas once more, with plain projections, for a tall and a wide matrix.
  @Test(arguments: [[6, 9], [9, 6]])
  func stepsFollowTheDefinition(shape: [Int]) throws {
    var model = Pair(weight: .ones(shape), bias: .zeros([3]))
    var optimizer = GaLore<Double>(learningRate: 0.1, rank: 2, refreshInterval: 3, weightDecay: 0.2)
    var weight = Tensor<Double>.ones(shape)
    var basis = Tensor<Double>.zeros([6, 2])
    let isWide = shape[0] < shape[1]
    var (first, second) = (Tensor<Double>.zeros([2, 9]), Tensor<Double>.zeros([2, 9]))
    for (i, gradient) in gradients(7, shape, seed: 1).enumerated() {
      optimizer.update(&model, along: gradient)
      let slope = isWide ? gradient.tensors[0] : gradient.tensors[0].transposed
      if i % 3 == 0 { basis = try SingularValueDecomposition(of: slope).left[.all, ..<2].copied() }
      let small = basis.transposed.matmul(slope)
      first = first * 0.9 + small * 0.1
      second = second * 0.999 + small.squared() * 0.001
      let unbiased = (second / (1 - pow(0.999, Double(i + 1)))).sqrt() + 1e-8
      let full = basis.matmul(first / (1 - pow(0.9, Double(i + 1))) / unbiased)
      weight = weight * (1 - 0.1 * 0.2) - (isWide ? full : full.transposed) * (0.1 * 0.25)
      #expect(distance(model.weight, weight) < 1e-12, "step \(i)")
    }
  }

  @Test func whatIsNotProjectedIsLeftToAdam() {
    var (model, other) = (
      Pair(weight: .ones([6, 9]), bias: .zeros([3])), Pair(weight: .ones([6, 9]), bias: .zeros([3]))
    )
    var optimizer = GaLore<Double>(rank: 6)
    var adam = AdamW<Double>(learningRate: 1e-3, weightDecay: 0)
    for gradient in gradients(4, [6, 9], seed: 2) {
      optimizer.update(&model, along: gradient)
      adam.update(&other, along: gradient)
    }
    #expect(model.weight == other.weight && model.bias == other.bias)
    // Two moments of everything; a projected matrix costs less.
    #expect(optimizer.stateCount == 2 * 57)
    var small = GaLore<Double>(rank: 1)
    small.update(&model, along: gradients(1, [6, 9], seed: 2)[0])
    #expect(small.stateCount == 6 + 2 * 9 + 2 * 3)
  }

  @Test func aSavedStateGoesOnTheSame() throws {
    var model = Pair(weight: .ones([6, 9]), bias: .zeros([3]))
    var optimizer = GaLore<Double>(rank: 2, refreshInterval: 3)
    let slopes = gradients(8, [6, 9], seed: 3)
    for gradient in slopes[..<4] { optimizer.update(&model, along: gradient) }
    var (copy, resumed) = (model, GaLore<Double>(rank: 2, refreshInterval: 3))
    try resumed.restore(optimizer.state)
    for gradient in slopes[4...] {
      optimizer.update(&model, along: gradient)
      resumed.update(&copy, along: gradient)
    }
    #expect(model.weight == copy.weight && model.bias == copy.bias)
    var wrong = GaLore<Double>(rank: 3)
    #expect(throws: InvalidArgument.self) { try wrong.restore(optimizer.state) }
    #expect(throws: InvalidArgument.self) {
      try wrong.restore(OptimizerState(step: 1, tensors: NamedTensors(names: ["x/weight"], tensors: [.ones([2])])))
    }
  }

  /// A regression whose weight has rank two: the subspaces suffice.
  @Test func aLowRankProblemIsSolved() {
    var random = RandomStream(seed: 4)
    let truth = random.normal([8, 2], of: Double.self).matmul(random.normal([2, 12], of: Double.self))
    var model = Pair(weight: .zeros([8, 12]), bias: .zeros([3]))
    var optimizer = GaLore<Double>(learningRate: 0.2, rank: 2, refreshInterval: 20, scale: 0.5)
    let schedule = Schedule.cosine(steps: 600)
    for step in 0..<600 {
      let gradient = NamedTensors(names: ["weight"], tensors: [model.weight - truth])
      optimizer.update(&model, along: gradient, rateFactor: schedule(step))
    }
    #expect(distance(model.weight, truth) / truth.frobeniusNorm() < 1e-3)
  }
}
