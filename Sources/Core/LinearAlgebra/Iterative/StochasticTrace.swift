// Traces and diagonals of operators from their products with random vectors.

public import Tensors

/// A number estimated from random samples.
public struct StochasticEstimate: Sendable, Hashable {
  public let value: Double
  /// The standard deviation of `value`, estimated from the spread of the samples; zero where nothing was left to chance,
  /// not a number with a single sample.
  public let standardError: Double

  /// The interval that holds the true value with the probability of `deviations` standard deviations of a normal
  /// number: 1.96 for 95 %, 2.58 for 99 %.
  public func interval(deviations: Double = 1.96) -> ClosedRange<Double> {
    let half = standardError.isNaN ? .infinity : deviations * standardError
    return value - half...value + half
  }

  init(mean samples: [Double], offset: Double = 0) {
    let count = Double(samples.count)
    let mean = samples.isEmpty ? 0 : samples.reduce(0, +) / count
    let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    value = offset + mean
    standardError = samples.isEmpty ? 0 : samples.count == 1 ? .nan : (squares / (count - 1) / count).squareRoot()
  }
}

/// Distributions of independent entries with mean zero and variance one.
public enum ProbeDistribution: Sendable, Hashable {
  /// +1 or -1: of all, the least variance for the trace of a symmetric operator.
  case signs
  case normal

  /// Columns of probes, shape [n, count].
  func probes<Scalar: LinearScalar>(_ size: Int, _ count: Int, _ random: inout RandomStream) -> Tensor<Scalar> {
    switch self {
    case .signs:
      let isPositive = random.uniform([size, count], of: Float.self) .< 0.5
      return isPositive.select(
        Tensor(repeating: 1, shape: [size, count]), Tensor(repeating: -1, shape: [size, count]))
    case .normal: return random.normal([size, count])
    }
  }
}

/// Probes go through an operator in blocks of this many.
private let blockSize = 32

/// Calls `body` with blocks of probes and their images, `count` columns in all.
private func forEachProbeBlock<Scalar: LinearScalar>(
  _ matrix: some LinearOperator<Scalar>, count: Int, _ distribution: ProbeDistribution,
  _ random: inout RandomStream, _ progress: WorkProgress,
  prepare: (Tensor<Scalar>) -> Tensor<Scalar> = { $0 }, _ body: (Tensor<Scalar>, Tensor<Scalar>) throws -> Void
) throws {
  let size = try matrix.squareSize()
  for first in stride(from: 0, to: count, by: blockSize) {
    try progress.report(first, of: count, "random probes")
    let probes = prepare(distribution.probes(size, min(blockSize, count - first), &random))
    let images = try matrix.apply(probes)
    guard images.shape == probes.shape else {
      throw InvalidArgument("operator", found: "a result of shape \(images.shape)", wanted: "shape \(probes.shape)")
    }
    try images.requireFinite("operator")
    try body(probes, images)
  }
}

private func requireSamples(_ samples: Int, atLeast least: Int = 1) throws {
  guard samples >= least else { throw InvalidArgument("samples", found: "\(samples)", wanted: "at least \(least)") }
}

/// The mean of zᵀ A z over random z: an unbiased estimate of the trace.
///
/// With signs its variance is 2 (‖A‖_F² - Σ A_ii²) / samples for a symmetric A.
/// - Source: Hutchinson, "A stochastic estimator of the trace of the influence matrix", 1990.
public struct HutchinsonTrace: Sendable, Hashable {
  public var samples = 100
  public var distribution = ProbeDistribution.signs

  public init(samples: Int = 100, distribution: ProbeDistribution = .signs) {
    (self.samples, self.distribution) = (samples, distribution)
  }

  /// - Throws: `InvalidArgument` for an operator that is not square, products that are not finite, or settings out of
  ///   range; `CancellationError`.
  /// - Complexity: `samples` products.
  public func estimate<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> StochasticEstimate {
    try requireSamples(samples)
    var values: [Double] = []
    try forEachProbeBlock(matrix, count: samples, distribution, &random, progress) { probes, images in
      values += (probes * images).sum(axis: 0).scalars.map(Double.init)
    }
    return StochasticEstimate(mean: values)
  }
}

