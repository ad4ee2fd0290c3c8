import Compression
import LinearAlgebra
import Networks
import Tensors
import TestSupport
import Testing

/// Correlated inputs of unequal sizes, shape [tokens, inputs].
private func inputs(_ tokens: Int, _ width: Int, _ generator: inout TestGenerator) -> Tensor<Double> {
  let mix: Tensor<Double> = generator.tensor([width, width])
  return (generator.tensor([tokens, width]) as Tensor<Double>).matmul(mix) * Tensor((1...width).map { 1 / Double($0) })
}

private func statistics(_ batches: [Tensor<Double>]) throws -> ActivationMoments {
  var statistics = ActivationMoments(width: batches[0].columns)
  for batch in batches { try statistics.add(Tensor<Float>(batch)) }
  return statistics
}

private let routes: [QERA.Route] = [.gram, .root, .cholesky]

@Suite struct QERATests {
  @Test(arguments: 0..<10)
  func exactIsBestInOutputsAndPlainInWeights(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (n, m) = (Int.random(in: 2...20, using: &generator), Int.random(in: 2...20, using: &generator))
    let weight: Tensor<Double> = generator.tensor([n, m])
    let activations = try statistics([inputs(60, m, &generator), inputs(30, m, &generator)])
    let quantized = try MXIntQuantizer(bits: 2, blockSize: 4).dequantized(weight)
    let error = weight - quantized
    for rank in 1...min(m, n) {
      var outputErrors: [ReconstructionScaling: Double] = [:]
      var weightErrors: [ReconstructionScaling: Double] = [:]
      for scaling in ReconstructionScaling.allCases {
        let found = try QERA(rank: rank, scaling: scaling).correction(
          of: weight, quantizedTo: quantized, activations: activations)
        outputErrors[scaling] = found.outputError
        weightErrors[scaling] = found.weightError
        #expect(found.factors.rank == rank)
        #expect(found.outputError <= found.uncorrectedOutputError * (1 + 1e-12) || scaling != .exact)
        let rest = error - found.factors.reconstructed()
        #expect(abs(rest.frobeniusNorm() - found.weightError) < 1e-12 * (1 + found.uncorrectedWeightError))
        let direct = rest.matmul(activations.secondMoment).matmul(rest, transposingB: true).diagonal.sum().scalar
        #expect(abs(direct - found.outputError) < 1e-11 * (1 + found.uncorrectedOutputError), "seed \(seed)")
        if scaling == .exact {
          // What remains is the tail of the scaled error's singular values.
          #expect(abs(found.predictedError - found.outputError) < 1e-10 * found.uncorrectedOutputError, "seed \(seed)")
          let root = try SymmetricRoots(of: activations.secondMoment).root
          let tail = try error.matmul(root).singularValues().scalars.dropFirst(rank).reduce(0) { $0 + $1 * $1 }
          #expect(abs(found.predictedError - tail) < 1e-10 * found.uncorrectedOutputError, "seed \(seed)")
        }
      }
      let slack = 1e-10 * activations.meanSquaredOutput(of: error)
      for (scaling, value) in outputErrors {
        #expect((outputErrors[.exact] ?? .nan) <= value + slack, "\(scaling), rank \(rank), seed \(seed)")
      }
      for (scaling, value) in weightErrors {
        #expect((weightErrors[.identity] ?? .nan) <= value + 1e-10, "\(scaling), rank \(rank), seed \(seed)")
      }
    }
  }

