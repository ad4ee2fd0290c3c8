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
    try recursion(&evidence)
    try endlessStreams(&evidence)
    evidence.show([
      try ScalingRun("rows, d = 8: all sensitivities by a coreset", promised: "1", [1_000, 2_000, 4_000, 8_000]) {
        count in
        var random = settings.random.child(UInt64(count))
        let a: Tensor<Double> = random.normal([count, 8])
        let method = LpSensitivities(p: 1, method: .coreset(accuracy: 0.8), iterationLimit: 15)
        return { _ = try method.estimate(a) }
      },
      try ScalingRun("rows, d = 32: one pass of a stream", promised: "1", [25_000, 50_000, 100_000, 200_000]) { count in
        var random = settings.random.child(UInt64(count))
        let a: Tensor<Double> = random.normal([count, 32])
        return {
          var stream = try LpRowStream(p: 1, dimension: 32, rows: 800)
          try stream.observe(a)
          _ = try stream.finish()
        }
      },
    ])
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

  /// Root leverage scores again and again: what remains depends on the dimension and not on the rows.
  private func recursion(_ evidence: inout Evidence) throws {
    let lengths = settings.size(quick: [20_000, 80_000, 320_000], full: [20_000, 80_000, 320_000, 1_280_000])
    let dimensions = [10, 20, 40]
    var table = Table(
      "Root leverage scores on the sample of the pass before, 8 d rows a pass at least",
      columns: ["n", "d", "rows after each pass", "distortion", "of as many uniform rows"])
    func kept(_ n: Int, _ d: Int, measured: Bool) throws -> (rows: Double, distortion: Double) {
      var random = settings.random.child(300 + UInt64(n + d))
      let a: Tensor<Double> = random.normal([n, d]) * random.exponential([n, 1])
      let sample = try LpRowSampling(p: 1, rows: 8 * d, scheme: .rootLeverage, seed: settings.seed).sample(a)
      var row: [Datum] = [n.datum, d.datum, sample.passSizes.map(String.init).joined(separator: ", ").datum]
      var distortion = Double.nan
      if measured {
        let measure = LpDistortion(p: 1, starts: 2, seed: 1)
        distortion = try measure.measure(a, sample).value
        let uniform = try LpRowSampling(p: 1, rows: sample.indices.count, scheme: .uniform, seed: settings.seed).sample(
          a)
        row += [distortion.datum, try measure.measure(a, uniform).value.datum]
      } else {
        row += [.missing, .missing]
      }
      table.add(row)
      return (Double(sample.indices.count), distortion)
    }
    let byLength = try lengths.map { try kept($0, 20, measured: false).rows }
    let byDimension = try dimensions.map { try kept(80_000, $0, measured: true) }
    evidence.tables.append(table)
    evidence.check(
      "exponent, in n, of the rows that recursion leaves, n to \(lengths[lengths.count - 1])", claimed: 0,
      measured: logarithmicSlope(lengths.map(Double.init), byLength), .within(-0.1...0.1))
    evidence.check(
      "exponent, in d, of the rows that recursion leaves, d = 10 to 40", claimed: 1,
      measured: logarithmicSlope(dimensions.map(Double.init), byDimension.map(\.rows)), .within(0.8...1.2))
    evidence.check(
      "largest distortion of what recursion leaves", claimed: "(d / m)^¼ = 0.35",
      measured: byDimension.map(\.distortion).max() ?? .nan,
      .atMost(0.3))
  }

  /// Streams of ever greater length, made on the fly: the memory is that of the shortest. One row in 32,768 alone spans
  /// two of the dimensions.
  private func endlessStreams(_ evidence: inout Evidence) throws {
    let (columns, rare) = (32, 32_768)
    var random = settings.random.child(400)
    let probes = Tensor.concatenated(
      [Tensor<Double>.identity(columns), random.normal([64, columns])], axis: 0)
    var table = Table(
      "Streams of \(columns) columns, made on the fly, p = 1",
      columns: [
        "MB", "rows", "seconds", "rows kept", "of the rare ones", "largest error of ‖A x‖ over 96 x", "MB in use",
      ],
      caption: "Seconds include making the rows and the norms that are compared with. The memory is that of the whole "
        + "process, at most.")
    var costs: [StreamCost] = []
    var worst = Double.infinity
    for length in StreamCost.lengths(isFull: settings.isFull) {
      var stream = try LpRowStream(p: 1, dimension: columns, rows: 800, seed: settings.seed)
      var norms = Tensor<Double>.zeros([probes.rows])
      var made = 0
      let cost = try StreamCost.measure(
        megabytes: length, columns: columns, settings.progress,
        make: { count in
          var rows: Tensor<Double> = random.normal([count, columns])
          rows[.all, columns - 2..<columns] = .zeros([count, 2])
          let first = made + (rare - made % rare) % rare
          for i in stride(from: first, to: made + count, by: rare) {
            rows[i - made, .all] = .zeros([columns])
            rows[i - made, columns - 2..<columns] = random.normal([2])
          }
          made += count
          return rows
        },
        observe: { rows in
          try stream.observe(rows)
          norms += rows.matmul(probes, transposingB: true).absolute().sum(axis: 0)
        })
      let sample = try stream.finish()
      let sampled = sample.weightedRows.matmul(probes, transposingB: true).absolute().sum(axis: 0)
      worst = (sampled / norms - 1).absolute().maximum().scalar
      let special = sample.indices.count { $0 % rare == 0 }
      table.add([length, cost.rows, cost.seconds, sample.indices.count, special, worst, cost.memory])
      costs.append(cost)
    }
    evidence.tables.append(table)
    evidence.checkMemory(of: costs)
    let longest = costs[costs.count - 1]
    evidence.check(
      "largest relative error of ‖A x‖₁ from 800 of \(longest.rows) rows, rare directions included", claimed: "small",
      measured: worst, .atMost(0.5))
  }
}
