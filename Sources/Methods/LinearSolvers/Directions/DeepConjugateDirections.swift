public import LinearAlgebra
public import Tensors

/// Proposes where to search from a residual: an approximation of A⁻¹ r up to its length.
public protocol DirectionModel {
  /// - Parameter residual: r / ‖r‖, shape [n].
  /// - Returns: shape [n]; what is not finite or has another shape is replaced by the residual.
  func direction(for residual: Tensor<Double>) throws -> Tensor<Double>
}

/// Directions by a function.
public struct FunctionDirection: DirectionModel {
  private let function: (Tensor<Double>) throws -> Tensor<Double>

  public init(_ function: @escaping (Tensor<Double>) throws -> Tensor<Double>) { self.function = function }

  public func direction(for residual: Tensor<Double>) throws -> Tensor<Double> { try function(residual) }
}

/// Conjugate directions that a model proposes: made A-orthogonal to those before, with an exact search along each.
///
/// The error falls in the norm of A with every step, whatever the model says; how fast is the model's merit.
///
/// - Complexity: a call of the model and a product with A an iteration, and O(n memory).
/// - Source: Kaneda et al., ICML 2023, arXiv 2205.10763, algorithm 1.
public struct DeepConjugateDirections: Sendable, Hashable {
  /// Directions before to which a new one is made A-orthogonal; `Int.max` for all.
  public var memory = 2
  /// Of ‖b - A x‖ / ‖b‖.
  public var tolerance = 1e-6
  public var iterationLimit = 1_000
  /// The residual is computed anew after so many iterations.
  public var refreshInterval = 20
  /// For singular operators whose null space holds the constants: takes the mean out of residuals and directions.
  public var removesConstants = false

  public init(memory: Int = 2, tolerance: Double = 1e-6, iterationLimit: Int = 1_000) {
    (self.memory, self.tolerance, self.iterationLimit) = (memory, tolerance, iterationLimit)
  }

  /// A solution, and what was seen on the way.
  public struct Result: Sendable {
    public let solution: IterativeSolution<Double>
    /// By how much each step reduced the square of the error's norm, (x - x*)ᵀ A (x - x*).
    public let energyDecreases: [Double]
    /// Iterations in which the residual replaced what the model proposed.
    public let fallbacks: Int
    /// The largest |pᵀ A q| / (‖p‖_A ‖q‖_A) of a direction and the remembered ones before it.
    public let conjugacyDefect: Double
  }

  /// x with A x = b, for a symmetric positive definite A.
  ///
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, or settings out of range; what
  ///   the model throws; `CancellationError`.
  public func solve(
    _ matrix: some LinearOperator<Double>, _ rightSide: Tensor<Double>, model: some DirectionModel,
    startingFrom guess: Tensor<Double>? = nil, progress: WorkProgress = .silent
  ) throws -> Result {
    try requireSettings(tolerance: tolerance, iterationLimit: iterationLimit)
    guard memory >= 0 else { throw InvalidArgument("memory", found: "\(memory)", wanted: "at least 0") }
    let size = matrix.shape[0]
    guard matrix.shape == [size, size], size > 0 else {
      throw InvalidArgument("operator", found: "shape \(matrix.shape)", wanted: "a square operator")
    }
    try requireVectors(of: size, rightSide, startingFrom: guess)
    let b = removesConstants ? rightSide - rightSide.mean().scalar : rightSide
    let length = b.frobeniusNorm()
    var x = guess ?? .zeros([size])
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var (decreases, fallbacks, defect): ([Double], Int, Double) = ([], 0, 0)
    var kept: [(direction: Tensor<Double>, image: Tensor<Double>, curvature: Double)] = []
    func result(_ stop: IterativeSolution<Double>.Stop) throws -> Result {
      let truth = length > 0 ? (b - (try matrix.apply(x))).frobeniusNorm() / length : 0
      let solution = IterativeSolution(solution: x, residual: truth, convergence: convergence, stop: stop)
      return Result(
        solution: solution, energyDecreases: decreases, fallbacks: fallbacks, conjugacyDefect: defect)
    }
    guard length > 0 else {
      x = .zeros([size])
      return try result(.converged)
    }
    var residual = guess == nil ? b : b - (try matrix.apply(x))
    if residual.frobeniusNorm() <= tolerance * length { return try result(.converged) }
    while true {
      try progress.report(convergence.iterations, of: iterationLimit, "conjugate directions")
      let iteration = convergence.iterations
      let unit = residual / residual.frobeniusNorm()
      var proposal = try model.direction(for: unit)
      if proposal.shape != [size] || !proposal.isFinite || (proposal * unit).sum().scalar == 0 {
        proposal = unit
        fallbacks += 1
      }
      var direction = conjugate(proposal, to: kept)
      if direction.frobeniusNorm() <= 1e-10 * proposal.frobeniusNorm() {
        // Nothing new in what was proposed.
        direction = conjugate(unit, to: kept)
        fallbacks += 1
      }
      direction = direction / max(direction.frobeniusNorm(), .leastNormalMagnitude)
      let image = try matrix.apply(direction)
      let curvature = (direction * image).sum().scalar
      guard curvature > 0, curvature.isFinite else {
        return try result(curvature.isFinite ? .notPositiveDefinite : .diverged)
      }
      for other in kept {
        let overlap = (direction * other.image).sum().scalar
        defect = max(defect, abs(overlap) / (curvature * other.curvature).squareRoot())
      }
      let slope = (direction * residual).sum().scalar
      let step = slope / curvature
      x += direction * step
      residual -= image * step
      decreases.append(slope * slope / curvature)
      var size = residual.frobeniusNorm() / length
      if size <= tolerance || (iteration + 1) % max(refreshInterval, 1) == 0 {
        residual = b - (try matrix.apply(x))
        if removesConstants { residual -= residual.mean().scalar }
        size = residual.frobeniusNorm() / length
      }
      guard convergence.continues(residual: size) else {
        return try result(convergence.isConverged ? .converged : size.isFinite ? .iterationLimit : .diverged)
      }
      kept.append((direction, image, curvature))
      if kept.count > memory { kept.removeFirst() }
    }
  }

  /// d less its parts along the directions before, one after another; twice, for what rounding leaves.
  private func conjugate(
    _ proposal: Tensor<Double>, to kept: [(direction: Tensor<Double>, image: Tensor<Double>, curvature: Double)]
  ) -> Tensor<Double> {
    var direction = removesConstants ? proposal - proposal.mean().scalar : proposal
    for _ in 0..<2 {
      for other in kept.reversed() {
        direction -= other.direction * ((direction * other.image).sum().scalar / other.curvature)
      }
    }
    return direction
  }
}
