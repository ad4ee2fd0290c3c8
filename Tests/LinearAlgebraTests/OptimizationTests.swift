import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct AssignmentTests {
  /// The smallest total over all ways to give each row a column of its own.
  private func bruteForce(_ costs: Tensor<Double>) -> Double {
    func best(_ row: Int, _ used: Set<Int>) -> Double {
      if row == costs.rows { return 0 }
      return (0..<costs.columns).filter { !used.contains($0) }.map { column in
        costs[at: row, column] + best(row + 1, used.union([column]))
      }.min() ?? .infinity
    }
    return best(0, [])
  }

  /// Matches everybody, and the prices prove that nothing is cheaper.
  private func check(
    _ found: Assignment, _ costs: Tensor<Double>, _ context: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let (n, m) = (costs.rows, costs.columns)
    let pairs = found.pairs
    #expect(
      pairs.count == min(n, m) && Set(pairs.map(\.column)).count == pairs.count, "\(context)",
      sourceLocation: sourceLocation)
    let total = pairs.reduce(0) { $0 + costs[at: $1.row, $1.column] }
    #expect(abs(total - found.cost) <= 1e-12 * max(1, abs(total)), "\(context)", sourceLocation: sourceLocation)
    let limit = 1e-10 * max(1, costs.isFinite ? costs.largestMagnitude : 100)
    var worst = 0.0
    for i in 0..<n {
      for j in 0..<m { worst.raise(to: found.rowPrices[i] + found.columnPrices[j] - costs[at: i, j]) }
    }
    let dual = found.rowPrices.reduce(0, +) + found.columnPrices.reduce(0, +)
    #expect(worst < limit, "prices of \(context)", sourceLocation: sourceLocation)
    #expect(
      abs(dual - found.cost) < limit * Double(max(1, n + m)), "dual of \(context)", sourceLocation: sourceLocation)
  }

  @Test(arguments: 0..<12 as Range<UInt64>) func againstBruteForce(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (n, m) in [(1, 1), (2, 2), (3, 3), (5, 5), (6, 6), (3, 5), (5, 3), (1, 6), (6, 1), (4, 7)] {
      let random: Tensor<Double> = generator.tensor([n, m])
      // Few different values: many ties.
      for costs in [random, (random * 2).rounded(), (random * 1e6).rounded()] {
        let found = try AssignmentSolver().solve(costs)
        let wide = n <= m ? costs : costs.transposed
        #expect(abs(found.cost - bruteForce(wide)) < 1e-9 * max(1, abs(found.cost)), "\(n)x\(m) seed \(seed)")
        check(found, costs, "\(n)x\(m) seed \(seed)")
        let most = try AssignmentSolver(maximizing: true).solve(-costs)
        #expect(abs(most.cost + found.cost) < 1e-9 * max(1, abs(found.cost)) && most.columns == found.columns)
      }
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>) func forbiddenPairs(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (n, m) in [(3, 3), (5, 5), (4, 6), (6, 4)] {
      let random: Tensor<Double> = generator.tensor([n, m])
      let mask: Tensor<Double> = generator.tensor([n, m])
      let costs = (mask .> 0.1).select(Tensor(repeating: .infinity, shape: [n, m]), random)
      let wanted = bruteForce(n <= m ? costs : costs.transposed)
      if wanted.isFinite {
        let found = try AssignmentSolver().solve(costs)
        #expect(abs(found.cost - wanted) < 1e-12, "seed \(seed)")
        check(found, costs, "forbidden \(n)x\(m) seed \(seed)")
      } else {
        #expect(throws: NoAssignment.self) { try AssignmentSolver().solve(costs) }
      }
    }
  }

  @Test(arguments: 0..<3 as Range<UInt64>) func large(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (n, m) in [(200, 200), (150, 300), (300, 150)] {
      let random: Tensor<Double> = generator.tensor([n, m])
      for costs in [random, (random * 10).rounded(), random * 1e-200] {
        let found = try AssignmentSolver().solve(costs)
        check(found, costs, "\(n)x\(m) seed \(seed)")
      }
    }
    // Machol and Wien's costs i j are the worst case of many methods; the answer pairs large with small.
    let steps = Tensor<Double>((1...120).map { Double($0) })
    let product = steps.outer(steps)
    let found = try AssignmentSolver().solve(product)
    check(found, product, "Machol and Wien")
    #expect(found.columns == (0..<120).map { 119 - $0 })
  }

  @Test func agreesWithSciPy() throws {
    let reference = try DenseReference.load().optimization
    let found = try AssignmentSolver().solve(Tensor<Double>(reference.costs))
    #expect(found.columns == reference.columns && abs(found.cost - reference.total) < 1e-12)
    let single = try AssignmentSolver().solve(Tensor<Float>(Tensor<Double>(reference.costs)))
    #expect(single.columns == reference.columns)
  }

  @Test func badInput() throws {
    #expect(try AssignmentSolver().solve(Tensor<Double>.zeros([0, 3])).columns == [])
    #expect(try AssignmentSolver().solve(Tensor<Double>.zeros([2, 0])).columns == [nil, nil])
    #expect(throws: InvalidArgument.self) { try AssignmentSolver().solve(Tensor<Double>([1, 2])) }
    #expect(throws: InvalidArgument.self) { try AssignmentSolver().solve(Tensor<Double>([[.nan]])) }
    #expect(throws: InvalidArgument.self) { try AssignmentSolver().solve(Tensor<Double>([[-.infinity]])) }
    #expect(throws: NoAssignment.self) { try AssignmentSolver().solve(Tensor<Double>([[.infinity]])) }
  }
}

