// A few extreme eigenvalues or singular values of an operator that is known only by what it does to vectors.
//
// Every new basis vector is made orthogonal to all earlier ones, twice; this costs memory for the basis, and makes the
// method as dependable as a dense one. When the basis is full it is replaced by its best part and grows again.
//
// Source: Wu and Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems", SIAM J. Matrix Anal.
// Appl. 22 (2000); Baglama and Reichel, "Augmented implicitly restarted Lanczos bidiagonalization methods", SIAM J.
// Sci. Comput. 27 (2005), whose augmentation by Ritz vectors is the same idea for singular values.

public import Tensors

/// A few eigenpairs of a symmetric operator.
public struct PartialEigendecomposition<Scalar: LinearScalar>: Sendable {
  /// The wanted eigenvalues, most wanted first.
  public let values: Tensor<Scalar>
  /// Their eigenvectors as columns, of shape [n, k].
  public let vectors: Tensor<Scalar>
  /// ‖A v - w v‖ of each pair, as the iteration estimates it.
  public let residuals: Tensor<Scalar>
  /// One entry a restart: the largest residual over the largest eigenvalue seen.
  public let convergence: Convergence
}

/// A few singular triplets of an operator.
public struct PartialSingularValueDecomposition<Scalar: LinearScalar>: Sendable {
  /// The largest singular values and their vectors.
  public let decomposition: SingularValueDecomposition<Scalar>
  /// ‖Aᵀ u - s v‖ of each triplet, as the iteration estimates it; A v = s u holds to rounding.
  public let residuals: Tensor<Scalar>
  /// One entry a restart: the largest residual over the largest singular value.
  public let convergence: Convergence
}

/// The thick-restart Lanczos method.
///
/// Copies of a multiple eigenvalue appear one after another, through rounding; the tolerance may be met before the last
/// copy shows. Ask for a few more pairs than needed where multiplicities matter.
public struct Lanczos: Sendable, Hashable {
  /// Which end of the spectrum is wanted. Singular values are always the largest.
  public enum Wanted: Sendable, Hashable { case largest, smallest, largestMagnitude }

  /// How many pairs (k).
  public var count: Int
  public var wanted = Wanted.largest
  /// Of the largest residual, relative to the largest eigenvalue in magnitude. Eigenvalues are then accurate to its
  /// square (over their gap), vectors to itself.
  public var tolerance = 1e-10
  /// Basis vectors before a restart; by default max(2 k + 10, 20).
  public var basisSize: Int?
  public var restartLimit = 300

  public init(
    count: Int, wanted: Wanted = .largest, tolerance: Double = 1e-10, basisSize: Int? = nil, restartLimit: Int = 300
  ) {
    (self.count, self.wanted, self.tolerance) = (count, wanted, tolerance)
    (self.basisSize, self.restartLimit) = (basisSize, restartLimit)
  }

