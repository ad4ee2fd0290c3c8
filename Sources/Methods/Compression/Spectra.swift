// Singular values as compression needs them: in double precision, whatever the matrix is stored in.

public import LinearAlgebra
public import Tensors

/// The singular values of a matrix, decreasing, in double precision.
///
/// A single-precision matrix goes through the eigenvalues of the smaller of A Aᵀ and Aᵀ A, formed in double precision.
/// Squaring costs half the digits of a double, which is what a float never had: on transformer weights the values agree
/// with a double-precision SVD to 1e-13 of the largest (LAPACK's own single-precision SVD: 7e-7), at half its time.
/// Double-precision matrices are decomposed without squaring.
/// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers.
/// - Complexity: O(m n min(m, n)) time; O(min(m, n)²) memory beside the matrix.
public func singularSpectrum<Scalar: LinearScalar>(of matrix: Tensor<Scalar>) throws -> [Double] {
  try matrix.requireMatrix("matrix")
  guard Scalar.self == Float.self else { return try Tensor<Double>(matrix).singularValues().scalars }
  return try spectrum(ofGram: gramMatrix(matrix, transposing: matrix.rows > matrix.columns))
}

/// The singular values of a matrix whose A Aᵀ (or Aᵀ A) is given.
func spectrum(ofGram gram: Tensor<Double>) throws -> [Double] {
  try gram.symmetricEigenvalues().scalars.reversed().map { max($0, 0).squareRoot() }
}

/// A Aᵀ, or Aᵀ A when `transposing`, in double precision; strip by strip, so that no converted copy of A is held.
func gramMatrix<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>, transposing: Bool) -> Tensor<Double> {
  let size = transposing ? matrix.columns : matrix.rows
  let length = transposing ? matrix.rows : matrix.columns
  let strip = max(size, 1024)
  func part(_ range: Range<Int>) -> Tensor<Double> {
    Tensor<Double>(matrix.slice(axis: transposing ? 0 : 1, range)).multipliedByOwnTranspose(transposing: transposing)
  }
  var sum = part(0..<min(strip, length))
  for start in stride(from: strip, to: length, by: strip) { sum += part(start..<min(start + strip, length)) }
  return sum
}

/// The least rank at which the squared values beyond it sum to at most `share` of all, and at least one.
///
/// A tail that is rounding alone, up to 64 units in the last place of the total, counts as nothing.
func leastRank(_ energies: [Double], dropping share: Double) -> Int {
  let total = energies.reduce(0, +)
  let allowed = max(share, roundingShare) * total
  var dropped = 0.0
  var rank = energies.count
  while rank > 1, dropped + energies[rank - 1] <= allowed {
    dropped += energies[rank - 1]
    rank -= 1
  }
  return max(rank, 1)
}

/// Differences of energies below this share of the total are rounding.
let roundingShare = 64 * Double.ulpOfOne

/// sqrt(1 - captured / total), and zero where the difference is rounding or there is nothing to capture.
func relativeError(captured: Double, total: Double, precision: Double = .ulpOfOne) -> Double {
  let missed = total - captured
  return missed <= 64 * precision * total ? 0 : (missed / total).squareRoot()
}

/// ‖A - A_r‖ / ‖A‖ of the best approximation of rank `rank`, from the squared singular values.
func truncationError(_ energies: [Double], rank: Int) -> Double {
  // Summed from the small end: the tail is then exact to its own precision.
  let tail = energies.dropFirst(rank).reversed().reduce(0, +)
  let total = energies.prefix(rank).reversed().reduce(tail, +)
  return relativeError(captured: total - tail, total: total)
}
