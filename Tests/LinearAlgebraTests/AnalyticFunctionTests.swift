import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

/// Functions of matrices: exponential, logarithm, roots, powers, sign, cosine and sine, with their derivatives.
struct AnalyticFunctionTests {
  @Test(arguments: ["small", "medium", "large", "overscaled", "jordan"]) func reference(name: String) throws {
    let reference = try #require(try DenseReference.load().functions[name])
    let a = Tensor<Double>(reference.matrix)
    let e = Tensor<Double>(reference.direction)
    let positive = Tensor<Double>(reference.positive)
    func check(
      _ found: Tensor<Double>, _ wanted: [[Double]], _ what: String, condition: Double,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      let error = relativeDistance(found, Tensor(wanted))
      #expect(error < 2e-14 * max(1, condition), "\(what) of \(name): \(error)", sourceLocation: sourceLocation)
    }
    let exponential = MatrixFunction.exponential
    let slope = try exponential.derivative(at: a, along: e)
    let kappa = try exponential.condition(at: a)
    check(try exponential(a), reference.exponential, "exponential", condition: kappa)
    check(slope.value, reference.exponential, "exponential with derivative", condition: kappa)
    check(slope.derivative, reference.exponentialDerivative, "derivative of the exponential", condition: 10 * kappa)
    check(try MatrixFunction.cosine(a), reference.cosine, "cosine", condition: 30 * a.maximumMagnitude)
    check(try MatrixFunction.sine(a), reference.sine, "sine", condition: 30 * a.maximumMagnitude)
    for (function, wanted) in [
      (MatrixFunction.logarithm, reference.logarithm), (.squareRoot, reference.squareRoot),
      (.power(0.3), reference.power),
    ] {
      check(try function(positive), wanted, "\(function)", condition: try function.condition(at: positive))
    }
    let logSlope = try MatrixFunction.logarithm.derivative(at: positive, along: e)
    check(logSlope.value, reference.logarithm, "logarithm with derivative", condition: 10)
    check(logSlope.derivative, reference.logarithmDerivative, "derivative of the logarithm", condition: 100)
  }

