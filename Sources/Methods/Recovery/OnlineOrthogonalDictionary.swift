public import LinearAlgebra
public import Tensors

/// A step size that falls with the number of the step: min(1, scale / (t + shift)^exponent), but not below the floor.
public struct FallingStep: Sendable, Hashable {
  public var scale: Double
  public var exponent: Double
  public var shift: Double
  /// Above zero, the learner keeps following a dictionary that changes.
  public var floor: Double

  public init(scale: Double, exponent: Double, shift: Double, floor: Double = 0) {
    (self.scale, self.exponent, self.shift, self.floor) = (scale, exponent, shift, floor)
  }

  public func callAsFunction(_ step: Int) -> Double {
    min(1, max(floor, scale / Double.pow(Double(step) + shift, exponent)))
  }
}

/// How an orthogonal dictionary is learned from a stream.
public struct OrthogonalDictionarySettings: Sendable, Hashable {
  public enum Whitening: Sendable, Hashable {
    case none
    /// Samples are decorrelated by their running covariance: needed when codes have unequal energies or samples are
    /// correlated. The dictionary of the samples themselves is then `completeDictionary`, which is not orthogonal.
    case online
  }

  /// The power p of the norm ‖Dᵀy‖_p^p that is maximized; above 2.
  public var power = 3.0
  /// ρ_t: the weight of a new gradient in the running one.
  public var momentum = FallingStep(scale: 4, exponent: 0.5, shift: 1)
  /// γ_t: how far a step goes.
  public var step = FallingStep(scale: 2, exponent: 0.75, shift: 2)
  /// Whether the running mean is subtracted first.
  public var removesMean = false
  public var whitening = Whitening.none

  public init() {}
}

/// A square orthogonal dictionary learned from a stream of vectors, with memory for nothing but itself.
///
/// Samples y = D₀ x with sparse x make ‖Dᵀy‖₃³ largest, at given energy, where D is D₀ up to signs and order. The negative
/// of its mean is minimized over the unit ball of the spectral norm, whose extreme points are the orthogonal matrices:
/// the relaxation costs nothing. A step of Frank–Wolfe moves from D towards the orthogonal matrix that suits a running
/// mean of gradients best, its negative polar factor. Coding a vector is a product with Dᵀ.
///
/// ```swift
/// var learner = try OnlineOrthogonalDictionary<Double>(dimension: 64)
/// for batch in stream { try learner.partialFit(batch) }      // [samples, 64]
/// let codes = try learner.encode(batch, keeping: .largest(8))
/// ```
///
/// - Complexity: O(n² B + n³) time a batch of B samples; O(n²) memory, whatever the length of the stream.
/// - Source: Xue and Lau, "Online Orthogonal Dictionary Learning Based on Frank-Wolfe Method", 2021, arXiv 2103.01484. The
///   constants of the schedules are those of stochastic Frank–Wolfe practice.
public struct OnlineOrthogonalDictionary<Scalar: LinearScalar>: Sendable {
  public let settings: OrthogonalDictionarySettings
  /// D_t, in the unit ball of the spectral norm, atoms in columns; shape [n, n].
  public private(set) var iterate: Tensor<Scalar>
  /// The running mean of gradients (G_t).
  public private(set) var gradient: Tensor<Scalar>
  /// The orthogonal matrix of the last step (S_t).
  public private(set) var direction: Tensor<Scalar>
  /// Steps taken, samples in them, and batches of zeros, which were skipped.
  public private(set) var stepCount = 0, sampleCount = 0, skippedCount = 0
  /// The mean of ‖Dᵀy‖_p^p over the last batch.
  public private(set) var objective = 0.0
  /// An estimate of the Frank–Wolfe gap with the running gradient, which bounds how much the objective can still improve.
  public private(set) var gapEstimate = Double.infinity
  private var moments: RunningMoments<Scalar>

  public var dimension: Int { iterate.rows }

