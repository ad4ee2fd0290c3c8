// What the solvers of this module ask of their arguments.

import LinearAlgebra
import Tensors

/// Throws unless the shapes and numbers of A x = b can be used.
func requireSystem<Scalar: LinearScalar>(
  _ matrix: SparseMatrix<Scalar>, _ rightSide: Tensor<Scalar>, startingFrom guess: Tensor<Scalar>? = nil
) throws {
  guard matrix.rows == matrix.columns, matrix.rows > 0 else {
    throw InvalidArgument("matrix", found: "shape \(matrix.shape)", wanted: "a square matrix that is not empty")
  }
  try matrix.requireFinite()
  try requireVectors(of: matrix.rows, rightSide, startingFrom: guess)
}

/// Throws unless the right side and the start of a system of `size` unknowns can be used.
func requireVectors<Scalar: LinearScalar>(
  of size: Int, _ rightSide: Tensor<Scalar>, startingFrom guess: Tensor<Scalar>?
) throws {
  for (name, vector) in [("rightSide", rightSide)] + (guess.map { [("startingFrom", $0)] } ?? []) {
    guard vector.shape == [size] else {
      throw InvalidArgument(name, found: "shape \(vector.shape)", wanted: "shape [\(size)]")
    }
    try vector.requireFinite(name)
  }
}

/// Throws unless settings that all solvers share can be used.
func requireSettings(tolerance: Double, iterationLimit: Int) throws {
  guard tolerance > 0, tolerance.isFinite else {
    throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "above 0")
  }
  guard iterationLimit >= 1 else {
    throw InvalidArgument("iterationLimit", found: "\(iterationLimit)", wanted: "at least 1")
  }
}
