import Compression
import LinearAlgebra
import Networks
import Tensors
import TestSupport
import Testing

/// A weight, its inputs as columns, those of the original network, and their moments.
private struct LayerProblem {
  let weight: Tensor<Float>
  /// X and X_f, shape [n, N].
  let inputs: Tensor<Double>
  let reference: Tensor<Double>
  let moments: ActivationMoments

  init(_ rows: Int, _ columns: Int, tokens: Int = 60, shift: Double = 0.5, seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    weight = generator.tensor([rows, columns])
    // Channels of different sizes, which depend on each other.
    let mixing: Tensor<Float> = generator.tensor([columns, columns])
    let x = (generator.tensor([tokens, columns], of: Float.self)).matmul(mixing)
    let f = x + generator.tensor([tokens, columns]) * Float(shift)
    var moments = ActivationMoments(width: columns)
    try moments.add(x, reference: f)
    self.moments = moments
    inputs = Tensor<Double>(x).transposed.dense
    reference = Tensor<Double>(f).transposed.dense
  }

  var wide: Tensor<Double> { Tensor<Double>(weight) }

  /// ‖(W' - W) X‖² + alpha ‖W' X - W X_f‖².
  func objective(_ candidate: Tensor<Double>, beta: Double) -> Double {
    let local = (candidate - wide).matmul(inputs).sumOfSquares().scalar
    let aligned = (candidate.matmul(inputs) - wide.matmul(reference)).sumOfSquares().scalar
    return beta == 1 ? aligned : local + beta / (1 - beta) * aligned
  }
}

private let shapes = [(6, 9), (9, 6), (7, 7)]

