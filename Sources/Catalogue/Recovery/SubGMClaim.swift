import CatalogueCore
import LinearAlgebra
import Numerics
import Recovery
import SpecialFunctions
import Tensors

/// The experiment behind `apus reproduce subgm`.
struct SubGMClaim {
  let settings: ClaimSettings
  private var seeds: Int { settings.size(quick: 2, full: 5) }

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try outliers(&evidence)
    try settings.progress.report(1, of: 4)
    try fewMeasurements(&evidence)
    try settings.progress.report(2, of: 4)
    try entries(&evidence)
    try settings.progress.report(3, of: 4)
    try noise(&evidence)
    evidence.show([
      try scaling("measurements, 24 x 24 matrices", "1", [600, 1_200, 2_400, 4_800]) { ($0, 24) },
      try scaling("extent of the matrix, 1,000 measurements", "2", [16, 24, 36, 54]) { (1_000, $0) },
    ])
    try settings.progress.report(4, of: 4)
    return evidence
  }

  /// Twenty iterations.
  private func scaling(
    _ name: String, _ promised: String, _ sizes: [Int], _ shape: (Int) -> (count: Int, extent: Int)
  ) throws -> ScalingRun {
    try ScalingRun(name, promised: promised, sizes) { size in
      let (count, extent) = shape(size)
      let problem = try problem(size: extent, count: count, outliers: 0.3, seed: size)
      let method = method(rank: 4, iterations: 20)
      return { _ = try method.recover(from: problem.measurement, observed: problem.observed) }
    }
  }

  private struct Problem: Sendable {
    var measurement: DenseMeasurement<Double>
    var observed: Tensor<Double>
    var truth: Tensor<Double>
  }

  /// X* = V diag(1, 0.5) Vᵀ by Gaussian measurements, a share of which gets normal errors of deviation 100, and all of
  /// which get normal noise.
  private func problem(
    size: Int, count: Int, outliers: Double, noise: Double = 0, seed: Int
  ) throws -> Problem {
    var random = settings.random.child(UInt64(seed))
    let basis: Tensor<Double> = try random.orthogonal([size, 2])
    let truth = (basis * Tensor([1, 0.5])).matmul(basis, transposingB: true)
    let measurement = try DenseMeasurement<Double>.gaussian(count: count, rows: size, columns: size, random: &random)
    let isWrong = Tensor<Double>(random.bernoulli([count], probability: outliers))
    let errors = isWrong * random.normal([count]) * 100 + random.normal([count]) * noise
    return Problem(measurement: measurement, observed: measurement.apply(truth) + errors, truth: truth)
  }

  private func method(
    rank: Int, scale: Double = 1e-8, iterations: Int, step: RobustMatrixRecovery.Step? = nil,
    loss: ResidualLoss = .absolute
  ) -> RobustMatrixRecovery {
    var method = RobustMatrixRecovery()
    (method.rank, method.initialScale, method.iterationLimit) = (rank, scale, iterations)
    (method.step, method.loss, method.tolerance) = (step, loss, 0)
    return method
  }

  private func distances(_ method: RobustMatrixRecovery, _ problem: Problem) throws -> [Double] {
    try method.recover(from: problem.measurement, observed: problem.observed, truth: problem.truth).history.distances
  }

  private func outliers(_ evidence: inout Evidence) throws {
    let iterations = 1_000
    let scales = [1e-8, 1e-4, 1e-2, 1e-1]
    var methods = scales.map { ("k = 20, start \($0)", method(rank: 20, scale: $0, iterations: iterations)) }
    for rank in [2, 5] { methods.append(("k = \(rank)", method(rank: rank, iterations: iterations))) }
    methods.append(("k = 20, Huber", method(rank: 20, iterations: iterations, loss: .huber(threshold: 0.1))))
    for length in [0.05, 0.01, 0.001] {
      methods.append(
        ("k = 20, squares \(length)", method(rank: 20, iterations: 300, step: .constant(length), loss: .squares)))
    }
    let all = methods
    let curves = try parallelMap(all.count * seeds) { run -> [Double] in
      let (seed, i) = run.quotientAndRemainder(dividingBy: all.count)
      return try distances(all[i].1, problem(size: 20, count: 1_200, outliers: 0.3, seed: seed))
    }
    func curve(_ i: Int, _ seed: Int) -> [Double] { curves[seed * all.count + i] }
    func final(_ i: Int) -> Double {
      // The best iterate of methods that diverge, the last one of the others.
      median((0..<seeds).map { i >= 7 ? curve(i, $0).min() ?? .nan : curve(i, $0).last ?? .nan })
    }
    func iterationsTo(_ level: Double, _ i: Int) -> Double {
      median((0..<seeds).map { Double(curve(i, $0).firstIndex { $0 <= level } ?? iterations) })
    }
    var table = Table(
      "n = 20, rank 2, 1,200 measurements, 30 % of them outliers; median of \(seeds) seeds",
      columns: ["method", "error", "iterations to 1e-3"])
    for (i, item) in all.enumerated() { table.add([item.0, final(i), iterationsTo(1e-3, i)]) }
    evidence.tables.append(table)
    evidence.check(
      "error with k = 20 columns, start 1e-8", claimed: 5.7e-11, measured: final(0), .atMost(1e-5))
    evidence.check(
      "error from a start of 0.1 relative to 1e-8", claimed: "6e7", measured: final(3) / final(0), .atLeast(1e3))
    let counts = [0, 4, 5].map { iterationsTo(1e-3, $0) }
    let spread = ((counts.max() ?? 0) - (counts.min() ?? 0)) / (counts.reduce(0, +) / 3)
    evidence.check(
      "spread of the iterations to 1e-3 over k = 2, 5, 20, relative", claimed: "±15 %", measured: spread, .atMost(0.3))
    let fits = (0..<seeds).map { seed -> Double in
      let part = curve(0, seed)[100...200].map { Double.log($0) }
      return LineFit(part.indices.map(Double.init), Array(part)).explained
    }
    evidence.check(
      "R² of a linear rate in iterations 100 to 200", claimed: "≥ 0.97", measured: median(fits), .atLeast(0.97))
    let squares = (7..<10).map { final($0) }.min() ?? .nan
    evidence.check(
      "best error of gradient descent on squares relative to it", claimed: "diverges", measured: squares / final(0),
      .atLeast(1e3))
    evidence.check(
      "error of Huber's loss relative to it", claimed: "1.4e-2 / 5.7e-11", measured: final(6) / final(0), .atLeast(1e3))
    evidence.plots.append(
      Plot(
        "Error with 30 % outliers", x: "iteration", y: .logarithmic("relative error"),
        all.indices.prefix(7).map { Series(all[$0].0, curve($0, 0), first: 0) }))
  }

  private func fewMeasurements(_ evidence: inout Evidence) throws {
    let cases = [(2, 1e-8), (50, 1e-8), (50, 1e-2)]
    let runs = settings.size(quick: 1, full: 3)
    let curves = try parallelMap(cases.count * runs) { run -> [Double] in
      let (seed, i) = run.quotientAndRemainder(dividingBy: cases.count)
      return try distances(
        method(rank: cases[i].0, scale: cases[i].1, iterations: 600),
        problem(size: 50, count: 1_000, outliers: 0.2, seed: 100 + seed))
    }
    func curve(_ i: Int, _ seed: Int) -> [Double] { curves[seed * cases.count + i] }
    let errors = cases.indices.map { i in median((0..<runs).map { curve(i, $0).last ?? .nan }) }
    let counts = cases.indices.map { i in
      median((0..<runs).map { Double(curve(i, $0).firstIndex { $0 <= 1e-3 } ?? 600) })
    }
    var table = Table(
      "n = 50, rank 2: 1,000 measurements of 1,275 unknowns, 20 % outliers",
      columns: ["k", "start", "error", "iterations to 1e-3"])
    for i in cases.indices { table.add([cases[i].0, cases[i].1, errors[i], counts[i]]) }
    evidence.tables.append(table)
    evidence.check(
      "error with fewer measurements than unknowns, k = 50", claimed: "8e-7 to 1.1e-6", measured: errors[1],
      .atMost(1e-5))
    evidence.check(
      "the same from a start of 1e-2, relative", claimed: "9e-3 / 1e-6", measured: errors[2] / errors[1], .atLeast(1e3))
    evidence.check(
      "iterations to 1e-3 with k = 50 relative to k = 2", claimed: "equal", measured: counts[1] / counts[0],
      .within(0.85...1.15))
  }

  /// Robust principal components: all entries of a symmetric matrix, 20 % of them replaced.
  private func entries(_ evidence: inout Evidence) throws {
    let size = 100
    var random = settings.random.child(200)
    let basis: Tensor<Double> = try random.orthogonal([size, 3])
    let truth = (basis * Tensor([1, 0.75, 0.5])).matmul(basis, transposingB: true)
    let upper = random.normal([size, size], of: Double.self)
    let isWrong = random.bernoulli([size, size], probability: 0.2)
    var seen = truth
    for i in 0..<size {
      for j in i..<size where isWrong[at: i, j] {
        seen[at: i, j] = upper[at: i, j]
        seen[at: j, i] = upper[at: i, j]
      }
    }
    let places = Tensor<Int>(0..<size * size)
    let rows = places / size
    let measurement = try EntryMeasurement(
      rows: size, columns: size, rowIndices: rows, columnIndices: places - rows * size, scale: Double(size))
    let observed = seen.flattened * Double(size)
    let ranks = [3, 100]
    let errors = try parallelMap(2) { i -> Double in
      let method = method(rank: ranks[i], iterations: 1_500, step: .geometric(first: 0.5, ratio: 0.99))
      return try method.recover(from: measurement, observed: observed, truth: truth).history.distances.last ?? .nan
    }
    for (rank, error) in zip(ranks, errors) {
      evidence.check(
        "error of robust principal components, n = 100, rank 3, 20 % wrong entries, k = \(rank)", claimed: 1.2e-7,
        measured: error, .atMost(1e-5))
    }
  }

  private func noise(_ evidence: inout Evidence) throws {
    let cases = [(2, 1e-8), (20, 1e-8), (20, 0.1)]
    let counts = [1_200, 4_800]
    let runs = try parallelMap(cases.count * counts.count * seeds) { run -> Double in
      let (seed, rest) = run.quotientAndRemainder(dividingBy: cases.count * counts.count)
      let (m, i) = rest.quotientAndRemainder(dividingBy: cases.count)
      let method = method(
        rank: cases[i].0, scale: cases[i].1, iterations: 900, step: .geometric(first: 0.5, ratio: 0.985))
      let problem = try problem(size: 20, count: counts[m], outliers: 0, noise: 0.5, seed: 300 + seed)
      return try distances(method, problem).last ?? .nan
    }
    func error(_ m: Int, _ i: Int) -> Double {
      median((0..<seeds).map { runs[$0 * cases.count * counts.count + m * cases.count + i] })
    }
    var table = Table(
      "Gaussian noise of deviation 0.5", columns: ["measurements", "k = 2", "k = 20", "k = 20, start 0.1"])
    for m in counts.indices { table.add([counts[m], error(m, 0), error(m, 1), error(m, 2)]) }
    evidence.tables.append(table)
    for m in counts.indices {
      evidence.check(
        "error with k = 20 relative to k = 2, noise, m = \(counts[m])", claimed: "1.00",
        measured: error(m, 1) / error(m, 0),
        .within(0.9...1.1))
    }
    evidence.check(
      "error from a start of 0.1 relative to 1e-8, m = 1,200", claimed: "0.160 / 0.0854",
      measured: error(0, 2) / error(0, 1), .atLeast(1.25))
    evidence.check(
      "exponent of the error in the measurements, k = 20", claimed: -0.33,
      measured: logarithmicSlope(counts.map(Double.init), [error(0, 1), error(1, 1)]), .within(-0.6 ... -0.2))
  }
}
