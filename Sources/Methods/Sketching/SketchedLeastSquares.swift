public import LinearAlgebra
import SpecialFunctions
public import Tensors

/// Least squares from a sketch, with an error bound for every coefficient.
///
/// x' minimizes ‖S A x - S b‖ for a random S of few rows. A dense sketch spreads the error: with m of the order of
/// d log³(n / δ) / ε² rows, ‖x' - x*‖_∞ <= (ε / √d) ‖A x* - b‖ ‖A†‖ with probability 1 - δ. In practice 4 d / ε² rows do.
///
/// ```swift
/// let fit = try SketchedLeastSquares(accuracy: 0.25).solve(a, b)
/// fit.solution, fit.standardErrors, fit.entrywiseBound
/// ```
///
/// - Complexity: one pass over A, and O(m d²) for the sketched problem.
/// - Source: Song, Ye, Yin and Zhang, "A nearly-optimal bound for fast regression with ℓ∞ guarantee", ICML 2023,
///   theorem 1.1. Refinement: Avron, Maymounkov and Toledo, "Blendenpik", SIAM J. Sci. Comput. 32 (2010).
public struct SketchedLeastSquares: Sendable, Hashable {
  /// What is done after the sketched problem is solved.
  public enum Refinement: Sendable, Hashable {
    case none
    /// At most this many iterations of LSQR on A, preconditioned by the sketch: full accuracy, two passes over A each.
    case lsqr(iterations: Int)
  }

  /// What is done when the sketch loses rank.
  public enum RankLoss: Sendable, Hashable {
    case fail
    /// The shortest solution of the sketched problem.
    case minimumNorm
  }

  public var sketch: SketchFamily
  /// The rows of the sketch, m; `nil` for what `accuracy` asks for by the practical rule, as far as the sketch can have
  /// them.
  public var rows: Int?
  /// ε of the guarantee.
  public var accuracy: Double
  /// δ: with at most this probability, some coefficient is farther off than its bound.
  public var failureProbability: Double
  public var refinement: Refinement
  public var rankLoss: RankLoss
  public var seed: UInt64

  public init(
    sketch: SketchFamily = .hadamard, rows: Int? = nil, accuracy: Double = 0.5, failureProbability: Double = 0.01,
    refinement: Refinement = .none, rankLoss: RankLoss = .fail, seed: UInt64 = 1
  ) {
    (self.sketch, self.rows, self.accuracy) = (sketch, rows, accuracy)
    (self.failureProbability, self.refinement) = (failureProbability, refinement)
    (self.rankLoss, self.seed) = (rankLoss, seed)
  }

