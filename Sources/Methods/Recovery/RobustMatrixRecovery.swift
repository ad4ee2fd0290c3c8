import LinearAlgebra
public import Tensors

/// Low-rank recovery from linear measurements of which many are grossly wrong, with the rank unknown.
///
/// Sub-gradient steps on f(U) = (1/m) Σ |y_i - ⟨A_i, U Uᵀ⟩| from a tiny start, with any number k of columns from the true
/// rank to n. The signs of the residuals, and so the steps, do not see how large an outlier is; the start keeps columns
/// that are not needed tiny. For a matrix that is not symmetric, U Vᵀ takes the place of U Uᵀ.
///
/// Lengths below are relative to the median of |y|, so that c y leads to c X.
///
/// - Complexity: O(m n²) time an iteration with dense measurements.
/// - Source: Ma and Fattahi, "Global Convergence of Sub-gradient Method for Robust Matrix Recovery", JMLR 2023, arXiv
///   2202.08788. The step by medians is an addition.
public struct RobustMatrixRecovery: Sendable, Hashable {
  public enum Step: Sendable, Hashable {
    /// η_t = factor · median |residual|: linear convergence without a schedule, while less than half are outliers.
    case median(_ factor: Double = 0.36)
    /// η_t = first · ratio^t.
    case geometric(first: Double = 0.5, ratio: Double = 0.985)
    case constant(Double)
    /// η_t = factor · f(U_t); without outliers only.
    case objective(_ factor: Double)
  }

  public enum Start: Sendable, Hashable {
    /// The positive part of (1/m) Σ sign(y_i) A_i.
    case signs
    /// Normal numbers of variance 1/n.
    case random
  }

  /// The columns of the factor (k); all n by default.
  public var rank: Int?
  /// Whether the matrix is symmetric and positive semi-definite.
  public var isSymmetric = true
  public var loss = ResidualLoss.absolute
  /// By medians, but geometric for measurements of single entries, whose median says little about the matrix.
  public var step: Step?
  /// α: the start's size. The final error can be about as large.
  public var initialScale = 1e-8
  public var start = Start.signs
  public var iterationLimit = 1_000
  /// Relative change of the factor at which iterations end.
  public var tolerance = 1e-15
  public var seed: UInt64 = 1

  public init() {}

