import Numerics

/// Nodes and weights of a Gauss rule: sum of weights[i] f(nodes[i]) is exact for polynomials of degree 2n - 1.
public struct GaussQuadrature: Sendable, Hashable {
  /// In increasing order.
  public let nodes: [Double]
  public let weights: [Double]

  /// The rule for the integral of f over [-1, 1].
  ///
  /// Newton's method on P_n(cos t) in the angle t, with the recurrence of differences in 1 - cos t, which keeps full
  /// precision at the ends of the interval.
  /// - Complexity: O(count^2).
  public static func legendre(_ count: Int) -> GaussQuadrature {
    precondition(count >= 1, "a quadrature rule needs at least one node, \(count) were asked for")
    var nodes = [Double](repeating: 0, count: count)
    var weights = nodes
    let n = Double(count)
    for i in 0..<(count + 1) / 2 {
      // Tricomi's approximation of the i-th angle from zero.
      let first = Double.pi * (Double(i) + 0.75) / (n + 0.5)
      var angle = first + 1 / (8 * n * n) / .tan(first)
      var slope = 0.0
      for _ in 0..<10 {
        let half = Double.sin(angle / 2)
        let z = 2 * half * half  // 1 - cos(angle)
        var value = 1.0
        var difference = 0.0
        for k in 0..<count {
          let k = Double(k)
          difference = (k * difference - (2 * k + 1) * z * value) / (k + 1)
          value += difference
        }
        slope = n * (difference - z * value) / .sin(angle)
        let step = value / slope
        angle -= step
        if step.magnitude <= 1e-16 * angle { break }
      }
      let weight = 2 / (slope * slope)
      let isMiddle = 2 * i + 1 == count
      let node = isMiddle ? 0 : Double.cos(angle)
      nodes[i] = -node
      nodes[count - 1 - i] = node
      weights[i] = weight
      weights[count - 1 - i] = weight
    }
    return GaussQuadrature(nodes: nodes, weights: weights)
  }

  /// The rule for the integral of f(x) exp(-x^2) over the real line. Far weights of large rules underflow to zero.
  ///
  /// The nodes are the eigenvalues of the Jacobi matrix, bracketed by counts of sign changes in Sturm sequences and
  /// polished by Newton's method.
  /// - Complexity: O(count^2).
  public static func hermite(_ count: Int) -> GaussQuadrature {
    precondition(count >= 1, "a quadrature rule needs at least one node, \(count) were asked for")
    var nodes = [Double](repeating: 0, count: count)
    var weights = nodes
    for i in 0..<count / 2 {
      // Node i from the top: exactly i nodes lie above it. All lie below sqrt(2 count + 1).
      var low = 0.0
      var high = (2 * Double(count) + 1).squareRoot()
      while high - low > 1e-7 * high {
        let middle = 0.5 * (low + high)
        if hermiteNodes(above: middle, count: count) > i { low = middle } else { high = middle }
      }
      var node = 0.5 * (low + high)
      for _ in 0..<3 { node -= hermite(at: node, count: count).newtonStep }
      nodes[i] = -node
      nodes[count - 1 - i] = node
    }
    for i in nodes.indices { weights[i] = hermite(at: nodes[i], count: count).weight }
    return GaussQuadrature(nodes: nodes, weights: weights)
  }

  /// How many of the `count` nodes lie above x: negative pivots of J - x, for the Jacobi matrix with off-diagonal
  /// entries sqrt(k / 2).
  private static func hermiteNodes(above x: Double, count: Int) -> Int {
    var pivot = -x
    var below = pivot < 0 ? 1 : 0
    for k in 1..<count {
      if pivot == 0 { pivot = 1e-300 }
      pivot = -x - Double(k) / 2 / pivot
      if pivot < 0 { below += 1 }
    }
    return count - below
  }

  /// The orthonormal polynomials h_0 ... h_count at x: h_count / h_count' and 1 / sum of h_k^2 for k < count.
  private static func hermite(at x: Double, count: Int) -> (newtonStep: Double, weight: Double) {
    var previous = 0.0
    var current = Double.pow(.pi, -0.25)
    var sum = 0.0
    var logScale = 0.0
    for k in 0..<count {
      sum += current * current
      let k = Double(k)
      let next = (2 / (k + 1)).squareRoot() * x * current - (k / (k + 1)).squareRoot() * previous
      (previous, current) = (current, next)
      if sum > 1e200 {
        previous *= 1e-100
        current *= 1e-100
        sum *= 1e-200
        logScale += 200
      }
    }
    let weight = Double.pow(10, -logScale) / sum
    return (current / ((2 * Double(count)).squareRoot() * previous), weight)
  }

  /// The integral of `function` over `interval`, for a Legendre rule.
  public func integral(over interval: ClosedRange<Double>, of function: (Double) -> Double) -> Double {
    let middle = 0.5 * (interval.lowerBound + interval.upperBound)
    let half = 0.5 * (interval.upperBound - interval.lowerBound)
    var sum = 0.0
    for (node, weight) in zip(nodes, weights) { sum += weight * function(middle + half * node) }
    return half * sum
  }
}
