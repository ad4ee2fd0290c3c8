import CVectorKernels
public import LinearAlgebra
public import Tensors

/// Solutions of ½ ‖y - Z θ‖² + λ ‖θ‖₁ for falling penalties λ.
public struct LassoPath<Scalar: LinearScalar>: Sendable {
  public let penalties: [Scalar]
  /// θ for each penalty, shape [penalties, d].
  public let coefficients: Tensor<Scalar>
  /// Upper bounds on how far each objective is above its minimum.
  public let dualityGaps: [Double]
  /// Sweeps over active coordinates.
  public let sweepCounts: [Int]
}

/// The lasso by coordinate descent along a path of penalties.
///
/// Each problem starts from the last one's solution and visits the columns that the strong rule expects to matter; the
/// others are checked at the end, and join where the rule was wrong. Every twenty sweeps are extrapolated. Stops on the
/// duality gap.
///
/// - Complexity: O(N) a coordinate, O(N d) a check.
/// - Source: Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent",
///   2010; Tibshirani et al., "Strong rules for discarding predictors in lasso-type problems", 2012.
public struct Lasso: Sendable, Hashable {
  /// Duality gap at which a problem is solved, relative to ‖y‖².
  public var tolerance = 1e-6
  public var sweepLimit = 10_000

  public init(tolerance: Double = 1e-6) { self.tolerance = tolerance }

  /// - Parameters:
  ///   - design: Z, of shape [N, d]; columns of zeros are left out.
  ///   - observed: y, of shape [N].
  ///   - penalties: λ, in falling order to profit from warm starts.
  /// - Throws: `InvalidArgument` for shapes that do not fit, numbers that are not finite, and negative penalties.
  public func path<Scalar: LinearScalar>(
    _ design: Tensor<Scalar>, observed: Tensor<Scalar>, penalties: [Scalar]
  ) throws -> LassoPath<Scalar> {
    try design.requireMatrix("design")
    guard observed.shape == [design.rows] else {
      throw InvalidArgument("observed", found: "shape \(observed.shape)", wanted: "[\(design.rows)]")
    }
    try observed.requireFinite("observed")
    guard !penalties.isEmpty, penalties.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
      throw InvalidArgument("penalties", found: "\(penalties)", wanted: "at least one, none negative")
    }
    var descent = CoordinateDescent(design, observed)
    var gaps: [Double] = []
    var sweeps: [Int] = []
    var rows: [Tensor<Scalar>] = []
    var last = descent.largestCorrelation
    for penalty in penalties {
      let (gap, count) = descent.solve(penalty, last: last, tolerance: tolerance, sweepLimit: sweepLimit)
      gaps.append(gap)
      sweeps.append(count)
      rows.append(descent.coefficients)
      last = penalty
    }
    return LassoPath(
      penalties: penalties, coefficients: .stacked(rows), dualityGaps: gaps, sweepCounts: sweeps)
  }

  /// The least penalty with θ = 0, ‖Zᵀy‖_∞.
  public func largestPenalty<Scalar: LinearScalar>(_ design: Tensor<Scalar>, observed: Tensor<Scalar>) -> Scalar {
    observed.matmul(design).maximumNorm()
  }
}

/// The state of coordinate descent: θ and y - Z θ.
struct CoordinateDescent<Scalar: LinearScalar> {
  /// The columns of Z, one a row, padded to whole lines.
  private let columns: Tensor<Scalar>
  private let squares: Tensor<Scalar>
  private let observed: Tensor<Scalar>
  private(set) var coefficients: Tensor<Scalar>
  private var residual: Tensor<Scalar>

  init(_ design: Tensor<Scalar>, _ observed: Tensor<Scalar>) {
    columns = design.transposed.dense.paddedRows()
    squares = columns.sumOfSquares(axes: [1])
    self.observed = observed.padded([(0, columns.columns - observed.count)], with: 0).dense
    residual = self.observed
    coefficients = .zeros([design.columns])
  }

  private var correlations: Tensor<Scalar> { columns.matmul(residual) }
  var largestCorrelation: Scalar { correlations.maximumNorm() }

