import LinearAlgebra
import Recovery
import Tensors
import TestSupport
import Testing

@Suite struct OrthogonalDictionaryTests {
  static func codes(_ count: Int, _ size: Int, density: Double, _ random: inout RandomStream) -> Tensor<Double> {
    random.normal([count, size]) * Tensor<Double>(random.bernoulli([count, size], probability: density))
  }

  @Test func iteratesStayInTheBallAndDirectionsOrthogonal() throws {
    var random = RandomStream(seed: 1)
    let truth: Tensor<Double> = try random.orthogonal([10, 10])
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: 10)
    for _ in 0..<200 {
      let y = Self.codes(1, 10, density: 0.4, &random).matmul(truth, transposingB: true)
      try learner.partialFit(y)
      #expect(try learner.iterate.spectralNorm() <= 1 + 1e-12)
      let product = learner.direction.multipliedByOwnTranspose()
      #expect(distance(product, .identity(10)) < 1e-12)
      #expect(learner.gapEstimate >= 0)
    }
    #expect(learner.stepCount + learner.skippedCount == 200)
  }

  @Test(arguments: [6, 31, 40, 64]) func polarFactorMaximizesTheInnerProduct(size: Int) throws {
    for seed in 0..<3 as Range<UInt64> {
      var random = RandomStream(seed: seed)
      let matrix: Tensor<Double> = random.normal([size, size])
      let factor = try orthogonalPolarFactor(of: matrix)
      let svd = try SingularValueDecomposition(of: matrix)
      #expect(distance(factor, svd.left.matmul(svd.right, transposingB: true)) < 1e-10, "seed \(seed)")
      let nuclear = svd.values.sum().scalar
      #expect(abs((factor * matrix).sum().scalar - nuclear) < 1e-10 * nuclear)
      let other: Tensor<Double> = try random.orthogonal([size, size])
      #expect((other * matrix).sum().scalar < nuclear)
    }
  }

  @Test(arguments: [8, 48]) func rankDeficientMatricesAreCompleted(size: Int) throws {
    var random = RandomStream(seed: 4)
    let matrix = random.normal([size, 2], of: Double.self).matmul(random.normal([2, size]))
    let factor = try orthogonalPolarFactor(of: matrix)
    #expect(distance(factor.multipliedByOwnTranspose(), .identity(size)) < 1e-12)
    #expect(abs((factor * matrix).sum().scalar - (try matrix.nuclearNorm())) < 1e-9)
  }

  @Test(arguments: [3.0, 4, 2.5]) func gradientIsTheSlope(power: Double) throws {
    var random = RandomStream(seed: 5)
    let samples: Tensor<Double> = random.normal([7, 5])
    let dictionary: Tensor<Double> = random.normal([5, 5])
    let gradient = orthogonalDictionaryGradient(samples, dictionary, power: power).gradient
    for i in 0..<5 {
      for j in 0..<5 {
        func value(_ change: Double) -> Double {
          var moved = dictionary
          moved[at: i, j] += change
          return -orthogonalDictionaryGradient(samples, moved, power: power).objective
        }
        let slope = (value(1e-5) - value(-1e-5)) / 2e-5
        #expect(abs(slope - gradient[at: i, j]) < 1e-6 * max(1, abs(slope)))
      }
    }
  }

  @Test func rotatedDataGiveARotatedDictionary() throws {
    var random = RandomStream(seed: 6)
    let truth: Tensor<Double> = try random.orthogonal([8, 8])
    let turn: Tensor<Double> = try random.orthogonal([8, 8])
    let start: Tensor<Double> = try random.orthogonal([8, 8])
    let samples = Self.codes(300, 8, density: 0.3, &random).matmul(truth, transposingB: true)
    var plain = try OnlineOrthogonalDictionary<Double>(dimension: 8, start: start)
    var turned = try OnlineOrthogonalDictionary<Double>(dimension: 8, start: turn.matmul(start))
    // Batches large enough for gradients of full rank: others are completed in no particular way.
    try plain.fit(samples, batchSize: 60)
    try turned.fit(samples.matmul(turn, transposingB: true), batchSize: 60)
    #expect(distance(turned.iterate, turn.matmul(plain.iterate)) < 1e-8)
  }

  @Test func signsAndOrderOfAtomsDoNotMatter() throws {
    var random = RandomStream(seed: 7)
    let samples: Tensor<Double> = random.normal([50, 6])
    let dictionary: Tensor<Double> = try random.orthogonal([6, 6])
    let signs = Tensor<Double>([1, -1, 1, -1, -1, 1])
    let moved = (dictionary * signs).gathered(random.permutation(6), axis: 1)
    let (a, b) = (
      orthogonalDictionaryGradient(samples, dictionary).objective,
      orthogonalDictionaryGradient(samples, moved).objective
    )
    #expect(abs(a - b) < 1e-10 * a)
    #expect(try dictionaryRecoveryError(moved, dictionary) < 1e-12)
    #expect(try dictionaryRecoveryError(moved, dictionary, assigning: true) < 1e-12)
    #expect(try dictionaryRecoveryError(try random.orthogonal([6, 6]), dictionary, assigning: true) > 0.1)
  }

  @Test func oneSparseDataAreLearnedExactly() throws {
    var random = RandomStream(seed: 8)
    let truth: Tensor<Double> = try random.orthogonal([16, 16])
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: 16)
    let atoms = random.integers([1_000], in: 0..<16)
    let sizes: Tensor<Double> = random.normal([1_000])
    let samples = truth.transposed.gathered(atoms) * sizes.expanded(axis: 1)
    try learner.fit(samples)
    #expect(try dictionaryRecoveryError(learner.dictionary(), truth) <= 1e-6)
  }

  @Test func gaussianDataHaveNothingToLearn() throws {
    var random = RandomStream(seed: 9)
    let truth: Tensor<Double> = try random.orthogonal([16, 16])
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: 16)
    try learner.fit(Self.codes(3_000, 16, density: 1, &random).matmul(truth, transposingB: true), batchSize: 2)
    let other: Tensor<Double> = try random.orthogonal([16, 16])
    let level = try dictionaryRecoveryError(other, truth)
    #expect(try dictionaryRecoveryError(learner.dictionary(), truth) > 0.7 * level)
  }

  @Test func theTruthHasTheLargestObjective() throws {
    var random = RandomStream(seed: 10)
    let truth: Tensor<Double> = try random.orthogonal([12, 12])
    let other: Tensor<Double> = try random.orthogonal([12, 12])
    let samples = Self.codes(200_000, 12, density: 0.2, &random).matmul(truth, transposingB: true)
    let best = orthogonalDictionaryGradient(samples, truth).objective
    #expect(best > 1.1 * orthogonalDictionaryGradient(samples, other).objective)
    // θ n E|g|³
    #expect(abs(best / (0.2 * 12 * 1.5957691216057308) - 1) < 0.02)
  }

  @Test func aBatchIsOneStepWithTheMeanGradient() throws {
    var random = RandomStream(seed: 11)
    let samples: Tensor<Double> = random.normal([4, 5])
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: 5)
    let start = learner.iterate
    try learner.partialFit(samples)
    var mean = Tensor<Double>.zeros([5, 5])
    for i in 0..<4 { mean += orthogonalDictionaryGradient(samples[i..<i + 1], start).gradient / 4 }
    #expect(distance(learner.gradient, mean) < 1e-12)
    #expect(learner.stepCount == 1 && learner.sampleCount == 4)
  }

  @Test func whiteningHandlesCorrelatedCodes() throws {
    var random = RandomStream(seed: 12)
    let truth: Tensor<Double> = try random.orthogonal([8, 8])
    let mix = random.normal([8, 8], of: Double.self) * 0.3 + Tensor.identity(8)
    // y = A x with any invertible A: whitened, it is an orthogonal mixture.
    let samples = Self.codes(20_000, 8, density: 0.2, &random).matmul(mix.matmul(truth), transposingB: true) + 3
    var settings = OrthogonalDictionarySettings()
    (settings.removesMean, settings.whitening) = (true, .online)
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: 8, settings: settings)
    try learner.fit(samples, batchSize: 10)
    func normalized(_ x: Tensor<Double>) -> Tensor<Double> { x / x.norm(axes: [0], keepingAxes: true) }
    let found = normalized(try learner.completeDictionary())
    #expect(try dictionaryRecoveryError(found, normalized(mix.matmul(truth))) < 0.01)
    let all = try learner.decode(learner.encode(samples[0..<20]))
    #expect(distance(all, samples[0..<20].copied()) < 1e-8)
  }

  @Test func codesAreSparseAndRestore() throws {
    var random = RandomStream(seed: 13)
    let learner = try OnlineOrthogonalDictionary<Double>(dimension: 6)
    let samples: Tensor<Double> = random.normal([9, 6])
    #expect(distance(try learner.decode(learner.encode(samples)), samples) < 1e-12)
    let codes = try learner.encode(samples, keeping: .largest(2))
    #expect((codes .!= 0).trueCount == 18)
    let hard = try learner.encode(samples, keeping: .above(0.5))
    #expect(((hard .!= 0) .& (hard.absolute() .< 0.5)).trueCount == 0)
    #expect(throws: InvalidArgument.self) { try learner.encode(samples, keeping: .largest(7)) }
  }

  @Test(arguments: [3.0, 4.0]) func batchIterationsFindTheDictionary(power: Double) throws {
    var random = RandomStream(seed: 14)
    let truth: Tensor<Double> = try random.orthogonal([10, 10])
    let samples = Self.codes(5_000, 10, density: 0.3, &random).matmul(truth, transposingB: true)
    let result = try orthogonalDictionaryBatch(samples, power: power)
    #expect(result.convergence.isConverged)
    #expect(try dictionaryRecoveryError(result.dictionary, truth) < 0.01)
  }

  @Test func badInputIsNamed() throws {
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: 4)
    #expect(throws: InvalidArgument.self) { try learner.partialFit(.ones([2, 5])) }
    #expect(throws: InvalidArgument.self) { try learner.partialFit(.zeros([0, 4])) }
    #expect(throws: InvalidArgument.self) { try learner.partialFit(Tensor([[1, .nan, 0, 0]])) }
    try learner.partialFit(.zeros([3, 4]))
    #expect(learner.skippedCount == 1 && learner.stepCount == 0)
    var settings = OrthogonalDictionarySettings()
    settings.power = 2
    #expect(throws: InvalidArgument.self) { try OnlineOrthogonalDictionary<Double>(dimension: 4, settings: settings) }
    #expect(throws: InvalidArgument.self) {
      try OnlineOrthogonalDictionary<Double>(dimension: 4, start: .ones([4, 3]))
    }
    #expect(throws: InvalidArgument.self) {
      try OnlineOrthogonalDictionary<Double>(dimension: 2, start: .ones([2, 2]))
    }
    #expect(throws: InvalidArgument.self) { try OnlineOrthogonalDictionary<Double>(dimension: 0) }
  }
}
