import LinearAlgebra
import Recovery
import Tensors
import TestSupport
import Testing

@Suite struct MatrixCompletionTests {
  typealias Observations = SparseObservations<Double>

  /// A random matrix of the given shape and rank, and a mask.
  static func problem(
    _ rows: Int, _ columns: Int, rank: Int, density: Double, seed: UInt64
  ) throws -> (matrix: Tensor<Double>, mask: Tensor<Bool>) {
    var random = RandomStream(seed: seed)
    let left: Tensor<Double> = try random.orthogonal([rows, rank])
    let right: Tensor<Double> = try random.orthogonal([columns, rank])
    let matrix = (left * Tensor(from: 1, through: 0.4, count: rank)).matmul(right, transposingB: true)
    return (matrix, random.bernoulli([rows, columns], probability: density))
  }

  static func method(_ rank: Int, _ solver: CompletionSolver, sweeps: Int = 100) -> MatrixCompletion {
    var method = MatrixCompletion(rank: rank)
    (method.solver, method.sweepLimit, method.tolerance) = (solver, sweeps, 0)
    return method
  }

  @Test(arguments: [(40, 30), (30, 40)]) func oneExactSweepOfAWholeMatrixIsItsTruncatedDecomposition(
    rows: Int, columns: Int
  ) throws {
    var random = RandomStream(seed: 3)
    let noise: Tensor<Double> = random.normal([rows, columns])
    let (low, _) = try Self.problem(rows, columns, rank: 4, density: 1, seed: 5)
    let matrix = low + noise * 0.005
    let observed = try Observations(matrix, mask: Tensor(repeating: true, shape: matrix.shape))
    var method = Self.method(4, .direct, sweeps: 1)
    method.startPowerIterations = 20
    let result = try method.complete(observed)
    let svd = try SingularValueDecomposition(of: matrix).truncated(rank: 4)
    #expect(distance(result.completed(), svd.reconstructed()) < 1e-8)
    #expect(distance(result.left.matmul(result.left, transposingA: true), .identity(4)) < 1e-12)
    #expect(distance(result.right.matmul(result.right, transposingA: true), .identity(4)) < 1e-12)
    #expect(distance(result.values, svd.values) < 1e-8)
  }

