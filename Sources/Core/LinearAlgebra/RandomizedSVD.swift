// Low-rank approximation by random sampling: a matrix is read a few times, and everything else is small.
//
// Source: Halko, Martinsson and Tropp, "Finding structure with randomness", SIAM Review 53 (2011); below "HMT".

public import Tensors

/// An orthonormal basis Q that nearly contains the columns of a matrix A: A ≈ Q Qᵀ A.
public struct RangeBasis<Scalar: LinearScalar>: Sendable {
  /// Q, of shape [m, k], with orthonormal columns.
  public let basis: Tensor<Scalar>
  /// Qᵀ A, of shape [k, n].
  public let coordinates: Tensor<Scalar>
  /// ‖A - Q Qᵀ A‖_F / ‖A‖_F. It comes from a difference of squares: below the square root of the precision it is noise.
  public let relativeError: Scalar
}

/// Finds the dominant range of a matrix from its products with random vectors.
///
/// With rank k and oversampling p >= 2, the expected error E ‖A - Q Qᵀ A‖_F is at most sqrt(1 + k / (p - 1)) times the
/// error of the best rank-k approximation (HMT, theorem 10.5). Each power iteration brings the spectral error closer to
/// optimal: with q of them the factor's excess over one shrinks like its (2q + 1)-th root (HMT, corollary 10.10).
public struct RandomizedRangeFinder: Sendable, Hashable {
  /// Additional random vectors (p).
  public var oversampling = 10
  /// Multiplications by A Aᵀ before the basis is taken (q). Bases are orthonormalized in between, so that small
  /// singular values are not lost to rounding. Spectra that decay slowly, as those of trained weights, need two or
  /// more.
  public var powerIterations = 2
  /// How many vectors an adaptive search adds at a time.
  public var blockSize = 16

  public init(oversampling: Int = 10, powerIterations: Int = 2, blockSize: Int = 16) {
    (self.oversampling, self.powerIterations, self.blockSize) = (oversampling, powerIterations, blockSize)
  }

  /// A basis of `rank` + `oversampling` vectors, or of min(m, n) if that is fewer.
  ///
  /// - Parameter matrix: A, of shape [m, n].
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers, and for settings out of range.
  /// - Complexity: O(m n (rank + oversampling)(powerIterations + 1)) time.
  public func findRange<Scalar: LinearScalar>(
    of matrix: Tensor<Scalar>, rank: Int, random: inout RandomStream
  ) throws -> RangeBasis<Scalar> {
    let a = try matrix.validMatrix()
    try validate()
    guard rank >= 0 else { throw InvalidArgument("rank", found: "\(rank)", wanted: "at least 0") }
    let count = rank == 0 ? 0 : min(rank + oversampling, a.rows, a.columns)
    let basis = sample(a, count: count, orthogonalTo: nil, &random)
    return RangeBasis(a, basis: basis, coordinates: basis.matmul(a, transposingA: true))
  }

  /// The smallest basis, in steps of `blockSize`, with ‖A - Q Qᵀ A‖_F <= `tolerance` ‖A‖_F.
  ///
  /// Vectors are added in blocks, each orthogonal to the ones before. The error is known without another look at the
  /// matrix, from ‖A - Q Qᵀ A‖² = ‖A‖² - ‖Qᵀ A‖²; a tolerance below the square root of the precision is out of its
  /// reach and is rejected.
  /// - Parameter matrix: A, of shape [m, n].
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers, and for settings out of range.
  /// - Source: Yu, Gu and Li, "Efficient randomized algorithms for the fixed-precision low-rank matrix approximation",
  ///   SIAM J. Matrix Anal. Appl. 39 (2018), algorithm 2.
  public func findRange<Scalar: LinearScalar>(
    of matrix: Tensor<Scalar>, tolerance: Scalar, random: inout RandomStream
  ) throws -> RangeBasis<Scalar> {
    let a = try matrix.validMatrix()
    try validate()
    let smallest = 2 * Scalar.sqrt(.ulpOfOne)
    guard tolerance >= smallest && tolerance < 1 else {
      throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least \(smallest), below 1")
    }
    let limit = min(a.rows, a.columns)
    var basis = Tensor<Scalar>.zeros([a.rows, 0])
    var coordinates = Tensor<Scalar>.zeros([0, a.columns])
    while true {
      let found = RangeBasis(a, basis: basis, coordinates: coordinates)
      if found.relativeError <= tolerance || basis.columns == limit { return found }
      let block = sample(a, count: min(blockSize, limit - basis.columns), orthogonalTo: basis, &random)
      basis = .concatenated([basis, block], axis: 1)
      coordinates = .concatenated([coordinates, block.matmul(a, transposingA: true)], axis: 0)
    }
  }

