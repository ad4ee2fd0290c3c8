public import LinearAlgebra
public import Tensors

/// By what a weight's error is measured before it is truncated to low rank.
public enum ReconstructionScaling: String, Sendable, Hashable, CaseIterable {
  /// As it is: the plain singular value decomposition of ZeroQuant-V2 and LoftQ. The nearest weights, not outputs.
  case identity
  /// The heuristic of LQER: inputs by their largest mean magnitude over a batch.
  case lqer
  /// Inputs by the root of their second moment: QERA-approx. Exact when inputs are uncorrelated.
  case diagonal
  /// By the whole second-moment matrix: QERA-exact, the least output error there is.
  case exact
}

/// Quantization error reconstruction: a low-rank term beside quantized weights, by which the layer's outputs, not its
/// weights, are kept.
///
/// With P = W - W̃ the error of quantized weights, R = E[x xᵀ] of the inputs and R = F Fᵀ, the C of rank k with the least
/// E ‖(P - C) x‖² = ‖(P - C) F‖² is U Uᵀ P, where U holds the leading left singular vectors of P F. (In the paper's rows,
/// y = x W: C = S⁻¹ SVD_k(S P) with S the symmetric root; the two are equal wherever R has an inverse, and this one needs
/// none.) The other scalings put a diagonal matrix in place of F.
///
/// ```swift
/// var moments = ActivationMoments(width: weight.columns)
/// try moments.add(activations)
/// let repaired = try QERA(rank: 32).correct(weight, quantizedBy: .nf4, activations: moments)
/// let y = repaired(x)
/// ```
///
/// - Complexity: O(n m (m + n) + min(m, n)³) time for a weight of shape [n, m].
/// - Source: Zhang et al., "QERA: an analytical framework for quantization error reconstruction", ICLR 2025, arXiv
///   2410.06040, theorems 1 and 2.
public struct QERA: Sendable, Hashable {
  /// How the leading left singular vectors of P F are found; the results agree.
  public enum Route: Sendable, Hashable {
    /// As eigenvectors of P R Pᵀ, without a root of R; by the Cholesky root where inputs are fewer than outputs.
    case gram
    /// From P F with F = V Λ^(1/2), eigenvalues below 1e-10 of the largest raised to that: the paper's way.
    case root
    /// From P F with the Cholesky factor F of R.
    case cholesky
    /// As `gram`, but from a random sample of the range of P: for ranks far below the size, when a result within a part
    /// in a thousand of the optimum is enough.
    case randomized(seed: UInt64)
  }

  /// Rank of the correction (k).
  public var rank = 32
  public var scaling = ReconstructionScaling.exact
  /// How often weights are quantized and corrected in turn, each time what the correction leaves: 1 is QERA, 5 with
  /// `identity` is LoftQ.
  public var alternations = 1
  public var route = Route.gram

  public init(
    rank: Int = 32, scaling: ReconstructionScaling = .exact, alternations: Int = 1, route: Route = .gram
  ) {
    (self.rank, self.scaling, self.alternations, self.route) = (rank, scaling, alternations, route)
  }

  /// LoftQ: five alternations with the plain singular value decomposition.
  public static func loftQ(rank: Int) -> QERA { QERA(rank: rank, scaling: .identity, alternations: 5) }

  /// Quantizes `weight`, of shape [outputs, inputs], and corrects it.
  ///
  /// - Throws: `InvalidArgument` for a weight that is no matrix of finite numbers, a rank outside 1...min(m, n), moments
  ///   of another width or of no token, or with an eigenvalue that is negative beyond rounding; and what the quantizer
  ///   throws.
  public func correct<Scalar: LinearScalar>(
    _ weight: Tensor<Scalar>, quantizedBy quantizer: some WeightQuantizer, activations: ActivationMoments
  ) throws -> CorrectedWeight<Scalar> {
    try validate(weight, activations)
    let wanted = Tensor<Double>(weight)
    let metric = try ErrorMetric(activations, scaling)
    var rest = wanted
    var round = 0
    while true {
      let quantized = try quantizer.quantized(Tensor<Float>(rest))
      let rounded = Tensor<Double>(quantized.dequantized)
      let correction = try correction(of: wanted - rounded, metric, activations)
      round += 1
      if round == alternations {
        return CorrectedWeight(quantized: quantized, correction: correction.cast())
      }
      rest = wanted - correction.factors.reconstructed()
    }
  }

  /// The correction of weights that were quantized elsewhere.
  ///
  /// - Parameter quantized: the rounded weights, of the shape of `weight`.
  /// - Throws: as ``correct(_:quantizedBy:activations:)``.
  public func correction<Scalar: LinearScalar>(
    of weight: Tensor<Scalar>, quantizedTo quantized: Tensor<Scalar>, activations: ActivationMoments
  ) throws -> ErrorCorrection<Scalar> {
    try validate(weight, activations)
    guard quantized.shape == weight.shape else {
      throw InvalidArgument("quantized", found: "shape \(quantized.shape)", wanted: "\(weight.shape)")
    }
    try quantized.requireFinite("quantized")
    let error = Tensor<Double>(weight) - Tensor<Double>(quantized)
    return try correction(of: error, ErrorMetric(activations, scaling), activations).cast()
  }

  private func correction(
    of error: Tensor<Double>, _ metric: ErrorMetric, _ activations: ActivationMoments
  ) throws -> ErrorCorrection<Double> {
    let (basis, missed) = try metric.leadingDirections(of: error, count: rank, by: route)
    let right = basis.matmul(error, transposingA: true)
    // Both factors get the same norm in each of the k terms: good to train, and to store in few bits.
    let norms = right.norm(axis: 1).sqrt()
    let scales = (norms .> 0).select(norms, .ones(norms.shape))
    let factors = FactoredMatrix(left: basis * scales, right: (right / scales.expanded(axis: 1)).dense)
    let rest = error - factors.reconstructed()
    return ErrorCorrection(
      factors: factors, predictedError: missed, outputError: activations.meanSquaredOutput(of: rest),
      uncorrectedOutputError: activations.meanSquaredOutput(of: error), weightError: rest.frobeniusNorm(),
      uncorrectedWeightError: error.frobeniusNorm(), conditionNumber: metric.conditionNumber)
  }

  private func validate<Scalar: LinearScalar>(_ weight: Tensor<Scalar>, _ activations: ActivationMoments) throws {
    try weight.requireMatrix("weight")
    let limit = min(weight.rows, weight.columns)
    guard 1...limit ~= rank else {
      throw InvalidArgument("rank", found: "\(rank)", wanted: "1 to \(limit) for shape \(weight.shape)")
    }
    guard alternations >= 1 else {
      throw InvalidArgument("alternations", found: "\(alternations)", wanted: "at least 1")
    }
    guard activations.width == weight.columns else {
      throw InvalidArgument(
        "activations", found: "moments of \(activations.width) inputs",
        wanted: "\(weight.columns), as the weight has")
    }
    guard activations.tokens > 0 else {
      throw InvalidArgument("activations", found: "no token", wanted: "moments of at least one")
    }
  }
}
