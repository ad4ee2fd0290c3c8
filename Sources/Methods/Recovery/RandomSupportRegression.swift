public import LinearAlgebra
public import Tensors

/// Prediction by few columns of a strongly correlated design.
///
/// Heavy directions of the design are fitted without penalty, and a lasso selects among what is left of the columns; see
/// ``DesignPreconditioner``. Penalty and slack come from cross-validation, or from a known noise level.
///
/// ```swift
/// let fit = try RandomSupportRegression(sparsity: 6).fit(x, observed: y)
/// fit.prediction, fit.support, fit.coefficients
/// ```
///
/// - Source: Chandrasekaran, Meka and Stavropoulos, 2025, arXiv 2511.06211.
public struct RandomSupportRegression: Sendable, Hashable {
  public enum Noise: Sendable, Hashable {
    /// λ = 2 σ √(2 log d).
    case known(Double)
    /// λ, slack and refitting by cross-validation over rows.
    case crossValidated(folds: Int = 5)
    /// The same by the extended Bayesian information criterion: N log(‖residual‖² / N) + log N for each free number, and
    /// 2 γ log of the number of ways to choose the columns. No refits on folds, but bolder on few rows.
    ///
    /// Source: Chen and Chen, "Extended Bayesian information criteria for model selection with large model spaces",
    /// Biometrika 95 (2008).
    case informationCriterion(gamma: Double = 0.5)
  }

  /// Which combination of columns stands for the directions that are fitted without penalty.
  public enum Combination: Sendable, Hashable {
    /// Of all columns, the one with the least norm: it predicts best on new rows.
    case leastNorm
    /// Of as few columns as span the design, chosen by a pivoted QR decomposition.
    case columns
  }

  public enum Slack: Sendable, Hashable {
    /// The best of 0, k/2, k, 2k and 4k; k when the noise is known.
    case automatic
    case fixed(Double)
    /// The plain lasso.
    case none
  }

  /// The number of columns expected in the true model (k).
  public var sparsity: Int
  public var noise = Noise.crossValidated()
  public var slack = Slack.automatic
  /// Whether least squares on the selected columns may replace the lasso's shrunken fit.
  public var refits = true
  /// Penalties of a path, from the largest useful one down to `smallestPenalty` times it.
  public var pathLength = 20
  public var smallestPenalty = 0.02
  public var lasso = Lasso()
  public var combination = Combination.leastNorm
  public var floor = 1e-6
  public var dimensionLimit: Int?
  public var seed: UInt64 = 1

  public init(sparsity: Int) { self.sparsity = sparsity }