  /// The wanted eigenpairs of a symmetric operator on vectors of length `size`.
  ///
  /// - Parameter multiply: x to A x, both of shape [size]; A must be symmetric, which is not checked.
  /// - Throws: `InvalidArgument` for settings out of range or an operator that returns another shape or numbers that
  ///   are not finite; what `multiply` throws; `CancellationError`.
  /// - Complexity: basisSize - k products and O(size basisSize²) time a restart; O(size basisSize) memory.
  public func eigenpairs<Scalar: LinearScalar>(
    size: Int, random: inout RandomStream, progress: WorkProgress = .silent,
    _ multiply: (Tensor<Scalar>) throws -> Tensor<Scalar>
  ) throws -> PartialEigendecomposition<Scalar> {
    let limit = try validBasisSize(size)
    var convergence = startingConvergence(Scalar.self)
    var basis = OrthonormalRows<Scalar>(length: size, capacity: limit + 1)
    var projected = Tensor<Scalar>.zeros([limit, limit])
    basis.appendRandom(&random)
    while true {
      // Grow: A v less its components along the basis, which are the new column of the projection.
      var rest: Scalar = 0
      for j in basis.count - 1..<limit {
        let added = basis.append(try checked(multiply(basis[j]), length: size), random: &random)
        projected[0..<j + 1, j] = added.components
        projected[j, 0..<j + 1] = added.components
        rest = added.length
      }
      let ritz = try SymmetricEigendecomposition(of: projected)
      let order = ordered(ritz.values.scalars)
      let chosen = Tensor(Array(order.prefix(count)))
      let vectors = ritz.vectors.gathered(chosen, axis: 1)
      let residuals = (vectors[limit - 1] * rest).absolute()
      let scale = max(ritz.values.maximumNorm(), .leastNormalMagnitude)
      try progress.report(convergence.iterations + 1, of: restartLimit, "Lanczos")
      if !convergence.continues(residual: Double(residuals.maximumNorm() / scale)) {
        return PartialEigendecomposition(
          values: ritz.values.gathered(chosen), vectors: basis.combined(vectors, standardizing: true).transposed,
          residuals: residuals, convergence: convergence)
      }
      // Restart: the best Ritz vectors, and the direction that growth had reached.
      let kept = Array(order.prefix(keptCount(limit)))
      basis.restart(with: ritz.vectors.gathered(Tensor(kept), axis: 1))
      projected = .zeros([limit, limit])
      for (i, index) in kept.enumerated() { projected[at: i, i] = ritz.values[at: index] }
    }
  }

  /// The largest singular triplets of an operator from vectors of length `columns` to vectors of length `rows`.
  ///
  /// - Parameters:
  ///   - multiply: x of shape [columns] to A x of shape [rows].
  ///   - multiplyTransposed: y of shape [rows] to Aᵀ y of shape [columns].
  /// - Throws: as ``eigenpairs(size:random:progress:_:)``.
  /// - Complexity: basisSize - k products with A and as many with Aᵀ a restart; O((rows + columns) basisSize) memory.
  public func singularTriplets<Scalar: LinearScalar>(
    rows: Int, columns: Int, random: inout RandomStream, progress: WorkProgress = .silent,
    _ multiply: (Tensor<Scalar>) throws -> Tensor<Scalar>,
    transposed multiplyTransposed: (Tensor<Scalar>) throws -> Tensor<Scalar>
  ) throws -> PartialSingularValueDecomposition<Scalar> {
    if rows < columns {
      // The basis of the shorter side is the one that can be exhausted, which then makes the result exact.
      let other = try singularTriplets(
        rows: columns, columns: rows, random: &random, progress: progress, multiplyTransposed, transposed: multiply)
      let triplets = other.decomposition
      return PartialSingularValueDecomposition(
        decomposition: SingularValueDecomposition(
          standardizing: triplets.right, values: triplets.values, right: triplets.left),
        residuals: other.residuals, convergence: other.convergence)
    }
    let limit = try validBasisSize(columns)
    var convergence = startingConvergence(Scalar.self)
    var left = OrthonormalRows<Scalar>(length: rows, capacity: limit)
    var right = OrthonormalRows<Scalar>(length: columns, capacity: limit + 1)
    var projected = Tensor<Scalar>.zeros([limit, limit])
    right.appendRandom(&random)
    while true {
      // Grow: A V = U B with B upper triangular, and Aᵀ U = V Bᵀ but for the rest of the last column.
      var rest: Scalar = 0
      for j in right.count - 1..<limit {
        let added = left.append(try checked(multiply(right[j]), length: rows), random: &random)
        projected[0..<j, j] = added.components
        projected[at: j, j] = added.length
        rest = right.append(try checked(multiplyTransposed(left[j]), length: columns), random: &random).length
      }
      let ritz = try SingularValueDecomposition(of: projected)
      let chosen = ritz.truncated(rank: count)
      let residuals = (chosen.left[limit - 1] * rest).absolute()
      let scale = max(ritz.values[at: 0], .leastNormalMagnitude)
      try progress.report(convergence.iterations + 1, of: restartLimit, "Lanczos")
      if !convergence.continues(residual: Double(residuals.maximumNorm() / scale)) {
        let decomposition = SingularValueDecomposition(
          standardizing: left.combined(chosen.left).transposed, values: chosen.values,
          right: right.combined(chosen.right).transposed)
        return PartialSingularValueDecomposition(
          decomposition: decomposition, residuals: residuals, convergence: convergence)
      }
      let part = ritz.truncated(rank: keptCount(limit))
      left.restart(with: part.left)
      right.restart(with: part.right)
      projected = .zeros([limit, limit])
      for (i, value) in part.values.scalars.enumerated() { projected[at: i, i] = value }
    }
  }

