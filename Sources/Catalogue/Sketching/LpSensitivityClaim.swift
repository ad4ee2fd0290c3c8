import CatalogueCore
import LinearAlgebra
import Numerics
import Sketching
import SpecialFunctions
import Tensors

/// Distortions of samples by sensitivity and by other scores, and what a regression on them costs.
struct LpSensitivityClaim {
  let settings: ClaimSettings
  private let seeds = 0..<5 as Range<UInt64>

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try scaling(&evidence)
    try settings.progress.report(1, of: 3)
    try structured(&evidence)
    try settings.progress.report(2, of: 3)
    try regression(&evidence)
    if settings.isFull { try recursion(&evidence) }
    try settings.progress.report(3, of: 3)
    return evidence
  }

  /// Where a curve of falling distortions meets a level, by straight lines between logarithms.
  private func rows(for level: Double, _ rows: [Double], _ curve: [Double]) -> Double {
    let after = max(1, curve.firstIndex { $0 <= level } ?? curve.count - 1)
    let share = Double.log(curve[after - 1] / level) / Double.log(curve[after - 1] / curve[after])
    return rows[after - 1] * Double.pow(rows[after] / rows[after - 1], share)
  }

  private func distortion(
    _ a: Tensor<Double>, p: Double, rows: Int, _ scheme: LpImportance, scores: Tensor<Double>,
    seeds: Range<UInt64>? = nil
  ) throws -> Double {
    median(
      try (seeds ?? self.seeds).map { seed in
        let sample = try LpRowSampling(p: p, rows: rows, scheme: scheme, seed: settings.seed &* 100 &+ seed)
          .sample(a, scores: scores)
        return try LpDistortion(p: p, starts: 2, seed: seed).measure(a, sample).value
      })
  }

  private func scaling(_ evidence: inout Evidence) throws {
    let count = 8_000
    let dimensions = [4, 8, 16, 32]
    let factors = [4, 8, 16, 32]
    var table = Table(
      "Normal matrix of \(count) rows, p = 1: median distortion",
      columns: ["d", "𝔖"] + factors.map { "m = \($0) d" })
    var curves: [[Double]] = []
    var needed: [Double] = []
    var totals: [Double] = []
    for d in dimensions {
      var random = settings.random.child(UInt64(d))
      let a: Tensor<Double> = random.normal([count, d])
      let draws: UInt64 = d <= 8 ? 9 : 5
      let scores: Tensor<Double>
      if settings.isFull {
        let found = try LpSensitivities(p: 1, method: .coreset(accuracy: 1), iterationLimit: 15).estimate(
          a, progress: settings.progress)
        scores = found.values
        totals.append(found.total)
      } else {
        scores = try LewisWeights(p: 1).solve(a).weights
        totals.append((Double.pi * Double(d) / 2).squareRoot())
      }
      let curve = try factors.map {
        try distortion(a, p: 1, rows: $0 * d, .sensitivity, scores: scores, seeds: 0..<draws)
      }
      curves.append(curve)
      needed.append(rows(for: 0.3, factors.map { Double($0 * d) }, curve))
      table.add([d, totals[totals.count - 1]] + curve)
    }
    if !settings.isFull {
      evidence.notes.append(
        "All rows of a normal matrix are nearly equally sensitive, so that the first table tests the rate only. At the quick "
          + "size its scores are Lewis weights, and 𝔖 is that of infinitely many rows; --full finds sensitivities.")
    }
    evidence.tables.append(table)
    let atFour = curves.map { $0[0] }
    evidence.check(
      "smallest and largest distortion with 4 d rows, d = 4 to 32", claimed: "0.43 to 0.49",
      measured: "\((atFour.min() ?? 0).formatted(digits: 3)) … \((atFour.max() ?? 0).formatted(digits: 3))",
      holds: atFour.allSatisfy { (0.25...0.65).contains($0) })
    evidence.check(
      "exponent of the distortion in the rows, d = 32", claimed: -0.5,
      measured: logarithmicSlope(factors.map(Double.init), curves[3]), .within(-0.75 ... -0.35))
    let x = dimensions.map(Double.init)
    let slope = logarithmicSlope(x, needed)
    evidence.check(
      "exponent of the rows needed for 0.3 in d: not the 3/2 of the general bound", claimed: "at most 1, as 𝔖²",
      measured: slope, .atMost(1.25))
    evidence.notes.append(
      "The rows needed grow with an exponent of \(slope.formatted(digits: 3)) between d = 4 and 32. That it is 1, as the "
        + "bound's 𝔖², is not asserted: at so small d the constant still falls with d, for the worst of few directions "
        + "depends on few rows; 41 draws for d = 4 instead of 9 gave 0.70.")
    func bound(_ kind: LpSampleBound) -> [Double] {
      // Constants of one: scaled to meet the measured ones at d = 4.
      let values = zip(dimensions, totals).map {
        kind.rows(p: 1, dimension: $0, totalSensitivity: $1, accuracy: 0.3, failureProbability: 0.1)
          / Double.log(Double($0) / 0.03)
      }
      return values.map { $0 / values[0] * needed[0] }
    }
    evidence.plots.append(
      Plot(
        "Rows for a distortion of 0.3", caption: "Bounds without logarithms, scaled to meet the first point.",
        x: .logarithmic("d"), y: .logarithmic("rows"),
        [
          Series("measured", x: x, y: needed, .lineAndPoints),
          Series("𝔖² (sharper)", x: x, y: bound(.sharper)), Series("𝔖 d (general)", x: x, y: bound(.general)),
          Series("√d 𝔖 (Chen and Derezinski)", x: x, y: bound(.chenDerezinski)),
        ]))
  }

  /// 3,940 normal rows in six coordinates, and sixty that alone span two more.
  private func structuredMatrix(_ random: inout RandomStream) -> Tensor<Double> {
    var a = Tensor<Double>.zeros([4_000, 8])
    a[0..<3_940, 0..<6] = random.normal([3_940, 6])
    a[3_940..<4_000, 6..<8] = random.normal([60, 2])
    return a.gathered(random.permutation(4_000))
  }

  private func structured(_ evidence: inout Evidence) throws {
    var random = settings.random.child(100)
    let a = structuredMatrix(&random)
    let sizes = settings.size(quick: [100, 200, 400], full: [50, 100, 200, 400, 800])
    var table = Table(
      "Sixty important rows among 4,000: median distortion", columns: ["p", "𝔖", "scheme"] + sizes.map { "m = \($0)" })
    let limits: [(p: Double, limit: Double, ratio: Double, claimed: String)] = [
      (1, 0.35, 2, "0.21 of 0.92"), (1.5, 0.45, 2, "0.30 of ∞"), (3, 0.55, 1.6, "0.40 of 0.91"),
    ]
    for (p, limit, ratio, claimed) in limits {
      let found = try LpSensitivities(p: p, method: .coreset(accuracy: 0.6), iterationLimit: 30).estimate(a)
      let lewis = try LewisWeights(p: p).solve(a).weights
      let leverage = try leverageScores(a)
      let all: [(LpImportance, Tensor<Double>)] = [
        (.uniform, .ones([4_000])), (.leverage, leverage), (.lewis, lewis), (.sensitivity, found.values),
      ]
      var curves: [LpImportance: [Double]] = [:]
      for (scheme, scores) in all {
        let curve = try sizes.map { try distortion(a, p: p, rows: $0, scheme, scores: scores) }
        curves[scheme] = curve
        table.add([p, found.total, scheme.rawValue] + curve)
      }
      let at = sizes.firstIndex(of: 200) ?? 0
      let ours = curves[.sensitivity]?[at] ?? .infinity
      let uniform = curves[.uniform]?[at] ?? 0
      evidence.check(
        "distortion by sensitivity, p = \(p.formatted(digits: 2)), m = 200", claimed: claimed, measured: ours,
        .atMost(limit))
      evidence.check(
        "distortion of uniform sampling over it, p = \(p.formatted(digits: 2))", claimed: ">= \(ratio)",
        measured: uniform / ours, .atLeast(ratio))
      if p == 1 {
        evidence.plots.append(
          Plot(
            "Distortion against rows, p = 1", x: .logarithmic("rows"), y: .logarithmic("median distortion"),
            all.map { Series($0.0.rawValue, x: sizes.map(Double.init), y: curves[$0.0] ?? [], .lineAndPoints) }))
      }
    }
    evidence.tables.append(table)
  }

  private func regression(_ evidence: inout Evidence) throws {
    var random = settings.random.child(200)
    let a = structuredMatrix(&random)
    let uniform = random.uniform([4_000], in: -0.5..<0.5)
    let laplace = uniform.sign() * (1 - uniform.absolute() * 2).log() * -1
    let isOutlier = random.bernoulli([4_000], probability: 0.02)
    let gross = isOutlier.select(random.normal([4_000]) * 100, Tensor<Double>.zeros([4_000]))
    let b = a.matmul(random.normal([8])) + laplace + gross
    let best = try LpRegression(p: 1).solve(a, b)
    func ratio(_ scheme: LpImportance) throws -> Double {
      median(
        try seeds.map { seed in
          let method = LpRegression(p: 1, seed: settings.seed &* 100 &+ seed)
          return try method.solve(a, b, samplingRows: 400, scheme: scheme).cost / best.cost
        })
    }
    let found = try [LpImportance.sensitivity, .lewis, .leverage, .uniform].map { ($0, try ratio($0)) }
    evidence.tables.append(
      Table(
        "Least absolute deviations from 400 rows, cost over the least", columns: ["scheme", "median ratio"],
        rows: found.map { [$0.0.rawValue, $0.1] }))
    evidence.check(
      "cost over the least, rows by sensitivity of [A b]", claimed: 1.1, measured: found[0].1, .atMost(1.1))
    evidence.check(
      "gap of the cost over all rows and its lower bound, relative", claimed: 1e-9,
      measured: (best.cost - best.lowerBound) / best.cost, .within(-1e-12...1e-9))
    evidence.notes.append(
      "Uniform rows cost \(found[3].1.formatted(digits: 4)) times the least. That they exceed 1.1 is not asserted: the "
        + "sixty rows are 1.5 % of the cost, and losing them cannot make it much larger; what is lost is the two "
        + "coefficients that only they determine.")
  }

  private func recursion(_ evidence: inout Evidence) throws {
    var random = settings.random.child(300)
    let a: Tensor<Double> = random.normal([1_000_000, 20]) * random.exponential([1_000_000, 1])
    let sample = try LpRowSampling(p: 1, rows: 400, scheme: .rootLeverage).sample(a)
    evidence.tables.append(
      Table(
        "Root leverage scores on 1,000,000 x 20", columns: ["pass", "rows"],
        rows: sample.passSizes.enumerated().map { [$0 + 1, $1] }))
    evidence.check(
      "rows after the last pass", claimed: "of the order of d", measured: Double(sample.indices.count), .atMost(4_000))
  }
}
