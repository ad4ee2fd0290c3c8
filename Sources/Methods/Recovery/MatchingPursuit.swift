// Greedy selection of columns, and how estimates of sparse vectors are judged.

public import LinearAlgebra
public import Tensors

/// A sparse vector that a greedy method found.
public struct PursuitResult<Scalar: LinearScalar>: Sendable {
  /// Shape [n]; its imaginary part if there is one.
  public let coefficients: Tensor<Scalar>
  public let imaginaryCoefficients: Tensor<Scalar>?
  /// The columns in the order they were taken; of a product, the indices of each mode.
  public let support: [[Int]]
  /// ‖y - A x‖ after each step, the norm of y first.
  public let residualNorms: [Double]
}

/// Orthogonal matching pursuit: takes the column most correlated with the residual, fits all taken ones, and repeats.
///
/// - Parameters:
///   - matrix: A, of shape [m, n].
///   - observed: y, of shape [m].
///   - sparsity: the number of columns; fewer when the residual vanishes.
/// - Throws: `InvalidArgument` for shapes that do not fit and numbers that are not finite.
/// - Complexity: O(m n sparsity).
public func orthogonalMatchingPursuit<Scalar: LinearScalar>(
  _ matrix: Tensor<Scalar>, observed: Tensor<Scalar>, sparsity: Int
) throws -> PursuitResult<Scalar> {
  try matrix.requireMatrix("matrix")
  return try pursuit(Numbers(matrix), Numbers(observed), sparsity)
}

/// The same on the columns of a Kronecker dictionary, which is formed for it.
public func orthogonalMatchingPursuit<Scalar: LinearScalar>(
  _ dictionary: KroneckerDictionary<Scalar>, observed: ComplexTensor<Scalar>, sparsity: Int
) throws -> PursuitResult<Scalar> {
  let y = dictionary.isComplex ? Numbers(observed.real, observed.imaginary) : Numbers(observed.real)
  return try pursuit(dictionary.dense(), y, sparsity)
}

private func pursuit<Scalar: LinearScalar>(
  _ matrix: Numbers<Scalar>, _ y: Numbers<Scalar>, _ sparsity: Int
) throws -> PursuitResult<Scalar> {
  let (rows, columns) = (matrix.shape[0], matrix.shape[1])
  try requirePursuit(y, rows: rows, sparsity: sparsity, limit: min(rows, columns))
  let lengths = matrix.squares.sum(axis: 0)
  let safe = (lengths .> 0).select(lengths, Tensor(repeating: Scalar(1), shape: lengths.shape))
  let adjoint = matrix.adjoint
  var residual = y
  var norms = [norm(y)]
  var support: [Int] = []
  var part = y
  while support.count < sparsity, norms[norms.count - 1] > 0 {
    let scores = adjoint.matmul(residual.reshaped([rows, 1])).squares.flattened / safe
    let best = scores.argmax(axis: 0).scalar
    // A column that was taken has no correlation left, but for rounding.
    guard !support.contains(best) else { break }
    support.append(best)
    let chosen = matrix.columns(Tensor(support))
    part = try leastSquares(chosen, y)
    residual = y - chosen.matmul(part.reshaped([support.count, 1])).reshaped([rows])
    norms.append(norm(residual))
  }
  let places = Tensor<Int>(support)
  func scattered(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
    support.isEmpty ? .zeros([columns]) : Tensor.zeros([columns]).scatterAdded(x, at: places)
  }
  return PursuitResult(
    coefficients: scattered(part.real), imaginaryCoefficients: part.imaginary.map(scattered), support: [support],
    residualNorms: norms)
}

