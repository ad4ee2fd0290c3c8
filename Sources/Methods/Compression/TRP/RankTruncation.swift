public import LinearAlgebra
public import Tensors

/// A weight cut to a rank, with its factors and the direction in which its nuclear norm grows.
///
/// The decomposition goes through the eigenvectors of the smaller of W Wᵀ and Wᵀ W in double precision, which for
/// single-precision weights loses nothing that they had and costs a fraction of a singular value decomposition.
public struct RankTruncation<Scalar: LinearScalar>: Sendable {
  /// W_r, of the weight's shape; the weight itself, bit for bit, where nothing is cut.
  public let weight: Tensor<Scalar>
  /// G = U_r V_rᵀ, of the weight's shape: a subgradient of the nuclear norm at W_r. Zero for a weight of zeros.
  public let subgradient: Tensor<Scalar>
  /// The singular values of all matrices, decreasing; the longest list where there are several.
  public let singularValues: [Double]
  /// The rank that is kept; the largest that the rule selects where there are several matrices.
  public let rank: Int
  public let fullRank: Int
  /// ‖W - W_r‖² / ‖W‖², from the singular values; zero for a weight of zeros.
  public let droppedEnergy: Double
  public let matricisation: Matricisation
  /// Singular vectors of the first r values: [count, rows, r], [count, r] and [count, r, columns].
  let left: Tensor<Scalar>, values: Tensor<Scalar>, right: Tensor<Scalar>

  /// - Parameter weight: of shape [m, n] for dense factors, else [N, C, h, w].
  /// - Throws: `InvalidArgument` for other shapes, numbers that are not finite, and rules out of range;
  ///   `DecompositionError`, which is very rare.
  /// - Complexity: O(m n min(m, n)) time.
  /// - Source: Xu et al., arXiv 1812.02402, section 3.
  public init(_ weight: Tensor<Scalar>, _ matricisation: Matricisation, _ rule: TruncationRule) throws {
    try rule.validate()
    try weight.requireFinite("weight")
    let matrices = try matricisation.matrices(of: weight)
    let parts = try parallelMap(matrices.shape[0]) { try Spectrum(matrices[$0].dense) }
    let rank = parts.map { rule.rank($0.values) }.max() ?? 1
    fullRank = matricisation.fullRank(weight.shape)
    self.matricisation = matricisation
    self.rank = rank
    singularValues = parts.map(\.values).max { ($0.first ?? 0) < ($1.first ?? 0) } ?? []
    let factors = parts.map { $0.factors(rank: rank) }
    left = .stacked(factors.map(\.left))
    right = .stacked(factors.map(\.right))
    values = .stacked(parts.map { part in Tensor(part.values.prefix(rank).map { Scalar($0) }) })
    let shape = weight.shape
    subgradient = try matricisation.weight(from: left.matmul(right), shape: shape)
    let total = parts.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1 * $1 } }
    let tail = parts.reduce(0) { $0 + $1.values.dropFirst(rank).reduce(0) { $0 + $1 * $1 } }
    if rank == fullRank || tail == 0 {
      self.weight = weight
      droppedEnergy = 0
    } else {
      let scaled = left * values.expanded(axis: 1)
      self.weight = try matricisation.weight(from: scaled.matmul(right), shape: shape)
      droppedEnergy = tail / total
    }
  }

  /// ‖W_r‖_*, the sum of the singular values that stay.
  public var nuclearNorm: Double { values.scalars.reduce(0) { $0 + Double($1) } }

  /// The factors with the roots of the singular values in both: [count, rows, r] and [count, r, columns].
  func balancedFactors() -> (left: Tensor<Scalar>, right: Tensor<Scalar>) {
    let roots = values.sqrt()
    return (left * roots.expanded(axis: 1), right * roots.expanded(axis: 2))
  }
}

/// The singular values of a matrix and the vectors on its shorter side.
private struct Spectrum<Scalar: LinearScalar> {
  private let matrix: Tensor<Scalar>
  private let vectors: Tensor<Double>
  private let isWide: Bool
  /// Decreasing.
  let values: [Double]

  init(_ matrix: Tensor<Scalar>) throws {
    self.matrix = matrix
    isWide = matrix.rows <= matrix.columns
    let gram = gramMatrix(matrix, transposing: !isWide)
    let eigen = try SymmetricEigendecomposition(of: gram)
    let size = gram.rows
    (vectors, values) = (
      eigen.vectors.reversed(axis: 1), eigen.values.scalars.reversed().map { max($0, 0).squareRoot() }
    )
    precondition(values.count == size, "as many eigenvalues as rows")
  }

  /// Orthonormal U_r and V_rᵀ; vectors of values that are zero to rounding are zero.
  func factors(rank: Int) -> (left: Tensor<Scalar>, right: Tensor<Scalar>) {
    let own = Tensor<Scalar>(vectors[.all, 0..<rank].dense)
    // Squaring leaves the square root of the precision of what a value is made of.
    let least = (values.first ?? 0) * Double.ulpOfOne.squareRoot() * 8
    let inverses = Tensor<Scalar>(values.prefix(rank).map { $0 > least ? Scalar(1 / $0) : 0 })
    let isThere = Tensor<Scalar>(values.prefix(rank).map { $0 > least ? Scalar(1) : 0 })
    if isWide {
      let right = own.matmul(matrix, transposingA: true) * inverses.expanded(axis: 1)
      return (own * isThere, right)
    }
    return (matrix.matmul(own) * inverses, (own * isThere).transposed.dense)
  }
}

extension RankTruncation {
  /// Numbers in the two factors.
  public var factorCount: Int { matricisation.parameterCount(weight.shape, rank: rank) }
}
