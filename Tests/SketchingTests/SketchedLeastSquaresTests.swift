import LinearAlgebra
import Sketching
import Tensors
import TestSupport
import Testing

private let families: [SketchFamily] = [.hadamard, .gaussian, .cosine, .countSketch, .blockSigns(4)]

@Suite struct SketchedLeastSquaresTests {
  private func problem(_ n: Int, _ d: Int, seed: UInt64) -> (a: Tensor<Double>, b: Tensor<Double>) {
    var random = RandomStream(seed: seed)
    return (random.normal([n, d]), random.normal([n]))
  }

  @Test(arguments: families) func consistentSystemsAreSolvedExactly(family: SketchFamily) throws {
    let (a, _) = problem(500, 6, seed: 1)
    let x = Tensor([1.0, -2, 3, 0, 0.5, 7])
    let fit = try SketchedLeastSquares(sketch: family, rows: 60).solve(a, a.matmul(x))
    #expect(distance(fit.solution, x) < 1e-10)
    #expect(fit.rank == 6 && fit.rows == 60)
    #expect((fit.standardErrors == nil) == !family.isDense)
    #expect((fit.diagnostic == nil) == family.isDense)
  }

  @Test(arguments: families) func theSolutionFollowsTheData(family: SketchFamily) throws {
    let (a, b) = problem(400, 5, seed: 2)
    let method = SketchedLeastSquares(sketch: family, rows: 80, seed: 9)
    let x = try method.solve(a, b).solution
    let v = Tensor([1.0, 2, -1, 0, 3])
    #expect(distance(try method.solve(a, b + a.matmul(v)).solution, x + v) < 1e-10)
    let scale = Tensor([0.1, 3.0, 1, 20, 0.5])
    #expect(distance(try method.solve(a * scale, b).solution * scale, x) < 1e-10)
    let both = try method.solve(a, .stacked([b, b * 2], axis: 1))
    #expect(distance(both.solution, .stacked([x, x * 2], axis: 1)) < 1e-12)
  }

  @Test func refinementReachesTheExactSolution() throws {
    let (a, b) = problem(3_000, 20, seed: 3)
    let exact = try a.leastSquares(b).solution
    for family in families {
      let fit = try SketchedLeastSquares(sketch: family, rows: 160, refinement: .lsqr(iterations: 60)).solve(a, b)
      #expect(distance(fit.solution, exact) < 1e-12, "\(family)")
      #expect(fit.standardErrors == nil && fit.refinement?.count == 1 && (fit.refinement?[0].iterations ?? 99) < 60)
    }
  }

  /// ‖x' - x*‖² has the mean ‖r‖² tr (AᵀA)⁻¹ / (m - d - 1) under a normal sketch, and errors are as large as they say.
  @Test func standardErrorsAreRight() throws {
    let (n, d, m, draws) = (64, 4, 40, 2_000)
    let (a, b) = problem(n, d, seed: 4)
    let exact = try a.leastSquares(b)
    let inverse = try CholeskyDecomposition(of: a.multipliedByOwnTranspose(transposing: true)).inverse()
    let residual = exact.residualNorms.scalar
    let expected = residual * residual * inverse.diagonal.sum().scalar / Double(m - d - 1)
    var total = 0.0
    var scores: [Double] = []
    var sketchedSquares = 0.0
    var outside = 0
    for draw in 0..<draws {
      let fit = try SketchedLeastSquares(sketch: .gaussian, rows: m, seed: UInt64(draw)).solve(a, b)
      let error = fit.solution - exact.solution
      total += error.sumOfSquares().scalar
      let errors = try #require(fit.standardErrors)
      scores += (error / errors).scalars
      sketchedSquares += fit.sketchedResidual.scalar * fit.sketchedResidual.scalar
      let bound = try #require(fit.entrywiseBound)
      if (error.absolute() .> bound).trueCount > 0 { outside += 1 }
    }
    let count = Double(draws)
    #expect(abs(total / count / expected - 1) < 0.06)
    #expect(abs(sketchedSquares / count / (residual * residual) - Double(m - d) / Double(m)) < 0.02)
    let mean = scores.reduce(0, +) / Double(scores.count)
    let variance = scores.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(scores.count)
    // A ratio with a noisy denominator: Student's law of 36 degrees of freedom has the variance 36 / 34.
    #expect(abs(mean) < 0.05 && abs(variance - 1) < 0.12, "\(mean) \(variance)")
    // δ = 0.01.
    #expect(Double(outside) / count < 0.02)
  }

