// Systems whose entries lie near the diagonal.

public import Tensors

/// A band matrix as L U with row exchanges.
public struct BandedDecomposition<Scalar: LinearScalar>: Sendable {
  private let size: Int, below: Int, above: Int
  private let packed: Tensor<Scalar>
  private let pivots: [Int32]
  /// The first row, counted from zero, whose pivot is exactly zero: A is then singular.
  public let zeroPivot: Int?

  /// Decomposes a matrix given by its diagonals (LAPACK's gbtrf).
  ///
  /// - Parameters:
  ///   - diagonals: of shape [above + 1 + below, n], from the highest diagonal down: entry (i, j) of the matrix stands at
  ///     [above + i - j, j]; what falls outside the matrix is ignored (it has to be finite).
  ///   - below: how many diagonals lie below the main one.
  /// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite.
  /// - Complexity: O(n below (above + below)) time; O(n (above + 2 below)) memory.
  public init(diagonals: Tensor<Scalar>, below: Int) throws {
    let bands = try diagonals.validMatrix("diagonals")
    let size = bands.columns
    let above = bands.rows - 1 - below
    guard below >= 0, above >= 0 else {
      throw InvalidArgument(
        "diagonals", found: "\(bands.rows) diagonals with \(below) below the main one", wanted: "more than that")
    }
    // Column by column, with room for fill-in first.
    let room = Tensor<Scalar>.zeros([below, size])
    var work = Tensor.concatenated([room, bands], axis: 0).transposed.dense
    var pivots = [Int32](repeating: 0, count: size)
    var info = 0
    if size > 0 {
      work.withUnsafeMutableBuffer {
        info = Scalar.factorBand(size: size, below: below, above: above, $0.baseAddress!, pivots: &pivots)
      }
    }
    (self.size, self.below, self.above, packed, self.pivots) = (size, below, above, work, pivots)
    zeroPivot = info > 0 ? info - 1 : nil
  }

  /// x with A x = b (or Aᵀ x = b when `transposing`), for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite;
  ///   `DecompositionError.singular`.
  public func solve(_ rightSide: Tensor<Scalar>, transposing: Bool = false) throws -> Tensor<Scalar> {
    let b = try rightSide.validRightSide(rows: size)
    if let zeroPivot { throw DecompositionError.singular(pivot: zeroPivot) }
    return solvingColumns(b) { x, count in
      packed.withUnsafeBuffer {
        Scalar.solveBand(
          transposing: transposing, size: size, below: below, above: above, columns: count, $0.baseAddress!,
          pivots: pivots, x)
      }
    }
  }
}

/// A symmetric positive definite band matrix as L Lᵀ.
public struct BandedCholeskyDecomposition<Scalar: LinearScalar>: Sendable {
  private let size: Int, width: Int
  private let packed: Tensor<Scalar>

  /// Decomposes a matrix given by its lower diagonals (LAPACK's pbtrf).
  ///
  /// - Parameter diagonals: of shape [width + 1, n], the main diagonal first: entry (j + k, j) stands at [k, j]; what falls
  ///   outside the matrix is ignored (it has to be finite).
  /// - Throws: `InvalidArgument`; `DecompositionError.notPositiveDefinite`.
  /// - Complexity: O(n width²) time; O(n width) memory.
  public init(diagonals: Tensor<Scalar>) throws {
    let bands = try diagonals.validMatrix("diagonals")
    guard bands.rows > 0 else {
      throw InvalidArgument("diagonals", found: "shape \(bands.shape)", wanted: "at least the main diagonal")
    }
    let size = bands.columns
    let width = bands.rows - 1
    var work = bands.transposed.dense
    var info = 0
    if size > 0 {
      work.withUnsafeMutableBuffer { info = Scalar.factorPositiveBand(size: size, width: width, $0.baseAddress!) }
    }
    guard info == 0 else { throw DecompositionError.notPositiveDefinite(leadingMinor: info) }
    (self.size, self.width, packed) = (size, width, work)
  }

  /// log(det A), without overflow.
  public var logDeterminant: Scalar { size == 0 ? 0 : 2 * packed[.all, 0].log().sum().scalar }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let b = try rightSide.validRightSide(rows: size)
    return solvingColumns(b) { x, count in
      packed.withUnsafeBuffer {
        Scalar.solvePositiveBand(size: size, width: width, columns: count, $0.baseAddress!, x)
      }
    }
  }
}
