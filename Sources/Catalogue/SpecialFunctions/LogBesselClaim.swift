import CatalogueCore
import Datasets
import Numerics
import SpecialFunctions
import Tensors

extension LogBessel {
  func reproduce(_ settings: ClaimSettings) throws -> Evidence {
    var evidence = Evidence()
    checkPlane(&evidence, settings)
    try settings.progress.report(1, of: 4)
    checkLikelihoods(&evidence)
    try settings.progress.report(2, of: 4)
    try checkFeatures(&evidence, settings)
    try settings.progress.report(3, of: 4)
    showSpeed(&evidence, settings)
    evidence.plots.append(errorMap())
    try settings.progress.report(4, of: 4)
    return evidence
  }

  /// Points (v, x) spread evenly over the logarithms of [1e-3, 1e5]².
  private func points(_ count: Int, _ random: inout RandomStream) -> (v: Tensor<Double>, x: Tensor<Double>) {
    let exponents = random.uniform([2, count], in: -3..<5.0) * Double.log(10)
    let values = exponents.exp()
    return (values[0].copied(), values[1].copied())
  }

  /// How far I_v K_{v+1} + I_{v+1} K_v is from 1 / x, in logarithms, in units of max(1, |log I|, |log K|): the logarithms
  /// cancel, so that no smaller unit can be asked for.
  private func wronskianDefects(_ v: Tensor<Double>, _ x: Tensor<Double>) -> Tensor<Double> {
    let (i, k) = (logBesselI(order: v, x), logBesselK(order: v, x))
    let first = i + logBesselK(order: v + 1, x)
    let second = logBesselI(order: v + 1, x) + k
    let larger = first.maximum(second)
    let sum = larger + ((first - larger).exp() + (second - larger).exp()).log()
    let scale = i.absolute().maximum(k.absolute()).maximum(Tensor(1))
    return (sum + x.log()).absolute() / scale
  }

  private func checkPlane(_ evidence: inout Evidence, _ settings: ClaimSettings) {
    var random = settings.random
    let count = settings.size(quick: 20_000, full: 2_000_000)
    let (v, x) = points(count, &random)
    let (i, k) = (logBesselI(order: v, x), logBesselK(order: v, x))
    evidence.check(
      "finite values of log I and log K at \(count) points of [1e-3, 1e5]²", claimed: "all",
      measured: i.isFinite && k.isFinite ? "all" : "not all", holds: i.isFinite && k.isFinite)
    // What a program without logarithms sees: zero or infinity.
    let largest = Double.log(.greatestFiniteMagnitude)
    let smallest = Double.log(.leastNonzeroMagnitude)
    let isLost = (i .> largest) .| (i .< smallest) .| (k .> largest) .| (k .< smallest)
    evidence.check(
      "share of these points where I or K itself is no double", claimed: "> 0.3",
      measured: Double(isLost.trueCount) / Double(count), .above(0.3))
    evidence.check(
      "largest defect of the Wronskian, in units of max(1, |log I|, |log K|)", claimed: 1e-13,
      measured: wronskianDefects(v, x).maximum().scalar, .atMost(1e-13))
    let ratio = besselRatio(order: v, x)
    let above = logBesselI(order: v + 1, x)
    let scale = i.absolute().maximum(Tensor(1))
    evidence.check(
      "largest difference of the ratio's logarithm from that of the values, in the same units", claimed: 1e-13,
      measured: ((ratio.log() - (above - i)).absolute() / scale).maximum().scalar, .atMost(1e-13))
  }

  /// Concentration and log-normaliser at the solution of A(k) = R, from 60-digit arithmetic.
  private static let likelihoods: [(dimension: Int, length: Double, concentration: Double, logNormalizer: Double)] = [
    (2_048, 0.3, 675.110428185074, 4792.420806446812), (2_048, 0.9, 9696.81305226317, -2128.692791319845),
    (8_192, 0.3, 2700.60490818625, 24856.93453996488), (8_192, 0.9, 38799.9709280819, -2837.328969394414),
    (32_768, 0.3, 10802.5829237902, 122151.8542335497), (32_768, 0.9, 155212.602502302, 11364.99114531445),
  ]