  /// - Parameter start: D₀, of shape [n, n] and of spectral norm at most one; a random orthogonal matrix by default.
  /// - Throws: `InvalidArgument` for a dimension below one, a power of 2 or less, or a start of another shape.
  public init(
    dimension: Int, settings: OrthogonalDictionarySettings = OrthogonalDictionarySettings(),
    start: Tensor<Scalar>? = nil, seed: UInt64 = 1
  ) throws {
    guard dimension >= 1 else {
      throw InvalidArgument("dimension", found: "\(dimension)", wanted: "at least 1")
    }
    guard settings.power > 2, settings.power.isFinite else {
      throw InvalidArgument("power", found: "\(settings.power)", wanted: "above 2: a square does not see sparsity")
    }
    var random = RandomStream(seed: seed)
    if let start {
      guard start.shape == [dimension, dimension] else {
        throw InvalidArgument(
          "start", found: "shape \(start.shape)", wanted: "[\(dimension), \(dimension)]: dictionaries are square")
      }
      let norm = try start.spectralNorm()
      guard norm <= 1 + Scalar(dimension) * 8 * .ulpOfOne else {
        throw InvalidArgument("start", found: "spectral norm \(norm)", wanted: "at most 1")
      }
      iterate = start.dense
    } else {
      iterate = try random.orthogonal([dimension, dimension])
    }
    self.settings = settings
    gradient = .zeros([dimension, dimension])
    direction = iterate
    moments = RunningMoments(dimension: dimension)
  }

  /// Takes one step with the mean gradient of a batch. (A batch is one step, not one for each of its samples.)
  ///
  /// - Parameter samples: shape [B, n], a sample a row. A batch of zeros is skipped and counted.
  /// - Throws: `InvalidArgument` for another shape, an empty batch, or numbers that are not finite.
  public mutating func partialFit(_ samples: Tensor<Scalar>) throws {
    try validate(samples)
    var y = samples
    if settings.removesMean || settings.whitening == .online {
      try moments.add(samples, removesMean: settings.removesMean)
      y = try moments.transformed(samples, whitening: settings.whitening == .online)
    }
    guard y.maximumNorm() > 0 else {
      skippedCount += 1
      return
    }
    stepCount += 1
    sampleCount += samples.rows
    let slope = orthogonalDictionaryGradient(y, iterate, power: settings.power)
    objective = slope.objective
    let weight = stepCount == 1 ? 1 : Scalar(settings.momentum(stepCount))
    gradient = stepCount == 1 ? slope.gradient : gradient * (1 - weight) + slope.gradient * weight
    direction = -(try orthogonalPolarFactor(of: gradient))
    gapEstimate = max(0, Double(((iterate - direction) * gradient).sum().scalar))
    iterate += (direction - iterate) * Scalar(settings.step(stepCount))
  }

  /// Takes the samples in order, `batchSize` of them a step.
  ///
  /// - Parameter samples: shape [count, n].
  public mutating func fit(
    _ samples: Tensor<Scalar>, batchSize: Int = 1, progress: WorkProgress = .silent
  ) throws {
    try validate(samples)
    guard batchSize >= 1 else { throw InvalidArgument("batchSize", found: "\(batchSize)", wanted: "at least 1") }
    for first in stride(from: 0, to: samples.rows, by: batchSize) {
      if first % (256 * batchSize) == 0 { try progress.report(first, of: samples.rows, "samples") }
      try partialFit(samples[first..<min(first + batchSize, samples.rows)])
    }
  }

  // MARK: The answer

  /// The dictionary: the orthogonal matrix nearest to the iterate, atoms in columns, of shape [n, n].
  public func dictionary() throws -> Tensor<Scalar> { try orthogonalPolarFactor(of: iterate) }

  /// The dictionary of the samples as they came: C^(1/2) D with whitening by their covariance C, else D itself.
  public func completeDictionary() throws -> Tensor<Scalar> {
    let dictionary = try dictionary()
    return settings.whitening == .online ? try moments.unwhitened(dictionary.transposed).transposed : dictionary
  }

  /// ‖DᵀD - I‖_F of the iterate: how far it is from an orthogonal matrix.
  public var orthogonalityDefect: Double {
    Double((iterate.multipliedByOwnTranspose(transposing: true) - .identity(dimension)).frobeniusNorm())
  }

  /// Which coefficients of a code are kept.
  public enum Kept: Sendable, Hashable {
    case all
    /// The largest ones of each sample.
    case largest(Int)
    /// Those above a threshold, as they are.
    case above(Double)
    /// Those above a threshold, made smaller by it.
    case shrunk(by: Double)
  }

