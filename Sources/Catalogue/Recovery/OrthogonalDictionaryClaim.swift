import CatalogueCore
import Datasets
import LinearAlgebra
import Numerics
import Recovery
import SpecialFunctions
import Tensors

/// The experiment behind `apus reproduce orthogonal-dictionary`.
struct OrthogonalDictionaryClaim {
  let settings: ClaimSettings
  private let dimension = 16
  private let length = 20_000

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    try recovery(&evidence)
    try settings.progress.report(1, of: 3)
    try drift(&evidence)
    try settings.progress.report(2, of: 3)
    try digits(&evidence)
    try endlessStreams(&evidence)
    evidence.show([
      try scaling("extent, batches of 64, 50 steps", "2 to 3", [32, 64, 128, 256]) { ($0, 64) },
      try scaling("batch, extent 64, 50 steps", "1 beyond the n³ of a step", [256, 512, 1_024, 2_048]) { (64, $0) },
    ])
    try settings.progress.report(3, of: 3)
    return evidence
  }

  /// Bernoulli–Gaussian codes of density θ through an orthogonal dictionary.
  private func samples(
    _ count: Int, density: Double, dictionary: Tensor<Double>, random: inout RandomStream
  ) -> Tensor<Double> {
    let size = dictionary.rows
    let codes = random.normal([count, size]) * Tensor<Double>(random.bernoulli([count, size], probability: density))
    return codes.matmul(dictionary, transposingB: true)
  }

  private struct Curve: Sendable {
    var steps: [Double] = [], errors: [Double] = [], gapSteps: [Double] = [], gaps: [Double] = []
    var defect = 0.0
  }

  /// Errors at steps spread evenly in logarithms, and gaps averaged over windows [t, 1.1 t].
  private func learn(density: Double, power: Double, seed: UInt64) throws -> Curve {
    var random = settings.random.child(seed)
    let truth: Tensor<Double> = try random.orthogonal([dimension, dimension])
    let stream = samples(length, density: density, dictionary: truth, random: &random)
    var options = OrthogonalDictionarySettings()
    options.power = power
    var learner = try OnlineOrthogonalDictionary<Double>(dimension: dimension, settings: options, seed: seed + 1)
    var curve = Curve()
    let marks = Set((0...32).map { Int(100 * Double.pow(200, Double($0) / 32)) } + [length])
    var (sum, count, start) = (0.0, 0, 0)
    for step in 1...length {
      try learner.partialFit(stream[step - 1..<step])
      if start > 0 {
        (sum, count) = (sum + learner.gapEstimate, count + 1)
        if step >= start * 11 / 10 {
          curve.gapSteps.append(Double(start))
          curve.gaps.append(sum / Double(count))
          (sum, count, start) = (0, 0, 0)
        }
      }
      guard marks.contains(step) else { continue }
      if start == 0 { start = step }
      curve.steps.append(Double(step))
      curve.errors.append(try dictionaryRecoveryError(learner.dictionary(), truth))
    }
    curve.defect = learner.orthogonalityDefect
    return curve
  }

  /// The error of mini-batch learning on the same number of samples, the best of three penalties.
  private func baseline(density: Double, seed: UInt64) throws -> Double {
    var best = Double.infinity
    for penalty in [0.1, 0.2, 0.4] {
      var random = settings.random.child(seed)
      let truth: Tensor<Double> = try random.orthogonal([dimension, dimension])
      let stream = samples(length, density: density, dictionary: truth, random: &random)
      var learner = try MiniBatchDictionary(dimension: dimension, penalty: penalty, random: &random)
      for first in stride(from: 0, to: length, by: 20) { learner.partialFit(stream[first..<first + 20]) }
      best.keepMinimum(of: try dictionaryRecoveryError(learner.dictionary, truth))
    }
    return best
  }

  private func recovery(_ evidence: inout Evidence) throws {
    let seeds = settings.size(quick: 2, full: 5)
    let cases: [(density: Double, power: Double)] = [(0.1, 3), (0.3, 3), (0.5, 3), (0.3, 4)]
    let curves = try parallelMap(cases.count * seeds) { run in
      let (i, seed) = run.quotientAndRemainder(dividingBy: seeds)
      return try learn(density: cases[i].density, power: cases[i].power, seed: UInt64(10 + seed))
    }
    let others = try parallelMap(3) { i in try baseline(density: cases[i].density, seed: 10) }
    var table = Table(
      "Error after 20,000 samples in 16 dimensions, one a step; median of \(seeds) seeds",
      columns: [
        "density", "power", "error", "slope from 1,000", "gap slope", "orthogonality defect", "mini-batch error",
      ])
    var series: [Series] = []
    var errors: [Double] = []
    for (i, item) in cases.enumerated() {
      let own = curves[i * seeds..<(i + 1) * seeds]
      let error = median(own.map { $0.errors[$0.errors.count - 1] })
      errors.append(error)
      // Slopes of the mean curve: single ones are noisy.
      let mean = own[own.startIndex].steps.indices.map { t in own.map { $0.errors[t] }.reduce(0, +) / Double(seeds) }
      let late = own[own.startIndex].steps.indices.filter { own[own.startIndex].steps[$0] >= 1_000 }
      let slope = logarithmicSlope(late.map { own[own.startIndex].steps[$0] }, late.map { mean[$0] })
      let windows = own.map { logarithmicSlope($0.gapSteps, $0.gaps) }
      table.add([
        item.density, item.power, error, slope, median(windows), median(own.map(\.defect)),
        i < others.count ? Datum.number(others[i]) : .missing,
      ])
      guard item.power == 3 else { continue }
      series.append(Series("density \(item.density)", x: own[own.startIndex].steps, y: mean))
      let prototype = [5.7e-4, 9.2e-4, 1.5e-3][i]
      evidence.check(
        "error at 20,000 samples, density \(item.density)", claimed: prototype, measured: error,
        .atMost(item.density < 0.5 ? 2.5e-3 : 4e-3))
      if item.density > 0.1 {
        evidence.check(
          "exponent of the error in the samples, density \(item.density)", claimed: "≤ -0.6", measured: slope,
          .atMost(-0.6))
      }
      evidence.check(
        "exponent of the gap estimate, density \(item.density)", claimed: -0.32, measured: median(windows),
        .atMost(-0.2))
      evidence.check(
        "error relative to mini-batch dictionary learning, density \(item.density)", claimed: "≤ 1/3",
        measured: error / others[i], .atMost(1 / 3.0))
    }
    evidence.check(
      "error of the third power relative to the fourth, density 0.3", claimed: "9.2e-4 / 2.6e-3",
      measured: errors[1] / errors[3], .below(1))
    evidence.tables.append(table)
    evidence.notes.append(
      "At density 0.1 the exponent of the error lies at the bound of -0.6: shown, not asserted."
    )
    evidence.plots.append(
      Plot("Error of the dictionary", x: .logarithmic("samples"), y: .logarithmic("error"), series))
  }

  /// The dictionary turns by half a radian in n / 2 random planes after 10,000 samples.
  private func drift(_ evidence: inout Evidence) throws {
    var table = Table(
      "After a turn by 0.5 rad", columns: ["schedules", "before", "just after", "200 samples later"])
    var after: [Double] = []
    for hasFloors in [true, false] {
      var random = settings.random.child(20)
      let truth: Tensor<Double> = try random.orthogonal([dimension, dimension])
      let basis: Tensor<Double> = try random.orthogonal([dimension, dimension])
      var turn = Tensor<Double>.zeros([dimension, dimension])
      for i in stride(from: 0, to: dimension, by: 2) {
        (turn[at: i, i], turn[at: i + 1, i + 1]) = (Double.cos(0.5), Double.cos(0.5))
        (turn[at: i, i + 1], turn[at: i + 1, i]) = (-Double.sin(0.5), Double.sin(0.5))
      }
      let turned = basis.matmul(turn).matmul(basis, transposingB: true).matmul(truth)
      var options = OrthogonalDictionarySettings()
      if hasFloors { (options.step.floor, options.momentum.floor) = (0.02, 0.05) }
      var learner = try OnlineOrthogonalDictionary<Double>(dimension: dimension, settings: options, seed: 21)
      try learner.fit(samples(10_000, density: 0.3, dictionary: truth, random: &random))
      let before = try dictionaryRecoveryError(learner.dictionary(), truth)
      let jump = try dictionaryRecoveryError(learner.dictionary(), turned)
      try learner.fit(samples(200, density: 0.3, dictionary: turned, random: &random))
      after.append(try dictionaryRecoveryError(learner.dictionary(), turned))
      table.add([hasFloors ? "with floors" : "decaying", before, jump, after[after.count - 1]])
    }
    evidence.tables.append(table)
    evidence.check(
      "error 200 samples after the turn, with floors", claimed: 0.030, measured: after[0], .atMost(0.06))
    evidence.check(
      "error 200 samples after the turn, decaying schedules", claimed: 0.178, measured: after[1], .atLeast(0.12))
  }

  private func scaling(
    _ name: String, _ promised: String, _ sizes: [Int], _ shape: (Int) -> (extent: Int, batch: Int)
  ) throws -> ScalingRun {
    try ScalingRun(name, promised: promised, sizes) { size in
      let (extent, batch) = shape(size)
      var random = settings.random.child(UInt64(size))
      let truth: Tensor<Double> = try random.orthogonal([extent, extent])
      let stream = samples(batch, density: 0.3, dictionary: truth, random: &random)
      let learner = try OnlineOrthogonalDictionary<Double>(dimension: extent, seed: 1)
      return {
        var learner = learner
        for _ in 0..<50 { try learner.partialFit(stream) }
      }
    }
  }

  /// Streams of ever greater length, made on the fly: the memory is that of the shortest.
  private func endlessStreams(_ evidence: inout Evidence) throws {
    let extent = 64
    var random = settings.random.child(40)
    let truth: Tensor<Double> = try random.orthogonal([extent, extent])
    var table = Table(
      "Streams of vectors of length \(extent), made on the fly, batches of 256",
      columns: ["MB", "samples", "seconds", "error", "MB in use"],
      caption: "Seconds include making the samples. The memory is that of the whole process, at most.")
    var costs: [StreamCost] = []
    var error = 1.0
    for length in StreamCost.lengths(isFull: settings.isFull) {
      var learner = try OnlineOrthogonalDictionary<Double>(dimension: extent, seed: settings.seed)
      let cost = try StreamCost.measure(
        megabytes: length, columns: extent, piece: 256, settings.progress,
        make: { samples($0, density: 0.1, dictionary: truth, random: &random) }, observe: { try learner.partialFit($0) }
      )
      error = try dictionaryRecoveryError(learner.dictionary(), truth)
      table.add([length, cost.rows, cost.seconds, error, cost.memory])
      costs.append(cost)
    }
    evidence.tables.append(table)
    evidence.checkMemory(of: costs)
    let longest = costs[costs.count - 1]
    evidence.check(
      "error of the dictionary after \(Int(longest.megabytes)) MB of samples", claimed: "small", measured: error,
      .atMost(2.5e-3))
  }

  /// Digits in one pass: images from their eight largest coefficients.
  private func digits(_ evidence: inout Evidence) throws {
    let data = Datasets.digits(as: Double.self)
    let images = data.features.reshaped([data.count, 64])
    let centred = images - images.mean(axis: 0)
    func error(_ transform: Tensor<Double>) -> Double {
      let codes = centred.matmul(transform)
      let least = codes.absolute().topK(8, axis: 1).values[.all, 7].expanded(axis: 1)
      let kept = codes * Tensor<Double>(codes.absolute() .>= least)
      return (kept.matmul(transform, transposingB: true) - centred).sumOfSquares().scalar
        / centred.sumOfSquares().scalar
    }
    // The cosine transform of an 8 x 8 image.
    func cosine(_ place: Int, _ frequency: Int) -> Double {
      let height = (frequency == 0 ? 0.125 : 0.25).squareRoot()
      return height * Double.cos(Double.pi * (Double(place) + 0.5) * Double(frequency) / 8)
    }
    let line = Tensor<Double>((0..<8).map { place in (0..<8).map { cosine(place, $0) } })
    let cosines = try KroneckerProduct([line, line]).dense()
    let principal = try SymmetricEigendecomposition(of: centred.multipliedByOwnTranspose(transposing: true)).vectors
    var table = Table(
      "Digits from their 8 largest coefficients, relative squared error", columns: ["transform", "error"],
      caption: "One pass, batches of 4.")
    var options = OrthogonalDictionarySettings()
    options.removesMean = true
    var random = settings.random.child(30)
    let stream = images.gathered(random.permutation(images.rows))
    var plain = try OnlineOrthogonalDictionary<Double>(dimension: 64, settings: options, seed: 31)
    try plain.fit(stream, batchSize: 4)
    let learned = error(try plain.dictionary())
    options.whitening = .online
    var whitened = try OnlineOrthogonalDictionary<Double>(dimension: 64, settings: options, seed: 31)
    try whitened.fit(stream, batchSize: 4)
    let codes = try whitened.encode(images, keeping: .largest(8))
    let spherical = (try whitened.decode(codes) - images).sumOfSquares().scalar / centred.sumOfSquares().scalar
    let (dct, pca) = (error(cosines), error(principal))
    table.add(["learned, orthogonal", learned])
    table.add(["learned, whitened", spherical])
    table.add(["cosine", dct])
    table.add(["principal components", pca])
    evidence.tables.append(table)
    evidence.notes.append(
      "On digits the transform learned without whitening is asserted; that learned from whitened images is in the table. The "
        + "mini-batch baseline is one stream, at the best of three penalties.")
    evidence.check(
      "error of digits from 8 coefficients relative to the cosine transform", claimed: "beats it",
      measured: learned / dct, .below(1))
  }
}
