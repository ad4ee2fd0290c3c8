import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct IterativeOperatorTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func algebraOfOperators(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let a: SparseMatrix<Double> = try generator.sparse(7, 5, entries: 15)
    let b: Tensor<Double> = generator.tensor([5, 6])
    let c: Tensor<Double> = generator.tensor([7, 5])
    let square: Tensor<Double> = generator.tensor([5, 5])
    let function = FunctionOperator<Double>(
      rows: 7, columns: 5, { c.matmul($0) }, transposed: { c.matmul($0, transposingA: true) })
    func check(_ operation: some LinearOperator<Double>, _ dense: Tensor<Double>) throws {
      #expect(operation.shape == dense.shape)
      for extra in [[], [3]] as [[Int]] {
        let x: Tensor<Double> = generator.tensor([dense.columns] + extra)
        let y: Tensor<Double> = generator.tensor([dense.rows] + extra)
        #expect(distance(try operation.apply(x), dense.matmul(x)) < 1e-13, "\(seed)")
        #expect(distance(try operation.applyTransposed(y), dense.matmul(y, transposingA: true)) < 1e-13, "\(seed)")
      }
    }
    try check(a, a.dense)
    try check(b, b)
    try check(function, c)
    try check(a.composed(with: b), a.dense.matmul(b))
    try check(a.added(to: function, 2, -0.5), a.dense * 2 - c * 0.5)
    try check(a.scaled(by: -3), a.dense * -3)
    try check(square.shifted(by: 2), square + .identity(5) * 2)
    try check(a.transposedOperator, a.dense.transposed)
    try check(a.gramOperator, a.dense.matmul(a.dense, transposingA: true))
    let oneWay = FunctionOperator<Double>(rows: 7, columns: 5) { c.matmul($0) }
    #expect(throws: InvalidArgument.self) { try oneWay.applyTransposed(.ones([7])) }
    let wrong = FunctionOperator<Double>(rows: 7, columns: 5) { $0 }
    #expect(throws: InvalidArgument.self) { try wrong.apply(.ones([5])) }
  }

  // MARK: Eigenpairs

  @Test(arguments: [LOBPCG.Wanted.smallest, .largest]) func blockEigenpairs(wanted: LOBPCG.Wanted) throws {
    // A square: most eigenvalues are double.
    let grid = [15, 15]
    let a = SparseMatrix<Double>.gridLaplacian(grid)
    let all = SparseMatrix<Double>.gridLaplacianEigenvalues(grid).scalars
    let exact = Tensor(Array((wanted == .smallest ? all : all.reversed()).prefix(7)))
    var random = RandomStream(seed: 1)
    let factor = try IncompleteCholesky(of: a)
    for preconditioner in wanted == .smallest ? [nil, factor as (any LinearOperator<Double>)?] : [nil] {
      let found = try LOBPCG(count: 7, wanted: wanted).eigenpairs(
        of: a, preconditioner: preconditioner, random: &random)
      #expect(found.convergence.isConverged && distance(found.values, exact) < 1e-10)
      #expect(orthogonalityDefect(found.vectors) < 1e-12)
      let defect = a.matmul(found.vectors.dense) - found.vectors * found.values
      #expect(distance(defect.sumOfSquares(axes: [0]).sqrt(), found.residuals) < 1e-12)
      #expect(found.residuals.largestMagnitude < 1e-7)
    }
    let plain = try LOBPCG(count: 7).eigenpairs(of: a, random: &random).convergence.iterations
    let better = try LOBPCG(count: 7).eigenpairs(of: a, preconditioner: factor, random: &random).convergence.iterations
    #expect(Double(better) < 0.6 * Double(plain))
    let lanczos = try Lanczos(count: 7, wanted: wanted == .smallest ? .smallest : .largest).eigenpairs(
      of: a, random: &random)
    #expect(distance(lanczos.values[0..<1].dense, exact[0..<1].dense) < 1e-9)
  }

  @Test func blockEigenpairsOfSmallAndOddOperators() throws {
    var random = RandomStream(seed: 2)
    var generator = TestGenerator(seed: 2)
    // The basis soon fills the space.
    for size in [1, 2, 3, 5, 9] {
      let a: Tensor<Double> = (generator.tensor([size, size]) as Tensor<Double>).symmetrized
      let exact = try a.symmetricEigenvalues()
      for count in Set([1, (size + 1) / 2, size]) {
        let found = try LOBPCG(count: count).eigenpairs(of: a, random: &random)
        #expect(
          found.convergence.isConverged && distance(found.values, exact[0..<count].dense) < 1e-10, "\(size) \(count)")
      }
    }
    let identity = try LOBPCG(count: 3).eigenpairs(of: SparseMatrix<Double>.identity(30), random: &random)
    #expect(identity.convergence.isConverged && distance(identity.values, .ones([3])) < 1e-13)
    let zero = try LOBPCG(count: 2).eigenpairs(of: SparseMatrix<Double>.zeros(20, 20), random: &random)
    #expect(zero.values == .zeros([2]) && zero.convergence.isConverged)
    let a = SparseReference.indefinite
    let reference = try SparseReference.load()
    let low = try LOBPCG(count: 4).eigenpairs(of: a, startingFrom: .ones([72, 2]), random: &random)
    #expect(distance(low.values, Tensor(Array(reference.eigenvalues.prefix(4)))) < 1e-10)
    let unfinished = try LOBPCG(count: 4, iterationLimit: 2).eigenpairs(of: a, random: &random)
    #expect(!unfinished.convergence.isConverged && unfinished.residuals.largestMagnitude > 1e-4)
    let single = try LOBPCG(count: 3, tolerance: 1e-4).eigenpairs(
      of: SparseMatrix<Float>.gridLaplacian([12, 10]), random: &random)
    let exact = SparseMatrix<Float>.gridLaplacianEigenvalues([12, 10])
    #expect(single.convergence.isConverged && distance(single.values, exact[0..<3].dense) < 1e-3)
    for bad in [LOBPCG(count: 0), LOBPCG(count: 73), LOBPCG(count: 1, guardCount: -1), LOBPCG(count: 1, tolerance: -1)]
    {
      #expect(throws: InvalidArgument.self) { try bad.eigenpairs(of: a, random: &random) }
    }
    let broken = FunctionOperator<Double>(symmetric: 10) { $0 / 0 }
    #expect(throws: InvalidArgument.self) { try LOBPCG(count: 1).eigenpairs(of: broken, random: &random) }
    #expect(throws: InvalidArgument.self) {
      try LOBPCG(count: 1).eigenpairs(of: SparseMatrix<Double>.zeros(3, 4), random: &random)
    }
  }

  @Test func singularTripletsOfOperators() throws {
    var random = RandomStream(seed: 3)
    var generator = TestGenerator(seed: 3)
    let a: SparseMatrix<Double> = try generator.sparse(60, 45, entries: 300)
    let exact = try SingularValueDecomposition(of: a.dense).values[0..<4].dense
    let found = try Lanczos(count: 4).singularTriplets(of: a, random: &random)
    #expect(distance(found.decomposition.values, exact) < 1e-11)
    let (left, right) = (found.decomposition.left, found.decomposition.right)
    let scaled = left * exact
    #expect(distance(a.matmul(right), scaled) < 1e-9)
    #expect(distance(a.matmul(left, transposing: true), right * exact) < 1e-9)
    #expect(orthogonalityDefect(left) < 1e-12 && orthogonalityDefect(right) < 1e-12)
  }

  // MARK: Random estimates

  @Test func tracesCoverTheTruth() throws {
    var generator = TestGenerator(seed: 5)
    let values = geometric(80, to: 1e-6).map { 100 * $0 }
    let a: Tensor<Double> = generator.symmetric(eigenvalues: values)
    let exact = values.reduce(0, +)
    var (plainMisses, betterMisses, plainError, betterError) = (0, 0, 0.0, 0.0)
    for seed in 0..<40 as Range<UInt64> {
      var random = RandomStream(seed: seed)
      let plain = try HutchinsonTrace(samples: 90).estimate(of: a, random: &random)
      let better = try HutchPlusPlus(products: 90).estimate(of: a, random: &random)
      if !plain.interval(deviations: 3).contains(exact) { plainMisses += 1 }
      if !better.interval(deviations: 3.5).contains(exact) { betterMisses += 1 }
      plainError += (plain.value - exact).magnitude / 40
      betterError += (better.value - exact).magnitude / 40
    }
    #expect(plainMisses <= 2 && betterMisses <= 3)
    #expect(betterError < plainError / 20 && plainError < 0.3 * exact)
    // The standard error is that of theory: 2 (‖A‖² - Σ A_ii²) / samples.
    var random = RandomStream(seed: 1)
    let many = try HutchinsonTrace(samples: 4_000).estimate(of: a, random: &random)
    let theory = (2 * (a.sumOfSquares().scalar - a.diagonal.sumOfSquares().scalar) / 4_000).squareRoot()
    #expect((many.standardError / theory - 1).magnitude < 0.1)
    let normal = try HutchinsonTrace(samples: 4_000, distribution: .normal).estimate(of: a, random: &random)
    #expect((normal.standardError / (2 * a.sumOfSquares().scalar / 4_000).squareRoot() - 1).magnitude < 0.1)
    // A diagonal operator leaves nothing to chance, and neither does a subspace that is everything.
    let diagonal = SparseMatrix(diagonal: Tensor<Double>([1, 2, 3.5]))
    #expect(try HutchinsonTrace(samples: 3).estimate(of: diagonal, random: &random).standardError == 0)
    let whole = try HutchPlusPlus(products: 9).estimate(of: diagonal, random: &random)
    #expect((whole.value - 6.5).magnitude < 1e-13 && whole.standardError == 0)
    #expect(try HutchinsonTrace(samples: 1).estimate(of: a, random: &random).standardError.isNaN)
    let estimate = try DiagonalEstimator(samples: 2_000).estimate(of: a, random: &random)
    let errors = (estimate.values - a.diagonal).absolute() / estimate.standardErrors
    #expect(errors.maximum().scalar < 5 && errors.mean().scalar > 0.5 && errors.mean().scalar < 1.1)
  }

  @Test func logDeterminants() throws {
    let reference = try SparseReference.load()
    let a = SparseReference.laplacian
    var random = RandomStream(seed: 8)
    let found = try StochasticLanczosQuadrature(samples: 300, steps: 40).logDeterminant(of: a, random: &random)
    #expect(found.interval(deviations: 3.5).contains(reference.logDeterminant) && found.standardError < 1)
    // A polynomial of low degree is integrated exactly: zᵀ A² z, of which only the sample is random.
    var (one, two) = (RandomStream(seed: 4), RandomStream(seed: 4))
    let squares = try StochasticLanczosQuadrature(samples: 5, steps: 2).trace(ofFunctionOf: a, random: &one) { $0 * $0 }
    let larger = try StochasticLanczosQuadrature(samples: 5, steps: 30).trace(ofFunctionOf: a, random: &two) { $0 * $0 }
    #expect((squares.value / larger.value - 1).magnitude < 1e-12)
    // An invariant subspace ends the Lanczos process early.
    let identity = try StochasticLanczosQuadrature(samples: 3, steps: 9).logDeterminant(
      of: 2 * SparseMatrix<Double>.identity(10), random: &random)
    #expect((identity.value - 10 * Double.log(2)).magnitude < 1e-12 && identity.standardError < 1e-12)
    #expect(throws: InvalidArgument.self) {
      try StochasticLanczosQuadrature().logDeterminant(of: SparseReference.indefinite, random: &random)
    }
    #expect(throws: InvalidArgument.self) {
      try StochasticLanczosQuadrature(steps: 0).logDeterminant(of: a, random: &random)
    }
    #expect(throws: InvalidArgument.self) { try HutchinsonTrace(samples: 0).estimate(of: a, random: &random) }
    #expect(throws: InvalidArgument.self) { try HutchPlusPlus(products: 5).estimate(of: a, random: &random) }
    #expect(throws: InvalidArgument.self) { try DiagonalEstimator(samples: 1).estimate(of: a, random: &random) }
    #expect(throws: InvalidArgument.self) {
      try HutchinsonTrace().estimate(of: SparseMatrix<Double>.zeros(2, 3), random: &random)
    }
    let broken = FunctionOperator<Double>(symmetric: 10) { $0 / 0 }
    #expect(throws: InvalidArgument.self) { try HutchinsonTrace().estimate(of: broken, random: &random) }
  }

  @Test func estimatesDoNotDependOnThreads() throws {
    let a = SparseMatrix<Double>.gridLaplacian([150, 150])
    func results() throws -> [Double] {
      var random = RandomStream(seed: 6)
      let trace = try HutchinsonTrace(samples: 40).estimate(of: a, random: &random)
      let determinant = try StochasticLanczosQuadrature(samples: 2, steps: 12).logDeterminant(of: a, random: &random)
      let solved = try ConjugateGradients().solve(a, random.normal([22_500]))
      return [trace.value, trace.standardError, determinant.value, solved.residual]
    }
    let single = try withThreads(1, results)
    #expect(try withThreads(2, results) == single)
  }

  // MARK: Sketches

  private func hadamard(_ size: Int) -> Tensor<Double> {
    Tensor(
      shape: [size, size],
      scalars: (0..<size * size).map { (($0 / size) & ($0 % size)).nonzeroBitCount % 2 == 0 ? 1 : -1 })
  }

  @Test func walshHadamardIsTheMatrix() {
    var generator = TestGenerator(seed: 1)
    for length in [1, 2, 4, 8, 16, 32, 64, 128, 256] {
      let h = hadamard(length)
      let rows: Tensor<Double> = generator.tensor([3, length])
      #expect(distance(rows.walshHadamard(), rows.matmul(h)) < 1e-12, "\(length)")
      let columns: Tensor<Double> = generator.tensor([length, 5])
      #expect(distance(columns.walshHadamard(axis: 0), h.matmul(columns)) < 1e-12, "\(length)")
      let single = Tensor<Float>(rows)
      #expect(distance(single.walshHadamard(), Tensor<Float>(rows.matmul(h))) < 1e-4, "\(length)")
      let middle: Tensor<Double> = generator.tensor([2, length, 3])
      let moved = middle.exchangingAxes(1, 2).dense.walshHadamard().exchangingAxes(1, 2).dense
      #expect(distance(middle.walshHadamard(axis: 1), moved) < 1e-12, "\(length)")
    }
    // Long ones, which go by quarters: an involution, and a row of the matrix.
    for length in [1 << 12, 1 << 15, 1 << 17] {
      let x: Tensor<Double> = generator.tensor([length])
      let there = x.walshHadamard(normalizing: true)
      #expect(distance(there.walshHadamard(normalizing: true), x) < 1e-13)
      #expect((there.frobeniusNorm() / x.frobeniusNorm() - 1).magnitude < 1e-13)
      var unit = Tensor<Double>.zeros([length])
      unit[at: 2_731] = 1
      let row = unit.walshHadamard()
      #expect((0..<length).allSatisfy { row[at: $0] == (($0 & 2_731).nonzeroBitCount % 2 == 0 ? 1 : -1) })
    }
  }
}
