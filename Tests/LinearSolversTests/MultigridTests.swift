import LinearAlgebra
import LinearSolvers
import Tensors
import TestSupport
import Testing

@Suite struct MultigridTests {
  @Test(arguments: 0..<6)
  func prolongatorsReproduceTheSmoothVector(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let matrix = try randomDefinite(300, extraEdges: 500, &generator)
    var smooth: Tensor<Double> = generator.tensor([300])
    // Zeros, alone and in neighbours.
    smooth = (Tensor((0..<300).map(Double.init)) .< 10).select(.zeros([300]), smooth)
    let solver = try BootstrapAMG(hierarchyLimit: 1).build(matrix, initialSmooth: smooth)
    let levels = solver.hierarchies[0].levels
    #expect(levels.count > 3)
    for (l, level) in levels.dropLast().enumerated() {
      let p = try #require(try level.prolongator())
      let gram = try p.transposed.stored(by: .rows).matmul(p).dense
      #expect(distance(gram, .identity(p.columns)) < 1e-12, "seed \(seed), level \(l)")
      let w = level.smoothVector
      let projected = p.matmul(p.matmul(w, transposing: true))
      #expect(distance(projected, w) < 1e-12, "seed \(seed), level \(l)")
      #expect(distance(levels[l + 1].smoothVector, p.matmul(w, transposing: true)) < 1e-12)
      let fine = try level.matrix()
      let coarse = try levels[l + 1].matrix()
      let product = try p.transposed.stored(by: .rows).matmul(fine.matmul(p)).dense
      #expect(distance(coarse.dense, product) < 1e-10, "seed \(seed), level \(l)")
      _ = try CholeskyDecomposition(of: coarse.dense)
      let aggregates = try #require(level.aggregates)
      #expect(aggregates.count == level.size && Set(aggregates) == Set(0..<p.columns), "every vertex in one aggregate")
      let sizes = Dictionary(grouping: aggregates) { $0 }.values.map(\.count)
      #expect((sizes.max() ?? 0) <= 4)
    }
  }

  @Test(arguments: 0..<60)
  func matchingsHaveHalfTheBestWeight(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let count = Int.random(in: 2...10, using: &generator)
    var graph = try randomGraph(count, extraEdges: Int.random(in: 0...12, using: &generator), &generator)
    // Every other graph has ties.
    if seed % 2 == 0 { graph = graph.withValues(Tensor(repeating: 1, shape: [graph.entryCount])) }
    let matching = try weightedMatching(graph)
    let dense = graph.dense
    var sum = 0.0
    for (i, partner) in matching.partners.enumerated() {
      guard let partner else { continue }
      #expect(matching.partners[partner] == i && partner != i && dense[at: i, partner] > 0, "seed \(seed)")
      sum += dense[at: i, partner] / 2
    }
    #expect(abs(sum - matching.weight) < 1e-12, "seed \(seed)")
    func best(_ free: [Int]) -> Double {
      guard let first = free.first else { return 0 }
      let rest = Array(free.dropFirst())
      return rest.reduce(best(rest)) { largest, other in
        max(largest, dense[at: first, other] + best(rest.filter { $0 != other }))
      }
    }
    #expect(matching.weight >= best(Array(0..<count)) / 2 - 1e-12, "seed \(seed)")
    // Maximal: no edge joins two free vertices.
    for i in 0..<count {
      for j in 0..<i where dense[at: i, j] > 0 {
        #expect(matching.partners[i] != nil || matching.partners[j] != nil, "seed \(seed)")
      }
    }
  }

  @Test(
    arguments: [BootstrapAMG.Cycle.v, .h, .w], [BootstrapAMG.Relaxation.gaussSeidel, .jacobi(damping: 0.6), .l1Jacobi])
  func cyclesContract(cycle: BootstrapAMG.Cycle, relaxation: BootstrapAMG.Relaxation) throws {
    var generator = TestGenerator(seed: 3)
    let matrix = try randomDefinite(150, extraEdges: 300, &generator)
    var settings = BootstrapAMG(hierarchyLimit: 1, cycle: cycle)
    settings.relaxation = relaxation
    let solver = try settings.build(matrix)
    for _ in 0..<5 {
      let x: Tensor<Double> = generator.tensor([150])
      let y = solver.propagatingError(x)
      #expect(energy(matrix, y, y) < energy(matrix, x, x))
    }
    #expect((solver.rate ?? 1) < 1)
  }

