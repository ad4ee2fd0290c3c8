import Compression
import Convolutions
import LinearAlgebra
import Networks
import Tensors
import TestSupport
import Testing

/// A Gram matrix of contributions whose dependence can be chosen.
private func randomGram(_ seed: UInt64, components: Int = 7, outputs: Int = 40) throws -> ComponentGram {
  var generator = TestGenerator(seed: seed)
  let contributions: Tensor<Double> = generator.tensor([components, outputs])
  return try ComponentGram(contributions.multipliedByOwnTranspose())
}

@Suite struct ComponentGramTests {
  /// E⟨y_c, y_d⟩ from the contributions themselves.
  private func explicit(_ contributions: [Tensor<Double>], examples: Int) -> Tensor<Double> {
    let rows = Tensor.stacked(contributions.map { $0.reshaped([-1]) })
    return rows.multipliedByOwnTranspose() / Double(examples)
  }

  @Test(arguments: 0..<4)
  func denseLayersAndBlocks(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (outputs, count, examples) = (5, 6, 11)
    for width in [1, 3] {
      let w: Tensor<Double> = generator.tensor([outputs, count * width])
      let x: Tensor<Double> = generator.tensor([examples, 2, count * width])
      var moments = InputMoments<Double>(components: count, width: width)
      try moments.add(x[0..<4])
      try moments.add(x[4...])
      let gram = try ComponentGram(weight: w, moments: moments)
      let parts = (0..<count).map { c -> Tensor<Double> in
        let range = c * width..<(c + 1) * width
        return x[.all, .all, range].matmul(w[.all, range], transposingB: true)
      }
      let wanted = explicit(parts, examples: examples)
      #expect(distance(gram.matrix, wanted) < 1e-9, "seed \(seed), width \(width)")
      let y = x.matmul(w, transposingB: true)
      #expect(abs(gram.total - y.sumOfSquares().scalar / Double(examples)) < 1e-9)
      let share = (parts[2] * y).sum().scalar / Double(examples)
      #expect(abs(gram.shares[at: 2] - share) < 1e-9)
      let centred = try ComponentGram(weight: w, moments: moments, isCentred: true)
      let around = parts.map { $0 - $0.mean(axes: [0, 1], keepingAxes: true) }
      #expect(distance(centred.matrix, explicit(around, examples: examples)) < 1e-9)
    }
  }

  @Test func convolutions() throws {
    var generator = TestGenerator(seed: 3)
    let filters: Tensor<Double> = generator.tensor([4, 3, 3, 2])
    let x: Tensor<Double> = generator.tensor([19, 3, 6, 7])
    for options in [
      ConvolutionOptions(), .init(padding: 1), .init(padding: [2, 0]), .init(padding: [3, 2]),
      .init(stride: 2, padding: [1, 0]), .init(stride: [1, 2], dilation: 2),
    ] {
      var moments = try InputMoments<Double>(convolutionOf: filters.shape, options)
      try moments.add(x[0..<10])
      try moments.add(x[10...])
      let gram = try ComponentGram(weight: filters, moments: moments)
      let parts = (0..<3).map { c in x[.all, c..<(c + 1)].convolved(with: filters[.all, c..<(c + 1)], options) }
      #expect(distance(gram.matrix, explicit(parts, examples: 19)) < 1e-9, "\(options)")
      let y = x.convolved(with: filters, options).sumOfSquares().scalar / 19
      #expect(abs(gram.total - y) < 1e-9 * y)
      let centred = try ComponentGram(weight: filters, moments: moments, isCentred: true)
      let around = parts.map { $0 - $0.mean(axes: [0, 2, 3], keepingAxes: true) }
      #expect(distance(centred.matrix, explicit(around, examples: 19)) < 1e-9, "\(options), centred")
    }
  }

