import LinearAlgebra
import Numerics
import Tensors

/// min ‖U x‖_p^p subject to cᵀx = 1, by iteratively reweighted least squares, with a bound from duality.
///
/// A step with weights w solves Σ w_j u_j u_jᵀ z = c and takes x = z / cᵀz. Then y_j = w_j (u_jᵀ x) cᵀz satisfies Uᵀ y = c
/// exactly, and by Hölder's inequality 1 = cᵀx = yᵀU x <= ‖y‖_q ‖U x‖_p for every feasible x: 1 / ‖y‖_q^p is a lower bound
/// of the minimum, attained where w_j = |u_jᵀ x|^(p-2).
struct LpMinimizer: Sendable {
  let p: Double
  let iterationLimit: Int
  let tolerance: Double
  let rows: Int
  let size: Int
  /// Uᵀ, of shape [size, rows].
  let columns: Tensor<Double>

  struct Minimum: Sendable {
    /// The best feasible x found.
    var x: [Double]
    /// ‖U x‖_p^p.
    var cost: Double
    /// A lower bound of every feasible cost.
    var lowerBound: Double
    var iterations: Int
    /// Whether the cost no longer changed, or its bound was met.
    var isConverged: Bool
  }

  init(p: Double, basis: Tensor<Double>, iterationLimit: Int = 60, tolerance: Double = 1e-10) {
    (self.p, self.iterationLimit, self.tolerance) = (p, iterationLimit, tolerance)
    (rows, size) = (basis.rows, basis.columns)
    columns = basis.transposed.dense
  }

  /// Buffers for one minimization at a time.
  final class Workspace {
    var scaled: [Double], weights: [Double], residual: [Double], powers: [Double], gram: [Double]
    init(_ minimizer: LpMinimizer) {
      scaled = [Double](repeating: 0, count: minimizer.rows * minimizer.size)
      weights = [Double](repeating: 0, count: minimizer.rows)
      (residual, powers) = (weights, weights)
      gram = [Double](repeating: 0, count: minimizer.size * minimizer.size)
    }
  }

  /// - Parameter polishing: for p = 1, whether to go on to a vertex: exact, but of several passes over U more.
  func minimize(_ c: [Double], _ work: Workspace, polishing: Bool = true) -> Minimum {
    var best = Minimum(
      x: [Double](repeating: 0, count: size), cost: .infinity, lowerBound: 0, iterations: 0, isConverged: false)
    columns.withUnsafeBuffer { columns in
      work.scaled.withUnsafeMutableBufferPointer { scaled in
        work.weights.withUnsafeMutableBufferPointer { weights in
          work.residual.withUnsafeMutableBufferPointer { residual in
            work.powers.withUnsafeMutableBufferPointer { powers in
              work.gram.withUnsafeMutableBufferPointer { gram in
                reweight(
                  c, columns.baseAddress!, scaled.baseAddress!, weights.baseAddress!, residual.baseAddress!,
                  powers.baseAddress!, gram, &best, polishing: polishing)
                if p == 1 && polishing {
                  var vertex = VertexDescent(rows: rows, size: size, columns: columns.baseAddress!, c: c)
                  vertex.improve(&best, residual: residual.baseAddress!, work: powers.baseAddress!)
                }
              }
            }
          }
        }
      }
    }
    return best
  }

  private func reweight(
    _ c: [Double], _ columns: UnsafePointer<Double>, _ scaled: UnsafeMutablePointer<Double>,
    _ weights: UnsafeMutablePointer<Double>, _ residual: UnsafeMutablePointer<Double>,
    _ powers: UnsafeMutablePointer<Double>, _ gram: UnsafeMutableBufferPointer<Double>, _ best: inout Minimum,
    polishing: Bool
  ) {
    weights.update(repeating: 1, count: rows)
    // Where the edges of the polytope are followed afterwards, they need no more than a good start.
    let limit = p == 1 && polishing ? min(iterationLimit, 20) : iterationLimit
    var previous = Double.infinity
    // Undamped, the iteration oscillates for p >= 3; this is Newton's step length.
    let damping = p > 2 ? 1 / (p - 1) : 1
    var z = c
    for iteration in 1...limit {
      z = c
      guard solve(&z, columns, scaled, weights, gram) else { break }
      var product = 0.0
      for k in 0..<size { product += c[k] * z[k] }
      guard product > 0, product.isFinite else { break }
      let x = z.map { $0 / product }
      applyColumns(columns, x, residual)
      Double.apply(.absolute, residual, strideA: 1, residual, count: rows)
      let cost = powerSum(residual, p, powers)
      let isBest = cost < best.cost
      if isBest { (best.cost, best.x) = (cost, x) }
      best.iterations = iteration
      let isSettled = (previous - cost).magnitude <= tolerance * cost
      let isLast = iteration == limit
      if p == 2 || isSettled || isLast {
        best.lowerBound = max(best.lowerBound, dualBound(weights, residual, product, powers))
        best.isConverged = p == 2 || isSettled
        // The cost settles before the weights do, which the bound is made of.
        if p == 2 || isLast || best.cost - best.lowerBound <= 1e4 * tolerance * best.cost { break }
      }
      // For p = 1 the costs creep, but a bound within the tolerance says that nothing is left to gain.
      if iteration.isMultiple(of: 10) {
        best.lowerBound = max(best.lowerBound, dualBound(weights, residual, product, powers))
        if best.cost - best.lowerBound <= tolerance * best.cost {
          best.isConverged = true
          break
        }
      }
      previous = cost
      updateWeights(weights, residual, powers, damping)
    }
  }

