import LinearAlgebra
import Tensors

/// How the weight of the accumulated error is searched.
public enum BetaSolver: Sendable, Hashable {
  /// A grid over the interval, and golden sections around its best point to 0.001.
  case exact(gridPoints: Int = 33)
  /// Rounds of maximizing the ratio over a fixed subspace, which is one of two quadratics.
  case subspace(rounds: Int = 3)
}

/// The beta at which a layer of low rank retains the largest share of its target.
public struct BetaSearch: Sendable {
  public var beta: Double
  /// rho at this beta.
  public var ratio: Double
  /// What was evaluated: betas in increasing order, and rho there.
  public var curve: [(beta: Double, ratio: Double)]
}

extension CumulativeTarget {
  /// rho(beta) = ‖SVD_r(G)‖² / ‖G‖²: the share of the target that rank r can hold.
  ///
  /// - Complexity: O(min(m, n)³) time, without vectors.
  public func ratio(rank: Int, beta: Double) throws -> Double {
    try require(rank: rank, beta: beta)
    let gram = gram(beta: beta)
    return retained(try gram.symmetricEigenvalues().scalars, rank: rank)
  }

  private func retained(_ increasing: [Double], rank: Int) -> Double {
    let total = increasing.reduce(0) { $0 + max($1, 0) }
    let kept = increasing.suffix(rank).reduce(0) { $0 + max($1, 0) }
    return total > 0 ? min(1, kept / total) : 1
  }

  /// d rho / d beta, where the singular values r and r + 1 differ.
  public func ratioSlope(rank: Int, beta: Double) throws -> Double {
    try require(rank: rank, beta: beta)
    let (kept, total) = try quadratics(rank: rank, at: beta)
    let (q1, q2) = (kept.value(beta), total.value(beta))
    return q2 > 0 ? (kept.slope(beta) * q2 - q1 * total.slope(beta)) / (q2 * q2) : 0
  }

  /// The beta in `range` with the largest rho.
  ///
  /// - Throws: `InvalidArgument` for a range that is empty or outside [0, 1], a rank out of range, or fewer than two grid
  ///   points.
  /// - Complexity: one symmetric eigenvalue problem of size min(m, n) for each grid point, several at a time, or one with
  ///   vectors for each round.
  public func search(
    rank: Int, range: ClosedRange<Double> = 0.5...0.9, solver: BetaSolver = .exact()
  ) throws -> BetaSearch {
    try require(rank: rank, beta: range.lowerBound)
    try require(rank: rank, beta: range.upperBound)
    guard correction != nil, range.lowerBound < range.upperBound else {
      let ratio = try ratio(rank: rank, beta: range.lowerBound)
      return BetaSearch(beta: range.lowerBound, ratio: ratio, curve: [(range.lowerBound, ratio)])
    }
    switch solver {
    case .exact(let points): return try exact(rank, range, points)
    case .subspace(let rounds): return try subspace(rank, range, rounds)
    }
  }

  private func exact(_ rank: Int, _ range: ClosedRange<Double>, _ points: Int) throws -> BetaSearch {
    guard points >= 2 else { throw InvalidArgument("gridPoints", found: "\(points)", wanted: "at least two") }
    let length = range.upperBound - range.lowerBound
    let betas = (0..<points).map { range.lowerBound + length * Double($0) / Double(points - 1) }
    let ratios = try parallelMap(points) { try ratio(rank: rank, beta: betas[$0]) }
    var curve = Array(zip(betas, ratios))
    let best = ratios.indices.max { ratios[$0] < ratios[$1] } ?? 0
    // At an end of the interval no section is better: the ratio falls from there.
    if best > 0, best < points - 1 {
      curve += try golden(rank, betas[best - 1]...betas[best + 1])
      curve.sort { $0.0 < $1.0 }
    }
    let chosen = curve.max { $0.1 < $1.1 } ?? (range.lowerBound, ratios[0])
    return BetaSearch(beta: chosen.0, ratio: chosen.1, curve: curve.map { (beta: $0.0, ratio: $0.1) })
  }

