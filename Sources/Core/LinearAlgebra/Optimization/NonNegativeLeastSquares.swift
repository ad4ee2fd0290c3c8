public import Tensors

/// The minimizer of ‖A x - b‖ over x >= 0.
public struct NonNegativeSolution<Scalar: LinearScalar>: Sendable {
  /// x, of shape [n].
  public let solution: Tensor<Scalar>
  /// ‖A x - b‖.
  public let residualNorm: Scalar
  /// The residual is the largest violation of the optimality conditions: a positive component of Aᵀ (b - A x) where x is
  /// zero.
  public let convergence: Convergence
}

/// Least squares with non-negative unknowns, by an active set.
public struct NonNegativeLeastSquares: Sendable, Hashable {
  /// Changes of the set of positive unknowns; by default three times their number.
  public var iterationLimit: Int?
  /// Gradients up to this count as zero; by default the precision times ten times the larger extent times ‖A‖ ‖b‖.
  public var tolerance: Double?

  public init(iterationLimit: Int? = nil, tolerance: Double? = nil) {
    (self.iterationLimit, self.tolerance) = (iterationLimit, tolerance)
  }

  /// Solves for a `matrix` A, of shape [m, n], and a right side b, of shape [m].
  ///
  /// The QR factors of the positive unknowns' columns are kept, and updated when an unknown enters (Gram–Schmidt, twice)
  /// or leaves (rotations): the answer is as accurate as by Householder's method, and not that of the normal equations.
  /// - Throws: `InvalidArgument` for wrong shapes or numbers that are not finite.
  /// - Complexity: O(m n) time for each unknown that enters or leaves; O(m n) memory.
  /// - Source: Lawson and Hanson, "Solving least squares problems", 1974, chapter 23.
  @specialized(where Scalar == Float)
  @specialized(where Scalar == Double)
  public func solve<Scalar: LinearScalar>(
    _ matrix: Tensor<Scalar>, _ rightSide: Tensor<Scalar>
  ) throws -> NonNegativeSolution<Scalar> {
    let a = try matrix.validMatrix()
    try rightSide.requireShape([a.rows], "rightSide")
    let b = rightSide.dense
    let (m, n) = (a.rows, a.columns)
    let scale = a.isEmpty ? 0 : Double(a.oneNorm()) * Double(b.isEmpty ? 0 : b.maximumNorm())
    let limit = tolerance ?? 10 * Double(Scalar.ulpOfOne) * Double(max(m, n)) * max(scale, .leastNormalMagnitude)
    var convergence = Convergence(tolerance: limit, iterationLimit: iterationLimit ?? max(3 * n, 1))
    var state = ActiveSet(columns: a.transposed.dense, rightSide: b)
    while true {
      let candidate = state.steepest(above: Scalar(limit))
      if !convergence.continues(residual: Double(state.violation)) { break }
      guard let candidate else { break }
      state.enter(candidate)
    }
    let x = state.solution
    let residual = b - a.matmul(x)
    return NonNegativeSolution(solution: x, residualNorm: residual.frobeniusNorm(), convergence: convergence)
  }
}

/// The unknowns that are positive, with Q and R of their columns.
private struct ActiveSet<Scalar: LinearScalar> {
  private let m: Int, n: Int
  /// Aᵀ: row j is column j of A.
  private let columns: Tensor<Scalar>
  private var members: [Int] = []
  private var isMember: [Bool]
  /// Rows are the columns of Q, of length m.
  private var q: [Scalar] = []
  /// Column k holds k + 1 entries of R.
  private var r: [[Scalar]] = []
  /// Qᵀ b.
  private var projections: [Scalar] = []
  private var values: [Scalar]
  /// b - A x, and Aᵀ times it.
  private var residual: [Scalar], slopes: [Scalar]
  private let rightSide: [Scalar]
  /// Unknowns that were tried since the last progress and cannot enter.
  private var rejected: Set<Int> = []
  private(set) var violation: Scalar = 0

