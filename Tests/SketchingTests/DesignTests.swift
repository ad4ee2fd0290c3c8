import LinearAlgebra
import Sketching
import Tensors
import TestSupport
import Testing

private func runge(_ x: Double) -> Double { 1 / (1 + 25 * x * x) }

/// A design at given points with values of a function, in one variable.
private func values(_ design: SamplingDesign, _ u: (Double) -> Double) -> Tensor<Double> {
  Tensor(design.points.flattened.scalars.map(u))
}

/// P u by quadrature.
private func projection(_ basis: PolynomialBasis, _ u: (Double) -> Double) -> Tensor<Double> {
  let rule = basis.families[0].quadrature(degree: 200)
  let phi = basis.evaluate(Tensor(shape: [rule.nodes.count, 1], scalars: rule.nodes))
  return (Tensor(rule.nodes.map(u)) * Tensor(rule.weights)).matmul(phi)
}

@Suite struct BasisTests {
  @Test(arguments: PolynomialFamily.allCases) func functionsAreOrthonormal(family: PolynomialFamily) {
    let basis = PolynomialBasis(family, count: 21)
    let rule = family.quadrature(degree: 20)
    let phi = basis.evaluate(Tensor(shape: [rule.nodes.count, 1], scalars: rule.nodes))
    let gram = (phi * Tensor(rule.weights).expanded(axis: 1)).matmul(phi, transposingA: true)
    #expect(distance(gram, .identity(21)) < 1e-12, "\(family) \(distance(gram, .identity(21)))")
    // ∫ k dμ = m.
    #expect(abs((phi.sumOfSquares(axes: [1]) * Tensor(rule.weights)).sum().scalar - 21) < 1e-11)
  }

  @Test func indexSets() throws {
    #expect(MultiIndexSet.totalDegree(variables: 2, degree: 6).count == 28)
    #expect(MultiIndexSet.tensorProduct([1, 2]).count == 6)
    #expect(MultiIndexSet.hyperbolicCross(variables: 2, degree: 3).count == 8)
    let basis = try PolynomialBasis(families: [.legendre, .hermite], indices: [[0, 0], [2, 1], [1, 3]])
    let value = basis.evaluate(Tensor([[0.3, -0.7]]))
    let first = PolynomialFamily.legendre.values(through: 2, at: 0.3)
    let second = PolynomialFamily.hermite.values(through: 3, at: -0.7)
    #expect(distance(value, Tensor([[1, first[2] * second[1], first[1] * second[3]]])) < 1e-14)
    for bad in [[[0]], [[0, -1]], [[1, 1], [1, 1]], []] as [[[Int]]] {
      #expect(throws: InvalidArgument.self) { _ = try PolynomialBasis(families: [.legendre, .legendre], indices: bad) }
    }
  }

  /// Points of ν: the weight has the mean one, and the functions w φ_j² too.
  @Test(arguments: PolynomialFamily.allCases) func optimalPointsHaveTheirDensity(family: PolynomialFamily) {
    let basis = PolynomialBasis(family, count: 8)
    var random = RandomStream(seed: 1)
    let count = 20_000
    let phi = basis.evaluate(basis.sampleOptimal(count, random: &random))
    let weights = 8 / phi.sumOfSquares(axes: [1])
    let gram = (phi * (weights / Double(count)).expanded(axis: 1)).matmul(phi, transposingA: true)
    #expect(distance(gram, .identity(8)) < 0.07, "\(family) \(distance(gram, .identity(8)))")
  }

  @Test func candidates() throws {
    var random = RandomStream(seed: 2)
    let features: Tensor<Double> = random.normal([60, 4])
    #expect { _ = try CandidateBasis(features) } throws: { "\($0)".contains("orthonormalizing") }
    let basis = try CandidateBasis.orthonormalizing(features)
    #expect(distance(basis.leverageScores, try leverageScores(features)) < 1e-12)
    let again = try CandidateBasis(basis.features / 60.0.squareRoot())
    #expect(distance(again.features, basis.features) < 1e-12)
    #expect(throws: InvalidArgument.self) { _ = try CandidateBasis.orthonormalizing(features[0..<3, .all].dense) }
    let dependent = Tensor.concatenated([features, features], axis: 1)
    #expect(throws: InvalidArgument.self) { _ = try CandidateBasis.orthonormalizing(dependent) }
  }
}

@Suite struct DesignTests {
  private let basis = PolynomialBasis(.legendre, count: 10)