  @Test(arguments: [
    CompletionSolver.direct, .conjugateGradients(steps: 1), .conjugateGradients(steps: 3), .sketched(tolerance: 1e-4),
  ]) func observedErrorNeverGrowsInAHalfSweep(solver: CompletionSolver) throws {
    for seed in 0..<4 as Range<UInt64> {
      let (low, mask) = try Self.problem(50, 37, rank: 3, density: 0.6, seed: seed)
      var random = RandomStream(seed: seed + 100)
      let observed = try Observations(low + random.normal(low.shape) * 0.02, mask: mask)
      var method = Self.method(3, solver, sweeps: 12)
      method.notesHalfSweeps = true
      let history = try method.complete(observed).history
      let errors = [history.observedErrors[0]] + history.halfSweepErrors
      #expect(errors.count == 25)
      for (before, after) in zip(errors, errors.dropFirst()) {
        #expect(after <= before * (1 + 1e-12), "seed \(seed)")
      }
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func manyStepsAndSketchesEqualExactSolves(seed: UInt64) throws {
    let (low, mask) = try Self.problem(120, 90, rank: 4, density: 0.7, seed: seed)
    var random = RandomStream(seed: seed)
    let observed = try Observations(low + random.normal(low.shape) * 0.01, mask: mask)
    let direct = try Self.method(4, .direct, sweeps: 6).complete(observed)
    let exact = direct.completed()
    // Every row of both factors, in every sweep; and a subspace that comes to rest.
    #expect(direct.history.directRows == [Int](repeating: 210, count: 6), "seed \(seed)")
    let changes = direct.history.subspaceChanges
    #expect(changes.count == 6 && changes[5] < 1e-2 * changes[0], "seed \(seed): \(changes)")
    let steps = try Self.method(4, .conjugateGradients(steps: 12), sweeps: 6).complete(observed).completed()
    let sketched = try Self.method(4, .sketched(tolerance: 1e-12), sweeps: 6).complete(observed).completed()
    #expect(distance(steps, exact) < 1e-8, "seed \(seed)")
    #expect(distance(sketched, exact) < 1e-8, "seed \(seed)")
  }

  @Test(arguments: [CompletionSolver.direct, .conjugateGradients(), .sketched()])
  func noiselessMatricesAreRecovered(solver: CompletionSolver) throws {
    let (matrix, mask) = try Self.problem(150, 120, rank: 5, density: 0.45, seed: 11)
    let result = try Self.method(5, solver).complete(Observations(matrix, mask: mask))
    #expect((result.completed() - matrix).frobeniusNorm() / matrix.frobeniusNorm() < 1e-9)
    #expect(result.notices.isEmpty)
    // The gradient of ½ ‖P_Ω(U Vᵀ - M)‖² vanishes.
    let gap = mask.select(result.completed() - matrix, .zeros(matrix.shape))
    #expect(gap.matmul(result.right).largestMagnitude < 1e-8)
    #expect(gap.matmul(result.left, transposingA: true).largestMagnitude < 1e-8)
  }

  @Test func singlePrecisionRecoversToItsPrecision() throws {
    let (matrix, mask) = try Self.problem(100, 80, rank: 3, density: 0.5, seed: 12)
    let single = Tensor<Float>(matrix)
    let result = try Self.method(3, .conjugateGradients(), sweeps: 40).complete(SparseObservations(single, mask: mask))
    #expect((result.completed() - single).frobeniusNorm() / single.frobeniusNorm() < 1e-5)
  }

  @Test func scalesAndPermutationsComeThrough() throws {
    let (matrix, mask) = try Self.problem(60, 50, rank: 3, density: 0.6, seed: 13)
    let method = Self.method(3, .conjugateGradients())
    let plain = try method.complete(Observations(matrix, mask: mask)).completed()
    let scaled = try method.complete(Observations(matrix * 1_000, mask: mask)).completed()
    #expect(distance(scaled / 1_000, plain) < 1e-9)
    var random = RandomStream(seed: 2)
    let rows = random.permutation(60)
    let columns = random.permutation(50)
    func moved<Element: TensorScalar>(_ x: Tensor<Element>) -> Tensor<Element> {
      x.gathered(rows).gathered(columns, axis: 1)
    }
    let turned = try method.complete(Observations(moved(matrix), mask: moved(mask))).completed()
    #expect(distance(turned, moved(plain)) < 1e-9)
  }

  @Test func theStartIsUnbiased() throws {
    let (matrix, _) = try Self.problem(6, 5, rank: 2, density: 1, seed: 14)
    var random = RandomStream(seed: 15)
    var method = MatrixCompletion(rank: 5)
    method.startPowerIterations = 10
    var sum = Tensor<Double>.zeros([6, 5])
    let count = 4_000
    for _ in 0..<count {
      let observed = try Observations(matrix, mask: random.bernoulli([6, 5], probability: 0.5))
      sum += try method.spectralInitialization(of: observed).reconstructed()
    }
    #expect(distance(sum / Double(count), matrix) < 0.03)
  }

  @Test func clippingFindsTheSpikeAlone() throws {
    var (matrix, mask) = try Self.problem(200, 100, rank: 3, density: 0.8, seed: 16)
    var method = Self.method(3, .direct, sweeps: 0)
    #expect(try method.complete(Observations(matrix, mask: mask)).clippedRows.isEmpty)
    matrix = Tensor.concatenated([matrix[0..<17], matrix[17..<18] * 100, matrix[18..<200]])
    #expect(try method.complete(Observations(matrix, mask: mask)).clippedRows == [17])
    method.clipsStart = false
    #expect(try method.complete(Observations(matrix, mask: mask)).clippedRows.isEmpty)
  }

  @Test func splitSamplesConverge() throws {
    let (matrix, mask) = try Self.problem(300, 250, rank: 2, density: 0.9, seed: 17)
    var method = Self.method(2, .direct, sweeps: 5)
    method.splitsSamples = true
    func error() throws -> Double {
      let result = try method.complete(Observations(matrix, mask: mask))
      return (result.completed() - matrix).frobeniusNorm() / matrix.frobeniusNorm()
    }
    #expect(try error() < 5e-3)
    // One sweep is not enough, though its parts are larger.
    method.sweepLimit = 1
    #expect(try error() > 5e-3)
  }

  @Test func ridgeMinimizesItsObjective() throws {
    let (low, mask) = try Self.problem(40, 30, rank: 3, density: 0.5, seed: 18)
    var random = RandomStream(seed: 19)
    let noisy = low + random.normal(low.shape) * 0.02
    let observed = try Observations(noisy, mask: mask)
    var method = Self.method(3, .direct, sweeps: 3_000)
    (method.ridge, method.tolerance) = (0.05, 1e-14)
    let result = try method.complete(observed)
    // At a minimum, the gap's leading singular values are λ along the factors: gap V = λ U.
    let gap = mask.select(noisy - result.completed(), .zeros(noisy.shape))
    let active = result.values.scalars.count { $0 > 1e-6 }
    let (u, v) = (result.left[.all, 0..<active], result.right[.all, 0..<active])
    #expect(active >= 1)
    #expect(distance(gap.matmul(v), u * 0.05) < 1e-5)
  }

  @Test func huberWeightsResistGrossErrors() throws {
    let (matrix, mask) = try Self.problem(100, 80, rank: 2, density: 0.7, seed: 20)
    var random = RandomStream(seed: 21)
    let isWrong = Tensor<Double>(random.bernoulli(matrix.shape, probability: 0.03))
    let errors: Tensor<Double> = random.normal(matrix.shape)
    let observed = try Observations(matrix + isWrong * errors, mask: mask)
    var method = Self.method(2, .conjugateGradients(steps: 3), sweeps: 60)
    func error() throws -> Double {
      (try method.complete(observed).completed() - matrix).frobeniusNorm() / matrix.frobeniusNorm()
    }
    let squares = try error()
    method.huberThreshold = 1e-3
    #expect(try error() < 0.2 * squares)
  }

  @Test func resultsDoNotDependOnThreads() throws {
    let (matrix, mask) = try Self.problem(300, 200, rank: 4, density: 0.4, seed: 22)
    let observed = try Observations(matrix, mask: mask)
    let whole = try Self.method(4, .conjugateGradients(), sweeps: 5).complete(observed)
    // Inside a task of the pool, work is done by one thread.
    var single: [Tensor<Double>] = []
    parallelTasks(2) { task in
      if task == 0, let result = try? Self.method(4, .conjugateGradients(), sweeps: 5).complete(observed) {
        single = [result.completed()]
      }
    }
    #expect(single == [whole.completed()])
  }

  @Test func rankIsFoundByTheGap() throws {
    let (matrix, mask) = try Self.problem(300, 300, rank: 3, density: 0.5, seed: 23)
    #expect(try MatrixCompletion(rank: 8).estimateRank(of: Observations(matrix, mask: mask)) == 3)
  }

  @Test func heldOutEntriesArePredicted() throws {
    let (matrix, mask) = try Self.problem(120, 100, rank: 3, density: 0.5, seed: 24)
    var random = RandomStream(seed: 25)
    let (kept, held) = try Observations(matrix, mask: mask).holdingOut(0.2, random: &random)
    #expect(kept.count + held.count == mask.trueCount)
    let result = try Self.method(3, .conjugateGradients()).complete(kept, validation: held)
    #expect((result.heldOutError ?? 1) < 1e-9)
    let predicted = result.predict(rows: held.byRows.rowIndices, columns: held.byRows.columnIndices)
    #expect(distance(predicted, held.byRows.values) < 1e-8)
    #expect(abs(result.predict(row: 7, column: 9) - matrix[at: 7, 9]) < 1e-8)
  }

  @Test func badInputIsNamed() throws {
    func observations(_ rows: [Int], _ columns: [Int], _ values: [Double]) throws -> Observations {
      try Observations(
        rows: 4, columns: 3, rowIndices: Tensor(rows), columnIndices: Tensor(columns), values: Tensor(values))
    }
    #expect(throws: InvalidArgument.self) { try observations([0], [0], [.nan]) }
    #expect(throws: InvalidArgument.self) { try observations([4], [0], [1]) }
    #expect(throws: InvalidArgument.self) { try observations([], [], []) }
    let few = try observations([0, 0, 1, 1, 0], [0, 1, 0, 1, 0], [2, 3, 4, 6, 4])
    #expect(few.duplicateCount == 1 && few.count == 4)
    #expect(few.byRows.values.scalars == [3, 3, 4, 6])
    #expect(throws: InvalidArgument.self) { try MatrixCompletion(rank: 4).complete(few) }
    #expect(throws: InvalidArgument.self) { try MatrixCompletion(rank: 0).complete(few) }
    let result = try MatrixCompletion(rank: 1).complete(few)
    #expect(result.notices.contains(.emptyRows([2, 3])))
    #expect(result.notices.contains(.emptyColumns([2])))
    #expect(result.notices.contains(.duplicatesAveraged(1)))
    #expect(result.notices.contains(.underdetermined(observations: 4, freedom: 6)))
    #expect(result.completed()[2..<4].largestMagnitude == 0)
    var method = MatrixCompletion(rank: 1)
    method.ridge = -1
    #expect(throws: InvalidArgument.self) { try method.complete(few) }
  }
}

@Suite struct MedianOfBlocksTests {
  /// A low-rank matrix of which some observed entries are entirely wrong.
  private func damaged(_ share: Double, density: Double = 0.8, seed: UInt64) throws -> (
    matrix: Tensor<Double>, observed: SparseObservations<Double>
  ) {
    let (matrix, mask) = try MatrixCompletionTests.problem(120, 100, rank: 2, density: density, seed: seed)
    var random = RandomStream(seed: seed + 100)
    let isWrong = Tensor<Double>(random.bernoulli(matrix.shape, probability: share))
    let size = matrix.frobeniusNorm() / Double(matrix.count).squareRoot()
    let wrong = matrix + isWrong * random.normal(matrix.shape) * (20 * size)
    return (matrix, try SparseObservations(wrong, mask: mask))
  }

  private func error(
    _ method: MatrixCompletion, _ problem: (matrix: Tensor<Double>, observed: SparseObservations<Double>)
  )
    throws -> Double
  {
    let found = try method.complete(problem.observed)
    return (found.completed() - problem.matrix).frobeniusNorm() / problem.matrix.frobeniusNorm()
  }

  @Test(arguments: [CompletionSolver.direct, .conjugateGradients(steps: 3)]) func wrongEntriesHaveNoSay(
    solver: CompletionSolver
  ) throws {
    for seed in 0..<3 as Range<UInt64> {
      let problem = try damaged(0.001, seed: seed)
      var method = MatrixCompletionTests.method(2, solver, sweeps: 40)
      let plain = try error(method, problem)
      method.medianBlocks = 5
      let median = try error(method, problem)
      #expect(plain > 0.05, "seed \(seed): \(plain)")
      #expect(median < 1e-6, "seed \(seed): \(median)")
    }
  }

  @Test func withoutWrongEntriesTheMatrixIsTheSame() throws {
    let problem = try damaged(0, seed: 9)
    var method = MatrixCompletionTests.method(2, .direct, sweeps: 40)
    method.medianBlocks = 3
    #expect(try error(method, problem) < 1e-8)
    // Rows too short to be split are solved as a whole.
    method.medianBlocks = 9
    let sparse = try damaged(0, density: 0.2, seed: 9)
    #expect(try error(method, sparse) < 1e-6)
  }

  @Test func badSettingsAreRefused() throws {
    let problem = try damaged(0, seed: 1)
    var method = MatrixCompletion(rank: 2)
    for blocks in [1, 2, 4, -3] {
      method.medianBlocks = blocks
      #expect(throws: InvalidArgument.self) { _ = try method.complete(problem.observed) }
    }
    (method.medianBlocks, method.splitsSamples) = (3, true)
    #expect(throws: InvalidArgument.self) { _ = try method.complete(problem.observed) }
  }
}
