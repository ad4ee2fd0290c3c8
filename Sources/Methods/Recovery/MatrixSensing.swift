public import LinearAlgebra
public import Tensors

/// Low-rank matrix sensing by gradient descent on factors with more columns k than the rank r.
///
/// How fast it converges depends on the factorization. With E = (1/m) 𝒜*(𝒜(X) - y):
///
/// - `.symmetric`, X = F Fᵀ, F ← F - η E F: linear for k = r, but for k > r no faster than 1/T², in
///   ‖F Fᵀ - M‖² ≈ (k - r) / (2 η T)².
/// - `.asymmetric`, X = F Gᵀ with a start of different sizes: linear, at a rate proportional to the square of the start's
///   size, because the imbalance FᵀF - GᵀG is kept.
/// - `.accelerated`: the same, and once the error is moderate a single change of factors, F ← β P from the singular
///   vectors P of F, with the product kept. From then on all directions contract at the rate η β².
///
/// - Complexity: O(m rows columns) time an iteration; O((rows columns)²), and no pass over the measurements, when there are
///   at least as many of them as entries.
/// - Source: Xiong, Ding and Du, "How Over-Parameterization Slows Down Gradient Descent in Matrix Sensing", ICLR 2024,
///   arXiv 2310.01769.
public struct MatrixSensing: Sendable, Hashable {
  public enum Parameterization: Sendable, Hashable {
    /// For a positive semi-definite matrix.
    case symmetric
    /// F starts `imbalance` times as large as G.
    case asymmetric(imbalance: Double = 3)
    /// Switches when the residual falls below `switchAt`; β is the root of the largest singular value unless given.
    case accelerated(imbalance: Double = 3, switchAt: Double = 0.3, beta: Double? = nil)
  }

  /// The columns of the factors (k).
  public var rank: Int
  public var parameterization = Parameterization.accelerated()
  /// α: entries of the start have this deviation over √n.
  public var initialScale = 0.1
  /// η; 0.2 / ‖𝒜*(y) / m‖₂ by default.
  public var stepSize: Double?
  public var iterationLimit = 1_000
  /// ‖E‖_F / ‖𝒜*(y) / m‖_F at which iterations end.
  public var tolerance = 1e-13
  public var seed: UInt64 = 1

  public init(rank: Int) { self.rank = rank }

  /// Recovers M from y = 𝒜(M), with y_i = ⟨A_i, M⟩.
  ///
  /// - Parameters:
  ///   - observed: y, of shape [m].
  ///   - truth: if known, the distance to it is noted in each iteration.
  /// - Throws: `InvalidArgument` for settings out of range, shapes that do not fit, and numbers that are not finite.
  public func recover<Measurement: LinearMeasurement>(
    from measurement: Measurement, observed: Tensor<Measurement.Scalar>, truth: Tensor<Measurement.Scalar>? = nil,
    progress: WorkProgress = .silent
  ) throws -> SensingResult<Measurement.Scalar> {
    typealias Scalar = Measurement.Scalar
    guard measurement.count >= 1, observed.shape == [measurement.count] else {
      throw InvalidArgument(
        "observed", found: "shape \(observed.shape)", wanted: "[\(measurement.count)], a number for each measurement")
    }
    try observed.requireFinite("observed")
    let isSymmetric = parameterization == .symmetric
    if isSymmetric, measurement.rows != measurement.columns {
      throw InvalidArgument(
        "measurements", found: "matrices of shape [\(measurement.rows), \(measurement.columns)]",
        wanted: "square ones for the symmetric parameterization")
    }
    if let truth, truth.shape != [measurement.rows, measurement.columns] {
      throw InvalidArgument(
        "truth", found: "shape \(truth.shape)", wanted: "[\(measurement.rows), \(measurement.columns)]")
    }
    let operation: any LinearMeasurement<Scalar> = isSymmetric ? measurement.onSymmetricMatrices() : measurement
    let field = SensingField(operation, observed)
    return try run(field, truth: truth, start: nil, progress: progress)
  }

  /// The same with 𝒜*𝒜 = I, the limit of many measurements: gradient descent on ‖X - M‖²/2.
  ///
  /// - Parameter start: the factors to start from, each with k columns; G is not read when symmetric.
  public func populationDynamics<Scalar: LinearScalar>(
    of truth: Tensor<Scalar>, start: (left: Tensor<Scalar>, right: Tensor<Scalar>)? = nil,
    progress: WorkProgress = .silent
  ) throws -> SensingResult<Scalar> {
    try truth.requireMatrix("truth")
    if parameterization == .symmetric, truth.rows != truth.columns {
      throw InvalidArgument("truth", found: "shape \(truth.shape)", wanted: "a square matrix")
    }
    return try run(SensingField(population: truth), truth: truth, start: start, progress: progress)
  }

