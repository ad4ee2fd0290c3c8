// What the iterative solvers of linear systems return, and what they share.

public import Tensors

/// An approximate solution of A x = b, and how it was found.
public struct IterativeSolution<Scalar: LinearScalar>: Sendable {
  /// Why the iteration ended.
  public enum Stop: Sendable, Hashable {
    case converged
    case iterationLimit
    /// A direction p with pᵀ A p <= 0 appeared: the operator is not positive definite.
    case notPositiveDefinite
    /// A vector r with rᵀ M r <= 0 appeared: the preconditioner is not positive definite.
    case preconditionerNotPositiveDefinite
    /// The recurrence divided by zero and could not be restarted: the operator is singular, or unfit for the method.
    case breakdown
    /// The residual cannot be reduced further: the system has no solution, or the tolerance is below what rounding
    /// allows. Of the methods that minimize the residual, x is then a least-squares solution.
    case stagnation
    /// The residual has grown beyond all bounds, or is no longer a number.
    case diverged
  }

  /// x, of the shape of b; the last iterate, whether converged or not.
  public let solution: Tensor<Scalar>
  /// ‖b - A x‖ / ‖b‖, computed from x itself; of several right sides, the largest. Zero when b is.
  public let residual: Double
  /// One entry an iteration: the relative residual that the recurrence believes in, replaced by the true one where the
  /// iteration meets the tolerance. A start that is good enough already has a single entry.
  public let convergence: Convergence
  public let stop: Stop
  public var isConverged: Bool { stop == .converged }
  /// Entries of the convergence record.
  public var iterations: Int { convergence.iterations }

  public init(solution: Tensor<Scalar>, residual: Double, convergence: Convergence, stop: Stop) {
    (self.solution, self.residual, self.convergence, self.stop) = (solution, residual, convergence, stop)
  }
}

extension Convergence {
  /// Why an iteration ended that no other reason has ended.
  func stop<Scalar: LinearScalar>(_: Scalar.Type) -> IterativeSolution<Scalar>.Stop {
    isConverged ? .converged : .iterationLimit
  }
}

/// A system A x = b after its checks, with the products that a solver asks for.
struct LinearSystem<Scalar: LinearScalar> {
  let matrix: any LinearOperator<Scalar>
  let preconditioner: (any LinearOperator<Scalar>)?
  /// b, of shape [n, p].
  let rightSide: Tensor<Scalar>
  /// ‖b‖ for each column, one where b is zero.
  let scale: [Double]
  private let shape: [Int]

  init(
    _ matrix: any LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>, preconditioner: (any LinearOperator<Scalar>)?,
    severalRightSides: Bool = false
  ) throws {
    let size = try matrix.squareSize()
    if let preconditioner, try preconditioner.squareSize("preconditioner") != size {
      throw InvalidArgument(
        "preconditioner", found: "shape \(preconditioner.shape)", wanted: "shape [\(size), \(size)]")
    }
    guard rightSide.rank == 1 || severalRightSides, rightSide.shape.first == size else {
      throw InvalidArgument(
        "rightSide", found: "shape \(rightSide.shape)",
        wanted: "shape [\(size)]" + (severalRightSides ? " or [\(size), p]" : ""))
    }
    let b = try rightSide.validRightSide(rows: size)
    (self.matrix, self.preconditioner, shape) = (matrix, preconditioner, b.shape)
    self.rightSide = b.rank == 1 ? b.reshaped([size, 1]) : b.dense
    scale = self.rightSide.columnLengths().map { $0 > 0 ? $0 : 1 }
  }

  var size: Int { rightSide.rows }
  var width: Int { rightSide.columns }

  /// The start, of shape [n, p]: zero unless one is given.
  func start(_ guess: Tensor<Scalar>?) throws -> Tensor<Scalar> {
    guard let guess else { return .zeros(rightSide.shape) }
    guard guess.shape == shape else {
      throw InvalidArgument("startingFrom", found: "shape \(guess.shape)", wanted: "shape \(shape)")
    }
    try guess.requireFinite("startingFrom")
    return guess.reshaped(rightSide.shape)
  }

  func product(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> { try applied(matrix, x, "operator") }

  func preconditioned(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> {
    guard let preconditioner else { return x }
    return try applied(preconditioner, x, "preconditioner")
  }

  /// Vectors go to the operator as vectors.
  private func applied(_ a: any LinearOperator<Scalar>, _ x: Tensor<Scalar>, _ name: String) throws -> Tensor<Scalar> {
    let argument = width == 1 ? x.reshaped([size]) : x
    let image = try a.apply(argument)
    guard image.shape == argument.shape else {
      throw InvalidArgument(name, found: "a result of shape \(image.shape)", wanted: "shape \(argument.shape)")
    }
    return image.reshaped(x.shape)
  }

  /// b - A x.
  func trueResidual(_ x: Tensor<Scalar>) throws -> Tensor<Scalar> { rightSide - (try product(x)) }

  /// ‖r‖ / ‖b‖ for each column.
  func relativeNorms(_ residual: Tensor<Scalar>) -> [Double] {
    zip(residual.columnLengths(), scale).map { $0 / $1 }
  }
  /// The same with the squared length of a single column, where it is known.
  func relativeNorms(_ residual: Tensor<Scalar>, squares: Scalar?) -> [Double] {
    // Squares may have overflowed or vanished.
    guard let squares, squares.isFinite, squares >= .leastNormalMagnitude / .ulpOfOne else {
      return relativeNorms(residual)
    }
    return [Double(squares).squareRoot() / scale[0]]
  }
  func relativeNorm(_ residual: Tensor<Scalar>) -> Double {
    width == 1 ? Double(residual.length()) / scale[0] : relativeNorms(residual).max() ?? 0
  }

  /// Whether the start is good enough already, which is then noted.
  func isSolved(_ sizes: [Double], _ convergence: inout Convergence) throws -> Bool {
    let size = sizes.max() ?? 0
    try requireFinite(size)
    guard size <= convergence.tolerance else { return false }
    _ = convergence.continues(residual: size)
    return true
  }

  /// Throws unless a number computed from products is finite: then some product was not.
  func requireFinite(_ value: Double) throws {
    guard value.isFinite else {
      throw InvalidArgument(
        "operator", found: "products that are not finite", wanted: "finite ones, of the operator and preconditioner")
    }
  }

  func solution(
    _ x: Tensor<Scalar>, _ convergence: Convergence, _ stop: IterativeSolution<Scalar>.Stop
  ) throws -> IterativeSolution<Scalar> {
    let residual = relativeNorm(try trueResidual(x))
    return IterativeSolution(
      solution: x.reshaped(shape), residual: residual, convergence: convergence, stop: stop)
  }
}

/// Settings that all solvers share.
func validateIteration(tolerance: Double, limit: Int) throws {
  guard tolerance >= 0 else { throw InvalidArgument("tolerance", found: "\(tolerance)", wanted: "at least 0") }
  guard limit >= 1 else { throw InvalidArgument("iterationLimit", found: "\(limit)", wanted: "at least 1") }
}
