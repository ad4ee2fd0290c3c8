// Least squares with operators, by the bidiagonalization of Golub and Kahan.

public import Tensors

/// An approximate solution of min ‖b - A x‖² + damping² ‖x‖², and how it was found.
public struct IterativeLeastSquaresSolution<Scalar: LinearScalar>: Sendable {
  /// x, of shape [n]. Of the many solutions of a rank-deficient problem, the one of least norm.
  public let solution: Tensor<Scalar>
  /// ‖b - A x‖ / ‖b‖, computed from x itself; zero when b is.
  public let residual: Double
  /// ‖Aᵀ (b - A x) - damping² x‖ / ‖Aᵀ b‖, computed from x itself: zero at a solution.
  public let normalResidual: Double
  /// One entry an iteration: what the method's tolerance is compared with.
  public let convergence: Convergence
}

/// Least squares by a method that is equal to conjugate gradients on the normal equations, but loses less to rounding.
///
/// ‖b - A x‖ never grows.
///
/// - Source: Paige and Saunders, "LSQR", ACM TOMS 8 (1982).
public struct LSQR: Sendable, Hashable {
  /// Of the smaller of ‖r‖ / ‖b‖ and ‖Aᵀ r‖ / (‖A‖_F ‖r‖), as the recurrence estimates them: the first tells that a
  /// system is solved, the second that it is solved in the sense of least squares.
  public var tolerance = 1e-10
  public var iterationLimit = 10_000
  /// Adds damping² ‖x‖² to what is minimized.
  public var damping = 0.0

  public init(tolerance: Double = 1e-10, iterationLimit: Int = 10_000, damping: Double = 0) {
    (self.tolerance, self.iterationLimit, self.damping) = (tolerance, iterationLimit, damping)
  }

  /// The x that minimizes ‖b - A x‖² + damping² ‖x‖², for b of shape [rows].
  ///
  /// - Throws: `InvalidArgument` for shapes that do not fit or numbers that are not finite, also in products;
  ///   `CancellationError`.
  /// - Complexity: one product with A and one with Aᵀ an iteration, and memory for a few vectors.
  public func solve<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> IterativeLeastSquaresSolution<Scalar> {
    try validate(damping, tolerance, iterationLimit)
    var bases = try Bidiagonalization(matrix, rightSide)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var x = Tensor<Scalar>.zeros([bases.columns])
    let damping = Scalar(self.damping)
    let scale = Double(bases.beta)
    guard bases.beta > 0, bases.alpha > 0 else {
      _ = convergence.continues(residual: 0)
      return try bases.solution(x, convergence, damping: damping)
    }
    var direction = bases.right
    var (remaining, diagonal) = (bases.beta, bases.alpha)
    var dampedSquares = 0.0
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "LSQR")
      try bases.advance()
      // Rotate the damping away, then the new subdiagonal.
      let damped = Scalar.hypot(diagonal, damping)
      let lost = damping / damped * remaining
      remaining *= diagonal / damped
      dampedSquares += Double(lost * lost)
      let pivot = Scalar.hypot(damped, bases.beta)
      let (cosine, sine) = (damped / pivot, bases.beta / pivot)
      let step = cosine * remaining
      let next = sine * bases.alpha
      diagonal = -cosine * bases.alpha
      remaining *= sine
      x.add(step / pivot, times: direction)
      direction.scale(-next / pivot, adding: bases.right)
      let residual = (Double(remaining * remaining) + dampedSquares).squareRoot()
      let slope = Double((bases.alpha * sine * step).magnitude)
      let norm = Double(bases.norm) + self.damping
      let relative = residual > 0 ? min(residual / scale, slope / (norm * residual)) : 0
      if !convergence.continues(residual: relative) { return try bases.solution(x, convergence, damping: damping) }
    }
  }
}

/// Least squares by a method that is equal to MINRES on the normal equations.
///
/// ‖Aᵀ r‖ never grows, and neither does ‖r‖: where one stops early, ``LSQR`` leaves a larger gradient.
///
/// - Source: Fong and Saunders, "LSMR", SIAM J. Sci. Comput. 33 (2011).
public struct LSMR: Sendable, Hashable {
  /// Of ‖Aᵀ r - damping² x‖ / ‖Aᵀ b‖, as the recurrence estimates it.
  public var tolerance = 1e-10
  public var iterationLimit = 10_000
  /// Adds damping² ‖x‖² to what is minimized.
  public var damping = 0.0

  public init(tolerance: Double = 1e-10, iterationLimit: Int = 10_000, damping: Double = 0) {
    (self.tolerance, self.iterationLimit, self.damping) = (tolerance, iterationLimit, damping)
  }