  /// Sparse codes of samples, of shape [B, n]: the dictionary's transpose times each, with the rest set to zero.
  ///
  /// Samples are centred and whitened as those that were learned from.
  public func encode(_ samples: Tensor<Scalar>, keeping kept: Kept = .all) throws -> Tensor<Scalar> {
    try validate(samples)
    let y = try prepared(samples)
    let codes = y.matmul(try dictionary())
    switch kept {
    case .all: return codes
    case .largest(let count):
      guard 1 <= count, count <= dimension else {
        throw InvalidArgument("largest", found: "\(count)", wanted: "1 through \(dimension)")
      }
      let least = codes.absolute().topK(count, axis: 1).values[.all, count - 1].expanded(axis: 1)
      return codes * Tensor<Scalar>(codes.absolute() .>= least)
    case .above(let threshold): return codes.hardThresholded(by: Scalar(threshold))
    case .shrunk(let threshold): return codes.softThresholded(by: Scalar(threshold))
    }
  }

  /// Samples from their codes, both of shape [B, n].
  public func decode(_ codes: Tensor<Scalar>) throws -> Tensor<Scalar> {
    try validate(codes)
    let y = codes.matmul(try dictionary(), transposingB: true)
    guard settings.removesMean || settings.whitening == .online else { return y }
    return try moments.restored(y, whitening: settings.whitening == .online)
  }

  private func prepared(_ samples: Tensor<Scalar>) throws -> Tensor<Scalar> {
    guard settings.removesMean || settings.whitening == .online, moments.count > 0 else { return samples }
    return try moments.transformed(samples, whitening: settings.whitening == .online)
  }

  private func validate(_ samples: Tensor<Scalar>) throws {
    guard samples.rank == 2, samples.rows > 0, samples.columns == dimension else {
      throw InvalidArgument(
        "samples", found: "shape \(samples.shape)", wanted: "[B, \(dimension)] with at least one sample")
    }
    try samples.requireFinite("samples")
  }
}

/// Mean and covariance of a stream, and the whitening that belongs to them.
struct RunningMoments<Scalar: LinearScalar>: Sendable {
  private(set) var count = 0
  private var mean: Tensor<Scalar>
  private var covariance: Tensor<Scalar>
  private var roots: SymmetricRoots<Scalar>?
  private var countAtRoots = 0

  init(dimension: Int) {
    mean = .zeros([dimension])
    covariance = .zeros([dimension, dimension])
  }

  /// Adds samples, of shape [B, n]; the square roots follow when the count has grown by a tenth.
  mutating func add(_ samples: Tensor<Scalar>, removesMean: Bool) throws {
    let added = samples.rows
    let total = count + added
    let share = Scalar(added) / Scalar(total)
    let batchMean = removesMean ? samples.mean(axis: 0) : Tensor<Scalar>.zeros([samples.columns])
    let centred = samples - batchMean
    let spread = centred.multipliedByOwnTranspose(transposing: true) / Scalar(added)
    let gap = batchMean - mean
    covariance = covariance * (1 - share) + spread * share + gap.outer(gap) * (share * (1 - share))
    mean += gap * share
    count = total
    if 10 * (count - countAtRoots) >= countAtRoots {
      // Directions without data must not be blown up.
      let trace = covariance.diagonal.sum().scalar / Scalar(samples.columns)
      let floor = max(trace * 1e-3, .leastNormalMagnitude)
      roots = try SymmetricRoots(of: covariance + Tensor.identity(samples.columns) * floor)
      countAtRoots = count
    }
  }

  func transformed(_ samples: Tensor<Scalar>, whitening: Bool) throws -> Tensor<Scalar> {
    let centred = samples - mean
    guard whitening, let roots else { return centred }
    return centred.matmul(roots.inverseRoot)
  }

  /// C^(1/2) times each row.
  func unwhitened(_ rows: Tensor<Scalar>) throws -> Tensor<Scalar> {
    guard let roots else { return rows }
    return rows.matmul(roots.root)
  }

  func restored(_ samples: Tensor<Scalar>, whitening: Bool) throws -> Tensor<Scalar> {
    (whitening ? try unwhitened(samples) : samples) + mean
  }
}
