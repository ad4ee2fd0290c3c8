import LinearAlgebra
import Recovery
import Tensors
import TestSupport
import Testing

@Suite struct RobustMatrixRecoveryTests {
  typealias Dense = DenseMeasurement<Double>

  struct Problem {
    var measurement: Dense
    var truth: Tensor<Double>
    var observed: Tensor<Double>

    init(size: Int, count: Int, rank: Int, outliers: Double, seed: UInt64) throws {
      var random = RandomStream(seed: seed)
      let basis: Tensor<Double> = try random.orthogonal([size, rank])
      truth = (basis * Tensor(from: 1, through: 0.5, count: rank)).matmul(basis, transposingB: true)
      measurement = try Dense.gaussian(count: count, rows: size, columns: size, random: &random)
      let wrong = Tensor<Double>(random.bernoulli([count], probability: outliers)) * random.normal([count]) * 100
      observed = measurement.apply(truth) + wrong
    }
  }

  static func error(_ result: RobustRecovery<Double>, _ truth: Tensor<Double>) -> Double {
    (result.matrix - truth).frobeniusNorm() / truth.frobeniusNorm()
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func adjointsAreAdjoint(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let dense = try Dense(random.normal([9, 4, 5]))
    let square = try Dense(random.normal([9, 5, 5]))
    let vectors = try RankOneMeasurement<Double>(random.normal([9, 5]))
    let entries = try EntryMeasurement<Double>(
      rows: 4, columns: 5, rowIndices: random.integers([9], in: 0..<4), columnIndices: random.integers([9], in: 0..<5),
      scale: 3)
    func check<M: LinearMeasurement<Double>>(_ measurement: M, symmetric: Bool = false) {
      var x: Tensor<Double> = random.normal([measurement.rows, measurement.columns])
      if symmetric { x = (x + x.transposed) * 0.5 }
      let v: Tensor<Double> = random.normal([measurement.count])
      let (a, b) = (measurement.apply(x).dot(v).scalar, (measurement.adjoint(v) * x).sum().scalar)
      #expect(abs(a - b) < 1e-12 * max(1, abs(a)) * 10, "seed \(seed)")
      // One pass gives what two give.
      let y: Tensor<Double> = random.normal([measurement.count])
      for loss in [ResidualLoss.squares, .absolute, .huber(threshold: 0.7)] {
        let (r, q) = measurement.residualsAndAdjoint(x, observed: y, loss: loss)
        let wanted = measurement.apply(x) - y
        #expect(distance(r, wanted) < 1e-12)
        let slope =
          switch loss {
          case .squares: wanted
          case .absolute: wanted.sign()
          case .huber(let t): wanted.clamped(to: -t...t)
          }
        #expect(distance(q, measurement.adjoint(slope)) < 1e-11)
      }
    }
    check(dense)
    check(square)
    check(vectors)
    check(entries)
    let packed = square.onSymmetricMatrices()
    check(packed, symmetric: true)
    var x: Tensor<Double> = random.normal([5, 5])
    x = x + x.transposed
    #expect(distance(packed.apply(x), square.apply(x)) < 1e-12)
    let v: Tensor<Double> = random.normal([9])
    let q = square.adjoint(v)
    #expect(distance(packed.adjoint(v), (q + q.transposed) * 0.5) < 1e-12)
  }

  @Test(arguments: 0..<3 as Range<UInt64>) func subgradientIsTheSlope(seed: UInt64) throws {
    let problem = try Problem(size: 6, count: 40, rank: 2, outliers: 0.2, seed: seed)
    var random = RandomStream(seed: seed + 50)
    let factor: Tensor<Double> = random.normal([6, 3])
    let method = RobustMatrixRecovery()
    let slope = method.subgradient(at: factor, problem.measurement, observed: problem.observed)
    func value(_ u: Tensor<Double>) -> Double {
      let residuals = problem.measurement.apply(u.matmul(u, transposingB: true)) - problem.observed
      return residuals.absolute().mean().scalar
    }
    for i in 0..<6 {
      for j in 0..<3 {
        func moved(_ change: Double) -> Tensor<Double> {
          var u = factor
          u[at: i, j] += change
          return u
        }
        let numeric = (value(moved(1e-6)) - value(moved(-1e-6))) / 2e-6
        #expect(abs(numeric - slope[at: i, j]) < 1e-6 * max(1, abs(numeric)), "seed \(seed)")
      }
    }
  }

  @Test func stepsAreEquivariantAndScaleFree() throws {
    let problem = try Problem(size: 8, count: 200, rank: 2, outliers: 0.2, seed: 3)
    var random = RandomStream(seed: 4)
    let factor: Tensor<Double> = random.normal([8, 8])
    let turn: Tensor<Double> = try random.orthogonal([8, 8])
    var method = RobustMatrixRecovery()
    let plain = method.subgradient(at: factor, problem.measurement, observed: problem.observed)
    let turned = method.subgradient(at: factor.matmul(turn), problem.measurement, observed: problem.observed)
    #expect(distance(turned, plain.matmul(turn)) < 1e-10)
    method.iterationLimit = 150
    let once = try method.recover(from: problem.measurement, observed: problem.observed)
    let scaled = try method.recover(from: problem.measurement, observed: problem.observed * 64)
    #expect(distance(scaled.matrix / 64, once.matrix) < 1e-9)
    #expect(scaled.history.steps.count == once.history.steps.count)
  }

  @Test func largerOutliersChangeNothing() throws {
    var problem = try Problem(size: 8, count: 150, rank: 2, outliers: 0.2, seed: 5)
    var random = RandomStream(seed: 6)
    let factor: Tensor<Double> = random.normal([8, 4]) * 0.1
    let method = RobustMatrixRecovery()
    let before = method.subgradient(at: factor, problem.measurement, observed: problem.observed)
    let residuals = problem.measurement.apply(factor.matmul(factor, transposingB: true)) - problem.observed
    let outlier = residuals.absolute().argmax(axis: 0).scalar
    problem.observed[at: outlier] -= residuals[at: outlier] * 1e6
    #expect(method.subgradient(at: factor, problem.measurement, observed: problem.observed) == before)
  }

  @Test func signsPointAlongTheError() throws {
    // E Q = √(2/π) (1 - p) Δ / ‖Δ‖, for a share p of infinite outliers.
    var random = RandomStream(seed: 7)
    let size = 5
    let delta: Tensor<Double> = random.normal([size, size])
    let share = 0.3
    var sum = Tensor<Double>.zeros([size, size])
    let chunks = 10
    for _ in 0..<chunks {
      let measurement = try Dense.gaussian(count: 20_000, rows: size, columns: size, random: &random)
      let wrong = Tensor<Double>(random.bernoulli([20_000], probability: share)) * random.normal([20_000]) * 1e12
      sum += measurement.residualsAndAdjoint(delta, observed: wrong, loss: .absolute).adjoint
    }
    let mean = sum / Double(20_000 * chunks)
    let wanted = delta / delta.frobeniusNorm() * ((2 / Double.pi).squareRoot() * (1 - share))
    let unit = wanted / wanted.frobeniusNorm()
    #expect(abs((mean * unit).sum().scalar / wanted.frobeniusNorm() - 1) < 0.02)
    #expect((mean - wanted).frobeniusNorm() < 0.05 * wanted.frobeniusNorm())
  }

  @Test func exactDataAreRecoveredToRounding() throws {
    let problem = try Problem(size: 10, count: 300, rank: 2, outliers: 0, seed: 8)
    var method = RobustMatrixRecovery()
    (method.rank, method.tolerance) = (2, 0)
    let result = try method.recover(from: problem.measurement, observed: problem.observed, truth: problem.truth)
    #expect(Self.error(result, problem.truth) < 1e-14)
    #expect(result.effectiveRank == 2 && result.notices.isEmpty)
    #expect(abs((result.history.distances.last ?? 1) - Self.error(result, problem.truth)) < 1e-13)
  }

  @Test func aThirdOfOutliersAndTooManyColumns() throws {
    let problem = try Problem(size: 12, count: 600, rank: 2, outliers: 0.3, seed: 9)
    let result = try RobustMatrixRecovery().recover(from: problem.measurement, observed: problem.observed)
    #expect(Self.error(result, problem.truth) < 1e-5)
    #expect(result.effectiveRank == 2)
    var squares = RobustMatrixRecovery()
    (squares.loss, squares.step) = (.squares, .constant(0.01))
    let other = try squares.recover(from: problem.measurement, observed: problem.observed)
    #expect(Self.error(other, problem.truth) > 0.5)
  }

  @Test func aZeroStartStaysZero() throws {
    let problem = try Problem(size: 6, count: 60, rank: 1, outliers: 0, seed: 10)
    let slope = RobustMatrixRecovery().subgradient(
      at: .zeros([6, 6]), problem.measurement, observed: problem.observed)
    #expect(slope.largestMagnitude == 0)
  }

  @Test func rectangularMatricesAndEntries() throws {
    var random = RandomStream(seed: 11)
    let left: Tensor<Double> = try random.orthogonal([12, 2])
    let right: Tensor<Double> = try random.orthogonal([9, 2])
    let truth = (left * Tensor([1, 0.6])).matmul(right, transposingB: true)
    let measurement = try Dense.gaussian(count: 700, rows: 12, columns: 9, random: &random)
    let wrong = Tensor<Double>(random.bernoulli([700], probability: 0.2)) * random.normal([700]) * 50
    var method = RobustMatrixRecovery()
    method.isSymmetric = false
    let result = try method.recover(from: measurement, observed: measurement.apply(truth) + wrong)
    #expect(Self.error(result, truth) < 1e-4)
    #expect(result.rightFactor != nil)

    let vectors = try RankOneMeasurement<Double>(random.normal([500, 8]))
    let basis: Tensor<Double> = try random.orthogonal([8, 1])
    let positive = basis.matmul(basis, transposingB: true)
    var quadratic = RobustMatrixRecovery()
    (quadratic.rank, quadratic.iterationLimit) = (1, 4_000)
    let phase = try quadratic.recover(from: vectors, observed: vectors.apply(positive))
    #expect(Self.error(phase, positive) < 1e-3)
  }

  @Test func troublesAreTold() throws {
    var problem = try Problem(size: 6, count: 100, rank: 1, outliers: 0, seed: 12)
    var random = RandomStream(seed: 13)
    var method = RobustMatrixRecovery()
    method.iterationLimit = 100
    // Nothing but noise.
    let noise = try method.recover(from: problem.measurement, observed: random.normal([100]))
    #expect(noise.notices.contains { if case .possiblyUnidentifiable = $0 { true } else { false } })
    // Σ sign(y) A negative.
    let identity = try Dense(Tensor.identity(6).reshaped([1, 6, 6]))
    let negative = try method.recover(from: identity, observed: Tensor([-1]))
    #expect(negative.notices.contains(.randomStart))
    // Steps that are too long.
    (method.loss, method.step) = (.squares, .constant(50))
    let wild = try method.recover(from: problem.measurement, observed: problem.observed)
    #expect(wild.notices.contains { if case .diverged = $0 { true } else { false } })
    #expect(wild.matrix.isFinite)
    problem.observed[at: 3] = .nan
    #expect(throws: InvalidArgument.self) {
      try RobustMatrixRecovery().recover(from: problem.measurement, observed: problem.observed)
    }
    #expect(throws: InvalidArgument.self) {
      try RobustMatrixRecovery().recover(from: problem.measurement, observed: Tensor([1.0, 2]))
    }
    let wide = try Dense(random.normal([4, 2, 3]))
    #expect(throws: InvalidArgument.self) { try RobustMatrixRecovery().recover(from: wide, observed: .ones([4])) }
    var settings = RobustMatrixRecovery()
    settings.initialScale = 0
    #expect(throws: InvalidArgument.self) { try settings.recover(from: identity, observed: .ones([1])) }
    settings = RobustMatrixRecovery()
    settings.rank = 7
    #expect(throws: InvalidArgument.self) { try settings.recover(from: identity, observed: .ones([1])) }
    #expect(throws: InvalidArgument.self) { try Dense(.zeros([0, 2, 2])) }
    #expect(throws: InvalidArgument.self) {
      try EntryMeasurement<Double>(rows: 2, columns: 2, rowIndices: Tensor([2]), columnIndices: Tensor([0]))
    }
  }
}