  init(columns: Tensor<Scalar>, rightSide: Tensor<Scalar>) {
    (m, n) = (columns.columns, columns.rows)
    (self.columns, self.rightSide) = (columns, rightSide.scalars)
    residual = self.rightSide
    slopes = Array(repeating: 0, count: n)
    isMember = Array(repeating: false, count: n)
    values = Array(repeating: 0, count: n)
  }

  var solution: Tensor<Scalar> { Tensor(values) }

  /// The unknown at zero whose increase lowers the residual fastest, if one does.
  mutating func steepest(above limit: Scalar) -> Int? {
    guard n > 0, m > 0 else { return nil }
    columns.withUnsafeBuffer {
      Scalar.multiplyVector(
        transposing: false, rows: n, columns: m, alpha: 1, $0.baseAddress!, leadingA: m, residual, strideX: 1, beta: 0,
        &slopes, strideY: 1)
    }
    let best = largestAllowed(slopes, isMember, rejected)
    violation = best.map { slopes[$0] } ?? 0
    return violation > limit ? best : nil
  }

  /// Makes an unknown positive, and as many others zero as then would be negative.
  mutating func enter(_ j: Int) {
    guard append(j) else {
      rejected.insert(j)
      return
    }
    var trial = backSubstituted()
    if !(trial[members.count - 1] > 0) {
      // Only rounding made the slope positive.
      remove(members.count - 1)
      rejected.insert(j)
      return
    }
    rejected.removeAll()
    var isComplete = true
    while true {
      var step: Scalar = 1
      for (k, member) in members.enumerated() where trial[k] <= 0 {
        step = min(step, values[member] / (values[member] - trial[k]))
      }
      if step >= 1 { break }
      isComplete = false
      for (k, member) in members.enumerated() { values[member] += step * (trial[k] - values[member]) }
      let floor = Scalar.ulpOfOne * (values.max() ?? 0)
      for k in stride(from: members.count - 1, through: 0, by: -1)
      where trial[k] <= 0 && values[members[k]] <= floor {
        values[members[k]] = 0
        remove(k)
      }
      trial = backSubstituted()
      if members.isEmpty { break }
    }
    for (k, member) in members.enumerated() { values[member] = trial[k] }
    // Nothing left: the residual only loses its part along the new direction.
    if isComplete {
      subtractDirections(from: members.count - 1)
    } else {
      residual = rightSide
      subtractDirections(from: 0)
    }
  }

  /// Takes the parts along the directions of Q, from the k-th on, out of the residual.
  private mutating func subtractDirections(from k: Int) {
    let count = members.count - k
    guard count > 0 else { return }
    q.withUnsafeBufferPointer { q in
      projections.withUnsafeBufferPointer { projections in
        Scalar.multiplyVector(
          transposing: true, rows: count, columns: m, alpha: -1, q.baseAddress! + k * m, leadingA: m,
          projections.baseAddress! + k, strideX: 1, beta: 1, &residual, strideY: 1)
      }
    }
  }

  /// Orthogonalizes column j against Q. False when it depends on the columns that are there.
  private mutating func append(_ j: Int) -> Bool {
    let count = members.count
    guard count < m else { return false }
    var coefficients = [Scalar](repeating: 0, count: count + 1)
    var vector = [Scalar](repeating: 0, count: m)
    let isIndependent = columns.withUnsafeBuffer { columns in
      appendVector(columns.baseAddress! + j * m, count: count, length: m, q, &vector, &coefficients)
    }
    guard isIndependent else { return false }
    q.append(contentsOf: vector)
    r.append(coefficients)
    // Along the residual instead of b: the same number, with less rounding.
    projections.append(Scalar.dot(vector, strideA: 1, residual, strideB: 1, count: m))
    members.append(j)
    isMember[j] = true
    return true
  }

