import LinearAlgebra
import Numerics
public import Tensors

/// Points at which an expensive function should be evaluated, few and well spread.
///
/// The Gram matrix G = (1/n) Σ w(x_i) φ(x_i) φ(x_i)ᵀ of the points decides how good a fit by them can be. Independent
/// points need n of the order of m log m for a good one; determinantal points repel each other, and n = 2 m does.
///
/// ```swift
/// var random = RandomStream(seed: 1)
/// let basis = PolynomialBasis(.legendre, count: 10)
/// let design = try DesignSampling(count: 20).sample(basis, random: &random)
/// ```
///
/// - Source: Nouy and Michel, "Weighted least-squares approximation with determinantal point processes and generalized
///   volume sampling", 2023, arXiv 2312.14057, sections 3 to 5.
public struct DesignSampling: Sendable, Hashable {
  public enum Strategy: String, Sendable, Hashable, CaseIterable {
    /// Independent points of ν.
    case independent
    /// Volume sampling: density det G with respect to ν^n. A projection DPP of m points and n - m independent ones.
    case volume
    /// n / m independent projection DPPs; where m does not divide n, the last block and the rest by volume sampling.
    case repeatedDPP = "repeated-dpp"
  }

  public var strategy: Strategy
  /// The number of points, n >= m.
  public var count: Int
  /// Draws are repeated until λ_min(G) is at least this, 1 - δ; `nil` takes the first.
  public var smallestEigenvalue: Double?
  public var attemptLimit: Int

  public init(
    count: Int, strategy: Strategy = .repeatedDPP, smallestEigenvalue: Double? = nil, attemptLimit: Int = 1_000
  ) {
    (self.count, self.strategy) = (count, strategy)
    (self.smallestEigenvalue, self.attemptLimit) = (smallestEigenvalue, attemptLimit)
  }

  /// - Throws: `InvalidArgument` for fewer points than functions and settings out of range; `ConditioningError` when no
  ///   draw was good enough; `CancellationError`.
  /// - Complexity: a projection DPP takes m ln m proposals on average and O(m³ log m) operations, however many candidates
  ///   there are.
  public func sample(
    _ basis: some ApproximationBasis, random: inout RandomStream, progress: WorkProgress = .silent
  ) throws -> SamplingDesign {
    let m = basis.dimension
    guard count >= m else {
      throw InvalidArgument("count", found: "\(count) points", wanted: "at least \(m), the functions of the basis")
    }
    if let limit = smallestEigenvalue, !(limit > 0 && limit < 1) {
      throw InvalidArgument("smallestEigenvalue", found: "\(limit)", wanted: "above 0, below 1")
    }
    guard attemptLimit >= 1 else {
      throw InvalidArgument("attemptLimit", found: "\(attemptLimit)", wanted: "at least 1")
    }
    var best = -Double.infinity
    for attempt in 1...attemptLimit {
      try progress.report(attempt - 1, of: attemptLimit, "designs")
      let design = try SamplingDesign(points(basis, &random), of: basis, attempts: attempt)
      guard let limit = smallestEigenvalue, design.smallestEigenvalue < limit else { return design }
      best = max(best, design.smallestEigenvalue)
    }
    throw ConditioningError(attempts: attemptLimit, best: best, wanted: smallestEigenvalue ?? 0)
  }

  private func points(_ basis: some ApproximationBasis, _ random: inout RandomStream) throws -> Tensor<Double> {
    let m = basis.dimension
    switch strategy {
    case .independent: return basis.sampleOptimal(count, random: &random)
    case .volume: return try volume(basis, count, &random)
    case .repeatedDPP:
      let whole = count / m - (count % m == 0 ? 0 : 1)
      var parts = try (0..<whole).map { _ in try projectionDPP(basis, &random) }
      let rest = count - whole * m
      if rest > 0 { parts.append(try volume(basis, rest, &random)) }
      return .concatenated(parts, axis: 0)
    }
  }

  private func volume(
    _ basis: some ApproximationBasis, _ count: Int, _ random: inout RandomStream
  ) throws -> Tensor<Double> {
    let core = try projectionDPP(basis, &random)
    guard count > core.rows else { return core }
    let rest = basis.sampleOptimal(count - core.rows, random: &random)
    return Tensor.concatenated([core, rest], axis: 0).gathered(random.permutation(count))
  }
}