  @Test func rankIsWatched() throws {
    let problem = try EntrywiseGuarantee.hardInstance(rows: 4_096, dimension: 64, noisyRows: 16, of: Double.self)
    // 64 identity rows in 100 places: two meet almost surely.
    let method = SketchedLeastSquares(sketch: .countSketch, rows: 100)
    #expect(throws: SketchRankError.self) { _ = try method.solve(problem.matrix, problem.rightSide) }
    var other = method
    other.rankLoss = .minimumNorm
    let fit = try other.solve(problem.matrix, problem.rightSide)
    #expect(fit.rank < 64 && fit.standardErrors == nil && fit.diagnostic != nil)
    var zero = problem.matrix
    zero[.all, 3] = Tensor(0.0)
    #expect(throws: SketchRankError.self) {
      _ = try SketchedLeastSquares(rows: 200).solve(zero, problem.rightSide)
    }
  }

  @Test func theGuaranteeIsMeasured() throws {
    let problem = try EntrywiseGuarantee.hardInstance(rows: 300, dimension: 16, noisyRows: 9, of: Double.self)
    #expect(abs(problem.rightSide.norm().scalar - 1) < 1e-14)
    var x = Tensor<Double>.zeros([16])
    x[at: 5] = -0.25
    #expect(abs(try EntrywiseGuarantee.ratio(problem.matrix, problem.rightSide, solution: x) - 1) < 1e-12)
    #expect(EntrywiseGuarantee.practicalRows(dimension: 16, accuracy: 0.5) == 256)
    let rows = try EntrywiseGuarantee.theoreticalRows(rows: 1_000, dimension: 2, accuracy: 1, failureProbability: 0.1)
    #expect(rows == 1_563)  // 2 ln³ 10⁴
  }

  @Test func sparseMatricesGoWithSparseSketches() throws {
    let (a, b) = problem(300, 4, seed: 6)
    let sparse = try SparseMatrix<Double>(a)
    for family in [SketchFamily.countSketch, .blockSigns(3)] {
      let method = SketchedLeastSquares(sketch: family, rows: 60, refinement: .lsqr(iterations: 50))
      #expect(distance(try method.solve(sparse, b).solution, try a.leastSquares(b).solution) < 1e-12)
    }
    #expect(throws: InvalidArgument.self) { _ = try SketchedLeastSquares(rows: 60).solve(sparse, b) }
  }

  @Test func badInputIsNamed() throws {
    let (a, b) = problem(50, 4, seed: 7)
    func fails(_ name: String, _ method: SketchedLeastSquares, _ a: Tensor<Double>, _ b: Tensor<Double>) {
      #expect { _ = try method.solve(a, b) } throws: { ($0 as? InvalidArgument)?.name == name }
    }
    fails("rows", SketchedLeastSquares(rows: 3), a, b)
    fails("rows", SketchedLeastSquares(rows: 65), a, b)
    fails("rows", SketchedLeastSquares(sketch: .gaussian, rows: 51), a, b)
    fails("rightSide", SketchedLeastSquares(), a, b[0..<49].dense)
    fails("accuracy", SketchedLeastSquares(accuracy: 0), a, b)
    fails("failureProbability", SketchedLeastSquares(failureProbability: 1), a, b)
    fails("refinement", SketchedLeastSquares(refinement: .lsqr(iterations: 0)), a, b)
    var bad = a
    bad[at: 3, 1] = .nan
    fails("matrix", SketchedLeastSquares(), bad, b)
    fails("rightSide", SketchedLeastSquares(), a, b / 0)
    fails("matrix", SketchedLeastSquares(), .zeros([0, 3]), .zeros([0]))
    #expect(throws: InvalidArgument.self) {
      _ = try EntrywiseGuarantee.hardInstance(rows: 10, dimension: 8, noisyRows: 3, of: Double.self)
    }
    #expect(throws: InvalidArgument.self) {
      _ = try EntrywiseGuarantee.theoreticalRows(rows: 10, dimension: 1, accuracy: 1, failureProbability: 0)
    }
  }
}