struct NonNegativeLeastSquaresTests {
  private func check(
    _ a: Tensor<Double>, _ b: Tensor<Double>, _ context: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let found = try NonNegativeLeastSquares().solve(a, b)
    let x = found.solution
    let residual = b - a.matmul(x)
    let slopes = a.matmul(residual, transposingA: true)
    let limit = 1e-11 * max(1, a.largestMagnitude * b.largestMagnitude * Double(a.rows))
    #expect(found.convergence.isConverged, "\(context)", sourceLocation: sourceLocation)
    #expect(abs(found.residualNorm - residual.frobeniusNorm()) < 1e-12 * max(1, b.largestMagnitude))
    for j in 0..<a.columns {
      // Karush, Kuhn and Tucker.
      #expect(x[at: j] >= 0 && slopes[at: j] < limit, "\(context)", sourceLocation: sourceLocation)
      if x[at: j] > 0 { #expect(abs(slopes[at: j]) < limit, "\(context)", sourceLocation: sourceLocation) }
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>) func optimality(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (m, n) in [(1, 1), (5, 3), (3, 5), (20, 20), (60, 30), (30, 60), (100, 80), (7, 0), (0, 4)] {
      let a: Tensor<Double> = generator.tensor([m, n])
      let b: Tensor<Double> = generator.tensor([m])
      try check(a, b, "\(m)x\(n) seed \(seed)")
      // Positive data, where most unknowns stay positive, and dependent columns.
      try check(a.absolute(), b.absolute(), "positive \(m)x\(n) seed \(seed)")
      if n > 0 { try check(.concatenated([a, a], axis: 1), b, "doubled \(m)x\(n) seed \(seed)") }
    }
    let a: Tensor<Double> = generator.tensor([40, 12])
    let x = (generator.tensor([12]) as Tensor<Double>).relu()
    #expect(distance(try NonNegativeLeastSquares().solve(a, a.matmul(x)).solution, x) < 1e-12)
  }

  @Test func agreesWithSciPy() throws {
    let reference = try DenseReference.load().optimization
    let found = try NonNegativeLeastSquares().solve(
      Tensor<Double>(reference.matrix), Tensor<Double>(reference.rightSide))
    #expect(distance(found.solution, Tensor(reference.nonNegative)) < 1e-12)
    #expect(abs(found.residualNorm - reference.residual) < 1e-13)
    let limited = try NonNegativeLeastSquares(iterationLimit: 1).solve(
      Tensor<Double>(reference.matrix), Tensor<Double>(reference.rightSide))
    #expect(!limited.convergence.isConverged)
    #expect(throws: InvalidArgument.self) {
      try NonNegativeLeastSquares().solve(Tensor<Double>([[1]]), Tensor([1, 2]))
    }
    #expect(throws: InvalidArgument.self) {
      try NonNegativeLeastSquares().solve(Tensor<Double>([[.nan]]), Tensor([1]))
    }
  }
}