  /// Takes the k-th member out, and makes R triangular again by rotations.
  private mutating func remove(_ k: Int) {
    isMember[members[k]] = false
    members.remove(at: k)
    r.remove(at: k)
    var basis: [Scalar] = []
    swap(&basis, &q)
    basis.withUnsafeMutableBufferPointer { q in
      for i in k..<members.count {
        let (x, y) = (r[i][i], r[i][i + 1])
        let length = Scalar.hypot(x, y)
        let (c, s) = length > 0 ? (x / length, y / length) : (1, 0)
        for l in i..<members.count {
          let (u, v) = (r[l][i], r[l][i + 1])
          (r[l][i], r[l][i + 1]) = (c * u + s * v, c * v - s * u)
        }
        let (u, v) = (projections[i], projections[i + 1])
        (projections[i], projections[i + 1]) = (c * u + s * v, c * v - s * u)
        rotateRows(q.baseAddress! + i * m, q.baseAddress! + (i + 1) * m, count: m, cosine: c, sine: s)
        r[i].removeLast(r[i].count - i - 1)
      }
    }
    projections.removeLast()
    basis.removeLast(m)
    swap(&basis, &q)
  }

  /// R⁻¹ Qᵀ b.
  private func backSubstituted() -> [Scalar] {
    var x = projections
    backSubstitute(r, &x)
    return x
  }
}

@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func backSubstitute<Scalar: LinearScalar>(_ r: [[Scalar]], _ x: inout [Scalar]) {
  for k in stride(from: x.count - 1, through: 0, by: -1) {
    r[k].withUnsafeBufferPointer { column in
      x[k] /= column[k]
      let value = x[k]
      for i in 0..<k { x[i] -= column[i] * value }
    }
  }
}

/// Gram–Schmidt, twice where the first pass cancels. False when nothing but rounding is left of the vector.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func appendVector<Scalar: LinearScalar>(
  _ column: UnsafePointer<Scalar>, count: Int, length m: Int, _ q: [Scalar],
  _ vector: inout [Scalar], _ coefficients: inout [Scalar]
) -> Bool {
  vector.withUnsafeMutableBufferPointer { v in
    coefficients.withUnsafeMutableBufferPointer { r in
      let v = v.baseAddress!
      let r = r.baseAddress!
      v.update(from: column, count: m)
      let start = Scalar.sqrt(Scalar.reduce(.sumOfSquares, v, stride: 1, count: m))
      guard start > 0 else { return false }
      q.withUnsafeBufferPointer { q in
        guard count > 0 else { return }
        withUnsafeTemporaryAllocation(of: Scalar.self, capacity: count) { parts in
          let parts = parts.baseAddress!
          var length = start
          for _ in 0..<3 {
            Scalar.multiplyVector(
              transposing: false, rows: count, columns: m, alpha: 1, q.baseAddress!, leadingA: m, v, strideX: 1,
              beta: 0, parts, strideY: 1)
            Scalar.multiplyVector(
              transposing: true, rows: count, columns: m, alpha: -1, q.baseAddress!, leadingA: m, parts, strideX: 1,
              beta: 1, v, strideY: 1)
            for k in 0..<count { r[k] += parts[k] }
            let left = Scalar.sqrt(Scalar.reduce(.sumOfSquares, v, stride: 1, count: m))
            if left > length / 2 { break }
            length = left
          }
        }
      }
      let rest = Scalar.sqrt(Scalar.reduce(.sumOfSquares, v, stride: 1, count: m))
      guard rest > start * Scalar(m) * .ulpOfOne else { return false }
      r[count] = rest
      for i in 0..<m { v[i] /= rest }
      return true
    }
  }
}

/// The unknown at zero with the largest slope above zero, the first of equal ones.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func largestAllowed<Scalar: LinearScalar>(_ slopes: [Scalar], _ isMember: [Bool], _ rejected: Set<Int>) -> Int?
{
  var best: Int?
  var largest: Scalar = 0
  for j in slopes.indices where slopes[j] > largest && !isMember[j] && !rejected.contains(j) {
    (best, largest) = (j, slopes[j])
  }
  return best
}
