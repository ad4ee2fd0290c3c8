import LinearAlgebra
import Tensors

/// ChebCB: costs as Chebyshev polynomials of a context, such as the shift of the diagonal, and choices by SquareCB. Approaches
/// the best factor for each system.
///
/// Per action, least squares on all its costs so far, with coefficients in the box that a Lipschitz function's have.
///
/// - Complexity: O(d m + m³) time a round, O(d m²) memory, whatever the number of rounds.
/// - Source: Khodak et al., ICLR 2024, algorithm 2; Foster and Rakhlin, ICML 2020 (SquareCB).
public struct ChebCB: RelaxationLearner, Hashable {
  public let actions: [Double]
  public let context: ClosedRange<Double>
  /// m: polynomials have degrees below it.
  public let terms: Int
  public let seed: UInt64
  public private(set) var rounds = 0
  public private(set) var probabilities: [Double]
  /// Contexts outside the range so far, which were moved to its nearest end.
  public private(set) var clampedContexts = 0
  /// θ of each action, for costs as ``scale`` measures them.
  public private(set) var coefficients: [[Double]]
  /// What costs less one are divided by before they are fitted.
  public private(set) var scale = 1.0

  private var fits: [Fit]
  private var (least, most) = (Double.infinity, 1.0)
  private var squaredErrors = 0.0
  private var exploration = 0.0
  private var pending: Round?

  private struct Round: Hashable, Codable {
    var action: Int
    var features: [Double]
    var prediction: Double
  }

  /// - Throws: `InvalidArgument` for actions that are not factors, no terms, or a range that is not finite or empty.
  public init(
    actions: [Double] = relaxationGrid(), terms: Int = 6, context: ClosedRange<Double>, seed: UInt64 = 1
  ) throws {
    try requireActions(actions)
    try requireContext(context)
    guard (1...64).contains(terms) else {
      throw InvalidArgument("terms", found: "\(terms)", wanted: "at least 1, at most 64")
    }
    (self.actions, self.context, self.terms, self.seed) = (actions, context, terms, seed)
    fits = [Fit](repeating: Fit(terms: terms), count: actions.count)
    coefficients = [[Double]](repeating: [Double](repeating: 0, count: terms), count: actions.count)
    probabilities = [Double](repeating: 1 / Double(actions.count), count: actions.count)
  }

  /// T_0 ... T_(m-1) of the context moved to [-1, 1].
  func features(_ value: Double) -> [Double] {
    let x = 2 * (value - context.lowerBound) / (context.upperBound - context.lowerBound) - 1
    var result = [Double](repeating: 1, count: terms)
    if terms > 1 { result[1] = x }
    for j in 2..<max(terms, 2) { result[j] = 2 * x * result[j - 1] - result[j - 2] }
    return result
  }

  /// The expected cost of each action in a context, as fitted so far.
  public func expectedCosts(context value: Double) -> [Double] {
    let phi = features(min(max(value, context.lowerBound), context.upperBound))
    return coefficients.map { 1 + scale * zip($0, phi).reduce(0) { $0 + $1.0 * $1.1 } }
  }

  public mutating func predict(context value: Double?) throws -> Int {
    let phi = features(try clamped(value, to: context, counting: &clampedContexts))
    let predictions = coefficients.map { zip($0, phi).reduce(0) { $0 + $1.0 * $1.1 } }
    let count = Double(actions.count)
    let best = predictions.indices.min { predictions[$0] < predictions[$1] } ?? 0
    probabilities = predictions.map { 1 / (count + exploration * ($0 - predictions[best])) }
    probabilities[best] = 0
    probabilities[best] = 1 - probabilities.reduce(0, +)
    let action = drawnIndex(probabilities, level: uniformDraw(seed: seed, round: rounds))
    pending = Round(action: action, features: phi, prediction: predictions[action])
    return action
  }

