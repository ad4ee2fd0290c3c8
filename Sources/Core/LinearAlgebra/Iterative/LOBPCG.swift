public import Tensors

/// The locally optimal block preconditioned conjugate gradient method, for a few extreme eigenpairs of a symmetric
/// operator.
///
/// All pairs are improved at once: each step takes the best vectors from the span of the present ones, their
/// preconditioned residuals and the previous step. Pairs that have converged stay in the span, so that they go on
/// improving, but cost no more products. Multiple eigenvalues are no difficulty as long as the block holds them all.
///
/// ```swift
/// let laplacian = SparseMatrix<Double>.gridLaplacian([200, 200])
/// let found = try LOBPCG(count: 8).eigenpairs(
///   of: laplacian, preconditioner: IncompleteCholesky(of: laplacian), random: &random)
/// ```
///
/// - Source: Knyazev, "Toward the optimal preconditioned eigensolver", SIAM J. Sci. Comput. 23 (2001), with the
///   orthonormal bases of Hetmaniuk and Lehoucq, "Basis selection in LOBPCG", J. Comput. Phys. 218 (2006).
public struct LOBPCG: Sendable, Hashable {
  public enum Wanted: Sendable, Hashable { case smallest, largest }

  /// How many pairs (k).
  public var count: Int
  public var wanted = Wanted.smallest
  /// Of the largest residual ‖A v - w v‖, relative to the largest magnitude of an eigenvalue seen.
  public var tolerance = 1e-8
  public var iterationLimit = 500
  /// Pairs that are iterated beside the wanted ones, without having to converge: they speed up the last wanted ones.
  public var guardCount: Int?

  public init(
    count: Int, wanted: Wanted = .smallest, tolerance: Double = 1e-8, iterationLimit: Int = 500,
    guardCount: Int? = nil
  ) {
    (self.count, self.wanted, self.tolerance) = (count, wanted, tolerance)
    (self.iterationLimit, self.guardCount) = (iterationLimit, guardCount)
  }

