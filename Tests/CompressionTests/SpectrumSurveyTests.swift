import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// WeLore: spectra, thresholds, ranks.
@Suite struct SpectrumSurveyTests {
  typealias Named = [(name: String, matrix: Tensor<Double>)]

  private func network(_ generator: inout TestGenerator) throws -> Named {
    try (0..<6).map { i in
      let (m, n) = (Int.random(in: 4...24, using: &generator), Int.random(in: 4...24, using: &generator))
      let decay = Double.random(in: 0.5...0.99, using: &generator)
      let scale = Double.random(in: 0.1...10, using: &generator)
      let values = (0..<min(m, n)).map { scale * Double.pow(decay, Double($0)) }
      return ("w\(i)", try matrix(m, n, values: values, &generator))
    }
  }

  private func count(_ values: [Double], atLeast tau: Double) -> Int {
    max(1, values.count { $0 >= (tau - 1e-14) * values[0] })
  }

  private func stored(_ shape: MatrixShape, _ rank: Int) -> Int {
    min(shape.count, rank * (shape.rows + shape.columns))
  }

  @Test(arguments: 0..<20)
  func bisectionFindsWhatAScanOfAllValuesFinds(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let survey = try SpectrumSurvey(named: network(&generator))
    let entries = survey.entries
    let candidates = entries.flatMap(\.normalizedValues).sorted()
    func ranks(_ tau: Double) -> [Int] { entries.map { count($0.singularValues, atLeast: tau) } }
    func kept(_ tau: Double) -> Double {
      let total = zip(entries, ranks(tau)).reduce(0) { $0 + stored($1.0.shape, $1.1) }
      return Double(total) / Double(survey.parameterCount)
    }
    func reduction(_ tau: Double) -> Double {
      1 - Double(ranks(tau).reduce(0, +)) / Double(survey.fullRank)
    }
    for target in [0.3, 0.5, 0.7, 0.9] {
      if let first = candidates.first(where: { kept($0) <= target }) {
        let plan = try survey.allocateRanks(.parameters(target))
        #expect(plan.threshold == first && plan.entries.map(\.rank) == ranks(first), "seed \(seed), kept \(target)")
        #expect(plan.keptFraction <= target)
        if let below = candidates.last(where: { $0 < first - 1e-13 }) { #expect(kept(below) > target) }
      } else {
        #expect(throws: InvalidArgument.self) { try survey.allocateRanks(.parameters(target)) }
      }
      if let first = candidates.first(where: { reduction($0) >= target }) {
        let plan = try survey.allocateRanks(.rankReduction(target))
        #expect(
          plan.threshold == first && plan.entries.map(\.rank) == ranks(first), "seed \(seed), reduction \(target)")
        #expect(plan.rankReduction >= target - 1e-15)
      }
    }
  }

  @Test(arguments: 0..<8)
  func ranksIgnoreScaleTranspositionAndRotation(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let named = try network(&generator)
    let changes: [(Int, Tensor<Double>) throws -> Tensor<Double>] = [
      { i, a in a * Double(i + 1) * 0.37 },
      { _, a in a.transposed },
      { _, a in try orthogonal(a.rows, &generator).matmul(a).matmul(orthogonal(a.columns, &generator)) },
    ]
    for rule in [RankRule.normalizedThreshold, .energy, .uniform] {
      let plan = try SpectrumSurvey(named: named).allocateRanks(.parameters(0.6), rule: rule)
      for change in changes {
        let changed = try named.enumerated().map { (name: $1.name, matrix: try change($0, $1.matrix)) }
        let again = try SpectrumSurvey(named: changed).allocateRanks(.parameters(0.6), rule: rule)
        #expect(again.entries.map(\.rank) == plan.entries.map(\.rank), "seed \(seed), \(rule)")
        #expect(abs(again.threshold - plan.threshold) < 1e-12)
      }
    }
  }