  /// A random matrix whose eigenvalues stay off the negative real axis.
  private func safe(_ size: Int, _ generator: inout TestGenerator) -> Tensor<Double> {
    let noise: Tensor<Double> = generator.tensor([size, size])
    return Tensor.identity(size) * 1.5 + noise * (1.2 / Double(size).squareRoot())
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func laws(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 3, 7, 30, 70] {
      let a = safe(size, &generator)
      let identity = Tensor<Double>.identity(size)
      let limit = 1e-11 * Double(size)
      let root = try MatrixFunction.squareRoot(a)
      #expect(distance(root.matmul(root), a) < limit, "seed \(seed) size \(size)")
      let logarithm = try MatrixFunction.logarithm(a)
      #expect(distance(try MatrixFunction.exponential(logarithm), a) < limit, "seed \(seed) size \(size)")
      #expect(distance(try MatrixFunction.power(0.5)(a), root) < limit)
      let third = try MatrixFunction.power(1.0 / 3)(a)
      #expect(distance(third.matmul(third).matmul(third), a) < limit)
      #expect(distance(try MatrixFunction.power(-1.5)(a).matmul(a).matmul(root), identity) < limit)
      #expect(distance(try MatrixFunction.power(5)(a), a.matmul(a).matmul(a).matmul(a).matmul(a)) < 10 * limit)
      #expect(distance(try MatrixFunction.power(-1)(a).matmul(a), identity) < limit)
      #expect(try MatrixFunction.power(0)(a) == identity)
      let (c, s) = (try MatrixFunction.cosine(a), try MatrixFunction.sine(a))
      #expect(distance(c.matmul(c) + s.matmul(s), identity) < limit)
      #expect(distance(c.matmul(s), s.matmul(c)) < limit)
      // e^A e^-A = I, and e^(log det) = det e^A by the trace.
      let e = try MatrixFunction.exponential(a)
      #expect(distance(e.matmul(try MatrixFunction.exponential(-a)), identity) < limit)
      #expect(abs(try e.logDeterminant().logarithm - a.diagonal.sum().scalar) < limit)
      // sign² = I, it commutes with A, and A sign(A)⁻¹ has its eigenvalues on the right.
      let shifted = a - identity * 1.4
      let sign = try MatrixFunction.sign(shifted)
      let scale = max(1, sign.largestMagnitude)
      #expect(distance(sign.matmul(sign), identity) < limit * scale * scale * 100, "seed \(seed) size \(size)")
      #expect(distance(sign.matmul(shifted), shifted.matmul(sign)) < limit * scale * 100)
      #expect(try shifted.matmul(sign).eigenvalues().allSatisfy { $0.real > -1e-8 })
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func derivatives(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let size = 6
    let a = safe(size, &generator)
    let e: Tensor<Double> = generator.tensor([size, size])
    let functions: [MatrixFunction] = [
      .exponential, .logarithm, .squareRoot, .power(0.3), .power(-2), .power(3), .cosine, .sine, .sign,
    ]
    // The sign jumps at the imaginary axis: moved to the middle of the widest stretch without eigenvalues.
    let reals = try a.eigenvalues().map(\.real).sorted()
    let widest = try #require(zip(reals, reals.dropFirst()).max { $0.1 - $0.0 < $1.1 - $1.0 })
    #expect(widest.1 - widest.0 > 0.05, "seed \(seed)")
    for function in functions {
      let at = function == .sign ? a - Tensor.identity(size) * ((widest.0 + widest.1) / 2) : a
      let h = 1e-5
      let difference = (try function(at + e * h) - (try function(at - e * h))) / (2 * h)
      let found = try function.derivative(at: at, along: e)
      #expect(distance(found.value, try function(at)) < 1e-9 * max(1, found.value.largestMagnitude), "\(function)")
      #expect(
        distance(found.derivative, difference) < 1e-5 * max(1, difference.largestMagnitude), "\(function) seed \(seed)")
      // Linear in the direction.
      let twice = try function.derivative(at: at, along: e * -2)
      #expect(distance(twice.derivative, found.derivative * -2) < 1e-9 * max(1, found.derivative.largestMagnitude))
    }
  }

  /// The derivative of the exponential at all scales, by its own algorithm, against the block matrix.
  @Test(arguments: [1e-3, 0.1, 0.5, 1.2, 3, 40]) func exponentialDerivative(norm: Double) throws {
    var generator = TestGenerator(seed: 5)
    var a: Tensor<Double> = generator.tensor([5, 5])
    a = a * (norm / a.oneNorm())
    let e: Tensor<Double> = generator.tensor([5, 5])
    let zero = Tensor<Double>.zeros([5, 5])
    let block = Tensor.concatenated(
      [.concatenated([a, e], axis: 1), .concatenated([zero, a], axis: 1)], axis: 0)
    let wanted = try MatrixFunction.exponential(block)[0..<5, 5..<10]
    let found = try MatrixFunction.exponential.derivative(at: a, along: e)
    #expect(distance(found.derivative, wanted) < 1e-13 * max(1, wanted.largestMagnitude) * max(1, norm))
  }

  @Test func stacksAndPrecisions() throws {
    var generator = TestGenerator(seed: 9)
    let stack: Tensor<Double> = generator.tensor([3, 4, 5, 5])
    let all = try stack.matrixExponential()
    #expect(all.shape == stack.shape)
    for i in 0..<3 {
      for j in 0..<4 {
        let one = try stack[i][j].matrixExponential()
        #expect(one == all[i][j])
      }
    }
    let a: Tensor<Float> = generator.tensor([8, 8])
    let wide = Tensor<Double>(a)
    let exact = try wide.matrixExponential()
    #expect(relativeDistance(Tensor<Double>(try a.matrixExponential()), exact) < 1e-5)
    let shifted = a + Tensor.identity(8) * 5
    let logarithm = try MatrixFunction.logarithm(shifted)
    let wanted = try MatrixFunction.logarithm(Tensor<Double>(shifted))
    #expect(relativeDistance(Tensor<Double>(logarithm), wanted) < 1e-5)
    #expect(try Tensor<Double>.zeros([0, 0]).matrixExponential().shape == [0, 0])
    #expect(try MatrixFunction.logarithm(Tensor<Double>.zeros([0, 0])).shape == [0, 0])
    #expect(try Tensor<Double>.zeros([3, 3]).matrixExponential() == .identity(3))
    // Rotations by huge angles keep their length; nilpotent matrices end after their last power.
    let turn = try Tensor<Double>([[0, -1000], [1000, 0]]).matrixExponential()
    #expect(distance(turn, Tensor([[Double.cos(1000), -.sin(1000)], [.sin(1000), .cos(1000)]])) < 1e-12)
    #expect(try Tensor<Double>([[0, 1e200], [0, 0]]).matrixExponential() == Tensor([[1, 1e200], [0, 1]]))
  }

  @Test func condition() throws {
    // Normal matrices: the condition of the exponential is ‖A‖; here in the Frobenius norm, within the estimate.
    let a = Tensor<Double>(diagonal: Tensor([1, 2, 3]))
    let kappa = try MatrixFunction.exponential.condition(at: a, iterations: 20)
    let wanted = Double.exp(3) * a.frobeniusNorm() / (try MatrixFunction.exponential(a)).frobeniusNorm()
    #expect(abs(kappa / wanted - 1) < 1e-6)
    // The square root of a matrix with an eigenvalue near zero is ill-conditioned.
    #expect(try MatrixFunction.squareRoot.condition(at: Tensor<Double>([[1, 0], [0, 1e-8]]), iterations: 8) > 1e3)
  }

  @Test func badInput() {
    let negative = Tensor<Double>([[1, 0], [0, -2]])
    for function in [MatrixFunction.logarithm, .squareRoot, .power(0.5)] {
      #expect(throws: MatrixFunctionError.eigenvalueOnCut(-2)) { try function(negative) }
      #expect(throws: MatrixFunctionError.eigenvalueOnCut(0)) { try function(Tensor<Double>.zeros([2, 2])) }
    }
    #expect(throws: DecompositionError.self) { try MatrixFunction.sign(Tensor<Double>([[0, 1], [-1, 0]])) }
    #expect(throws: DecompositionError.self) { try MatrixFunction.power(-1)(Tensor<Double>.zeros([2, 2])) }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>.zeros([2, 3]).matrixExponential() }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>.zeros([2, 2, 3]).matrixExponential() }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[.nan]]).matrixExponential() }
    #expect(throws: InvalidArgument.self) {
      try MatrixFunction.exponential.derivative(at: negative, along: Tensor<Double>.zeros([3, 3]))
    }
  }
}