struct ProjectionTests {
  /// A projection p of x onto a convex set: (x - p) · (y - p) <= 0 for all y of the set.
  private func checkNearest(
    _ x: Tensor<Double>, _ p: Tensor<Double>, _ members: [Tensor<Double>], _ context: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for y in members {
      let products = ((x - p) * (y - p)).sum(axis: 1)
      #expect(
        products.maximum().scalar < 1e-10 * max(1, x.largestMagnitude), "\(context)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func projections(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (rows, n) in [(1, 1), (3, 2), (5, 7), (4, 100), (200, 33)] {
      for scale in [0.01, 1, 1000.0] {
        let x = (generator.tensor([rows, n]) as Tensor<Double>) * scale
        let radius = 0.7
        let raw = (0..<4).map { _ in generator.tensor([rows, n]) as Tensor<Double> }
        let simplex = try x.projectedOntoSimplex(total: radius)
        #expect(simplex.minimum().scalar >= 0)
        #expect(distance(simplex.sum(axis: 1), Tensor(repeating: radius, shape: [rows])) < 1e-12 * max(1, scale))
        let weights = raw.map { $0.absolute() + 1e-3 }.map { $0 / $0.sum(axes: [1], keepingAxes: true) * radius }
        checkNearest(x, simplex, weights, "simplex \(n) \(scale) seed \(seed)")
        let one = try x.projectedOntoL1Ball(radius: radius)
        #expect(one.absolute().sum(axis: 1).maximum().scalar <= radius * (1 + 1e-12))
        checkNearest(x, one, zip(weights, raw).map { $0 * $1.sign() }, "l1 \(n) \(scale) seed \(seed)")
        let two = try x.projectedOntoL2Ball(radius: radius)
        #expect(two.sumOfSquares(axes: [1]).sqrt().maximum().scalar <= radius * (1 + 1e-14))
        checkNearest(
          x, two, raw.map { $0 / $0.sumOfSquares(axes: [1], keepingAxes: true).sqrt() * radius }, "l2 seed \(seed)")
        // What is inside stays.
        #expect(distance(try simplex.projectedOntoSimplex(total: radius), simplex) < 1e-14 * max(1, scale))
        let small = x * (0.5 / (Double(n) * scale))
        #expect(try small.projectedOntoL1Ball(radius: radius) == small)
        #expect(try small.projectedOntoL2Ball(radius: radius) == small)
      }
    }
    let x: Tensor<Double> = generator.tensor([6, 9])
    let nuclear = try x.projectedOntoNuclearNormBall(radius: 2)
    #expect(abs(try nuclear.nuclearNorm() - 2) < 1e-12)
    for _ in 0..<5 {
      let y: Tensor<Double> = generator.tensor([6, 9])
      let member = y * (2 / (try y.nuclearNorm()))
      #expect(((x - nuclear) * (member - nuclear)).sum().scalar < 1e-12)
    }
    #expect(try (nuclear * 0.5).projectedOntoNuclearNormBall(radius: 2) == nuclear * 0.5)
    let box = try x.projectedOntoBox(lower: Tensor(-0.2), upper: Tensor(0.3))
    #expect(box == x.clamped(to: -0.2...0.3))
  }

