import LinearAlgebra
import Recovery
import Tensors
import TestSupport
import Testing

@Suite struct RandomSupportRegressionTests {
  /// Rows are random walks: strongly correlated columns.
  static func walks(_ rows: Int, _ columns: Int, _ random: inout RandomStream) -> Tensor<Double> {
    random.normal([rows, columns], of: Double.self).cumulativeSum(axis: 1)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func heavyDirectionsAreTakenOut(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let x = Self.walks(40, 150, &random)
    let slack = 5.0
    let design = try DesignPreconditioner(slack: slack).fit(x)
    #expect(!design.isSaturated && design.dimension > 0)
    let top = try design.unitColumns.multipliedByOwnTranspose().spectralNorm()
    #expect(top <= Double(design.activeCount) / slack * (1 + 1e-8), "seed \(seed)")
    #expect(distance(design.basis.multipliedByOwnTranspose(transposing: true), .identity(design.dimension)) < 1e-10)
    #expect(design.basis.matmul(design.unitColumns, transposingA: true).largestMagnitude < 1e-10)
    #expect(Double(design.dimension) <= slack * Double(design.rounds))
    // U and the columns left make up the design.
    let along = design.basis.matmul(design.basis.matmul(x, transposingA: true))
    #expect(distance(along + design.unitColumns * design.scales, x) < 1e-9)
    #expect(design.unitColumns.norm(axis: 0).scalars.allSatisfy { $0 == 0 || abs($0 - 1) < 1e-12 })
  }

  @Test func independentColumnsAreLeftAlone() throws {
    var random = RandomStream(seed: 5)
    let x: Tensor<Double> = random.normal([60, 240])
    let slack = 0.85 * 60 / (1.5 * 1.5)
    let design = try DesignPreconditioner(slack: slack).fit(x)
    #expect(design.dimension == 0 && design.rounds == 1)
    let y = x[.all, 3].copied() * 2 + random.normal([60]) * 0.1
    var method = RandomSupportRegression(sparsity: 3)
    (method.noise, method.slack) = (.known(0.1), .fixed(slack))
    let ours = try method.fit(x, observed: y)
    method.slack = .none
    let plain = try method.fit(x, observed: y)
    #expect(distance(ours.prediction, plain.prediction) < 1e-12)
    #expect(ours.support.contains(3))
  }

  @Test func scalingRotationAndOrder() throws {
    var random = RandomStream(seed: 6)
    let x = Self.walks(30, 80, &random)
    let y = x[.all, 20].copied() - x[.all, 60].copied() + random.normal([30]) * 0.1
    var method = RandomSupportRegression(sparsity: 2)
    (method.noise, method.slack, method.lasso) = (.known(0.1), .fixed(3), Lasso(tolerance: 1e-14))
    let plain = try method.fit(x, observed: y)
    let scales = random.uniform([80], in: 0.1..<10.0)
    let scaled = try method.fit(x * scales, observed: y)
    #expect(distance(scaled.prediction, plain.prediction) < 1e-6)
    let turn: Tensor<Double> = try random.orthogonal([30, 30])
    let turned = try method.fit(turn.matmul(x), observed: turn.matmul(y))
    #expect(distance(turned.prediction, turn.matmul(plain.prediction)) < 1e-6)
    let order = random.permutation(80)
    let moved = try method.fit(x.gathered(order, axis: 1), observed: y)
    #expect(distance(moved.prediction, plain.prediction) < 1e-6)
    #expect(distance(moved.coefficients, plain.coefficients.gathered(order)) < 1e-4)
  }

  @Test(arguments: 0..<3 as Range<UInt64>) func coefficientsReproduceThePrediction(seed: UInt64) throws {
    var random = RandomStream(seed: seed + 20)
    let x = Self.walks(50, 200, &random)
    let y = x[.all, 50].copied() + x[.all, 120].copied() + random.normal([50]) * 0.1
    for refits in [true, false] {
      var method = RandomSupportRegression(sparsity: 3)
      method.refits = refits
      let fit = try method.fit(x, observed: y)
      #expect(distance(x.matmul(fit.coefficients), fit.prediction) < 1e-8 * y.norm().scalar, "seed \(seed)")
      #expect(fit.scores.count == 5 * 20 * (refits ? 2 : 1))
    }
  }

  @Test func noiselessDataAreFitted() throws {
    var random = RandomStream(seed: 7)
    let x: Tensor<Double> = random.normal([60, 100])
    let y = x[.all, 5].copied() * 3 - x[.all, 77].copied() * 2
    var method = RandomSupportRegression(sparsity: 2)
    (method.noise, method.slack) = (.known(1e-3), .fixed(2))
    let fit = try method.fit(x, observed: y)
    #expect(fit.support == [5, 77] && fit.isRefitted)
    #expect((fit.prediction - y).sumOfSquares().scalar / 60 < 1e-16 * y.sumOfSquares().scalar / 60 + 1e-26)
  }

  @Test func everythingWithoutPenaltyIsLeastSquares() throws {
    var random = RandomStream(seed: 8)
    let x: Tensor<Double> = random.normal([12, 30])
    let y: Tensor<Double> = random.normal([12])
    var method = RandomSupportRegression(sparsity: 2)
    (method.slack, method.dimensionLimit, method.noise) = (.fixed(1e9), 12, .known(0.1))
    let fit = try method.fit(x, observed: y)
    #expect(fit.unpenalizedDimension == 12)
    #expect(distance(fit.prediction, y) < 1e-10)
    #expect(distance(x.matmul(fit.coefficients), y) < 1e-9)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func lassoSatisfiesItsConditions(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    var z = Self.walks(40, 120, &random)
    z = z / z.norm(axes: [0], keepingAxes: true)
    let y: Tensor<Double> = random.normal([40])
    var solver = Lasso(tolerance: 1e-13)
    solver.sweepLimit = 200_000
    let largest = solver.largestPenalty(z, observed: y)
    let penalties = [1.01, 0.5, 0.2, 0.05].map { largest * $0 }
    let path = try solver.path(z, observed: y, penalties: penalties)
    #expect(path.coefficients[0].largestMagnitude == 0)
    for (i, penalty) in penalties.enumerated() {
      let theta = path.coefficients[i].copied()
      let correlations = (y - z.matmul(theta)).matmul(z)
      #expect(correlations.largestMagnitude <= penalty * (1 + 1e-6), "seed \(seed)")
      for j in 0..<120 where theta[at: j] != 0 {
        let wanted = theta[at: j] > 0 ? penalty : -penalty
        #expect(abs(correlations[at: j] - wanted) < 1e-6 * penalty, "seed \(seed)")
      }
      #expect(path.dualityGaps[i] <= 1e-12 * y.sumOfSquares().scalar)
    }
    // One column: soft thresholding.
    let single = try solver.path(z[.all, 0..<1].dense, observed: y, penalties: [0.1])
    let inner = z[.all, 0].copied().dot(y).scalar
    let shrunk = max(abs(inner) - 0.1, 0) * (inner < 0 ? -1 : 1)
    #expect(abs(single.coefficients[at: 0, 0] - shrunk) < 1e-12)
  }

  @Test func preconditioningHelpsOnWalks() throws {
    var random = RandomStream(seed: 9)
    let x = Self.walks(120, 300, &random)
    let unit = x / x.norm(axes: [0], keepingAxes: true)
    let parts = try DesignPreconditioner(slack: 8).fit(x)
    let before = try incoherenceProfile(unit, sparsity: 4, samples: 30, random: &random)
    let after = try incoherenceProfile(parts.unitColumns, sparsity: 4, samples: 30, random: &random)
    #expect(after[15] < before[15])
    #expect(before == before.sorted())
  }

  @Test func pufferMakesRowsOrthonormal() throws {
    var random = RandomStream(seed: 10)
    let x = Self.walks(10, 30, &random)
    let puffed = try pufferTransform(x, observed: .ones([10])).design
    #expect(distance(puffed.multipliedByOwnTranspose(), .identity(10)) < 1e-8)
  }

  @Test func badInputIsNamed() throws {
    var random = RandomStream(seed: 11)
    var x: Tensor<Double> = random.normal([20, 30])
    let y: Tensor<Double> = random.normal([20])
    func fit(_ sparsity: Int, _ change: (inout RandomSupportRegression) -> Void = { _ in }) throws {
      var method = RandomSupportRegression(sparsity: sparsity)
      change(&method)
      _ = try method.fit(x, observed: y)
    }
    #expect(throws: InvalidArgument.self) { try fit(0) }
    #expect(throws: InvalidArgument.self) { try fit(11) }
    #expect(throws: InvalidArgument.self) { try fit(2) { $0.noise = .known(0) } }
    #expect(throws: InvalidArgument.self) { try fit(2) { $0.noise = .crossValidated(folds: 1) } }
    #expect(throws: InvalidArgument.self) {
      try RandomSupportRegression(sparsity: 1).fit(x[0..<1].copied(), observed: .ones([1]))
    }
    #expect(throws: InvalidArgument.self) { try RandomSupportRegression(sparsity: 1).fit(x, observed: y * .nan) }
    // Duplicated columns and a column of zeros.
    x[.all, 4] = x[.all, 3].copied()
    x[.all, 7] = Tensor<Double>.zeros([20])
    let result = try RandomSupportRegression(sparsity: 2).fit(x, observed: y)
    #expect(result.design.emptyColumns == [7])
    #expect(result.coefficients[at: 7] == 0)
    var limited = DesignPreconditioner(slack: 1e6)
    limited.dimensionLimit = 3
    let design = try limited.fit(x)
    #expect(design.isSaturated && design.dimension == 3)
  }