  @Test func equalSpectraGetEqualRanksAsUniform() throws {
    var generator = TestGenerator(seed: 3)
    let values = (0..<16).map { Double.exp(-0.2 * Double($0)) }
    let named = try (0..<5).map { (name: "w\($0)", matrix: try matrix(16, 16, values: values, &generator)) }
    let survey = try SpectrumSurvey(named: named)
    for target in [0.2, 0.5, 0.8] {
      let plans = try [RankRule.normalizedThreshold, .energy, .uniform, .outlierWeighted(spread: 0)].map {
        try survey.allocateRanks(.parameters(target), rule: $0).entries.map(\.rank)
      }
      #expect(Set(plans[0]).count == 1, "\(plans[0])")
      for plan in plans { #expect(plan == plans[0]) }
    }
  }

  @Test(arguments: [1e-12, 1e-3, 0.5, 1])
  func rankOneAndZeroMatricesKeepOneDirection(tau: Double) throws {
    var generator = TestGenerator(seed: 5)
    let column: Tensor<Double> = generator.tensor([9])
    let row: Tensor<Double> = generator.tensor([7])
    let one = column.outer(row)
    let survey = try SpectrumSurvey(named: [(name: "one", matrix: one), (name: "zero", matrix: .zeros([5, 6]))])
    #expect(try survey.ranks(atNormalizedThreshold: tau).entries.map(\.rank) == [1, 1])
    let single = try SpectrumSurvey(named: [(name: "one", matrix: Tensor<Float>(one))])
    #expect(try single.ranks(atNormalizedThreshold: max(tau, 1e-6)).entries.map(\.rank) == [1])
  }

  @Test func energyRuleKeepsTheSameShareEverywhere() throws {
    var generator = TestGenerator(seed: 8)
    let survey = try SpectrumSurvey(named: network(&generator))
    let plan = try survey.allocateRanks(.parameters(0.6), rule: .energy)
    for (entry, planned) in zip(survey.entries, plan.entries) {
      let squares = entry.singularValues.map { $0 * $0 }
      let total = squares.reduce(0, +)
      let share = squares.prefix(planned.rank).reduce(0, +) / total
      #expect(share >= plan.threshold - 1e-12)
      if planned.rank > 1 { #expect(squares.prefix(planned.rank - 1).reduce(0, +) / total < plan.threshold + 1e-12) }
    }
  }

  @Test func outliersRaiseTheFraction() throws {
    var generator = TestGenerator(seed: 9)
    let plain: Tensor<Double> = generator.tensor([20, 20])
    var spiked = plain
    for i in 0..<12 { spiked[at: i, (7 * i) % 20] = 40 }
    let survey = try SpectrumSurvey(named: [(name: "plain", matrix: plain), (name: "spiked", matrix: spiked)])
    #expect(survey.entries[0].outlierShare == 0 && survey.entries[1].outlierShare > 0)
    let plan = try survey.allocateRanks(.parameters(0.6), rule: .outlierWeighted(spread: 0.1))
    #expect(plan.entries[1].rank > plan.entries[0].rank && plan.keptFraction <= 0.6)
  }

  @Test func componentsAndParameters() throws {
    var generator = TestGenerator(seed: 11)
    let steep = (0..<20).map { Double.pow(0.5, Double($0)) }
    let flat = (0..<20).map { 1 - 0.01 * Double($0) }
    let named: Named = [
      ("steep", try matrix(20, 20, values: steep, &generator)), ("flat", try matrix(20, 20, values: flat, &generator)),
      ("wide", try matrix(20, 80, values: flat, &generator)),
    ]
    let survey = try SpectrumSurvey(named: named)
    // At this threshold: rank 1 of 20, all of 20, and 14 of 20, whose factors are smaller (1400 of 1600 numbers).
    let plan = try survey.ranks(atNormalizedThreshold: 0.865)
    #expect(plan.entries.map(\.rank) == [1, 14, 14])
    #expect(plan.entries.map(\.component) == [.lowRank, .notLowRank, .lowRank])
    #expect(plan.parameters(of: .lowRank) == 1 * 40 + 14 * 100 && plan.parameters(of: .notLowRank) == 400)
    // The paper's fixed fraction leaves the wide one dense, and the budget counts it so.
    let strict = try survey.ranks(atNormalizedThreshold: 0.865, minimumReduction: 0.5)
    #expect(strict["wide"]?.component == .notLowRank && strict.parameters(of: .lowRank) == 40)
    let budgeted = try survey.allocateRanks(.parameters(0.5), minimumReduction: 0.5)
    #expect(budgeted.keptFraction <= 0.5)

    let applied = try plan.applied(to: named)
    #expect(applied.map(\.name) == ["steep", "flat", "wide"])
    #expect(applied[1].matrix.reconstructed() == named[1].matrix, "a matrix that stays dense is not touched")
    for (entry, part) in zip(plan.entries, applied) {
      #expect(part.matrix.parameterCount == entry.keptParameters)
      let original = try #require(named.first { $0.name == part.name }).matrix
      let error = (part.matrix.reconstructed() - original).frobeniusNorm() / original.frobeniusNorm()
      #expect(abs(error - entry.relativeError) < 1e-10)
      let x: Tensor<Double> = generator.tensor([original.columns])
      #expect(distance(part.matrix.apply(x), part.matrix.reconstructed().matmul(x)) < 1e-12)
    }
  }

  @Test func ladderKeepsWhatTheThresholdAllows() throws {
    var generator = TestGenerator(seed: 12)
    let a: Tensor<Double> = generator.tensor([20, 30])
    #expect(try ReconstructionLadder(threshold: 0).rank(of: a) == 20)
    #expect(try ReconstructionLadder(threshold: 10).rank(of: a) == 2)
    let svd = try SingularValueDecomposition(of: a)
    func error(_ rank: Int) -> Double { (a - svd.reconstructed(rank: rank)).absolute().mean().scalar }
    let threshold = error(10)
    #expect(try ReconstructionLadder(threshold: threshold * 1.0001).rank(of: a) == 10)
    #expect(try ReconstructionLadder(threshold: threshold * 0.9999).rank(of: a) == 12)
  }

  @Test func badInput() throws {
    var generator = TestGenerator(seed: 13)
    let a: Tensor<Double> = generator.tensor([6, 6])
    let survey = try SpectrumSurvey(named: [(name: "a", matrix: a)])
    for target in [0, 1, -0.5, 1.5, .nan] {
      #expect(throws: InvalidArgument.self) { try survey.allocateRanks(.parameters(target)) }
      #expect(throws: InvalidArgument.self) { try survey.allocateRanks(.rankReduction(target)) }
    }
    for minimum in [-0.1, 1, .nan] {
      #expect(throws: InvalidArgument.self) { try survey.allocateRanks(.parameters(0.5), minimumReduction: minimum) }
    }
    #expect(throws: InvalidArgument.self) {
      try survey.allocateRanks(.parameters(0.5), rule: .outlierWeighted(spread: -1))
    }
    let named: Named = []
    #expect(throws: InvalidArgument.self) { try SpectrumSurvey(named: named) }
    let wrong: [Tensor<Double>] = [Tensor([1, 2, 3]), Tensor([[1, .nan]]), .zeros([0, 3]), .zeros([2, 2, 2])]
    for matrix in wrong {
      let error = #expect(throws: InvalidArgument.self) { try SpectrumSurvey(named: [(name: "layer", matrix: matrix)]) }
      #expect(error?.name == "layer")
    }
    #expect(throws: InvalidArgument.self) {
      try SpectrumSurvey(named: [(name: "a", matrix: a), (name: "a", matrix: a)])
    }
    // All of rank one is 12 of 36 numbers: the message says what is possible, and that is possible.
    let error = #expect(throws: InvalidArgument.self) { try survey.allocateRanks(.parameters(0.2)) }
    #expect(error?.wanted.contains("0.3334") == true, "\(String(describing: error))")
    #expect(try survey.allocateRanks(.parameters(0.3334)).entries.map(\.rank) == [1])
    let plan = try survey.allocateRanks(.parameters(0.5))
    #expect(throws: InvalidArgument.self) { try plan.applied(to: [(name: "b", matrix: a)]) }
    #expect(throws: InvalidArgument.self) { try plan.applied(to: [(name: "a", matrix: a[0..<3, .all])]) }
  }
}
