// The exponential of small matrices, where the cost of a tensor operation would exceed that of its arithmetic.

import Tensors

/// The method of Exponential.swift over raw buffers, with powers of matrices in place of estimates of their norms.
struct SmallExponential<Scalar: LinearScalar> {
  /// Up to this many rows.
  static var largestSize: Int { 64 }

  private let n: Int
  private let count: Int
  /// Room for ten matrices.
  private let work: UnsafeMutablePointer<Scalar>
  private let pivots: UnsafeMutablePointer<Int32>

  /// Replaces each of `stack.count` / n² matrices by its exponential.
  static func replace(_ stack: UnsafeMutableBufferPointer<Scalar>, size n: Int) {
    let total = stack.count / (n * n)
    let start = stack.baseAddress!
    // About 25 products each.
    parallelRanges(total, grain: max(1, 20_000 / (n * n * n))) { range in
      withUnsafeTemporaryAllocation(of: Scalar.self, capacity: 10 * n * n) { work in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: n) { pivots in
          let one = SmallExponential(n: n, count: n * n, work: work.baseAddress!, pivots: pivots.baseAddress!)
          for i in range { one.replace(start + i * n * n) }
        }
      }
    }
  }

  private func slot(_ i: Int) -> UnsafeMutablePointer<Scalar> { work + i * count }

  private func product(
    _ a: UnsafePointer<Scalar>, _ b: UnsafePointer<Scalar>, _ c: UnsafeMutablePointer<Scalar>, adding: Bool = false
  ) {
    Scalar.multiply(
      transposingA: false, transposingB: false, rows: n, columns: n, inner: n, alpha: 1, a, leadingA: n, b,
      leadingB: n, beta: adding ? 1 : 0, c, leadingC: n)
  }

  private func root(_ norm: Double, _ k: Double) -> Double { .pow(norm, 1 / k) }

  private func replace(_ matrix: UnsafeMutablePointer<Scalar>) {
    let (a, a2, a4, a6, a8) = (slot(0), slot(1), slot(2), slot(3), slot(4))
    a.update(from: matrix, count: count)
    let norm = Double(columnNorm(a, n, slot(5)))
    guard norm.isFinite else { return matrix.update(repeating: .nan, count: count) }
    var squarings = 0
    if norm > 1e30 {
      // Scaled before its powers overflow.
      squarings = Int(Double.log2(norm).rounded(.up))
      scale(a, Scalar(Double.exp2(-Double(squarings))), count)
    }
    func extra(_ degree: Int, _ step: Double = 1) -> Int {
      extraHalvings(norm: Double(columnNorm(a, n, slot(5))) * step, degree: degree) {
        Double(absolutePowerNorm(a, n, power: 2 * degree + 1))
      }
    }
    product(a, a, a2)
    let norm2 = Double(columnNorm(a2, n, slot(5)))
    let bound2 = root(norm2, 2)
    if bound2 <= ExponentialDegrees.small[0].limit && extra(3) == 0 { return finish(matrix, 3, squarings) }
    product(a2, a2, a4)
    let norm4 = Double(columnNorm(a4, n, slot(5)))
    let d4 = root(norm4, 4)
    if max(d4, min(bound2, root(norm2 * norm4, 6))) <= ExponentialDegrees.small[1].limit && extra(5) == 0 {
      return finish(matrix, 5, squarings)
    }
    product(a2, a4, a6)
    let d6 = root(Double(columnNorm(a6, n, slot(5))), 6)
    let bound = max(d4, d6)
    for (degree, limit) in ExponentialDegrees.middle where bound <= limit && extra(degree) == 0 {
      if degree == 9 { product(a4, a4, a8) }
      return finish(matrix, degree, squarings)
    }
    var needed = bound
    if bound > ExponentialDegrees.largestNorm {
      product(a4, a4, a8)
      let d8 = root(Double(columnNorm(a8, n, slot(5))), 8)
      product(a4, a6, a8)
      needed = min(bound, max(d8, root(Double(columnNorm(a8, n, slot(5))), 10)))
      needed = min(needed, max(d6, d8))
    }
    var halvings = max(0, Int(Double.log2(max(needed / ExponentialDegrees.largestNorm, 1)).rounded(.up)))
    halvings += extra(13, .exp2(-Double(halvings)))
    if halvings > 0 {
      for (power, part) in [(1, a), (2, a2), (4, a4), (6, a6)] {
        scale(part, Scalar(Double.exp2(-Double(halvings * power))), count)
      }
    }
    finish(matrix, 13, squarings + halvings)
  }

  /// The approximant of a degree from the even powers in slots 1 to 4, squared.
  private func finish(_ matrix: UnsafeMutablePointer<Scalar>, _ degree: Int, _ squarings: Int) {
    let c: [Scalar] = ExponentialDegrees.coefficients(degree)
    let (u, v, w, high) = (slot(5), slot(6), slot(7), slot(8))
    if degree == 13 {
      combine([c[9], c[11], c[13]], constant: nil, high)
      combine([c[3], c[5], c[7]], constant: c[1], w)
      product(slot(3), high, w, adding: true)
      combine([c[8], c[10], c[12]], constant: nil, high)
      combine([c[2], c[4], c[6]], constant: c[0], v)
      product(slot(3), high, v, adding: true)
    } else {
      combine((1...degree / 2).map { c[2 * $0 + 1] }, constant: c[1], w)
      combine((1...degree / 2).map { c[2 * $0] }, constant: c[0], v)
    }
    product(slot(0), w, u)
    // Numerator V + U into `matrix`, denominator V - U into w.
    split(v, u, sum: matrix, difference: w, count)
    // Both are polynomials in A and commute: read as transposes, the buffers give the transposed quotient.
    _ = Scalar.factorLU(rows: n, columns: n, w, leading: n, pivots: pivots)
    Scalar.exchangeRows(columns: n, matrix, leading: n, count: n, pivots: pivots)
    for isUnit in [true, false] {
      Scalar.solveTriangular(
        right: true, upper: isUnit, transposing: false, unitDiagonal: isUnit, rows: n, columns: n, alpha: 1, w,
        leadingA: n, matrix, leadingB: n)
    }
    for _ in 0..<squarings {
      product(matrix, matrix, w)
      matrix.update(from: w, count: count)
    }
  }

  /// The sum of even powers from A² on times coefficients, and of the identity times a constant.
  private func combine(_ coefficients: [Scalar], constant: Scalar?, _ result: UnsafeMutablePointer<Scalar>) {
    for (k, coefficient) in coefficients.enumerated() {
      accumulate(slot(k + 1), coefficient, result, count, isFirst: k == 0)
    }
    if let constant { for i in 0..<n { result[i * n + i] += constant } }
  }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func accumulate<Scalar: LinearScalar>(
  _ x: UnsafePointer<Scalar>, _ factor: Scalar, _ y: UnsafeMutablePointer<Scalar>, _ count: Int, isFirst: Bool
) {
  if isFirst {
    for i in 0..<count { y[i] = factor * x[i] }
  } else {
    for i in 0..<count { y[i] += factor * x[i] }
  }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func scale<Scalar: LinearScalar>(_ x: UnsafeMutablePointer<Scalar>, _ factor: Scalar, _ count: Int) {
  for i in 0..<count { x[i] *= factor }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func split<Scalar: LinearScalar>(
  _ v: UnsafePointer<Scalar>, _ u: UnsafePointer<Scalar>, sum: UnsafeMutablePointer<Scalar>,
  difference: UnsafeMutablePointer<Scalar>, _ count: Int
) {
  for i in 0..<count { (sum[i], difference[i]) = (v[i] + u[i], v[i] - u[i]) }
}

/// The largest sum of magnitudes in a column; `work` holds n numbers.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func columnNorm<Scalar: LinearScalar>(
  _ a: UnsafePointer<Scalar>, _ n: Int, _ work: UnsafeMutablePointer<Scalar>
) -> Scalar {
  work.update(repeating: 0, count: n)
  for i in 0..<n { for j in 0..<n { work[j] += a[i * n + j].magnitude } }
  var largest: Scalar = 0
  for j in 0..<n { largest = max(largest, work[j]) }
  return largest
}

/// ‖ |A / ‖A‖ |^power ‖ in the one-norm, exactly, by products with a vector.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
func absolutePowerNorm<Scalar: LinearScalar>(
  _ a: UnsafePointer<Scalar>, _ n: Int, power: Int
) -> Scalar {
  withUnsafeTemporaryAllocation(of: Scalar.self, capacity: n * n + 2 * n) { buffer in
    let absolute = buffer.baseAddress!
    var sums = absolute + n * n
    var next = sums + n
    Scalar.apply(.absolute, a, strideA: 1, absolute, count: n * n)
    sums.update(repeating: 1, count: n)
    var norm: Scalar = 0
    var result: Scalar = 1
    for step in 0..<power {
      Scalar.multiplyVector(
        transposing: true, rows: n, columns: n, alpha: 1, absolute, leadingA: n, sums, strideX: 1, beta: 0, next,
        strideY: 1)
      let largest = Scalar.reduce(.largest, next, stride: 1, count: n)
      // The first product of ones is the norm itself.
      if step == 0 { norm = largest }
      guard norm > 0 else { return 0 }
      for j in 0..<n { next[j] /= norm }
      result = largest / norm
      swap(&sums, &next)
    }
    return result
  }
}
