import Compression
import Convolutions
import LinearAlgebra
import Networks
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct RankTruncationTests {
  private static let shapes: [(Matricisation, [Int])] = [
    (.dense, [7, 5]), (.dense, [4, 9]), (.dense, [1, 3]), (.channel, [6, 3, 3, 3]), (.channel, [2, 5, 1, 3]),
    (.spatial, [6, 3, 3, 3]), (.spatial, [4, 2, 5, 2]), (.decoupled, [5, 4, 3, 3]), (.decoupled, [3, 12, 2, 2]),
  ]

  private func weight(_ shape: [Int], _ seed: UInt64) -> Tensor<Double> {
    var generator = TestGenerator(seed: seed)
    return generator.tensor(shape)
  }

  @Test func roundTrip() throws {
    for (matricisation, shape) in Self.shapes {
      let weight = weight(shape, 1)
      let matrices = try matricisation.matrices(of: weight)
      #expect(try matricisation.weight(from: matrices, shape: shape) == weight, "\(matricisation) \(shape)")
    }
    // The readings are those of the paper.
    let w = weight([2, 3, 4, 5], 2)
    #expect(try Matricisation.channel.matrices(of: w)[at: 0, 1, 2 * 20 + 3 * 5 + 4] == w[at: 1, 2, 3, 4])
    #expect(try Matricisation.spatial.matrices(of: w)[at: 0, 2 * 4 + 3, 1 * 5 + 4] == w[at: 1, 2, 3, 4])
    #expect(try Matricisation.decoupled.matrices(of: w)[at: 1, 2, 3 * 5 + 4] == w[at: 1, 2, 3, 4])
  }

  @Test(arguments: 0..<8)
  func energiesRanksAndErrors(seed: UInt64) throws {
    for (matricisation, shape) in Self.shapes {
      let w = weight(shape, seed)
      for energy in [0.3, 0.7, 0.9, 0.99] {
        let cut = try RankTruncation(w, matricisation, .energy(energy))
        let error = (w - cut.weight).sumOfSquares().scalar / w.sumOfSquares().scalar
        #expect(abs(error - cut.droppedEnergy) < 1e-10, "\(matricisation) \(shape), seed \(seed)")
        if matricisation != .decoupled {
          #expect(1 - cut.droppedEnergy >= energy - 1e-12)
          if cut.rank > 1 {
            let before = cut.singularValues.prefix(cut.rank - 1).reduce(0) { $0 + $1 * $1 }
            #expect(before < energy * w.sumOfSquares().scalar, "one less would not do; seed \(seed)")
          }
        }
        let again = try RankTruncation(cut.weight, matricisation, .fixed(cut.rank))
        #expect(distance(again.weight, cut.weight) < 1e-10, "truncation is idempotent")
        let same = try RankTruncation(cut.weight, matricisation, .relativeValue(1e-6))
        #expect(same.rank == cut.rank)
      }
    }
  }

  @Test(arguments: 0..<6)
  func agreesWithTheDecomposition(seed: UInt64) throws {
    let w = weight([9, 6], seed)
    let svd = try SingularValueDecomposition(of: w)
    for rank in 1...6 {
      let cut = try RankTruncation(w, .dense, .fixed(rank))
      #expect(distance(cut.weight, svd.reconstructed(rank: rank)) < 1e-10)
      let direction = svd.left[.all, 0..<rank].matmul(svd.right[.all, 0..<rank], transposingB: true)
      #expect(distance(cut.subgradient, direction) < 1e-7, "seed \(seed), rank \(rank)")
      let single = try RankTruncation(Tensor<Float>(w.transposed), .dense, .fixed(rank))
      #expect(distance(single.weight, Tensor<Float>(cut.weight.transposed)) < 1e-5)
    }
    let values = svd.values.scalars
    #expect(try RankTruncation(w, .dense, .value(values[2] * 0.999)).rank == 3)
    #expect(try RankTruncation(w, .dense, .relativeValue(values[3] / values[0] * 0.999)).rank == 4)
    #expect(try RankTruncation(w, .dense, .fraction(0.5)).rank == 3)
    #expect(try RankTruncation(w, .dense, .fraction(0)).rank == 1)
    #expect(try RankTruncation(w, .dense, .fixed(100)).rank == 6)
    let sum = values.reduce(0, +)
    let wanted = values.indices.first { values[...$0].reduce(0, +) >= 0.8 * sum }.map { $0 + 1 }
    #expect(try RankTruncation(w, .dense, .nuclearShare(0.8)).rank == wanted)
  }

  /// ‖W‖_* >= ⟨G, W'⟩ for all W' of norm one, with equality at W; at full rank the derivative of the norm.
  @Test(arguments: 0..<6)
  func subgradient(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let w = weight([5, 8], seed)
    let cut = try RankTruncation(w, .dense, .fixed(3))
    #expect(abs((cut.subgradient * cut.weight).sum().scalar - cut.nuclearNorm) < 1e-10)
    for _ in 0..<5 {
      let other: Tensor<Double> = generator.tensor([5, 8])
      #expect((cut.subgradient * other).sum().scalar <= (try other.nuclearNorm()) + 1e-12)
      let step = try (cut.weight + other * 0.1).nuclearNorm() - cut.weight.nuclearNorm()
      #expect(step >= (cut.subgradient * other).sum().scalar * 0.1 - 1e-10)
    }
    let full = try RankTruncation(w, .dense, .energy(1))
    #expect(full.rank == 5 && full.weight == w)
    let direction: Tensor<Double> = generator.tensor([5, 8])
    let h = 1e-5
    let slope = try ((w + direction * h).nuclearNorm() - (w - direction * h).nuclearNorm()) / (2 * h)
    #expect(abs(slope - (full.subgradient * direction).sum().scalar) < 1e-7)
  }

  @Test func zerosAndRankOne() throws {
    let zero = try RankTruncation(Tensor<Float>.zeros([4, 6]), .dense, .energy(0.9))
    #expect(zero.rank == 1 && zero.weight == .zeros([4, 6]) && zero.subgradient == .zeros([4, 6]))
    #expect(zero.droppedEnergy == 0)
    let line = Tensor<Float>([1, 2, 3]).outer(Tensor([2, 1]))
    let one = try RankTruncation(line, .dense, .energy(0.999))
    #expect(one.rank == 1 && distance(one.weight, line) < 1e-5)
    #expect(try RankTruncation(Tensor<Float>.zeros([3, 2, 3, 3]), .decoupled, .energy(0.5)).rank == 1)
  }

  @Test(arguments: [Matricisation.channel, .spatial, .decoupled])
  func factoredFiltersAreTheTruncatedOnes(matricisation: Matricisation) throws {
    var random = RandomStream(seed: 3)
    let x: Tensor<Float> = random.normal([2, 4, 11, 9])
    for options in [
      ConvolutionOptions(padding: 1, isExact: true), ConvolutionOptions(stride: 2, padding: 1, isExact: true),
      ConvolutionOptions(stride: [1, 2], padding: [1, 0], isExact: true),
    ] {
      let layer = Convolution<Float>(4, 6, kernel: [3, 3], options, random: &random)
      for rank in [1, 2, 4] {
        let cut = try RankTruncation(layer.weight, matricisation, .fixed(rank))
        let wanted = Convolution(weight: cut.weight, bias: layer.bias, options)(x)
        let (first, second) = try layer.factored(matricisation, .fixed(rank))
        #expect(distance(second(first(x)), wanted) < 1e-5, "\(matricisation), rank \(rank), \(options)")
      }
    }
    let grouped = Convolution<Float>(4, 6, kernel: [3, 3], .init(groups: 2), random: &random)
    #expect(throws: InvalidArgument.self) { try grouped.factored(matricisation, .fixed(1)) }
  }

  @Test func badInput() throws {
    let w = Tensor<Double>.ones([3, 4])
    for rule: TruncationRule in [
      .energy(0), .energy(1.1), .energy(.nan), .nuclearShare(0), .value(-1), .relativeValue(2), .fraction(-0.1),
      .fixed(0),
    ] {
      #expect(throws: InvalidArgument.self) { try RankTruncation(w, .dense, rule) }
    }
    #expect(throws: InvalidArgument.self) { try RankTruncation(w, .channel, .fixed(1)) }
    #expect(throws: InvalidArgument.self) { try RankTruncation(w / 0 - w / 0, .dense, .fixed(1)) }
    #expect(throws: InvalidArgument.self) { try RankTruncation(Tensor<Double>.ones([2, 2, 2, 2]), .dense, .fixed(1)) }
  }
}
