import LinearAlgebra
import Recovery
import Tensors
import TestSupport
import Testing

@Suite struct KroneckerSBLTests {
  typealias Complex = ComplexTensor<Double>

  static func complex(_ shape: [Int], _ random: inout RandomStream) -> Complex {
    Complex(real: random.normal(shape), imaginary: random.normal(shape))
  }

  /// The Kronecker product of complex matrices, by its definition.
  static func kronecker(_ a: Complex, _ b: Complex) -> Complex {
    let shape = [a.shape[0] * b.shape[0], a.shape[1] * b.shape[1]]
    func product(_ x: Tensor<Double>, _ y: Tensor<Double>) -> Tensor<Double> {
      Tensor(
        shape: shape,
        scalars: (0..<shape[0] * shape[1]).map { place in
          let (i, j) = place.quotientAndRemainder(dividingBy: shape[1])
          return x[at: i / b.shape[0], j / b.shape[1]] * y[at: i % b.shape[0], j % b.shape[1]]
        })
    }
    return Complex(
      real: product(a.real, b.real) - product(a.imaginary, b.imaginary),
      imaginary: product(a.real, b.imaginary) + product(a.imaginary, b.real))
  }

  /// Posterior by dense formulas: in real form, with A of twice the extents.
  static func densePosterior(
    _ a: Complex, _ y: Complex, gamma: Tensor<Double>, noise: Double
  ) throws -> (mean: Complex, variances: Tensor<Double>, cost: Double) {
    let form = Tensor.concatenated([
      Tensor.concatenated([a.real, -a.imaginary], axis: 1), Tensor.concatenated([a.imaginary, a.real], axis: 1),
    ])
    let doubled = Tensor.concatenated([gamma, gamma])
    let covariance = (form * doubled).matmul(form, transposingB: true) + Tensor.identity(form.rows) * noise
    let inverse = try covariance.inverse()
    let observed = Tensor.concatenated([y.real, y.imaginary])
    let gain = (form * doubled).transposed.matmul(inverse)
    let mean = gain.matmul(observed)
    let full = Tensor(diagonal: doubled) - gain.matmul(form * doubled)
    let n = gamma.count
    let cost = try covariance.logDeterminant().logarithm / 2 + observed.dot(inverse.matmul(observed)).scalar
    return (
      Complex(real: mean[0..<n].copied(), imaginary: mean[n..<2 * n].copied()), full.diagonal[0..<n].copied(), cost
    )
  }

