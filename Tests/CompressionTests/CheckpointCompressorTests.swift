import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct CheckpointCompressorTests {
  /// Two groups of matrices that share what they read, some of their own, one that is too thin to factor.
  private func checkpoint(_ generator: inout TestGenerator) throws -> [MatrixSource] {
    var sources: [MatrixSource] = []
    let basis: Tensor<Double> = generator.tensor([40, 8])
    for i in 0..<4 {
      let a = basis.matmul(generator.tensor([8, 40])) + generator.tensor([40, 40]) * 0.1
      sources.append(try MatrixSource(name: "shared\(i)", matrix: Tensor<Float>(a)))
    }
    for i in 0..<3 {
      let values = (0..<30).map { Double.pow(0.6 + 0.15 * Double(i), Double($0)) }
      let a = try matrix(30, 60, values: values, &generator)
      sources.append(try MatrixSource(name: "wide\(i)", matrix: Tensor<Float>(i == 1 ? a.transposed.dense : a)))
    }
    sources.append(try MatrixSource(name: "thin", matrix: generator.tensor([1, 50])))
    return sources
  }

  private static let methods: [any CheckpointCompressor] = [
    TruncatedSVD(), WeLore(), WeLore(rule: .energy), WeLore(minimumReduction: 0.5), ConcatenatedSVD(),
    ConcatenatedSVD(sharedSide: .right),
  ]

  /// Carries out a plan and returns each group's relative error.
  private func errors(_ plan: CompressionPlan, _ sources: [MatrixSource]) throws -> [Double] {
    let table = Dictionary(uniqueKeysWithValues: sources.map { ($0.name, $0) })
    var errors: [Double] = []
    var kept = 0
    let load: @Sendable (String) throws -> Tensor<Float> = { try #require(table[$0]).load() }
    try plan.execute(loading: load) { group, factors in
      #expect(factors.count == (group.rank == nil ? 0 : group.members.count))
      var missed = 0.0
      var total = 0.0
      for member in group.members {
        let matrix = try #require(table[member.name]).load()
        let norm = Double(matrix.frobeniusNorm())
        total += norm * norm
        guard let factor = factors[member.name] else { continue }
        #expect(factor.rows == member.rows && factor.columns == member.columns && factor.rank == group.rank)
        let error = factor.relativeError(to: matrix) * norm
        missed += error * error
      }
      if let first = factors[group.members[0].name] {
        for factor in factors.values {
          #expect(group.sharedSide == .left ? factor.left == first.left : factor.right == first.right)
        }
        kept +=
          first.rank
          * ((group.sharedSide == .left ? first.rows : first.columns)
            + factors.values.reduce(0) {
              $0 + (group.sharedSide == .left ? $1.columns : $1.rows)
            })
      } else {
        kept += group.members.reduce(0) { $0 + $1.count }
      }
      let error = total > 0 ? (missed / total).squareRoot() : 0
      if let predicted = group.predictedError { #expect(abs(predicted - error) < 1e-5) }
      errors.append(error)
    }
    #expect(kept == plan.keptParameters)
    #expect(Set(plan.groups.flatMap { $0.members.map(\.name) }) == Set(sources.map(\.name)))
    #expect(plan.groups.reduce(0) { $0 + $1.members.count } == sources.count)
    return errors
  }

  @Test(arguments: 0..<6)
  func budgetsHold(method index: Int) throws {
    var generator = TestGenerator(seed: 1)
    let sources = try checkpoint(&generator)
    let method = Self.methods[index]
    var last = -1.0
    for ratio in [1, 0.8, 0.5, 0.3] {
      let plan = try method.plan(for: sources, budget: .keepingParameters(ratio))
      #expect(plan.keptFraction <= ratio, "\(method)")
      #expect(plan.originalParameters == sources.reduce(0) { $0 + $1.shape.count })
      let worst = try #require(errors(plan, sources).max())
      #expect(worst >= last - 1e-6, "\(method): a smaller budget is not better")
      last = worst
      for group in plan.groups {
        if let rank = group.rank { #expect(group.keptParameters < group.originalParameters && rank >= 1) }
      }
    }
    var kept = 2.0
    for error in [0, 0.05, 0.2, 0.6] {
      let plan = try method.plan(for: sources, budget: .relativeError(error))
      #expect(try errors(plan, sources).allSatisfy { $0 <= error + 1e-5 }, "\(method), error \(error)")
      #expect(plan.keptFraction <= kept)
      kept = plan.keptFraction
    }
    #expect(kept < 0.5)
    let plan = try method.plan(for: sources, budget: .rank(5))
    _ = try errors(plan, sources)
    if method is TruncatedSVD || method is ConcatenatedSVD {
      #expect(plan.groups.allSatisfy { $0.rank == nil || $0.rank == 5 })
    } else {
      let dense = plan.groups.filter { $0.rank == nil }.count
      #expect(dense > 0 && plan.groups.reduce(0) { $0 + ($1.rank ?? 0) } <= 5 * 7 + 1)
    }
    #expect(plan.groups.contains { $0.members[0].name == "thin" && $0.rank == nil }, "one row is its own factor")
  }

  @Test func sharingPaysWhereMatricesShare() throws {
    var generator = TestGenerator(seed: 2)
    let sources = try checkpoint(&generator)
    let shared = try ConcatenatedSVD().plan(for: sources, budget: .relativeError(0.2))
    let alone = try TruncatedSVD().plan(for: sources, budget: .relativeError(0.2))
    #expect(shared.groups.contains { Set($0.members.map(\.name)) == ["shared0", "shared1", "shared2", "shared3"] })
    #expect(Double(shared.keptParameters) < 0.9 * Double(alone.keptParameters))
    // Under a parameter budget the largest error cannot rise by sharing.
    let single = try WeLore(rule: .energy).plan(for: sources, budget: .keepingParameters(0.3))
    let joint = try ConcatenatedSVD().plan(for: sources, budget: .keepingParameters(0.3))
    func worst(_ plan: CompressionPlan) -> Double { plan.groups.compactMap(\.predictedError).max() ?? .nan }
    #expect(worst(joint) < worst(single))
    // The transposed matrices share on the other side.
    let turned = try sources.map { source in
      try MatrixSource(name: source.name, matrix: try source.load().transposed.dense)
    }
    let right = try ConcatenatedSVD(sharedSide: .right).plan(for: turned, budget: .relativeError(0.2))
    #expect(right.keptParameters == shared.keptParameters)
  }

  @Test func concatenationAtAFixedRank() throws {
    var generator = TestGenerator(seed: 3)
    let sources = try checkpoint(&generator)
    let plan = try ConcatenatedSVD(tolerance: 0.3).plan(for: sources, budget: .rank(8))
    for group in plan.groups { #expect((group.predictedError ?? .nan) <= 0.3) }
    #expect(plan.groups.contains { $0.isShared })
    let strict = try ConcatenatedSVD(tolerance: 0).plan(for: sources, budget: .rank(8))
    #expect(strict.groups.allSatisfy { !$0.isShared })
  }

  @Test func uniformFractionIsTheLargest() throws {
    var generator = TestGenerator(seed: 4)
    let sources = try (0..<3).map { try MatrixSource(name: "w\($0)", matrix: generator.tensor([20, 20 * ($0 + 1)])) }
    let plan = try TruncatedSVD().plan(for: sources, budget: .keepingParameters(0.5))
    // All short sides are 20: one rank for all, the largest with r (40 + 60 + 80) <= 0.5 * 2400.
    #expect(plan.groups.map(\.rank) == [6, 6, 6])
  }

  @Test func badInput() throws {
    var generator = TestGenerator(seed: 5)
    let source = try MatrixSource(name: "w", matrix: generator.tensor([8, 8]))
    let budgets: [CompressionBudget] = [
      .keepingParameters(0), .keepingParameters(1.2), .keepingParameters(.nan), .rank(0), .relativeError(-0.1),
      .relativeError(1), .relativeError(.nan),
    ]
    for method in Self.methods {
      for budget in budgets {
        #expect(throws: InvalidArgument.self) { try method.plan(for: [source], budget: budget) }
      }
      #expect(throws: InvalidArgument.self) { try method.plan(for: [], budget: .rank(1)) }
      #expect(throws: InvalidArgument.self) { try method.plan(for: [source, source], budget: .rank(1)) }
      let error = #expect(throws: InvalidArgument.self) {
        try method.plan(for: [source], budget: .keepingParameters(0.1))
      }
      #expect(error?.wanted.contains("0.25") == true, "the least possible is 16 of 64: \(String(describing: error))")
      let least = try method.plan(for: [source], budget: .keepingParameters(0.25))
      #expect(least.groups[0].rank == 1)
    }
    #expect(throws: InvalidArgument.self) { try MatrixSource(name: "v", shape: [3]) { .zeros([3]) } }
    #expect(throws: InvalidArgument.self) { try ConcatenatedSVD(tolerance: -1).plan(for: [source], budget: .rank(1)) }
    #expect(throws: InvalidArgument.self) { try ConcatenatedSVD(patience: 0).plan(for: [source], budget: .rank(1)) }
    let lying = try MatrixSource(name: "w", shape: [4, 4]) { .zeros([4, 5]) }
    let error = #expect(throws: InvalidArgument.self) { try WeLore().plan(for: [lying], budget: .rank(1)) }
    #expect(error?.name == "w")
    let broken = try MatrixSource(name: "w", shape: [2, 2]) { Tensor<Float>([[1, .infinity], [0, 0]]) }
    #expect(throws: InvalidArgument.self) { try ConcatenatedSVD().plan(for: [broken], budget: .rank(1)) }
    let plan = try TruncatedSVD().plan(for: [source], budget: .rank(1))
    #expect(throws: InvalidArgument.self) { try plan.factor(plan.groups[0]) { _ in .zeros([2, 2]) } }
  }
}
