public import LinearAlgebra
import Tensors

/// What theory says about over-relaxation of a consistently ordered matrix, from the spectral radius of Jacobi's iteration.
///
/// Grid Laplacians, and all matrices whose unknowns can be coloured with two colours, are consistently ordered in suitable
/// numberings.
/// - Source: Young, "Iterative solution of large linear systems", 1971, chapter 6.
public struct RelaxationTheory: Sendable, Hashable {
  /// β, the largest magnitude of an eigenvalue of I - D⁻¹ A.
  public let jacobiRadius: Double

  /// - Precondition: 0 <= `jacobiRadius` < 1.
  public init(jacobiRadius: Double) {
    precondition((0..<1).contains(jacobiRadius), "a Jacobi radius of \(jacobiRadius)")
    self.jacobiRadius = jacobiRadius
  }

  /// Finds the radius by Lanczos's method.
  ///
  /// - Throws: `InvalidArgument` unless the matrix is square, symmetric and finite, with a positive diagonal, and Jacobi's
  ///   iteration converges.
  public init(_ matrix: SparseMatrix<Double>) throws {
    try requireSystem(matrix, .zeros([matrix.rows]))
    guard matrix.isSymmetric(tolerance: 1e-12) else {
      throw InvalidArgument("matrix", found: "a matrix that is not symmetric", wanted: "a symmetric one")
    }
    let diagonal = matrix.diagonal
    guard diagonal.minimum().scalar > 0 else {
      throw InvalidArgument(
        "matrix", found: "\(diagonal.minimum().scalar) on the diagonal", wanted: "positive numbers there")
    }
    let roots = diagonal.sqrt().reciprocal()
    let scaled = SparseMatrix.identity(matrix.rows) - matrix.scalingRows(by: roots).scalingColumns(by: roots)
    var radius: Double
    if matrix.rows <= 300 {
      radius = try SymmetricEigendecomposition(of: scaled.dense).values.largestOfMagnitudes
    } else {
      var random = RandomStream(seed: 1)
      radius = try Lanczos(count: 1, wanted: .largestMagnitude).eigenpairs(of: scaled, random: &random)
        .values.largestOfMagnitudes
    }
    if radius < 1e-15 { radius = 0 }
    guard radius < 1 else {
      throw InvalidArgument("matrix", found: "a Jacobi radius of \(radius)", wanted: "one below 1")
    }
    jacobiRadius = radius
  }

  /// ω* = 1 + (β / (1 + √(1 - β²)))².
  public var optimalRelaxation: Double {
    let ratio = jacobiRadius / (1 + (1 - jacobiRadius * jacobiRadius).squareRoot())
    return 1 + ratio * ratio
  }

  /// ρ, the factor by which an iteration reduces the residual in the end: (ω β + √(ω² β² - 4 (ω - 1)))² / 4 up to ω*,
  /// ω - 1 beyond.
  public func spectralRadius(relaxation: Double) -> Double {
    if relaxation > optimalRelaxation { return relaxation - 1 }
    let product = relaxation * jacobiRadius
    let root = max(product * product - 4 * (relaxation - 1), 0).squareRoot()
    return (product + root) * (product + root) / 4
  }

  /// 1 + log ε / log ρ: the iterations to a relative residual, were each of them to reduce it by ρ.
  public func asymptoticEstimate(relaxation: Double, tolerance: Double) -> Double {
    iterationBound(relaxation: relaxation, tolerance: tolerance, asymptoticity: 0)
  }

  /// 1 + log ε / log(ρ + τ (1 - ρ)): a bound where τ >= (‖C^k‖^(1/k) - ρ) / (1 - ρ), with the iteration's matrix C, for the
  /// k of the bound.
  public func iterationBound(relaxation: Double, tolerance: Double, asymptoticity: Double) -> Double {
    let radius = spectralRadius(relaxation: relaxation)
    return 1 + .log(tolerance) / .log(radius + asymptoticity * (1 - radius))
  }
}

extension Tensor where Scalar == Double {
  fileprivate var largestOfMagnitudes: Double { isEmpty ? 0 : absolute().maximum().scalar }
}
