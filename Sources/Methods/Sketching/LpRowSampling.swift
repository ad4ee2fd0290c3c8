public import LinearAlgebra
import Numerics
public import Tensors

/// By which scores rows are sampled.
public enum LpImportance: String, Sendable, Hashable, CaseIterable {
  case uniform, leverage
  /// Square-root leverage scores τ^(p/2), again and again on the sample (p < 2): QR factorizations only.
  case rootLeverage
  case lewis, sensitivity
  /// The mean of normalised leverage scores and sensitivities (p > 2).
  case leverageAndSensitivity
}

/// A few weighted rows of a tall matrix with ‖S A x‖_p ≈ ‖A x‖_p for every x.
///
/// Row i is kept with probability q_i = min(1, score_i / α), independently, and with the weight q_i^(-1/p), so that
/// E ‖S A x‖_p^p = ‖A x‖_p^p.
///
/// ```swift
/// let sample = try LpRowSampling(p: 1, rows: 400).sample(a)
/// let small = sample.apply(to: a)
/// ```
///
/// - Source: Woodruff and Yasuda, "Sharper bounds for ℓp sensitivity sampling", ICML 2023, theorems 1.4 to 1.8.
public struct LpRowSampling: Sendable, Hashable {
  /// How many rows to keep.
  public enum Size: Sendable, Hashable {
    /// As many on average; one pass of root leverage scores after the other, this many each.
    case rows(Int)
    /// As many as the theory asks for a distortion ε with probability 1 - δ, with constants of one.
    case accuracy(Double, failureProbability: Double = 0.1)
  }

  public var p: Double
  public var size: Size
  public var scheme: LpImportance
  /// How sensitivities are found, for the schemes that need them.
  public var method: LpSensitivities.Method
  public var seed: UInt64

  public init(
    p: Double, size: Size, scheme: LpImportance = .sensitivity, method: LpSensitivities.Method = .coreset(),
    seed: UInt64 = 1
  ) {
    (self.p, self.size, self.scheme, self.method, self.seed) = (p, size, scheme, method, seed)
  }

  public init(p: Double, rows: Int, scheme: LpImportance = .sensitivity, seed: UInt64 = 1) {
    self.init(p: p, size: .rows(rows), scheme: scheme, seed: seed)
  }

  /// - Throws: `InvalidArgument` for settings or a matrix that cannot be used, and for schemes that are not made for p;
  ///   `CancellationError`.
  public func sample<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> LpRowSample {
    try validate()
    let basis = try ColumnSpace(of: matrix).basis
    var random = RandomStream(seed: seed)
    if scheme == .rootLeverage { return try recursive(basis, &random, progress) }
    let scores = try scores(basis, progress)
    return drawn(scores.values, basis, total: scores.total, &random)
  }

  /// The scores that rows are sampled by, not normalised, and the total sensitivity where it was found; each pass of root
  /// leverage scores has its own, and the first is given. A person may draw several samples from one set of them.
  public func scores<Scalar: LinearScalar>(
    of matrix: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> Tensor<Double> {
    try validate()
    return try scores(ColumnSpace(of: matrix).basis, progress).values
  }

  /// A sample by scores that are known already, of shape [n].
  public func sample<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>, scores: Tensor<Double>) throws -> LpRowSample {
    try validate()
    guard matrix.rank == 2, scores.shape == [matrix.rows] else {
      throw InvalidArgument(
        "scores", found: "shape \(scores.shape)", wanted: "one score for each row of a matrix of shape \(matrix.shape)")
    }
    try scores.requireFinite("scores")
    guard scores.minimum().scalar >= 0, scores.maximum().scalar > 0 else {
      throw InvalidArgument("scores", found: "\(scores.minimum().scalar)", wanted: "scores >= 0, not all zero")
    }
    var random = RandomStream(seed: seed)
    let total = scheme == .sensitivity ? scores.sum().scalar : nil
    return drawn(scores, try ColumnSpace(of: matrix).basis, total: total, &random)
  }

  private func validate() throws {
    try requireExponent(p)
    switch size {
    case .rows(let rows):
      guard rows >= 1 else { throw InvalidArgument("rows", found: "\(rows)", wanted: "at least 1") }
    case .accuracy(let accuracy, let probability):
      guard accuracy > 0, accuracy.isFinite else {
        throw InvalidArgument("accuracy", found: "\(accuracy)", wanted: "above 0")
      }
      guard probability > 0, probability < 1 else {
        throw InvalidArgument("failureProbability", found: "\(probability)", wanted: "above 0, below 1")
      }
    }
    if scheme == .rootLeverage, p >= 2 {
      throw InvalidArgument("scheme", found: "rootLeverage with p = \(p)", wanted: "p below 2 for this scheme")
    }
    if scheme == .leverageAndSensitivity, p <= 2 {
      throw InvalidArgument(
        "scheme", found: "leverageAndSensitivity with p = \(p)", wanted: "p above 2 for this scheme")
    }
  }

