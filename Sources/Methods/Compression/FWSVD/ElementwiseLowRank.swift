import LinearAlgebra
public import Tensors

/// What alternating least squares found.
public struct ElementwiseFactors: Sendable {
  public var factors: FactoredMatrix<Double>
  /// Σ I_ij (W - A B)_ij² at the start and after every sweep.
  public var history: [Double]
  public var convergence: Convergence
}

/// Factors with a small Σ I_ij (W - A B)_ij², every element with its own weight: shows what tying them in rows costs.
///
/// Rows of A, then columns of B, are solved for in turn, from the row-tied solution. Each solve has a small pull towards
/// the present row, so that the sum never rises.
/// - Throws: `InvalidArgument` as ``fisherWeightedSVD(_:fisher:rank:axis:)``.
/// - Complexity: O(m n r² + (m + n) r³) time a sweep.
public func elementwiseWeightedLowRank(
  _ weight: Tensor<Float>, fisher: FisherMoments, rank: Int, maximumSweeps: Int = 100, tolerance: Double = 1e-6,
  progress: WorkProgress = .silent
) throws -> ElementwiseFactors {
  let start = try fisherWeightedSVD(weight, fisher: fisher, rank: rank)
  let problem = try FisherProblem(weight, fisher, .output)
  let (target, weights) = (problem.weight, problem.information)
  let (targetT, weightsT) = (target.transposed.dense, weights.transposed.dense)
  let pull = 1e-8 * weights.mean().scalar
  var left = start.factors.left
  var right = start.factors.right.transposed.dense
  func loss() -> Double { 2 * problem.predictedIncrease(target - left.matmul(right, transposingB: true)) }
  var history = [loss()]
  var convergence = Convergence(tolerance: tolerance, iterationLimit: maximumSweeps)
  while maximumSweeps > 0 {
    try progress.report(convergence.iterations, of: maximumSweeps)
    left = try solved(left, against: right, target, weights, pull)
    right = try solved(right, against: left, targetT, weightsT, pull)
    let now = loss()
    let before = history[history.count - 1]
    history.append(now)
    guard convergence.continues(residual: before > 0 ? (before - now) / before : 0) else { break }
  }
  return ElementwiseFactors(
    factors: FactoredMatrix(left: left, right: right.transposed.dense), history: history,
    convergence: convergence)
}

/// Each row a of `rows` moved to the least Σ_j w_j (t_j - a b_j)² + pull ‖change‖².
private func solved(
  _ rows: Tensor<Double>, against basis: Tensor<Double>, _ target: Tensor<Double>, _ weights: Tensor<Double>,
  _ pull: Double
) throws -> Tensor<Double> {
  let missed = target - rows.matmul(basis, transposingB: true)
  let ridge = Tensor<Double>.identity(basis.columns) * pull
  let steps = try parallelMap(rows.rows) { i in
    let weighted = basis * weights[i].expanded(axis: 1)
    let matrix = basis.matmul(weighted, transposingA: true)
    let symmetric = (matrix + matrix.transposed) * 0.5 + ridge
    return try CholeskyDecomposition(of: symmetric).solve(weighted.transposed.matmul(missed[i].expanded(axis: 1)))
      .squeezed(axis: 1)
  }
  return rows + Tensor.stacked(steps)
}
