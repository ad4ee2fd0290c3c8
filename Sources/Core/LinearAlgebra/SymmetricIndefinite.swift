public import Tensors

/// P A Pᵀ = L D Lᵀ of a symmetric matrix, definite or not, with blocks of one and two rows on the diagonal of D.
///
/// Half the work of Gaussian elimination, and it counts the signs of the eigenvalues.
public struct SymmetricIndefiniteDecomposition<Scalar: LinearScalar>: Sendable {
  /// How many eigenvalues are positive, negative and zero.
  public struct Inertia: Sendable, Hashable {
    public let positive: Int, negative: Int, zero: Int
  }

  private let norm: Scalar
  /// The factors as LAPACK packs them, column-major in the lower triangle.
  private let packed: Tensor<Scalar>
  private let pivots: [Int32]
  /// The first row, counted from zero, whose diagonal block is exactly zero: A is then singular.
  public let zeroPivot: Int?

  /// Decomposes a symmetric `matrix`, of shape [n, n], with Bunch and Kaufman's pivoting (LAPACK's sytrf).
  ///
  /// The triangles may differ by rounding; the upper one is used.
  /// - Throws: `InvalidArgument` unless `matrix` is symmetric and finite.
  /// - Complexity: n³/3 operations; O(n²) memory.
  /// - Source: Bunch and Kaufman, Math. Comp. 31 (1977).
  public init(of matrix: Tensor<Scalar>) throws {
    var work = try matrix.validSymmetric()
    norm = work.oneNorm()
    let size = work.rows
    var pivots = [Int32](repeating: 0, count: size)
    var info = 0
    if size > 0 {
      work.withUnsafeMutableBuffer { info = Scalar.factorSymmetric(size: size, $0.baseAddress!, pivots: &pivots) }
    }
    (packed, self.pivots, zeroPivot) = (work, pivots, info > 0 ? info - 1 : nil)
  }

  /// An estimate of 1 / (‖A‖ ‖A⁻¹‖) in the one-norm; zero when A is singular.
  public var reciprocalCondition: Scalar {
    let size = packed.rows
    guard size > 0 else { return 1 }
    guard zeroPivot == nil else { return 0 }
    return packed.withUnsafeBuffer {
      Scalar.reciprocalConditionSymmetric(size: size, $0.baseAddress!, pivots: pivots, norm: norm)
    }
  }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite;
  ///   `DecompositionError.singular`.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let size = packed.rows
    let b = try rightSide.validRightSide(rows: size)
    if let zeroPivot { throw DecompositionError.singular(pivot: zeroPivot) }
    return solvingColumns(b) { x, count in
      packed.withUnsafeBuffer {
        Scalar.solveSymmetric(size: size, columns: count, $0.baseAddress!, pivots: pivots, x)
      }
    }
  }

  /// The signs of the eigenvalues, by Sylvester's law: those of D.
  public var inertia: Inertia {
    var counts = (positive: 0, negative: 0, zero: 0)
    for block in blocks {
      switch block {
      case .one(let d):
        if d > 0 { counts.positive += 1 } else if d < 0 { counts.negative += 1 } else { counts.zero += 1 }
      case .two:
        // The pivoting takes two rows only where their block is indefinite.
        counts.positive += 1
        counts.negative += 1
      }
    }
    return Inertia(positive: counts.positive, negative: counts.negative, zero: counts.zero)
  }

  /// The sign of det A (zero for a singular matrix) and log |det A|.
  public var logDeterminant: (sign: Scalar, logarithm: Scalar) {
    var sign: Scalar = 1
    var logarithm: Scalar = 0
    for block in blocks {
      let value =
        switch block {
        case .one(let d): d
        // Relative to the off-diagonal entry, which is the largest: no overflow.
        case .two(let a, let b, let c): ((a / b) * (c / b) - 1) * b.magnitude
        }
      if case .two(_, let b, _) = block { logarithm += .log(b.magnitude) }
      sign *= value > 0 ? 1 : value < 0 ? -1 : 0
      logarithm += .log(value.magnitude)
    }
    return (sign, logarithm)
  }

  private enum Block {
    case one(Scalar)
    case two(Scalar, Scalar, Scalar)
  }

  /// The blocks of D. Read row by row, the packed lower triangle is an upper one.
  private var blocks: [Block] {
    var result: [Block] = []
    var i = 0
    while i < pivots.count {
      if pivots[i] > 0 {
        result.append(.one(packed[at: i, i]))
        i += 1
      } else {
        result.append(.two(packed[at: i, i], packed[at: i, i + 1], packed[at: i + 1, i + 1]))
        i += 2
      }
    }
    return result
  }
}

/// Solves with a LAPACK routine that takes right sides as columns, and replaces them.
func solvingColumns<Scalar: LinearScalar>(
  _ b: Tensor<Scalar>, _ body: (UnsafeMutablePointer<Scalar>, Int) -> Void
) -> Tensor<Scalar> {
  guard b.count > 0 else { return b }
  var x = b.rank == 1 ? b : b.transposed
  let count = b.rank == 1 ? 1 : b.columns
  x.withUnsafeMutableBuffer { body($0.baseAddress!, count) }
  return b.rank == 1 ? x : x.transposed
}
