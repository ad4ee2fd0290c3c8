import Foundation
import LinearAlgebra
import LinearSolvers
import Tensors
import TestSupport
import Testing

@Suite struct RelaxationTests {
  @Test(arguments: 0..<6)
  func sweepsAreThoseOfTheDefinition(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var matrix = try randomDefinite(30, extraEdges: 60, &generator)
    // Every other matrix is not symmetric.
    if seed % 2 == 1 { matrix = matrix.withValues(matrix.values * (generator.tensor([matrix.entryCount]) * 0.05 + 1)) }
    let relaxation = Double.random(in: 0.3..<1.7, using: &generator)
    let load: Tensor<Double> = generator.tensor([30])
    let splitter =
      (matrix.triangle(.lower, strictly: true) + SparseMatrix(diagonal: matrix.diagonal / relaxation)).dense
    let inverse = try LUDecomposition(of: splitter).solve(.identity(30))
    var x = Tensor<Double>.zeros([30])
    for count in 1...5 {
      x += inverse.matmul(load - matrix.matmul(x))
      let method = StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-30, iterationLimit: count)
      let found = try method.solve(matrix, load)
      #expect(relativeDistance(found.solution, x) < 1e-12, "seed \(seed), \(count) iterations")
      let truth = (load - matrix.matmul(x)).frobeniusNorm() / load.frobeniusNorm()
      #expect(abs(found.convergence.residual - truth) < 1e-12 && abs(found.residual - truth) < 1e-12)
    }
    // Several right sides take another path to the same numbers.
    let several = try StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-9)
      .solve(matrix, load.expanded(axis: 1) * Tensor([1.0, -2]))
    let single = try StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-9).solve(matrix, load)
    #expect(single.isConverged && single.iterations == several.iterations, "seed \(seed)")
    #expect(relativeDistance(several.solution[.all, 0].copied(), single.solution) < 1e-8, "seed \(seed)")
  }

  @Test(arguments: 0..<6)
  func sweepsKeepTheResidual(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var matrix = try randomDefinite(40, extraEdges: 60, &generator)
    if seed % 2 == 1 { matrix = matrix.withValues(matrix.values * (generator.tensor([matrix.entryCount]) * 0.05 + 1)) }
    let sweep = try RelaxationSweep(matrix, relaxation: 1.3)
    let load: Tensor<Double> = generator.tensor([40])
    var x: Tensor<Double> = generator.tensor([40])
    var residual = load - matrix.matmul(x)
    var steps = Tensor<Double>.zeros([40])
    for _ in 0..<5 {
      let before = x.copied()
      sweep.sweep(solution: &x, residual: &residual, steps: &steps)
      #expect(
        distance(residual, load - matrix.matmul(x)) < 1e-12 && distance(x - before, steps) < 1e-12, "seed \(seed)")
    }
    #expect(throws: InvalidArgument.self) { try RelaxationSweep(matrix, relaxation: 2) }
  }

  @Test(arguments: 0..<6)
  func coloredSweepsAreThoseOfTheReorderedMatrix(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    // A grid has two colours, a random graph more.
    let matrix =
      seed % 2 == 0
      ? SparseMatrix<Double>.gridLaplacian([5, 6, 2]) : try randomDefinite(60, extraEdges: 80, &generator)
    let colors = try rowColors(matrix)
    let dense = matrix.dense
    for i in 0..<60 {
      for j in 0..<i where dense[at: i, j] != 0 { #expect(colors[i] != colors[j], "seed \(seed): \(i), \(j)") }
    }
    #expect(seed % 2 == 1 || Set(colors) == [0, 1])
    let load: Tensor<Double> = generator.tensor([60])
    let order = Tensor((0..<60).sorted { (colors[$0], $0) < (colors[$1], $1) })
    let reordered = try SparseMatrix(dense.gathered(order).transposed.dense.gathered(order))
    for count in [1, 2, 7] {
      let colored = StationaryIteration(
        .overRelaxation(1.4), tolerance: 1e-30, iterationLimit: count, ordering: .colored)
      let found = try colored.solve(matrix, load)
      let natural = try StationaryIteration(.overRelaxation(1.4), tolerance: 1e-30, iterationLimit: count)
        .solve(reordered, load.gathered(order))
      #expect(distance(found.solution.gathered(order), natural.solution) < 1e-12, "seed \(seed), \(count)")
      #expect(abs(found.convergence.residual - natural.convergence.residual) < 1e-12, "seed \(seed), \(count)")
    }
  }

  @Test func redAndBlackKeepTheRateAndTheThreads() throws {
    // As many rows as wake several threads.
    let matrix = SparseMatrix<Double>.gridLaplacian([150, 150])
    let load = RandomStream(seed: 4).normalVector(22_500)
    let relaxation = 2 / (1 + sin(Double.pi / 151))
    let colored = StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-8, ordering: .colored)
    let found = try colored.solve(matrix, load)
    let natural = try StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-8).solve(matrix, load)
    #expect(found.isConverged && abs(found.iterations - natural.iterations) < natural.iterations / 4)
    #expect(relativeDistance(found.solution, natural.solution) < 1e-5)
    let threads = threadCount
    defer { threadCount = threads }
    threadCount = 1
    let alone = try colored.solve(matrix, load)
    #expect(alone.solution == found.solution && alone.convergence.history == found.convergence.history)
    // Orderings that do not exist.
    #expect(throws: InvalidArgument.self) { try StationaryIteration(.jacobi(), ordering: .colored).solve(matrix, load) }
    #expect(throws: InvalidArgument.self) { try colored.solve(matrix, load.expanded(axis: 1) * Tensor([1.0, 2])) }
    let single = try StationaryIteration(.gaussSeidel, tolerance: 1e-4, ordering: .colored)
      .solve(SparseMatrix<Float>.gridLaplacian([9, 9]), .ones([81]))
    #expect(single.isConverged)
  }

  @Test func singlePrecisionConverges() throws {
    let matrix = SparseMatrix<Float>.gridLaplacian([12, 12])
    let found = try StationaryIteration(.overRelaxation(1.5), tolerance: 1e-5).solve(matrix, .ones([144]))
    #expect(found.isConverged && found.residual <= 1.1e-5)
  }

  @Test(arguments: [0.4, 1.0, 1.5, 1.9])
  func symmetricSweepsAreTheirDefinition(relaxation: Double) throws {
    var generator = TestGenerator(seed: 4)
    let matrix = try randomDefinite(25, extraEdges: 30, &generator)
    let diagonal = SparseMatrix(diagonal: matrix.diagonal)
    let half = (diagonal + matrix.triangle(.lower, strictly: true) * relaxation).dense
    let p = half.matmul(SparseMatrix(diagonal: matrix.diagonal.reciprocal()).dense).matmul(half, transposingB: true)
    let wanted = try LUDecomposition(of: p / (relaxation * (2 - relaxation))).solve(.identity(25))
    let preconditioner = try RelaxationPreconditioner(of: matrix, relaxation: relaxation)
    let vector: Tensor<Double> = generator.tensor([25])
    #expect(distance(preconditioner.apply(vector), wanted.matmul(vector)) < 1e-11 * wanted.largestMagnitude)
    #expect(preconditioner.isSymmetric)
    let measured = preconditioner.apply(Tensor<Double>.identity(25))
    #expect(distance(measured, wanted) < 1e-11 * wanted.largestMagnitude)
    #expect(distance(measured, measured.transposed) < 1e-11 * wanted.largestMagnitude)
    _ = try CholeskyDecomposition(of: (measured + measured.transposed) / 2)
    let load: Tensor<Double> = generator.tensor([25])
    let found = try ConjugateGradients(tolerance: 1e-8).solve(matrix, load, preconditioner: preconditioner)
    #expect(found.isConverged && found.iterations <= 25 && found.residual <= 1e-8)
  }

  @Test func theoryOfTheGridLaplacian() throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([10, 10])
    let theory = try RelaxationTheory(matrix)
    #expect(abs(theory.jacobiRadius - cos(Double.pi / 11)) < 1e-10)
    #expect(abs(theory.optimalRelaxation - 1.56039) < 1e-5)
    let shifted = try RelaxationTheory(matrix + SparseMatrix.identity(100) * 0.3)
    #expect(abs(shifted.jacobiRadius - 4 * cos(Double.pi / 11) / 4.3) < 1e-10)
    let large = try RelaxationTheory(SparseMatrix<Double>.gridLaplacian([20, 20]))
    #expect(abs(large.jacobiRadius - cos(Double.pi / 21)) < 1e-8)
    // The reduction in the long run is the formula's.
    for relaxation in [1.0, 1.2, 1.4] {
      let load = RandomStream(seed: 3).normalVector(100)
      let history = try StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-12).solve(matrix, load)
        .convergence.history
      let (last, before) = (history[history.count - 1], history[history.count - 41])
      let measured = pow(last / before, 1.0 / 40)
      #expect(abs(measured / theory.spectralRadius(relaxation: relaxation) - 1) < 0.01, "\(relaxation)")
      #expect(
        theory.iterationBound(relaxation: relaxation, tolerance: 1e-8, asymptoticity: 0.05)
          > theory.asymptoticEstimate(relaxation: relaxation, tolerance: 1e-8))
    }
    #expect(theory.spectralRadius(relaxation: 1.8) == 0.8)
  }

  @Test func badInput() throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([4, 4])
    let load = Tensor<Double>.ones([16])
    for relaxation in [0, 2, -1, Double.nan] {
      let method = StationaryIteration(.overRelaxation(relaxation))
      #expect(throws: InvalidArgument.self) { try method.solve(matrix, load) }
    }
    let method = StationaryIteration()
    #expect(throws: InvalidArgument.self) { try method.solve(matrix[rows: 0..<5], load) }
    #expect(throws: InvalidArgument.self) { try method.solve(matrix * .nan, load) }
    #expect(throws: InvalidArgument.self) { try method.solve(matrix, load * .nan) }
    #expect(throws: DecompositionError.self) { try method.solve(matrix.triangle(.lower, strictly: true), load) }
    var tuner = RelaxationTuner(solver: .conjugateGradients, learner: try FixedRelaxation(1))
    #expect(throws: InvalidArgument.self) { try tuner.solve(matrix.triangle(.lower), load) }
    let capped = try StationaryIteration(iterationLimit: 3).solve(matrix, load)
    #expect(!capped.isConverged && capped.stop == .iterationLimit && capped.iterations == 3)
    // Gauss–Seidel diverges on a matrix that is far from definite; the result says so.
    let wild = try SparseMatrix(Tensor([[1.0, 5], [5, 1]]))
    #expect(try StationaryIteration().solve(wild, Tensor([1, 2])).stop == .diverged)
    #expect(try StationaryIteration().solve(matrix, .zeros([16])).solution == .zeros([16]))
  }
}

