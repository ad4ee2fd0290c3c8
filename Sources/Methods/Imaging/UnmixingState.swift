import LinearAlgebra
import Tensors

/// Spectra and abundances on their way, and the sums over pixels that the next step needs.
///
/// An iteration reads the data once: while a block of pixels is in the caches, its abundances are updated and its share of
/// Y Aᵀ for the next iteration is added up.
struct UnmixingState<Scalar: LinearScalar> {
  private let prepared: PreparedSpectra<Scalar>
  private let settings: SpectralUnmixing
  /// M, shape [channels, K].
  private(set) var spectra: Tensor<Scalar>
  /// Aᵀ, shape [pixels, K].
  private(set) var abundances: Tensor<Scalar>
  /// u, shape [channels].
  private(set) var weights: Tensor<Scalar>
  /// h, shape [pixels].
  private(set) var guidance: Tensor<Scalar>
  /// Y Aᵀ, shape [channels, K], A Aᵀ, shape [K, K], and ‖y^l‖².
  private var products: Tensor<Scalar>
  private var gram: Tensor<Scalar>
  private let squares: Tensor<Scalar>
  /// ū δ², and the floor of residual norms.
  private var sumWeight: Scalar = 0
  private var floor: Scalar = 0

  /// Keeps denominators from being zero, and is too small to change any other: exact data stay where they are.
  private let smallest: Scalar = .leastNormalMagnitude / .ulpOfOne
  /// ξ, below which the derivative of the sparsity term is that at ξ.
  private let corner: Scalar = 1e-3
  private static var highestGuidance: Scalar { 0.9 }

  init(
    _ prepared: PreparedSpectra<Scalar>, _ start: (spectra: Tensor<Scalar>, abundances: Tensor<Scalar>),
    settings: SpectralUnmixing
  ) {
    (self.prepared, self.settings) = (prepared, settings)
    (spectra, abundances) = start
    weights = .ones([prepared.kept.count])
    guidance = .zeros([prepared.pixels.rows])
    squares = prepared.pixels.sumOfSquares(axes: [0])
    products = prepared.pixels.matmul(abundances, transposingA: true)
    gram = abundances.multipliedByOwnTranspose(transposing: true)
  }

  private var pixels: Tensor<Scalar> { prepared.pixels }

  /// The norms of the channels' residuals, from sums where these are accurate, and from the residual itself where not.
  private func residualNorms() -> Tensor<Scalar> {
    let fitted = (spectra * spectra.matmul(gram)).sum(axis: 1)
    let squared = squares - (spectra * products).sum(axis: 1) * 2 + fitted
    let isAccurate = (squared .> squares * .sqrt(.ulpOfOne) * 64).scalars
    let exact = isAccurate.indices.filter { !isAccurate[$0] }
    var values = squared.scalars
    if !exact.isEmpty {
      let rows = Tensor(exact)
      let part = pixels.gathered(rows, axis: 1)
      let residual = part - abundances.matmul(spectra.gathered(rows, axis: 0), transposingB: true)
      for (i, value) in zip(exact, residual.sumOfSquares(axes: [0]).scalars) { values[i] = value }
    }
    return Tensor(values).maximum(0).sqrt()
  }

  /// Updates u and, if wanted, h and ū; returns the objective.
  mutating func prepareStep(updatingGuidance: Bool) -> Double {
    let norms = residualNorms()
    switch settings.fidelity {
    case .squared: weights = .ones(norms.shape)
    case .channelNorms:
      if updatingGuidance || floor == 0 {
        floor = max(Scalar(1e-6) * norms.median().scalar, .leastNormalMagnitude / .ulpOfOne)
      }
      weights = (norms.maximum(floor) * 2).reciprocal()
    }
    if updatingGuidance || sumWeight == 0 {
      sumWeight = weights.maximum().scalar * Scalar(settings.sumToOneWeight * settings.sumToOneWeight)
      if case .learned = settings.sparsity { guidance = learnedGuidance() }
    }
    return objective(norms)
  }

