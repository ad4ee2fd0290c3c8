// What every decomposition asks of a matrix before it starts.

public import Tensors

extension Tensor where Scalar: LinearScalar {
  /// This matrix, after a check that it is one and that its elements are finite. Empty matrices pass.
  func validMatrix(_ name: String = "matrix") throws -> Tensor {
    requireConstant()
    guard rank == 2 else { throw InvalidArgument(name, found: "shape \(shape)", wanted: "a matrix") }
    let dense = self.dense
    try dense.requireFinite(name)
    return dense
  }

  /// The same for a square matrix.
  func validSquare(_ name: String = "matrix") throws -> Tensor {
    try requireSquare(name)
    return try validMatrix(name)
  }

  /// Throws unless the shape is that of a square matrix.
  func requireSquare(_ name: String = "matrix") throws {
    guard rank == 2, shape[0] == shape[1] else {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "a square matrix")
    }
  }

  /// The same for a symmetric matrix.
  ///
  /// Rounding may leave the two triangles slightly different: differences up to the square root of the precision,
  /// relative to the largest element, pass.
  func validSymmetric(_ name: String = "matrix") throws -> Tensor {
    let matrix = try validSquare(name)
    let size = matrix.rows
    let (difference, magnitude) = matrix.withUnsafeBuffer { asymmetry($0.baseAddress!, size: size) }
    guard difference <= Scalar.sqrt(.ulpOfOne) * magnitude else {
      throw InvalidArgument(
        name, found: "entries across the diagonal that differ by up to \(difference)", wanted: "a symmetric matrix")
    }
    return matrix
  }

  /// A right-hand side for a matrix of `rows` rows: a vector, or a matrix of vectors as columns.
  func validRightSide(rows: Int, _ name: String = "rightSide") throws -> Tensor {
    requireConstant()
    try requireRightSide(rows: rows, name)
    return self
  }

  /// The same for operations that have a derivative rule.
  func requireRightSide(rows: Int, _ name: String = "rightSide") throws {
    guard (rank == 1 || rank == 2) && shape[0] == rows else {
      throw InvalidArgument(name, found: "shape \(shape)", wanted: "shape [\(rows)] or [\(rows), n]")
    }
    try requireFinite(name)
  }

  /// Where an operation has no derivative rule, dropping the derivative without a word would be wrong.
  func requireConstant() {
    precondition(
      !isDifferentiated,
      "this operation has no derivative rule; pass x.withoutDerivative if its result is meant to be constant")
  }

  /// Where a result is a plain number, which carries no derivative, but a tensor in its place would.
  func requireConstant(insteadUse alternative: String) {
    precondition(
      !isDifferentiated,
      "a plain number carries no derivative; use \(alternative), or pass x.withoutDerivative if it is meant to be constant"
    )
  }

  /// (A + Aᵀ) / 2.
  public var symmetrized: Tensor { (self + transposed) * 0.5 }
}

/// The largest difference across the diagonal of a square matrix, and its largest magnitude.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func asymmetry<Scalar: LinearScalar>(
  _ a: UnsafePointer<Scalar>, size: Int
) -> (difference: Scalar, magnitude: Scalar) {
  guard size > 0 else { return (0, 0) }
  var difference: Scalar = 0
  let tile = 32
  for top in stride(from: 0, to: size, by: tile) {
    for left in stride(from: 0, through: top, by: tile) {
      for i in top..<min(top + tile, size) {
        for j in left..<min(left + tile, i + 1) {
          difference = max(difference, (a[i * size + j] - a[j * size + i]).magnitude)
        }
      }
    }
  }
  let largest = Scalar.reduce(.largest, a, stride: 1, count: size * size)
  let smallest = Scalar.reduce(.smallest, a, stride: 1, count: size * size)
  return (difference, max(largest, -smallest))
}