@Suite struct RelaxationLearnerTests {
  @Test(arguments: 0..<8)
  func probabilitiesAreOnes(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var learners: [any RelaxationLearner] = [
      try TsallisINF(seed: seed), try ChebCB(context: -1...1, seed: seed),
      try TsallisINFContextual(context: -1...1, seed: seed), try EpsilonGreedy(seed: seed),
      try ThompsonSampling(seed: seed),
    ]
    for l in learners.indices {
      for _ in 0..<300 {
        let context = Double.random(in: -1.2..<1.2, using: &generator)
        let action = try learners[l].predict(context: context)
        let p = learners[l].probabilities
        #expect(abs(p.reduce(0, +) - 1) < 1e-12 && p.allSatisfy { $0 > 0 }, "learner \(l), seed \(seed)")
        try learners[l].update(cost: 1 + Double(action) * Double.random(in: 0..<40, using: &generator))
      }
      #expect(learners[l].rounds == 300)
    }
  }

  @Test func equalCostsGiveEqualProbabilities() throws {
    var learner = try TsallisINF(actions: relaxationGrid(7))
    for _ in 0..<50 {
      _ = try learner.predict()
      #expect(learner.probabilities.allSatisfy { abs($0 - 1 / 7.0) < 1e-12 })
      // One iteration is the least cost: nothing is lost by it.
      try learner.update(cost: 1)
    }
    var lone = try TsallisINF(actions: [1.5])
    #expect(try lone.predict() == 0 && lone.probabilities == [1])
  }

