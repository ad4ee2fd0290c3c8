// Forward and backward substitution with sparse triangles.

import CVectorKernels
public import Tensors

extension SparseMatrix {
  /// x with T x = b, where T is one triangle of this square matrix; entries on the other side are not looked at.
  ///
  /// - Parameters:
  ///   - rightSide: b, of shape [n] or [n, p].
  ///   - unitDiagonal: whether the diagonal is taken to be one, whatever is stored.
  /// - Throws: `InvalidArgument` for a matrix that is not square, shapes that do not fit, or numbers that are not
  ///   finite; `DecompositionError.singular` for a diagonal entry that is missing or zero.
  /// - Complexity: O(entries p) time, on one thread.
  public func solveTriangular(
    _ rightSide: Tensor<Scalar>, triangle: Triangle, transposing: Bool = false, unitDiagonal: Bool = false
  ) throws -> Tensor<Scalar> {
    guard rows == columns else { throw InvalidArgument("matrix", found: "shape \(shape)", wanted: "a square matrix") }
    try requireFinite()
    return try substituted(
      rightSide.validRightSide(rows: rows), triangle, transposing: transposing, unitDiagonal: unitDiagonal)
  }

  /// The same, without looking at the numbers.
  func substituted(
    _ rightSide: Tensor<Scalar>, _ triangle: Triangle, transposing: Bool = false, unitDiagonal: Bool = false
  ) throws -> Tensor<Scalar> {
    precondition(
      (1...2).contains(rightSide.rank) && rightSide.shape[0] == rows,
      "a triangle of \(rows) rows for a right side of shape \(rightSide.shape)")
    var x = rightSide
    guard x.count > 0 else { return x }
    let width = x.rank == 1 ? 1 : x.columns
    // Stored by columns, what the kernel sees is the transpose, and the triangle its opposite.
    let isFlipped = layout == .columns
    let seen = isFlipped ? triangle.opposite : triangle
    let pivot = x.withUnsafeMutableBuffer { x in
      withKernels { kernels, view in
        kernels.solve_triangle(view, seen == .upper, transposing != isFlipped, unitDiagonal, x.baseAddress!, width)
      }
    }
    guard pivot < 0 else { throw DecompositionError.singular(pivot: pivot) }
    return x
  }
}
