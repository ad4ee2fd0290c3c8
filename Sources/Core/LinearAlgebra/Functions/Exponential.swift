// The exponential of a matrix and its derivative.

public import Tensors

extension Tensor where Scalar: LinearScalar {
  /// The exponential e^A of a square matrix, or of each matrix in a stack of shape [..., n, n].
  ///
  /// Accurate to the condition of the function (``MatrixFunction/condition(at:)``). Entries beyond the range of the
  /// scalar come out as infinite or not a number. Derivatives flow through it, to any order.
  ///
  /// - Throws: `InvalidArgument` unless this is square and finite.
  /// - Complexity: (6 + s) products of n × n matrices and one solve, with s about log2(‖A‖ / 4).
  /// - Source: Al-Mohy and Higham, "A new scaling and squaring algorithm for the matrix exponential", SIAM J. Matrix Anal.
  ///   Appl. 31 (2009), algorithm 5.1.
  public func matrixExponential() throws -> Tensor {
    guard rank >= 2, shape[rank - 1] == shape[rank - 2] else {
      throw InvalidArgument("matrix", found: "shape \(shape)", wanted: "a square matrix, or a stack of them")
    }
    if isDifferentiated, count > 0 {
      if rank == 2 { return try MatrixFunction.exponential(self) }
      let stack = reshaped([-1, shape[rank - 2], shape[rank - 1]])
      return try Tensor.stacked((0..<stack.shape[0]).map { try stack[$0].matrixExponential() }).reshaped(shape)
    }
    try requireFinite("matrix")
    let size = shape[rank - 1]
    var result = dense
    guard count > 0 else { return result }
    if size <= SmallExponential<Scalar>.largestSize {
      result.withUnsafeMutableBuffer { SmallExponential.replace($0, size: size) }
      return result
    }
    guard rank > 2 else { return try exponential(of: result) }
    let stack = result.reshaped([count / (size * size), size, size])
    return try Tensor.stacked((0..<stack.shape[0]).map { try exponential(of: stack[$0].dense) }).reshaped(shape)
  }
}

/// What is known about the diagonal Padé approximants of the exponential.
enum ExponentialDegrees {
  /// Degrees, and the norms up to which each is exact to double precision.
  static let small = [(degree: 3, limit: 1.495585217958292e-2), (degree: 5, limit: 2.539398330063230e-1)]
  static let middle = [(degree: 7, limit: 9.504178996162932e-1), (degree: 9, limit: 2.097847961257068)]
  /// Of degree 13, beyond which the matrix is halved.
  static let largestNorm = 4.25

  /// The coefficients of the numerator, divided so that the last is one.
  static func coefficients<Scalar: LinearScalar>(_ degree: Int) -> [Scalar] {
    // c_k / c_m with c_k = (2 m - k)! m! / ((2 m)! (m - k)! k!): integers.
    var coefficients = [Double](repeating: 1, count: degree + 1)
    for k in stride(from: degree - 1, through: 0, by: -1) {
      coefficients[k] = coefficients[k + 1] * Double((2 * degree - k) * (k + 1)) / Double(degree - k)
    }
    return coefficients.map { Scalar($0) }
  }
}

/// What the rounding of a Padé approximant asks of the scaling: more halvings when |A| is much larger than A.
///
/// - Parameters: norm: ‖A‖; powerNorm: ‖ |A|^(2 degree + 1) ‖ of A divided by its norm, since powers of large norms
///   overflow.
func extraHalvings(norm: Double, degree: Int, powerNorm: () -> Double) -> Int {
  guard norm > 0 else { return 0 }
  let power = 2 * degree + 1
  // 1 / |c_(2m+1)| of the backward error series: C(2m, m) (2m + 1)!.
  var reciprocal = 1.0
  for k in 1...power { reciprocal *= Double(k) }
  for k in 1...degree { reciprocal *= Double(degree + k) / Double(k) }
  let scale = Double(power - 1) * .log2(norm)
  let unit = Double.log2(reciprocal * Double.ulpOfOne / 2)
  // The relative norm is at most one.
  guard scale > unit else { return 0 }
  let relative = powerNorm()
  // Nilpotent: the series ends before.
  guard relative > 0 else { return 0 }
  return max(0, Int(((.log2(relative) + scale - unit) / Double(2 * degree)).rounded(.up)))
}

private func extraHalvings<Scalar: LinearScalar>(_ a: Tensor<Scalar>, scale: Double, degree: Int) -> Int {
  extraHalvings(norm: Double(a.oneNorm()) * scale, degree: degree) {
    a.withUnsafeBuffer { Double(absolutePowerNorm($0.baseAddress!, a.rows, power: 2 * degree + 1)) }
  }
}