  /// Windows that the image fills alone or not at all, and filters of one row.
  @Test(arguments: [[3, 3], [1, 3], [2, 1], [5, 4]]) func smallImages(kernel: [Int]) throws {
    var generator = TestGenerator(seed: 5)
    for extents in [[3, 3], [5, 4], [2, 2], [1, 3]] {
      let options = ConvolutionOptions(padding: [2, 2])
      let filters: Tensor<Double> = generator.tensor([2, 2] + kernel)
      let x: Tensor<Double> = generator.tensor([3, 2] + extents)
      var moments = try InputMoments<Double>(convolutionOf: filters.shape, options)
      try moments.add(x)
      let gram = try ComponentGram(weight: filters, moments: moments)
      let parts = (0..<2).map { c in x[.all, c..<(c + 1)].convolved(with: filters[.all, c..<(c + 1)], options) }
      #expect(distance(gram.matrix, explicit(parts, examples: 3)) < 1e-9, "\(extents)")
    }
    var moments = try InputMoments<Double>(convolutionOf: [2, 2, 3, 3], ConvolutionOptions())
    #expect(throws: InvalidArgument.self) { try moments.add(.ones([1, 2, 2, 2])) }
  }

  @Test func attentionHeads() throws {
    var random = RandomStream(seed: 4)
    let attention = Attention<Double>(12, heads: 3, isCausal: true, random: &random)
    let x: Tensor<Double> = random.normal([4, 5, 12])
    let gram = try ComponentGram(headsOf: attention, inputs: x)
    let parts = (0..<3).map { head -> Tensor<Double> in
      var single = attention
      let mask = Tensor<Double>((0..<12).map { $0 / 4 == head ? 1 : 0 })
      single.outputProjection = Linear(weight: attention.outputProjection.weight * mask)
      return single(x, in: .inference)
    }
    #expect(distance(gram.matrix, explicit(parts, examples: 4)) < 1e-9)
  }

  @Test func groupsAddUp() throws {
    let (a, b) = (try randomGram(1), try randomGram(2))
    let both = try ComponentGram(sumOf: [a, b])
    #expect(distance(both.matrix, a.matrix + b.matrix) < 1e-12)
    #expect(throws: InvalidArgument.self) { try ComponentGram(sumOf: [a, try randomGram(3, components: 6)]) }
    #expect(throws: InvalidArgument.self) { try ComponentGram(sumOf: []) }
  }

  @Test func badInput() throws {
    #expect(throws: InvalidArgument.self) { try ComponentGram(Tensor<Double>.zeros([3, 3])) }
    #expect(throws: InvalidArgument.self) { try ComponentGram(Tensor<Double>.ones([3, 2])) }
    #expect(throws: InvalidArgument.self) { try ComponentGram(Tensor<Double>([[1, .nan], [.nan, 1]])) }
    var moments = InputMoments<Float>(components: 3)
    #expect(throws: InvalidArgument.self) { try ComponentGram(weight: Tensor<Float>.ones([2, 3]), moments: moments) }
    #expect(throws: InvalidArgument.self) { try moments.add(.ones([4, 2])) }
    #expect(throws: InvalidArgument.self) { try moments.add(Tensor([[1, .nan, 0]])) }
    #expect(moments.exampleCount == 0)
    try moments.add(.ones([2, 3]))
    #expect(throws: InvalidArgument.self) { try ComponentGram(weight: Tensor<Float>.ones([2, 4]), moments: moments) }
    #expect(throws: InvalidArgument.self) { try ComponentGram(weight: Tensor<Float>.zeros([2, 3]), moments: moments) }
    #expect(throws: InvalidArgument.self) { try InputMoments<Float>(convolutionOf: [4, 2, 3, 3], .init(groups: 2)) }
  }
}

