import LinearAlgebra
import Numerics
public import Tensors

/// The best approximation of a function by a basis, in the weighted least squares of its values at a few points.
///
/// û minimizes (1/n) Σ w(x_i) |u(x_i) - v(x_i)|². With volume sampling, E û = P u, the orthogonal projection, and the
/// expected error is that of P u up to a constant factor.
///
/// ```swift
/// let fit = try WeightedLeastSquares().approximate(basis, sampling: DesignSampling(count: 20), random: &random) { x in
///   1 / (1 + 25 * x[0] * x[0])
/// }
/// ```
///
/// - Source: Nouy and Michel, 2023, arXiv 2312.14057, section 2.
public struct WeightedLeastSquares: Sendable, Hashable {
  public init() {}

  /// The fit to `values` of shape [n] or [n, q] at the points of a design.
  ///
  /// - Throws: `InvalidArgument` for values of another shape or, with the point, that are not finite;
  ///   `DecompositionError.rankDeficient` for points that do not determine it.
  /// - Complexity: O(n m²).
  public func fit<Basis: ApproximationBasis>(
    _ basis: Basis, _ design: SamplingDesign, values: Tensor<Double>
  ) throws -> BasisApproximation<Basis> {
    guard (1...2).contains(values.rank), values.shape[0] == design.count else {
      throw InvalidArgument(
        "values", found: "shape \(values.shape)", wanted: "a value for each of the \(design.count) points")
    }
    let columns = values.rank == 1 ? values.expanded(axis: 1) : values
    if !values.isFinite {
      let bad = (0..<design.count).first { !columns[$0].isFinite } ?? 0
      throw InvalidArgument(
        "values", found: "\(columns[bad].scalars) at point \(bad), \(design.points[bad].scalars)",
        wanted: "finite values")
    }
    let scale = design.weights.sqrt().expanded(axis: 1)
    let least = try (design.values * scale).leastSquares(columns * scale, method: .qr)
    let coefficients = values.rank == 1 ? least.solution.squeezed(axis: 1) : least.solution
    return BasisApproximation(basis: basis, coefficients: coefficients, design: design)
  }

  /// Draws a design, evaluates the function at its points, and fits.
  public func approximate<Basis: ApproximationBasis>(
    _ basis: Basis, sampling: DesignSampling, random: inout RandomStream, function: ([Double]) throws -> Double
  ) throws -> BasisApproximation<Basis> {
    let design = try sampling.sample(basis, random: &random)
    let values = try (0..<design.count).map { try function(design.points[$0].scalars) }
    return try fit(basis, design, values: Tensor(values))
  }
}

/// Σ c_j φ_j.
public struct BasisApproximation<Basis: ApproximationBasis>: Sendable {
  public let basis: Basis
  /// c, of shape [m] or [m, q].
  public let coefficients: Tensor<Double>
  /// The points, with the certificate.
  public let design: SamplingDesign

  /// The approximation at points of shape [n, variables].
  public func evaluate(_ points: Tensor<Double>) -> Tensor<Double> { basis.evaluate(points).matmul(coefficients) }
}