  // MARK: Details

  private func validBasisSize(_ size: Int) throws -> Int {
    guard 1 <= count && count <= size else {
      throw InvalidArgument("count", found: "\(count)", wanted: "1 through \(size), the size of the operator")
    }
    guard tolerance >= 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0") }
    guard restartLimit >= 1 else {
      throw InvalidArgument("restartLimit", found: "\(restartLimit)", wanted: "at least 1")
    }
    let wanted = basisSize ?? max(2 * count + 10, 20)
    guard wanted > count else {
      throw InvalidArgument("basisSize", found: "\(wanted)", wanted: "more than the \(count) pairs")
    }
    return min(wanted, size)
  }

  /// A residual below a few roundings is beyond reach.
  private func startingConvergence<Scalar: LinearScalar>(_: Scalar.Type) -> Convergence {
    Convergence(tolerance: max(tolerance, 4 * Double(Scalar.ulpOfOne)), iterationLimit: restartLimit)
  }

  /// Positions of increasing eigenvalues, most wanted first.
  private func ordered<Scalar: LinearScalar>(_ values: [Scalar]) -> [Int] {
    switch wanted {
    case .smallest: Array(values.indices)
    case .largest: values.indices.reversed()
    case .largestMagnitude: values.indices.sorted { values[$0].magnitude > values[$1].magnitude }
    }
  }

  /// More than the wanted vectors survive a restart: half of the others speed up convergence.
  private func keptCount(_ limit: Int) -> Int { count + (limit - count) / 2 }

  private func checked<Scalar: LinearScalar>(_ image: Tensor<Scalar>, length: Int) throws -> Tensor<Scalar> {
    guard image.shape == [length] else {
      throw InvalidArgument("operator", found: "a result of shape \(image.shape)", wanted: "shape [\(length)]")
    }
    try image.requireFinite("operator")
    return image
  }
}

extension Tensor where Scalar: LinearScalar {
  /// The `count` largest singular triplets of a large matrix, by ``Lanczos``; the whole decomposition is not computed.
  ///
  /// - Throws: `InvalidArgument` unless this is a matrix of finite numbers with min(m, n) >= count >= 1.
  public func largestSingularTriplets(
    _ count: Int, tolerance: Double = 1e-10, random: inout RandomStream
  ) throws -> PartialSingularValueDecomposition<Scalar> {
    let a = try validMatrix()
    return try Lanczos(count: count, tolerance: tolerance).singularTriplets(
      rows: a.rows, columns: a.columns, random: &random, { a.matmul($0) }, transposed: { $0.matmul(a) })
  }

  /// The `count` largest eigenpairs of a large symmetric matrix, by ``Lanczos``.
  ///
  /// - Throws: `InvalidArgument` unless this is symmetric and finite with n >= count >= 1.
  public func largestEigenpairs(
    _ count: Int, tolerance: Double = 1e-10, random: inout RandomStream
  ) throws -> PartialEigendecomposition<Scalar> {
    let a = try validSymmetric()
    return try Lanczos(count: count, tolerance: tolerance).eigenpairs(size: a.rows, random: &random) { a.matmul($0) }
  }
}