  /// The x that nearly minimizes ‖A x - b‖, for A of shape [n, d] and b of shape [n] or [n, r].
  ///
  /// - Throws: `InvalidArgument` for settings and shapes that do not fit, and for numbers that are not finite;
  ///   `SketchRankError` when S A has dependent columns and the shortest solution is not asked for.
  public func solve<Scalar: SketchScalar>(
    _ matrix: Tensor<Scalar>, _ rightSide: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> SketchedSolution<Scalar> {
    try matrix.requireMatrix("matrix")
    let rows = try sketchRows(matrix.shape, rightSide)
    var random = RandomStream(seed: seed)
    let sketch = try sketch.makeSketch(rows: rows, columns: matrix.rows, random: &random, of: Scalar.self)
    let small = try sketch.apply(matrix)
    return try solve(matrix, small, rightSide, sketch, progress)
  }

  /// The same for a sparse A, with one of the sparse sketches.
  public func solve<Scalar: SketchScalar>(
    _ matrix: SparseMatrix<Scalar>, _ rightSide: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> SketchedSolution<Scalar> {
    try matrix.requireFinite("matrix")
    let nonzeros: Int
    switch sketch {
    case .countSketch: nonzeros = 1
    case .blockSigns(let count): nonzeros = count
    default:
      throw InvalidArgument("sketch", found: "\(sketch) for a sparse matrix", wanted: "countSketch or blockSigns")
    }
    let rows = try sketchRows(matrix.shape, rightSide)
    var random = RandomStream(seed: seed)
    let sketch = try SignSketch<Scalar>(rows: rows, columns: matrix.rows, nonzeros: nonzeros, random: &random)
    return try solve(matrix, sketch.apply(matrix), rightSide, sketch, progress)
  }

  /// The rows of the sketch, after all checks.
  private func sketchRows<Scalar: SketchScalar>(_ shape: [Int], _ rightSide: Tensor<Scalar>) throws -> Int {
    let (n, d) = (shape[0], shape[1])
    guard n > 0, d > 0 else {
      throw InvalidArgument("matrix", found: "shape \(shape)", wanted: "at least one row and column")
    }
    guard rightSide.rank == 1 || rightSide.rank == 2, rightSide.shape[0] == n, rightSide.count > 0 else {
      throw InvalidArgument(
        "rightSide", found: "shape \(rightSide.shape)",
        wanted: "shape [\(n)] or [\(n), r], a row for each of the matrix")
    }
    try rightSide.requireFinite("rightSide")
    guard accuracy > 0, accuracy.isFinite else {
      throw InvalidArgument("accuracy", found: "\(accuracy)", wanted: "above 0")
    }
    guard failureProbability > 0, failureProbability < 1 else {
      throw InvalidArgument("failureProbability", found: "\(failureProbability)", wanted: "above 0, below 1")
    }
    if case .lsqr(let iterations) = refinement, iterations < 1 {
      throw InvalidArgument("refinement", found: "\(iterations) iterations", wanted: "at least 1")
    }
    let most = sketch.mostRows(columns: n)
    let rows = self.rows ?? min(EntrywiseGuarantee.practicalRows(dimension: d, accuracy: accuracy), most)
    guard rows >= d, rows <= most else {
      throw InvalidArgument(
        "rows", found: "\(rows)",
        wanted: d <= most
          ? "at least \(d), the columns of the matrix, and at most \(most)" : "a matrix with more rows than columns")
    }
    return rows
  }

  private func solve<Scalar: SketchScalar>(
    _ matrix: some LinearOperator<Scalar>, _ small: Tensor<Scalar>, _ rightSide: Tensor<Scalar>,
    _ sketch: any RowSketch<Scalar>, _ progress: WorkProgress
  ) throws -> SketchedSolution<Scalar> {
    let d = small.columns
    let right = try sketch.apply(rightSide.rank == 1 ? rightSide.expanded(axis: 1) : rightSide)
    let factors = try QRDecomposition(of: small)
    // Rank is decided on the triangle, where pivoting is cheap.
    let rank = try PivotedQRDecomposition(of: factors.upper).rank(tolerance: .ulpOfOne * Scalar(sketch.rows))
    var solution: Tensor<Scalar>
    if rank == d {
      solution = try factors.upper.solveTriangular(factors.orthogonal.matmul(right, transposingA: true), .upper)
    } else if rankLoss == .minimumNorm {
      solution = try small.leastSquares(right).solution
    } else {
      throw SketchRankError(rank: rank, columns: d, rows: sketch.rows)
    }
    let residual = (small.matmul(solution) - right).norm(axis: 0)
    var result = SketchedSolution(
      solution: solution, sketchedResidual: residual, rows: sketch.rows, rank: rank,
      accuracy: (4 * Double(d) / Double(sketch.rows)).squareRoot())
    try addCertificate(&result, factors.upper, isDense: sketch.isDense)
    if case .lsqr(let iterations) = refinement, rank == d {
      result.refinement = []
      let upper = factors.upper
      let preconditioned = FunctionOperator<Scalar>(
        rows: matrix.shape[0], columns: d, { try matrix.apply(upper.solveTriangular($0, .upper)) },
        transposed: { try upper.solveTriangular(matrix.applyTransposed($0), .upper, transposing: true) })
      let b = rightSide.rank == 1 ? rightSide.expanded(axis: 1) : rightSide
      let rest = b - (try matrix.apply(solution))
      let method = LSQR(tolerance: Double(Scalar.ulpOfOne) * 10, iterationLimit: iterations)
      for column in 0..<b.columns {
        let step = try method.solve(preconditioned, rest[.all, column].dense, progress: progress)
        solution[.all, column] = solution[.all, column] + (try upper.solveTriangular(step.solution, .upper))
        result.refinement?.append(step.convergence)
      }
      result.solution = solution
      (result.standardErrors, result.entrywiseBound) = (nil, nil)
      result.diagnostic = "The solution was refined: the sketch's errors no longer apply to it."
    }
    if rightSide.rank == 1 { result.squeeze() }
    return result
  }

  /// What the triangle R of S A tells about the error.
  private func addCertificate<Scalar: SketchScalar>(
    _ result: inout SketchedSolution<Scalar>, _ upper: Tensor<Scalar>, isDense: Bool
  ) throws {
    let d = upper.columns
    let values = try upper.singularValues().scalars
    let freedom = result.rows - d
    guard result.rank == d, let largest = values.first, let smallest = values.last else {
      result.diagnostic = "The sketch has rank \(result.rank) of \(d): errors of coefficients cannot be told."
      return
    }
    result.conditionEstimate = Double(largest / smallest)
    result.pseudoInverseNorm = Double(1 / smallest)
    guard freedom > 0 else {
      result.diagnostic = "The sketch has as many rows as columns: no residual is left to tell errors from."
      return
    }
    result.residualEstimate =
      result.sketchedResidual * Scalar((Double(result.rows) / Double(freedom)).squareRoot())
    guard isDense else {
      result.diagnostic = "A sparse sketch may put all of its error into one coefficient: there are no standard errors."
      return
    }
    // Conditional on A, x' - x* has the covariance ‖r‖² (AᵀA)⁻¹ / (m - d - 1); both factors are estimated by the sketch.
    let inverse = try upper.solveTriangular(.identity(d), .upper)
    let spreads = inverse.sumOfSquares(axes: [1], keepingAxes: true).sqrt()
    let errors = spreads * (result.sketchedResidual / Scalar(Double(freedom).squareRoot()))
    let level = 1 - failureProbability / (2 * Double(d))
    result.standardErrors = errors
    result.entrywiseBound = errors * Scalar(Double.studentQuantile(level, degrees: Double(freedom)))
  }
}

/// A solution of sketched least squares, and what is known about its error.
public struct SketchedSolution<Scalar: SketchScalar>: Sendable {
  /// x', of shape [d] or [d, r].
  public internal(set) var solution: Tensor<Scalar>
  /// The standard error of each coefficient against the exact least-squares solution, of the shape of x'; `nil` where
  /// ``diagnostic`` says why.
  public internal(set) var standardErrors: Tensor<Scalar>?
  /// With probability 1 - δ, no coefficient is farther from the exact one than this (Student's quantile, for all
  /// coefficients at once).
  public internal(set) var entrywiseBound: Tensor<Scalar>?
  /// ‖S A x' - S b‖, of shape [] or [r].
  public internal(set) var sketchedResidual: Tensor<Scalar>
  /// An estimate of ‖A x* - b‖, free of the bias of the sketched one.
  public internal(set) var residualEstimate: Tensor<Scalar>?
  /// Of A, by S A.
  public internal(set) var conditionEstimate = Double.infinity
  /// ‖A†‖, by S A.
  public internal(set) var pseudoInverseNorm = Double.infinity
  /// The rows of the sketch, m.
  public let rows: Int
  /// The rank of S A.
  public let rank: Int
  /// ε that the practical rule m = 4 d / ε² gives for these rows.
  public let accuracy: Double
  /// Of the refinement, one for each right side; `nil` without.
  public internal(set) var refinement: [Convergence]?
  /// Why there are no standard errors.
  public internal(set) var diagnostic: String?

  init(solution: Tensor<Scalar>, sketchedResidual: Tensor<Scalar>, rows: Int, rank: Int, accuracy: Double) {
    (self.solution, self.sketchedResidual) = (solution, sketchedResidual)
    (self.rows, self.rank, self.accuracy) = (rows, rank, accuracy)
  }

  /// One right side: vectors instead of matrices of one column.
  fileprivate mutating func squeeze() {
    solution = solution.flattened
    sketchedResidual = sketchedResidual.reshaped([])
    residualEstimate = residualEstimate?.reshaped([])
    standardErrors = standardErrors?.flattened
    entrywiseBound = entrywiseBound?.flattened
  }
}

/// The sketched matrix has dependent columns.
public struct SketchRankError: Error, Sendable, Hashable, CustomStringConvertible {
  public let rank: Int
  public let columns: Int
  /// The rows of the sketch.
  public let rows: Int

  public var description: String {
    "the sketch of \(rows) rows has rank \(rank), but the matrix has \(columns) columns: give the sketch more rows, or "
      + "ask for the shortest solution if the matrix itself has dependent or zero columns"
  }
}
