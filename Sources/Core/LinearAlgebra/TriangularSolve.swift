public import Tensors

/// Which half of a square matrix holds the numbers; the other half is not read.
public enum Triangle: Sendable, Hashable { case lower, upper }

extension Tensor where Scalar: LinearScalar {
  /// x with T x = b, or Tᵀ x = b when `transposing`, for the triangle T of this square matrix.
  ///
  /// - Parameters:
  ///   - rightSide: b, of shape [n] or [n, p].
  ///   - unitDiagonal: whether ones are meant on the diagonal, whatever is stored there.
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite; `DecompositionError.singular`.
  /// - Complexity: O(n² p) time. Derivatives flow to both operands.
  public func solveTriangular(
    _ rightSide: Tensor, _ triangle: Triangle, transposing: Bool = false, unitDiagonal: Bool = false
  ) throws -> Tensor {
    let matrix = try withoutDerivative.validSquare()
    try rightSide.requireRightSide(rows: matrix.rows)
    if !unitDiagonal, let pivot = matrix.diagonal.scalars.firstIndex(of: 0) {
      throw DecompositionError.singular(pivot: pivot)
    }
    return triangularSolution(rightSide, triangle, transposing: transposing, unitDiagonal: unitDiagonal)
  }

  /// The same in place, without checks, for a dense matrix. Columns of the right side are spread over the threads in
  /// groups of a fixed size, so that the result does not depend on the number of threads.
  func solveTriangular(_ x: inout Tensor, _ triangle: Triangle, transposing: Bool, unitDiagonal: Bool) {
    let size = rows
    let width = x.rank == 1 ? 1 : x.columns
    guard x.count > 0 else { return }
    withUnsafeBuffer { a in
      x.withUnsafeMutableBuffer { x in
        let a = a.baseAddress!
        let x = x.baseAddress!
        let group = size * size * width < 1 << 18 ? width : 256
        parallelTasks((width + group - 1) / group) { i in
          Scalar.solveTriangular(
            right: false, upper: triangle == .upper, transposing: transposing, unitDiagonal: unitDiagonal,
            rows: size, columns: min(group, width - i * group), alpha: 1, a, leadingA: size, x + i * group,
            leadingB: width)
        }
      }
    }
  }
}
