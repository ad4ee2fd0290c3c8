public import LinearAlgebra
public import Tensors

/// What every solver of this module returns: an approximate solution of A x = b, and how far it can be trusted.
public struct LinearSolution<Scalar: LinearScalar>: Sendable {
  /// Why the iteration ended.
  public enum Stop: Sendable, Hashable {
    case converged
    case iterationLimit
    /// A direction p with pᵀ A p <= 0 appeared in this iteration: the matrix is not positive definite.
    case indefinite(iteration: Int)
    /// The residual grew beyond all bounds, or is no longer a number.
    case diverged
    /// Rounding allows no smaller residual.
    case stagnation
  }

  /// x, of the shape of b.
  public let solution: Tensor<Scalar>
  /// ‖b - A x‖ / ‖b‖, computed from x itself at the end; zero when b is.
  public let residual: Double
  /// The relative residual after each iteration.
  public let convergence: Convergence
  public let stop: Stop

  public init(solution: Tensor<Scalar>, residual: Double, convergence: Convergence, stop: Stop) {
    (self.solution, self.residual, self.convergence, self.stop) = (solution, residual, convergence, stop)
  }

  public var isConverged: Bool { stop == .converged }
  public var iterations: Int { convergence.iterations }
}

/// Throws unless the shapes and numbers of A x = b can be used.
func requireSystem<Scalar: LinearScalar>(
  _ matrix: SparseMatrix<Scalar>, _ rightSide: Tensor<Scalar>, startingFrom guess: Tensor<Scalar>? = nil
) throws {
  guard matrix.rows == matrix.columns, matrix.rows > 0 else {
    throw InvalidArgument("matrix", found: "shape \(matrix.shape)", wanted: "a square matrix that is not empty")
  }
  try matrix.requireFinite()
  for (name, vector) in [("rightSide", rightSide)] + (guess.map { [("startingFrom", $0)] } ?? []) {
    guard vector.shape == [matrix.rows] else {
      throw InvalidArgument(name, found: "shape \(vector.shape)", wanted: "shape [\(matrix.rows)]")
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
