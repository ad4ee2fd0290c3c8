public import LinearAlgebra
public import Tensors

/// Takes the few heavy directions out of a design, so that random sets of its columns become incoherent.
///
/// With unit columns Z and ‖Z Zᵀ‖ ≤ d / t, a random set of k columns has little correlation with any other column. Only
/// few directions can break that bound. Each round finds them, adds them to a basis U that is to be fitted without penalty,
/// projects the columns, and normalizes what is left; a column of which nothing is left is explained by U.
///
/// - Complexity: O(N² d + N³) time a round.
/// - Source: Chandrasekaran, Meka and Stavropoulos, "Sparse Linear Regression is Easy on Random Supports", 2025, arXiv
///   2511.06211. The paper states what a preconditioner must achieve; this procedure is one that does.
public struct DesignPreconditioner: Sendable, Hashable {
  /// t: more of it takes out more directions; none for zero.
  public var slack: Double
  /// Columns shorter than this, relative to their first length, are explained by U.
  public var floor = 1e-6
  /// The most directions in U; half of the rows by default.
  public var dimensionLimit: Int?
  public var roundLimit = 50

  public init(slack: Double) { self.slack = slack }

  /// - Parameter design: X, of shape [N, d].
  /// - Throws: `InvalidArgument` for fewer than two rows, numbers that are not finite, and settings out of range.
  public func fit<Scalar: LinearScalar>(_ design: Tensor<Scalar>) throws -> PreconditionedDesign<Scalar> {
    try design.requireMatrix("design")
    let (rows, columns) = (design.rows, design.columns)
    guard rows >= 2 else { throw InvalidArgument("design", found: "\(rows) row", wanted: "at least 2 rows") }
    guard slack >= 0, floor > 0, floor < 1 else {
      throw InvalidArgument("slack", found: "\(slack), floor \(floor)", wanted: "at least 0, and a floor in (0, 1)")
    }
    let limit = dimensionLimit ?? rows / 2
    guard (0...rows).contains(limit) else {
      throw InvalidArgument("dimensionLimit", found: "\(limit)", wanted: "0 through \(rows)")
    }
    let lengths = design.norm(axis: 0)
    var basis = Tensor<Scalar>.zeros([rows, 0])
    var rest = design.dense
    var tops: [Double] = []
    var isSaturated = false
    var (unit, scales, isActive) = Self.normalized(rest, lengths, floor: Scalar(floor))
    while slack > 0, tops.count < roundLimit {
      let active = isActive.trueCount
      guard active > 0 else { break }
      let eigen = try SymmetricEigendecomposition(of: unit.multipliedByOwnTranspose())
      let bound = Scalar(Double(active) / slack) * (1 + Scalar(1e-9))
      tops.append(Double(eigen.values.maximum().scalar))
      var heavy = (eigen.values .> bound).trueIndices.scalars
      guard !heavy.isEmpty else { break }
      // Values ascend: the last ones are the heaviest.
      let room = limit - basis.columns
      if heavy.count > room {
        heavy = Array(heavy.suffix(max(room, 0)))
        isSaturated = true
        if heavy.isEmpty { break }
      }
      var added = eigen.vectors.gathered(Tensor<Int>(heavy), axis: 1)
      for _ in 0..<2 {
        added = added - basis.matmul(basis.matmul(added, transposingA: true))
        added = try QRDecomposition(of: added).orthogonal
      }
      basis = .concatenated([basis, added], axis: 1)
      rest = design
      for _ in 0..<2 { rest = rest - basis.matmul(basis.matmul(rest, transposingA: true)) }
      (unit, scales, isActive) = Self.normalized(rest, lengths, floor: Scalar(floor))
      if isSaturated { break }
    }
    let emptyColumns = (lengths .<= 0).trueIndices.scalars
    let absorbed = ((.!isActive) .& (lengths .> 0)).trueIndices.scalars
    return PreconditionedDesign(
      basis: basis, unitColumns: unit, scales: scales, activeCount: isActive.trueCount, absorbed: absorbed,
      emptyColumns: emptyColumns, topEigenvalues: tops,
      isSaturated: isSaturated || tops.count == roundLimit && slack > 0,
      slack: slack, columnCount: columns)
  }

  private static func normalized<Scalar: LinearScalar>(
    _ rest: Tensor<Scalar>, _ lengths: Tensor<Scalar>, floor: Scalar
  ) -> (unit: Tensor<Scalar>, scales: Tensor<Scalar>, isActive: Tensor<Bool>) {
    let scales = rest.norm(axis: 0)
    let isActive = scales .> lengths * floor
    let one = Tensor(repeating: Scalar(1), shape: scales.shape)
    let safe = isActive.select(scales, one)
    return (rest / safe * Tensor<Scalar>(isActive), scales * Tensor<Scalar>(isActive), isActive)
  }
}

/// A design split into heavy directions and unit columns orthogonal to them.
public struct PreconditionedDesign<Scalar: LinearScalar>: Sendable {
  /// U, of shape [N, s], with orthonormal columns.
  public let basis: Tensor<Scalar>
  /// Z, of shape [N, d]: what is left of each column, normalized; zero for columns that U explains.
  public let unitColumns: Tensor<Scalar>
  /// ν, of shape [d]: the lengths of what is left, zero for columns that U explains.
  public let scales: Tensor<Scalar>
  public let activeCount: Int
  /// Columns that U explains, and columns of zeros.
  public let absorbed: [Int], emptyColumns: [Int]
  /// The largest eigenvalue of Z Zᵀ in each round.
  public let topEigenvalues: [Double]
  /// Whether the limit of U or of rounds was hit, so that the bound d / t may not hold.
  public let isSaturated: Bool
  public let slack: Double
  let columnCount: Int

  public var dimension: Int { basis.columns }
  public var rounds: Int { topEigenvalues.count }
}

/// How correlated random sets S of columns are with the others: max over j outside S of ‖(Z_SᵀZ_S)⁻¹ Z_Sᵀ z_j‖₁, below one
/// where the lasso can find S (the irrepresentable condition).
///
/// - Parameter columns: Z, of shape [N, d]; columns of zeros are left out.
/// - Returns: the value for each of `samples` sets of `sparsity` columns, sorted.
public func incoherenceProfile<Scalar: LinearScalar>(
  _ columns: Tensor<Scalar>, sparsity: Int, samples: Int, random: inout RandomStream
) throws -> [Double] {
  try columns.requireMatrix("columns")
  let present = (columns.norm(axis: 0) .> 0).trueIndices
  guard sparsity >= 1, sparsity < present.count, sparsity <= columns.rows else {
    throw InvalidArgument(
      "sparsity", found: "\(sparsity)",
      wanted: "at least 1, below the \(present.count) columns, at most \(columns.rows)")
  }
  let used = columns.gathered(present, axis: 1)
  var values: [Double] = []
  for _ in 0..<samples {
    let chosen = random.sample(sparsity, below: present.count)
    let inverse = try used.gathered(chosen, axis: 1).pseudoInverse()
    let weights = inverse.matmul(used).absolute().sum(axis: 0)
    let outside =
      Tensor<Scalar>.ones([present.count])
      - Tensor<Scalar>.zeros([present.count]).scatterAdded(.ones([sparsity]), at: chosen)
    values.append(Double((weights * outside).maximum().scalar))
  }
  return values.sorted()
}
