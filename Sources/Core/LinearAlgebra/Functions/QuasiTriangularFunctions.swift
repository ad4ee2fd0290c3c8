// Square root, logarithm and real powers of a quasi-triangular matrix without eigenvalues on the closed negative real
// axis. Matrices are column-major inside, as tensors transposed.

import Tensors

/// One diagonal block of a real Schur form: a real eigenvalue, or a pair a ± i sqrt(-b c) as [a, b; c, a].
private struct DiagonalBlock<Scalar: LinearScalar> {
  let start: Int, count: Int
  let a: Scalar, b: Scalar, c: Scalar

  /// The imaginary part of the pair.
  var theta: Scalar { .sqrt(b.magnitude) * .sqrt(c.magnitude) }
  var modulus: Scalar { count == 1 ? a : .hypot(a, theta) }
  var angle: Scalar { count == 1 ? 0 : .atan2(y: theta, x: a) }

  /// Writes real I + (imaginary / θ) [0, b; c, 0], the block of a function whose value at a + i θ is given.
  func write(real: Scalar, imaginary: Scalar, to t: Block<Scalar>) {
    t[start, start] = real
    guard count == 2 else { return }
    t[start + 1, start + 1] = real
    t[start, start + 1] = imaginary * (b / theta)
    t[start + 1, start] = imaginary * (c / theta)
  }
}

private func diagonalBlocks<Scalar: LinearScalar>(_ t: Block<Scalar>) -> [DiagonalBlock<Scalar>] {
  var blocks: [DiagonalBlock<Scalar>] = []
  var i = 0
  while i < t.rows {
    let isPair = i + 1 < t.rows && t[i + 1, i] != 0
    blocks.append(
      DiagonalBlock(
        start: i, count: isPair ? 2 : 1, a: t[i, i], b: isPair ? t[i, i + 1] : 0, c: isPair ? t[i + 1, i] : 0))
    i += isPair ? 2 : 1
  }
  return blocks
}

/// A quasi-triangular matrix, and functions of it.
struct QuasiTriangular<Scalar: LinearScalar> {
  /// Row-major.
  let matrix: Tensor<Scalar>

  init(_ matrix: Tensor<Scalar>) { self.matrix = matrix.dense }

  private func editing<R>(_ tensor: Tensor<Scalar>, _ body: (Block<Scalar>) throws -> R) rethrows -> (Tensor<Scalar>, R)
  {
    var columns = tensor.transposed.dense
    let size = tensor.rows
    let result = try columns.withUnsafeMutableBuffer { try body(Block($0.baseAddress!, size, size, leading: size)) }
    return (columns.transposed.dense, result)
  }

  private var blocks: [DiagonalBlock<Scalar>] { editing(matrix, diagonalBlocks).1 }

  /// The principal square root.
  func squareRoot() throws -> Tensor<Scalar> {
    guard matrix.rows > 0 else { return matrix }
    let (root, isSingular) = editing(matrix) { t in
      var solver = TriangularSylvester<Scalar>()
      rootInPlace(t, &solver)
      return solver.isSingular
    }
    guard !isSingular, root.isFinite else { throw MatrixEquationError.commonEigenvalues }
    return root
  }

  /// From R² = T by blocks: R₁₁ X + X R₂₂ = T₁₂.
  ///
  /// Source: Deadman, Higham and Ralha, "Blocked Schur algorithms for computing the matrix square root", 2013.
  private func rootInPlace(_ t: Block<Scalar>, _ solver: inout TriangularSylvester<Scalar>) {
    let n = t.rows
    if n == 1 {
      t[0, 0] = .sqrt(t[0, 0])
    } else if n == 2 && t[1, 0] != 0 {
      let block = diagonalBlocks(t)[0]
      // The square root of a + i θ, without cancellation.
      let larger = Scalar.sqrt((block.modulus + block.a.magnitude) / 2)
      let smaller = block.theta / (2 * larger)
      if block.a >= 0 {
        block.write(real: larger, imaginary: smaller, to: t)
      } else {
        block.write(real: smaller, imaginary: larger, to: t)
      }
    } else {
      let k = t.middle
      let (upper, lower) = (t[0..<k, 0..<k], t[k..<n, k..<n])
      rootInPlace(upper, &solver)
      rootInPlace(lower, &solver)
      solver.solve(upper, lower, t[0..<k, k..<n])
    }
  }