  private func validate() throws {
    for (name, value, least) in [
      ("oversampling", oversampling, 0), ("powerIterations", powerIterations, 0), ("blockSize", blockSize, 1),
    ] where value < least {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least \(least)")
    }
  }

  /// `count` orthonormal vectors along the dominant part of A's range that `known` does not contain.
  private func sample<Scalar: LinearScalar>(
    _ a: Tensor<Scalar>, count: Int, orthogonalTo known: Tensor<Scalar>?, _ random: inout RandomStream
  ) -> Tensor<Scalar> {
    func remaining(_ x: Tensor<Scalar>) -> Tensor<Scalar> {
      guard let known, known.columns > 0 else { return x }
      return x - known.matmul(known.matmul(x, transposingA: true))
    }
    let start: Tensor<Scalar> = random.normal([a.columns, count])
    var basis = remaining(a.matmul(start)).orthonormalized()
    for _ in 0..<powerIterations {
      let back = a.matmul(basis, transposingA: true).orthonormalized()
      basis = remaining(a.matmul(back)).orthonormalized()
    }
    // Once more: what rounding left of the known directions was stretched when the basis was normalized.
    return known == nil ? basis : remaining(basis).orthonormalized()
  }
}

extension RangeBasis {
  fileprivate init(_ matrix: Tensor<Scalar>, basis: Tensor<Scalar>, coordinates: Tensor<Scalar>) {
    (self.basis, self.coordinates) = (basis, coordinates)
    let total = matrix.frobeniusNorm()
    let share = total > 0 ? coordinates.frobeniusNorm() / total : 1
    relativeError = .sqrt(max(0, (1 - share) * (1 + share)))
  }
}

/// The dominant singular values and vectors of a matrix, from a random sample of its range.
///
/// ```swift
/// var random = RandomStream(seed: 1)
/// let svd = try RandomizedSVD(rank: 32).decompose(weight, random: &random)
/// ```
public struct RandomizedSVD: Sendable, Hashable {
  /// The number of singular values wanted.
  public var rank: Int
  /// How the range is found.
  public var rangeFinder = RandomizedRangeFinder()

  public init(rank: Int, rangeFinder: RandomizedRangeFinder = RandomizedRangeFinder()) {
    (self.rank, self.rangeFinder) = (rank, rangeFinder)
  }

  /// The `rank` dominant singular triplets of `matrix`, of shape [m, n], or min(m, n) if that is fewer.
  ///
  /// No singular value exceeds the true one. With q power iterations, the error of value j relative to the true one is
  /// of the order of (s_(k+1) / s_j)^(4 q + 2), with k the rank plus the oversampling: negligible behind a gap.
  ///
  /// - Throws: `InvalidArgument` unless `matrix` is a matrix of finite numbers, and for settings out of range.
  /// - Complexity: O(m n (rank + oversampling)(powerIterations + 1)) time.
  /// - Source: HMT, algorithms 4.4 and 5.1.
  public func decompose<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, random: inout RandomStream
  ) throws -> SingularValueDecomposition<Scalar> {
    let range = try rangeFinder.findRange(of: matrix, rank: rank, random: &random)
    let small = try SingularValueDecomposition(of: range.coordinates)
    return SingularValueDecomposition(
      left: range.basis.matmul(small.left), values: small.values, right: small.right
    ).truncated(rank: rank)
  }
}

extension Tensor where Scalar: LinearScalar {
  /// An orthonormal basis of the columns, by Householder reflections: orthonormal even where columns depend on others.
  ///
  /// For use on finite matrices with at least as many rows as columns.
  func orthonormalized() -> Tensor {
    let factors = HouseholderFactors(self.dense)
    return factors.orthogonalTransposed(columns: Swift.min(rows, columns)).transposed
  }
}
