public import LinearAlgebra
import Numerics
public import Tensors

/// How far a sample is from keeping ‖A x‖_p^p for every x: η = sup |‖S A x‖_p^p / ‖A x‖_p^p - 1|, from below.
///
/// The supremum is over a function with many local ones. From several starts, x is moved to the top (or bottom)
/// eigenvector of the pencil of H = Σ s_j^p u_j a_j a_jᵀ and G = Σ u_j a_j a_jᵀ with u_j = |a_jᵀx|^(p-2), whose Rayleigh
/// quotient at x is the ratio itself.
///
/// - Complexity: O(n d²) a step.
public struct LpDistortion: Sendable, Hashable {
  public var p: Double
  /// Random starts, in addition to the directions of the five rows of largest leverage.
  public var starts: Int
  public var steps: Int
  public var seed: UInt64

  public init(p: Double, starts: Int = 4, steps: Int = 8, seed: UInt64 = 1) {
    (self.p, self.starts, self.steps, self.seed) = (p, starts, steps, seed)
  }

  /// - Throws: `InvalidArgument` for settings, a matrix or a sample that do not fit.
  public func measure<Scalar: LinearScalar>(_ matrix: Tensor<Scalar>, _ sample: LpRowSample) throws -> Estimate {
    try requireExponent(p)
    guard starts >= 0, steps >= 1 else {
      throw InvalidArgument("starts", found: "\(starts), \(steps) steps", wanted: "at least 0, and at least 1 step")
    }
    let space = try ColumnSpace(of: matrix)
    guard sample.probabilities.count == matrix.rows else {
      throw InvalidArgument(
        "sample", found: "of \(sample.probabilities.count) rows", wanted: "of the matrix' \(matrix.rows)")
    }
    let u = space.basis
    let small = u.gathered(Tensor(sample.indices))
    guard sample.indices.count >= space.rank, try numericalRank(sample.apply(to: u)) == space.rank else {
      return Estimate(value: .infinity, largestRatio: .infinity, smallestRatio: 0, isRankLost: true)
    }
    let factors = sample.weights.power(p)
    var largest = 1.0
    var smallest = 1.0
    for start in startingPoints(u) {
      for isTop in [true, false] {
        var x = start
        for _ in 0..<steps {
          let all = u.matmul(x).absolute()
          let kept = small.matmul(x).absolute()
          let ratio = ((kept.power(p) * factors).sum() / all.power(p).sum()).scalar
          largest = max(largest, ratio)
          smallest = min(smallest, ratio)
          let floor = 1e-9 * all.maximum().scalar
          let g = weightedGram(u, all.maximum(floor).power(p - 2))
          let h = weightedGram(small, kept.maximum(floor).power(p - 2) * factors)
          guard let pencil = try? GeneralizedSymmetricEigendecomposition(of: h, metric: g) else { break }
          x = pencil.vectors[.all, isTop ? space.rank - 1 : 0].dense
          x /= x.norm().scalar
        }
      }
    }
    return Estimate(
      value: max(largest - 1, 1 - smallest), largestRatio: largest, smallestRatio: smallest, isRankLost: false)
  }

  private func weightedGram(_ u: Tensor<Double>, _ weights: Tensor<Double>) -> Tensor<Double> {
    (u * weights.sqrt().expanded(axis: 1)).multipliedByOwnTranspose(transposing: true)
  }

  private func numericalRank(_ matrix: Tensor<Double>) throws -> Int {
    try PivotedQRDecomposition(of: QRDecomposition(of: matrix).upper).rank(tolerance: 1e-12)
  }

  /// In orthonormal coordinates, row i itself is the direction along which it counts most for p = 2.
  private func startingPoints(_ u: Tensor<Double>) -> [Tensor<Double>] {
    var random = RandomStream(seed: seed)
    let order = ColumnSpace.leverageScores(u).topK(min(5, u.rows)).indices.scalars
    let rows = order.map { u[$0].dense }.filter { $0.maximum().scalar != 0 || $0.minimum().scalar != 0 }
    return rows + (0..<starts).map { _ in random.normal([u.columns]) }
  }

  public struct Estimate: Sendable, Hashable {
    /// η, the largest seen: a lower bound of the true one. Infinite when the sample lost rank.
    public let value: Double
    /// The largest and smallest of ‖S A x‖_p^p / ‖A x‖_p^p that were seen.
    public let largestRatio: Double, smallestRatio: Double
    /// Whether S A has a smaller rank than A: some x ≠ 0 with S A x = 0.
    public let isRankLost: Bool
  }
}