  /// Σ|u_jᵀx|^p.
  private func powerSum(
    _ residual: UnsafePointer<Double>, _ p: Double, _ powers: UnsafeMutablePointer<Double>
  ) -> Double {
    if p == 1 { return Double.reduce(.sum, residual, stride: 1, count: rows) }
    if p == 2 { return Double.dot(residual, strideA: 1, residual, strideB: 1, count: rows) }
    var exponent = p
    Double.apply(.power, residual, strideA: 1, &exponent, strideB: 0, powers, count: rows)
    return Double.reduce(.sum, powers, stride: 1, count: rows)
  }

  /// w ← w^(1-θ) max(r, 1e-9 max r)^(θ (p-2)).
  private func updateWeights(
    _ weights: UnsafeMutablePointer<Double>, _ residual: UnsafePointer<Double>,
    _ powers: UnsafeMutablePointer<Double>, _ damping: Double
  ) {
    let largest = Double.reduce(.largest, residual, stride: 1, count: rows)
    var floor = 1e-9 * largest
    Double.apply(.maximum, residual, strideA: 1, &floor, strideB: 0, powers, count: rows)
    // Relative to the largest, so that nothing overflows.
    var scale = 1 / largest
    Double.apply(.multiply, powers, strideA: 1, &scale, strideB: 0, powers, count: rows)
    if p == 1 {
      Double.apply(.reciprocal, powers, strideA: 1, weights, count: rows)
      return
    }
    var exponent = damping * (p - 2)
    Double.apply(.power, powers, strideA: 1, &exponent, strideB: 0, powers, count: rows)
    if damping == 1 {
      weights.update(from: powers, count: rows)
    } else {
      var rest = 1 - damping
      Double.apply(.power, weights, strideA: 1, &rest, strideB: 0, weights, count: rows)
      Double.apply(.multiply, weights, strideA: 1, powers, strideB: 1, weights, count: rows)
    }
  }

  /// 1 / ‖y‖_q^p for y = w |U x| cᵀz.
  private func dualBound(
    _ weights: UnsafePointer<Double>, _ residual: UnsafePointer<Double>, _ product: Double,
    _ powers: UnsafeMutablePointer<Double>
  ) -> Double {
    Double.apply(.multiply, weights, strideA: 1, residual, strideB: 1, powers, count: rows)
    let largest = Double.reduce(.largest, powers, stride: 1, count: rows)
    guard largest > 0 else { return 0 }
    if p == 1 { return 1 / (largest * product) }
    var scale = 1 / largest
    Double.apply(.multiply, powers, strideA: 1, &scale, strideB: 0, powers, count: rows)
    let q = p / (p - 1)
    var exponent = q
    Double.apply(.power, powers, strideA: 1, &exponent, strideB: 0, powers, count: rows)
    let norm = Double.pow(Double.reduce(.sum, powers, stride: 1, count: rows), 1 / q) * largest * product
    return Double.pow(norm, -p)
  }

  /// Solves Σ w_j u_j u_jᵀ z = c by Cholesky; a matrix that is not positive definite is raised a little.
  private func solve(
    _ z: inout [Double], _ columns: UnsafePointer<Double>, _ scaled: UnsafeMutablePointer<Double>,
    _ weights: UnsafePointer<Double>, _ gram: UnsafeMutableBufferPointer<Double>
  ) -> Bool {
    for k in 0..<size {
      Double.apply(
        .multiply, columns + k * rows, strideA: 1, weights, strideB: 1, scaled + k * rows, count: rows)
    }
    // Large problems by parts of the rows, each on its own core; the parts follow from the shape alone.
    let parts = rows * size * size > 1 << 22 ? 4 : 1
    var partial = [Double](repeating: 0, count: parts * size * size)
    partial.withUnsafeMutableBufferPointer { partial in
      let start = partial.baseAddress!
      parallelTasks(parts) { part in
        let first = rows * part / parts
        let count = rows * (part + 1) / parts - first
        Double.multiply(
          transposingA: false, transposingB: true, rows: size, columns: size, inner: count, alpha: 1, scaled + first,
          leadingA: rows, columns + first, leadingB: rows, beta: 0, start + part * size * size, leadingC: size)
      }
      for i in 0..<size * size {
        gram[i] = 0
        for part in 0..<parts { gram[i] += partial[part * size * size + i] }
      }
    }
    var trace = 0.0
    for k in 0..<size { trace += gram[k * size + k] }
    // The factor replaces the lower triangle, and the diagonal; the upper triangle is there for the next attempt.
    let diagonal = (0..<size).map { gram[$0 * size + $0] }
    guard let start = gram.baseAddress else { return false }
    var ridge = 0.0
    for _ in 0..<6 {
      for k in 0..<size {
        for j in 0..<k { gram[k * size + j] = gram[j * size + k] }
        gram[k * size + k] = diagonal[k] + ridge
      }
      if SmallCholesky.factor(start, size: size, stride: size) {
        z.withUnsafeMutableBufferPointer { z in
          SmallCholesky.solve(start, size: size, stride: size, z.baseAddress!)
        }
        return true
      }
      ridge = max(ridge * 100, 1e-12 * trace / Double(size))
    }
    return false
  }

  /// U x.
  private func applyColumns(_ columns: UnsafePointer<Double>, _ x: [Double], _ result: UnsafeMutablePointer<Double>) {
    Double.multiplyVector(
      transposing: true, rows: size, columns: rows, alpha: 1, columns, leadingA: rows, x, strideX: 1, beta: 0, result,
      strideY: 1)
  }
}