  @Test(arguments: 0..<8)
  func routesAgree(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (n, m) = (Int.random(in: 2...24, using: &generator), Int.random(in: 2...24, using: &generator))
    let weight: Tensor<Double> = generator.tensor([n, m])
    let activations = try statistics([inputs(200, m, &generator)])
    let rank = Int.random(in: 1...min(m, n), using: &generator)
    let terms = try routes.map { route in
      try QERA(rank: rank, route: route).correction(of: weight, quantizedTo: .zeros([n, m]), activations: activations)
        .factors.reconstructed()
    }
    // The paper's own form, S⁻¹ SVD_k(S P) in its rows.
    let roots = try SymmetricRoots(of: activations.secondMoment)
    let paper = try SingularValueDecomposition(of: weight.matmul(roots.root)).reconstructed(rank: rank)
      .matmul(roots.inverseRoot)
    for term in terms { #expect(distance(term, paper) < 1e-6, "seed \(seed)") }
  }

  @Test func randomizedIsNearlyAsGood() throws {
    var generator = TestGenerator(seed: 5)
    let weight: Tensor<Double> = generator.tensor([160, 140])
    let activations = try statistics([inputs(400, 140, &generator)])
    let exact = try QERA(rank: 10).correction(of: weight, quantizedTo: .zeros([160, 140]), activations: activations)
    let random = try QERA(rank: 10, route: .randomized(seed: 1)).correction(
      of: weight, quantizedTo: .zeros([160, 140]), activations: activations)
    #expect(random.outputError >= exact.outputError * (1 - 1e-9))
    #expect(random.outputError <= exact.outputError * 1.001)
    #expect(abs(random.outputError - random.predictedError) < 1e-8 * random.uncorrectedOutputError)
  }

  @Test(arguments: 0..<6)
  func limitingCases(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (n, m) = (Int.random(in: 3...12, using: &generator), Int.random(in: 3...12, using: &generator))
    let weight: Tensor<Double> = generator.tensor([n, m])
    let quantized = try MXIntQuantizer(bits: 3, blockSize: 4).dequantized(weight)
    func term(
      _ scaling: ReconstructionScaling, rank: Int, _ moment: Tensor<Double>
    ) throws -> Tensor<Double> {
      let activations = try ActivationMoments(secondMoment: moment)
      return try QERA(rank: rank, scaling: scaling).correction(
        of: weight, quantizedTo: quantized, activations: activations
      ).factors.reconstructed()
    }
    // White inputs: all scalings coincide.
    let white = try ReconstructionScaling.allCases.map { try term($0, rank: 2, .identity(m) * 3.5) }
    for other in white { #expect(distance(other, white[0]) < 1e-9, "seed \(seed)") }
    // Uncorrelated inputs: the diagonal is exact.
    let variances = Tensor((0..<m).map { _ in Double.random(in: 0.1...4, using: &generator) })
    let uncorrelated = Tensor(diagonal: variances)
    #expect(distance(try term(.diagonal, rank: 2, uncorrelated), try term(.exact, rank: 2, uncorrelated)) < 1e-9)
    // Full rank: nothing remains. A multiple of the inputs: nothing changes.
    let moment = try statistics([inputs(100, m, &generator)]).secondMoment
    for scaling in ReconstructionScaling.allCases {
      let full = try term(scaling, rank: min(m, n), moment)
      #expect(distance(quantized + full, weight) < 1e-9, "\(scaling), seed \(seed)")
    }
    #expect(distance(try term(.exact, rank: 2, moment), try term(.exact, rank: 2, moment * 400)) < 1e-9)
  }

  /// Alternating least squares on (P - A B) R^(1/2) from several starts does not do better.
  @Test(arguments: 0..<4)
  func alternatingLeastSquaresFindsNothingBetter(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (n, m, rank) = (9, 7, 2)
    let error: Tensor<Double> = generator.tensor([n, m])
    let activations = try statistics([inputs(80, m, &generator)])
    let found = try QERA(rank: rank).correction(of: error, quantizedTo: .zeros([n, m]), activations: activations)
    let factor = try CholeskyDecomposition(of: activations.secondMoment).lower
    let target = error.matmul(factor)
    var best = Double.infinity
    for _ in 0..<8 {
      var left: Tensor<Double> = generator.tensor([n, rank])
      for _ in 0..<200 {
        let right = try left.matmul(left, transposingA: true).solve(left.matmul(target, transposingA: true))
        left = try right.multipliedByOwnTranspose().solve(right.matmul(target, transposingB: true)).transposed.dense
      }
      let right = try left.matmul(left, transposingA: true).solve(left.matmul(target, transposingA: true))
      best = min(best, (target - left.matmul(right)).sumOfSquares().scalar)
    }
    #expect(found.outputError <= best * (1 + 1e-9), "seed \(seed)")
    #expect(found.outputError >= best * (1 - 1e-6), "the best of the starts is the optimum; seed \(seed)")
  }

  @Test func singularSecondMoments() throws {
    var generator = TestGenerator(seed: 11)
    let weight: Tensor<Double> = generator.tensor([8, 6])
    // Three tokens of six inputs; the first input is dead.
    let x = (generator.tensor([3, 6]) as Tensor<Double>) * Tensor([0, 1, 1, 1, 1, 1])
    let activations = try statistics([x])
    for route in routes {
      let found = try QERA(rank: 3, route: route).correction(
        of: weight, quantizedTo: .zeros([8, 6]), activations: activations)
      #expect(found.outputError < 1e-8 * found.uncorrectedOutputError, "three terms do for three tokens")
      #expect(found.conditionNumber > 1e9)
      #expect(found.factors.left.isFinite && found.factors.right.isFinite)
    }
  }

  @Test func alternationsLowerTheirOwnError() throws {
    var generator = TestGenerator(seed: 2)
    let weight: Tensor<Double> = generator.tensor([24, 20])
    let activations = try statistics([inputs(300, 20, &generator)])
    let format = MXIntQuantizer(bits: 2, blockSize: 10)
    let plain = try QERA(rank: 4, scaling: .identity).correct(weight, quantizedBy: format, activations: activations)
    let loftQ = try QERA.loftQ(rank: 4).correct(weight, quantizedBy: format, activations: activations)
    #expect((weight - loftQ.reconstructed()).frobeniusNorm() < (weight - plain.reconstructed()).frobeniusNorm())
    // One round is the correction of the quantized weight itself.
    let direct = try QERA(rank: 4, scaling: .identity).correction(
      of: weight, quantizedTo: format.dequantized(weight), activations: activations)
    #expect(
      distance(plain.reconstructed() - Tensor<Double>(plain.quantized.dequantized), direct.factors.reconstructed())
        < 1e-12)
  }

  @Test func layerComputesTheCorrectedWeightAndTrainsItsFactors() throws {
    var generator = TestGenerator(seed: 8)
    let weight: Tensor<Double> = generator.tensor([6, 9])
    let activations = try statistics([inputs(60, 9, &generator)])
    let corrected = try QERA(rank: 3).correct(weight, quantizedBy: .nf4, activations: activations)
    let x: Tensor<Double> = generator.tensor([2, 5, 9])
    let bias: Tensor<Double> = generator.tensor([6])
    let layer = Linear(form: corrected.form, bias: bias)
    let wanted = x.matmul(corrected.reconstructed(), transposingB: true)
    #expect(distance(layer(x), wanted + bias) < 1e-12)
    #expect(distance(corrected(x), wanted) < 1e-12)
    #expect(layer.parameters.names == ["weight.left", "weight.right", "bias"])
    let (_, gradient) = layer.valueAndGradient { $0(x).sumOfSquares() }
    let index = try #require(gradient.names.firstIndex(of: "weight.right"))
    let factors = corrected.correction.factors
    let step = 1e-6
    var right = factors.right
    right[at: 1, 2] += step
    let moved = Linear(
      form: .corrected(
        base: Tensor<Double>(corrected.quantized.dequantized), left: factors.left, right: right), bias: bias)
    let slope = (moved(x).sumOfSquares().scalar - layer(x).sumOfSquares().scalar) / step
    #expect(abs(gradient.tensors[index][at: 1, 2] - slope) < 1e-4 * (1 + abs(slope)))
    let nominal = Double(corrected.quantized.storedBits + 3 * 15 * 16) / 54
    #expect(abs(corrected.bitsPerWeight() - nominal) < 1e-12)
  }

  @Test func momentsOfASecondMoment() throws {
    var generator = TestGenerator(seed: 4)
    let x: Tensor<Float> = generator.tensor([40, 5])
    let seen = try statistics([Tensor<Double>(x)])
    let change: Tensor<Double> = generator.tensor([4, 5])
    let outputs = Tensor<Double>(x).matmul(change, transposingB: true)
    #expect(abs(seen.meanSquaredOutput(of: change) - outputs.sumOfSquares().scalar / 40) < 1e-10)
    let made = try ActivationMoments(secondMoment: seen.secondMoment, tokens: 40)
    #expect(distance(made.gram, seen.gram) < 1e-12)
    #expect(abs(made.meanSquaredOutput(of: change) - seen.meanSquaredOutput(of: change)) < 1e-12)
  }

  @Test func badInput() throws {
    let weight = Tensor<Double>.ones([3, 4])
    let good = try ActivationMoments(secondMoment: .identity(4))
    for rank in [0, -1, 4] {
      #expect(throws: InvalidArgument.self) {
        try QERA(rank: rank).correct(weight, quantizedBy: .nf4, activations: good)
      }
    }
    func refuses(_ weight: Tensor<Double>, _ activations: ActivationMoments, _ method: QERA = QERA(rank: 1)) {
      #expect(throws: InvalidArgument.self) { try method.correct(weight, quantizedBy: .nf4, activations: activations) }
    }
    refuses(Tensor([[1, .nan, 0, 0]]), good)
    refuses(weight, try ActivationMoments(secondMoment: .identity(3)))
    refuses(weight, ActivationMoments(width: 4))
    refuses(weight, good, QERA(rank: 1, alternations: 0))
    let indefinite = Tensor<Double>([[1, 2, 0, 0], [2, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    refuses(weight, try ActivationMoments(secondMoment: indefinite))
    #expect(throws: InvalidArgument.self) { try ActivationMoments(secondMoment: .ones([2, 3])) }
    #expect(throws: InvalidArgument.self) { try ActivationMoments(secondMoment: Tensor([[.nan]])) }
    #expect(throws: InvalidArgument.self) {
      try QERA(rank: 1).correction(of: weight, quantizedTo: .ones([3, 3]), activations: good)
    }
    #expect(throws: InvalidArgument.self) {
      try ActivationMoments(secondMoment: Tensor(diagonal: Tensor([1, -0.1])))
    }
  }
}