  /// E G⁻¹ = n / (n - m + 1) I under volume sampling.
  @Test(arguments: [(20, 1.818), (30, 1.429)]) func inverseGramOfVolumeSampling(n: Int, mean: Double) throws {
    var random = RandomStream(seed: 1)
    var traces: [Double] = []
    for _ in 0..<1_500 {
      let design = try DesignSampling(count: n, strategy: .volume).sample(basis, random: &random)
      let rows = design.values * (design.weights / Double(n)).sqrt().expanded(axis: 1)
      let values = try rows.singularValues().scalars
      traces.append(values.reduce(0) { $0 + 1 / ($1 * $1) } / 10)
      #expect(abs(design.smallestEigenvalue - values[9] * values[9]) < 1e-12)
    }
    let average = traces.reduce(0, +) / 1_500
    let deviation = (traces.reduce(0) { $0 + ($1 - average) * ($1 - average) } / 1_500).squareRoot()
    #expect(abs(average - mean) < 4 * deviation / 1_500.0.squareRoot(), "\(average)")
  }

  /// E û = P u, coefficient by coefficient; independent points are biased.
  @Test func volumeSamplingIsUnbiased() throws {
    let exact = projection(basis, runge)
    func score(_ strategy: DesignSampling.Strategy, draws: Int) throws -> Double {
      var random = RandomStream(seed: 7)
      var sum = Tensor<Double>.zeros([10])
      var squares = sum
      for _ in 0..<draws {
        let design = try DesignSampling(count: 20, strategy: strategy).sample(basis, random: &random)
        let error = try WeightedLeastSquares().fit(basis, design, values: values(design, runge)).coefficients - exact
        sum += error
        squares += error * error
      }
      let mean = sum / Double(draws)
      let deviation = (squares / Double(draws) - mean * mean).sqrt() / Double(draws).squareRoot()
      return (mean / deviation).absolute().maximum().scalar
    }
    #expect(try score(.volume, draws: 2_000) < 4)
  }

  @Test func twoPointsRepelEachOther() throws {
    let line = PolynomialBasis(.legendre, count: 2)
    var random = RandomStream(seed: 3)
    var mean = 0.0
    var firstSquares = 0.0
    for _ in 0..<20_000 {
      let points = try projectionDPP(line, &random).scalars
      mean += (points[0] - points[1]) * (points[0] - points[1]) / 20_000
      let one = points[Int.random(in: 0..<2, using: &random)]
      firstSquares += one * one / 20_000
    }
    #expect(abs(mean - 1.6) < 0.03)
    // One point alone has the density (1 + 3 x²) / 4 on [-1, 1], and E x² = 7 / 15.
    #expect(abs(firstSquares - 7.0 / 15) < 0.01)
  }