  /// The wanted eigenpairs.
  ///
  /// - Parameters:
  ///   - matrix: A, which must be symmetric; that is not checked.
  ///   - preconditioner: M, symmetric positive definite, near A⁻¹ for the smallest pairs.
  ///   - guess: vectors to start from, of shape [n, any number]; random ones are added or superfluous ones dropped.
  /// - Throws: `InvalidArgument` for settings out of range, shapes that do not fit, or products that are not finite;
  ///   `CancellationError`.
  /// - Complexity: a product with A and with M for each pair that has not converged, and O(n k²) time, a step; memory
  ///   for about eight blocks of vectors.
  public func eigenpairs<Scalar: LinearScalar>(
    of matrix: some LinearOperator<Scalar>, preconditioner: (any LinearOperator<Scalar>)? = nil,
    startingFrom guess: Tensor<Scalar>? = nil, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> PartialEigendecomposition<Scalar> {
    let size = try matrix.squareSize()
    let width = try blockSize(size)
    if let preconditioner, preconditioner.shape != matrix.shape {
      throw InvalidArgument("preconditioner", found: "shape \(preconditioner.shape)", wanted: "shape \(matrix.shape)")
    }
    let limit = max(tolerance, 16 * Double(Scalar.ulpOfOne))
    var convergence = Convergence(tolerance: limit, iterationLimit: iterationLimit)

    var block = try ImagedBlock(start(guess, size, width, &random), matrix)
    var values = Tensor<Scalar>.zeros([0])
    (block, values) = try rayleighRitz(block, width)
    var step: ImagedBlock<Scalar>?
    var scale = max(values.maximumNorm(), .leastNormalMagnitude)
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "LOBPCG")
      let residuals = block.image - block.vectors * values
      let lengths = residuals.sumOfSquares(axes: [0]).sqrt()
      let relative = lengths.scalars.map { Double($0 / scale) }
      guard relative.allSatisfy(\.isFinite) else {
        throw InvalidArgument("operator", found: "products that are not finite", wanted: "finite ones")
      }
      if !convergence.continues(residual: relative.prefix(count).max() ?? 0) {
        return try result(block, values, matrix, convergence)
      }
      let active = Tensor(relative.indices.filter { relative[$0] > limit })
      var search = residuals.gathered(active, axis: 1)
      if let preconditioner { search = try preconditioner.apply(search) }
      guard search.isFinite else {
        throw InvalidArgument("preconditioner", found: "products that are not finite", wanted: "finite ones")
      }
      // The basis [X P W] is kept orthonormal, and A times it comes along: only A W is new.
      let known = step.map { block.joined(with: $0) } ?? block
      let room = size - known.vectors.columns
      var basis = known
      if room > 0 {
        search = search[.all, 0..<min(search.columns, room)]
        basis = known.joined(with: try ImagedBlock(orthonormalized(search, against: known.vectors), matrix))
      } else if convergence.iterations > 1 && step == nil {
        return try result(block, values, matrix, convergence)
      }
      let ritz = try SymmetricEigendecomposition(of: basis.projection)
      scale = max(scale, ritz.values.maximumNorm())
      let order = wanted == .smallest ? Array(0..<width) : (0..<width).map { ritz.values.count - 1 - $0 }
      let chosen = ritz.vectors.gathered(Tensor(order), axis: 1)
      values = ritz.values.gathered(Tensor(order))
      // The next P: what changed, orthonormal to the new X, in coordinates of the basis.
      var change = chosen.gathered(active, axis: 1)
      change[0..<width, .all] = .zeros([width, active.count])
      let extra = min(active.count, basis.vectors.columns - width)
      step = nil
      if extra > 0 && room > 0 {
        let directions = orthonormalized(change[.all, 0..<extra], against: chosen)
        step = basis.combined(directions)
      }
      block = basis.combined(chosen)
    }
  }

  private func result<Scalar: LinearScalar>(
    _ block: ImagedBlock<Scalar>, _ values: Tensor<Scalar>, _ matrix: some LinearOperator<Scalar>,
    _ convergence: Convergence
  ) throws -> PartialEigendecomposition<Scalar> {
    var rows = block.vectors[.all, 0..<count].transposed.dense
    let length = rows.columns
    rows.withUnsafeMutableBuffer { _ = standardizeSigns($0.baseAddress!, count: count, length: length) }
    let vectors = rows.transposed
    let values = values[0..<count].dense
    let defect = try matrix.apply(vectors.dense) - vectors * values
    return PartialEigendecomposition(
      values: values, vectors: vectors, residuals: defect.sumOfSquares(axes: [0]).sqrt(), convergence: convergence)
  }

  private func rayleighRitz<Scalar: LinearScalar>(
    _ block: ImagedBlock<Scalar>, _ width: Int
  ) throws -> (ImagedBlock<Scalar>, Tensor<Scalar>) {
    let ritz = try SymmetricEigendecomposition(of: block.projection)
    let order = Tensor(wanted == .smallest ? Array(0..<width) : Array((0..<width).reversed()))
    return (block.combined(ritz.vectors.gathered(order, axis: 1)), ritz.values.gathered(order))
  }

  private func start<Scalar: LinearScalar>(
    _ guess: Tensor<Scalar>?, _ size: Int, _ width: Int, _ random: inout RandomStream
  ) throws -> Tensor<Scalar> {
    let noise: Tensor<Scalar> = random.normal([size, width])
    guard let guess else { return noise.orthonormalized() }
    guard guess.rank == 2, guess.rows == size else {
      throw InvalidArgument("startingFrom", found: "shape \(guess.shape)", wanted: "shape [\(size), k]")
    }
    try guess.requireFinite("startingFrom")
    let given = min(guess.columns, width)
    return .concatenated([guess[.all, 0..<given], noise[.all, given..<width]], axis: 1).orthonormalized()
  }

  private func blockSize(_ size: Int) throws -> Int {
    guard 1 <= count && count <= size else {
      throw InvalidArgument("count", found: "\(count)", wanted: "1 through \(size), the size of the operator")
    }
    try validateIteration(tolerance: tolerance, limit: iterationLimit)
    guard guardCount ?? 0 >= 0 else {
      throw InvalidArgument("guardCount", found: "\(guardCount ?? 0)", wanted: "at least 0")
    }
    return min(count + (guardCount ?? max(1, count / 4)), size)
  }
}

/// Orthonormal vectors and what A makes of them.
private struct ImagedBlock<Scalar: LinearScalar> {
  var vectors: Tensor<Scalar>
  var image: Tensor<Scalar>

  init(_ vectors: Tensor<Scalar>, _ matrix: any LinearOperator<Scalar>) throws {
    self.vectors = vectors.dense
    image = try matrix.apply(self.vectors)
    guard self.image.shape == vectors.shape else {
      throw InvalidArgument(
        "operator", found: "a result of shape \(self.image.shape)", wanted: "shape \(vectors.shape)")
    }
    try self.image.requireFinite("operator")
  }

  private init(vectors: Tensor<Scalar>, image: Tensor<Scalar>) { (self.vectors, self.image) = (vectors, image) }

  func joined(with other: ImagedBlock) -> ImagedBlock {
    ImagedBlock(
      vectors: .concatenated([vectors, other.vectors], axis: 1), image: .concatenated([image, other.image], axis: 1))
  }

  func combined(_ coefficients: Tensor<Scalar>) -> ImagedBlock {
    ImagedBlock(vectors: vectors.matmul(coefficients), image: image.matmul(coefficients))
  }

  /// Vᵀ A V.
  var projection: Tensor<Scalar> { vectors.matmul(image, transposingA: true).symmetrized }
}

/// An orthonormal basis of the columns of `x` less their part along the orthonormal `known`.
private func orthonormalized<Scalar: LinearScalar>(_ x: Tensor<Scalar>, against known: Tensor<Scalar>) -> Tensor<Scalar>
{
  var rest = x
  // After normalizing once more: what rounding left of the known directions was stretched.
  for _ in 0..<2 {
    rest -= known.matmul(known.matmul(rest, transposingA: true))
    rest = rest.orthonormalized()
  }
  return rest
}
