public import LinearAlgebra
public import Tensors

/// Sparse Bayesian learning of a vector whose support is a product of index sets, one for each mode.
///
/// y = (A₁ ⊗ A₂ ⊗ ...) x + noise, with x ~ N(0, diag(γ)) and γ = γ₁ ⊗ γ₂ ⊗ ...: instead of a variance for each unknown,
/// one for each index of each mode is learned by expectation maximization. The posterior comes from eigendecompositions of
/// the modes A_i diag(γ_i) A_iᴴ; the large matrix is not formed.
///
/// - Complexity: O(Σ N_i M_i² + ΠM Σ M_i) time an iteration, for factors of shapes [M_i, N_i]; `.classic` takes O((ΠM)² ΠN).
/// - Source: He and Joseph, "Bayesian Algorithms for Kronecker-structured Sparse Vector Recovery", 2023, arXiv 2307.14719.
public struct KroneckerSBL: Sendable, Hashable {
  public enum Variant: Sendable, Hashable {
    /// The nearest product to the unstructured update, mode after mode, by leading singular vectors.
    case svd
    /// Exact minimization over one mode after the other, until γ changes by less than this, relative to it.
    case alternating(innerTolerance: Double = 1e-5)
    /// A variance for each unknown, without structure.
    case classic
  }

  public enum NoiseVariance: Sendable, Hashable {
    case known(Double)
    case estimated
  }

  public var variant = Variant.svd
  public var noiseVariance = NoiseVariance.estimated
  /// Indices whose variance is below this times the largest of their mode are dropped; 1e-2 for `.alternating`, else 1e-3,
  /// by default. Zero keeps all.
  public var pruning: Double?
  /// Neighbouring indices of each mode that share a variance; with `.alternating`.
  public var blockSizes: [Int]?
  /// Where variances start, a vector for each mode; all equal by default.
  public var initialVariances: [[Double]]?
  public var iterationLimit = 150
  /// Relative change of γ at which iterations end.
  public var tolerance = 1e-4

  public init() {}

  /// Estimates x from y, of shape [ΠM_i].
  ///
  /// - Throws: `InvalidArgument` for settings and shapes that do not fit, and numbers that are not finite;
  ///   `SparseRecoveryError.allPruned` when no variance is left.
  public func fit<Scalar: LinearScalar>(
    _ dictionary: KroneckerDictionary<Scalar>, observed: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> KroneckerSBLResult<Scalar> {
    try fit(dictionary, Numbers(observed), progress)
  }

  /// The same for complex numbers.
  public func fit<Scalar: LinearScalar>(
    _ dictionary: KroneckerDictionary<Scalar>, observed: ComplexTensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> KroneckerSBLResult<Scalar> {
    try fit(dictionary, Numbers(observed.real, observed.imaginary), progress)
  }

  private func fit<Scalar: LinearScalar>(
    _ dictionary: KroneckerDictionary<Scalar>, _ y: Numbers<Scalar>, _ progress: WorkProgress
  ) throws -> KroneckerSBLResult<Scalar> {
    try validate(dictionary, y)
    let energy = Double(y.squares.sum().scalar)
    guard energy > 0 else { return .zero(dictionary) }
    var noise =
      switch noiseVariance {
      case .known(let variance): variance
      case .estimated: 0.1 * energy / Double(dictionary.rows)
      }
    let floor = pruning ?? (isAlternating ? 1e-2 : 1e-3)
    var state = try KroneckerVariances<Scalar>(dictionary, start: initialVariances, isStructured: variant != .classic)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var costs: [Double] = []
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "iteration")
      let posterior = try state.posterior(y, noise: Scalar(noise))
      costs.append(posterior.cost)
      let before = state.product
      let second = posterior.second
      switch variant {
      case .classic: state.set(second)
      case .svd: try state.setNearestProduct(second)
      case .alternating(let tolerance):
        state.minimize(second, innerTolerance: tolerance, blockSizes: blockSizes)
      }
      if noiseVariance == .estimated {
        // y - A μ is σ² Σ_y⁻¹ y.
        let filled = before.flattened.maximum(.leastNormalMagnitude)
        let used = Double((1 - posterior.variances.flattened / filled).sum().scalar)
        let rest = noise * noise * Double(posterior.whitened) + noise * used
        noise = max(rest / Double(dictionary.rows), 1e-30 * energy)
      }
      let after = state.product
      let change = Double((after - before).frobeniusNorm() / max(before.frobeniusNorm(), .leastNormalMagnitude))
      try state.prune(below: Scalar(floor))
      if !convergence.continues(residual: change) { break }
    }
    let last = try state.posterior(y, noise: Scalar(noise))
    costs.append(last.cost)
    return state.result(last, noise: noise, costs: costs, convergence: convergence)
  }