  /// The probability of each pair among six candidates is the square of a determinant.
  @Test func pairsOfCandidatesHaveTheirProbabilities() throws {
    var random = RandomStream(seed: 4)
    let basis = try CandidateBasis.orthonormalizing(random.normal([6, 2], of: Double.self))
    let u = basis.features / 6.0.squareRoot()
    let draws = 30_000
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 6), count: 6)
    for _ in 0..<draws {
      let pair = try projectionDPP(basis, &random).flattened.scalars.map { Int($0) }.sorted()
      counts[pair[0]][pair[1]] += 1
    }
    var statistic = 0.0
    for i in 0..<6 {
      #expect(counts[i][i] == 0)
      for j in i + 1..<6 {
        let determinant = u[at: i, 0] * u[at: j, 1] - u[at: i, 1] * u[at: j, 0]
        let expected = determinant * determinant * Double(draws)
        statistic += (Double(counts[i][j]) - expected) * (Double(counts[i][j]) - expected) / expected
      }
    }
    // χ² with 14 degrees of freedom: 36.1 is exceeded once in a thousand.
    #expect(statistic < 36.1, "\(statistic)")
  }

  @Test func inclusionIsTheLeverageScore() throws {
    var random = RandomStream(seed: 5)
    let basis = try CandidateBasis.orthonormalizing(
      random.normal([40, 5], of: Double.self) * random.exponential([40, 1]))
    var counts = [Double](repeating: 0, count: 40)
    for _ in 0..<8_000 {
      let points = try projectionDPP(basis, &random).flattened.scalars
      #expect(Set(points).count == 5)
      for i in points { counts[Int(i)] += 1.0 / 8_000 }
    }
    #expect(distance(Tensor(counts), basis.leverageScores) < 0.03)
  }

  @Test(arguments: DesignSampling.Strategy.allCases) func functionsOfTheSpaceAreFoundExactly(
    strategy: DesignSampling.Strategy
  ) throws {
    let plane = try PolynomialBasis(
      families: [.legendre, .trigonometric], indices: MultiIndexSet.totalDegree(variables: 2, degree: 3))
    var random = RandomStream(seed: 6)
    let truth: Tensor<Double> = random.normal([10])
    let sampling = DesignSampling(count: 25, strategy: strategy)
    let fit = try WeightedLeastSquares().approximate(plane, sampling: sampling, random: &random) { x in
      plane.evaluate(Tensor(shape: [1, 2], scalars: x)).matmul(truth).scalar
    }
    #expect(distance(fit.coefficients, truth) < 1e-10)
    #expect(fit.design.count == 25 && fit.design.points.shape == [25, 2])
    // The order of the points does not matter.
    let values: Tensor<Double> = random.normal([25])
    let order = random.permutation(25)
    let turned = try SamplingDesign(fit.design.points.gathered(order), of: plane)
    let first = try WeightedLeastSquares().fit(plane, fit.design, values: values)
    let second = try WeightedLeastSquares().fit(plane, turned, values: values.gathered(order))
    #expect(distance(first.coefficients, second.coefficients) < 1e-9)
    let points = Tensor<Double>([[0.1, 0.2], [-0.5, 0.9]])
    #expect(distance(first.evaluate(points), plane.evaluate(points).matmul(first.coefficients)) < 1e-14)
  }

  /// A rotated basis of the same space gives the same function.
  @Test func theFitDependsOnTheSpaceAlone() throws {
    var random = RandomStream(seed: 7)
    let features: Tensor<Double> = random.normal([50, 4])
    let first = try CandidateBasis.orthonormalizing(features)
    let second = try CandidateBasis(first.features.matmul(random.orthogonal([4, 4])))
    let design = try DesignSampling(count: 12).sample(first, random: &random)
    let values: Tensor<Double> = random.normal([12])
    let a = try WeightedLeastSquares().fit(first, design, values: values)
    let b = try WeightedLeastSquares().fit(second, SamplingDesign(design.points, of: second), values: values)
    let all = Tensor<Double>(from: 0, through: 49, count: 50).reshaped([50, 1])
    #expect(distance(a.evaluate(all), b.evaluate(all)) < 1e-10)
  }

  @Test func asManyPointsAsFunctionsInterpolate() throws {
    var random = RandomStream(seed: 8)
    let design = try DesignSampling(count: 10).sample(basis, random: &random)
    let u = values(design, runge)
    let fit = try WeightedLeastSquares().fit(basis, design, values: u)
    #expect(distance(fit.evaluate(design.points), u) < 1e-8)
  }

  @Test func conditioningAndThinning() throws {
    var random = RandomStream(seed: 9)
    let sampling = DesignSampling(count: 40, strategy: .volume, smallestEigenvalue: 0.3)
    let design = try sampling.sample(basis, random: &random)
    #expect(design.smallestEigenvalue >= 0.3 && design.largestEigenvalue >= 1)
    let thin = try design.thinned(keeping: 0.25, of: basis)
    #expect(thin.count < 40 && thin.count >= 10 && thin.smallestEigenvalue >= 0.25)
    // ‖u - û‖ <= (1 + √(mean w / λ_min)) inf ‖u - v‖_∞, with v = 0.
    let fit = try WeightedLeastSquares().fit(basis, design, values: values(design) { _ in 1 } * 0.5)
    #expect((fit.coefficients.norm().scalar - 0.5).magnitude < 1e-10 && design.supremumFactor > 2)
    let hopeless = DesignSampling(count: 10, strategy: .independent, smallestEigenvalue: 0.9, attemptLimit: 3)
    #expect { _ = try hopeless.sample(basis, random: &random) } throws: {
      guard let error = $0 as? ConditioningError else { return false }
      return error.attempts == 3 && error.best < 0.9
    }
    #expect(throws: InvalidArgument.self) { _ = try design.thinned(keeping: 0.99, of: basis) }
  }

  @Test func sameSeedSamePoints() throws {
    var (first, second) = (RandomStream(seed: 1), RandomStream(seed: 1))
    let sampling = DesignSampling(count: 23)
    #expect(try sampling.sample(basis, random: &first).points == sampling.sample(basis, random: &second).points)
  }

  @Test func badInputIsNamed() throws {
    var random = RandomStream(seed: 1)
    func fails(_ name: String, _ body: () throws -> Void) {
      #expect { try body() } throws: { ($0 as? InvalidArgument)?.name == name }
    }
    fails("count") { _ = try DesignSampling(count: 9).sample(basis, random: &random) }
    fails("smallestEigenvalue") {
      _ = try DesignSampling(count: 20, smallestEigenvalue: 1).sample(basis, random: &random)
    }
    fails("attemptLimit") { _ = try DesignSampling(count: 20, attemptLimit: 0).sample(basis, random: &random) }
    let design = try DesignSampling(count: 20).sample(basis, random: &random)
    var u = Tensor<Double>.ones([20])
    u[at: 4] = .nan
    #expect { _ = try WeightedLeastSquares().fit(basis, design, values: u) } throws: { "\($0)".contains("point 4") }
    fails("values") { _ = try WeightedLeastSquares().fit(basis, design, values: .ones([19])) }
    fails("points") { _ = try SamplingDesign(.ones([3, 2]), of: basis) }
    let few = try SamplingDesign(Tensor(shape: [4, 1], scalars: [0.1, 0.2, 0.3, 0.4]), of: basis)
    #expect(few.smallestEigenvalue == 0)
    #expect(throws: DecompositionError.self) {
      _ = try WeightedLeastSquares().fit(basis, few, values: .ones([4]))
    }
  }
}