/// Matching pursuit for supports that are products: each step adds the coordinates of the largest correlation to the index
/// set of every mode, and fits all their combinations.
///
/// - Parameter sparsity: the number of indices of each mode at which it stops.
/// - Throws: as the other.
public func kroneckerMatchingPursuit<Scalar: LinearScalar>(
  _ dictionary: KroneckerDictionary<Scalar>, observed: Tensor<Scalar>, sparsity: [Int]
) throws -> PursuitResult<Scalar> {
  let y = Numbers(observed)
  let extents = dictionary.columnExtents
  try requirePursuit(y, rows: dictionary.rows, sparsity: sparsity.max() ?? 0, limit: extents.min() ?? 0)
  guard sparsity.count == extents.count, zip(sparsity, dictionary.rowExtents).allSatisfy({ $0 <= $1 }) else {
    throw InvalidArgument(
      "sparsity", found: "\(sparsity)", wanted: "a number for each mode, at most \(dictionary.rowExtents)")
  }
  guard !dictionary.isComplex else {
    throw InvalidArgument("dictionary", found: "complex factors", wanted: "real ones")
  }
  var support = [[Int]](repeating: [], count: extents.count)
  var residual = y
  var norms = [norm(y)]
  var core = Tensor<Scalar>.zeros([0])
  for _ in 0..<sparsity.reduce(0, +) {
    guard norms[norms.count - 1] > 1e-14 * norms[0] else { break }
    let scores = dictionary.adjoint(residual).squares.reshaped(extents).scalars
    // The best place that adds an index to a mode with room, and none to a full one.
    var best = (place: -1, score: Scalar(-1))
    for (place, score) in scores.enumerated() where score > best.score {
      let coordinates = coordinates(of: place, extents)
      let fits = coordinates.indices.allSatisfy {
        support[$0].contains(coordinates[$0]) || support[$0].count < sparsity[$0]
      }
      let adds = coordinates.indices.contains { !support[$0].contains(coordinates[$0]) }
      if fits && adds { best = (place, score) }
    }
    guard best.place >= 0 else { break }
    for (mode, index) in coordinates(of: best.place, extents).enumerated() where !support[mode].contains(index) {
      support[mode].append(index)
    }
    let parts = zip(dictionary.factors, support).map { $0.real.gathered(Tensor<Int>($1), axis: 1) }
    let inverses = try parts.map { Numbers(try $0.pseudoInverse()) }
    let fit = KroneckerDictionary.alongModes(y.reshaped(dictionary.rowExtents), inverses)
    core = fit.real
    let model = KroneckerDictionary.alongModes(fit, parts.map { Numbers($0) }).reshaped([dictionary.rows])
    residual = y - model
    norms.append(norm(residual))
  }
  var whole = core
  if !core.isEmpty {
    for (mode, indices) in support.enumerated() {
      var shape = whole.shape
      shape[mode] = extents[mode]
      whole = Tensor.zeros(shape).scatterAdded(whole, at: Tensor<Int>(indices), axis: mode)
    }
  }
  return PursuitResult(
    coefficients: core.isEmpty ? .zeros([dictionary.columns]) : whole.flattened, imaginaryCoefficients: nil,
    support: support, residualNorms: norms)
}

private func coordinates(of place: Int, _ extents: [Int]) -> [Int] {
  var rest = place
  return extents.reversed().map { extent in
    defer { rest /= extent }
    return rest % extent
  }.reversed()
}

private func requirePursuit<Scalar>(_ y: Numbers<Scalar>, rows: Int, sparsity: Int, limit: Int) throws {
  guard y.shape == [rows] else {
    throw InvalidArgument("observed", found: "shape \(y.shape)", wanted: "[\(rows)]")
  }
  try y.real.requireFinite("observed")
  try y.imaginary?.requireFinite("observed")
  guard 1 <= sparsity, sparsity <= limit else {
    throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "1 through \(limit)")
  }
}

private func norm<Scalar>(_ x: Numbers<Scalar>) -> Double { Double(x.squares.sum().scalar).squareRoot() }

/// x that minimizes ‖y - A x‖.
private func leastSquares<Scalar: LinearScalar>(
  _ matrix: Numbers<Scalar>, _ y: Numbers<Scalar>
) throws -> Numbers<Scalar> {
  let count = matrix.shape[1]
  guard matrix.imaginary != nil else { return Numbers(try matrix.real.leastSquares(y.real).solution) }
  let right = Tensor.concatenated([y.real, y.imaginary ?? .zeros(y.shape)])
  let solution = try matrix.realForm.leastSquares(right).solution
  return Numbers(solution[0..<count].dense, solution[count..<2 * count].dense)
}

// MARK: Judgement

/// |common support| / |union of supports|, where a support is what exceeds `threshold` times the largest magnitude.
public func supportRecoveryRate<Scalar: LinearScalar>(
  _ estimate: Tensor<Scalar>, _ truth: Tensor<Scalar>, threshold: Scalar = 1e-3
) -> Double {
  func support(_ x: Tensor<Scalar>) -> Tensor<Bool> {
    let sizes = x.absolute()
    return (sizes .> sizes.maximum().scalar * threshold) .& (sizes .> 0)
  }
  let (a, b) = (support(estimate), support(truth))
  let union = (a .| b).trueCount
  return union == 0 ? 1 : Double((a .& b).trueCount) / Double(union)
}

/// ‖x̂ - x‖² / ‖x‖².
public func normalizedSquaredError<Scalar: LinearScalar>(_ estimate: Tensor<Scalar>, _ truth: Tensor<Scalar>) -> Double
{
  Double((estimate - truth).sumOfSquares().scalar / truth.sumOfSquares().scalar)
}
