// Roots of unity, and the number theory of lengths.

import Numerics

/// exp(2 pi i k / n), right to the last place of a `Double` or nearly so.
struct UnitRoot {
  let real: Double
  let imaginary: Double

  init(_ k: Int, of n: Int) {
    // The angle is brought into the first eighth of the circle in integers, where nothing is lost.
    let turn = ((k % n) + n) % n
    let octant = 8 * turn / n
    let rest = 8 * turn % n
    let isMirrored = octant % 2 == 1
    let angle = Double.pi / 4 * Double(isMirrored ? n - rest : rest) / Double(n)
    let (c, s) = (Double.cos(angle), Double.sin(angle))
    switch octant {
    case 0: (real, imaginary) = (c, s)
    case 1: (real, imaginary) = (s, c)
    case 2: (real, imaginary) = (-s, c)
    case 3: (real, imaginary) = (-c, s)
    case 4: (real, imaginary) = (-c, -s)
    case 5: (real, imaginary) = (-s, -c)
    case 6: (real, imaginary) = (s, -c)
    default: (real, imaginary) = (c, -s)
    }
  }
}

enum Length {
  /// The largest prime with a butterfly of its own.
  static let largestRadix = 61

  static func primeFactors(_ n: Int) -> [Int] {
    var (factors, rest, candidate): ([Int], Int, Int) = ([], n, 2)
    while candidate * candidate <= rest {
      while rest % candidate == 0 {
        factors.append(candidate)
        rest /= candidate
      }
      candidate += candidate == 2 ? 1 : 2
    }
    if rest > 1 { factors.append(rest) }
    return factors
  }

  /// The radices of the passes of a transform of length `n`, or nil if a prime factor is too large for one.
  static func radices(_ n: Int) -> [Int]? {
    let factors = primeFactors(n)
    guard factors.allSatisfy({ $0 <= largestRadix }) else { return nil }
    let twos = factors.count { $0 == 2 }
    let odd = Array(factors[twos...])
    switch (twos, twos % 3) {
    case (1, _): return [2] + odd
    case (_, 1) where twos > 1: return Array(repeating: 8, count: twos / 3 - 1) + [4, 4] + odd
    case (_, 2): return Array(repeating: 8, count: twos / 3) + [4] + odd
    default: return Array(repeating: 8, count: twos / 3) + odd
    }
  }

  /// The smallest length >= `n` of few odd prime factors, all 3 or 5: such lengths have the fastest transforms.
  static func fast(atLeast n: Int) -> Int {
    var best = Int.max
    for odd in [1, 3, 5, 9, 15, 25, 27, 45, 75, 125] {
      var length = odd
      while length < n { length *= 2 }
      best = min(best, length)
    }
    return best
  }

  /// A generator of the multiplicative group modulo the prime `p`.
  static func primitiveRoot(_ p: Int) -> Int {
    let factors = Set(primeFactors(p - 1))
    return (2..<p).first { root in factors.allSatisfy { power(root, (p - 1) / $0, modulo: p) != 1 } } ?? 1
  }

  static func power(_ base: Int, _ exponent: Int, modulo p: Int) -> Int {
    var (result, square, rest) = (1, base % p, exponent)
    while rest > 0 {
      if rest % 2 == 1 { result = result * square % p }
      square = square * square % p
      rest /= 2
    }
    return result
  }
}
