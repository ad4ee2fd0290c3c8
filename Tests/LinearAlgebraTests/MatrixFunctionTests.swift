import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct MatrixFunctionTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func symmetricRoots(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for values in [[4.0], [9, 4, 1], geometric(12, to: 1e-6), [2, 2, 2, 5]] {
      let a: Tensor<Double> = generator.symmetric(eigenvalues: values)
      let n = values.count
      let roots = try SymmetricRoots(of: a)
      #expect(distance(roots.root.matmul(roots.root), a) < 1e-14 * 10)
      #expect(distance(roots.root.matmul(roots.inverseRoot), .identity(n)) < 1e-9)
      #expect(roots.root == roots.root.transposed && roots.inverseRoot == roots.inverseRoot.transposed)
      #expect(roots.spectrum.clippedCount == 0)
      #expect(abs(roots.spectrum.conditionNumber / (values.max()! / values.min()!) - 1) < 1e-6)
    }
  }

  @Test func clipping() throws {
    var generator = TestGenerator(seed: 3)
    let a: Tensor<Double> = generator.symmetric(eigenvalues: [4, 1, 1e-9, 0])
    let raised = try SymmetricRoots(of: a, small: .raised(to: 0.01))
    #expect(raised.spectrum.clippedCount == 2 && abs(raised.spectrum.threshold - 0.04) < 1e-15)
    #expect(abs(try raised.inverseRoot.spectralNorm() - 5) < 1e-12)
    let dropped = try SymmetricRoots(of: a, small: .dropped(below: 0.01))
    let square = dropped.inverseRoot.matmul(dropped.inverseRoot)
    #expect(distance(square, try a.pseudoInverse(tolerance: 0.01)) < 1e-8)
    #expect(dropped.spectrum.clippedCount == 2)
    #expect(abs(try dropped.root.matmul(dropped.inverseRoot).nuclearNorm() - 2) < 1e-12)
    let zero = try SymmetricRoots(of: Tensor<Double>.zeros([2, 2]), small: .dropped())
    #expect(zero.root == .zeros([2, 2]) && zero.inverseRoot == .zeros([2, 2]))
    #expect(try SymmetricRoots(of: Tensor<Double>.zeros([0, 0])).root.shape == [0, 0])
    #expect(throws: InvalidArgument.self) { try SymmetricRoots(of: Tensor<Double>.zeros([2, 2])) }
    #expect(throws: InvalidArgument.self) { try SymmetricRoots(of: Tensor<Double>([[1, 0], [0, -1]])) }
    #expect(throws: InvalidArgument.self) { try SymmetricRoots(of: a, small: .raised(to: 2)) }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func principalRoot(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 5, 20] {
      // Eigenvalues with positive real parts: B² for a B close to a multiple of the identity.
      let noise: Tensor<Double> = generator.tensor([size, size])
      let b = Tensor<Double>.identity(size) * 2 + noise * (0.5 / Double(size).squareRoot())
      let found = try b.matmul(b).principalSquareRoot()
      #expect(found.convergence.isConverged && found.convergence.iterations < 15)
      #expect(distance(found.root, b) < 1e-11 && distance(found.inverseRoot.matmul(b), .identity(size)) < 1e-11)
    }
    let scaled = try (Tensor<Double>([[1e10, 1], [0, 1e-4]])).principalSquareRoot()
    #expect(scaled.convergence.isConverged && abs(scaled.root[at: 0, 0] / 1e5 - 1) < 1e-10)
    #expect(abs(scaled.root[at: 1, 1] / 1e-2 - 1) < 1e-6)
  }

  @Test func principalRootThatDoesNotExist() throws {
    let negative = Tensor<Double>([[1, 0], [0, -2]])
    #expect(!(try negative.principalSquareRoot().convergence.isConverged))
    #expect(throws: DecompositionError.self) { try Tensor<Double>([[1, 1], [1, 1]]).principalSquareRoot() }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[1, 1]]).principalSquareRoot() }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func newtonSchulzRoots(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for values in [[4.0], [9, 4, 1], geometric(12, to: 1e-3), [2, 2, 2, 5]] {
      let a: Tensor<Double> = generator.symmetric(eigenvalues: values)
      let found = try a.newtonSchulzRoots()
      let exact = try SymmetricRoots(of: a)
      #expect(found.convergence.isConverged, "\(found.convergence)")
      #expect(distance(found.root, exact.root) < 1e-10 && distance(found.inverseRoot, exact.inverseRoot) < 1e-8)
    }
    let singular: Tensor<Double> = generator.symmetric(eigenvalues: [1, 1, 0])
    #expect(!(try singular.newtonSchulzRoots().convergence.isConverged))
    #expect(!(try Tensor<Double>.zeros([2, 2]).newtonSchulzRoots().convergence.isConverged))
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func whitening(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let samples: Tensor<Double> = generator.tensor([200, 12])
    let moment = samples.multipliedByOwnTranspose(transposing: true) / 200
    for method in [Whitening<Double>.Method.symmetric, .cholesky] {
      let whitening = try Whitening(secondMoment: moment, method: method)
      let white = whitening.whiten(samples)
      #expect(distance(white.multipliedByOwnTranspose(transposing: true) / 200, .identity(12)) < 1e-12)
      #expect(distance(whitening.unwhiten(white), samples) < 1e-12)
      #expect(distance(whitening.unwhitener.multipliedByOwnTranspose(), moment) < 1e-12)
      // Errors of outputs are errors of whitened weights.
      let error: Tensor<Double> = generator.tensor([5, 12])
      let outputs = (samples.matmul(error, transposingB: true).sumOfSquares().scalar / 200).squareRoot()
      #expect(abs(error.matmul(whitening.unwhitener).frobeniusNorm() - outputs) < 1e-12)
    }
    let exact = try Whitening(secondMoment: moment).spectrum
    let estimate = try Whitening(secondMoment: moment, method: .cholesky).spectrum
    #expect(estimate.largest >= exact.largest && estimate.largest <= 4 * exact.largest)
    #expect(estimate.smallest <= 4 * exact.smallest && estimate.smallest > exact.smallest / 12)
  }

  @Test func whiteningSingularMoments() throws {
    let moment = Tensor<Double>([[1, 1], [1, 1]])
    let raised = try Whitening(secondMoment: moment, small: .raised(to: 1e-4))
    #expect(raised.spectrum.clippedCount == 1 && raised.whitener.isFinite)
    let dropped = try Whitening(secondMoment: moment, small: .dropped(below: 1e-4))
    #expect(distance(dropped.whitener.matmul(dropped.unwhitener), Tensor<Double>([[0.5, 0.5], [0.5, 0.5]])) < 1e-12)
    #expect(try Whitening(secondMoment: moment, method: .cholesky, small: .raised(to: 1e-6)).whitener.isFinite)
    #expect(throws: DecompositionError.self) {
      try Whitening(secondMoment: Tensor<Double>([[1, 0], [0, -1]]), method: .cholesky)
    }
    #expect(throws: InvalidArgument.self) { try Whitening(secondMoment: moment, method: .cholesky, small: .dropped()) }
  }
}