  @Test func theSameSeedGivesTheSameChoices() throws {
    func choices(_ seed: UInt64) throws -> [Int] {
      var learner = try ChebCB(context: 0...1, seed: seed)
      return try (0..<200).map { t in
        let action = try learner.predict(context: Double(t % 17) / 17)
        try learner.update(cost: 10 + Double((action - 8) * (action - 8)))
        return action
      }
    }
    #expect(try choices(3) == choices(3))
    #expect(try choices(3) != choices(4))
    // A learner goes on after it was stored.
    var learner = try TsallisINF(seed: 5)
    for t in 0..<40 {
      let action = try learner.predict()
      try learner.update(cost: Double(1 + action + t % 3))
    }
    var restored = try JSONDecoder().decode(TsallisINF.self, from: JSONEncoder().encode(learner))
    #expect(restored == learner)
    #expect(try restored.predict() == learner.predict())
  }

  @Test func regretGrowsWithTheRootOfTheRounds() throws {
    // Two actions whose costs are 1 or 2, by coins of probability 0.4 and 0.6.
    var regrets: [Double] = []
    let lengths = [500, 8_000]
    for rounds in lengths {
      var total = 0.0
      for seed in 0..<12 {
        var learner = try TsallisINF(actions: [1.2, 1.6], seed: UInt64(seed))
        var coins = RandomStream(seed: UInt64(100 + seed))
        for _ in 0..<rounds {
          let action = try learner.predict()
          let cost = Double.random(in: 0..<1, using: &coins) < (action == 0 ? 0.4 : 0.6) ? 2.0 : 1.0
          if action == 1 { total += 0.2 }
          try learner.update(cost: cost)
        }
      }
      regrets.append(total / 12)
    }
    let slope = log(regrets[1] / regrets[0]) / log(Double(lengths[1]) / Double(lengths[0]))
    #expect(slope <= 0.6, "\(regrets)")
    #expect(regrets[1] < 2 * (2.0 * 8_000).squareRoot())
  }