  @Test func simplexCorners() throws {
    #expect(try Tensor<Double>([3, 0, 0]).projectedOntoSimplex() == Tensor([1, 0, 0]))
    #expect(try Tensor<Double>([5, 5]).projectedOntoSimplex() == Tensor([0.5, 0.5]))
    #expect(try Tensor<Double>([-1e9, -1e9, -1e9, -1e9]).projectedOntoSimplex() == Tensor(repeating: 0.25, shape: [4]))
    #expect(try Tensor<Double>.zeros([0, 3]).projectedOntoSimplex().shape == [0, 3])
    // Sorted both ways, where the pivot of the method is worst.
    let rising = Tensor<Double>((0..<500).map { Double($0) / 100 })
    let found = try rising.projectedOntoSimplex()
    #expect(distance(try rising.reversed(axis: 0).projectedOntoSimplex(), found.reversed(axis: 0)) < 1e-14)
    #expect(abs(found.sum().scalar - 1) < 1e-13)
    for radius in [0, -1, .infinity, Double.nan] {
      #expect(throws: InvalidArgument.self) { try rising.projectedOntoSimplex(total: radius) }
      #expect(throws: InvalidArgument.self) { try rising.projectedOntoL1Ball(radius: radius) }
      #expect(throws: InvalidArgument.self) { try rising.projectedOntoL2Ball(radius: radius) }
      #expect(throws: InvalidArgument.self) { try Tensor<Double>([[1]]).projectedOntoNuclearNormBall(radius: radius) }
    }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([1, .nan]).projectedOntoSimplex() }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>(1).projectedOntoSimplex() }
    #expect(throws: InvalidArgument.self) { try rising.projectedOntoBox(lower: Tensor(1), upper: Tensor(0)) }
    let half = Double.sqrt(0.5)
    let huge = try Tensor<Double>([1e200, 1e200]).projectedOntoL2Ball()
    #expect(distance(huge, Tensor([half, half])) < 1e-15)
  }

  /// prox(v) is where penalty(x) + ‖x - v‖² / 2 is smallest: smaller than at points around it.
  @Test(arguments: 0..<4 as Range<UInt64>) func proximalOperators(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let v = (generator.tensor([5, 8]) as Tensor<Double>) * 2
    let huber = { (x: Tensor<Double>) in
      (x.absolute() .<= 0.4).select(x.squared() * 0.5, (x.absolute() - 0.2) * 0.4).sum().scalar
    }
    let cases: [(String, Tensor<Double>, (Tensor<Double>) throws -> Double)] = [
      ("soft", v.softThresholded(by: 0.6), { $0.absolute().sum().scalar * 0.6 }),
      ("hard", v.hardThresholded(by: 0.6), { Double(($0 .!= 0).trueCount) * 0.6 }),
      ("group", v.groupSoftThresholded(by: 1.5), { $0.sumOfSquares(axes: [1]).sqrt().sum().scalar * 1.5 }),
      (
        "elastic net", v.elasticNetThresholded(by: 0.3, quadratic: 0.7),
        { $0.absolute().sum().scalar * 0.3 + $0.sumOfSquares().scalar * 0.35 }
      ),
      ("Huber", v.huberProximal(weight: 2, corner: 0.4), { huber($0) * 2 }),
      ("nuclear", try v.singularValueThresholded(by: 0.9), { try $0.nuclearNorm() * 0.9 }),
    ]
    for (name, found, penalty) in cases {
      let least = try penalty(found) + (found - v).sumOfSquares().scalar / 2
      for step in [1e-3, 0.1, 1] {
        for _ in 0..<20 {
          let other = found + (generator.tensor([5, 8]) as Tensor<Double>) * step
          #expect(try penalty(other) + (other - v).sumOfSquares().scalar / 2 >= least - 1e-12, "\(name)")
        }
      }
      let none = try penalty(.zeros([5, 8])) + v.sumOfSquares().scalar / 2
      let same = try penalty(v)
      #expect(none >= least - 1e-12 && same >= least - 1e-12, "\(name)")
    }
    #expect(Tensor<Double>.zeros([2, 3]).groupSoftThresholded(by: 1) == .zeros([2, 3]))
    #expect(try v.singularValueThresholded(by: 1e9) == .zeros([5, 8]))
    #expect(v.softThresholded(by: Tensor(repeating: 0.6, shape: [8])) == v.softThresholded(by: 0.6))
    #expect(throws: InvalidArgument.self) { try v.singularValueThresholded(by: -1) }
  }
}
