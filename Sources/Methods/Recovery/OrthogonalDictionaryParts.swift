// What online and batch learning of orthogonal dictionaries share.

public import LinearAlgebra
public import Tensors

/// The gradient at D of F(D) = -mean ‖Dᵀy‖_p^p over samples y, rows of shape [B, n]; and -F(D).
public func orthogonalDictionaryGradient<Scalar: LinearScalar>(
  _ samples: Tensor<Scalar>, _ dictionary: Tensor<Scalar>, power: Double = 3
) -> (gradient: Tensor<Scalar>, objective: Double) {
  let codes = samples.matmul(dictionary)
  let sizes = codes.absolute()
  let raised =
    power == 3 ? sizes * codes : power == 4 ? codes.squared() * codes : sizes.power(Scalar(power - 2)) * codes
  let count = Scalar(samples.rows)
  let gradient = samples.matmul(raised, transposingA: true) * (-Scalar(power) / count)
  return (gradient, Double((raised * codes).sum().scalar / count))
}

/// The orthogonal polar factor U Vᵀ of a square matrix, completed to an orthogonal matrix where it is rank-deficient.
///
/// By singular values for small matrices; else by polynomials that need products alone, and by singular values where
/// these do not reach rounding level.
/// - Throws: `InvalidArgument` unless the matrix is square and finite.
/// - Complexity: O(n³).
public func orthogonalPolarFactor<Scalar: LinearScalar>(of matrix: Tensor<Scalar>) throws -> Tensor<Scalar> {
  guard matrix.rank == 2, matrix.rows == matrix.columns else {
    throw InvalidArgument("matrix", found: "shape \(matrix.shape)", wanted: "a square matrix")
  }
  let size = matrix.rows
  if size > 32, let factor = polynomialPolarFactor(matrix) { return factor }
  let svd = try SingularValueDecomposition(of: matrix)
  return svd.left.matmul(svd.right, transposingB: true)
}

/// The best nine steps for singular values above 1e-4 of the norm; those below leave the rest to singular values.
private let polarSteps = NewtonSchulz.polarExpress(steps: 9, smallest: 1e-4)

private func polynomialPolarFactor<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>) -> Tensor<Scalar>? {
  guard matrix.isFinite, matrix.maximumNorm() > 0 else { return nil }
  let size = matrix.rows
  var x = polarSteps.orthogonalize(matrix)
  let tolerance = 1e-12 + 4 * Scalar(size) * .ulpOfOne
  for _ in 0..<3 {
    // X (3 I - Xᵀ X) / 2, whose bracket also tells how far X is from orthogonal.
    let gap = Tensor<Scalar>.identity(size) - x.multipliedByOwnTranspose(transposing: true)
    let defect = gap.maximumNorm()
    guard defect < 0.3 else { return nil }
    if defect <= tolerance { return x }
    x += x.matmul(gap) * 0.5
  }
  let last = (x.multipliedByOwnTranspose(transposing: true) - .identity(size)).maximumNorm()
  return last <= tolerance ? x : nil
}

/// An orthogonal dictionary from all samples at once, by fixed-point iterations D ← polar(Y (YᵀD)^(p-1)).
///
/// - Parameters:
///   - samples: shape [count, n], a sample a row.
///   - power: 4 is matching, stretching and projection; 3 its variant for the third power.
/// - Returns: the dictionary, atoms in columns, and how much it moved in each iteration (Frobenius norm).
/// - Throws: `InvalidArgument` for an empty or unfit matrix or a power of 2 or less.
/// - Source: Zhai et al., "Complete dictionary learning via l4-norm maximization over the orthogonal group", JMLR 2020.
public func orthogonalDictionaryBatch<Scalar: LinearScalar>(
  _ samples: Tensor<Scalar>, power: Double = 4, iterations: Int = 100, tolerance: Double = 1e-8, seed: UInt64 = 1
) throws -> (dictionary: Tensor<Scalar>, convergence: Convergence) {
  try samples.requireMatrix("samples")
  guard power > 2 else { throw InvalidArgument("power", found: "\(power)", wanted: "above 2") }
  guard iterations >= 1 else { throw InvalidArgument("iterations", found: "\(iterations)", wanted: "at least 1") }
  var random = RandomStream(seed: seed)
  var dictionary: Tensor<Scalar> = try random.orthogonal([samples.columns, samples.columns])
  var convergence = Convergence(tolerance: tolerance, iterationLimit: iterations)
  var change = Double.infinity
  repeat {
    let gradient = orthogonalDictionaryGradient(samples, dictionary, power: power).gradient
    let next = -(try orthogonalPolarFactor(of: gradient))
    change = Double((next - dictionary).frobeniusNorm())
    dictionary = next
  } while convergence.continues(residual: change)
  return (dictionary, convergence)
}

/// How far a dictionary is from the true one, up to signs and order: 1 - (1/n) Σ_k max_j ⟨d⁰_j, d_k⟩², with unit atoms in
/// the columns of both; zero for a perfect recovery.
///
/// - Parameter assigning: every true atom may serve one found atom only, in the best assignment.
/// - Throws: `InvalidArgument` for shapes that differ.
public func dictionaryRecoveryError<Scalar: LinearScalar>(
  _ dictionary: Tensor<Scalar>, _ truth: Tensor<Scalar>, assigning: Bool = false
) throws -> Double {
  guard dictionary.rank == 2, dictionary.shape == truth.shape, dictionary.count > 0 else {
    throw InvalidArgument("dictionary", found: "shape \(dictionary.shape)", wanted: "that of the truth, \(truth.shape)")
  }
  let overlaps = dictionary.matmul(truth, transposingA: true).squared()
  guard assigning else { return 1 - Double(overlaps.maximum(axis: 1).mean().scalar) }
  let matches = try AssignmentSolver(maximizing: true).solve(overlaps)
  let sum = matches.pairs.reduce(0.0) { $0 + Double(overlaps[at: $1.row, $1.column]) }
  return 1 - sum / Double(dictionary.columns)
}
