// Tridiagonal systems.

public import Tensors

/// A tridiagonal matrix as L U with row exchanges: stable for every matrix that is not singular.
public struct TridiagonalDecomposition<Scalar: LinearScalar>: Sendable {
  private let lower: [Scalar], diagonal: [Scalar], upper: [Scalar], second: [Scalar]
  private let pivots: [Int32]
  /// The first row, counted from zero, whose pivot is exactly zero: A is then singular.
  public let zeroPivot: Int?

  /// Decomposes the matrix with these diagonals (LAPACK's gttrf).
  ///
  /// - Parameters: lower: entries (i + 1, i), of shape [n - 1]; diagonal: of shape [n]; upper: entries (i, i + 1), of shape
  ///   [n - 1]; the same as `lower` by default.
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite.
  /// - Complexity: O(n) time and memory.
  public init(lower: Tensor<Scalar>, diagonal: Tensor<Scalar>, upper: Tensor<Scalar>? = nil) throws {
    let size = try diagonal.validVector("diagonal")
    try lower.requireShape([max(size - 1, 0)], "lower")
    try upper?.requireShape([max(size - 1, 0)], "upper")
    var (l, d, u) = (lower.scalars, diagonal.scalars, (upper ?? lower).scalars)
    var second = [Scalar](repeating: 0, count: max(size - 2, 0))
    var pivots = [Int32](repeating: 0, count: size)
    let info =
      size == 0
      ? 0
      : Scalar.factorTridiagonal(size: size, lower: &l, diagonal: &d, upper: &u, second: &second, pivots: &pivots)
    (self.lower, self.diagonal, self.upper, self.second, self.pivots) = (l, d, u, second, pivots)
    zeroPivot = info > 0 ? info - 1 : nil
  }

  /// x with A x = b, for b of shape [n] or [n, p].
  ///
  /// - Throws: `InvalidArgument` for a b of another shape or with numbers that are not finite;
  ///   `DecompositionError.singular`.
  public func solve(_ rightSide: Tensor<Scalar>) throws -> Tensor<Scalar> {
    let b = try rightSide.validRightSide(rows: diagonal.count)
    if let zeroPivot { throw DecompositionError.singular(pivot: zeroPivot) }
    return solvingColumns(b) { x, count in
      Scalar.solveTridiagonal(
        size: diagonal.count, columns: count, lower: lower, diagonal: diagonal, upper: upper, second: second,
        pivots: pivots, x)
    }
  }
}

/// Many tridiagonal systems at once, by elimination without exchanges (Thomas's algorithm).
///
/// Stable for matrices that are diagonally dominant or symmetric positive definite; for others use
/// ``TridiagonalDecomposition``. Systems lie along the last axis; they are worked on side by side.
public enum TridiagonalBatch {
  /// x with A x = b for each system.
  ///
  /// - Parameters: lower, diagonal, upper: of shape [..., n]; entry i of row i: lower[0] and upper[n - 1] are not used.
  ///   rightSide: of shape [..., n]. Diagonals of shape [n] serve all systems.
  /// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite;
  ///   `DecompositionError.singular(pivot:)`, with the row, when a pivot vanishes in some system.
  /// - Complexity: O(n) time a system.
  /// - Source: Golub and Van Loan, "Matrix computations", 4th edition, section 4.3.6.
  public static func solve<Scalar: LinearScalar>(
    lower: Tensor<Scalar>, diagonal: Tensor<Scalar>, upper: Tensor<Scalar>, rightSide: Tensor<Scalar>
  ) throws -> Tensor<Scalar> {
    let shape = rightSide.shape
    guard let n = shape.last else {
      throw InvalidArgument("rightSide", found: "shape []", wanted: "systems along the last axis")
    }
    for (name, part) in [("lower", lower), ("diagonal", diagonal), ("upper", upper), ("rightSide", rightSide)] {
      part.requireConstant()
      guard part.shape == shape || part.shape == [n] else {
        throw InvalidArgument(name, found: "shape \(part.shape)", wanted: "shape \(shape) or [\(n)]")
      }
      try part.requireFinite(name)
    }
    guard rightSide.count > 0 else { return rightSide }
    let parts = [lower, diagonal, upper].map { ($0.dense, $0.shape == shape ? n : 0) }
    let systems = rightSide.count / n
    let b = rightSide.dense
    let failures = Tensor<Int>(repeating: -1, shape: [systems])
    var failed = failures
    let result = Tensor<Scalar>(uninitializedShape: shape) { result in
      failed.withUnsafeMutableBuffer { failed in
        parts[0].0.withUnsafeBuffer { l in
          parts[1].0.withUnsafeBuffer { d in
            parts[2].0.withUnsafeBuffer { u in
              b.withUnsafeBuffer { b in
                let failed = failed.baseAddress!
                let result = result.baseAddress!
                parallelRanges(systems, grain: max(1, 4096 / n)) { range in
                  for i in range {
                    failed[i] = eliminate(
                      l.baseAddress! + i * parts[0].1, d.baseAddress! + i * parts[1].1, u.baseAddress! + i * parts[2].1,
                      b.baseAddress! + i * n, result + i * n, count: n)
                  }
                }
              }
            }
          }
        }
      }
    }
    let worst = failed.maximum().scalar
    guard worst < 0 else { throw DecompositionError.singular(pivot: worst) }
    return result
  }
}

/// One system; the row of a zero pivot, or -1.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func eliminate<Scalar: LinearScalar>(
  _ lower: UnsafePointer<Scalar>, _ diagonal: UnsafePointer<Scalar>, _ upper: UnsafePointer<Scalar>,
  _ b: UnsafePointer<Scalar>, _ x: UnsafeMutablePointer<Scalar>, count n: Int
) -> Int {
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: n) { ratios in
    let ratios = ratios.baseAddress!
    var pivot = diagonal[0]
    guard pivot != 0 else { return 0 }
    x[0] = b[0] / pivot
    for i in 1..<max(n, 1) {
      ratios[i] = upper[i - 1] / pivot
      pivot = diagonal[i] - lower[i] * ratios[i]
      guard pivot != 0 else { return i }
      x[i] = (b[i] - lower[i] * x[i - 1]) / pivot
    }
    for i in stride(from: n - 2, through: 0, by: -1) { x[i] -= ratios[i + 1] * x[i + 1] }
    return -1
  }
}

extension Tensor where Scalar: LinearScalar {
  /// The length of a vector of finite numbers.
  func validVector(_ name: String) throws -> Int {
    requireConstant()
    guard rank == 1 else { throw InvalidArgument(name, found: "shape \(shape)", wanted: "a vector") }
    try requireFinite(name)
    return shape[0]
  }
}