  /// - Parameters:
  ///   - design: X, of shape [N, d].
  ///   - observed: y, of shape [N].
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, and settings out of range.
  public func fit<Scalar: LinearScalar>(
    _ design: Tensor<Scalar>, observed: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> RandomSupportFit<Scalar> {
    try validate(design, observed)
    var choice = Choice(slack: defaultSlack, penalty: nil, refits: refits)
    var table: [RandomSupportScore] = []
    if case .crossValidated(let folds) = noise {
      (choice, table) = try crossValidated(design, observed, folds: folds, progress)
    } else if case .informationCriterion(let gamma) = noise {
      (choice, table) = try byInformation(design, observed, gamma: gamma)
    }
    let parts = try preconditioner(choice.slack).fit(design)
    let problem = SplitProblem(parts, observed)
    let largest = lasso.largestPenalty(parts.unitColumns, observed: problem.rest)
    var penalties = self.penalties(from: largest)
    if case .known(let deviation) = noise {
      let d = Double(max(parts.activeCount, 2))
      penalties = [Scalar(2 * deviation * (2 * Double.log(d)).squareRoot())]
    } else if let penalty = choice.penalty {
      penalties = Array(penalties.prefix(penalty + 1))
    }
    let path = try lasso.path(parts.unitColumns, observed: problem.rest, penalties: penalties)
    let last = penalties.count - 1
    var theta = path.coefficients[last].copied()
    var own = problem.unpenalized
    var isRefitted = false
    if choice.refits, let refitted = try problem.refitted(theta) {
      (own, theta) = refitted
      isRefitted = true
    }
    let explanation = try Explanation(design, parts, combination)
    let coefficients = explanation.coefficients(own, theta)
    return RandomSupportFit(
      coefficients: coefficients, support: (theta .!= 0).trueIndices.scalars,
      prediction: parts.basis.matmul(own) + parts.unitColumns.matmul(theta), design: parts,
      penalty: Double(penalties[last]), dualityGap: path.dualityGaps[last],
      sweeps: path.sweepCounts.reduce(0, +), isRefitted: isRefitted, scores: table)
  }

  // MARK: Details

  private struct Choice {
    var slack: Double
    /// The place in the path.
    var penalty: Int?
    var refits: Bool
  }

  private var defaultSlack: Double {
    switch slack {
    case .automatic: Double(sparsity)
    case .fixed(let slack): slack
    case .none: 0
    }
  }

  private var slacksToTry: [Double] {
    let k = Double(sparsity)
    return slack == .automatic ? [0, k / 2, k, 2 * k, 4 * k] : [defaultSlack]
  }

  private func preconditioner(_ slack: Double) -> DesignPreconditioner {
    var result = DesignPreconditioner(slack: slack)
    (result.floor, result.dimensionLimit) = (floor, dimensionLimit)
    return result
  }

  private func penalties<Scalar: LinearScalar>(from largest: Scalar) -> [Scalar] {
    (0..<pathLength).map { i in
      let share = pathLength > 1 ? Double(i) / Double(pathLength - 1) : 0
      return largest * Scalar(Double.pow(smallestPenalty, share))
    }
  }

  private func validate<Scalar: LinearScalar>(_ design: Tensor<Scalar>, _ observed: Tensor<Scalar>) throws {
    try design.requireMatrix("design")
    guard design.rows >= 2 else {
      throw InvalidArgument("design", found: "\(design.rows) row", wanted: "at least 2 rows")
    }
    guard observed.shape == [design.rows] else {
      throw InvalidArgument("observed", found: "shape \(observed.shape)", wanted: "[\(design.rows)], one for each row")
    }
    try observed.requireFinite("observed")
    guard sparsity >= 1, sparsity <= max(1, design.rows / 2) else {
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "1 through half of the \(design.rows) rows")
    }
    switch noise {
    case .known(let deviation):
      guard deviation > 0, deviation.isFinite else {
        throw InvalidArgument("noise", found: "\(deviation)", wanted: "above 0")
      }
    case .informationCriterion(let gamma):
      guard gamma >= 0, gamma.isFinite else {
        throw InvalidArgument("gamma", found: "\(gamma)", wanted: "at least 0")
      }
    case .crossValidated(let folds):
      guard folds >= 2, design.rows / folds >= 1, design.rows - (design.rows + folds - 1) / folds >= 2 else {
        throw InvalidArgument("folds", found: "\(folds)", wanted: "at least 2, and at most the \(design.rows) rows")
      }
    }
    guard pathLength >= 1, smallestPenalty > 0, smallestPenalty <= 1 else {
      throw InvalidArgument(
        "pathLength", found: "\(pathLength), down to \(smallestPenalty)",
        wanted: "at least 1, down to a share in (0, 1]")
    }
  }

  /// Mean squared errors of rows that were held out, for every slack, penalty, and with or without refitting.
  private func crossValidated<Scalar: LinearScalar>(
    _ design: Tensor<Scalar>, _ observed: Tensor<Scalar>, folds: Int, _ progress: WorkProgress
  ) throws -> (Choice, [RandomSupportScore]) {
    let slacks = slacksToTry
    let modes = refits ? [false, true] : [false]
    var random = RandomStream(seed: seed)
    let order = random.permutation(design.rows).scalars
    var sums = [Double](repeating: 0, count: slacks.count * pathLength * modes.count)
    for fold in 0..<folds {
      try progress.report(fold, of: folds, "fold")
      let held = Tensor<Int>(order.indices.filter { $0 % folds == fold }.map { order[$0] }.sorted())
      let kept = Tensor<Int>(order.indices.filter { $0 % folds != fold }.map { order[$0] }.sorted())
      let (x, y) = (design.gathered(kept), observed.gathered(kept))
      let (newX, newY) = (design.gathered(held), observed.gathered(held))
      let svd = try SingularValueDecomposition(of: x)
      for (s, slack) in slacks.enumerated() {
        let parts = try preconditioner(slack).fit(x)
        let problem = SplitProblem(parts, y)
        let largest = lasso.largestPenalty(parts.unitColumns, observed: problem.rest)
        let path = try lasso.path(parts.unitColumns, observed: problem.rest, penalties: penalties(from: largest))
        let explanation = try combination == .columns ? Explanation(x, parts, .columns) : Explanation(x, parts, svd)
        for p in 0..<pathLength {
          let theta = path.coefficients[p].copied()
          let plain = explanation.coefficients(problem.unpenalized, theta)
          for (m, refits) in modes.enumerated() {
            var coefficients = plain
            if refits, let (own, fitted) = try problem.refitted(theta) {
              coefficients = explanation.coefficients(own, fitted)
            }
            let error = (newX.matmul(coefficients) - newY).sumOfSquares().scalar
            sums[(s * pathLength + p) * modes.count + m] += Double(error)
          }
        }
      }
    }
    var table: [RandomSupportScore] = []
    for (s, slack) in slacks.enumerated() {
      for p in 0..<pathLength {
        for (m, refits) in modes.enumerated() {
          let error = sums[(s * pathLength + p) * modes.count + m] / Double(design.rows)
          table.append(RandomSupportScore(slack: slack, pathPlace: p, isRefitted: refits, criterion: error))
        }
      }
    }
    return (best(of: table), table)
  }

