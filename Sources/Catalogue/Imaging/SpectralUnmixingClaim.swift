import CatalogueCore
import Imaging
import LinearAlgebra
import SpecialFunctions
import Tensors

/// Scenes with bad channels, unmixed by four methods from one start.
struct SpectralUnmixingClaim {
  let settings: ClaimSettings

  func evidence() throws -> Evidence {
    var evidence = Evidence()
    let seeds = (0..<UInt64(settings.size(quick: 4, full: 10))).map { settings.seed + $0 }
    let cases = [(10, 0.5), (20, 0.5), (10, 1.0), (0, 0.0)]
    let claimed = [
      ["init .060/.064", ".056/.234", ".021/.152", ".028/.063", ".0100/.0451", ".0098/.0427"],
      ["–", ".053/.250", ".026/.170", "–", "–", ".0112/.0420"],
      ["–", ".098/.328", ".071/.287", "–", "–", ".0099/.0429"],
      ["–", ".027/.060", ".0101/.0445", "–", "–", ".0099/.0413"],
    ]
    var table = Table(
      "Spectral angle and error of fractions, medians of \(seeds.count) scenes",
      columns: ["bad channels", "method", "specification", "angle", "RMSE"],
      caption: "100 channels, 4 materials, 32 x 32 pixels, 25 dB; scores on good channels.")
    var errors: [[Double]] = []
    var guidance: [Double] = []
    for (c, (bad, amplitude)) in cases.enumerated() {
      var scores = [[Score]](repeating: [], count: Method.allCases.count)
      for (s, seed) in seeds.enumerated() {
        try settings.progress.report(c * seeds.count + s, of: cases.count * seeds.count, "scenes")
        let scene = UnmixingScene(bad: bad, amplitude: amplitude, seed: seed)
        let start = try scene.start(seed: seed)
        for method in Method.allCases {
          let found = try method.fit(scene, start)
          scores[method.rawValue].append(try scene.score(found.spectra, found.abundances))
          if method == .robust, c == 0, let map = found.guidance {
            guidance.append(pearsonCorrelation(map.scalars, scene.trueGuidance.scalars) ?? .nan)
            if s == 0 { evidence.plots += plots(scene, found.abundances, map, found.weights) }
          }
        }
      }
      errors.append(scores.map { median($0.map(\.error)) })
      for method in Method.allCases {
        let own = scores[method.rawValue]
        table.add([
          bad == 0 ? "none" : "\(bad), amplitude \(amplitude)", method.name, claimed[c][method.rawValue],
          median(own.map(\.angle)), median(own.map(\.error)),
        ])
      }
    }
    evidence.tables.append(table)
    func error(_ c: Int, _ method: Method) -> Double { errors[c][method.rawValue] }
    for c in 0..<3 {
      let name = "\(cases[c].0) bad channels, amplitude \(cases[c].1)"
      evidence.check(
        "RMSE over that of half-norm factorization, \(name)", claimed: "0.15 to 0.28",
        measured: error(c, .robust) / error(c, .half), .atMost(0.35))
      evidence.check(
        "RMSE over that of plain factorization, \(name)", claimed: "0.13 to 0.18",
        measured: error(c, .robust) / error(c, .plain), .atMost(0.25))
    }
    evidence.check(
      "RMSE at twice the amplitude over RMSE", claimed: "within 10 %", measured: error(2, .robust) / error(0, .robust),
      .within(0.9...1.1))
    evidence.check(
      "correlation of the guidance with the true one, median", claimed: "0.96", measured: median(guidance),
      .atLeast(0.9))
    let ratio = error(0, .robust) / error(0, .robustHalf)
    if settings.isFull {
      evidence.check(
        "RMSE over that with half-norm sparsity and channel norms", claimed: "≤ 1", measured: ratio, .atMost(1))
    } else {
      evidence.notes.append(
        "RMSE is \(ratio.formatted(digits: 4)) times that of channel norms with half-norm sparsity; asserted in the full form."
      )
    }
    try strengths(&evidence, seeds)
    evidence.show([
      try ScalingRun("pixels, 100 channels, 20 iterations", promised: "1", [4_096, 8_192, 16_384, 32_768]) { count in
        var random = settings.random.child(UInt64(count))
        let data = random.uniform([100, 4], of: Double.self).matmul(random.uniform([4, count])) + 0.01
        var method = SpectralUnmixing(endmembers: 4)
        (method.iterationLimit, method.tolerance) = (20, 0)
        let fixed = method
        let start = SpectralUnmixing.Start(
          endmembers: random.uniform([100, 4]) + 0.1, abundances: random.uniform([4, count]) + 0.1)
        return { _ = try fixed.fit(data, startingFrom: start) }
      }
    ])
    return evidence
  }

  private enum Method: Int, CaseIterable {
    case start, plain, half, norms, robustHalf, robust
    var name: String {
      switch self {
      case .start: "start"
      case .plain: "plain factorization"
      case .half: "half-norm factorization"
      case .norms: "channel norms"
      case .robustHalf: "channel norms, half-norm sparsity"
      case .robust: "channel norms, learned sparsity"
      }
    }

    struct Found {
      var spectra, abundances: Tensor<Double>
      var guidance, weights: Tensor<Double>?
    }

