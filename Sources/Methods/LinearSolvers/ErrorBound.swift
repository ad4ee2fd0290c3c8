public import LinearAlgebra
public import Tensors

/// A bound on the largest error of any unknown, max |x - x*|, of an approximate solution of A x = b: proven, rounding
/// included, where A is a nonsingular M-matrix; nil where that could not be shown.
///
/// A matrix without positive entries beside the diagonal that takes some v > 0 to A v > 0 is an M-matrix, and then
/// ‖A⁻¹‖∞ <= max v / min A v. The v is an approximate solution of A v = 1, by multigrid.
/// - Parameters:
///   - matrix: symmetric, of shape [n, n].
/// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite; `CancellationError`.
/// - Complexity: that of setting up multigrid and a few cycles.
/// - Source: Ogita, Oishi and Ushiro, "Fast verification of solutions for sparse monotone matrix equations", Computing
///   Supplement 15 (2001).
public func largestErrorBound(
  _ matrix: SparseMatrix<Double>, solution x: Tensor<Double>, rightSide b: Tensor<Double>,
  progress: WorkProgress = .silent
) throws -> Double? {
  try requireSystem(matrix, b, startingFrom: x)
  let diagonal = matrix.diagonal
  let beside = (matrix - SparseMatrix(diagonal: diagonal)).values
  guard diagonal.minimum().scalar > 0, beside.isEmpty || beside.maximum().scalar <= 0,
    matrix.isSymmetric(tolerance: 1e-12)
  else { return nil }
  let size = matrix.rows
  let ones = Tensor<Double>.ones([size])
  var settings = BootstrapAMG.singleHierarchy
  settings.sweepsPerLevel = 2
  guard let solver = try? settings.build(matrix, progress: progress) else { return nil }
  let found = try solver.solve(
    ones, tolerance: min(0.5 / Double(size).squareRoot(), 1e-2), iterationLimit: 200, progress: progress)
  let v = found.solution
  guard v.isFinite, v.minimum().scalar > 0 else { return nil }
  // Products of m terms are wrong by less than m + 2 units of rounding of the sum of their magnitudes.
  let magnitudes = matrix.withValues(matrix.values.absolute())
  let longest = matrix.withValues(.ones([matrix.entryCount])).matmul(ones).maximum().scalar
  let unit = (longest + 3) * Double.ulpOfOne
  let image = matrix.matmul(v) - magnitudes.matmul(v) * unit
  let least = image.minimum().scalar
  guard least > 0 else { return nil }
  let residual = (b - matrix.matmul(x)).absolute() + (magnitudes.matmul(x.absolute()) + b.absolute()) * unit
  return residual.maximum().scalar * v.maximum().scalar / least * (1 + 4 * Double.ulpOfOne)
}