  // MARK: Details

  private func validate(_ rows: Int, _ columns: Int) throws {
    guard rank >= 1, rank <= max(rows, columns) else {
      throw InvalidArgument("rank", found: "\(rank)", wanted: "1 through \(max(rows, columns))")
    }
    guard initialScale > 0, initialScale.isFinite else {
      throw InvalidArgument("initialScale", found: "\(initialScale)", wanted: "above 0")
    }
    if let stepSize, !(stepSize > 0) {
      throw InvalidArgument("stepSize", found: "\(stepSize)", wanted: "above 0")
    }
    guard iterationLimit >= 1, tolerance >= 0 else {
      throw InvalidArgument(
        "iterationLimit", found: "\(iterationLimit) with tolerance \(tolerance)", wanted: "at least 1, and at least 0")
    }
    switch parameterization {
    case .symmetric: break
    case .asymmetric(let imbalance):
      guard imbalance > 0 else { throw InvalidArgument("imbalance", found: "\(imbalance)", wanted: "above 0") }
    case .accelerated(let imbalance, let switchAt, let beta):
      guard imbalance > 0, switchAt > 0, beta ?? 1 > 0 else {
        throw InvalidArgument(
          "accelerated",
          found: "imbalance \(imbalance), switchAt \(switchAt), beta \(beta.map { "\($0)" } ?? "automatic")",
          wanted: "all above 0")
      }
    }
  }

  private func run<Scalar: LinearScalar>(
    _ field: SensingField<Scalar>, truth: Tensor<Scalar>?, start: (left: Tensor<Scalar>, right: Tensor<Scalar>)?,
    progress: WorkProgress
  ) throws -> SensingResult<Scalar> {
    try validate(field.rows, field.columns)
    let top = try field.pull.isFinite ? field.pull.spectralNorm() : 0
    let size = Double(field.pull.frobeniusNorm())
    let step = stepSize ?? 0.2 / max(Double(top), .leastNormalMagnitude)
    var pair = try start.map { try checked($0, field) } ?? startingPair(field)
    var history = SensingHistory()
    let firstImbalance = pair.imbalance
    var convergence = Convergence(tolerance: tolerance, iterationLimit: iterationLimit)
    var notices: [SensingNotice] = []
    var switched: SensingSwitch?
    var first = 0.0
    var iteration = 0
    while true {
      if iteration % 64 == 0 { try progress.report(iteration, of: iterationLimit, "iteration") }
      let error = field.error(at: pair.product)
      let residual = size > 0 ? Double(error.frobeniusNorm()) / size : Double(error.frobeniusNorm())
      history.residuals.append(residual)
      if let truth { history.distances.append(Double((pair.product - truth).frobeniusNorm())) }
      if iteration == 0 { first = residual }
      guard residual.isFinite, residual <= 1e3 * max(first, 1e-300) else {
        notices.append(.stepTooLarge(suggested: step / 4))
        break
      }
      guard iteration == 0 || convergence.continues(residual: residual) else { break }
      if case .accelerated(_, let level, let beta) = parameterization, switched == nil, residual <= level {
        let size = beta ?? Double(top).squareRoot()
        switched = SensingSwitch(iteration: iteration, productChange: try pair.rebalance(size: Scalar(size)))
      }
      pair.move(along: error, by: Scalar(step), isSymmetric: parameterization == .symmetric)
      iteration += 1
    }
    let last = history.residuals[history.residuals.count - 1]
    if notices.isEmpty, last > 1e-2, !isStillFalling(history.residuals) {
      notices.append(.rankTooSmall(residual: last))
    }
    let drift = parameterization == .symmetric ? 0 : Double((pair.imbalance - firstImbalance).frobeniusNorm())
    return SensingResult(
      left: pair.left, right: parameterization == .symmetric ? nil : pair.right, stepSize: step, history: history,
      convergence: convergence, switched: switched, imbalanceDrift: switched == nil ? drift : nil, notices: notices)
  }

  /// Whether the residual fell by more than a hundredth in the last tenth of the iterations.
  private func isStillFalling(_ residuals: [Double]) -> Bool {
    residuals[residuals.count - 1] < 0.99 * residuals[residuals.count * 9 / 10]
  }