/// m points with the joint density det[φ(x_i)ᵀφ(x_j)] / m! with respect to μ, of shape [m, variables].
///
/// Point k + 1 has the density (‖φ‖² - ‖Qᵀφ‖²) / (m - k), with Q an orthonormal basis of φ at the points before it. A
/// proposal from ν is accepted with probability 1 - ‖Qᵀφ‖² / ‖φ‖², in the mean (m - k) / m.
///
/// - Throws: `InvalidArgument` when the basis gives no independent values at all, which a basis that is orthonormal does.
/// - Complexity: about m ln m proposals; O(m³ log m) operations, on a finite set too.
/// - Source: Hough, Krishnapur, Peres and Virág, "Determinantal processes and independence", 2006, algorithm 18.
public func projectionDPP(
  _ basis: some ApproximationBasis, _ random: inout RandomStream
) throws -> Tensor<Double> {
  let m = basis.dimension
  var directions = [Double](repeating: 0, count: m * m)
  var found = 0
  var accepted: [Double] = []
  var proposals = 0
  while found < m {
    // Proposals left over after a point are as good for the next one.
    let batch = min(max(32, m / (m - found) + 1), 256)
    let points = basis.sampleOptimal(batch, random: &random)
    let values = basis.evaluate(points)
    proposals += batch
    guard proposals <= 100_000 + 1_000 * m else {
      throw InvalidArgument(
        "basis", found: "\(found) independent values in \(proposals) proposals", wanted: "orthonormal functions")
    }
    values.withUnsafeBuffer { values in
      points.withUnsafeBuffer { points in
        for i in 0..<batch where found < m {
          let phi = values.baseAddress! + i * m
          let whole = Double.dot(phi, strideA: 1, phi, strideB: 1, count: m)
          let inside = directions.withUnsafeBufferPointer { directions in
            (0..<found).reduce(0.0) { sum, k in
              let along = Double.dot(directions.baseAddress! + k * m, strideA: 1, phi, strideB: 1, count: m)
              return sum + along * along
            }
          }
          let level = Double.random(in: 0..<1, using: &random)
          guard whole > 0, level * whole < whole - inside else { continue }
          if append(phi, to: &directions, found: found, m) {
            found += 1
            for k in 0..<basis.variables { accepted.append(points[i * basis.variables + k]) }
          }
        }
      }
    }
  }
  return Tensor(shape: [m, basis.variables], scalars: accepted)
}

/// Appends the part of φ that is orthogonal to the directions, twice projected; false where nothing but rounding is left.
private func append(_ phi: UnsafePointer<Double>, to directions: inout [Double], found: Int, _ m: Int) -> Bool {
  directions.withUnsafeMutableBufferPointer { directions in
    let vector = directions.baseAddress! + found * m
    vector.update(from: phi, count: m)
    let whole = Double.dot(vector, strideA: 1, vector, strideB: 1, count: m)
    for _ in 0..<2 {
      for k in 0..<found {
        let direction = directions.baseAddress! + k * m
        let product = Double.dot(direction, strideA: 1, vector, strideB: 1, count: m)
        for j in 0..<m { vector[j] -= product * direction[j] }
      }
    }
    let rest = Double.dot(vector, strideA: 1, vector, strideB: 1, count: m)
    guard rest > 1e-20 * whole else { return false }
    let scale = 1 / rest.squareRoot()
    for j in 0..<m { vector[j] *= scale }
    return true
  }
}

/// Points with their weights, and the certificate of how well they determine a fit.
public struct SamplingDesign: Sendable {
  /// Of shape [n, variables].
  public let points: Tensor<Double>
  /// w(x_i) = m / k(x_i), of shape [n].
  public let weights: Tensor<Double>
  /// φ(x_i), of shape [n, m].
  public let values: Tensor<Double>
  /// λ_min(G) and λ_max(G): one each for a perfect design. ‖û - Pu‖² is at most λ_min^-2 ‖(1/n) Σ w φ (u - Pu)‖².
  public let smallestEigenvalue: Double, largestEigenvalue: Double
  /// How many designs were drawn until this one was good enough.
  public let attempts: Int