  public mutating func update(cost: Double) throws {
    try requireCost(cost, isPending: pending != nil)
    guard let round = pending else { return }
    pending = nil
    rounds += 1
    (least, most) = (min(least, cost), max(most, cost))
    fits[round.action].add(round.features, cost: cost - 1)
    // (b - a) times the Lipschitz constant that the costs so far suggest.
    let variation = most - least
    let spread = 2 + 4 * variation / most * (1 + .log(Double(terms)))
    let newScale = most * spread
    var boxResidual = 0.0
    let changed = newScale != scale
    scale = newScale
    for action in changed ? Array(actions.indices) : [round.action] where fits[action].count > 0 {
      let found = fits[action].solve(scale: scale) { j in
        j == 0 ? 1 / spread : 2 * variation / (newScale * Double(j))
      }
      coefficients[action] = found.coefficients
      if let residual = found.boxResidual { boxResidual = residual }
    }
    let error = round.prediction - cost / scale
    squaredErrors += error * error
    let t = Double(rounds)
    let degree = Double(terms)
    let approximation = (.pi + 2 / .pi * .log(2 * degree + 1)) * variation / (2 * scale * (degree + 1))
    let confidence = max(squaredErrors - boxResidual + 2 * approximation * approximation * t, 1e-300)
    exploration = 2 * t * (Double(actions.count) * t / confidence).squareRoot()
  }
}

/// The sums that a least-squares fit of one action's costs needs.
private struct Fit: Hashable, Codable {
  let terms: Int
  var count = 0
  /// Σ φ φᵀ, row-major, and Σ φ y.
  private var gram: [Double]
  private var moments: [Double]
  private var squares = 0.0

  init(terms: Int) {
    self.terms = terms
    gram = [Double](repeating: 0, count: terms * terms)
    moments = [Double](repeating: 0, count: terms)
  }

  mutating func add(_ features: [Double], cost: Double) {
    count += 1
    squares += cost * cost
    for i in 0..<terms {
      moments[i] += features[i] * cost
      for j in 0..<terms { gram[i * terms + j] += features[i] * features[j] }
    }
  }

  /// Coefficients of the costs over `scale`, inside the box; with the squared residual if the box was in the way.
  func solve(scale: Double, bound: (Int) -> Double) -> (coefficients: [Double], boxResidual: Double?) {
    let right = moments.map { $0 / scale }
    let free = choleskySolution(right) ?? minimumNormSolution(right)
    let bounds = (0..<terms).map(bound)
    guard zip(free, bounds).contains(where: { $0.magnitude > $1 }) else { return (free, nil) }
    // Coordinate descent: the matrix is small, and its last solution near.
    var theta = zip(free, bounds).map { min(max($0, -$1), $1) }
    for _ in 0..<500 {
      var change = 0.0
      for i in 0..<terms where gram[i * terms + i] > 0 {
        var slope = right[i]
        for j in 0..<terms { slope -= gram[i * terms + j] * theta[j] }
        let value = min(max(theta[i] + slope / gram[i * terms + i], -bounds[i]), bounds[i])
        change = max(change, (value - theta[i]).magnitude)
        theta[i] = value
      }
      if change <= 1e-13 { break }
    }
    var residual = squares / (scale * scale)
    for i in 0..<terms {
      residual -= 2 * right[i] * theta[i]
      for j in 0..<terms { residual += theta[i] * gram[i * terms + j] * theta[j] }
    }
    return (theta, max(residual, 0))
  }

  /// Nil where the features of the rounds so far depend on each other.
  private func choleskySolution(_ right: [Double]) -> [Double]? {
    guard count >= terms else { return nil }
    var (factor, x) = (gram, right)
    let terms = terms
    let isRegular = factor.withUnsafeMutableBufferPointer { factor in
      x.withUnsafeMutableBufferPointer { x in
        guard let l = factor.baseAddress, let x = x.baseAddress,
          SmallCholesky.factor(l, size: terms, stride: terms, tolerance: 1e-9)
        else { return false }
        SmallCholesky.solve(l, size: terms, stride: terms, x)
        return true
      }
    }
    return isRegular ? x : nil
  }

  private func minimumNormSolution(_ right: [Double]) -> [Double] {
    let matrix = Tensor(shape: [terms, terms], scalars: gram)
    guard let eigen = try? SymmetricEigendecomposition(of: matrix) else { return right.map { _ in 0 } }
    let projected = eigen.vectors.matmul(Tensor(right), transposingA: true).scalars
    let values = eigen.values.scalars
    let tolerance = 1e-10 * (values.last ?? 0)
    let scaled = zip(projected, values).map { $1 > tolerance ? $0 / $1 : 0 }
    return eigen.vectors.matmul(Tensor(scaled)).scalars
  }
}