  @Test(arguments: 0..<3 as Range<UInt64>) func theInformationCriterionFindsFewColumns(seed: UInt64) throws {
    var random = RandomStream(seed: seed + 40)
    let x: Tensor<Double> = random.normal([80, 200])
    let y = x[.all, 20].copied() * 2 - x[.all, 120].copied() + random.normal([80]) * 0.2
    var method = RandomSupportRegression(sparsity: 2)
    (method.noise, method.pathLength) = (.informationCriterion(), 60)
    let fit = try method.fit(x, observed: y)
    #expect(fit.support.contains(20) && fit.support.contains(120), "seed \(seed): \(fit.support)")
    #expect(fit.support.count <= 3 && fit.isRefitted, "seed \(seed): \(fit.support)")
    #expect(distance(x.matmul(fit.coefficients), fit.prediction) < 1e-9)
    #expect(distance(fit.predict(x), fit.prediction) < 1e-9)
    // Of pure noise, nothing is left.
    let noise: Tensor<Double> = random.normal([80])
    #expect(try method.fit(x, observed: noise).support.count <= 1)
    method.noise = .informationCriterion(gamma: -1)
    #expect(throws: InvalidArgument.self) { _ = try method.fit(x, observed: y) }
  }

  @Test func fewColumnsCanStandForTheFreeDirections() throws {
    var random = RandomStream(seed: 50)
    let x = Self.walks(40, 150, &random)
    let y = x[.all, 30].copied() - x[.all, 90].copied() + random.normal([40]) * 0.1
    var method = RandomSupportRegression(sparsity: 2)
    (method.noise, method.slack) = (.known(0.1), .fixed(4))
    let least = try method.fit(x, observed: y)
    method.combination = .columns
    let few = try method.fit(x, observed: y)
    #expect(few.unpenalizedDimension > 0)
    #expect(distance(few.prediction, least.prediction) < 1e-10)
    #expect(distance(x.matmul(few.coefficients), few.prediction) < 1e-7 * y.frobeniusNorm())
    #expect((few.coefficients .!= 0).trueCount <= 40 + few.support.count)
    #expect((least.coefficients .!= 0).trueCount > 100)
    method.noise = .crossValidated(folds: 4)
    #expect(distance(x.matmul(try method.fit(x, observed: y).coefficients), y) < 5)
  }
}
