import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct IterativeSolverTests {
  let reference: SparseReference
  let b = SparseReference.rightSide
  init() throws { reference = try SparseReference.load() }

  private func residual(_ a: SparseMatrix<Double>, _ x: Tensor<Double>, _ b: Tensor<Double>) -> Double {
    (b - a.matmul(x)).frobeniusNorm() / b.frobeniusNorm()
  }

  // MARK: SciPy's numbers

  @Test func residualsFollowSciPy() throws {
    let gradients = try ConjugateGradients().solve(SparseReference.laplacian, b)
    let minimal = try MINRES().solve(SparseReference.indefinite, b)
    let generalized = try GMRES().solve(SparseReference.nonsymmetric(), b)
    for (history, wanted) in [
      (gradients.convergence.history, reference.gradientResiduals),
      (minimal.convergence.history, reference.minimalResiduals),
      (generalized.convergence.history, reference.generalizedResiduals),
    ] {
      for (ours, theirs) in zip(history, wanted) { #expect((ours - theirs).magnitude < 1e-9) }
      #expect(history.count > wanted.count)
    }
  }

  @Test func solutionsAgreeWithSciPy() throws {
    let nonsymmetric = try SparseReference.nonsymmetric()
    let x = Tensor(reference.nonsymmetricSolution)
    for found in [
      try GMRES().solve(nonsymmetric, b), try GMRES(basisSize: 10).solve(nonsymmetric, b),
      try BiCGSTAB().solve(nonsymmetric, b),
      try GMRES().solve(nonsymmetric, b, preconditioner: IncompleteLU(of: nonsymmetric)),
      try BiCGSTAB().solve(nonsymmetric, b, preconditioner: IncompleteLU(of: nonsymmetric)),
      try StationaryIteration().solve(nonsymmetric, b),
    ] {
      #expect(found.isConverged && distance(found.solution, x) < 1e-8)
      #expect(found.residual <= 1e-10 && found.residual == residual(nonsymmetric, found.solution, b))
    }
    let indefinite = try MINRES().solve(SparseReference.indefinite, b)
    #expect(indefinite.isConverged && distance(indefinite.solution, Tensor(reference.indefiniteSolution)) < 1e-7)
    let dense = try ConjugateGradients().solve(SparseReference.laplacian.dense, b)
    #expect(dense.isConverged && distance(dense.solution, Tensor(reference.solution)) < 1e-8)
  }

  @Test func leastSquaresAgreesWithSciPy() throws {
    let a = try SparseReference.tall()
    for found in [try LSQR(tolerance: 1e-13).solve(a, b), try LSMR(tolerance: 1e-13).solve(a, b)] {
      #expect(found.convergence.isConverged && distance(found.solution, Tensor(reference.leastSquares)) < 1e-9)
      #expect(found.normalResidual < 1e-9 && found.residual > 0.1)
      let defect = b - a.matmul(found.solution)
      #expect((found.residual - defect.frobeniusNorm() / b.frobeniusNorm()).magnitude < 1e-14)
    }
    for found in [
      try LSQR(tolerance: 1e-13, damping: 0.7).solve(a, b), try LSMR(tolerance: 1e-13, damping: 0.7).solve(a, b),
    ] {
      #expect(found.convergence.isConverged && distance(found.solution, Tensor(reference.dampedLeastSquares)) < 1e-9)
    }
  }

  // MARK: Laws

  @Test(arguments: 0..<6 as Range<UInt64>) func conjugateGradientsShrinkTheEnergyOfTheError(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let a = try generator.sparseDefinite(60, entries: 150)
    let exact: Tensor<Double> = generator.tensor([60])
    let factor = try IncompleteCholesky(of: a)
    for preconditioner in [nil, factor as (any LinearOperator<Double>)?] {
      var energies: [Double] = []
      let found = try ConjugateGradients(tolerance: 1e-12).solve(
        a, a.matmul(exact), preconditioner: preconditioner
      ) { x in energies.append((x - exact).dot(a.matmul(x - exact)).scalar) }
      #expect(found.isConverged && distance(found.solution, exact) < 1e-10, "\(seed)")
      #expect(energies.count == found.convergence.iterations && energies.count > 3)
      for (before, after) in zip(energies, energies.dropFirst()) { #expect(after < before + 1e-20, "\(seed)") }
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func minimalResidualsNeverGrow(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let values = (0..<40).map { _ in Double.random(in: -2...3, using: &generator) + 0.01 }
    let symmetric: Tensor<Double> = generator.symmetric(eigenvalues: values)
    let general: Tensor<Double> = generator.tensor([40, 40]) + .identity(40) * 3
    let b: Tensor<Double> = generator.tensor([40])
    for found in [
      try MINRES(tolerance: 1e-9).solve(symmetric, b), try GMRES(tolerance: 1e-9).solve(general, b),
      try GMRES(tolerance: 1e-9, basisSize: 7).solve(general, b),
    ] {
      let history = found.convergence.history
      for (before, after) in zip(history, history.dropFirst()) { #expect(after <= before * (1 + 1e-9), "\(seed)") }
    }
    let whole = try GMRES(tolerance: 1e-9).solve(general, b)
    #expect(whole.isConverged && whole.convergence.iterations <= 41, "\(seed)")
    #expect(distance(general.matmul(whole.solution), b) < 1e-7)
    // Least squares: ‖r‖ falls with LSQR, ‖Aᵀ r‖ with LSMR.
    let tall: Tensor<Double> = generator.tensor([60, 25])
    let c: Tensor<Double> = generator.tensor([60])
    let exact = try tall.leastSquares(c).solution
    let (first, second) = (try LSQR().solve(tall, c), try LSMR().solve(tall, c))
    #expect(distance(first.solution, exact) < 1e-7 && distance(second.solution, exact) < 1e-7, "\(seed)")
    let history = second.convergence.history
    for (before, after) in zip(history, history.dropFirst()) { #expect(after <= before, "\(seed)") }
  }

  @Test func severalRightSidesAreSolvedSideBySide() throws {
    var generator = TestGenerator(seed: 4)
    let a = SparseReference.laplacian
    var block: Tensor<Double> = generator.tensor([72, 5])
    // One that is solved at once, and one that takes a single step.
    block[.all, 2] = .zeros([72])
    let eigenvector = try SymmetricEigendecomposition(of: a.dense).vectors[.all, 0]
    block[.all, 3] = eigenvector.dense
    for preconditioner in [nil, try IncompleteCholesky(of: a) as (any LinearOperator<Double>)?] {
      let found = try ConjugateGradients().solve(a, block, preconditioner: preconditioner)
      #expect(found.isConverged && found.residual <= 1e-10 && found.solution.shape == [72, 5])
      #expect(distance(a.matmul(found.solution), block) < 1e-9)
      for column in [0, 1, 4] {
        let single = try ConjugateGradients().solve(a, block[.all, column].dense, preconditioner: preconditioner)
        #expect(distance(single.solution, found.solution[.all, column].dense) < 1e-8)
        #expect(single.convergence.iterations <= found.convergence.iterations)
      }
    }
  }

  @Test func preconditionersPay() throws {
    let a = SparseMatrix<Double>.gridLaplacian([40, 40])
    var generator = TestGenerator(seed: 9)
    let b: Tensor<Double> = generator.tensor([1_600])
    let solver = ConjugateGradients()
    let plain = try solver.solve(a, b).convergence.iterations
    // Piecewise linear interpolation from every second point of a line, in both directions.
    let fine = Tensor<Int>(0..<40)
    let line = try SparseMatrix<Double>(
      rows: 40, columns: 20, rowIndices: .concatenated([fine, Tensor((0..<19).map { 2 * $0 + 1 })]),
      columnIndices: .concatenated([fine / 2, Tensor<Int>(1..<20)]),
      values: .concatenated([Tensor((0..<40).map { $0 % 2 == 0 ? 1 : 0.5 }), Tensor(repeating: 0.5, shape: [19])]))
    var triplets: (rows: [Int], columns: [Int], values: [Double]) = ([], [], [])
    let dense = line.dense
    for i in 0..<1_600 {
      for j in 0..<400 {
        let value = dense[at: i / 40, j / 20] * dense[at: i % 40, j % 20]
        if value != 0 {
          triplets.rows.append(i)
          triplets.columns.append(j)
          triplets.values.append(value)
        }
      }
    }
    let prolongation = try SparseMatrix(
      rows: 1_600, columns: 400, rowIndices: Tensor(triplets.rows), columnIndices: Tensor(triplets.columns),
      values: Tensor(triplets.values))
    let twoGrid = try TwoGridPreconditioner(of: a, prolongation: prolongation) { coarse in
      let inverse = try coarse.dense.inverse()
      return inverse
    }
    let candidates: [(String, any LinearOperator<Double>, Double)] = [
      ("Gauss–Seidel", try RelaxationPreconditioner(of: a), 0.65),
      ("over-relaxation", try RelaxationPreconditioner(of: a, relaxation: 1.5), 0.55),
      ("incomplete Cholesky", try IncompleteCholesky(of: a), 0.5),
      ("incomplete LU", try IncompleteLU(of: a), 0.5),
      ("Chebyshev", try ChebyshevPreconditioner(of: a, eigenvalues: 0.1...8, degree: 5), 0.4),
      ("two grids", twoGrid, 0.2),
    ]
    for (name, preconditioner, share) in candidates {
      let found = try solver.solve(a, b, preconditioner: preconditioner)
      #expect(found.isConverged && distance(a.matmul(found.solution), b) < 1e-8, "\(name)")
      #expect(Double(found.convergence.iterations) <= share * Double(plain), "\(name)")
      // Adjoint and, all of these, symmetric; a block is applied column by column.
      let block: Tensor<Double> = generator.tensor([1_600, 3])
      let image = try preconditioner.apply(block)
      let back = try preconditioner.applyTransposed(block)
      #expect(distance(image, back) < 1e-11, "\(name)")
      #expect(distance(image[.all, 1].dense, try preconditioner.apply(block[.all, 1].dense)) < 1e-12, "\(name)")
      let gram = block.matmul(image, transposingA: true)
      #expect(distance(gram, gram.transposed.dense) < 1e-9 && gram.diagonal.minimum().scalar > 0, "\(name)")
    }
    let scaled = a.scalingRows(by: Tensor((0..<1_600).map { 1 + Double($0 % 7) })).scalingColumns(
      by: Tensor((0..<1_600).map { 1 + Double($0 % 7) }))
    let jacobi = try solver.solve(scaled, b, preconditioner: JacobiPreconditioner(of: scaled))
    let unscaled = try solver.solve(scaled, b).convergence.iterations
    #expect(jacobi.isConverged && jacobi.convergence.iterations < unscaled)
    // A preconditioner that changes as it goes: an inner iteration.
    let inner = FunctionOperator<Double>(symmetric: 1_600) {
      try ConjugateGradients(tolerance: 0.05).solve(a, $0).solution
    }
    let flexible = try GMRES().solve(a, b, preconditioner: inner)
    #expect(flexible.isConverged && flexible.convergence.iterations < 15)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func incompleteFactorsAreExactWithoutFill(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    // A full matrix has no places to lose.
    let full = try SparseMatrix(generator.symmetric(eigenvalues: [1, 2, 3, 4, 5]) as Tensor<Double>)
    let lower = try IncompleteCholesky(of: full).lower.dense
    #expect(distance(lower, try CholeskyDecomposition(of: full.dense).lower.dense) < 1e-13)
    let general = try SparseMatrix(generator.tensor([6, 6]) + Tensor<Double>.identity(6) * 4)
    let x: Tensor<Double> = generator.tensor([6])
    let factor = try IncompleteLU(of: general)
    #expect(distance(general.matmul(try factor.apply(x)), x) < 1e-12)
    #expect(distance(general.matmul(try factor.applyTransposed(x), transposing: true), x) < 1e-12)
    // Elsewhere L Lᵀ and L U agree with A on the places of A.
    let a = try generator.sparseDefinite(40, entries: 90)
    let l = try IncompleteCholesky(of: a).lower.dense
    let product = l.matmul(l, transposingB: true)
    let factors = try IncompleteLU(of: a).factors
    let unit = factors.triangle(.lower, strictly: true).dense + .identity(40)
    let second = unit.matmul(factors.triangle(.upper).dense)
    let dense = a.dense
    for (i, j) in zip(a.rowIndices.scalars, a.columnIndices.scalars) {
      #expect((product[at: i, j] - dense[at: i, j]).magnitude < 1e-12, "\(seed)")
      #expect((second[at: i, j] - dense[at: i, j]).magnitude < 1e-12, "\(seed)")
    }
  }

  @Test func stationaryIterations() throws {
    let a = SparseReference.laplacian
    var counts: [Int] = []
    for splitting in [
      StationaryIteration.Splitting.jacobi(), .gaussSeidel, .symmetricOverRelaxation(), .overRelaxation(1.5),
    ] {
      let found = try StationaryIteration(splitting, tolerance: 1e-9).solve(a, b)
      #expect(found.isConverged && distance(found.solution, Tensor(reference.solution)) < 1e-7, "\(splitting)")
      counts.append(found.convergence.iterations)
    }
    // Young: Gauss–Seidel takes half the iterations of Jacobi, good over-relaxation far fewer.
    #expect(Double(counts[1]) < 0.55 * Double(counts[0]) && counts[2] < counts[1] && counts[3] < counts[1] / 3)
    // Jacobi diverges where 2 D - A is not definite.
    let wild = try SparseMatrix(Tensor<Double>([[1, 0.9, 0.9], [0.9, 1, 0.9], [0.9, 0.9, 1]]))
    let diverged = try StationaryIteration(.jacobi()).solve(wild, Tensor([1, 2, 3]))
    #expect(!diverged.isConverged && diverged.residual > 1)
    let damped = try StationaryIteration(.jacobi(damping: 0.6)).solve(wild, Tensor([1, 2, 3]))
    #expect(damped.isConverged)
  }

  @Test func singlePrecision() throws {
    let a = SparseMatrix<Float>.gridLaplacian([20, 20])
    var generator = TestGenerator(seed: 2)
    let b: Tensor<Float> = generator.tensor([400])
    let found = try ConjugateGradients(tolerance: 1e-5).solve(a, b, preconditioner: IncompleteCholesky(of: a))
    #expect(found.isConverged && found.residual <= 1e-5)
    // Beyond the precision: the iteration notices.
    for stuck in [
      try ConjugateGradients(tolerance: 1e-12).solve(a, b), try MINRES(tolerance: 1e-12).solve(a, b),
      try GMRES(tolerance: 1e-12).solve(a, b), try BiCGSTAB(tolerance: 1e-12).solve(a, b),
    ] {
      #expect(
        !stuck.isConverged && stuck.residual < 1e-3 && stuck.convergence.iterations < 2_000,
        "\(stuck.stop) \(stuck.residual) \(stuck.convergence.iterations)")
      #expect(stuck.stop == .stagnation || stuck.stop == .breakdown, "\(stuck.stop)")
    }
  }

  // MARK: Corners

  @Test func zeroRightSidesGuessesAndEmptyMatrices() throws {
    let a = SparseReference.laplacian
    let zero = Tensor<Double>.zeros([72])
    for found in [
      try ConjugateGradients().solve(a, zero), try MINRES().solve(a, zero), try GMRES().solve(a, zero),
      try BiCGSTAB().solve(a, zero), try StationaryIteration().solve(a, zero),
    ] {
      #expect(found.isConverged && found.solution == zero && found.residual == 0)
      #expect(found.convergence.history == [0])
    }
    #expect(try LSQR().solve(a, zero).solution == zero)
    #expect(try LSMR().solve(a, zero).convergence.isConverged)
    let exact = Tensor(reference.solution)
    for found in [
      try ConjugateGradients().solve(a, b, startingFrom: exact), try MINRES().solve(a, b, startingFrom: exact),
      try GMRES().solve(a, b, startingFrom: exact), try BiCGSTAB().solve(a, b, startingFrom: exact),
    ] {
      #expect(found.isConverged && found.convergence.iterations == 1 && found.solution == exact)
    }
    let near = exact * 1.001
    for found in [
      try ConjugateGradients().solve(a, b, startingFrom: near), try MINRES().solve(a, b, startingFrom: near),
      try GMRES().solve(a, b, startingFrom: near), try BiCGSTAB().solve(a, b, startingFrom: near),
    ] {
      #expect(found.isConverged && distance(found.solution, exact) < 1e-8)
    }
    let empty = SparseMatrix<Double>.zeros(0, 0)
    let nothing = Tensor<Double>.zeros([0])
    for found in [
      try ConjugateGradients().solve(empty, nothing), try MINRES().solve(empty, nothing),
      try GMRES().solve(empty, nothing), try BiCGSTAB().solve(empty, nothing),
    ] {
      #expect(found.isConverged && found.solution.shape == [0])
    }
    #expect(try LSQR().solve(SparseMatrix<Double>.zeros(3, 0), Tensor([1, 2, 3])).solution.shape == [0])
    let flat = try LSQR().solve(SparseMatrix<Double>.zeros(3, 2), Tensor([1, 2, 3]))
    #expect(flat.solution == .zeros([2]) && flat.residual == 1 && flat.normalResidual == 0)
  }

  @Test func unfitOperatorsGiveAResultThatSaysSo() throws {
    let indefinite = try ConjugateGradients().solve(SparseReference.indefinite, b)
    #expect(indefinite.stop == .notPositiveDefinite && !indefinite.isConverged && indefinite.residual > 1e-10)
    let negative = -1 * SparseMatrix<Double>.identity(72)
    #expect(
      try ConjugateGradients().solve(SparseReference.laplacian, b, preconditioner: negative).stop
        == .preconditionerNotPositiveDefinite)
    #expect(
      try MINRES().solve(SparseReference.laplacian, b, preconditioner: negative).stop
        == .preconditionerNotPositiveDefinite)
    // Singular systems without a solution: MINRES and GMRES end at the least residual.
    let singular = SparseMatrix(diagonal: Tensor<Double>([1, 2, 3, 0]))
    let ones = Tensor<Double>.ones([4])
    for found in [try MINRES().solve(singular, ones), try GMRES().solve(singular, ones)] {
      #expect(!found.isConverged && (found.residual - 0.5).magnitude < 1e-9, "\(found.stop)")
      #expect(found.stop == .stagnation || found.stop == .breakdown)
      #expect(distance(found.solution[0..<3].dense, Tensor([1, 0.5, 1.0 / 3])) < 1e-9)
    }
    let biconjugate = try BiCGSTAB(iterationLimit: 200).solve(singular, ones)
    #expect(!biconjugate.isConverged && biconjugate.residual >= 0.5 - 1e-12)
    let leastNorm = try LSQR().solve(singular, ones)
    #expect(leastNorm.convergence.isConverged && leastNorm.solution[at: 3].magnitude < 1e-12)
    // A singular system with a solution.
    let consistent = Tensor<Double>([1, 1, 1, 0])
    for found in [
      try ConjugateGradients().solve(singular, consistent), try MINRES().solve(singular, consistent),
      try GMRES().solve(singular, consistent),
    ] {
      #expect(found.isConverged && distance(found.solution, Tensor([1, 0.5, 1.0 / 3, 0])) < 1e-9)
    }
    let zero = SparseMatrix<Double>.zeros(4, 4)
    for found in [
      try ConjugateGradients().solve(zero, ones), try MINRES().solve(zero, ones), try GMRES().solve(zero, ones),
      try BiCGSTAB().solve(zero, ones),
    ] {
      #expect(!found.isConverged && found.residual == 1 && found.solution == .zeros([4]))
    }
    // A cyclic shift: restarted GMRES makes no progress before its basis spans everything.
    let shift = FunctionOperator<Double>(rows: 8, columns: 8) { .concatenated([$0[7..<8], $0[0..<7]]) }
    let unit = Tensor<Double>([1, 0, 0, 0, 0, 0, 0, 0])
    let stuck = try GMRES(basisSize: 4).solve(shift, unit)
    #expect(stuck.stop == .stagnation && stuck.residual == 1)
    #expect(try GMRES(basisSize: 8).solve(shift, unit).isConverged)
    let short = try ConjugateGradients(iterationLimit: 3).solve(SparseReference.laplacian, b)
    #expect(short.stop == .iterationLimit && short.convergence.iterations == 3 && short.residual > 1e-3)
  }

  @Test func badInput() throws {
    let a = SparseReference.laplacian
    let wide = SparseMatrix<Double>.zeros(72, 71)
    var poisoned = b
    poisoned[at: 5] = .nan
    let broken = FunctionOperator<Double>(symmetric: 72) { $0 / 0 }
    let short = FunctionOperator<Double>(symmetric: 72) { $0[0..<71] }
    #expect(throws: InvalidArgument.self) { try ConjugateGradients().solve(wide, b) }
    #expect(throws: InvalidArgument.self) { try MINRES().solve(a, b[0..<71].dense) }
    #expect(throws: InvalidArgument.self) { try MINRES().solve(a, .ones([72, 2])) }
    #expect(throws: InvalidArgument.self) {
      try ConjugateGradients().solve(a, b, preconditioner: SparseMatrix.identity(3))
    }
    #expect(throws: InvalidArgument.self) { try ConjugateGradients().solve(a, b, startingFrom: Tensor([1])) }
    #expect(throws: InvalidArgument.self) { try GMRES(basisSize: 0).solve(a, b) }
    #expect(throws: InvalidArgument.self) { try GMRES(tolerance: -1).solve(a, b) }
    #expect(throws: InvalidArgument.self) { try BiCGSTAB(iterationLimit: 0).solve(a, b) }
    #expect(throws: InvalidArgument.self) { try LSQR(damping: -1).solve(a, b) }
    #expect(throws: InvalidArgument.self) { try StationaryIteration(.overRelaxation(2)).solve(a, b) }
    #expect(throws: DecompositionError.singular(pivot: 0)) {
      try StationaryIteration().solve(SparseMatrix<Double>.zeros(2, 2), .ones([2]))
    }
    for bad in [broken, short] {
      #expect(throws: InvalidArgument.self) { try ConjugateGradients().solve(bad, b) }
      #expect(throws: InvalidArgument.self) { try MINRES().solve(bad, b) }
      #expect(throws: InvalidArgument.self) { try GMRES().solve(bad, b) }
      #expect(throws: InvalidArgument.self) { try BiCGSTAB().solve(bad, b) }
      #expect(throws: InvalidArgument.self) { try LSQR().solve(bad, b) }
      #expect(throws: InvalidArgument.self) { try LSMR().solve(bad, b) }
      #expect(throws: InvalidArgument.self) { try ConjugateGradients().solve(a, b, preconditioner: bad) }
      #expect(throws: InvalidArgument.self) { try GMRES().solve(a, b, preconditioner: bad) }
    }
    #expect(throws: InvalidArgument.self) { try ConjugateGradients().solve(a, poisoned) }
    #expect(throws: InvalidArgument.self) { try LSQR().solve(a, poisoned) }
    #expect(throws: DecompositionError.notPositiveDefinite(leadingMinor: 2)) {
      try IncompleteCholesky(of: SparseMatrix(Tensor<Double>([[1, 2], [2, 1]])))
    }
    #expect(throws: DecompositionError.notPositiveDefinite(leadingMinor: 1)) {
      try IncompleteCholesky(of: SparseMatrix<Double>.zeros(2, 2))
    }
    _ = try IncompleteCholesky(of: SparseMatrix(Tensor<Double>([[1, 2], [2, 1]])), shift: 2)
    #expect(throws: DecompositionError.singular(pivot: 1)) {
      try IncompleteLU(of: SparseMatrix(Tensor<Double>([[1, 2], [2, 4]])))
    }
    #expect(throws: InvalidArgument.self) { try IncompleteLU(of: wide) }
    #expect(throws: InvalidArgument.self) { try JacobiPreconditioner(of: wide) }
    #expect(throws: InvalidArgument.self) { try ChebyshevPreconditioner(of: a, eigenvalues: 0...1) }
    #expect(throws: InvalidArgument.self) {
      try TwoGridPreconditioner(of: a, prolongation: wide) { _ in SparseMatrix<Double>.identity(3) }
    }
  }
}
