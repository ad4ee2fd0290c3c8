import LinearAlgebra
import Tensors

/// The regression on U and Z: min ½ ‖y - U a - Z θ‖² + λ ‖θ‖₁, where U is orthogonal to Z.
struct SplitProblem<Scalar: LinearScalar> {
  private let design: PreconditionedDesign<Scalar>
  private let observed: Tensor<Scalar>
  /// a = Uᵀ y, exactly.
  let unpenalized: Tensor<Scalar>
  /// y - U a.
  let rest: Tensor<Scalar>

  init(_ design: PreconditionedDesign<Scalar>, _ observed: Tensor<Scalar>) {
    (self.design, self.observed) = (design, observed)
    unpenalized = design.basis.matmul(observed, transposingA: true)
    rest = observed - design.basis.matmul(unpenalized)
  }

  /// Least squares on U and the selected columns, unless these are more than six tenths of the rows.
  func refitted(_ theta: Tensor<Scalar>) throws -> (unpenalized: Tensor<Scalar>, theta: Tensor<Scalar>)? {
    let support = (theta .!= 0).trueIndices
    guard support.count > 0, Double(support.count + design.dimension) < 0.6 * Double(observed.count) else { return nil }
    // U is orthogonal to the selected columns: they can be fitted to what U leaves.
    let fitted = try design.unitColumns.gathered(support, axis: 1).leastSquares(rest).solution
    return (unpenalized, Tensor<Scalar>.zeros(theta.shape).scatterAdded(fitted, at: support))
  }
}

/// Coefficients of the original columns for a fit on U and Z.
struct Explanation<Scalar: LinearScalar> {
  private let scales: Tensor<Scalar>
  /// B with X B = U, of shape [d, s]: X⁺ U, or of few rows that are not zero. And Uᵀ X.
  private var back: Tensor<Scalar>
  private let along: Tensor<Scalar>

  init(
    _ design: Tensor<Scalar>, _ parts: PreconditionedDesign<Scalar>, _ combination: RandomSupportRegression.Combination
  ) throws {
    guard combination == .columns, parts.dimension > 0 else {
      self.init(design, parts, parts.dimension > 0 ? try SingularValueDecomposition(of: design) : nil)
      return
    }
    self.init(design, parts, nil)
    // X P = Q R: the first columns span the design, and U lies in that span.
    let factors = try PivotedQRDecomposition(of: design)
    let rank = max(1, factors.rank(tolerance: .ulpOfOne * Scalar(max(design.rows, design.columns))))
    let coordinates = factors.orthogonal[.all, 0..<rank].dense.matmul(parts.basis, transposingA: true)
    let solved = try factors.upper[0..<rank, 0..<rank].dense.solveTriangular(coordinates, .upper)
    back = Tensor<Scalar>.zeros([design.columns, parts.dimension]).scatterAdded(
      solved, at: Tensor<Int>(Array(factors.permutation.prefix(rank))))
  }

  init(
    _ design: Tensor<Scalar>, _ parts: PreconditionedDesign<Scalar>, _ svd: SingularValueDecomposition<Scalar>?
  ) {
    let isActive = parts.scales .> 0
    scales = isActive.select(parts.scales, Tensor(repeating: Scalar(1), shape: parts.scales.shape))
    along = parts.basis.matmul(design, transposingA: true)
    guard let svd, parts.dimension > 0 else {
      back = .zeros([design.columns, parts.dimension])
      return
    }
    let part = svd.truncated(rank: max(1, svd.rank()))
    let coordinates = part.left.matmul(parts.basis, transposingA: true) / part.values.expanded(axis: 1)
    back = part.right.matmul(coordinates)
  }

  /// w with X w = U a + Z θ. The selected columns bring their own part along U, which is taken off.
  func coefficients(_ unpenalized: Tensor<Scalar>, _ theta: Tensor<Scalar>) -> Tensor<Scalar> {
    let own = theta / scales
    guard back.columns > 0 else { return own }
    return own + back.matmul(unpenalized - along.matmul(own))
  }
}