@Suite struct CumulativeTargetTests {
  @Test(arguments: 0..<6) func fullRankIsTheWeightOrTheProjection(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let problem = try LayerProblem(rows, columns, seed: seed)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments, damping: 0)
    let full = min(rows, columns)
    #expect(distance(try target.factors(rank: full, beta: 0).reconstructed(), problem.wide) < 1e-7, "seed \(seed)")
    // W' X is the projection of W (X + beta E) on the rows of X.
    let x = problem.inputs
    let wanted = problem.wide.matmul(x + (problem.reference - x) * 0.6)
    let gram = x.multipliedByOwnTranspose()
    let projected = try CholeskyDecomposition(of: gram).solve(x.matmul(wanted, transposingB: true)).transposed
    #expect(distance(try target.factors(rank: full, beta: 0.6).reconstructed(), projected.dense) < 1e-7)
  }

  @Test(arguments: 0..<6) func betaZeroIsWhitenedTruncation(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let problem = try LayerProblem(rows, columns, seed: seed)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments, damping: 0)
    let root = try CholeskyDecomposition(of: problem.moments.gram).lower.dense
    let svd = try SingularValueDecomposition(of: problem.wide.matmul(root)).reconstructed(rank: 3)
    let wanted = try root.solveTriangular(svd.transposed.dense, .lower, transposing: true).transposed.dense
    #expect(distance(try target.factors(rank: 3, beta: 0).reconstructed(), wanted) < 1e-8, "seed \(seed)")
  }

  @Test func anUndisturbedNetworkGivesTheSameForEveryBeta() throws {
    let problem = try LayerProblem(6, 8, shift: 0, seed: 3)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments)
    let first = try target.factors(rank: 3, beta: 0).reconstructed()
    for beta in [0.3, 0.9, 1] {
      #expect(distance(try target.factors(rank: 3, beta: beta).reconstructed(), first) < 1e-9)
    }
  }

  /// Alternating least squares on the data itself, from 20 starts, and random matrices of the rank.
  @Test(arguments: 0..<3) func noMatrixOfTheRankIsBetter(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let problem = try LayerProblem(rows, columns, seed: seed)
    let beta = [0.4, 0.8, 1][Int(seed)]
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments, damping: 0)
    let best = problem.objective(try target.factors(rank: 2, beta: beta).reconstructed(), beta: beta)
    let x = problem.inputs
    let goal = problem.wide.matmul(x + (problem.reference - x) * beta)
    let gram = x.multipliedByOwnTranspose()
    let inverse = try CholeskyDecomposition(of: gram).inverse()
    let cross = goal.matmul(x, transposingB: true)
    var generator = TestGenerator(seed: seed + 50)
    for _ in 0..<20 {
      var left: Tensor<Double> = generator.tensor([rows, 2])
      var right: Tensor<Double> = generator.tensor([2, columns])
      #expect(best <= problem.objective(left.matmul(right), beta: beta) * (1 + 1e-9))
      for _ in 0..<60 {
        let inner = right.matmul(gram).matmul(right, transposingB: true)
        left = try CholeskyDecomposition(of: (inner + inner.transposed) * 0.5)
          .solve(right.matmul(cross, transposingB: true)).transposed.dense
        let own = left.multipliedByOwnTranspose(transposing: true)
        right = try CholeskyDecomposition(of: own).solve(left.matmul(cross, transposingA: true)).matmul(inverse)
      }
      #expect(best <= problem.objective(left.matmul(right), beta: beta) * (1 + 1e-9), "seed \(seed)")
    }
  }

  @Test func theGradientVanishesAtTheMinimum() throws {
    let problem = try LayerProblem(5, 7, seed: 4)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments, damping: 0)
    let factors = try target.factors(rank: 2, beta: 0.5)
    var generator = TestGenerator(seed: 5)
    for _ in 0..<6 {
      let toLeft: Tensor<Double> = generator.tensor([5, 2])
      let toRight: Tensor<Double> = generator.tensor([2, 7])
      func value(_ step: Double) -> Double {
        problem.objective((factors.left + toLeft * step).matmul(factors.right + toRight * step), beta: 0.5)
      }
      let slope = (value(1e-5) - value(-1e-5)) / 2e-5
      let curvature = (value(1e-3) - 2 * value(0) + value(-1e-3)) / 1e-6
      #expect(abs(slope) < 1e-4 * max(curvature, 1))
    }
  }

  @Test func rotatingTokensChangesNothing() throws {
    let problem = try LayerProblem(5, 6, tokens: 20, seed: 6)
    var generator = TestGenerator(seed: 7)
    let rotation = try orthogonal(20, &generator)
    func rotated(_ x: Tensor<Double>) -> Tensor<Float> {
      Tensor<Float>(x.matmul(rotation).transposed.dense)
    }
    var moments = ActivationMoments(width: 6)
    try moments.add(rotated(problem.inputs), reference: rotated(problem.reference))
    let one = try CumulativeTarget(weight: problem.weight, moments: problem.moments).factors(rank: 2, beta: 0.7)
    let other = try CumulativeTarget(weight: problem.weight, moments: moments).factors(rank: 2, beta: 0.7)
    #expect(distance(one.reconstructed(), other.reconstructed()) < 1e-4)
  }

  @Test func badInputIsNamed() throws {
    let problem = try LayerProblem(4, 5, seed: 8)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments)
    for (rank, beta) in [(0, 0.5), (5, 0.5), (2, -0.1), (2, 1.1), (2, .nan)] {
      #expect(throws: InvalidArgument.self) { try target.factors(rank: rank, beta: beta) }
      #expect(throws: InvalidArgument.self) { try target.ratio(rank: rank, beta: beta) }
    }
    #expect(throws: InvalidArgument.self) {
      try CumulativeTarget(weight: problem.weight.transposed.dense, moments: problem.moments)
    }
    #expect(throws: InvalidArgument.self) {
      try CumulativeTarget(weight: problem.weight * .nan, moments: problem.moments)
    }
    #expect(throws: InvalidArgument.self) {
      try CumulativeTarget(weight: problem.weight, moments: ActivationMoments(width: 5))
    }
    // Fewer tokens than inputs: damped, and said.
    let few = try LayerProblem(4, 5, tokens: 3, seed: 9)
    #expect(try CumulativeTarget(weight: few.weight, moments: few.moments).damping >= 1e-6)
    #expect(few.moments.isUnderdetermined)
  }
}