@Suite struct SubsetFidelityTests {
  @Test(arguments: 0..<8)
  func boundedMonotoneAndFullAtOne(seed: UInt64) throws {
    let gram = try randomGram(seed)
    var generator = TestGenerator(seed: seed)
    let order = (0..<7).shuffled(using: &generator)
    var last = 0.0
    for k in 0...7 {
      let f = try subsetFidelity(gram, of: Array(order.prefix(k)), ridge: 0)
      #expect(f.fidelity >= last - 1e-12 && f.fidelity <= 1, "seed \(seed)")
      last = f.fidelity
      if k == 7 {
        #expect(abs(f.fidelity - 1) < 1e-12)
        #expect(f.scales.allSatisfy { abs($0 - 1) < 1e-9 }, "seed \(seed)")
      }
    }
    for c in 0..<7 {
      let single = try subsetFidelity(gram, of: [c], ridge: 0).fidelity
      #expect(abs(single - gram.singletonFidelities[c]) < 1e-12)
    }
    #expect(try subsetFidelity(gram, of: []).fidelity == 0)
  }

  /// The error as a function of the scales is least at δ*.
  @Test(arguments: 0..<4)
  func scalesAreStationary(seed: UInt64) throws {
    let gram = try randomGram(seed)
    let subset = [0, 2, 5]
    let f = try subsetFidelity(gram, of: subset, ridge: 0)
    func error(_ scales: [Double]) -> Double {
      var all = [Double](repeating: 0, count: 7)
      for (c, s) in zip(subset, scales) { all[c] = s }
      let rest = 1 - Tensor(all)
      return rest.dot(gram.matrix.matmul(rest)).scalar / gram.total
    }
    #expect(abs(error(f.scales) - (1 - f.fidelity)) < 1e-12)
    for i in subset.indices {
      var (up, down) = (f.scales, f.scales)
      up[i] += 1e-4
      down[i] -= 1e-4
      #expect(abs(error(up) - error(down)) < 1e-10, "seed \(seed)")
      #expect(error(up) > error(f.scales))
    }
  }