  @Test(arguments: [[[4, 5]], [[3, 4], [2, 3]], [[2, 3], [3, 2], [2, 2]]], [false, true])
  func productsAndPosteriorsEqualDenseFormulas(extents: [[Int]], isComplex: Bool) throws {
    var random = RandomStream(seed: UInt64(extents.count) * 2 + (isComplex ? 1 : 0))
    let factors = extents.map { shape -> Complex in
      let full = Self.complex(shape, &random)
      return isComplex ? full : Complex(full.real)
    }
    let dictionary = isComplex ? try KroneckerDictionary(factors) : try KroneckerDictionary(factors.map(\.real))
    let dense = factors.dropFirst().reduce(factors[0]) { Self.kronecker($0, $1) }
    let x = Self.complex([dictionary.columns], &random)
    let y = Self.complex([dictionary.rows], &random)
    func flat(_ z: Complex) -> Complex { Complex(real: z.real.flattened, imaginary: z.imaginary.flattened) }
    func column(_ z: Complex) -> Complex {
      Complex(real: z.real.expanded(axis: 1), imaginary: z.imaginary.expanded(axis: 1))
    }
    let applied = dictionary.apply(x)
    let direct = flat(dense.matmul(column(x)))
    #expect(distance(applied.real, direct.real) < 1e-12 && distance(applied.imaginary, direct.imaginary) < 1e-12)
    let adjoint = dictionary.adjoint(y)
    let wanted = flat(dense.conjugate.transposed.matmul(column(y)))
    #expect(distance(adjoint.real, wanted.real) < 1e-12 && distance(adjoint.imaginary, wanted.imaginary) < 1e-12)
    // ⟨A x, y⟩ = ⟨x, Aᴴ y⟩.
    func inner(_ a: Complex, _ b: Complex) -> Double {
      a.real.dot(b.real).scalar + a.imaginary.dot(b.imaginary).scalar
    }
    #expect(abs(inner(applied, y) - inner(x, adjoint)) < 1e-11)

    // Iterations that stand still show the posterior of the starting variances: all of one size.
    var method = KroneckerSBL()
    (method.noiseVariance, method.pruning, method.iterationLimit) = (.known(0.3), 0, 1)
    for variant in [KroneckerSBL.Variant.svd, .classic] {
      method.variant = variant
      let observed = isComplex ? y : Complex(y.real)
      let result =
        isComplex ? try method.fit(dictionary, observed: observed) : try method.fit(dictionary, observed: y.real)
      let start = try Self.densePosterior(dense, observed, gamma: .ones([dictionary.columns]), noise: 0.3)
      #expect(abs(result.costs[0] - start.cost) < 1e-9)
      // After one iteration, the result is the posterior of the new variances.
      let gamma = result.gammas.dropFirst().reduce(result.gammas[0]) { $0.outer($1).flattened }
      let after = try Self.densePosterior(dense, observed, gamma: gamma, noise: 0.3)
      #expect(distance(result.mean, after.mean.real) < 1e-10)
      if isComplex { #expect(distance(result.imaginaryMean ?? .zeros([1]), after.mean.imaginary) < 1e-10) }
      #expect(distance(result.variances, after.variances) < 1e-10)
      #expect(abs(result.costs[1] - after.cost) < 1e-9)
    }
  }

  static func problem(
    rows: Int, columns: Int, modes: Int, active: Int, noise: Double, seed: UInt64
  ) throws -> (dictionary: KroneckerDictionary<Double>, truth: Tensor<Double>, observed: Tensor<Double>) {
    var random = RandomStream(seed: seed)
    let factors = (0..<modes).map { _ in random.normal([rows, columns], of: Double.self) / Double(rows).squareRoot() }
    let parts = (0..<modes).map { _ -> Tensor<Double> in
      let places = random.sample(active, below: columns)
      return Tensor<Double>.zeros([columns]).scatterAdded(random.normal([active]), at: places)
    }
    let truth = parts.dropFirst().reduce(parts[0]) { $0.outer($1).flattened }
    let dictionary = try KroneckerDictionary(factors)
    let signal = dictionary.apply(truth).real
    return (dictionary, truth, signal + random.normal(signal.shape) * noise)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func alternatingNeverRaisesTheCost(seed: UInt64) throws {
    let (dictionary, _, y) = try Self.problem(rows: 4, columns: 6, modes: 2, active: 2, noise: 0.1, seed: seed)
    var method = KroneckerSBL()
    (method.variant, method.noiseVariance) = (.alternating(innerTolerance: 1e-10), .known(0.01))
    (method.pruning, method.iterationLimit, method.tolerance) = (0, 60, 0)
    let costs = try method.fit(dictionary, observed: y).costs
    for (before, after) in zip(costs, costs.dropFirst()) {
      #expect(after <= before + 1e-8 * abs(before), "seed \(seed)")
    }
  }

  @Test func oneModeIsClassic() throws {
    let (dictionary, _, y) = try Self.problem(rows: 12, columns: 20, modes: 1, active: 3, noise: 0.05, seed: 9)
    var results: [KroneckerSBLResult<Double>] = []
    for variant in [KroneckerSBL.Variant.classic, .svd, .alternating()] {
      var method = KroneckerSBL()
      (method.variant, method.noiseVariance, method.pruning) = (variant, .known(0.0025), 1e-3)
      results.append(try method.fit(dictionary, observed: y))
    }
    #expect(distance(results[0].mean, results[1].mean) < 1e-8)
    #expect(distance(results[0].mean, results[2].mean) < 1e-8)
    #expect(results[0].support == results[1].support && results[0].support == results[2].support)
  }

  @Test func structureRecoversWhatItShould() throws {
    // Single problems may end in a poor minimum: medians of seven.
    for (variant, bound) in [(KroneckerSBL.Variant.svd, 0.05), (.alternating(), 0.2)] {
      var errors: [Double] = []
      var supports: [Int] = []
      for seed in 0..<7 as Range<UInt64> {
        let (dictionary, truth, y) = try Self.problem(
          rows: 6, columns: 10, modes: 3, active: 2, noise: 0.02, seed: 30 + seed)
        var method = KroneckerSBL()
        (method.variant, method.noiseVariance) = (variant, .known(4e-4))
        let result = try method.fit(dictionary, observed: y)
        errors.append(normalizedSquaredError(result.mean, truth))
        supports.append(result.support.map(\.count).reduce(1, *))
      }
      #expect(errors.sorted()[3] < bound, "\(errors)")
      #expect(supports.sorted()[3] < 1_000, "\(supports)")
    }
    let (dictionary, _, y) = try Self.problem(rows: 6, columns: 10, modes: 3, active: 2, noise: 0.002, seed: 10)
    let estimated = try KroneckerSBL().fit(dictionary, observed: y)
    #expect(estimated.noiseVariance < 0.01 * y.sumOfSquares().scalar / Double(y.count))
    let pursuit = try kroneckerMatchingPursuit(dictionary, observed: y, sparsity: [2, 2, 2])
    #expect(pursuit.support.map(\.count) == [2, 2, 2])
    for (before, after) in zip(pursuit.residualNorms, pursuit.residualNorms.dropFirst()) {
      #expect(after <= before * (1 + 1e-12))
    }
  }

  @Test func muchNoiseGivesNothingAndScalesComeThrough() throws {
    let (dictionary, _, y) = try Self.problem(rows: 4, columns: 6, modes: 2, active: 2, noise: 0.1, seed: 11)
    var method = KroneckerSBL()
    (method.noiseVariance, method.pruning) = (.known(1e12), 0)
    #expect(try method.fit(dictionary, observed: y).mean.largestMagnitude < 1e-8)
    (method.noiseVariance, method.iterationLimit, method.tolerance) = (.known(0.01), 400, 0)
    let once = try method.fit(dictionary, observed: y).mean
    // With equal starts, iterations differ by the start's size: its variances must scale too.
    method.noiseVariance = .known(0.01 * 9)
    method.initialVariances = [[Double](repeating: 9, count: 6), [Double](repeating: 1, count: 6)]
    let scaled = try method.fit(dictionary, observed: y * 3).mean
    #expect(distance(scaled / 3, once) < 1e-7)
    // Only the product of the modes' scales matters.
    method.initialVariances = [[Double](repeating: 1, count: 6), [Double](repeating: 9, count: 6)]
    #expect(distance(try method.fit(dictionary, observed: y * 3).mean, scaled) < 1e-7)
  }

  @Test func permutedColumnsPermuteTheResult() throws {
    var random = RandomStream(seed: 12)
    let (a, b): (Tensor<Double>, Tensor<Double>) = (random.normal([5, 6]), random.normal([4, 5]))
    let y: Tensor<Double> = random.normal([20])
    let order = random.permutation(6)
    let plain = try KroneckerSBL().fit(KroneckerDictionary([a, b]), observed: y)
    let moved = try KroneckerSBL().fit(KroneckerDictionary([a.gathered(order, axis: 1), b]), observed: y)
    #expect(distance(moved.mean.reshaped([6, 5]), plain.mean.reshaped([6, 5]).gathered(order)) < 1e-7)
  }

  @Test func blocksShareVariances() throws {
    let (dictionary, _, y) = try Self.problem(rows: 5, columns: 6, modes: 2, active: 2, noise: 0.05, seed: 13)
    var method = KroneckerSBL()
    (method.variant, method.blockSizes, method.pruning) = (.alternating(), [3, 1], 0)
    let gamma = try method.fit(dictionary, observed: y).gammas[0]
    #expect(abs(gamma[at: 0] - gamma[at: 2]) < 1e-15 && abs(gamma[at: 3] - gamma[at: 5]) < 1e-15)
  }

  @Test func pursuitFindsOrthogonalColumns() throws {
    var random = RandomStream(seed: 14)
    let basis: Tensor<Double> = try random.orthogonal([12, 12])
    let truth = Tensor<Double>.zeros([12]).scatterAdded(Tensor([3, -2]), at: Tensor([7, 1]))
    let found = try orthogonalMatchingPursuit(basis * 5, observed: basis.matmul(truth), sparsity: 2)
    #expect(found.support == [[7, 1]])
    #expect(distance(found.coefficients * 5, truth) < 1e-12)
    #expect(supportRecoveryRate(found.coefficients, truth) == 1)
    #expect(supportRecoveryRate(Tensor([1.0, 1, 0]), Tensor([0.0, 1, 1])) == 1 / 3.0)
  }

  @Test func badInputIsNamed() throws {
    let (dictionary, _, y) = try Self.problem(rows: 3, columns: 4, modes: 2, active: 1, noise: 0.1, seed: 15)
    var method = KroneckerSBL()
    #expect(throws: InvalidArgument.self) { try method.fit(dictionary, observed: y[0..<8].copied()) }
    #expect(throws: InvalidArgument.self) { try method.fit(dictionary, observed: y * .nan) }
    method.noiseVariance = .known(0)
    #expect(throws: InvalidArgument.self) { try method.fit(dictionary, observed: y) }
    #expect(throws: InvalidArgument.self) { try KroneckerDictionary([Tensor<Double>]()) }
    #expect(throws: InvalidArgument.self) { try KroneckerDictionary([Tensor<Double>.zeros([3, 0])]) }
    let zero = try KroneckerSBL().fit(dictionary, observed: .zeros([9]))
    #expect(zero.isTrivial && zero.mean.largestMagnitude == 0)
    method = KroneckerSBL()
    method.initialVariances = [[1, 1, 1, 1]]
    #expect(throws: InvalidArgument.self) { try method.fit(dictionary, observed: y) }
    method = KroneckerSBL()
    method.blockSizes = [3, 1]
    #expect(throws: InvalidArgument.self) { try method.fit(dictionary, observed: y) }
    #expect(throws: InvalidArgument.self) {
      try kroneckerMatchingPursuit(dictionary, observed: y, sparsity: [4, 1])
    }
  }
}