  private func scores(
    _ basis: Tensor<Double>, _ progress: WorkProgress
  ) throws -> (values: Tensor<Double>, total: Double?) {
    let leverage = ColumnSpace.leverageScores(basis)
    func sensitivities() throws -> LpSensitivityEstimate {
      try LpSensitivities(p: p, method: method, seed: seed).estimate(basis: basis, progress: progress)
    }
    switch scheme {
    case .uniform: return ((leverage .> 0).select(.ones(leverage.shape), .zeros(leverage.shape)), nil)
    case .leverage: return (leverage, nil)
    case .rootLeverage: return (leverage.power(p / 2), nil)
    case .lewis: return (try LewisWeights(p: p).solve(basis: basis).weights, nil)
    case .sensitivity:
      let found = try sensitivities()
      return (found.values, found.total)
    case .leverageAndSensitivity:
      let found = try sensitivities()
      return ((leverage / Double(basis.columns) + found.values / found.total) * 0.5, found.total)
    }
  }

  private func drawn(
    _ scores: Tensor<Double>, _ basis: Tensor<Double>, total: Double?, _ random: inout RandomStream
  ) -> LpRowSample {
    var sample = LpRowSample.drawn(
      scores: scores, rows: target(rank: basis.columns, total: total ?? scores.sum().scalar), p: p, passes: 1, &random)
    sample.isBelowRank = sample.expectedRows < Double(basis.columns)
    if let total { sample.isBelowTotalSensitivity = sample.expectedRows < total }
    return sample
  }

  /// The rows to keep on average.
  private func target(rank: Int, total: Double) -> Int {
    switch size {
    case .rows(let rows): return rows
    case .accuracy(let accuracy, let probability):
      let bound: Double
      switch scheme {
      case .lewis, .leverage, .rootLeverage, .uniform:
        let logarithm = Double.log(Double(max(rank, 2)) / (accuracy * probability))
        bound = Double.pow(Double(rank), max(1, p / 2)) * logarithm / (accuracy * accuracy)
      case .sensitivity, .leverageAndSensitivity:
        bound = LpSampleBound.sharper.rows(
          p: p, dimension: rank, totalSensitivity: total, accuracy: accuracy, failureProbability: probability)
      }
      return Int(min(max(bound.rounded(.up), 1), 1e15))
    }
  }

  /// Root leverage scores on the matrix, then on the sample, until it no longer shrinks.
  private func recursive(
    _ basis: Tensor<Double>, _ random: inout RandomStream, _ progress: WorkProgress
  ) throws -> LpRowSample {
    let n = basis.rows
    let wanted = target(rank: basis.columns, total: 0)
    var indices = Array(0..<n)
    var weights = Tensor<Double>.ones([n])
    var probabilities = Tensor<Double>.ones([n])
    var sizes: [Int] = []
    var current = basis
    while true {
      try progress.report(sizes.count, of: sizes.count + 1, "root leverage scores")
      let scores = ColumnSpace.leverageScores(current).power(p / 2)
      // A pass keeps what the theory asks for this many rows, Σ τ^(p/2) at a common rate, but never fewer than wanted.
      let rate = Double(wanted) / Double(basis.columns)
      let rows = max(wanted, Int((scores.sum().scalar * rate).rounded(.up)))
      guard Double(rows) < 0.8 * Double(indices.count) || sizes.isEmpty else { break }
      let pass = LpRowSample.drawn(scores: scores, rows: rows, p: p, passes: 1, &random)
      let kept = Tensor(pass.indices)
      indices = pass.indices.map { indices[$0] }
      weights = weights.gathered(kept) * pass.weights
      probabilities = probabilities.gathered(kept) * pass.probabilities.gathered(kept)
      sizes.append(indices.count)
      guard indices.count > basis.columns, indices.count > wanted else { break }
      let sampled = basis.gathered(Tensor(indices)) * weights.expanded(axis: 1)
      let space = try ColumnSpace(of: sampled)
      guard space.rank == basis.columns else { break }
      current = space.basis
    }
    var sample = LpRowSample(
      indices: indices, weights: weights,
      probabilities: Tensor.zeros([n]).scatterAdded(probabilities, at: Tensor(indices)),
      expectedRows: Double(indices.count), passSizes: sizes)
    sample.isBelowRank = indices.count < basis.columns
    return sample
  }
}