  /// Recovers X from y = 𝒜(X) + errors.
  ///
  /// - Parameters:
  ///   - observed: y, of shape [m].
  ///   - truth: if known, the distance to it is noted in each iteration.
  /// - Throws: `InvalidArgument` for settings out of range, shapes that do not fit, and numbers that are not finite.
  public func recover<Measurement: LinearMeasurement>(
    from measurement: Measurement, observed: Tensor<Measurement.Scalar>, truth: Tensor<Measurement.Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> RobustRecovery<Measurement.Scalar> {
    typealias Scalar = Measurement.Scalar
    try validate(measurement, observed, truth)
    let operation: any LinearMeasurement<Scalar> = isSymmetric ? measurement.onSymmetricMatrices() : measurement
    var scale = observed.absolute().median().scalar
    if !(scale > 0) { scale = observed.absolute().mean().scalar }
    if !(scale > 0) { scale = 1 }
    let y = observed / scale
    var notices: [RobustRecoveryNotice] = []
    var factors = try startingFactors(operation, y, &notices)
    let reference = truth.map { $0 / scale }

    let rule = step ?? (measurement.seesSingleEntries ? .geometric() : .median())
    var history = RobustRecoveryHistory()
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var best = (factors: factors, median: Double.infinity)
    var goesOn = true
    var iteration = 0
    while goesOn {
      if iteration % 16 == 0 { try progress.report(iteration, of: iterationLimit, "iteration") }
      let matrix = factors.product
      let (residuals, sum) = operation.residualsAndAdjoint(matrix, observed: y, loss: loss)
      let sizes = residuals.absolute()
      let middle = Double(sizes.median().scalar)
      history.residualMedians.append(middle)
      history.losses.append(Double(sizes.mean().scalar))
      if let reference { history.distances.append(relativeDistance(matrix, reference)) }
      let isHealthy = middle.isFinite && sum.isFinite
      if isHealthy, middle <= best.median { best = (factors, middle) }
      guard isHealthy, middle <= 1e8 else {
        factors = best.factors
        notices.append(.diverged(iteration: iteration))
        break
      }
      let length = self.length(rule, iteration, middle, history.losses[iteration])
      history.steps.append(length)
      let q = sum * (1 / Scalar(measurement.count))
      let change = factors.move(along: q, by: Scalar(length))
      iteration += 1
      goesOn = convergence.continues(residual: change) && length >= 1e-17
    }
    let first = history.residualMedians[0]
    let last = history.residualMedians[history.residualMedians.count - 1]
    if first > 0, last > 1e-2 * first { notices.append(.possiblyUnidentifiable(residual: last / first)) }
    return try RobustRecovery(
      factors, scale: scale, initialScale: initialScale, history: history, convergence: convergence, notices: notices)
  }

  /// (Q + Qᵀ) U with Q = (1/m) Σ slope(⟨A_i, U Uᵀ⟩ - y_i) A_i: a sub-gradient of f at U, of shape [n, k].
  public func subgradient<Measurement: LinearMeasurement>(
    at factor: Tensor<Measurement.Scalar>, _ measurement: Measurement, observed: Tensor<Measurement.Scalar>
  ) -> Tensor<Measurement.Scalar> {
    let matrix = factor.matmul(factor, transposingB: true)
    let sum = measurement.residualsAndAdjoint(matrix, observed: observed, loss: loss).adjoint
    return (sum + sum.transposed).matmul(factor) / Measurement.Scalar(measurement.count)
  }

  // MARK: Details

  private func length(_ rule: Step, _ iteration: Int, _ median: Double, _ objective: Double) -> Double {
    switch rule {
    case .median(let factor): factor * median
    case .geometric(let first, let ratio): first * Double.pow(ratio, Double(iteration))
    case .constant(let length): length
    case .objective(let factor): factor * objective
    }
  }

  private func validate<Measurement: LinearMeasurement>(
    _ measurement: Measurement, _ observed: Tensor<Measurement.Scalar>, _ truth: Tensor<Measurement.Scalar>?
  ) throws {
    guard measurement.count >= 1, observed.shape == [measurement.count] else {
      throw InvalidArgument(
        "observed", found: "shape \(observed.shape)", wanted: "[\(measurement.count)], a number for each measurement")
    }
    try observed.requireFinite("observed")
    if isSymmetric, measurement.rows != measurement.columns {
      throw InvalidArgument(
        "measurements", found: "matrices of shape [\(measurement.rows), \(measurement.columns)]",
        wanted: "square ones for a symmetric matrix")
    }
    let limit = min(measurement.rows, measurement.columns)
    if let rank, !(1...limit).contains(rank) {
      throw InvalidArgument("rank", found: "\(rank)", wanted: "1 through \(limit)")
    }
    guard initialScale > 0, initialScale.isFinite else {
      throw InvalidArgument("initialScale", found: "\(initialScale)", wanted: "above 0")
    }
    guard iterationLimit >= 1 else {
      throw InvalidArgument("iterationLimit", found: "\(iterationLimit)", wanted: "at least 1")
    }
    if let truth, truth.shape != [measurement.rows, measurement.columns] {
      throw InvalidArgument(
        "truth", found: "shape \(truth.shape)", wanted: "[\(measurement.rows), \(measurement.columns)]")
    }
  }

  private func startingFactors<Scalar: LinearScalar>(
    _ measurement: any LinearMeasurement<Scalar>, _ y: Tensor<Scalar>, _ notices: inout [RobustRecoveryNotice]
  ) throws -> RobustFactors<Scalar> {
    let (rows, columns) = (measurement.rows, measurement.columns)
    let count = rank ?? min(rows, columns)
    let alpha = Scalar(initialScale)
    if start == .signs {
      let guess = measurement.adjoint(y.sign()) / Scalar(measurement.count)
      if isSymmetric {
        let top = try SymmetricEigendecomposition(of: (guess + guess.transposed) * 0.5).largest(count)
        if top.values.maximum().scalar > 0 {
          return RobustFactors(left: top.vectors * top.values.maximum(0).sqrt() * alpha, right: nil)
        }
      } else {
        let top = try SingularValueDecomposition(of: guess).truncated(rank: count)
        if top.values[at: 0] > 0 {
          let roots = top.values.sqrt() * alpha
          return RobustFactors(left: top.left * roots, right: top.right * roots)
        }
      }
      notices.append(.randomStart)
    }
    var random = RandomStream(seed: seed)
    let size = alpha / Scalar.sqrt(Scalar(rows))
    let left: Tensor<Scalar> = random.normal([rows, count]) * size
    return RobustFactors(left: left, right: isSymmetric ? nil : random.normal([columns, count]) * size)
  }
}

/// ‖X - truth‖_F / ‖truth‖_F.
func relativeDistance<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>, _ truth: Tensor<Scalar>) -> Double {
  let size = truth.frobeniusNorm()
  return Double((matrix - truth).frobeniusNorm() / (size > 0 ? size : 1))
}

/// U Uᵀ, or U Vᵀ.
struct RobustFactors<Scalar: LinearScalar> {
  var left: Tensor<Scalar>
  var right: Tensor<Scalar>?

  var product: Tensor<Scalar> { left.matmul(right ?? left, transposingB: true) }

  /// A step against (Q + Qᵀ) U, or against Q V and Qᵀ U; returns the relative change.
  mutating func move(along q: Tensor<Scalar>, by length: Scalar) -> Double {
    if let right {
      let (a, b) = (q.matmul(right) * length, q.matmul(left, transposingA: true) * length)
      left -= a
      self.right = right - b
      let size = Double.hypot(Double(left.frobeniusNorm()), Double(right.frobeniusNorm()))
      return Double.hypot(Double(a.frobeniusNorm()), Double(b.frobeniusNorm())) / max(size, .leastNormalMagnitude)
    }
    let change = (q + q.transposed).matmul(left) * length
    left -= change
    return Double(change.frobeniusNorm()) / max(Double(left.frobeniusNorm()), .leastNormalMagnitude)
  }
}
