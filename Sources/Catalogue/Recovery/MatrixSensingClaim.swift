import CatalogueCore
import LinearAlgebra
import Numerics
import Recovery
import SpecialFunctions
import Tensors

/// The experiment behind `apus reproduce matrix-sensing-gd`.
struct MatrixSensingClaim {
  let settings: ClaimSettings
  private let step = 0.2
  private var length: Int { settings.size(quick: 8_000, full: 20_000) }

  func evidence() throws -> Evidence {
    var random = settings.random
    let basis: Tensor<Double> = try random.orthogonal([20, 2])
    let truth = (basis * Tensor([1, 0.8])).matmul(basis, transposingB: true)
    let measurement = try DenseMeasurement<Double>.gaussian(count: 1_500, rows: 20, columns: 20, random: &random)
    let observed = measurement.apply(truth)

    let slow = settings.isFull ? [0.05, 0.1, 0.2, 0.4] : [0.1, 0.2, 0.4]
    let fast = [0.01, 0.03, 0.1, 0.3]
    let starts = settings.isFull ? [0.05, 0.2, 0.5] : [0.2]
    var methods = [method(2, .symmetric, 0.2, 300)]
    methods += starts.map { method(4, .symmetric, $0, length) }
    methods += slow.map { method(4, .asymmetric(), $0, length) }
    methods += fast.map { method(4, .accelerated(beta: 1), $0, 600) }
    methods.append(method(2, .asymmetric(), 0.2, 400))
    // From the same start, for as long.
    let compared = 8_000
    methods += [method(4, .symmetric, 0.3, compared), method(4, .asymmetric(), 0.3, compared)]
    let all = methods
    let results = try parallelMap(all.count) { i in
      try all[i].recover(from: measurement, observed: observed, truth: truth)
    }
    try settings.progress.report(1, of: 1)

    var evidence = Evidence()
    symmetric(&evidence, Array(results[0...starts.count]), starts)
    let first = 1 + starts.count
    asymmetric(&evidence, Array(results[first..<first + slow.count]), slow)
    let (weak, strong) = (results[results.count - 2], results[results.count - 1])
    evidence.check(
      "error of the symmetric factorization relative to the asymmetric one, both from 0.3, T = \(compared)",
      claimed: "≥ 1e4", measured: (weak.history.distances.last ?? .nan) / (strong.history.distances.last ?? .nan),
      .atLeast(1e4))
    accelerated(&evidence, Array(results[(first + slow.count)..<(first + slow.count + fast.count)]), fast)
    let exact = results[results.count - 3].history.distances.last ?? .nan
    evidence.check(
      "error of the asymmetric one with k = r, 400 iterations", claimed: 3e-15, measured: exact, .atMost(1e-12))
    evidence.plots.append(
      Plot(
        "Four columns for rank 2", x: "iteration", y: .logarithmic("error"),
        [
          Series("symmetric", results[1].history.distances, first: 0),
          Series("asymmetric, start 0.2", results[first + slow.count - 2].history.distances, first: 0),
          Series("accelerated, start 0.1", results[first + slow.count + 2].history.distances, first: 0),
        ]))
    evidence.show([
      try scaling("measurements, 24 x 24 matrices", "1", [300, 600, 1_200, 2_400]) { ($0, 24) },
      try scaling("extent of the matrix, 800 measurements", "2", [16, 24, 36, 54]) { (800, $0) },
    ])
    return evidence
  }

  /// Thirty iterations.
  private func scaling(
    _ name: String, _ promised: String, _ sizes: [Int], _ shape: (Int) -> (count: Int, extent: Int)
  ) throws -> ScalingRun {
    try ScalingRun(name, promised: promised, sizes) { size in
      let (count, extent) = shape(size)
      var random = settings.random.child(UInt64(size))
      let measurement = try DenseMeasurement<Double>.gaussian(
        count: count, rows: extent, columns: extent, random: &random)
      let observed: Tensor<Double> = random.normal([count])
      let method = method(4, .asymmetric(), 0.1, 30)
      return { _ = try method.recover(from: measurement, observed: observed) }
    }
  }

