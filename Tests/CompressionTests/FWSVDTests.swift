import Compression
import LinearAlgebra
import Networks
import Tensors
import TestSupport
import Testing

private func problem(
  _ rows: Int, _ columns: Int, seed: UInt64
) throws -> (weight: Tensor<Float>, fisher: FisherMoments) {
  var generator = TestGenerator(seed: seed)
  let weight: Tensor<Float> = generator.tensor([rows, columns])
  let rowScale = (generator.tensor([rows, 1], of: Double.self) * 3).exp()
  let noise = (generator.tensor([rows, columns], of: Double.self)).exp()
  return (weight, try FisherMoments(examples: 5, squares: rowScale * noise))
}

private let shapes = [(6, 9), (9, 6), (8, 8)]

@Suite struct FisherWeightedSVDTests {
  @Test(arguments: 0..<6) func constantInformationIsPlainTruncation(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let (weight, _) = try problem(rows, columns, seed: seed)
    let fisher = try FisherMoments(examples: 2, squares: Tensor<Double>.ones([rows, columns]) * 3)
    let plain = try SingularValueDecomposition(of: Tensor<Double>(weight)).reconstructed(rank: 3)
    for axis in FisherAxis.allCases {
      let result = try fisherWeightedSVD(weight, fisher: fisher, rank: 3, axis: axis)
      #expect(distance(result.factors.reconstructed(), plain) < 1e-7, "\(axis), seed \(seed)")
    }
  }

  @Test(arguments: 0..<6) func scalingAndFullRank(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let (weight, fisher) = try problem(rows, columns, seed: seed)
    let scaled = try FisherMoments(examples: 5, squares: fisher.squares * 1e-9)
    for axis in FisherAxis.allCases {
      let one = try fisherWeightedSVD(weight, fisher: fisher, rank: 2, axis: axis)
      let other = try fisherWeightedSVD(weight, fisher: scaled, rank: 2, axis: axis)
      #expect(distance(one.factors.reconstructed(), other.factors.reconstructed()) < 1e-7)
      let full = try fisherWeightedSVD(weight, fisher: fisher, rank: min(rows, columns), axis: axis)
      #expect(distance(full.factors.reconstructed(), Tensor<Double>(weight)) < 1e-6, "\(axis), seed \(seed)")
      #expect(full.predictedLossIncrease < 1e-10)
    }
  }

  /// ‖D (W - A B)‖ against the tail of D W's singular values, random factors, and alternating least squares.
  @Test(arguments: 0..<4) func noFactorsOfTheRankAreBetter(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let (weight, fisher) = try problem(rows, columns, seed: seed)
    let scales = (fisher.rowWeights / fisher.rowWeights.maximum()).sqrt().expanded(axis: 1)
    let weighted = scales * Tensor<Double>(weight)
    let result = try fisherWeightedSVD(weight, fisher: fisher, rank: 2)
    let direct = (scales * (Tensor<Double>(weight) - result.factors.reconstructed())).frobeniusNorm()
    let tail = try weighted.singularValues().scalars.dropFirst(2).reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(result.weightedError - tail) < 1e-8 && abs(direct - tail) < 1e-8, "seed \(seed)")
    var generator = TestGenerator(seed: seed + 70)
    for _ in 0..<20 {
      var left: Tensor<Double> = generator.tensor([rows, 2])
      var right: Tensor<Double> = generator.tensor([2, columns])
      for _ in 0..<50 {
        let inner = right.multipliedByOwnTranspose()
        left = try CholeskyDecomposition(of: inner).solve(right.matmul(weighted, transposingB: true)).transposed.dense
        let own = left.multipliedByOwnTranspose(transposing: true)
        right = try CholeskyDecomposition(of: own).solve(left.matmul(weighted, transposingA: true))
      }
      #expect(direct <= (weighted - left.matmul(right)).frobeniusNorm() + 1e-9)
    }
    let plain = try SingularValueDecomposition(of: Tensor<Double>(weight)).reconstructed(rank: 2)
    #expect(result.plainError >= (Tensor<Double>(weight) - plain).frobeniusNorm() - 1e-9)
    #expect(direct <= (scales * (Tensor<Double>(weight) - plain)).frobeniusNorm() + 1e-9)
  }

  @Test func predictedIncreaseIsTheDiagonalModel() throws {
    let (weight, fisher) = try problem(5, 6, seed: 3)
    let result = try fisherWeightedSVD(weight, fisher: fisher, rank: 2)
    let error = Tensor<Double>(weight) - result.factors.reconstructed()
    let wanted = (fisher.information * error * error).sum().scalar / 2
    #expect(abs(result.predictedLossIncrease - wanted) < 1e-10 * wanted)
  }

  @Test(arguments: 0..<4) func everyElementForItselfIsNeverWorse(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let (weight, fisher) = try problem(rows, columns, seed: seed)
    let start = try fisherWeightedSVD(weight, fisher: fisher, rank: 2)
    let result = try elementwiseWeightedLowRank(weight, fisher: fisher, rank: 2)
    #expect(abs(result.history[0] - 2 * start.predictedLossIncrease) < 1e-9 * result.history[0])
    #expect(zip(result.history, result.history.dropFirst()).allSatisfy { $1 <= $0 * (1 + 1e-12) }, "seed \(seed)")
    let error = Tensor<Double>(weight) - result.factors.reconstructed()
    let loss = (fisher.information * error * error).sum().scalar
    #expect(abs(loss - (result.history.last ?? .nan)) < 1e-9 * loss && loss < result.history[0])
    #expect(result.convergence.iterations == result.history.count - 1)
  }

  @Test func oneRowOfInformationIsReproduced() throws {
    let (weight, _) = try problem(5, 7, seed: 4)
    var squares = Tensor<Double>.zeros([5, 7])
    squares[2] = Tensor<Double>.ones([7])
    let result = try fisherWeightedSVD(weight, fisher: FisherMoments(examples: 1, squares: squares), rank: 1)
    #expect(distance(result.factors.reconstructed()[2], Tensor<Double>(weight)[2]) < 1e-6)
  }

  @Test func badInputIsNamed() throws {
    let (weight, fisher) = try problem(5, 6, seed: 5)
    for rank in [0, 6] {
      #expect(throws: InvalidArgument.self) { try fisherWeightedSVD(weight, fisher: fisher, rank: rank) }
    }
    #expect(throws: InvalidArgument.self) { try fisherWeightedSVD(weight.transposed.dense, fisher: fisher, rank: 2) }
    #expect(throws: InvalidArgument.self) { try fisherWeightedSVD(weight * .infinity, fisher: fisher, rank: 2) }
    #expect(throws: InvalidArgument.self) {
      try fisherWeightedSVD(weight, fisher: FisherMoments(shape: [5, 6]), rank: 2)
    }
    let zeros = try FisherMoments(examples: 3, squares: .zeros([5, 6]))
    let error = #expect(throws: InvalidArgument.self) { try fisherWeightedSVD(weight, fisher: zeros, rank: 2) }
    #expect(error?.wanted.contains("plain SVD") == true)
    #expect(throws: InvalidArgument.self) { try FisherMoments(examples: 3, squares: .ones([5, 6]) * .nan) }
    #expect(throws: InvalidArgument.self) {
      try FWSVD().compress(weight: weight, calibration: nil, keeping: 0.5)
    }
  }
}

