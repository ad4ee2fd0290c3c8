// Equations with quasi-triangular coefficients, by recursion: nearly all of the work is in matrix products.
//
// Buffers are column-major, as the Schur form arrives from LAPACK.
//
// Source: Jonsson and Kågström, "Recursive blocked algorithms for solving triangular systems, parts I and II",
// ACM Trans. Math. Softw. 28 (2002).

import Tensors

/// A block of a column-major matrix.
struct Block<Scalar: LinearScalar> {
  let start: UnsafeMutablePointer<Scalar>
  let rows: Int, columns: Int
  let leading: Int

  init(_ start: UnsafeMutablePointer<Scalar>, _ rows: Int, _ columns: Int, leading: Int) {
    (self.start, self.rows, self.columns, self.leading) = (start, rows, columns, leading)
  }

  subscript(_ r: Range<Int>, _ c: Range<Int>) -> Block {
    Block(start + c.lowerBound * leading + r.lowerBound, r.count, c.count, leading: leading)
  }

  subscript(_ row: Int, _ column: Int) -> Scalar {
    get { start[column * leading + row] }
    nonmutating set { start[column * leading + row] = newValue }
  }

  /// This block plus `factor` op(a) op(b).
  func add(_ factor: Scalar, _ a: Block, transposingA: Bool = false, _ b: Block, transposingB: Bool = false) {
    let inner = transposingA ? a.rows : a.columns
    guard rows > 0, columns > 0, inner > 0 else { return }
    // Read row by row, all three are transposed: (a b)ᵀ = bᵀ aᵀ.
    Scalar.multiply(
      transposingA: transposingB, transposingB: transposingA, rows: columns, columns: rows, inner: inner, alpha: factor,
      b.start, leadingA: b.leading, a.start, leadingB: a.leading, beta: 1, start, leadingC: leading)
  }

  /// The middle of a quasi-triangular matrix, not inside a block of two.
  var middle: Int {
    let k = rows / 2
    return self[k, k - 1] != 0 ? k + 1 : k
  }
}

/// op(A) X + sign X op(B) = C for quasi-triangular A and B.
struct TriangularSylvester<Scalar: LinearScalar> {
  var transposingA = false, transposingB = false
  var sign = 1
  /// Some pair of eigenvalues summed to nearly zero, or the solution to nearly infinity.
  private(set) var isSingular = false

  init(transposingA: Bool = false, transposingB: Bool = false, sign: Int = 1) {
    (self.transposingA, self.transposingB, self.sign) = (transposingA, transposingB, sign)
  }

  /// Replaces `c` by X.
  mutating func solve(_ a: Block<Scalar>, _ b: Block<Scalar>, _ c: Block<Scalar>) {
    let (m, n) = (c.rows, c.columns)
    let leaf = 32
    if m <= leaf && n <= leaf {
      guard m > 0, n > 0 else { return }
      let scale = Scalar.solveSylvester(
        transposingA: transposingA, transposingB: transposingB, sign: sign, rows: m, columns: n, a.start,
        leadingA: a.leading, b.start, leadingB: b.leading, c.start, leadingC: c.leading, isPerturbed: &isSingular)
      if scale != 1 { isSingular = true }
    } else if m >= n {
      let k = a.middle
      let (corner, upper, lower) = (a[0..<k, k..<m], a[0..<k, 0..<k], a[k..<m, k..<m])
      let (first, second) = (c[0..<k, 0..<n], c[k..<m, 0..<n])
      if transposingA {
        solve(upper, b, first)
        second.add(-1, corner, transposingA: true, first)
        solve(lower, b, second)
      } else {
        solve(lower, b, second)
        first.add(-1, corner, second)
        solve(upper, b, first)
      }
    } else {
      let k = b.middle
      let (corner, upper, lower) = (b[0..<k, k..<n], b[0..<k, 0..<k], b[k..<n, k..<n])
      let (first, second) = (c[0..<m, 0..<k], c[0..<m, k..<n])
      if transposingB {
        solve(a, lower, second)
        first.add(Scalar(-sign), second, corner, transposingB: true)
        solve(a, upper, first)
      } else {
        solve(a, upper, first)
        second.add(Scalar(-sign), first, corner)
        solve(a, lower, second)
      }
    }
  }
}