  private func method(
    _ rank: Int, _ parameterization: MatrixSensing.Parameterization, _ scale: Double, _ iterations: Int
  ) -> MatrixSensing {
    var method = MatrixSensing(rank: rank)
    (method.parameterization, method.initialScale, method.stepSize) = (parameterization, scale, step)
    (method.iterationLimit, method.tolerance, method.seed) = (iterations, 0, settings.seed)
    return method
  }

  private func symmetric(_ evidence: inout Evidence, _ results: [SensingResult<Double>], _ starts: [Double]) {
    let isLinear: Bool
    if case .linear = ConvergenceLaw(fitting: results[0].history.distances) {
      isLinear = true
    } else {
      isLinear = false
    }
    evidence.check(
      "k = r fits a linear law", claimed: "linear", measured: isLinear ? "linear" : "power", holds: isLinear)
    let prediction = 2.0.squareRoot() / (2 * step * Double(length))
    var table = Table(
      "One symmetric factor, k = 4, T = \(length)",
      columns: ["start", "error", "relative to √(k - r) / (2 η T)", "exponent of the squared error, last decade"])
    for (start, result) in zip(starts, results.dropFirst()) {
      let distances = result.history.distances
      let error = distances[distances.count - 1]
      let times = stride(from: length / 10, to: length, by: length / 200).map { $0 }
      let slope = 2 * logarithmicSlope(times.map(Double.init), times.map { distances[$0] })
      table.add([start, error, error / prediction, slope])
      evidence.check(
        "exponent of the squared error over the last decade, symmetric, k = 4, start \(start)", claimed: "-2",
        measured: slope, .within(-2.2 ... -1.8))
      evidence.check(
        "its error relative to √(k - r) / (2 η T), start \(start)", claimed: "1", measured: error / prediction,
        .within(0.75...1.25))
    }
    evidence.tables.append(table)
    let last = results[0].history.distances.last ?? .nan
    evidence.check("error with k = r after 300 iterations", claimed: 8e-16, measured: last, .atMost(1e-12))
  }

  private func asymmetric(_ evidence: inout Evidence, _ results: [SensingResult<Double>], _ starts: [Double]) {
    var table = Table("Two factors, imbalance 3, k = 4", columns: ["start", "rate", "rate / (η α²)"])
    var rates: [Double] = []
    for (start, result) in zip(starts, results) {
      let distances = result.history.distances
      let from = distances.firstIndex { $0 <= 1e-3 } ?? distances.count / 2
      let to = distances.firstIndex { $0 <= 1e-12 } ?? distances.count
      let times = Array(stride(from: from, to: to, by: max(1, (to - from) / 500)))
      let rate = -LineFit(times.map(Double.init), times.map { Double.log(distances[$0]) }).slope
      rates.append(rate)
      table.add([start, rate, rate / (step * start * start)])
    }
    evidence.tables.append(table)
    evidence.check(
      "exponent of the rate in the start's size, asymmetric", claimed: "2", measured: logarithmicSlope(starts, rates),
      .within(1.8...2.2))
  }

  private func accelerated(_ evidence: inout Evidence, _ results: [SensingResult<Double>], _ starts: [Double]) {
    var table = Table(
      "Rebalanced once, k = 4", columns: ["start", "switched at", "iterations to 1e-10", "after the switch"])
    var after: [Double] = []
    var slowest = 0.0
    for (start, result) in zip(starts, results) {
      let reached = result.history.distances.firstIndex { $0 <= 1e-10 }
      let switched = result.switched?.iteration
      table.add([start, switched, reached, reached.flatMap { r in switched.map { r - $0 } }])
      after.append(Double((reached ?? 100_000) - (switched ?? 0)))
      slowest = max(slowest, Double(reached ?? 100_000))
    }
    evidence.tables.append(table)
    evidence.check(
      "most iterations to 1e-10, accelerated, starts 0.01 to 0.3", claimed: 296, measured: slowest, .atMost(500))
    let mean = after.reduce(0, +) / Double(after.count)
    let spread = after.map { abs($0 - mean) / mean }.max() ?? .nan
    evidence.check(
      "spread of the iterations after the switch, relative", claimed: "±15 %", measured: spread, .atMost(0.15))
  }
}