private func exponential<Scalar: LinearScalar>(of a: Tensor<Scalar>) throws -> Tensor<Scalar> {
  let norm = Double(a.oneNorm())
  guard norm > 0 else { return .identity(a.rows) }
  guard norm.isFinite else { return Tensor(repeating: .nan, shape: a.shape) }
  guard norm > 1e30 else { return try moderateExponential(of: a) }
  // Scaled before its powers overflow.
  let halvings = Int(Double.log2(norm).rounded(.up))
  var result = try moderateExponential(of: a * Scalar(Double.exp2(-Double(halvings))))
  for _ in 0..<halvings { result = result.matmul(result) }
  return result
}

private func moderateExponential<Scalar: LinearScalar>(of a: Tensor<Scalar>) throws -> Tensor<Scalar> {
  func root(_ norm: Scalar, _ k: Double) -> Double { .pow(Double(norm), 1 / k) }
  let identity = Tensor<Scalar>.identity(a.rows)
  let a2 = a.matmul(a)
  var powers = [identity, a2]
  // Norms of higher powers are bounded by those of lower ones, and estimated only where that may save work.
  let norm2 = a2.oneNorm()
  if root(norm2, 2) <= ExponentialDegrees.small[0].limit && extraHalvings(a, scale: 1, degree: 3) == 0 {
    return try approximant(a, powers, 3)
  }
  let a4 = a2.matmul(a2)
  powers.append(a4)
  let d4 = root(a4.oneNorm(), 4)
  let bound6 = min(root(norm2, 2), root(norm2 * a4.oneNorm(), 6))
  if max(d4, bound6) <= ExponentialDegrees.small[1].limit && extraHalvings(a, scale: 1, degree: 5) == 0 {
    return try approximant(a, powers, 5)
  }
  let a6 = a2.matmul(a4)
  powers.append(a6)
  let d6 = root(a6.oneNorm(), 6)
  let bound = max(d4, d6)
  for (degree, limit) in ExponentialDegrees.middle
  where bound <= limit && extraHalvings(a, scale: 1, degree: degree) == 0 {
    if degree == 9 { powers.append(a4.matmul(a4)) }
    return try approximant(a, powers, degree)
  }
  var needed = bound
  if bound > ExponentialDegrees.largestNorm {
    let d8 = root(estimatedOneNorm(of: [a4, a4]), 8)
    let d10 = root(estimatedOneNorm(of: [a4, a6]), 10)
    needed = min(bound, max(d6, d8), max(d8, d10))
  }
  var halvings = needed > 0 ? max(0, Int(Double.log2(needed / ExponentialDegrees.largestNorm).rounded(.up))) : 0
  halvings += extraHalvings(a, scale: .exp2(-Double(halvings)), degree: 13)
  let step = Double.exp2(-Double(halvings))
  let scaled = [1, 2, 4, 6].map { Scalar(Double.pow(step, Double($0))) }
  var result = try approximant13(a * scaled[0], a2 * scaled[1], a4 * scaled[2], a6 * scaled[3])
  for _ in 0..<halvings { result = result.matmul(result) }
  return result
}

/// r_m(A) for m = 3, 5, 7, 9, from the even powers of A.
private func approximant<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>, _ powers: [Tensor<Scalar>], _ degree: Int
) throws -> Tensor<Scalar> {
  let c: [Scalar] = ExponentialDegrees.coefficients(degree)
  var odd = powers[0] * c[1]
  var even = powers[0] * c[0]
  for k in 1...degree / 2 {
    odd += powers[k] * c[2 * k + 1]
    even += powers[k] * c[2 * k]
  }
  let u = a.matmul(odd)
  return try (even - u).solve(even + u)
}

private func approximant13<Scalar: LinearScalar>(
  _ a: Tensor<Scalar>, _ a2: Tensor<Scalar>, _ a4: Tensor<Scalar>, _ a6: Tensor<Scalar>
) throws -> Tensor<Scalar> {
  let parts = Parts13(a2, a4, a6, constant: .identity(a.rows))
  let u = a.matmul(a6.matmul(parts.oddHigh) + parts.oddLow)
  let v = a6.matmul(parts.evenHigh) + parts.evenLow
  return try (v - u).solve(v + u)
}

/// The polynomials of degree 13 in pieces: odd = A (A⁶ oddHigh + oddLow), even = A⁶ evenHigh + evenLow. The same sums,
/// with derivatives of the powers in place of the powers and without the constant, are the derivatives of the pieces.
private struct Parts13<Scalar: LinearScalar> {
  let oddHigh: Tensor<Scalar>, oddLow: Tensor<Scalar>, evenHigh: Tensor<Scalar>, evenLow: Tensor<Scalar>