  /// Hoyer's sparseness of the abundances, smoothed over neighbours that look alike.
  private func learnedGuidance() -> Tensor<Scalar> {
    let root = Scalar.sqrt(Scalar(settings.endmembers))
    let ratio = abundances.sum(axis: 1) / abundances.norm(axes: [1]).maximum(.leastNormalMagnitude)
    var map = ((Tensor(root) - ratio) / (root - 1)).clamped(to: 0...Self.highestGuidance)
    guard let neighbours = prepared.neighbours else { return map }
    var sums = Tensor<Scalar>.zeros(map.shape)
    var totals = Tensor<Scalar>.zeros(map.shape)
    let count = map.count
    for (weights, step) in [(neighbours.right, 1), (neighbours.below, neighbours.width)] where count > step {
      let zeros = Tensor<Scalar>.zeros([step])
      let shared = weights[..<(count - step)]
      sums += Tensor.concatenated([shared * map[step...], zeros])
      totals += Tensor.concatenated([shared, zeros])
      sums += Tensor.concatenated([zeros, shared * map[..<(count - step)]])
      totals += Tensor.concatenated([zeros, shared])
    }
    let mean = (totals .> 0).select(sums / totals.maximum(.leastNormalMagnitude), map)
    let share = Scalar(settings.guidanceSmoothing)
    map = map * (1 - share) + mean * share
    return map
  }

  /// λ and p for each pixel, shape [pixels, 1]; nil without a penalty.
  private var penalty: (strength: Scalar, exponents: Tensor<Scalar>)? {
    switch settings.sparsity {
    case .none: nil
    case .fixed(let exponent, let strength):
      (Scalar(strength), Tensor(repeating: Scalar(exponent), shape: [pixels.rows, 1]))
    case .learned(let strength): (Scalar(strength), (Tensor(1) - guidance).expanded(axis: 1))
    }
  }

  private func objective(_ norms: Tensor<Scalar>) -> Double {
    var value: Double
    switch settings.fidelity {
    case .squared: value = Double(norms.sumOfSquares().scalar)
    case .channelNorms:
      // Quadratic below the floor.
      let small = norms.squared() / (2 * floor) + floor / 2
      value = Double((norms .< floor).select(small, norms).sum().scalar)
    }
    let excess = Tensor(1) - abundances.sum(axis: 1)
    value += Double(sumWeight) * Double(excess.sumOfSquares().scalar)
    guard let penalty else { return value }
    let p = penalty.exponents
    let floored = abundances.maximum(corner)
    let powers = (floored.log() * p).exp()
    // Below the corner, the tangent.
    let slopes = p * powers / floored
    let terms = powers + slopes * (abundances - floored)
    return value + Double(penalty.strength) * Double(terms.sum().scalar)
  }

  /// M, then A: multiplicative updates that do not increase the objective with the present weights.
  mutating func step() throws {
    spectra = spectra * products / (spectra.matmul(gram) + smallest)
    let weighted = spectra * (weights * 2).expanded(axis: 1)
    let curvature = spectra.matmul(weighted, transposingA: true)
    let count = pixels.rows
    let block = 512
    let blocks = (count + block - 1) / block
    let pull = 2 * sumWeight
    let penalty = penalty
    let (pixels, abundances, corner, smallest) = (pixels, abundances, corner, smallest)
    let found = try parallelMap(blocks) { b in
      let range = b * block..<min((b + 1) * block, count)
      let data = pixels[range]
      let old = abundances[range]
      let numerator = data.matmul(weighted) + pull
      var denominator = old.matmul(curvature) + old.sum(axis: 1, keepingAxis: true) * pull + smallest
      if let penalty {
        let slope = ((penalty.exponents[range] - 1) * old.maximum(corner).log()).exp() * penalty.exponents[range]
        denominator += slope * penalty.strength
      }
      let new = old * numerator / denominator
      return (
        new, data.matmul(new, transposingA: true), new.multipliedByOwnTranspose(transposing: true)
      )
    }
    self.abundances = .concatenated(found.map(\.0))
    products = found.dropFirst().reduce(found[0].1) { $0 + $1.1 }
    gram = found.dropFirst().reduce(found[0].2) { $0 + $1.2 }
  }
}
