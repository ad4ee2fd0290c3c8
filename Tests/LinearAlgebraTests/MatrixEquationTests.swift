import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct SchurTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func laws(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [0, 1, 2, 3, 10, 50] {
      let a: Tensor<Double> = generator.tensor([size, size])
      let form = try SchurDecomposition(of: a)
      #expect(orthogonalityDefect(form.orthogonal) < bound(a) && distance(form.reconstructed(), a) < bound(a))
      for i in 0..<size {
        for j in 0..<max(0, i - 1) { #expect(form.upper[at: i, j] == 0) }
        if i > 0 && form.upper[at: i, i - 1] != 0 {
          #expect(form.values[i].imaginary < 0 && form.values[i - 1] == form.values[i].conjugate)
          #expect(form.upper[at: i, i] == form.upper[at: i - 1, i - 1])
        }
      }
      let trace = size == 0 ? 0 : a.diagonal.sum().scalar
      #expect(abs(form.values.reduce(0) { $0 + $1.real } - trace) < bound(a))
      let complex = try ComplexSchurDecomposition(of: a)
      let z = complex.unitary
      let wanted = z.matmul(complex.upper).matmul(z.conjugate.transposed)
      #expect(distance(wanted.real, a) < bound(a) && distance(wanted.imaginary, .zeros([size, size])) < bound(a))
      let gram = z.conjugate.transposed.matmul(z)
      #expect(distance(gram.real, .identity(size)) < bound(a) && gram.imaginary.largestMagnitude < bound(a))
      for i in 0..<size {
        for j in 0..<i { #expect(complex.upper[at: i, j] == .zero) }
        #expect((complex.values[i] - form.values[i]).length < bound(a), "seed \(seed) size \(size)")
      }
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func ordering(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let a: Tensor<Double> = generator.tensor([12, 12])
    let form = try SchurDecomposition(of: a) { $0.real < 0 }
    let count = form.values.count { $0.real < 0 }
    #expect(form.values.prefix(count).allSatisfy { $0.real < 0 })
    #expect(distance(form.reconstructed(), a) < bound(a))
    // An invariant subspace: A Q₁ = Q₁ T₁₁.
    let basis = form.orthogonal[.all, 0..<count]
    #expect(distance(a.matmul(basis), basis.matmul(form.upper[0..<count, 0..<count])) < bound(a))
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func generalized(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [0, 1, 2, 9, 40] {
      let a: Tensor<Double> = (generator.tensor([size, size]) as Tensor<Double>).symmetrized
      let half: Tensor<Double> = generator.tensor([size, size])
      let metric = half.multipliedByOwnTranspose() + Tensor.identity(size)
      let symmetric = try GeneralizedSymmetricEigendecomposition(of: a, metric: metric)
      let v = symmetric.vectors
      #expect(distance(a.matmul(v), metric.matmul(v) * symmetric.values) < 1e-11)
      #expect(distance(v.matmul(metric.matmul(v), transposingA: true), .identity(size)) < 1e-12)
      let general = try GeneralizedEigendecomposition(of: half, metric: metric)
      let left = ComplexTensor(half).matmul(general.vectors)
      let right = ComplexTensor(metric).matmul(general.vectors)
      for (j, value) in general.values.enumerated() {
        for i in 0..<size { #expect((left[at: i, j] - value * right[at: i, j]).length < 1e-9) }
      }
    }
    let infinite = try GeneralizedEigendecomposition(of: .identity(2), metric: Tensor<Double>([[1, 0], [0, 0]]))
    #expect(infinite.values.contains { !$0.isFinite } && infinite.values.contains { ($0 - 1).length < 1e-12 })
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func symmetricIndefinite(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [0, 1, 2, 3, 8, 60] {
      let values = (0..<size).map { i in
        let magnitude = 1 + Double(i)
        return i % 3 == 0 ? -magnitude : magnitude
      }
      let a: Tensor<Double> = generator.symmetric(eigenvalues: values)
      let factors = try SymmetricIndefiniteDecomposition(of: a)
      let x: Tensor<Double> = generator.tensor([size, 3])
      #expect(distance(try factors.solve(a.matmul(x)), x) < 1e-11)
      #expect(
        factors.inertia.negative == values.count { $0 < 0 } && factors.inertia.positive == values.count { $0 > 0 })
      let expected = try a.logDeterminant()
      #expect(factors.logDeterminant.sign == expected.sign)
      #expect(abs(factors.logDeterminant.logarithm - expected.logarithm) < 1e-11)
      #expect(factors.reciprocalCondition > 0.1 / Double(max(1, size * size)))
    }
    // A zero diagonal needs blocks of two.
    let swap = try SymmetricIndefiniteDecomposition(of: Tensor<Double>([[0, 2], [2, 0]]))
    #expect(try swap.solve(Tensor([2, 4])) == Tensor([2, 1]))
    #expect(swap.logDeterminant.sign == -1 && abs(swap.logDeterminant.logarithm - .log(4)) < 1e-15)
    let singular = try SymmetricIndefiniteDecomposition(of: Tensor<Double>.zeros([2, 2]))
    #expect(singular.inertia.zero == 2 && singular.reciprocalCondition == 0)
    #expect(throws: DecompositionError.singular(pivot: 0)) { try singular.solve(Tensor([1, 2])) }
  }

  @Test func agreesWithSciPy() throws {
    let reference = try DenseReference.load().decompositions
    let symmetric = try GeneralizedSymmetricEigendecomposition(
      of: Tensor(reference.symmetric), metric: Tensor(reference.metric))
    #expect(distance(symmetric.values, Tensor(reference.generalizedSymmetric)) < 1e-13)
    let values = try GeneralizedEigendecomposition(of: Tensor(reference.a), metric: Tensor(reference.b)).values
    for (real, imaginary) in zip(reference.generalizedReal, reference.generalizedImaginary) {
      let wanted = Complex(real, imaginary)
      #expect(values.contains { ($0 - wanted).length < 1e-10 * max(1, wanted.length) }, "\(wanted)")
    }
  }

  @Test func badInput() {
    let wide = Tensor<Double>([[1, 2]])
    #expect(throws: InvalidArgument.self) { try SchurDecomposition(of: wide) }
    #expect(throws: InvalidArgument.self) { try SchurDecomposition(of: Tensor<Double>([[.infinity]])) }
    #expect(throws: InvalidArgument.self) {
      try GeneralizedSymmetricEigendecomposition(of: Tensor<Double>([[1]]), metric: .identity(2))
    }
    #expect(throws: DecompositionError.self) {
      try GeneralizedSymmetricEigendecomposition(of: Tensor<Double>([[1]]), metric: Tensor([[-1]]))
    }
    #expect(throws: InvalidArgument.self) {
      try SymmetricIndefiniteDecomposition(of: Tensor<Double>([[1, 2], [0, 1]]))
    }
  }
}

struct MatrixEquationTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func sylvester(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (m, n) in [(0, 0), (0, 3), (1, 1), (2, 5), (5, 2), (20, 33), (70, 40), (40, 90), (100, 1)] {
      let a = (generator.tensor([m, m]) as Tensor<Double>) + Tensor.identity(m) * 3 * Double(max(1, m)).squareRoot()
      let b = (generator.tensor([n, n]) as Tensor<Double>) + Tensor.identity(n) * 3 * Double(max(1, n)).squareRoot()
      let c: Tensor<Double> = generator.tensor([m, n])
      let x = try SylvesterEquation(a, b).solve(c)
      #expect(distance(a.matmul(x) + x.matmul(b), c) < 1e-12, "\(m) \(n) seed \(seed)")
    }
    let single: Tensor<Float> = generator.tensor([9, 9])
    let a = single + Tensor.identity(9) * 6
    let c: Tensor<Float> = generator.tensor([9, 9])
    let x = try SylvesterEquation(a, a).solve(c)
    #expect(distance(a.matmul(x) + x.matmul(a), c) < 1e-5)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func lyapunov(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [0, 1, 2, 3, 17, 70] {
      let noise: Tensor<Double> = generator.tensor([size, size])
      let stable = noise - Tensor.identity(size) * 1.5 * Double(max(1, size)).squareRoot()
      let half: Tensor<Double> = generator.tensor([size, size])
      let q = half.multipliedByOwnTranspose()
      let x = try LyapunovEquation(stable).solve(-q)
      let error = stable.matmul(x) + x.matmul(stable, transposingB: true) + q
      #expect(error.largestMagnitude < 1e-11 && x == x.transposed)
      #expect(try x.symmetricEigenvalues().scalars.allSatisfy { $0 > -1e-12 })
      let y = try LyapunovEquation(stable).solveTransposed(half)
      #expect(distance(stable.matmul(y, transposingA: true) + y.matmul(stable), half) < 1e-11)
      for scale in [0.5, 2.3] {
        let a = noise * (scale / Double(max(1, size)).squareRoot())
        let d = try DiscreteLyapunovEquation(a).solve(q)
        let axa = a.matmul(d).matmul(a, transposingB: true)
        #expect(distance(axa - d + q, .zeros([size, size])) < 1e-8 * max(1, d.largestMagnitude), "\(size) \(scale)")
        #expect(d == d.transposed)
      }
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func riccati(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (n, m) in [(1, 1), (3, 1), (6, 2), (25, 5)] {
      let a: Tensor<Double> = generator.tensor([n, n])
      let b: Tensor<Double> = generator.tensor([n, m])
      let q = (generator.tensor([n, n]) as Tensor<Double>).multipliedByOwnTranspose() + Tensor.identity(n) * 0.1
      let r = (generator.tensor([m, m]) as Tensor<Double>).multipliedByOwnTranspose() + Tensor.identity(m)
      let found = try ContinuousRiccatiEquation().solve(a: a, b: b, stateCost: q, inputCost: r)
      let x = found.solution
      let xb = x.matmul(b)
      let quadratic = xb.matmul(try r.solve(xb.transposed.dense))
      let error = a.matmul(x, transposingA: true) + x.matmul(a) - quadratic + q
      #expect(error.largestMagnitude < 1e-9 * max(1, quadratic.largestMagnitude), "continuous \(n) seed \(seed)")
      #expect(found.convergence.residual < 1e-11 && x == x.transposed)
      #expect(try (a - b.matmul(found.gain)).eigenvalues().allSatisfy { $0.real < 0 })
      let discrete = try DiscreteRiccatiEquation().solve(a: a, b: b, stateCost: q, inputCost: r)
      let y = discrete.solution
      let closed = a - b.matmul(discrete.gain)
      let step = a.matmul(y.matmul(closed), transposingA: true) + q
      #expect(distance(step, y) < 1e-9 * y.largestMagnitude, "discrete \(n) seed \(seed)")
      #expect(discrete.convergence.isConverged && y == y.transposed)
      #expect(try closed.spectralRadius() < 1)
    }
  }

  @Test func agreesWithSciPy() throws {
    let reference = try DenseReference.load().equations
    let (a, b, c) = (Tensor<Double>(reference.a), Tensor<Double>(reference.b), Tensor<Double>(reference.c))
    let (q, inputs, r) = (Tensor<Double>(reference.q), Tensor<Double>(reference.inputs), Tensor<Double>(reference.r))
    func check(_ found: Tensor<Double>, _ wanted: [[Double]], sourceLocation: SourceLocation = #_sourceLocation) {
      #expect(relativeDistance(found, Tensor(wanted)) < 1e-11, sourceLocation: sourceLocation)
    }
    check(try SylvesterEquation(a, b).solve(c), reference.sylvester)
    check(try LyapunovEquation(a).solve(q), reference.lyapunov)
    check(try DiscreteLyapunovEquation(a / 3).solve(q), reference.discreteLyapunov)
    check(try ContinuousRiccatiEquation().solve(a: a, b: inputs, stateCost: q, inputCost: r).solution, reference.care)
    check(try DiscreteRiccatiEquation().solve(a: a, b: inputs, stateCost: q, inputCost: r).solution, reference.dare)
  }

  @Test func singularEquations() throws {
    let a = Tensor<Double>([[1, 2], [0, 3]])
    #expect(throws: MatrixEquationError.commonEigenvalues) { try SylvesterEquation(a, -a).solve(.identity(2)) }
    #expect(throws: MatrixEquationError.commonEigenvalues) {
      try LyapunovEquation(Tensor<Double>([[1, 0], [0, -1]])).solve(.identity(2))
    }
    #expect(throws: MatrixEquationError.commonEigenvalues) {
      try DiscreteLyapunovEquation(Tensor<Double>([[2, 0], [0, 0.5]])).solve(.identity(2))
    }
    // A growing mode that the input does not reach.
    let one = Tensor<Double>([[1]])
    let zero = Tensor<Double>([[0]])
    #expect(throws: MatrixEquationError.noStabilizingSolution) {
      try ContinuousRiccatiEquation().solve(a: one, b: zero, stateCost: one, inputCost: one)
    }
    // An oscillation that nothing damps and nothing costs.
    #expect(throws: MatrixEquationError.noStabilizingSolution) {
      try ContinuousRiccatiEquation().solve(
        a: Tensor<Double>([[0, 1], [-1, 0]]), b: .zeros([2, 1]), stateCost: .zeros([2, 2]), inputCost: one)
    }
    #expect(throws: MatrixEquationError.noStabilizingSolution) {
      try DiscreteRiccatiEquation().solve(a: one * 2, b: zero, stateCost: one, inputCost: one)
    }
    #expect(throws: InvalidArgument.self) { try SylvesterEquation(a, a).solve(.identity(3)) }
    #expect(throws: InvalidArgument.self) {
      try ContinuousRiccatiEquation().solve(a: a, b: one, stateCost: a, inputCost: one)
    }
    #expect(throws: DecompositionError.self) {
      try DiscreteRiccatiEquation().solve(a: one, b: one, stateCost: one, inputCost: -one)
    }
  }
}