  @Test(arguments: BootstrapAMG.Cycle.allCases, BootstrapAMG.Composition.allCases)
  func allVariantsSolve(cycle: BootstrapAMG.Cycle, composition: BootstrapAMG.Composition) throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([30, 30])
    let exact = RandomStream(seed: 6).normalVector(900)
    for relaxation in [BootstrapAMG.Relaxation.gaussSeidel, .jacobi(), .l1Jacobi] {
      for smooths in [false, true] {
        var settings = BootstrapAMG(
          targetRate: 0.1, hierarchyLimit: 2, composition: composition, cycle: cycle, smoothsProlongators: smooths)
        settings.relaxation = relaxation
        let found = try settings.build(matrix).solve(matrix.matmul(exact))
        let name = "\(relaxation), smooths \(smooths)"
        #expect(found.isConverged && found.iterations <= 60, "\(name): \(found.iterations)")
        #expect(relativeDistance(found.solution, exact) < 1e-5, "\(name)")
      }
    }
  }

  @Test func moreVisitsConvergeFaster() throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([128, 128])
    func rate(_ cycle: BootstrapAMG.Cycle, smooths: Bool = false) throws -> Double {
      let settings = BootstrapAMG(hierarchyLimit: 1, cycle: cycle, smoothsProlongators: smooths)
      return try #require(settings.build(matrix).rate)
    }
    let (v, h, w) = (try rate(.v), try rate(.h), try rate(.w))
    #expect(h < v && w < h, "\(v) \(h) \(w)")
    // Without smoothed prolongators a V-cycle loses convergence with the size.
    #expect(try rate(.v, smooths: true) < v)
  }

  @Test(arguments: 0..<3)
  func simpleCyclesAreSymmetric(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let matrix = try randomDefinite(160, extraEdges: 200, &generator)
    for cycle in [BootstrapAMG.Cycle.v, .h, .w] {
      for relaxation in [BootstrapAMG.Relaxation.gaussSeidel, .jacobi(damping: 0.6), .l1Jacobi] {
        for composition in [BootstrapAMG.Composition.symmetrized, .additive] {
          var settings = BootstrapAMG(targetRate: 1e-6, hierarchyLimit: 2, composition: composition, cycle: cycle)
          settings.relaxation = relaxation
          let b = try settings.build(matrix).asPreconditioner
          let (x, y): (Tensor<Double>, Tensor<Double>) = (generator.tensor([160]), generator.tensor([160]))
          let (bx, by) = (try b.apply(x), try b.apply(y))
          let difference = abs((bx * y).sum().scalar - (x * by).sum().scalar)
          #expect(difference < 1e-10 * (bx * x).sum().scalar, "\(cycle), \(relaxation), \(composition), seed \(seed)")
        }
      }
    }
  }

  @Test(arguments: 0..<3)
  func symmetrizedCompositesAreSelfAdjoint(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let matrix = try randomDefinite(120, extraEdges: 200, &generator)
    for smooths in [false, true] {
      let settings = BootstrapAMG(
        targetRate: 1e-6, hierarchyLimit: 3, composition: .symmetrized, smoothsProlongators: smooths)
      let solver = try settings.build(matrix)
      let x: Tensor<Double> = generator.tensor([120])
      let y: Tensor<Double> = generator.tensor([120])
      let scale = (energy(matrix, x, x) * energy(matrix, y, y)).squareRoot()
      let left = energy(matrix, solver.propagatingError(x), y)
      let right = energy(matrix, x, solver.propagatingError(y))
      #expect(abs(left - right) < 1e-10 * scale, "seed \(seed)")
      let preconditioner = solver.asPreconditioner
      let (bx, by) = (try preconditioner.apply(x), try preconditioner.apply(y))
      #expect(abs((bx * y).sum().scalar - (x * by).sum().scalar) < 1e-10 * (bx * x).sum().scalar, "seed \(seed)")
      #expect((bx * x).sum().scalar > 0)
    }
  }

  @Test func ratesFallWithHierarchiesAndIgnoreScaling() throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([24, 24])
    let settings = BootstrapAMG(targetRate: 0.05, hierarchyLimit: 6)
    let solver = try settings.build(matrix)
    #expect(solver.rates.count > 1)
    for (before, after) in zip(solver.rates, solver.rates.dropFirst()) { #expect(after <= 1.05 * before) }
    let scaled = try settings.build(matrix * 4096)
    #expect(scaled.rates.count == solver.rates.count)
    for (a, b) in zip(solver.rates, scaled.rates) { #expect(abs(a - b) < 1e-10) }
    #expect(solver.operatorComplexity < 1.6 * Double(solver.hierarchies.count))
    for vector in solver.smoothVectors { #expect(abs(energy(matrix, vector, vector) - 1) < 1e-10) }
  }

  @Test func preconditionedIterationsHardlyGrow() throws {
    var counts: [Int] = []
    for extent in [32, 64, 128] {
      let matrix = SparseMatrix<Double>.gridLaplacian([extent, extent])
      let load = matrix.matmul(RandomStream(seed: 5).child(1).normalVector(extent * extent))
      let solver = try BootstrapAMG(targetRate: 0.3, hierarchyLimit: 10, cycle: .v).build(matrix)
      let found = try solver.solve(load)
      #expect(found.isConverged && found.residual <= 1e-8)
      counts.append(found.iterations)
    }
    #expect(counts[1] <= 25)
    #expect(Double(counts[2]) <= 1.5 * Double(counts[0]), "\(counts)")
  }

  @Test func singleHierarchiesWithKCyclesSolveAnySize() throws {
    for extent in [20, 80, 200] {
      let matrix = SparseMatrix<Double>.gridLaplacian([extent, extent])
      let exact = RandomStream(seed: 1).child(2).normalVector(extent * extent)
      let found = try BootstrapAMG.singleHierarchy.build(matrix).solve(matrix.matmul(exact), tolerance: 1e-10)
      #expect(found.isConverged && found.iterations <= 25, "\(extent): \(found.iterations)")
      #expect(relativeDistance(found.solution, exact) < 1e-6)
      let truth = (matrix.matmul(found.solution) - matrix.matmul(exact)).frobeniusNorm()
      #expect(abs(truth / matrix.matmul(exact).frobeniusNorm() - found.residual) < 1e-12)
    }
  }

  @Test func theOtherSolversTakeThePreconditioner() throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([40, 40])
    let exact = RandomStream(seed: 9).child(2).normalVector(1_600)
    let solver = try BootstrapAMG(hierarchyLimit: 2).build(matrix)
    let found = try ConjugateGradients().solve(
      matrix, matrix.matmul(exact), preconditioner: solver.asPreconditioner)
    #expect(found.isConverged && found.convergence.iterations < 40)
    #expect(relativeDistance(found.solution, exact) < 1e-8)
  }

  @Test func additiveCompositesConverge() throws {
    let matrix = SparseMatrix<Double>.gridLaplacian([20, 20])
    let solver = try BootstrapAMG(targetRate: 0.05, hierarchyLimit: 3, composition: .additive).build(matrix)
    let found = try solver.solve(.ones([400]))
    #expect(found.isConverged && found.residual <= 1e-8)
  }

  @Test func badInput() throws {
    let good = SparseMatrix<Double>.gridLaplacian([5, 5])
    #expect(throws: InvalidArgument.self) { try BootstrapAMG().build(good[rows: 0..<3]) }
    #expect(throws: InvalidArgument.self) { try BootstrapAMG().build(good.triangle(.lower)) }
    #expect(throws: InvalidArgument.self) { try BootstrapAMG().build(good * .nan) }
    #expect(throws: InvalidArgument.self) { try BootstrapAMG(targetRate: 2).build(good) }
    #expect(throws: InvalidArgument.self) { try BootstrapAMG(hierarchyLimit: 0).build(good) }
    #expect(throws: InvalidArgument.self) { try BootstrapAMG().build(good, initialSmooth: .ones([3])) }
    #expect(throws: DecompositionError.self) { try BootstrapAMG().build(-good) }
    let solver = try BootstrapAMG().build(good)
    #expect(throws: InvalidArgument.self) { try solver.solve(.ones([4])) }
    #expect(throws: InvalidArgument.self) { try solver.solve(.ones([25]), tolerance: 0) }
    #expect(try solver.solve(.zeros([25])).solution == .zeros([25]))
    #expect(try !solver.solve(.ones([25]), tolerance: 1e-14, iterationLimit: 1).isConverged)
    let single = try BootstrapAMG().build(SparseMatrix(diagonal: Tensor([2.0]))).solve(Tensor([4.0]))
    #expect(single.isConverged && abs(single.solution[at: 0] - 2) < 1e-12)
  }
}

extension RandomStream {
  func normalVector(_ count: Int) -> Tensor<Double> {
    var random = self
    return random.normal([count])
  }
}