/// A X Bᵀ - X = C for quasi-triangular A and B.
struct TriangularStein<Scalar: LinearScalar> {
  /// Some pair of eigenvalues had the product one.
  private(set) var isSingular = false
  /// Room for one product of the size of C.
  private let work: UnsafeMutablePointer<Scalar>

  init(work: UnsafeMutablePointer<Scalar>) { self.work = work }

  /// Replaces `c` by X.
  mutating func solve(_ a: Block<Scalar>, _ b: Block<Scalar>, _ c: Block<Scalar>) {
    let (m, n) = (c.rows, c.columns)
    let isSmallA = m == 1 || m == 2 && a[1, 0] != 0
    let isSmallB = n == 1 || n == 2 && b[1, 0] != 0
    if isSmallA && isSmallB {
      if !solveLeaf(a, b, c) { isSingular = true }
    } else if isSmallB || (!isSmallA && m >= n) {
      let k = a.middle
      let (first, second) = (c[0..<k, 0..<n], c[k..<m, 0..<n])
      solve(a[k..<m, k..<m], b, second)
      let product = cleared(m - k, n)
      product.add(1, second, b, transposingB: true)
      first.add(-1, a[0..<k, k..<m], product)
      solve(a[0..<k, 0..<k], b, first)
    } else {
      let k = b.middle
      let (first, second) = (c[0..<m, 0..<k], c[0..<m, k..<n])
      solve(a, b[k..<n, k..<n], second)
      let product = cleared(m, n - k)
      product.add(1, a, second)
      first.add(-1, product, b[0..<k, k..<n], transposingB: true)
      solve(a, b[0..<k, 0..<k], first)
    }
  }

  private func cleared(_ rows: Int, _ columns: Int) -> Block<Scalar> {
    work.update(repeating: 0, count: rows * columns)
    return Block(work, rows, columns, leading: rows)
  }
}

/// At most two by two unknowns, as at most four equations. False when they are singular.
@specialized(where Scalar == Float)
@specialized(where Scalar == Double)
private func solveLeaf<Scalar: LinearScalar>(_ a: Block<Scalar>, _ b: Block<Scalar>, _ c: Block<Scalar>) -> Bool {
  let (m, n) = (c.rows, c.columns)
  let size = m * n
  return withUnsafeTemporaryAllocation(of: Scalar.self, capacity: size * (size + 1)) { system in
    // Row (i, j): sum over k, l of a[i, k] b[j, l] x[k, l] - x[i, j] = c[i, j].
    let width = size + 1
    var largest: Scalar = 1
    for j in 0..<n {
      for i in 0..<m {
        let row = (j * m + i) * width
        for l in 0..<n {
          for k in 0..<m {
            let product = a[i, k] * b[j, l]
            largest = max(largest, product.magnitude)
            system[row + l * m + k] = product - (i == k && j == l ? 1 : 0)
          }
        }
        system[row + size] = c[i, j]
      }
    }
    for k in 0..<size {
      var pivot = k
      for i in k..<size where system[i * width + k].magnitude > system[pivot * width + k].magnitude { pivot = i }
      guard system[pivot * width + k].magnitude > largest * .ulpOfOne else { return false }
      if pivot != k { for j in k..<width { system.swapAt(k * width + j, pivot * width + j) } }
      for i in k + 1..<max(size, k + 1) {
        let factor = system[i * width + k] / system[k * width + k]
        for j in k..<width { system[i * width + j] -= factor * system[k * width + j] }
      }
    }
    for k in stride(from: size - 1, through: 0, by: -1) {
      var value = system[k * width + size]
      for j in k + 1..<max(size, k + 1) { value -= system[k * width + j] * system[j * width + size] }
      system[k * width + size] = value / system[k * width + k]
    }
    for j in 0..<n { for i in 0..<m { c[i, j] = system[(j * m + i) * width + size] } }
    return true
  }
}