/// The rows that were kept.
public struct LpRowSample: Sendable {
  /// In increasing order.
  public let indices: [Int]
  /// What each kept row is multiplied by, q^(-1/p).
  public let weights: Tensor<Double>
  /// q of every row of the matrix, of shape [n]; after several passes known for kept rows only, and zero elsewhere.
  public let probabilities: Tensor<Double>
  /// Σ q.
  public let expectedRows: Double
  /// The rows kept by each pass.
  public let passSizes: [Int]
  public var passes: Int { passSizes.count }
  /// Fewer rows than the rank were asked for: some directions are lost for sure.
  public internal(set) var isBelowRank = false
  /// Fewer rows than the total sensitivity were asked for: even a row that alone spans a direction may be missed.
  public internal(set) var isBelowTotalSensitivity = false

  /// S A, of shape [rows kept, d], for the matrix sampled from or another of as many rows, such as [A b].
  public func apply<Scalar: LinearScalar>(to matrix: Tensor<Scalar>) -> Tensor<Scalar> {
    precondition(
      matrix.rank > 0 && matrix.shape[0] == probabilities.count,
      "a sample of \(probabilities.count) rows applied to shape \(matrix.shape)")
    let kept = matrix.gathered(Tensor(indices))
    let scale = Tensor<Scalar>(weights)
    return kept * (matrix.rank == 1 ? scale : scale.expanded(axis: 1))
  }

  /// Keeps row i with probability min(1, score_i / α), for the α with `rows` rows on average.
  static func drawn(
    scores: Tensor<Double>, rows: Int, p: Double, passes: Int, _ random: inout RandomStream
  ) -> LpRowSample {
    let rate = samplingRate(scores.scalars, rows: rows)
    let probabilities = (scores * min(rate, .greatestFiniteMagnitude)).minimum(1)
    let isKept = random.uniform([scores.count], of: Double.self) .< probabilities
    let indices = isKept.trueIndices
    let weights = probabilities.gathered(indices).power(-1 / p)
    return LpRowSample(
      indices: indices.scalars, weights: weights, probabilities: probabilities,
      expectedRows: probabilities.sum().scalar, passSizes: [indices.count])
  }

  /// 1 / α with Σ min(1, score / α) = rows; all positive scores are kept where there are no more of them.
  static func samplingRate(_ scores: [Double], rows: Int) -> Double {
    let sorted = scores.filter { $0 > 0 }.sorted(by: >)
    guard sorted.count > rows else { return (sorted.last.map { 1 / $0 } ?? 1) * 2 }
    // With the k largest certain, the rest share rows - k; k is right once the largest of the rest is not certain.
    var rest = sorted.reduce(0, +)
    for (k, score) in sorted.enumerated() {
      let rate = Double(rows - k) / rest
      if rate * score <= 1 { return rate }
      rest -= score
    }
    return 1 / (sorted.last ?? 1)
  }
}

/// How many rows suffice, with constants of one: ε^-2 times a power of the total sensitivity 𝔖 and L = log(d / (ε δ)).
public enum LpSampleBound: Sendable, Hashable, CaseIterable {
  /// 𝔖 d L, of the general theory.
  case general
  /// 𝔖^(2/p) L for p <= 2 and 𝔖^(2-2/p) L for p >= 2: Woodruff and Yasuda.
  case sharper
  /// d^(1-p/2) 𝔖 L for p <= 2, for Lewis weights do not exceed d^(1-p/2) σ: Chen and Derezinski. As `general` beyond.
  case chenDerezinski

  public func rows(
    p: Double, dimension: Int, totalSensitivity: Double, accuracy: Double, failureProbability: Double
  ) -> Double {
    let d = Double(dimension)
    let logarithm = Double.log(max(d, 2) / (accuracy * failureProbability))
    let power =
      switch self {
      case .general: totalSensitivity * d
      case .sharper: Double.pow(totalSensitivity, p <= 2 ? 2 / p : 2 - 2 / p)
      case .chenDerezinski: p <= 2 ? Double.pow(d, 1 - p / 2) * totalSensitivity : totalSensitivity * d
      }
    return power * logarithm / (accuracy * accuracy)
  }
}