  /// T^(1/2^s) - I with its diagonal blocks, and the entries between neighbouring real eigenvalues, free of cancellation.
  ///
  /// Source: Al-Mohy, "A more accurate Briggs method for the logarithm", Numer. Algorithms 59 (2012); Higham and Lin,
  /// "A Schur–Padé algorithm for fractional powers of a matrix", SIAM J. Matrix Anal. Appl. 32 (2011), equation (5.6).
  private func sharpened(_ root: Tensor<Scalar>, roots: Int) -> Tensor<Scalar> {
    let power = Scalar(Double.exp2(-Double(roots)))
    let blocks = self.blocks
    return editing(root) { x in
      for block in blocks {
        let real = Scalar.log(block.modulus) * power
        let angle = block.angle * power
        let half = Scalar.sin(angle / 2)
        block.write(
          real: .expMinusOne(real) * .cos(angle) - 2 * half * half, imaginary: .exp(real) * .sin(angle), to: x)
      }
      for (one, two) in zip(blocks, blocks.dropFirst()) where one.count == 1 && two.count == 1 {
        let i = one.start
        x[i, i + 1] = matrix[at: i, i + 1] * powerSlope(one.a, two.a, power)
      }
    }.0
  }

  /// The principal logarithm, by square roots until the matrix is near I, and a Padé approximant there.
  ///
  /// Source: Al-Mohy and Higham, "Improved inverse scaling and squaring algorithms for the matrix logarithm", SIAM J. Sci.
  /// Comput. 34 (2012), algorithm 4.1, on the real Schur form as in Al-Mohy, Higham and Relton, SIAM J. Sci. Comput. 35
  /// (2013).
  func logarithm() throws -> Tensor<Scalar> {
    let size = matrix.rows
    guard size > 0 else { return matrix }
    let identity = Tensor<Scalar>.identity(size)
    let blocks = self.blocks
    // Enough roots for the eigenvalues alone.
    func spread(_ roots: Int) -> Double {
      let power = Double.exp2(-Double(roots))
      return blocks.map { block in
        let (x, y) = (Double.log(Double(block.modulus)) * power, Double(block.angle) * power)
        let half = Double.sin(y / 2)
        return .hypot(.expMinusOne(x) * .cos(y) - 2 * half * half, .exp(x) * .sin(y))
      }.max() ?? 0
    }
    var roots = 0
    var root = matrix
    while spread(roots) > Self.thresholds[7] && roots < 100 { roots += 1 }
    for _ in 0..<roots { root = try QuasiTriangular(root).squareRoot() }
    // Then as many as the norms of powers of T - I ask for.
    var degree = 7
    var isSecondChance = false
    for _ in 0..<100 {
      let x = root - identity
      func norm(_ k: Int) -> Double {
        .pow(Double(estimatedOneNorm(of: Array(repeating: x, count: k))), 1 / Double(k))
      }
      let (d2, d3) = (norm(2), norm(3))
      if roots == 0, let small = [1, 2].first(where: { max(d2, d3) <= Self.thresholds[$0] }) {
        degree = small
        break
      }
      let d4 = norm(4)
      let third = max(d3, d4)
      if third <= Self.thresholds[7] {
        let found = (3...7).first { third <= Self.thresholds[$0] } ?? 7
        if found <= 6 {
          degree = found
          break
        }
        if third / 2 <= Self.thresholds[5] && !isSecondChance {
          isSecondChance = true
          root = try QuasiTriangular(root).squareRoot()
          roots += 1
          continue
        }
      }
      let bound = min(third, max(d4, norm(5)))
      if let found = [6, 7].first(where: { bound <= Self.thresholds[$0] }) {
        degree = found
        break
      }
      root = try QuasiTriangular(root).squareRoot()
      roots += 1
    }
    let x = sharpened(root, roots: roots)
    // log(I + X) ≈ sum of w X (I + t X)⁻¹ over the nodes of Gauss and Legendre on [0, 1].
    var sum = Tensor<Scalar>.zeros([size, size])
    for (node, weight) in legendreRule(degree) {
      sum += try (identity + x * Scalar(node)).solve(x) * Scalar(weight)
    }
    return editing(sum * Scalar(Double.exp2(Double(roots)))) { t in
      for block in blocks { block.write(real: .log(block.modulus), imaginary: block.angle, to: t) }
      for (one, two) in zip(blocks, blocks.dropFirst()) where one.count == 1 && two.count == 1 {
        let i = one.start
        t[i, i + 1] = matrix[at: i, i + 1] * logarithmSlope(one.a, two.a)
      }
    }.0
  }