@Suite struct BetaSearchTests {
  @Test(arguments: 0..<6) func ratioIsThatOfTheSingularValues(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let problem = try LayerProblem(rows, columns, shift: 2, seed: seed)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments)
    for beta in [0, 0.35, 1] {
      let squares = try target.target(beta: beta).singularValues().scalars.map { $0 * $0 }
      let wanted = squares.prefix(2).reduce(0, +) / squares.reduce(0, +)
      #expect(abs(try target.ratio(rank: 2, beta: beta) - wanted) < 1e-10, "seed \(seed)")
      guard beta == 0.35 else { continue }
      let step = 1e-5
      let difference =
        (try target.ratio(rank: 2, beta: beta + step) - target.ratio(rank: 2, beta: beta - step)) / (2 * step)
      #expect(abs(try target.ratioSlope(rank: 2, beta: beta) - difference) < 1e-6 * max(1, abs(difference)))
    }
  }

  @Test(arguments: 0..<12) func exactIsBestAndTheSubspaceNeverBeatsIt(seed: UInt64) throws {
    let (rows, columns) = shapes[Int(seed) % 3]
    let problem = try LayerProblem(rows, columns, shift: 3, seed: seed)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments)
    let range = 0.0...1.0
    let exact = try target.search(rank: 2, range: range)
    let fast = try target.search(rank: 2, range: range, solver: .subspace())
    #expect(range.contains(exact.beta) && range.contains(fast.beta))
    #expect(fast.ratio <= exact.ratio + 1e-6 && exact.ratio <= 1, "seed \(seed)")
    #expect(fast.ratio >= (try target.ratio(rank: 2, beta: 0)) - 1e-12)
    let scan = try (0...200).map { try target.ratio(rank: 2, beta: Double($0) / 200) }.max() ?? 0
    #expect(exact.ratio >= scan - 1e-6, "seed \(seed)")
    #expect(zip(exact.curve, exact.curve.dropFirst()).allSatisfy { $0.beta <= $1.beta })
  }

  @Test func degenerateRanges() throws {
    let problem = try LayerProblem(4, 5, seed: 1)
    let target = try CumulativeTarget(weight: problem.weight, moments: problem.moments)
    #expect(try target.search(rank: 2, range: 0.5...0.5).beta == 0.5)
    #expect(throws: InvalidArgument.self) { try target.search(rank: 2, range: 0.5...1.5) }
    #expect(throws: InvalidArgument.self) { try target.search(rank: 2, range: -1...0.5) }
    #expect(throws: InvalidArgument.self) { try target.search(rank: 2, solver: .exact(gridPoints: 1)) }
  }
}

@Suite struct SAESSVDTests {
  private func setUp(_ seed: UInt64 = 1) throws -> (model: GPT<Float>, data: CalibrationData<GPT<Float>>) {
    let (model, windows) = try smallDecoder(seed: seed)
    return (model, CalibrationData(tokens: windows))
  }

  @Test func everyModeRunsOnFactorsAndReports() throws {
    let (model, data) = try setUp()
    let modes: [SAESSVD.Mode] = [
      .plain, .whitened, .whitenedSequential, .cumulative(beta: 0.5), .adaptive(range: 0.2...0.9), .heldOut,
    ]
    for mode in modes {
      let small = try SAESSVD(mode: mode).compress(model, keeping: 0.6, data: data)
      #expect(small.layers.map(\.name) == model.linearGroups.flatMap { $0 })
      for layer in small.layers {
        #expect(layer.result.form?.rank == (try lowRank(keeping: 0.6, of: layer.shape)))
        #expect(layer.keptParameters <= layer.originalParameters * 6 / 10)
      }
      #expect(small.model(Tensor([[1, 2, 3]])).isFinite)
    }
  }

