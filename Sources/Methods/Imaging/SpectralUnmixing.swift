public import LinearAlgebra
public import Tensors

/// Splits the spectra of an image's pixels into a few materials and their fractions, robust against channels that are noise.
///
/// Y ≈ M A with spectra M and abundances A that are not negative and sum to about one a pixel, by minimizing
/// Σ_l ‖y^l - m^l A‖ + λ Σ_n Σ_k A_kn^(1 - h_n): norms of whole channels, so that a bad one counts linearly, and a sparsity
/// that the guidance h_n makes strong for pure pixels and absent for mixed ones. h is learned with A.
///
/// ```swift
/// let found = try SpectralUnmixing(endmembers: 4).fit(cube)       // [channels, pixels]
/// print(found.endmembers.shape, found.abundances.shape, found.channelWeights)
/// ```
///
/// - Complexity: O(channels pixels endmembers) time an iteration; the data are read once in each.
/// - Source: Zhu et al., arXiv 1409.0685; half-quadratic weights and multiplicative updates as in Lee and Seung, 2001.
public struct SpectralUnmixing: Sendable, Hashable {
  /// How a channel's misfit counts.
  public enum Fidelity: Sendable, Hashable {
    /// Squared, as in non-negative matrix factorization.
    case squared
    /// By its norm.
    case channelNorms
  }

  /// What is asked of abundances besides.
  public enum Sparsity: Sendable, Hashable {
    case none
    /// λ Σ A^p with the same p for all pixels.
    case fixed(exponent: Double, strength: Double)
    /// λ Σ A^(1 - h) with the guidance map h.
    case learned(strength: Double)
  }

  public var endmembers: Int
  public var fidelity = Fidelity.channelNorms
  public var sparsity = Sparsity.learned(strength: 0.05)
  /// δ: the weight of the condition that abundances sum to one.
  public var sumToOneWeight = 1.0
  /// Height and width of the image, for a guidance map that follows its neighbours.
  public var spatialShape: [Int]?
  /// μ: how much of the guidance comes from the four neighbours, weighted by likeness.
  public var guidanceSmoothing = 0.5
  public var iterationLimit = 300
  /// Of the relative change of the objective.
  public var tolerance = 1e-6
  /// Iterations in which the guidance and the weight of the sum move. Afterwards the objective cannot rise.
  public var guidanceUpdates = Int.max
  /// Whether negative data are taken as zero rather than refused.
  public var clipsNegative = false
  public var seed: UInt64 = 1

  public init(
    endmembers: Int, fidelity: Fidelity = .channelNorms, sparsity: Sparsity = .learned(strength: 0.05),
    spatialShape: [Int]? = nil, seed: UInt64 = 1
  ) {
    (self.endmembers, self.fidelity, self.sparsity) = (endmembers, fidelity, sparsity)
    (self.spatialShape, self.seed) = (spatialShape, seed)
  }

  /// Plain non-negative matrix factorization with the sum-to-one condition.
  public static func nonNegativeFactorization(endmembers: Int) -> SpectralUnmixing {
    SpectralUnmixing(endmembers: endmembers, fidelity: .squared, sparsity: .none)
  }
  /// Squared misfit, and square roots of abundances as penalty.
  public static func halfSparse(endmembers: Int, strength: Double = 0.05) -> SpectralUnmixing {
    SpectralUnmixing(
      endmembers: endmembers, fidelity: .squared, sparsity: .fixed(exponent: 0.5, strength: strength))
  }

  /// A start: spectra M, shape [channels, endmembers], and abundances A, shape [endmembers, pixels].
  public struct Start<Scalar: LinearScalar>: Sendable {
    public var endmembers: Tensor<Scalar>
    public var abundances: Tensor<Scalar>

    public init(endmembers: Tensor<Scalar>, abundances: Tensor<Scalar>) {
      (self.endmembers, self.abundances) = (endmembers, abundances)
    }
  }

  /// Where ``fit(_:startingFrom:progress:)`` begins by itself: the extreme pixels of the channels that are not noise, and the
  /// fractions that fit them.
  ///
  /// - Throws: as ``fit(_:startingFrom:progress:)``.
  public func start<Scalar: LinearScalar>(for data: Tensor<Scalar>) throws -> Start<Scalar> {
    let prepared = try PreparedSpectra(data, settings: self)
    let begun = try prepared.start(settings: self)
    let spectra = Tensor<Scalar>.zeros([prepared.channelCount, endmembers])
      .scattered(begun.spectra * prepared.scale, at: prepared.kept)
    return Start(endmembers: spectra, abundances: begun.abundances.transposed.dense)
  }

  /// - Parameters:
  ///   - data: Y, shape [channels, pixels], not negative. Channels that hold numbers which are not finite are dropped.
  ///   - start: where to begin; by default the extreme pixels (``vertexComponents(_:count:random:)``).
  /// - Throws: `InvalidArgument` for negative data, fewer than two endmembers or more than channels or pixels, settings out
  ///   of range, or a start that does not fit; `CancellationError`.
  public func fit<Scalar: LinearScalar>(
    _ data: Tensor<Scalar>, startingFrom start: Start<Scalar>? = nil, progress: WorkProgress = .silent
  ) throws -> Unmixing<Scalar> {
    let prepared = try PreparedSpectra(data, settings: self)
    let begun = try start.map { try prepared.adopted($0, settings: self) } ?? prepared.start(settings: self)
    var state = UnmixingState(prepared, begun, settings: self)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var objectives: [Double] = []
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "unmixing")
      let objective = state.prepareStep(updatingGuidance: convergence.iterations < guidanceUpdates)
      let change = objectives.last.map { abs(objective - $0) / max(abs($0), .leastNormalMagnitude) } ?? .infinity
      objectives.append(objective)
      // The first objective has nothing to be compared with.
      if objectives.count > 1, !convergence.continues(residual: change) { break }
      try state.step()
    }
    return prepared.result(state, objectives: objectives, convergence: convergence)
  }
}

/// What ``SpectralUnmixing`` found.
public struct Unmixing<Scalar: LinearScalar>: Sendable {
  /// M, shape [channels, endmembers], in the units of the data; channels that were dropped hold zeros.
  public let endmembers: Tensor<Scalar>
  /// A, shape [endmembers, pixels].
  public let abundances: Tensor<Scalar>
  /// h, shape [pixels]: near one for pure pixels, zero for evenly mixed ones.
  public let guidance: Tensor<Scalar>
  /// u, shape [channels], largest one: what a channel counts; zero for dropped ones.
  public let channelWeights: Tensor<Scalar>
  /// The objective before each iteration, for data whose 99th percentile is one.
  public let objectiveHistory: [Double]
  /// The residual is the relative change of the objective.
  public let convergence: Convergence
  /// Channels with numbers that are not finite.
  public let droppedChannels: [Int]
  /// Pixels without any signal: their abundances are uniform.
  public let emptyPixels: [Int]
  public let warnings: [String]
  public var iterations: Int { convergence.iterations }
  public var isConverged: Bool { convergence.isConverged }
}
