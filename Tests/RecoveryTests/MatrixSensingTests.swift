import LinearAlgebra
import Recovery
import Tensors
import TestSupport
import Testing

@Suite struct MatrixSensingTests {
  typealias Dense = DenseMeasurement<Double>

  static func truth(_ size: Int, _ values: [Double], _ random: inout RandomStream) throws -> Tensor<Double> {
    let basis: Tensor<Double> = try random.orthogonal([size, values.count])
    return (basis * Tensor(values)).matmul(basis, transposingB: true)
  }

  static func method(
    _ rank: Int, _ parameterization: MatrixSensing.Parameterization, iterations: Int, step: Double? = nil
  ) -> MatrixSensing {
    var method = MatrixSensing(rank: rank)
    (method.parameterization, method.iterationLimit) = (parameterization, iterations)
    (method.stepSize, method.tolerance) = (step, 0)
    return method
  }

  @Test(arguments: [10, 200]) func stepsFollowTheGradient(count: Int) throws {
    // One step of each kind against finite differences of the loss; few and many measurements take different ways.
    var random = RandomStream(seed: 1)
    let measurement = try Dense.gaussian(count: count, rows: 5, columns: 5, random: &random)
    let matrix = try Self.truth(5, [1, 0.5], &random)
    let y = measurement.apply(matrix)
    for parameterization in [MatrixSensing.Parameterization.symmetric, .asymmetric()] {
      let start = try Self.method(3, parameterization, iterations: 1, step: 1e-9).recover(
        from: measurement, observed: y)
      let moved = try Self.method(3, parameterization, iterations: 1, step: 0.01).recover(
        from: measurement, observed: y)
      let direction = (moved.left - start.left) / -0.01
      func loss(_ left: Tensor<Double>) -> Double {
        let isSymmetric = parameterization == .symmetric
        let product = left.matmul(isSymmetric ? left : start.right ?? left, transposingB: true)
        let residuals = measurement.apply(product) - y
        return residuals.sumOfSquares().scalar / Double(count) / (isSymmetric ? 4 : 2)
      }
      for i in 0..<5 {
        for j in 0..<3 {
          func at(_ change: Double) -> Tensor<Double> {
            var left = start.left
            left[at: i, j] += change
            return left
          }
          let slope = (loss(at(1e-5)) - loss(at(-1e-5))) / 2e-5
          #expect(abs(slope - direction[at: i, j]) < 2e-6)
        }
      }
    }
  }

  @Test func halvingTheStepHalvesTheDrift() throws {
    var random = RandomStream(seed: 2)
    let matrix = try Self.truth(8, [1, 0.7], &random)
    let one = try Self.method(4, .asymmetric(), iterations: 200, step: 0.02).populationDynamics(of: matrix)
    let half = try Self.method(4, .asymmetric(), iterations: 400, step: 0.01).populationDynamics(of: matrix)
    let ratio = (one.imbalanceDrift ?? 0) / (half.imbalanceDrift ?? 1)
    #expect(abs(ratio - 2) < 0.2)
  }

  @Test func rebalancingKeepsTheProduct() throws {
    var random = RandomStream(seed: 3)
    let matrix = try Self.truth(10, [1, 0.8], &random)
    var method = Self.method(4, .accelerated(switchAt: 0.3, beta: 0.9), iterations: 400, step: 0.2)
    let result = try method.populationDynamics(of: matrix)
    #expect((result.switched?.productChange ?? 1) < 1e-10)
    #expect((result.history.distances.last ?? 1) < 1e-12)
    // Stopped right after the switch, but for one step of nearly no length.
    method.iterationLimit = (result.switched?.iteration ?? 0) + 1
    let stopped = try method.populationDynamics(of: matrix)
    // One step changes FᵀF = β² I by no more than the step times the error.
    let gram = stopped.left.multipliedByOwnTranspose(transposing: true)
    #expect(distance(gram, .identity(4) * 0.81) < 0.2)
    #expect(result.imbalanceDrift == nil)
  }

  @Test func aSwitchAtTheStartMakesFactorsOrthogonal() throws {
    var random = RandomStream(seed: 4)
    let matrix = try Self.truth(9, [1, 0.8], &random)
    let method = Self.method(3, .accelerated(switchAt: 10, beta: 2), iterations: 1, step: 1e-14)
    let result = try method.populationDynamics(of: matrix)
    #expect(result.switched?.iteration == 0)
    #expect(distance(result.left.multipliedByOwnTranspose(transposing: true), .identity(3) * 4) < 1e-12)
  }

  @Test func equalFactorsAreTheSymmetricOne() throws {
    var random = RandomStream(seed: 5)
    let matrix = try Self.truth(7, [1, 0.6], &random)
    let start: Tensor<Double> = random.normal([7, 3]) * 0.1
    let one = try Self.method(3, .symmetric, iterations: 100, step: 0.1)
      .populationDynamics(of: matrix, start: (start, start))
    let two = try Self.method(3, .asymmetric(), iterations: 100, step: 0.1)
      .populationDynamics(of: matrix, start: (start, start))
    #expect(distance(one.left, two.left) < 1e-12)
    #expect(distance(two.left, two.right ?? .zeros([1])) < 1e-12)
  }

