public import LinearAlgebra
public import Tensors

/// The ℓp Lewis weights of the rows of a matrix: the w with w_i = (a_iᵀ (Aᵀ W^(1-2/p) A)⁻¹ a_i)^(p/2).
///
/// They are the leverage scores of a matrix whose ℓ2 geometry approximates the ℓp geometry of A. For p <= 2 the
/// sensitivity lies between w_i d^(p/2-1) and w_i, for p >= 2 it is at most d^(p/2-1) w_i; they sum to the rank.
///
/// - Complexity: O(n d²) an iteration.
/// - Source: Cohen and Peng, "Lp row sampling by Lewis weights", STOC 2015: the fixed-point iteration contracts the
///   logarithms by |1 - p/2| for p < 4. The damping for p > 2 is ours.
public struct LewisWeights: Sendable, Hashable {
  /// 1 <= p < infinity.
  public var p: Double
  /// Largest relative change of a weight at the end.
  public var tolerance: Double
  public var iterationLimit: Int

  public init(p: Double, tolerance: Double = 1e-10, iterationLimit: Int = 300) {
    (self.p, self.tolerance, self.iterationLimit) = (p, tolerance, iterationLimit)
  }

  /// The weights of the rows of `matrix`, of shape [n, d].
  ///
  /// - Throws: `InvalidArgument` for a p or a matrix that cannot be used.
  public func solve<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) throws -> LewisWeightsSolution {
    try requireExponent(p)
    guard tolerance > 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "above 0") }
    guard iterationLimit >= 1 else {
      throw InvalidArgument("iterationLimit", found: "\(iterationLimit)", wanted: "at least 1")
    }
    return try solve(basis: ColumnSpace(of: matrix).basis)
  }

  func solve(basis: Tensor<Double>) throws -> LewisWeightsSolution {
    let leverage = ColumnSpace.leverageScores(basis)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    if p == 2 {
      _ = convergence.continues(residual: 0)
      return LewisWeightsSolution(weights: leverage, rank: basis.columns, convergence: convergence)
    }
    // Rows of zeros have no weight, and would give infinite ones to divide by.
    let rows = (leverage .> 0).trueIndices
    let u = rows.count == basis.rows ? basis : basis.gathered(rows)
    let damping = p <= 2 ? 1 : p < 4 ? 0.5 : 2 / p
    var weights = leverage.gathered(rows)
    while true {
      let scale = weights.maximum(1e-280).power(0.5 - 1 / p)
      let gram = (u * scale.expanded(axis: 1)).multipliedByOwnTranspose(transposing: true)
      let upper = try CholeskyDecomposition(of: gram).upper
      let inverse = try upper.solveTriangular(.identity(basis.columns), .upper)
      let target = u.matmul(inverse).sumOfSquares(axes: [1]).power(p / 2)
      let next = damping == 1 ? target : weights.power(1 - damping) * target.power(damping)
      let change = (next / weights - 1).absolute().maximum().scalar
      weights = next
      if !convergence.continues(residual: change) { break }
    }
    let all = Tensor.zeros([basis.rows]).scatterAdded(weights.minimum(1), at: rows)
    return LewisWeightsSolution(weights: all, rank: basis.columns, convergence: convergence)
  }
}

public struct LewisWeightsSolution: Sendable {
  /// w, of shape [n], each between zero and one.
  public let weights: Tensor<Double>
  /// The rank of the matrix, which the weights sum to.
  public let rank: Int
  /// The residual is the largest relative change of a weight.
  public let convergence: Convergence
}

func requireExponent(_ p: Double) throws {
  guard p >= 1, p.isFinite else { throw InvalidArgument("p", found: "\(p)", wanted: "at least 1, finite") }
}