  private func best(of table: [RandomSupportScore]) -> Choice {
    guard let best = table.min(by: { $0.criterion < $1.criterion }) else {
      return Choice(slack: defaultSlack, penalty: 0, refits: false)
    }
    return Choice(slack: best.slack, penalty: best.pathPlace, refits: best.isRefitted)
  }

  /// The extended information criterion of every slack, penalty, and with or without refitting.
  private func byInformation<Scalar: LinearScalar>(
    _ design: Tensor<Scalar>, _ observed: Tensor<Scalar>, gamma: Double
  ) throws -> (Choice, [RandomSupportScore]) {
    let n = Double(design.rows)
    var table: [RandomSupportScore] = []
    for slack in slacksToTry {
      let parts = try preconditioner(slack).fit(design)
      let problem = SplitProblem(parts, observed)
      let largest = lasso.largestPenalty(parts.unitColumns, observed: problem.rest)
      let path = try lasso.path(parts.unitColumns, observed: problem.rest, penalties: penalties(from: largest))
      for place in 0..<pathLength {
        let theta = path.coefficients[place].copied()
        let selected = (theta .!= 0).trueCount
        let free = selected + parts.dimension
        // With as many numbers as rows, every criterion is minus infinity.
        guard 2 * free < design.rows else { continue }
        let ways = logBinomial(Double(parts.activeCount), Double(selected))
        for refits in refits ? [false, true] : [false] {
          let fitted = refits ? try problem.refitted(theta)?.theta : theta
          guard let fitted else { continue }
          let square = Double((problem.rest - parts.unitColumns.matmul(fitted)).sumOfSquares().scalar)
          let fit = n * Double.log(max(square / n, .leastNormalMagnitude))
          table.append(
            RandomSupportScore(
              slack: slack, pathPlace: place, isRefitted: refits,
              criterion: fit + Double(free) * Double.log(n) + 2 * gamma * ways))
        }
      }
    }
    return (best(of: table), table)
  }
}

/// log of n! / (k! (n - k)!).
private func logBinomial(_ n: Double, _ k: Double) -> Double {
  Double.logGamma(n + 1) - Double.logGamma(k + 1) - Double.logGamma(n - k + 1)
}

/// A setting, and what speaks against it.
public struct RandomSupportScore: Sendable, Hashable {
  public let slack: Double
  public let pathPlace: Int
  public let isRefitted: Bool
  /// The mean squared error on held-out rows, or the information criterion: least is best.
  public let criterion: Double
}

/// A sparse linear model on a preconditioned design.
public struct RandomSupportFit<Scalar: LinearScalar>: Sendable {
  /// w, of shape [d], with X w equal to the prediction: θ_j / ν_j on the support, and of the combinations that give the part
  /// along U the one of least norm, or of few columns, as was asked for.
  public let coefficients: Tensor<Scalar>
  /// The columns that the lasso selected.
  public let support: [Int]
  /// Fitted values, of shape [N].
  public let prediction: Tensor<Scalar>
  public let design: PreconditionedDesign<Scalar>
  public let penalty: Double
  /// An upper bound on how far the lasso's objective is above its minimum.
  public let dualityGap: Double
  public let sweeps: Int
  public let isRefitted: Bool
  /// What cross-validation, or the information criterion, saw.
  public let scores: [RandomSupportScore]

  /// How many directions are fitted without penalty.
  public var unpenalizedDimension: Int { design.dimension }

  /// Predictions for new rows, of shape [n, d] or [d].
  public func predict(_ rows: Tensor<Scalar>) -> Tensor<Scalar> { rows.matmul(coefficients) }
}