  private var isAlternating: Bool { if case .alternating = variant { true } else { false } }

  private func validate<Scalar>(_ dictionary: KroneckerDictionary<Scalar>, _ y: Numbers<Scalar>) throws {
    guard y.shape == [dictionary.rows] else {
      throw InvalidArgument(
        "observed", found: "shape \(y.shape)", wanted: "[\(dictionary.rows)], the product of the factors' rows")
    }
    try y.real.requireFinite("observed")
    try y.imaginary?.requireFinite("observed")
    if case .known(let variance) = noiseVariance, !(variance > 0 && variance.isFinite) {
      throw InvalidArgument("noiseVariance", found: "\(variance)", wanted: "above 0")
    }
    if let pruning, !(pruning >= 0 && pruning < 1) {
      throw InvalidArgument("pruning", found: "\(pruning)", wanted: "at least 0, below 1")
    }
    guard iterationLimit >= 1 else {
      throw InvalidArgument("iterationLimit", found: "\(iterationLimit)", wanted: "at least 1")
    }
    let extents = dictionary.columnExtents
    if let blockSizes {
      guard blockSizes.count == extents.count, zip(blockSizes, extents).allSatisfy({ $0 >= 1 && $1 % $0 == 0 }) else {
        throw InvalidArgument(
          "blockSizes", found: "\(blockSizes)", wanted: "a divisor of each mode's size \(extents)")
      }
    }
    if let starts = initialVariances {
      let fits = starts.map(\.count) == extents && starts.allSatisfy { $0.allSatisfy { $0 > 0 && $0.isFinite } }
      guard fits else {
        throw InvalidArgument(
          "initialVariances", found: "lengths \(starts.map(\.count)) or numbers of 0 and less",
          wanted: "positive vectors of lengths \(extents)")
      }
    }
  }
}

/// Why a sparse vector could not be estimated.
public enum SparseRecoveryError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No unknown has a variance left.
  case allPruned

  public var description: String { "all variances vanished: the observations are too small, or the noise too large" }
}

/// What sparse Bayesian learning found.
public struct KroneckerSBLResult<Scalar: LinearScalar>: Sendable {
  /// The posterior mean, of shape [ΠN_i], its imaginary part if there is one, and the posterior variances.
  public let mean: Tensor<Scalar>
  public let imaginaryMean: Tensor<Scalar>?
  public let variances: Tensor<Scalar>
  /// γ_i of each mode, zero where an index was dropped; for `.classic` one vector of all.
  public let gammas: [Tensor<Scalar>]
  /// The indices of each mode that are left; for `.classic` those of the whole vector.
  public let support: [[Int]]
  public let noiseVariance: Double
  /// log det Σ_y + yᴴ Σ_y⁻¹ y before each iteration, and at the end.
  public let costs: [Double]
  public let convergence: Convergence
  /// Whether the observations were all zero, so that the answer is.
  public let isTrivial: Bool

  public var complexMean: ComplexTensor<Scalar> {
    ComplexTensor(real: mean, imaginary: imaginaryMean ?? .zeros(mean.shape))
  }

  static func zero(_ dictionary: KroneckerDictionary<Scalar>) -> KroneckerSBLResult {
    var convergence = Convergence(tolerance: 0)
    _ = convergence.continues(residual: 0)
    let zero = Tensor<Scalar>.zeros([dictionary.columns])
    return KroneckerSBLResult(
      mean: zero, imaginaryMean: dictionary.isComplex ? zero : nil, variances: zero,
      gammas: dictionary.columnExtents.map { .zeros([$0]) }, support: dictionary.columnExtents.map { _ in [] },
      noiseVariance: 0, costs: [], convergence: convergence, isTrivial: true)
  }
}