  private func golden(_ rank: Int, _ range: ClosedRange<Double>) throws -> [(Double, Double)] {
    let section = (5.0.squareRoot() - 1) / 2
    var (low, high) = (range.lowerBound, range.upperBound)
    var seen: [(Double, Double)] = []
    func value(_ beta: Double) throws -> Double {
      let ratio = try ratio(rank: rank, beta: beta)
      seen.append((beta, ratio))
      return ratio
    }
    var (left, right) = (high - section * (high - low), low + section * (high - low))
    var (atLeft, atRight) = (try value(left), try value(right))
    while high - low > 1e-3 {
      if atLeft >= atRight {
        (high, right, atRight) = (right, left, atLeft)
        left = high - section * (high - low)
        atLeft = try value(left)
      } else {
        (low, left, atLeft) = (left, right, atRight)
        right = low + section * (high - low)
        atRight = try value(right)
      }
    }
    return seen
  }

  /// a + 2 b t + c t².
  private struct Quadratic {
    var a: Double, b: Double, c: Double
    func value(_ t: Double) -> Double { a + 2 * b * t + c * t * t }
    func slope(_ t: Double) -> Double { 2 * b + 2 * c * t }
  }

  /// ‖P G(t)‖² for the projection on the leading left (or right) subspace at `beta`, and ‖G(t)‖².
  private func quadratics(rank: Int, at beta: Double) throws -> (kept: Quadratic, total: Quadratic) {
    let basis = try SymmetricEigendecomposition(of: gram(beta: beta)).largest(rank).vectors.dense
    let isWide = weight.rows <= weight.columns
    func quadratic(_ a: Tensor<Double>, _ b: Tensor<Double>?) -> Quadratic {
      Quadratic(
        a: a.sumOfSquares().scalar, b: b.map { inner(a, $0) } ?? 0, c: b?.sumOfSquares().scalar ?? 0)
    }
    func projected(_ x: Tensor<Double>) -> Tensor<Double> {
      isWide ? basis.matmul(x, transposingA: true) : x.matmul(basis)
    }
    return (quadratic(projected(local), correction.map(projected)), quadratic(local, correction))
  }

  /// A fixed subspace holds at most what the best one does: a round never lowers rho.
  private func subspace(_ rank: Int, _ range: ClosedRange<Double>, _ rounds: Int) throws -> BetaSearch {
    var beta = range.lowerBound
    for _ in 0..<max(rounds, 1) {
      let (q1, q2) = try quadratics(rank: rank, at: beta)
      let constant = q1.b * q2.a - q1.a * q2.b
      let linear = q1.c * q2.a - q1.a * q2.c
      let square = q1.c * q2.b - q1.b * q2.c
      var candidates = [range.lowerBound, range.upperBound, beta]
      candidates += roots(square, linear, constant).filter(range.contains)
      let ratio = { (t: Double) in q2.value(t) > 0 ? q1.value(t) / q2.value(t) : 1 }
      let best = candidates.max { ratio($0) < ratio($1) } ?? beta
      if ratio(best) <= ratio(beta) { break }
      beta = best
    }
    let ends = try [range.lowerBound, beta].map { (beta: $0, ratio: try self.ratio(rank: rank, beta: $0)) }
    return BetaSearch(beta: beta, ratio: ends[1].ratio, curve: beta > range.lowerBound ? ends : [ends[1]])
  }

  /// Real roots of a t² + b t + c.
  private func roots(_ a: Double, _ b: Double, _ c: Double) -> [Double] {
    let scale = max(abs(a), abs(b), abs(c))
    if abs(a) <= 1e-14 * scale { return b == 0 ? [] : [-c / b] }
    let discriminant = b * b - 4 * a * c
    guard discriminant >= 0 else { return [] }
    let q = -0.5 * (b + (b < 0 ? -1 : 1) * discriminant.squareRoot())
    return q == 0 ? [0] : [q / a, c / q]
  }
}
