public import LinearAlgebra
public import Tensors

/// The leading left singular vectors and values of blocks side by side, M = [A_1 A_2 ...], without ever forming M.
///
/// The state is Q diag(lambda) Qᵀ, close to M Mᵀ, with at most r + p directions. A truncation only removes a positive
/// semidefinite part, so lambda_j <= sigma_j(M)²: ``relativeError`` is an upper bound of the best rank-r error of M, and
/// exact while M has at most r + p independent columns.
///
/// ```swift
/// var svd = IncrementalSVD<Double>(rank: 8)
/// for block in blocks { try svd.append(block) }
/// print(svd.relativeError)
/// ```
///
/// - Complexity: appending a block of shape [m, n] takes O(m k n + m n² + (k + n)³) time for k <= r + p directions, however
///   many blocks came before; O(m (k + n)) memory.
/// - Source: Shamrai, "Concatenated matrix SVD", 2026, arXiv 2601.11626.
public struct IncrementalSVD<Scalar: LinearScalar>: Sendable {
  /// The rank r that errors are stated for.
  public let rank: Int
  /// Directions p that are carried beyond the rank, against the loss by truncation.
  public let oversampling: Int
  /// Q, of shape [m, k]: estimated left singular vectors as columns; [0, 0] before the first block that is not zero.
  public private(set) var basis = Tensor<Scalar>.zeros([0, 0])
  /// lambda: squared estimated singular values, decreasing.
  private var squares: [Scalar] = []
  /// ‖M‖² in the Frobenius norm.
  public private(set) var totalEnergy = 0.0

  /// - Precondition: rank >= 1 and oversampling >= 0.
  public init(rank: Int, oversampling: Int = 5) {
    precondition(
      rank >= 1 && oversampling >= 0, "rank \(rank) must be positive, oversampling \(oversampling) not negative")
    (self.rank, self.oversampling) = (rank, oversampling)
  }

  /// The estimated singular values of M, decreasing: at most r + p of them, each at most the true one.
  public var singularValues: Tensor<Scalar> { Tensor(squares.map { Scalar.sqrt($0) }) }

  /// The sum of the r largest squared singular values.
  public var capturedEnergy: Double { squares.prefix(rank).reduce(0) { $0 + Double($1) } }

  /// sqrt(1 - captured / total); zero when nothing, or nothing but rounding, is missing.
  public var relativeError: Double {
    Compression.relativeError(captured: capturedEnergy, total: totalEnergy, precision: Double(Scalar.ulpOfOne))
  }

  /// Takes in a block of shape [m, n].
  ///
  /// - Throws: `InvalidArgument` unless it is a matrix of finite numbers with the rows of the blocks before it.
  public mutating func append(_ block: Tensor<Scalar>) throws {
    try block.requireMatrix("block")
    guard squares.isEmpty || block.rows == basis.rows else {
      throw InvalidArgument("block", found: "\(block.rows) rows", wanted: "\(basis.rows), as the blocks before it have")
    }
    totalEnergy += try absorb(block)
  }

  /// Takes in everything that another state has seen, at the cost of one block of its directions.
  ///
  /// - Throws: `InvalidArgument` when the blocks of the two have different numbers of rows.
  public mutating func merge(_ other: IncrementalSVD) throws {
    guard !other.squares.isEmpty else { return }
    guard squares.isEmpty || other.basis.rows == basis.rows else {
      throw InvalidArgument("other", found: "\(other.basis.rows) rows", wanted: "\(basis.rows)")
    }
    _ = try absorb((other.basis * other.singularValues).dense)
    totalEnergy += other.totalEnergy
  }

  /// Updates the directions by those of a block, and returns the block's squared norm.
  private mutating func absorb(_ block: Tensor<Scalar>) throws -> Double {
    let energy = block.sumOfSquares().scalar
    guard energy > 0 else { return 0 }
    // In the basis [Q, new], the block is [inner; outer].
    var inner: Tensor<Scalar>
    var wider: Tensor<Scalar>
    let known = squares.count
    if known == 0 {
      let added = try newDirections(of: block, norm: .sqrt(energy))
      (inner, wider) = (added.coefficients, added.basis)
    } else {
      // Projected twice: once leaves rounding errors of the size of the block in the residual.
      inner = basis.matmul(block, transposingA: true)
      var residual = block - basis.matmul(inner)
      let correction = basis.matmul(residual, transposingA: true)
      residual -= basis.matmul(correction)
      inner += correction
      let added = try newDirections(of: residual, norm: .sqrt(energy))
      if added.basis.columns > 0 {
        let columns = Tensor<Int>(added.permutation)
        inner = Tensor.concatenated([inner.gathered(columns, axis: 1), added.coefficients])
        wider = Tensor.concatenated([basis, added.basis], axis: 1)
      } else {
        wider = basis
      }
    }
    var small = inner.multipliedByOwnTranspose()
    for i in 0..<known { small[at: i, i] += squares[i] }
    let eigen = try SymmetricEigendecomposition(of: small)
    let top = eigen.largest(min(rank + oversampling, small.rows))
    squares = top.values.scalars.map { max($0, 0) }
    basis = wider.matmul(top.vectors)
    return Double(energy)
  }

  private struct Directions {
    /// Orthonormal, of shape [m, b].
    var basis: Tensor<Scalar>
    /// Of shape [b, n]: the residual's columns, permuted, in that basis.
    var coefficients: Tensor<Scalar>
    var permutation: [Int]
  }

  /// An orthonormal basis of a residual that is orthogonal to Q, without directions in which next to nothing lies.
  ///
  /// Dropping a direction projects the block, which lowers the estimates: they stay lower bounds. Columns are pivoted, so
  /// that dependent ones come last and are dropped, instead of leaving arbitrary directions between the others.
  private func newDirections(of residual: Tensor<Scalar>, norm: Scalar) throws -> Directions {
    let tolerance = max(Scalar(1e-12), 64 * Scalar.ulpOfOne) * norm
    let qr = try PivotedQRDecomposition(of: residual)
    let lengths = qr.upper.sumOfSquares(axes: [1]).scalars
    let count = (lengths.lastIndex { $0 > tolerance * tolerance }).map { $0 + 1 } ?? 0
    var added = Directions(
      basis: qr.orthogonal[.all, 0..<count], coefficients: qr.upper[0..<count, .all], permutation: qr.permutation)
    guard count > 0, !squares.isEmpty else { return added }
    // Directions of small residuals inherit its rounding errors along Q, magnified; they are projected once more.
    let overlap = basis.matmul(added.basis, transposingA: true)
    if overlap.maximumNorm() > 64 * Scalar.ulpOfOne {
      let again = try QRDecomposition(of: added.basis - basis.matmul(overlap))
      added.basis = again.orthogonal
      added.coefficients = again.upper.matmul(added.coefficients)
    }
    return added
  }
}