  private func checkLikelihoods(_ evidence: inout Evidence) {
    var table = Table(
      "Maximum likelihood of the von Mises-Fisher law",
      columns: ["dimensions", "R", "concentration", "log-normaliser", "log I", "relative error"])
    var worst = 0.0
    for row in Self.likelihoods {
      let found = VonMisesFisherFitting().concentration(dimension: row.dimension, meanResultantLength: row.length)
      let constant = VonMisesFisher.logNormalizer(dimension: row.dimension, concentration: found.concentration)
      var error = (found.concentration / row.concentration - 1).magnitude
      error.keepMaximum(of: (constant / row.logNormalizer - 1).magnitude)
      worst.keepMaximum(of: error)
      let value = Double.logBesselI(Double(row.dimension) / 2 - 1, found.concentration)
      table.add([row.dimension, row.length, found.concentration, constant, value, error])
    }
    evidence.check(
      "largest relative error of concentration and log-normaliser, 2,048 to 32,768 dimensions", claimed: 1e-12,
      measured: worst, .atMost(1e-12))
    evidence.tables.append(table)
  }

  /// Digits through a random layer of 8,192 rectified units: directions in many dimensions.
  private func checkFeatures(_ evidence: inout Evidence, _ settings: ClaimSettings) throws {
    var random = settings.random.child(1)
    let digits = Datasets.digits(as: Double.self)
    let images = digits.features.reshaped([digits.count, 64])[0..<settings.size(quick: 400, full: 1_797)]
    let layer: Tensor<Double> = random.normal([64, 8_192])
    let features = images.matmul(layer).relu()
    let fit = try VonMisesFisherFitting().fit(features)
    let unit = features / features.sumOfSquares(axes: [1], keepingAxes: true).sqrt()
    let likelihood = fit.distribution.logProbability(unit).mean().scalar
    let start = try VonMisesFisher(
      meanDirection: fit.distribution.meanDirection, concentration: fit.approximateConcentration)
    let uniform = VonMisesFisher.logNormalizer(dimension: 8_192, concentration: 0)
    evidence.check(
      "mean log-density of \(features.rows) feature vectors in 8,192 dimensions above the uniform law's, nats",
      claimed: "finite and better", measured: likelihood - uniform, .above(0))
    evidence.check(
      "the same above that of Banerjee's approximate concentration", claimed: "better",
      measured: likelihood - start.logProbability(unit).mean().scalar, .above(0))
    evidence.notes.append(
      "log I of the fitted law is \(Double.logBesselI(4_095, fit.distribution.concentration)): I itself overflows.")
  }

  private func showSpeed(_ evidence: inout Evidence, _ settings: ClaimSettings) {
    var random = settings.random.child(2)
    var table = Table(
      "Time for each element, all cores", columns: ["orders and arguments", "log I, ns", "log K, ns"],
      caption: "Benchmarks/RESULTS.md has the comparison with SciPy.")
    let count = 200_000
    let large = random.uniform([2, count], in: 300..<1e5)
    let (v, x) = points(count, &random)
    for (name, v, x) in [("1e-3 to 1e5, log-uniform", v, x), ("300 to 1e5", large[0].copied(), large[1].copied())] {
      let clock = ContinuousClock()
      let first = clock.measure { _ = logBesselI(order: v, x) }
      let second = clock.measure { _ = logBesselK(order: v, x) }
      table.add([name, first / .nanoseconds(1) / Double(count), second / .nanoseconds(1) / Double(count)])
    }
    evidence.tables.append(table)
  }

  /// The Wronskian's defect over the plane.
  private func errorMap() -> Plot {
    let side = 80
    let steps = Tensor<Double>(Tensor<Int>(0..<side)) + 0.5
    let exponents = (steps * (8 / Double(side)) - 3) * Double.log(10)
    let v = exponents.exp().expanded(axis: 1).broadcast(to: [side, side]).copied()
    let x = exponents.exp().expanded(axis: 0).broadcast(to: [side, side]).copied()
    let defects = wronskianDefects(v, x).maximum(Tensor(1e-18))
    return Plot(
      "Defect of the Wronskian", caption: "log10 of the defect; both axes run over 1e-3 to 1e5.", x: "argument",
      y: "order", heatMap: defects.log10())
  }
}