  init(_ p2: Tensor<Scalar>, _ p4: Tensor<Scalar>, _ p6: Tensor<Scalar>, constant: Tensor<Scalar>?) {
    let c: [Scalar] = ExponentialDegrees.coefficients(13)
    func sum(_ c6: Scalar, _ c4: Scalar, _ c2: Scalar, _ c0: Scalar?) -> Tensor<Scalar> {
      let powers = p6 * c6 + p4 * c4 + p2 * c2
      guard let c0, let constant else { return powers }
      return powers + constant * c0
    }
    oddHigh = sum(c[13], c[11], c[9], nil)
    oddLow = sum(c[7], c[5], c[3], c[1])
    evenHigh = sum(c[12], c[10], c[8], nil)
    evenLow = sum(c[6], c[4], c[2], c[0])
  }
}

/// e^A and its derivative along E, by differentiating every step of scaling and squaring.
///
/// Source: Al-Mohy and Higham, "Computing the Fréchet derivative of the matrix exponential", SIAM J. Matrix Anal. Appl. 30
/// (2009), algorithm 6.4.
func exponentialDerivative<Scalar: LinearScalar>(
  at a: Tensor<Scalar>, along e: Tensor<Scalar>
) throws -> DirectionalDerivative<Scalar> {
  let norm = Double(a.oneNorm())
  let identity = Tensor<Scalar>.identity(a.rows)
  for (degree, limit) in [(3, 1.08e-2), (5, 2.00e-1), (7, 7.83e-1), (9, 1.78)] where norm <= limit {
    let c: [Scalar] = ExponentialDegrees.coefficients(degree)
    let a2 = a.matmul(a)
    let m2 = a.matmul(e) + e.matmul(a)
    var (power, slope) = (a2, m2)
    var odd = identity * c[1] + a2 * c[3]
    var even = identity * c[0] + a2 * c[2]
    var oddSlope = m2 * c[3]
    var evenSlope = m2 * c[2]
    for k in 2..<(degree + 1) / 2 {
      slope = power.matmul(m2) + slope.matmul(a2)
      power = power.matmul(a2)
      odd += power * c[2 * k + 1]
      even += power * c[2 * k]
      oddSlope += slope * c[2 * k + 1]
      evenSlope += slope * c[2 * k]
    }
    return try quotient(
      u: a.matmul(odd), v: even, slopeU: a.matmul(oddSlope) + e.matmul(odd), slopeV: evenSlope)
  }
  guard norm.isFinite else {
    let unknown = Tensor(repeating: Scalar.nan, shape: a.shape)
    return DirectionalDerivative(value: unknown, derivative: unknown)
  }
  let halvings = max(0, Int(Double.log2(norm / 4.74).rounded(.up)))
  let scale = Scalar(Double.exp2(-Double(halvings)))
  let (a, e) = (a * scale, e * scale)
  let a2 = a.matmul(a)
  let m2 = a.matmul(e) + e.matmul(a)
  let a4 = a2.matmul(a2)
  let m4 = a2.matmul(m2) + m2.matmul(a2)
  let a6 = a2.matmul(a4)
  let m6 = a4.matmul(m2) + m4.matmul(a2)
  let parts = Parts13(a2, a4, a6, constant: identity)
  let slopes = Parts13(m2, m4, m6, constant: nil)
  let odd = a6.matmul(parts.oddHigh) + parts.oddLow
  let oddSlope = a6.matmul(slopes.oddHigh) + m6.matmul(parts.oddHigh) + slopes.oddLow
  let evenSlope = a6.matmul(slopes.evenHigh) + m6.matmul(parts.evenHigh) + slopes.evenLow
  var result = try quotient(
    u: a.matmul(odd), v: a6.matmul(parts.evenHigh) + parts.evenLow,
    slopeU: a.matmul(oddSlope) + e.matmul(odd), slopeV: evenSlope)
  for _ in 0..<halvings {
    let slope = result.value.matmul(result.derivative) + result.derivative.matmul(result.value)
    result = DirectionalDerivative(value: result.value.matmul(result.value), derivative: slope)
  }
  return result
}

/// (V - U)⁻¹ (V + U) and its derivative.
private func quotient<Scalar: LinearScalar>(
  u: Tensor<Scalar>, v: Tensor<Scalar>, slopeU: Tensor<Scalar>, slopeV: Tensor<Scalar>
) throws -> DirectionalDerivative<Scalar> {
  let lu = try LUDecomposition(of: v - u)
  let value = try lu.solve(v + u)
  let right = slopeU + slopeV + (slopeU - slopeV).matmul(value)
  return DirectionalDerivative(value: value, derivative: try lu.solve(right))
}