@Suite struct FWSVDTests {
  @Test func networksRunOnFactors() throws {
    let (model, windows) = try smallDecoder(seed: 1)
    for axis in FisherAxis.allCases {
      let small = try FWSVD(axis: axis).compress(
        model, keeping: 0.6, data: CalibrationData<GPT<Float>>(tokens: windows))
      let plain = try SAESSVD(mode: .plain).compress(model, keeping: 0.6)
      for (layer, other) in zip(small.layers, plain.layers) {
        #expect(layer.keptParameters <= layer.originalParameters * 6 / 10)
        let (own, least) = (layer.result[figure: "weight error"], other.result[figure: "weight error"])
        #expect((own ?? .nan) >= (least ?? .nan) - 1e-5, "\(layer.name)")
      }
      #expect(small.model(windows[0]).isFinite)
    }
  }

  @Test(arguments: 0..<3) func ranksAreWithinTheBudgetAndNoWorseThanUniformOnes(seed: UInt64) throws {
    var layers: [FisherLayer] = []
    for (i, (rows, columns)) in [(12, 20), (20, 12), (16, 16)].enumerated() {
      let (weight, fisher) = try problem(rows, columns, seed: 10 * seed + UInt64(i))
      layers.append(FisherLayer(name: "layer\(i)", weight: weight, fisher: fisher))
    }
    let total = layers.reduce(0) { $0 + $1.weight.count }
    for fraction in [0.3, 0.5, 0.7, 1] {
      let plan = try FWSVD().allocateRanks(layers, keeping: fraction)
      var stored = 0
      var predicted = 0.0
      var uniform = 0.0
      for (layer, rank) in zip(layers, plan.ranks) {
        let shape = layer.weight.shape
        stored += rank.map { $0 * (shape[0] + shape[1]) } ?? layer.weight.count
        if let rank {
          predicted += try fisherWeightedSVD(layer.weight, fisher: layer.fisher, rank: rank).predictedLossIncrease
        }
        if let rank = try lowRank(keeping: fraction, of: shape) {
          uniform += try fisherWeightedSVD(layer.weight, fisher: layer.fisher, rank: rank).predictedLossIncrease
        }
      }
      #expect(
        Double(stored) <= fraction * Double(total) && abs(plan.keptFraction - Double(stored) / Double(total)) < 1e-9)
      #expect(abs(predicted - plan.predictedLossIncrease) < 1e-6 * max(predicted, 1))
      #expect(plan.predictedLossIncrease <= uniform * 1.02 + 1e-9, "fraction \(fraction), seed \(seed)")
    }
    #expect(throws: InvalidArgument.self) { try FWSVD().allocateRanks(layers, keeping: 0.01) }
    #expect(throws: InvalidArgument.self) { try FWSVD().allocateRanks(layers, keeping: 0) }
  }
}