  /// The x that minimizes ‖b - A x‖² + damping² ‖x‖², for b of shape [rows]; as ``LSQR/solve(_:_:progress:)``.
  public func solve<Scalar: LinearScalar>(
    _ matrix: some LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> IterativeLeastSquaresSolution<Scalar> {
    try validate(damping, tolerance, iterationLimit)
    var bases = try Bidiagonalization(matrix, rightSide)
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var x = Tensor<Scalar>.zeros([bases.columns])
    let damping = Scalar(self.damping)
    guard bases.beta > 0, bases.alpha > 0 else {
      _ = convergence.continues(residual: 0)
      return try bases.solution(x, convergence, damping: damping)
    }
    var diagonal = bases.alpha
    // The gradient's norm relative to its first one, with a sign.
    var gradient: Scalar = 1
    let firstGradient = bases.alpha * bases.beta
    var (pivot, outerPivot, outerCosine, outerSine): (Scalar, Scalar, Scalar, Scalar) = (1, 1, 1, 0)
    var inner = bases.right
    var outer = Tensor<Scalar>.zeros([bases.columns])
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "LSMR")
      try bases.advance()
      // First rotation: bidiagonal to triangular R. Second: Rᵀ to triangular once more.
      let damped = Scalar.hypot(diagonal, damping)
      let (lastPivot, lastOuterPivot) = (pivot, outerPivot)
      pivot = .hypot(damped, bases.beta)
      let (cosine, sine) = (damped / pivot, bases.beta / pivot)
      let next = sine * bases.alpha
      diagonal = cosine * bases.alpha
      let above = outerSine * pivot
      outerPivot = .hypot(outerCosine * pivot, next)
      outerCosine = outerCosine * pivot / outerPivot
      outerSine = next / outerPivot
      let step = outerCosine * gradient * firstGradient
      gradient *= -outerSine
      outer.scale(-above * pivot / (lastPivot * lastOuterPivot), adding: inner)
      x.add(step / (pivot * outerPivot), times: outer)
      inner.scale(-next / pivot, adding: bases.right)
      if !convergence.continues(residual: Double(gradient.magnitude)) {
        return try bases.solution(x, convergence, damping: damping)
      }
    }
  }
}

private func validate(_ damping: Double, _ tolerance: Double, _ iterationLimit: Int) throws {
  try validateIteration(tolerance: tolerance, limit: iterationLimit)
  guard damping >= 0, damping.isFinite else {
    throw InvalidArgument("damping", found: "\(damping)", wanted: "at least 0")
  }
}

/// A V = U B and Aᵀ U = V Bᵀ + ..., one column at a time: B has alpha on its diagonal and beta below.
private struct Bidiagonalization<Scalar: LinearScalar> {
  private let matrix: any LinearOperator<Scalar>
  private let rightSide: Tensor<Scalar>
  let columns: Int
  private var left: Tensor<Scalar>
  private(set) var right: Tensor<Scalar>
  private(set) var alpha: Scalar = 0
  private(set) var beta: Scalar
  private var squares: Scalar = 0
  /// An estimate of ‖A‖_F, from below.
  var norm: Scalar { .sqrt(squares) }

  init(_ matrix: any LinearOperator<Scalar>, _ rightSide: Tensor<Scalar>) throws {
    let extents = try matrix.matrixExtents()
    guard rightSide.shape == [extents.rows] else {
      throw InvalidArgument("rightSide", found: "shape \(rightSide.shape)", wanted: "shape [\(extents.rows)]")
    }
    self.matrix = matrix
    self.rightSide = try rightSide.validRightSide(rows: extents.rows)
    columns = extents.columns
    left = self.rightSide
    right = .zeros([columns])
    beta = left.length()
    guard beta > 0, columns > 0 else { return }
    left /= beta
    right = try checked(matrix.applyTransposed(left), [columns])
    alpha = right.length()
    if alpha > 0 { right /= alpha }
    squares = alpha * alpha
  }

  private func checked(_ image: Tensor<Scalar>, _ shape: [Int]) throws -> Tensor<Scalar> {
    guard image.shape == shape else {
      throw InvalidArgument("operator", found: "a result of shape \(image.shape)", wanted: "shape \(shape)")
    }
    return image
  }

  mutating func advance() throws {
    left.scale(-alpha, adding: try checked(matrix.apply(right), rightSide.shape))
    beta = left.length()
    if beta > 0 { left /= beta }
    right.scale(-beta, adding: try checked(matrix.applyTransposed(left), [columns]))
    alpha = right.length()
    if alpha > 0 { right /= alpha }
    squares += alpha * alpha + beta * beta
    guard squares.isFinite else {
      throw InvalidArgument("operator", found: "products that are not finite", wanted: "finite ones")
    }
  }

  func solution(
    _ x: Tensor<Scalar>, _ convergence: Convergence, damping: Scalar
  ) throws -> IterativeLeastSquaresSolution<Scalar> {
    var residual = rightSide
    if columns > 0 { residual -= try checked(matrix.apply(x), rightSide.shape) }
    let gradient = columns > 0 ? try matrix.applyTransposed(residual) - x * (damping * damping) : x
    let first = columns > 0 ? try matrix.applyTransposed(rightSide).length() : 0
    let size = rightSide.length()
    return IterativeLeastSquaresSolution(
      solution: x, residual: size > 0 ? Double(residual.length() / size) : 0,
      normalResidual: first > 0 ? Double(gradient.length() / first) : 0, convergence: convergence)
  }
}