  private func startingPair<Scalar: LinearScalar>(_ field: SensingField<Scalar>) throws -> SensingPair<Scalar> {
    var random = RandomStream(seed: seed)
    let alpha = Scalar(initialScale)
    let left = random.normal([field.rows, rank], of: Scalar.self) * (alpha / Scalar.sqrt(Scalar(field.rows)))
    switch parameterization {
    case .symmetric: return SensingPair(left: left, right: left)
    case .asymmetric(let imbalance), .accelerated(let imbalance, _, _):
      let scale = alpha / Scalar(imbalance) / Scalar.sqrt(Scalar(field.columns))
      return SensingPair(left: left, right: random.normal([field.columns, rank]) * scale)
    }
  }

  private func checked<Scalar: LinearScalar>(
    _ start: (left: Tensor<Scalar>, right: Tensor<Scalar>), _ field: SensingField<Scalar>
  ) throws -> SensingPair<Scalar> {
    let isSymmetric = parameterization == .symmetric
    guard start.left.shape == [field.rows, rank], isSymmetric || start.right.shape == [field.columns, rank] else {
      throw InvalidArgument(
        "start", found: "shapes \(start.left.shape) and \(start.right.shape)",
        wanted: "[\(field.rows), \(rank)] and [\(field.columns), \(rank)]")
    }
    return SensingPair(left: start.left, right: isSymmetric ? start.left : start.right)
  }
}

/// The factors F and G, which are one for the symmetric parameterization.
struct SensingPair<Scalar: LinearScalar> {
  var left: Tensor<Scalar>, right: Tensor<Scalar>

  var product: Tensor<Scalar> { left.matmul(right, transposingB: true) }
  /// FᵀF - GᵀG.
  var imbalance: Tensor<Scalar> {
    left.multipliedByOwnTranspose(transposing: true) - right.multipliedByOwnTranspose(transposing: true)
  }

  /// Both factors from the same error.
  mutating func move(along error: Tensor<Scalar>, by step: Scalar, isSymmetric: Bool) {
    let change = error.matmul(right) * step
    if isSymmetric {
      left -= change
      right = left
    } else {
      right -= error.matmul(left, transposingA: true) * step
      left -= change
    }
  }

  /// F = P S Qᵀ becomes β P, and G becomes G Q S / β: the product is kept, and FᵀF = β² I. Directions of F that vanish are
  /// lost; returns how much the product changed, relative to it.
  mutating func rebalance(size: Scalar) throws -> Double {
    let before = product
    let svd = try SingularValueDecomposition(of: left)
    let scale = svd.values[at: 0]
    let kept = svd.values.maximum(scale * Scalar(1e-12))
    right = right.matmul(svd.right) * (kept / size)
    left = svd.left * size
    let change = (product - before).frobeniusNorm() / max(before.frobeniusNorm(), .leastNormalMagnitude)
    return Double(change)
  }
}

/// The map from X to E = (1/m) 𝒜*(𝒜(X) - y).
struct SensingField<Scalar: LinearScalar> {
  let rows: Int, columns: Int
  /// (1/m) 𝒜*(y): where a small X is pulled to.
  let pull: Tensor<Scalar>
  private let measurement: (any LinearMeasurement<Scalar>)?
  private let observed: Tensor<Scalar>
  /// 𝒜*𝒜 / m as a matrix, where that is smaller than the measurements.
  private let dense: DenseMeasurement<Scalar>?
  private let gram: Tensor<Scalar>?

  init(_ measurement: any LinearMeasurement<Scalar>, _ observed: Tensor<Scalar>) {
    (rows, columns) = (measurement.rows, measurement.columns)
    (self.measurement, self.observed) = (measurement, observed)
    pull = measurement.adjoint(observed) / Scalar(measurement.count)
    let isWorthIt = rows * columns <= measurement.count
    dense = isWorthIt ? measurement as? DenseMeasurement<Scalar> : nil
    gram = dense?.meanGram()
  }

  init(population truth: Tensor<Scalar>) {
    (rows, columns, pull) = (truth.rows, truth.columns, truth.dense)
    (measurement, dense, gram, observed) = (nil, nil, nil, .zeros([0]))
  }

  func error(at matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    if let gram, let dense { return dense.meanProduct(gram, matrix) - pull }
    guard let measurement else { return matrix - pull }
    let sum = measurement.residualsAndAdjoint(matrix, observed: observed, loss: .squares).adjoint
    return sum / Scalar(measurement.count)
  }
}