  public var count: Int { points.rows }

  /// ‖u - û‖ <= this factor times the distance of u to the space in the supremum norm, for these very points:
  /// 1 + (mean w / λ_min)^½.
  public var supremumFactor: Double {
    smallestEigenvalue > 0 ? 1 + (weights.mean().scalar / smallestEigenvalue).squareRoot() : .infinity
  }

  /// For a basis of candidates: the number of the candidate at each point.
  public var candidates: [Int] { points.flattened.scalars.map { Int($0) } }

  /// A design at points that a person has chosen.
  ///
  /// - Throws: `InvalidArgument` for wrong shapes, or a point where all functions are zero.
  public init(_ points: Tensor<Double>, of basis: some ApproximationBasis, attempts: Int = 1) throws {
    guard points.rank == 2, points.columns == basis.variables, points.rows > 0 else {
      throw InvalidArgument(
        "points", found: "shape \(points.shape)", wanted: "shape [n, \(basis.variables)], a point a row")
    }
    try points.requireFinite("points")
    self.points = points
    values = basis.evaluate(points)
    let christoffel = values.sumOfSquares(axes: [1])
    if let bad = christoffel.scalars.firstIndex(where: { !($0 > 0 && $0.isFinite) }) {
      throw InvalidArgument(
        "points", found: "point \(bad), \(points[bad].scalars), where the functions are \(christoffel[at: bad])",
        wanted: "points where some function is not zero")
    }
    weights = Double(basis.dimension) / christoffel
    self.attempts = attempts
    let eigenvalues = try Self.gram(values, weights).symmetricEigenvalues().scalars
    smallestEigenvalue = points.rows < basis.dimension ? 0 : eigenvalues.first ?? 0
    largestEigenvalue = eigenvalues.last ?? 0
  }

  static func gram(_ values: Tensor<Double>, _ weights: Tensor<Double>) -> Tensor<Double> {
    let rows = values * (weights / Double(values.rows)).sqrt().expanded(axis: 1)
    return rows.multipliedByOwnTranspose(transposing: true)
  }

  /// Points left out one by one, each time the one of smallest leverage, as long as λ_min(G) of the rest is at least
  /// `smallest`.
  ///
  /// - Throws: `InvalidArgument` unless λ_min(G) of all points is.
  /// - Complexity: O(n (n m + m³)) at most.
  public func thinned(
    keeping smallest: Double, of basis: some ApproximationBasis
  ) throws -> SamplingDesign {
    guard smallest > 0, smallestEigenvalue >= smallest else {
      throw InvalidArgument(
        "smallestEigenvalue", found: "\(smallest)", wanted: "above 0, at most \(smallestEigenvalue) of all points")
    }
    var kept = Array(0..<count)
    while kept.count > basis.dimension {
      let chosen = Tensor(kept)
      let rows = values.gathered(chosen) * weights.gathered(chosen).sqrt().expanded(axis: 1)
      // Leverage in G: the diagonal of R G⁻¹ Rᵀ.
      let upper = try CholeskyDecomposition(of: rows.multipliedByOwnTranspose(transposing: true)).upper
      let inverse = try upper.solveTriangular(.identity(basis.dimension), .upper)
      let leverage = rows.matmul(inverse).sumOfSquares(axes: [1])
      let least = leverage.argmin(axis: 0).scalar
      var rest = kept
      rest.remove(at: least)
      let remaining = Tensor(rest)
      let gram = Self.gram(values.gathered(remaining), weights.gathered(remaining))
      guard (try gram.symmetricEigenvalues().scalars.first ?? 0) >= smallest else { break }
      kept = rest
    }
    return try SamplingDesign(points.gathered(Tensor(kept)), of: basis, attempts: attempts)
  }
}

/// No draw was conditioned well enough.
public struct ConditioningError: Error, Sendable, Hashable, CustomStringConvertible {
  public let attempts: Int
  /// The largest λ_min(G) seen, and the one asked for.
  public let best: Double, wanted: Double

  public var description: String {
    "none of \(attempts) designs has a smallest eigenvalue of \(wanted): the best has \(best); use more points or ask "
      + "for less"
  }
}