/// The trace on a random subspace exactly, and by Hutchinson's estimate on the rest.
///
/// For positive semidefinite operators, `products` of order 1/ε suffice for a relative error ε, where the plain
/// estimate needs 1/ε². The standard error is that of the rest alone.
/// - Source: Meyer, Musco, Musco and Woodruff, "Hutch++: optimal stochastic trace estimation", SOSA 2021, algorithm 1.
public struct HutchPlusPlus: Sendable, Hashable {
  /// Products with A: a third for the subspace, a third for the trace on it, a third for the rest.
  public var products = 150

  public init(products: Int = 150) { self.products = products }

  /// - Throws: as ``HutchinsonTrace/estimate(of:random:progress:)``.
  /// - Complexity: `products` products and O(n products²) time.
  public func estimate<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> StochasticEstimate {
    guard products >= 6 else { throw InvalidArgument("products", found: "\(products)", wanted: "at least 6") }
    let size = try matrix.squareSize()
    guard size > 0 else { return StochasticEstimate(mean: []) }
    let rank = min(products / 3, size)
    var images: [Tensor<Scalar>] = []
    try forEachProbeBlock(matrix, count: rank, .signs, &random, progress.part(0, of: 3)) { images.append($1) }
    let basis = Tensor.concatenated(images, axis: 1).orthonormalized().dense
    let image = try matrix.apply(basis)
    try image.requireFinite("operator")
    let exact = Double((basis * image).sum().scalar)
    guard rank < size else { return StochasticEstimate(mean: [], offset: exact) }
    func outside(_ probes: Tensor<Scalar>) -> Tensor<Scalar> {
      probes - basis.matmul(basis.matmul(probes, transposingA: true))
    }
    var values: [Double] = []
    try forEachProbeBlock(
      matrix, count: products - 2 * rank, .signs, &random, progress.part(2, of: 3), prepare: outside
    ) { probes, images in
      values += (probes * images).sum(axis: 0).scalars.map(Double.init)
    }
    return StochasticEstimate(mean: values, offset: exact)
  }
}

/// The mean of z ∘ A z over random signs z: an unbiased estimate of the diagonal.
///
/// The variance of entry i is Σ_(j ≠ i) A_ij² / samples, for a symmetric A.
/// - Source: Bekas, Kokiopoulou and Saad, "An estimator for the diagonal of a matrix", Appl. Numer. Math. 57 (2007).
public struct DiagonalEstimator: Sendable, Hashable {
  public var samples = 100

  public init(samples: Int = 100) { self.samples = samples }

  /// The estimated diagonal, of shape [n], and its standard errors.
  ///
  /// - Throws: as ``HutchinsonTrace/estimate(of:random:progress:)``.
  /// - Complexity: `samples` products.
  public func estimate<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> DiagonalEstimate<Scalar> {
    try requireSamples(samples, atLeast: 2)
    let size = try matrix.squareSize()
    var sum = Tensor<Scalar>.zeros([size])
    var squares = Tensor<Scalar>.zeros([size])
    try forEachProbeBlock(matrix, count: samples, .signs, &random, progress) { probes, images in
      let products = probes * images
      sum += products.sum(axis: 1)
      squares += products.sumOfSquares(axes: [1])
    }
    let count = Scalar(samples)
    let mean = sum / count
    let variance = (squares / count - mean * mean).maximum(0) / (count - 1)
    return DiagonalEstimate(values: mean, standardErrors: variance.sqrt())
  }
}

/// A diagonal estimated from random samples, of shape [n].
public struct DiagonalEstimate<Scalar: LinearScalar>: Sendable {
  public let values: Tensor<Scalar>
  public let standardErrors: Tensor<Scalar>
}