  @Test func scalingAComponentIsAbsorbed() throws {
    let gram = try randomGram(11)
    let factors = Tensor<Double>([1, 3, 1, 1, 0.5, 1, 1])
    // Contribution c times f_c, while the output stays: b scales with f, G with f on both sides.
    let subset = [1, 3, 4]
    let f = try subsetFidelity(gram, of: subset, ridge: 0)
    let own = Tensor<Int>(subset)
    let scaled = (gram.matrix * factors * factors.expanded(axis: 1)).gathered(own).gathered(own, axis: 1)
    let shares = (gram.shares * factors).gathered(own)
    let scales = try CholeskyDecomposition(of: scaled).solve(shares)
    #expect(abs(scales.dot(shares).scalar / gram.total - f.fidelity) < 1e-12)
    for (i, c) in subset.enumerated() { #expect(abs(scales[at: i] * factors[at: c] - f.scales[i]) < 1e-10) }
  }

  @Test(arguments: 0..<6)
  func uncorrelatedContributionsAreChosenBySingletons(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let energies = (0..<9).map { _ in Double.random(in: 0.1...2, using: &generator) }
    let gram = try ComponentGram(Tensor(diagonal: Tensor(energies)))
    for count in 1...9 {
      let sets = try SelectionRule.allCases.map { try selectComponents(gram, .count(count), rule: $0, ridge: 0).kept }
      #expect(Set(sets).count == 1, "seed \(seed), \(count)")
    }
  }

  /// Against trying everything; greedy and backward against solving anew for each candidate.
  @Test(arguments: 0..<6)
  func rulesDoWhatTheySay(seed: UInt64) throws {
    let gram = try randomGram(seed + 20)
    func fidelity(_ subset: [Int]) throws -> Double { try subsetFidelity(gram, of: subset, ridge: 0).fidelity }
    var greedy: [Int] = []
    var backward = Array(0..<7)
    let run = greedyFidelities(gram, ridge: 0)
    for count in 1...7 {
      let next = try (0..<7).filter { !greedy.contains($0) }.max {
        try fidelity(greedy + [$0]) < fidelity(greedy + [$1])
      }
      greedy.append(next ?? 0)
      let chosen = try selectComponents(gram, .count(count), rule: .greedy, ridge: 0)
      #expect(chosen.kept == greedy.sorted(), "seed \(seed)")
      #expect(abs(run.fidelities[count] - chosen.fidelity) < 1e-10 && run.order[count - 1] == next)
      let best = try selectComponents(gram, .count(count), rule: .exhaustive, ridge: 0)
      for rule in SelectionRule.allCases {
        #expect(try selectComponents(gram, .count(count), rule: rule, ridge: 0).fidelity <= best.fidelity + 1e-12)
      }
    }
    for count in stride(from: 6, through: 1, by: -1) {
      let gone = try backward.max { c, d in
        try fidelity(backward.filter { $0 != c }) < fidelity(backward.filter { $0 != d })
      }
      backward.removeAll { $0 == gone }
      #expect(try selectComponents(gram, .count(count), rule: .backward, ridge: 0).kept == backward, "seed \(seed)")
    }
  }

  @Test(arguments: 0..<4)
  func levels(seed: UInt64) throws {
    let gram = try randomGram(seed + 40, components: 10)
    for level in [0.02, 0.2, 0.6] {
      for rule in SelectionRule.allCases {
        let chosen = try selectComponents(gram, .level(level), rule: rule, ridge: 0)
        #expect(chosen.fidelity >= 1 - level - 1e-9, "\(rule), seed \(seed)")
        if rule != .singleton, chosen.kept.count > 1 {
          let less = try selectComponents(gram, .count(chosen.kept.count - 1), rule: rule, ridge: 0)
          #expect(less.fidelity < 1 - level + 1e-9, "\(rule), seed \(seed)")
        }
      }
    }
  }

  /// Two equal channels: by themselves both are good, together one of them with scale two is enough.
  @Test func duplicatedChannels() throws {
    var generator = TestGenerator(seed: 8)
    let one: Tensor<Double> = generator.tensor([30])
    let other: Tensor<Double> = generator.tensor([30])
    let rest = other - one * (one.dot(other).scalar / one.sumOfSquares().scalar)
    let gram = try ComponentGram(Tensor.stacked([one, one, rest * 0.3]).multipliedByOwnTranspose())
    let singles = try selectComponents(gram, .count(2), rule: .singleton)
    #expect(singles.kept == [0, 1])
    let greedy = try selectComponents(gram, .count(2), rule: .greedy)
    #expect(greedy.kept == [0, 2])
    #expect(abs(greedy.scales[0] - 2) < 1e-4 && abs(greedy.scales[1] - 1) < 1e-4 && greedy.fidelity > 0.999999)
    #expect(try selectComponents(gram, .count(2), rule: .backward).kept == [0, 2])
  }

  @Test func silentComponents() throws {
    let gram = try ComponentGram(Tensor(diagonal: Tensor([1, 0, 1e-15])))
    #expect(gram.singletonFidelities[1] == 0 && gram.singletonFidelities[2] == 0)
    #expect(try selectComponents(gram, .count(2)).kept == [0, 1], "ties by index")
  }

  @Test func badInput() throws {
    let gram = try randomGram(1)
    for size: SelectionSize in [.count(0), .count(8), .level(-0.1), .level(1), .level(.nan)] {
      #expect(throws: InvalidArgument.self) { try selectComponents(gram, size) }
    }
    #expect(throws: InvalidArgument.self) { try subsetFidelity(gram, of: [0, 0]) }
    #expect(throws: InvalidArgument.self) { try subsetFidelity(gram, of: [7]) }
    #expect(throws: InvalidArgument.self) { try subsetFidelity(gram, of: [1], ridge: -1) }
    let large = try randomGram(1, components: 17)
    #expect(throws: InvalidArgument.self) { try selectComponents(large, .count(2), rule: .exhaustive) }
  }
}