struct PolarTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func laws(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in [[1, 1], [5, 5], [8, 3], [3, 8], [40, 25]] {
      let a: Tensor<Double> = generator.matrix(shape[0], shape[1], singularValues: geometric(shape.min()!, to: 0.01))
      let polar = try PolarDecomposition(of: a)
      #expect(distance(polar.factor.matmul(polar.positive), a) < 1e-13)
      let thin = shape[0] >= shape[1] ? polar.factor : polar.factor.transposed
      #expect(orthogonalityDefect(thin) < 1e-13)
      #expect(polar.positive == polar.positive.transposed)
      #expect(try polar.positive.symmetricEigenvalues().scalars.first! > -1e-14)
      let (iterated, convergence) = try NewtonSchulz.polarFactor(of: a)
      #expect(convergence.isConverged && distance(iterated, polar.factor) < 1e-11)
      // No nearer matrix has orthonormal columns.
      let other: Tensor<Double> = generator.orthonormal(shape.max()!, shape.min()!)
      let candidate = shape[0] >= shape[1] ? other : other.transposed
      #expect((a - polar.factor).frobeniusNorm() <= (a - candidate).frobeniusNorm())
    }
  }

  @Test func rankDeficient() throws {
    var generator = TestGenerator(seed: 4)
    let a: Tensor<Double> = generator.matrix(9, 6, singularValues: [3, 2, 1, 0, 0, 0])
    let polar = try PolarDecomposition(of: a)
    #expect(polar.rank == 3)
    #expect(distance(polar.factor.matmul(polar.positive), a) < 1e-13)
    let values = try polar.factor.singularValues()
    #expect(distance(values, Tensor([1, 1, 1, 0, 0, 0])) < 1e-13)
    #expect(!(try NewtonSchulz.polarFactor(of: a, iterationLimit: 20).convergence.isConverged))
    let muon = NewtonSchulz.muon.orthogonalize(a)
    #expect(try muon.singularValues().scalars[3] < 1e-10)
    #expect(try PolarDecomposition(of: Tensor<Double>.zeros([3, 2])).factor == .zeros([3, 2]))
    #expect(NewtonSchulz.muon.orthogonalize(Tensor<Float>.zeros([3, 2])) == .zeros([3, 2]))
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func fixedSteps(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in [[30, 30], [50, 20], [20, 50]] {
      let values = geometric(shape.min()!, to: 0.02)
      let a = generator.matrix(shape[0], shape[1], singularValues: values, of: Float.self)
      let svd = try SingularValueDecomposition(of: a)
      let norm = a.frobeniusNorm()
      for method in [NewtonSchulz.muon, .convergent(steps: 12), .polarExpress(steps: 6, smallest: 1e-3)] {
        // The matrix iteration is the scalar polynomial on each singular value.
        let expected = svd.values.scalars.map { s in Float(method.steps.reduce(Double(s / norm)) { $1($0) }) }
        let found = method.orthogonalize(a)
        let rebuilt = (svd.left * Tensor(expected)).matmul(svd.right, transposingB: true)
        #expect(distance(found, rebuilt) < 1e-3, "\(shape)")
      }
    }
  }

  @Test func scalarPolynomials() {
    for x in stride(from: 0.01, through: 1, by: 0.001) {
      let muon = NewtonSchulz.muon.steps.reduce(x) { $1($0) }
      #expect(muon > 0.65 && muon < 1.25)
      #expect(abs(NewtonSchulz.convergent(steps: 14).steps.reduce(x) { $1($0) } - 1) < 1e-12)
    }
    // The optimal composition: its error is the same at both ends, smaller with each step, and far below the others'.
    let lower = 1e-3
    var previous = 1.0
    for count in 1...9 {
      let express = NewtonSchulz.polarExpress(steps: count, smallest: lower)
      let errors = (0...4000).map { i in
        let x = lower * .pow(1 / lower, Double(i) / 4000)
        return abs(express.steps.reduce(x) { $1($0) } - 1)
      }
      let worst = errors.max()!
      #expect(abs(errors[0] - worst) < 1e-6 && worst < previous || worst < 1e-12, "\(count) steps: \(worst)")
      let taylor = abs(NewtonSchulz.convergent(steps: count).steps.reduce(lower) { $1($0) } - 1)
      #expect(worst < taylor || worst < 1e-12)
      previous = worst
    }
    #expect(previous < 1e-12)
  }

  @Test func derivativesFlow() {
    var generator = TestGenerator(seed: 1)
    let a: Tensor<Double> = generator.tensor([4, 3])
    let direction: Tensor<Double> = generator.tensor([4, 3])
    let weights: Tensor<Double> = generator.tensor([4, 3])
    func value(_ x: Tensor<Double>) -> Tensor<Double> { (NewtonSchulz.muon.orthogonalize(x) * weights).sum() }
    let slope = (gradient(at: a, of: value) * direction).sum().scalar
    let step = 1e-6
    let difference = (value(a + direction * step) - value(a - direction * step)).scalar / (2 * step)
    #expect(abs(slope - difference) < 1e-7 * max(1, abs(slope)))
  }

  @Test(arguments: [2, 40]) func exponentialsBeyondTheTypeAreUnknown(side: Int) throws {
    let huge = Tensor<Double>(repeating: 1e308, shape: [side, side])
    #expect(try huge.matrixExponential().isFinite == false)
  }
}
