import LinearAlgebra
import Numerics
import Tensors

/// min ‖U x‖₁ subject to cᵀx = 1 along the edges of the polytope, from a good start.
///
/// A vertex is given by size - 1 rows with u_jᵀx = 0. With g the sum of the signed other rows, g = Σ v_j u_j + v_c c over
/// the vertex' rows; x is optimal if no |v_j| exceeds one. Otherwise the row of the largest is left, and the exact line
/// search along the edge finds the row that takes its place.
///
/// - Source: Barrodale and Roberts, "An improved algorithm for discrete l1 linear approximation", SIAM J. Numer. Anal. 10
///   (1973).
struct VertexDescent {
  let rows: Int
  let size: Int
  /// Uᵀ, of shape [size, rows].
  let columns: UnsafePointer<Double>
  let c: [Double]

  /// Replaces the minimum by that of the best vertex reached, if it is better, and its bound by the one found there.
  mutating func improve(
    _ best: inout LpMinimizer.Minimum, residual: UnsafeMutablePointer<Double>, work: UnsafeMutablePointer<Double>
  ) {
    guard best.cost < .infinity else { return }
    product(best.x, residual)
    guard var active = startingRows(residual, work) else { return }
    for _ in 0..<50 + 10 * size {
      guard let inverse = inverse(of: active) else { return }
      // x is the last column of the inverse of [u_active; cᵀ].
      let x = (0..<size).map { inverse[$0 * size + size - 1] }
      product(x, residual)
      for row in active { residual[row] = 0 }
      var cost = 0.0
      let largest = max(
        Double.reduce(.largest, residual, stride: 1, count: rows),
        -Double.reduce(.smallest, residual, stride: 1, count: rows))
      for j in 0..<rows {
        if residual[j].magnitude <= 1e-15 * largest { residual[j] = 0 }
        cost += residual[j].magnitude
        work[j] = residual[j] == 0 ? 0 : residual[j] > 0 ? 1 : -1
      }
      let slopes = multipliers(work, inverse)
      if cost < best.cost { (best.cost, best.x) = (cost, x) }
      let worst = (0..<size - 1).max { slopes[$0].magnitude < slopes[$1].magnitude }
      let excess = worst.map { slopes[$0].magnitude } ?? 0
      // ‖y‖_∞ = max(1, |v|) / cost for the y of this vertex.
      best.lowerBound = max(best.lowerBound, cost / max(1, excess))
      guard let worst, excess > 1 + 1e-11 else {
        best.isConverged = true
        return
      }
      let sign = slopes[worst] > 0 ? -1.0 : 1.0
      let direction = (0..<size).map { sign * inverse[$0 * size + worst] }
      product(direction, work)
      guard let entering = lineSearch(residual, work, slope: 1 - excess, leaving: active[worst]) else { return }
      active[worst] = entering
    }
  }

  private func product(_ x: [Double], _ result: UnsafeMutablePointer<Double>) {
    Double.multiplyVector(
      transposing: true, rows: size, columns: rows, alpha: 1, columns, leadingA: rows, x, strideX: 1, beta: 0, result,
      strideY: 1)
  }

  private func row(_ j: Int) -> [Double] { (0..<size).map { columns[$0 * rows + j] } }

  /// The size - 1 rows of smallest residual that are independent of each other and of c.
  private func startingRows(
    _ residual: UnsafeMutablePointer<Double>, _ work: UnsafeMutablePointer<Double>
  ) -> [Int]? {
    Double.apply(.absolute, residual, strideA: 1, work, count: rows)
    let order = [Int](unsafeUninitializedCapacity: rows) { buffer, count in
      Double.argsort(work, count: rows, descending: false, buffer.baseAddress!)
      count = rows
    }
    var basis: [[Double]] = []
    func independentPart(_ vector: [Double]) -> [Double]? {
      var rest = vector
      let whole = norm(vector)
      for _ in 0..<2 {
        for direction in basis {
          let along = zip(direction, rest).reduce(0) { $0 + $1.0 * $1.1 }
          for k in rest.indices { rest[k] -= along * direction[k] }
        }
      }
      let length = norm(rest)
      return length > 1e-7 * whole ? rest.map { $0 / length } : nil
    }
    guard let first = independentPart(c) else { return nil }
    basis.append(first)
    var active: [Int] = []
    for j in order where active.count < size - 1 {
      if let part = independentPart(row(j)) {
        basis.append(part)
        active.append(j)
      }
    }
    return active.count == size - 1 ? active : nil
  }

  private func norm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }

  /// The inverse of the matrix with rows u_active and c.
  private func inverse(of active: [Int]) -> [Double]? {
    let vertex = Tensor(shape: [size, size], scalars: (active.map(row) + [c]).flatMap { $0 })
    return try? vertex.inverse().scalars
  }

  /// v with g = Σ v_j u_j + v_c c, for g = Uᵀ signs.
  private func multipliers(_ signs: UnsafePointer<Double>, _ inverse: [Double]) -> [Double] {
    let g = (0..<size).map { Double.dot(columns + $0 * rows, strideA: 1, signs, strideB: 1, count: rows) }
    return (0..<size).map { j in (0..<size).reduce(0) { $0 + g[$1] * inverse[$1 * size + j] } }
  }

  /// The row whose residual is zero at the minimum of Σ|r + t q| over t >= 0, whose slope at zero is given without the
  /// rows that have no residual.
  private func lineSearch(
    _ residual: UnsafePointer<Double>, _ change: UnsafePointer<Double>, slope start: Double, leaving: Int
  ) -> Int? {
    var breaks: [(position: Double, row: Int)] = []
    var slope = start
    for j in 0..<rows where j != leaving && change[j].magnitude > 1e-14 {
      if residual[j] == 0 {
        slope += change[j].magnitude
        breaks.append((0, j))
      } else if residual[j] * change[j] < 0 {
        breaks.append((-residual[j] / change[j], j))
      }
    }
    if slope >= 0 {
      // No descent along this edge: rows without a residual are in the way. The largest of them takes the place.
      return breaks.filter { $0.position == 0 }.max { change[$0.row].magnitude < change[$1.row].magnitude }?.row
    }
    breaks.sort { $0.position < $1.position }
    for (position, row) in breaks where position > 0 {
      slope += 2 * change[row].magnitude
      if slope >= 0 { return row }
    }
    return nil
  }
}