  /// At the first group both networks have the same inputs; there a sweep is a whitened truncation.
  @Test func theFirstGroupSeesNoError() throws {
    let (model, data) = try setUp(2)
    let name = "model.layers.0.self_attn.q_proj"
    func first(_ mode: SAESSVD.Mode) throws -> Tensor<Float> {
      let small = try SAESSVD(mode: mode).compress(model, keeping: 0.5, data: data)
      return try #require(small.layers.first { $0.name == name }?.result.form?.dense)
    }
    let whitened = try first(.whitened)
    #expect(distance(try first(.whitenedSequential), whitened) < 1e-4)
    #expect(distance(try first(.cumulative(beta: 0.8)), whitened) < 1e-4)
  }

  /// With beta = 1 the outputs are fitted to the original ones: the error of each layer is the least at its inputs.
  @Test func theCumulativeErrorIsWhatWasMeasured() throws {
    let (model, data) = try setUp(3)
    let small = try SAESSVD(mode: .cumulative(beta: 1)).compress(model, keeping: 0.5, data: data)
    let (_, windows) = try smallDecoder(seed: 3)
    let name = "model.layers.1.mlp.down_proj"
    let index = try #require(small.layers.firstIndex { $0.name == name })
    let layer = small.layers[index]
    var error = 0.0
    var total = 0.0
    for window in windows {
      let ours = try outputs(of: small.model, name, window)
      let original = try outputs(of: model, name, window)
      error += Double((ours - original).sumOfSquares().scalar)
      total += Double(original.sumOfSquares().scalar)
    }
    let reported = try #require(layer.result[figure: "cumulative error"])
    #expect(abs(reported - (error / total).squareRoot()) < 2e-3)
  }

  private func outputs(of model: GPT<Float>, _ name: String, _ tokens: Tensor<Int>) throws -> Tensor<Float> {
    let kept = Kept()
    let tapped = model.tapped { $0 == name ? LinearTap(output: { kept.keep($0) }) : nil }
    _ = tapped(tokens)
    return try #require(kept.value)
  }

  @Test func chosenLayersOnly() throws {
    let (model, data) = try setUp(4)
    let method = SAESSVD(mode: .cumulative(beta: 0.5))
    let isChosen = { (name: String) in name.contains("mlp") }
    let calibration = try method.calibration(of: model, on: data, where: isChosen)
    let small = try method.compress(
      model, keeping: 0.5, calibration: calibration, data: data, where: isChosen, progress: .silent)
    #expect(small.layers.count == 6 && small.layers.allSatisfy { isChosen($0.name) })
    #expect(small.model.blocks[0].attention.queryProjection.form.rank == nil)
  }

  @Test func smallMemoryEvaluatesAgain() throws {
    let (model, data) = try setUp(5)
    var method = SAESSVD(mode: .cumulative(beta: 0.5))
    let one = try method.compress(model, keeping: 0.5, data: data)
    method.memory = 0
    let other = try method.compress(model, keeping: 0.5, data: data)
    for (a, b) in zip(one.layers, other.layers) { #expect(a.result.form?.dense == b.result.form?.dense) }
  }

  @Test func badInputIsNamed() throws {
    let (model, data) = try setUp(6)
    #expect(throws: InvalidArgument.self) { try SAESSVD().compress(model, keeping: 0.5) }
    #expect(throws: InvalidArgument.self) { try SAESSVD().compress(model, keeping: 1.5, data: data) }
    #expect(throws: InvalidArgument.self) {
      try SAESSVD(mode: .cumulative(beta: 2)).compress(model, keeping: 0.5, data: data)
    }
    #expect(throws: InvalidArgument.self) {
      try SAESSVD(mode: .adaptive(range: 0.5...1.2)).compress(model, keeping: 0.5, data: data)
    }
    #expect(throws: InvalidArgument.self) {
      try SAESSVD(mode: .heldOut).compress(model, keeping: 0.5, data: .init(tokens: [Tensor([[1, 2, 3]])]))
    }
    var broken = model
    broken.blocks[1].feedForward.upProjection.weight *= .nan
    let error = #expect(throws: InvalidArgument.self) {
      try SAESSVD(mode: .plain).compress(broken, keeping: 0.5, data: data)
    }
    #expect(error?.name == "model.layers.1.mlp.up_proj")
  }
}