  @Test func theScalarRecursion() throws {
    // s ← s (1 - η s²) from 0.5: no signal, one column.
    var method = Self.method(1, .symmetric, iterations: 1_000, step: 0.1)
    method.tolerance = 0
    let result = try method.populationDynamics(of: Tensor([[0.0]]), start: (Tensor([[0.5]]), Tensor([[0.5]])))
    var s = 0.5
    for _ in 0..<1_000 { s *= 1 - 0.1 * s * s }
    #expect(abs(result.left.scalar - s) < 1e-14)
    #expect(abs((1 / (s * s) - 4) / (2 * 0.1 * 1_000) - 1) < 0.05)
  }

  @Test func theLawsOfConvergenceAreTold() throws {
    var random = RandomStream(seed: 6)
    let matrix = try Self.truth(10, [1, 0.8], &random)
    func law(_ rank: Int, _ parameterization: MatrixSensing.Parameterization) throws -> ConvergenceLaw? {
      var method = Self.method(rank, parameterization, iterations: 4_000, step: 0.2)
      method.initialScale = 0.3
      return ConvergenceLaw(fitting: try method.populationDynamics(of: matrix).history.distances)
    }
    guard case .power(let exponent) = try law(4, .symmetric) else {
      Issue.record("the symmetric factorization is not linear")
      return
    }
    #expect(abs(exponent + 1) < 0.1)
    for (rank, parameterization) in [
      (2, MatrixSensing.Parameterization.symmetric), (4, .asymmetric()), (4, .accelerated()),
    ] {
      guard case .linear(let rate) = try law(rank, parameterization) else {
        Issue.record("\(parameterization) is linear")
        continue
      }
      #expect(rate > 0)
    }
    #expect(ConvergenceLaw(fitting: (0..<100).map { Double.exp(-0.1 * Double($0)) }) != nil)
    #expect(ConvergenceLaw(fitting: []) == nil)
  }

  @Test func rotatedMeasurementsGiveRotatedMatrices() throws {
    var random = RandomStream(seed: 7)
    let matrix = try Self.truth(6, [1, 0.5], &random)
    let turn: Tensor<Double> = try random.orthogonal([6, 6])
    let a: Tensor<Double> = random.normal([120, 6, 6])
    let turned = turn.matmul(a).matmul(turn, transposingB: true)
    let (one, two) = (try Dense(a), try Dense(turned))
    let y = one.apply(matrix)
    let other = turn.matmul(matrix).matmul(turn, transposingB: true)
    #expect(distance(two.apply(other), y) < 1e-12)
    let first = try Self.method(3, .accelerated(), iterations: 4_000).recover(from: one, observed: y)
    let second = try Self.method(3, .accelerated(), iterations: 4_000).recover(from: two, observed: y)
    #expect(distance(turn.matmul(first.matrix).matmul(turn, transposingB: true), second.matrix) < 1e-9)
    #expect(distance(first.matrix, matrix) < 1e-9)
  }

  @Test func troublesAreTold() throws {
    var random = RandomStream(seed: 8)
    let matrix = try Self.truth(6, [1, 0.9, 0.8], &random)
    let measurement = try Dense.gaussian(count: 200, rows: 6, columns: 6, random: &random)
    let y = measurement.apply(matrix)
    let small = try Self.method(1, .asymmetric(), iterations: 2_000).recover(from: measurement, observed: y)
    #expect(small.notices.contains { if case .rankTooSmall = $0 { true } else { false } })
    let wild = try Self.method(3, .asymmetric(), iterations: 2_000, step: 100).recover(from: measurement, observed: y)
    #expect(wild.notices == [.stepTooLarge(suggested: 25)])
    let fine = try Self.method(4, .accelerated(), iterations: 2_000).recover(from: measurement, observed: y)
    #expect(fine.notices.isEmpty)
    let wide = try Dense(random.normal([9, 2, 3]))
    #expect(throws: InvalidArgument.self) {
      try Self.method(1, .symmetric, iterations: 5).recover(from: wide, observed: .ones([9]))
    }
    #expect(throws: InvalidArgument.self) {
      try Self.method(1, .asymmetric(), iterations: 5).recover(from: wide, observed: .ones([8]))
    }
    #expect(throws: InvalidArgument.self) {
      try Self.method(1, .asymmetric(), iterations: 5).recover(from: wide, observed: .ones([9]) * .nan)
    }
    #expect(throws: InvalidArgument.self) {
      try Self.method(1, .accelerated(beta: 0), iterations: 5).recover(from: wide, observed: .ones([9]))
    }
    var method = Self.method(1, .asymmetric(), iterations: 5)
    method.initialScale = -1
    #expect(throws: InvalidArgument.self) { try method.recover(from: wide, observed: .ones([9])) }
  }
}
