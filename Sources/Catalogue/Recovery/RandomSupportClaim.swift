import CatalogueCore
import LinearAlgebra
import Numerics
import Recovery
import SpecialFunctions
import Tensors

/// The experiment behind `apus reproduce random-support-regression`.
struct RandomSupportClaim {
  let settings: ClaimSettings
  private let columns = 512
  private let sparsity = 6
  private let deviation = 0.2

  enum Design: String, CaseIterable {
    case smooth, tree
    case independent
    /// The smooth design with a support that is not random: neighbours of alternating signs.
    case adversarial
  }

  private struct Run: Sendable {
    /// With penalties down to 0.02 of the largest, and down to 0.003.
    var lasso, deepLasso: Double
    var pursuit, ours, oracle: Double
    var slack: Double, dimension: Int
    var before: [Double], after: [Double]
  }

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    let seeds = settings.size(quick: 3, full: 20)
    var cases: [(Design, Int)] = [(.smooth, 80), (.smooth, 160), (.tree, 80), (.tree, 160), (.adversarial, 160)]
    if settings.isFull { cases.append((.independent, 160)) }
    let designs = cases
    let runs = try parallelMap(cases.count * seeds) { i in
      let (c, seed) = i.quotientAndRemainder(dividingBy: seeds)
      return try run(designs[c].0, rows: designs[c].1, seed: UInt64(seed))
    }
    try settings.progress.report(1, of: 1)
    var table = Table(
      "Mean squared error of the fit, 512 columns, 6 in the model; means of \(seeds) seeds",
      columns: [
        "design", "rows", "lasso*", "lasso*, long path", "matching pursuit*", "ours, cross-validated", "oracle",
        "lasso* / ours", "t", "dim U",
      ],
      caption: "* with the penalty, or number of columns, and refitting that are best for the truth.")
    var errors: [Double] = []
    for (c, item) in cases.enumerated() {
      let own = runs[c * seeds..<(c + 1) * seeds]
      func mean(_ value: (Run) -> Double) -> Double { own.map(value).reduce(0, +) / Double(seeds) }
      let (lasso, pursuit, ours) = (mean(\.lasso), mean(\.pursuit), mean(\.ours))
      errors.append(ours)
      table.add([
        item.0.rawValue, item.1, lasso, mean(\.deepLasso), pursuit, ours, mean(\.oracle), lasso / ours,
        median(own.map(\.slack)),
        median(own.map { Double($0.dimension) }),
      ])
      switch item.0 {
      case .smooth where item.1 == 160, .tree where item.1 == 160:
        evidence.check(
          "our error relative to tuned matching pursuit, \(item.0.rawValue), 160 rows",
          claimed: item.0 == .smooth ? "0.0093 / 0.0304" : "0.0053 / 0.0057", measured: ours / pursuit, .atMost(1.5))
      default: break
      }
      if item.1 == 160, item.0 != .independent {
        evidence.plots.append(
          Plot(
            "Incoherence of random supports, \(item.0.rawValue)", x: .logarithmic("max ‖(Z_SᵀZ_S)⁻¹ Z_Sᵀ z‖₁"),
            y: "share below",
            [
              shares("before", own.flatMap(\.before)), shares("after", own.flatMap(\.after)),
            ]))
      }
    }
    evidence.tables.append(table)
    for (i, name) in [(0, "smooth"), (2, "tree")] {
      evidence.check(
        "error with 160 rows relative to 80, \(name)", claimed: "falls", measured: errors[i + 1] / errors[i], .below(1))
    }
    try independent(&evidence, seeds: seeds)
    evidence.show([
      try ScalingRun("columns, 100 rows: preconditioner", promised: "1", [1_000, 2_000, 4_000, 8_000]) { count in
        var random = settings.random.child(UInt64(count))
        let x = random.normal([100, count], of: Double.self).cumulativeSum(axis: 1)
        return { _ = try DesignPreconditioner(slack: 6).fit(x) }
      }
    ])
    evidence.notes.append(
      """
      The gain over the lasso is shown and not asserted. With the specification's path of penalties, down to 0.02 of the \
      largest, the tuned lasso is up to 13 times worse; but a path down to 0.003 makes it as good as ours on most seeds, \
      and better on the smooth design. The published guarantee is about worst designs.
      """)
    evidence.notes.append(
      "Adversarial supports are neighbours of alternating signs on the smooth design: a control, where no gain is promised."
    )
    return evidence
  }

  private func shares(_ name: String, _ values: [Double]) -> Series {
    let sorted = values.sorted()
    return Series(name, x: sorted, y: sorted.indices.map { Double($0 + 1) / Double(sorted.count) })
  }

  private func design(_ kind: Design, rows: Int, random: inout RandomStream) -> Tensor<Double> {
    var x: Tensor<Double>
    switch kind {
    case .independent: x = random.normal([rows, columns])
    case .smooth, .adversarial: x = random.normal([rows, columns], of: Double.self).cumulativeSum(axis: 1)
    case .tree:
      x = .zeros([rows, columns])
      for level in 0..<10 {
        let groups = 1 << level
        let width = max(columns / groups, 1)
        let values = random.normal([rows, min(groups, columns)], of: Double.self)
        let places = Tensor<Int>((0..<columns).map { $0 / width })
        x += values.gathered(places, axis: 1) * Double(sign: .plus, exponent: -level, significand: 1)
      }
    }
    return x / x.norm(axes: [0], keepingAxes: true) * Double(rows).squareRoot()
  }

  private func run(_ kind: Design, rows: Int, seed: UInt64) throws -> Run {
    var random = settings.random.child(seed * 10 + UInt64(rows))
    let x = design(kind, rows: rows, random: &random)
    var places = random.sample(sparsity, below: columns)
    let signs = Tensor<Double>(random.bernoulli([sparsity], probability: 0.5)) * 2 - 1
    var weights = random.uniform([sparsity], in: 1..<2.0) * signs
    if kind == .adversarial {
      places = Tensor<Int>((0..<sparsity).map { 200 + $0 })
      weights = Tensor((0..<sparsity).map { $0 % 2 == 0 ? 1.5 : -1.5 })
    }
    let signal = x.gathered(places, axis: 1).matmul(weights)
    let y = signal + random.normal([rows]) * deviation
    func error(_ prediction: Tensor<Double>) -> Double {
      (prediction - signal).sumOfSquares().scalar / Double(rows)
    }
    // The lasso at its best penalty, with or without refitting.
    let unit = x / Double(rows).squareRoot()
    let solver = Lasso()
    let largest = solver.largestPenalty(unit, observed: y)
    let path = try solver.path(unit, observed: y, penalties: (0..<30).map { largest * Double.pow(0.82, Double($0)) })
    var (lasso, deepLasso) = (Double.infinity, Double.infinity)
    for (i, penalty) in path.penalties.enumerated() {
      let theta = path.coefficients[i].copied()
      var best = error(unit.matmul(theta))
      let support = (theta .!= 0).trueIndices
      if support.count > 0, support.count < rows / 2 {
        let part = unit.gathered(support, axis: 1)
        best.keepMinimum(of: error(part.matmul(try part.leastSquares(y).solution)))
      }
      deepLasso.keepMinimum(of: best)
      if penalty >= 0.02 * largest { lasso.keepMinimum(of: best) }
    }
    // Pursuit at its best number of columns: its supports are nested.
    let order = try orthogonalMatchingPursuit(x, observed: y, sparsity: 20).support[0]
    var pursuit = Double.infinity
    for count in 1...order.count {
      let part = x.gathered(Tensor<Int>(Array(order.prefix(count))), axis: 1)
      pursuit.keepMinimum(of: error(part.matmul(try part.leastSquares(y).solution)))
    }
    var method = RandomSupportRegression(sparsity: sparsity)
    method.seed = seed + 1
    let fit = try method.fit(x, observed: y)
    let truth = x.gathered(places, axis: 1)
    let oracle = error(truth.matmul(try truth.leastSquares(y).solution))
    let parts = try DesignPreconditioner(slack: Double(sparsity)).fit(x)
    let before = try incoherenceProfile(unit, sparsity: sparsity, samples: 40, random: &random)
    let after = try incoherenceProfile(parts.unitColumns, sparsity: sparsity, samples: 40, random: &random)
    return Run(
      lasso: lasso, deepLasso: deepLasso, pursuit: pursuit, ours: error(fit.prediction), oracle: oracle,
      slack: fit.design.slack,
      dimension: fit.unpenalizedDimension, before: before, after: after)
  }

  /// On independent columns there is little to precondition: beside a lasso that knows of none, and chooses its penalty on
  /// the same number of folds.
  private func independent(_ evidence: inout Evidence, seeds: Int) throws {
    let errors = try parallelMap(2 * seeds) { i -> (ours: Double, lasso: Double) in
      var random = settings.random.child(500 + UInt64(i))
      let x = design(.independent, rows: 160, random: &random)
      let signal = x.gathered(random.sample(sparsity, below: columns), axis: 1).sum(axis: 1)
      let y = signal + random.normal([160]) * deviation
      var method = RandomSupportRegression(sparsity: sparsity)
      method.seed = UInt64(i + 1)
      let ours = (try method.fit(x, observed: y).prediction - signal).sumOfSquares().scalar
      let plain = (try chosenLasso(x, y, &random) - signal).sumOfSquares().scalar
      return (ours / 160, plain / 160)
    }
    let (ours, lasso) = (median(errors.map(\.ours)), median(errors.map(\.lasso)))
    evidence.tables.append(
      Table(
        "Independent columns, medians of \(2 * seeds) seeds, both cross-validated", columns: ["ours", "lasso"],
        rows: [[ours, lasso]]))
    evidence.check(
      "error relative to a cross-validated lasso, independent columns", claimed: "within 5 %", measured: ours / lasso,
      .atMost(1.05))
  }

  /// Fitted values of the lasso, refitted or not, as five folds of the rows choose.
  private func chosenLasso(
    _ x: Tensor<Double>, _ y: Tensor<Double>, _ random: inout RandomStream
  ) throws -> Tensor<Double> {
    let (folds, rows) = (5, x.rows)
    let solver = Lasso()
    let largest = solver.largestPenalty(x, observed: y)
    let penalties = (0..<20).map { largest * Double.pow(0.02, Double($0) / 19) }
    func coefficients(_ path: LassoPath<Double>, _ i: Int, _ x: Tensor<Double>, _ y: Tensor<Double>, refit: Bool) throws
      -> Tensor<Double>
    {
      let theta = path.coefficients[i].copied()
      let support = (theta .!= 0).trueIndices
      guard refit, support.count > 0, Double(support.count) < 0.6 * Double(x.rows) else { return theta }
      let fitted = try x.gathered(support, axis: 1).leastSquares(y).solution
      return Tensor.zeros(theta.shape).scatterAdded(fitted, at: support)
    }
    var sums = [Double](repeating: 0, count: 2 * penalties.count)
    let order = random.permutation(rows).scalars
    for fold in 0..<folds {
      let held = Tensor<Int>(order.indices.filter { $0 % folds == fold }.map { order[$0] })
      let kept = Tensor<Int>(order.indices.filter { $0 % folds != fold }.map { order[$0] })
      let (own, target) = (x.gathered(kept), y.gathered(kept))
      // Penalties in proportion to the rows.
      let path = try solver.path(
        own, observed: target, penalties: penalties.map { $0 * Double(kept.count) / Double(rows) })
      for i in sums.indices {
        let theta = try coefficients(path, i / 2, own, target, refit: i % 2 == 1)
        sums[i] += (x.gathered(held).matmul(theta) - y.gathered(held)).sumOfSquares().scalar
      }
    }
    let best = sums.indices.min { sums[$0] < sums[$1] } ?? 0
    let path = try solver.path(x, observed: y, penalties: Array(penalties.prefix(best / 2 + 1)))
    return x.matmul(try coefficients(path, best / 2, x, y, refit: best % 2 == 1))
  }
}