  @Test(arguments: 0..<4)
  func thompsonsProbabilitiesAreItsFrequencies(seed: UInt64) throws {
    // The same beliefs, met by many streams.
    let costs: [Double] = [12, 10, 11, 30, 9, 13]
    func trained(_ stream: UInt64) throws -> ThompsonSampling {
      let first = try ThompsonSampling(actions: relaxationGrid(4), seed: stream)
      var learner = first
      for cost in costs {
        let action = try learner.predict()
        try learner.update(cost: cost + Double(action))
      }
      return learner
    }
    var learner = try trained(seed)
    let p = learner.probabilities
    #expect(abs(p.reduce(0, +) - 1) < 1e-12)
    for a in 0..<4 { #expect(abs(learner.probability(of: a) - p[a]) < 1e-3) }
    // Drawn anew in later rounds without an update: the learner's stream goes on with its rounds, so seeds are changed.
    var counts = [Double](repeating: 0, count: 4)
    let data = try JSONEncoder().encode(learner)
    let text = try #require(String(data: data, encoding: .utf8))
    for stream in 0..<2_000 {
      let other = text.replacingOccurrences(of: "\"seed\":\(seed)", with: "\"seed\":\(10_000 + stream)")
      var twin = try JSONDecoder().decode(ThompsonSampling.self, from: Data(other.utf8))
      counts[try twin.predict()] += 1 / 2_000
    }
    for a in 0..<4 { #expect(abs(counts[a] - p[a]) < 0.045, "seed \(seed): \(counts) \(p)") }
    #expect(try learner.predict() >= 0)
  }

  @Test func baselinesFindTheBestOfSteadyCosts() throws {
    var learners: [any RelaxationLearner] = [
      try EpsilonGreedy(actions: relaxationGrid(8), seed: 3), try ThompsonSampling(actions: relaxationGrid(8), seed: 3),
    ]
    for l in learners.indices {
      var coins = RandomStream(seed: 9)
      var late = 0
      for t in 0..<600 {
        let action = try learners[l].predict(context: nil)
        if t >= 300 && action == 5 { late += 1 }
        try learners[l].update(cost: 40 + 6 * Double(abs(action - 5)) + Double.random(in: 0..<4, using: &coins))
      }
      #expect(late > 240, "learner \(l): \(late)")
    }
    var fixed = try FixedRelaxation(1.3)
    #expect(fixed.actions == [1.3] && fixed.probabilities == [1] && fixed.predict() == 0)
    try fixed.update(cost: 9)
    #expect(fixed.rounds == 1)
    #expect(throws: InvalidArgument.self) { try fixed.update(cost: 9) }
    #expect(throws: InvalidArgument.self) { try FixedRelaxation(2) }
    #expect(throws: InvalidArgument.self) { try ThompsonSampling(actions: [0]) }
    #expect(throws: InvalidArgument.self) { try EpsilonGreedy(exploration: 1.5) }
  }

  @Test func theLogKnowsTheRegret() throws {
    var log = RegretLog(actions: [1.2, 1.6])
    let costs: [[Double]] = [[10, 20], [30, 12], [10, 14], [11, 20]]
    for (t, action) in [0, 1, 1, 0].enumerated() {
      log.note(action: action, probability: 0.5, cost: costs[t][action], context: Double(t))
    }
    #expect(log.totalCost == 47 && log.estimatedMeanCosts == [10.5, 13])
    #expect(log.estimatedRegret == 5)
    // In hindsight the first action costs 61, the second 66.
    #expect(log.regret(costs: costs) == [0, -18, -14, -14])
    #expect(RegretLog(actions: [1]).estimatedRegret == 0)
    // Estimates come near the truth as rounds go by.
    var learner = try EpsilonGreedy(actions: [1.2, 1.6, 1.8], exploration: 0.3)
    var long = RegretLog(actions: learner.actions)
    var coins = RandomStream(seed: 4)
    for _ in 0..<4_000 {
      let p = learner.probabilities
      let action = try learner.predict()
      let cost = 20 + 5 * Double(action) + Double.random(in: 0..<10, using: &coins)
      try learner.update(cost: cost)
      long.note(action: action, probability: p[action], cost: cost)
    }
    for (a, mean) in long.estimatedMeanCosts.enumerated() {
      #expect(abs(try #require(mean) - 25 - 5 * Double(a)) < 0.8, "\(a)")
    }
  }

  @Test func aTunerGoesOnWhereItWasStored() throws {
    let laplacian = SparseMatrix<Double>.gridLaplacian([6, 6])
    func solve(_ tuner: inout RelaxationTuner<ChebCB>, _ range: Range<Int>) throws {
      for t in range {
        let shift = Double(t % 4) / 4
        let load = RandomStream(seed: UInt64(t)).normalVector(36)
        _ = try tuner.solve(laplacian + SparseMatrix.identity(36) * shift, load, context: shift)
      }
    }
    var tuner = RelaxationTuner(solver: .overRelaxation, learner: try ChebCB(context: 0...1), ordering: .colored)
    try solve(&tuner, 0..<30)
    var restored = try JSONDecoder().decode(RelaxationTuner<ChebCB>.self, from: JSONEncoder().encode(tuner))
    try solve(&tuner, 30..<50)
    try solve(&restored, 30..<50)
    #expect(restored.log == tuner.log && restored.learner == tuner.learner && restored.costs.count == 50)
    #expect(tuner.log.rounds.allSatisfy { $0.probability > 0 && $0.context != nil })
  }

  @Test func polynomialCostsAreFittedExactly() throws {
    var learner = try ChebCB(actions: [1.2, 1.5], terms: 4, context: 0...2)
    func cost(_ c: Double, _ action: Int) -> Double {
      action == 0 ? 40 + 0.5 * c - 0.3 * c * c + 0.1 * c * c * c : 42 - 0.4 * c
    }
    var random = RandomStream(seed: 2)
    for _ in 0..<400 {
      let c = Double.random(in: 0..<2, using: &random)
      let action = try learner.predict(context: c)
      try learner.update(cost: cost(c, action))
    }
    for c in [0.1, 0.7, 1.9] {
      let costs = learner.expectedCosts(context: c)
      #expect(abs(costs[0] - cost(c, 0)) < 1e-6 && abs(costs[1] - cost(c, 1)) < 1e-6, "\(costs)")
    }
  }

  @Test func tunersSolveAndCount() throws {
    var tuner = RelaxationTuner(solver: .overRelaxation, learner: try ChebCB(context: 0...1))
    var cg = RelaxationTuner(solver: .conjugateGradients, learner: try TsallisINF())
    let laplacian = SparseMatrix<Double>.gridLaplacian([8, 8])
    for t in 0..<20 {
      let shift = Double(t % 5) / 5
      let matrix = laplacian + SparseMatrix.identity(64) * shift
      let load = RandomStream(seed: UInt64(t)).normalVector(64)
      #expect(try tuner.solve(matrix, load, context: shift).residual <= 1.1e-8)
      #expect(try cg.solve(matrix, load).residual <= 1.1e-8)
    }
    #expect(tuner.costs.count == 20 && tuner.totalCost == tuner.costs.reduce(0, +) && tuner.failures == 0)
    #expect(tuner.choices.allSatisfy { tuner.learner.actions.contains($0) })
    var capped = RelaxationTuner(solver: .overRelaxation, learner: try TsallisINF(), iterationLimit: 2)
    #expect(try !capped.solve(laplacian, .ones([64])).isConverged)
    #expect(capped.costs == [2] && capped.failures == 1 && capped.learner.rounds == 1)
  }

  @Test func badInput() throws {
    #expect(throws: InvalidArgument.self) { try TsallisINF(actions: []) }
    #expect(throws: InvalidArgument.self) { try TsallisINF(actions: [1, 2]) }
    #expect(throws: InvalidArgument.self) { try ChebCB(context: 1...1) }
    #expect(throws: InvalidArgument.self) { try ChebCB(terms: 0, context: 0...1) }
    #expect(throws: InvalidArgument.self) { try TsallisINFContextual(context: 0...1, bins: 0) }
    var learner = try ChebCB(context: 0...1)
    #expect(throws: InvalidArgument.self) { try learner.update(cost: 3) }
    #expect(throws: InvalidArgument.self) { try learner.predict(context: nil) }
    _ = try learner.predict(context: 7)
    #expect(learner.clampedContexts == 1)
    #expect(throws: InvalidArgument.self) { try learner.update(cost: 0.5) }
    #expect(throws: InvalidArgument.self) { try learner.update(cost: .nan) }
  }
}
