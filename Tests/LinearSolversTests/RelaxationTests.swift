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
      let method = SuccessiveOverRelaxation(relaxation: relaxation, tolerance: 1e-30, iterationLimit: count)
      let found = try method.solve(matrix, load)
      #expect(relativeDistance(found.solution, x) < 1e-12, "seed \(seed), \(count) iterations")
      let truth = (load - matrix.matmul(x)).frobeniusNorm() / load.frobeniusNorm()
      #expect(abs(found.convergence.residual - truth) < 1e-12 && abs(found.residual - truth) < 1e-12)
    }
    if relaxation == 1 { return }
    let core = try StationaryIteration(.overRelaxation(relaxation), tolerance: 1e-9).solve(matrix, load)
    let ours = try SuccessiveOverRelaxation(relaxation: relaxation, tolerance: 1e-9).solve(matrix, load)
    #expect(ours.isConverged && ours.iterations == core.convergence.iterations)
  }

  @Test func singlePrecisionConverges() throws {
    let matrix = SparseMatrix<Float>.gridLaplacian([12, 12])
    let found = try SuccessiveOverRelaxation(relaxation: 1.5, tolerance: 1e-5).solve(matrix, .ones([144]))
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
    let preconditioner = try SSORPreconditioner(of: matrix, relaxation: relaxation)
    let measured = try preconditioner.apply(Tensor<Double>.identity(25))
    #expect(distance(measured, wanted) < 1e-11 * wanted.largestMagnitude)
    #expect(distance(measured, measured.transposed) < 1e-11 * wanted.largestMagnitude)
    _ = try CholeskyDecomposition(of: (measured + measured.transposed) / 2)
    let load: Tensor<Double> = generator.tensor([25])
    let found = try SSORConjugateGradients(relaxation: relaxation).solve(matrix, load)
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
      let history = try SuccessiveOverRelaxation(relaxation: relaxation, tolerance: 1e-12).solve(matrix, load)
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
      #expect(throws: InvalidArgument.self) {
        try SuccessiveOverRelaxation(relaxation: relaxation).solve(matrix, load)
      }
      #expect(throws: InvalidArgument.self) { try SSORConjugateGradients(relaxation: relaxation).solve(matrix, load) }
    }
    #expect(throws: InvalidArgument.self) { try SuccessiveOverRelaxation().solve(matrix[rows: 0..<5], load) }
    #expect(throws: InvalidArgument.self) { try SuccessiveOverRelaxation().solve(matrix * .nan, load) }
    #expect(throws: InvalidArgument.self) { try SuccessiveOverRelaxation().solve(matrix, load * .nan) }
    #expect(throws: DecompositionError.self) {
      try SuccessiveOverRelaxation().solve(matrix.triangle(.lower, strictly: true), load)
    }
    #expect(throws: InvalidArgument.self) { try SSORConjugateGradients().solve(matrix.triangle(.lower), load) }
    let capped = try SuccessiveOverRelaxation(iterationLimit: 3).solve(matrix, load)
    #expect(!capped.isConverged && capped.stop == .iterationLimit && capped.iterations == 3)
    // Gauss–Seidel diverges on a matrix that is far from definite; the result says so.
    let wild = try SparseMatrix(Tensor([[1.0, 5], [5, 1]]))
    #expect(try SuccessiveOverRelaxation().solve(wild, Tensor([1, 2])).stop == .diverged)
    #expect(try SuccessiveOverRelaxation().solve(matrix, .zeros([16])).solution == .zeros([16]))
  }
}

@Suite struct RelaxationLearnerTests {
  @Test(arguments: 0..<8)
  func probabilitiesAreOnes(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    var learners: [any RelaxationLearner] = [
      try TsallisINF(seed: seed), try ChebCB(context: -1...1, seed: seed),
      try TsallisINFContextual(context: -1...1, seed: seed), try EpsilonGreedy(seed: seed),
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