    func fit(_ scene: UnmixingScene, _ start: SpectralUnmixing.Start<Double>) throws -> Found {
      let method: SpectralUnmixing
      switch self {
      case .start: return Found(spectra: start.endmembers, abundances: start.abundances)
      case .plain: method = .nonNegativeFactorization(endmembers: 4)
      case .half: method = .halfSparse(endmembers: 4)
      case .norms: method = SpectralUnmixing(endmembers: 4, sparsity: .none)
      case .robustHalf: method = SpectralUnmixing(endmembers: 4, sparsity: .fixed(exponent: 0.5, strength: 0.05))
      case .robust: method = SpectralUnmixing(endmembers: 4)
      }
      let found = try method.fit(scene.data, startingFrom: start)
      return Found(
        spectra: found.endmembers, abundances: found.abundances, guidance: found.guidance, weights: found.channelWeights
      )
    }
  }

  private func strengths(_ evidence: inout Evidence, _ seeds: [UInt64]) throws {
    var table = Table(
      "Strength of the learned sparsity, 10 bad channels", columns: ["strength", "specification", "RMSE"])
    for (strength, claimed) in [(0.05, ".0427"), (0.2, ".0458"), (0.5, ".096")] {
      let errors = try seeds.map { seed in
        let scene = UnmixingScene(bad: 10, amplitude: 0.5, seed: seed)
        let method = SpectralUnmixing(endmembers: 4, sparsity: .learned(strength: strength))
        let found = try method.fit(scene.data, startingFrom: scene.start(seed: seed))
        return try scene.score(found.endmembers, found.abundances).error
      }
      table.add([strength, claimed, median(errors)])
    }
    evidence.tables.append(table)
  }

  private func plots(
    _ scene: UnmixingScene, _ abundances: Tensor<Double>, _ guidance: Tensor<Double>, _ weights: Tensor<Double>?
  ) -> [Plot] {
    var plots = [
      Plot("First material found", x: "column", y: "row", heatMap: abundances[0].copied().reshaped([32, 32])),
      Plot("Guidance learned", x: "column", y: "row", heatMap: guidance.reshaped([32, 32])),
      Plot("True guidance", x: "column", y: "row", heatMap: scene.trueGuidance.reshaped([32, 32])),
    ]
    if let weights {
      plots.append(
        Plot("Channel weights", x: "channel", y: "weight", [Series("", weights.scalars, first: 0, .bars)]))
    }
    return plots
  }
}

/// How near a result is: the mean spectral angle, and the root mean square of the fractions' errors.
private struct Score {
  var angle, error: Double
}

/// Smooth random spectra, patches that were blurred, noise, and bad channels.
private struct UnmixingScene {
  let data, spectra, abundances: Tensor<Double>
  let good: Tensor<Int>
  private let extent = 32

  init(bad: Int, amplitude: Double, seed: UInt64) {
    var random = RandomStream(seed: seed)
    let (channels, count) = (100, 4)
    let x = Tensor((0..<channels).map { Double($0) / Double(channels - 1) })
    var columns: [Tensor<Double>] = []
    for _ in 0..<count {
      var spectrum = Tensor(repeating: 0.3 + 0.3 * Double.random(in: 0..<1, using: &random), shape: [channels])
      for _ in 0..<6 {
        let height = 0.6 * (Double.random(in: 0..<1, using: &random) - 0.4)
        let centre = Double.random(in: 0..<1, using: &random)
        let width = Double.random(in: 0.03..<0.18, using: &random)
        spectrum += (-(x - centre).squared() / (2 * width * width)).exp() * height
      }
      columns.append(spectrum.clamped(to: 0.02...1.2))
    }
    spectra = .stacked(columns, axis: 1)
    let labels = random.integers([16], in: 0..<count).scalars
    let extent = 32
    func label(_ i: Int, _ j: Int) -> Int {
      labels[min(max(i, 0), extent - 1) / 8 * 4 + min(max(j, 0), extent - 1) / 8]
    }
    abundances = Tensor(uninitializedShape: [count, extent * extent]) { result in
      result.update(repeating: 0)
      for i in 0..<extent {
        for j in 0..<extent {
          for di in -3...3 {
            for dj in -3...3 { result[label(i + di, j + dj) * extent * extent + i * extent + j] += 1 / 49.0 }
          }
        }
      }
    }
    let clean = spectra.matmul(abundances)
    let deviation = (clean.squared().mean().scalar / Double.pow(10, 2.5)).squareRoot()
    var noisy = clean + random.normal(clean.shape) * deviation
    let worst = random.sample(bad, below: channels).scalars
    if bad > 0 {
      let isBad = Tensor((0..<channels).map { worst.contains($0) ? amplitude : 0 }).expanded(axis: 1)
      noisy += random.normal(clean.shape) * isBad
    }
    data = noisy.maximum(0)
    good = Tensor((0..<channels).filter { !worst.contains($0) })
  }

  /// Extreme pixels of the good channels, the same for all methods.
  func start(seed: UInt64) throws -> SpectralUnmixing.Start<Double> {
    var method = SpectralUnmixing(endmembers: 4, seed: seed)
    method.iterationLimit = 1
    return try method.start(for: data)
  }

  var trueGuidance: Tensor<Double> {
    let ratio = abundances.sum(axis: 0) / abundances.norm(axes: [0])
    return (Tensor(2) - ratio).clamped(to: 0...0.9)
  }

  func score(_ found: Tensor<Double>, _ fractions: Tensor<Double>) throws -> Score {
    let (truth, own) = (spectra.gathered(good, axis: 0), found.gathered(good, axis: 0))
    let order = Tensor(try matchEndmembers(own, to: truth))
    let angles = spectralAngles(truth, own.gathered(order, axis: 1)).diagonal
    let error = (fractions.gathered(order, axis: 0) - abundances).squared().mean().scalar.squareRoot()
    return Score(angle: angles.mean().scalar, error: error)
  }
}