  /// Returns the duality gap and the number of sweeps.
  mutating func solve(_ penalty: Scalar, last: Scalar, tolerance: Double, sweepLimit: Int) -> (gap: Double, sweeps: Int)
  {
    let scale = Double(observed.sumOfSquares().scalar)
    var current = correlations
    // The strong rule: a column joins when it could have reached the penalty on the way from the last one.
    var isActive = (current.absolute() .>= 2 * penalty - max(last, penalty)) .| (coefficients .!= 0)
    var sweeps = 0
    while true {
      let list = Tensor<Int32>(isActive.trueIndices.scalars.map { Int32($0) })
      while sweeps < sweepLimit {
        // One look at every candidate, then the ones that are in, until these are settled among themselves.
        let largest = sweep(list, penalty)
        sweeps += 1
        current = correlations
        if largest == 0 || dualityGap(penalty, current, on: isActive) <= tolerance * scale { break }
        let support = coefficients .!= 0
        let inside = Tensor<Int32>(support.trueIndices.scalars.map { Int32($0) })
        for _ in 0..<20 where sweeps < sweepLimit {
          for _ in 0..<15 { _ = sweep(inside, penalty) }
          var iterates = [coefficients]
          for _ in 0..<5 {
            _ = sweep(inside, penalty)
            iterates.append(coefficients)
          }
          sweeps += 20
          extrapolate(iterates, penalty)
          if dualityGap(penalty, correlations, on: support) <= 0.3 * tolerance * scale { break }
        }
      }
      let violates = (.!isActive) .& (current.absolute() .> penalty * (1 + 1e-6))
      guard violates.any, sweeps < sweepLimit else {
        return (max(0, dualityGap(penalty, current, on: nil)), sweeps)
      }
      let widened = isActive .| violates
      isActive = widened
    }
  }

  private mutating func sweep(_ list: Tensor<Int32>, _ penalty: Scalar) -> Double {
    let kernel = recoveryKernels(Scalar.self).lasso_sweep
    let stride = columns.columns
    guard list.count > 0 else { return 0 }
    return columns.withUnsafeBuffer { z in
      squares.withUnsafeBuffer { squares in
        list.withUnsafeBuffer { list in
          coefficients.withUnsafeMutableBuffer { theta in
            residual.withUnsafeMutableBuffer { r in
              kernel(
                z.baseAddress!, stride, list.baseAddress!, list.count, squares.baseAddress!, Double(penalty),
                theta.baseAddress!, r.baseAddress!)
            }
          }
        }
      }
    }
  }

  /// Anderson's step: the affine combination of the last iterates whose changes cancel best, if it is an improvement. On
  /// correlated columns it saves most of the sweeps.
  ///
  /// Source: Bertrand and Massias, "Anderson acceleration of coordinate descent", AISTATS 2021.
  private mutating func extrapolate(_ iterates: [Tensor<Scalar>], _ penalty: Scalar) {
    let changes = Tensor.stacked(zip(iterates, iterates.dropFirst()).map { $1 - $0 })
    let gram = changes.multipliedByOwnTranspose()
    let ridge = gram.diagonal.sum().scalar * 1e-12
    guard ridge > 0, let weights = try? (gram + Tensor.identity(gram.rows) * ridge).solve(Tensor.ones([gram.rows]))
    else { return }
    let total = weights.sum().scalar
    guard total != 0, total.isFinite else { return }
    let proposal = (weights / total).matmul(Tensor.stacked(Array(iterates.dropFirst())))
    let rest = observed - proposal.matmul(columns)
    func objective(_ theta: Tensor<Scalar>, _ r: Tensor<Scalar>) -> Scalar {
      r.sumOfSquares().scalar / 2 + penalty * theta.absolute().sum().scalar
    }
    guard objective(proposal, rest) < objective(coefficients, residual) else { return }
    (coefficients, residual) = (proposal, rest)
  }

  /// Primal less dual objective; the dual point is the residual, shrunk until no correlation exceeds the penalty.
  private func dualityGap(_ penalty: Scalar, _ correlations: Tensor<Scalar>, on mask: Tensor<Bool>?) -> Double {
    let seen = mask.map { correlations * Tensor<Scalar>($0) } ?? correlations
    let top = Double(seen.maximumNorm())
    let shrink = top > Double(penalty) ? Double(penalty) / top : 1
    let square = Double(residual.sumOfSquares().scalar)
    let cross = Double(residual.dot(observed).scalar)
    let size = Double(coefficients.absolute().sum().scalar)
    // ½‖r‖² + λ‖θ‖₁ - (s rᵀy - ½ s²‖r‖²).
    return 0.5 * square * (1 + shrink * shrink) + Double(penalty) * size - shrink * cross
  }
}

/// y and X after the transform F = P S⁻¹ Pᵀ with X = P S Qᵀ, which makes the rows of X orthonormal: the "puffer" baseline.
///
/// - Source: Jia and Rohe, "Preconditioning the lasso for sign consistency", 2015.
public func pufferTransform<Scalar: LinearScalar>(
  _ design: Tensor<Scalar>, observed: Tensor<Scalar>
) throws -> (design: Tensor<Scalar>, observed: Tensor<Scalar>) {
  guard observed.rank == 1, design.rank == 2, observed.count == design.rows else {
    throw InvalidArgument(
      "observed", found: "shape \(observed.shape)", wanted: "a number for each row of \(design.shape)")
  }
  let svd = try SingularValueDecomposition(of: design).truncated(rank: min(design.rows, design.columns))
  let rank = max(svd.rank(), 1)
  let part = svd.truncated(rank: rank)
  let transform = (part.left / part.values).matmul(part.left, transposingB: true)
  return (transform.matmul(design), transform.matmul(observed))
}