  /// Norms of powers of T - I up to which the Padé approximant of each degree is exact to double precision.
  private static var thresholds: [Double] { [0, 1.59e-5, 2.31e-3, 1.94e-2, 6.21e-2, 1.28e-1, 2.06e-1, 2.88e-1] }

  /// T^p for a p between -1 and 1, as exp(p log T) with exact diagonal blocks.
  func power(_ p: Scalar) throws -> Tensor<Scalar> {
    guard matrix.rows > 0 else { return matrix }
    let result = try (logarithm() * p).matrixExponential()
    let blocks = self.blocks
    return editing(result) { t in
      for block in blocks {
        let modulus = Scalar.pow(block.modulus, p)
        let angle = block.angle * p
        block.write(real: modulus * .cos(angle), imaginary: modulus * .sin(angle), to: t)
      }
      for (one, two) in zip(blocks, blocks.dropFirst()) where one.count == 1 && two.count == 1 {
        let i = one.start
        t[i, i + 1] = matrix[at: i, i + 1] * powerSlope(one.a, two.a, p)
      }
    }.0
  }
}

/// (log b - log a) / (b - a) of positive numbers, also where they are nearly equal.
private func logarithmSlope<Scalar: LinearScalar>(_ a: Scalar, _ b: Scalar) -> Scalar {
  if a == b { return 1 / a }
  if a > 2 * b || b > 2 * a { return (.log(b) - .log(a)) / (b - a) }
  return 2 * .atanh((b - a) / (b + a)) / (b - a)
}

/// (b^p - a^p) / (b - a) of positive numbers.
private func powerSlope<Scalar: LinearScalar>(_ a: Scalar, _ b: Scalar, _ p: Scalar) -> Scalar {
  if a == b { return p * .pow(a, p - 1) }
  if a > 2 * b || b > 2 * a { return (.pow(b, p) - .pow(a, p)) / (b - a) }
  let half = p * .atanh((b - a) / (b + a))
  return .exp(p / 2 * (.log(a) + .log(b))) * 2 * .sinh(half) / (b - a)
}

/// Nodes and weights of the rule of `count` nodes on [0, 1], by Newton's method on Legendre's polynomial.
private func legendreRule(_ count: Int) -> [(node: Double, weight: Double)] {
  (0..<count).map { i in
    var x = Double.cos(.pi * (Double(i) + 0.75) / (Double(count) + 0.5))
    var slope = 1.0
    for _ in 0..<8 {
      var (previous, current) = (1.0, x)
      for k in 1..<max(count, 2) where count > 1 {
        let next = (Double(2 * k + 1) * x * current - Double(k) * previous) / Double(k + 1)
        (previous, current) = (current, next)
      }
      slope = count == 1 ? 1 : Double(count) * (x * current - previous) / (x * x - 1)
      x -= current / slope
    }
    return ((1 + x) / 2, 1 / ((1 - x * x) * slope * slope))
  }
}
