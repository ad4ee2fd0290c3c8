import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Woodbury's and Sherman and Morrison's formulas in the paper's own forms, as oracles.
private struct FisherOracle {
  let g: Tensor<Double>
  let damping: Double

  /// (λI + GᵀG / m)⁻¹ by a dense inverse.
  func dense() throws -> Tensor<Double> {
    let fisher = g.multipliedByOwnTranspose(transposing: true) / Double(g.rows)
    return try LUDecomposition(of: fisher + Tensor.identity(g.columns) * damping).solve(.identity(g.columns))
  }

  /// v_i = g_i / λ - Σ_{j<i} (v_j · g_i / δ_j) v_j, δ_i = m + g_i · v_i, and the product that follows.
  func recurrence(_ x: Tensor<Double>) -> Tensor<Double> {
    var v: [(vector: Tensor<Double>, delta: Double)] = []
    func product(_ x: Tensor<Double>) -> Tensor<Double> {
      v.reduce(x / damping) { $0 - $1.vector * ($1.vector.dot(x).scalar / $1.delta) }
    }
    for i in 0..<g.rows {
      let vector = product(g[i])
      v.append((vector, Double(g.rows) + g[i].dot(vector).scalar))
    }
    return product(x)
  }

  /// The dynamic algorithm: D = triu(LU of K/λ + mI) - mI, rows b_i, and coefficients c_i.
  func dynamic(_ x: Tensor<Double>) -> Tensor<Double> {
    let m = g.rows
    var d = (g.multipliedByOwnTranspose() / damping + Tensor.identity(m) * Double(m)).scalars
    for k in 0..<m {
      for i in (k + 1)..<max(k + 1, m) {
        let factor = d[i * m + k] / d[k * m + k]
        for j in k..<m { d[i * m + j] -= factor * d[k * m + j] }
      }
    }
    let delta = (0..<m).map { d[$0 * m + $0] }
    var b: [Tensor<Double>] = []
    var c: [Double] = []
    for i in 0..<m {
      var row = Tensor<Double>.zeros([m])
      row.withUnsafeMutableBuffer { $0[i] = 1 / damping }
      var value = g[i].dot(x).scalar / damping
      for j in 0..<i {
        row -= b[j] * (d[j * m + i] / delta[j])
        value -= d[j * m + i] * c[j] / delta[j]
      }
      b.append(row)
      c.append(value)
    }
    return (0..<m).reduce(x / damping) { $0 - b[$1].matmul(g) * (c[$1] / delta[$1]) }
  }
}

@Suite struct InverseFisherTests {
  private func problem(_ seed: UInt64) -> (g: Tensor<Double>, damping: Double, x: Tensor<Double>) {
    var generator = TestGenerator(seed: seed)
    let (m, d) = (Int.random(in: 1...30, using: &generator), Int.random(in: 1...200, using: &generator))
    let damping = Double.random(in: 0.01...1, using: &generator)
    return (generator.tensor([m, d]), damping, generator.tensor([d]))
  }

  @Test(arguments: 0..<12)
  func equalsTheDenseInverseAndBothRecurrences(seed: UInt64) throws {
    let (g, damping, x) = problem(seed)
    let oracle = FisherOracle(g: g, damping: damping)
    let inverse = try InverseFisher(gradients: g, damping: damping)
    let dense = try oracle.dense()
    let product = try inverse.apply(x)
    #expect(distance(product, dense.matmul(x)) < 1e-9, "seed \(seed)")
    #expect(distance(product, oracle.recurrence(x)) < 1e-9, "seed \(seed)")
    #expect(distance(product, oracle.dynamic(x)) < 1e-9, "seed \(seed)")
    #expect(distance(inverse.diagonal(), dense.diagonal) < 1e-9, "seed \(seed)")
    let k = Int(seed) * 7 % g.columns
    #expect(distance(inverse.column(k), dense[k]) < 1e-9, "seed \(seed)")
    #expect(abs(inverse.element(k, 0) - dense[at: k, 0]) < 1e-9, "seed \(seed)")
    #expect(abs(inverse.element(k, k) - dense[at: k, k]) < 1e-9, "seed \(seed)")
    let several = Tensor.stacked([x, x * 2])
    #expect(distance(try inverse.apply(several), Tensor.stacked([product, product * 2])) < 1e-9)
    let single = try InverseFisher(gradients: Tensor<Float>(g), damping: damping)
    #expect(distance(Tensor<Double>(try single.apply(Tensor<Float>(x))), product) < 1e-4, "seed \(seed)")
  }

  /// Blocks smaller and larger than the number of gradients, with a rest at the end.
  @Test(arguments: 0..<8)
  func blocksAreInversesOfTheirOwn(seed: UInt64) throws {
    let (g, damping, x) = problem(seed + 100)
    let d = g.columns
    for size in [1, 2, 7, 40, d] {
      let inverse = try InverseFisher(gradients: g, damping: damping, blockSize: size)
      #expect(inverse.blockSize == min(size, d))
      let diagonal = inverse.diagonal()
      let product = try inverse.apply(x)
      for start in stride(from: 0, to: d, by: size) {
        let range = start..<min(start + size, d)
        let part = try FisherOracle(g: g[.all, range].dense, damping: damping).dense()
        #expect(distance(product[range], part.matmul(x[range])) < 1e-9, "seed \(seed), blocks of \(size)")
        #expect(distance(diagonal[range], part.diagonal) < 1e-9, "seed \(seed), blocks of \(size)")
        let outside = (range.upperBound) % d
        let wanted = outside == 0 && range.lowerBound == 0 ? part[at: start, 0] : 0
        #expect(abs(inverse.element(start, outside) - wanted) < 1e-9, "seed \(seed), blocks of \(size)")
      }
    }
    let scalars = try InverseFisher(gradients: g, damping: damping, blockSize: 1)
    let mean = g.sumOfSquares(axes: [0]) / Double(g.rows) + damping
    #expect(distance(scalars.diagonal(), mean.reciprocal()) < 1e-12)
  }

  @Test func reference() throws {
    let g = Tensor<Double>([[1, 2, 0, 0], [0, 1, -1, 0], [2, 0, 0, 1]])
    let inverse = try InverseFisher(gradients: g, damping: 0.1)
    let product = try inverse.apply(Tensor([1, 0, -1, 2]))
    #expect(distance(product, Tensor([-3.8890, 1.2074, -1.3790, 10.5984])) < 1e-4)
    #expect(distance(inverse.diagonal(), Tensor([2.2384, 1.0983, 2.9576, 7.6058])) < 1e-4)
  }

  /// Strips of columns, groups of strips and the rest of both.
  @Test func longRows() throws {
    var generator = TestGenerator(seed: 5)
    let d = 20_000
    let g: Tensor<Double> = generator.tensor([3, d])
    let x: Tensor<Double> = generator.tensor([d])
    let inverse = try InverseFisher(gradients: g, damping: 0.5)
    let back = (try inverse.apply(x)) * 0.5
    let fisher = back + g.transposed.matmul(g.matmul(try inverse.apply(x))) / 3
    #expect(distance(fisher, x) < 1e-9)
    let diagonal = inverse.diagonal()
    for k in [0, 511, 512, 8_191, 8_192, d - 1] {
      #expect(abs(diagonal[at: k] - inverse.element(k, k)) < 1e-10)
      #expect(abs(inverse.column(k)[at: k] - inverse.element(k, k)) < 1e-10)
    }
  }

  @Test func zeroGradientsLeaveTheDamping() throws {
    let inverse = try InverseFisher(gradients: Tensor<Float>.zeros([4, 6]), damping: 0.25)
    #expect(try inverse.apply(.ones([6])) == Tensor(repeating: 4, shape: [6]))
    #expect(inverse.diagonal() == Tensor(repeating: 4, shape: [6]))
  }

  /// Damping far below the gradients: products stay exact in single precision because all that is small is in double.
  @Test func smallDamping() throws {
    var generator = TestGenerator(seed: 9)
    let g: Tensor<Float> = generator.tensor([16, 400])
    let x: Tensor<Float> = generator.tensor([400])
    let single = try InverseFisher(gradients: g, damping: 1e-5).apply(x)
    let double = try InverseFisher(gradients: Tensor<Double>(g), damping: 1e-5).apply(Tensor<Double>(x))
    let scale = double.absolute().maximum().scalar
    #expect(distance(Tensor<Double>(single), double) < 1e-6 * scale)
  }

  @Test func badInput() throws {
    let g = Tensor<Double>.ones([2, 3])
    for damping in [0, -1, Double.nan, .infinity] {
      #expect(throws: InvalidArgument.self) { try InverseFisher(gradients: g, damping: damping) }
    }
    for gradients in [Tensor<Double>.ones([3]), .zeros([0, 3]), Tensor([[1, .nan]])] {
      #expect(throws: InvalidArgument.self) { try InverseFisher(gradients: gradients) }
    }
    #expect(throws: InvalidArgument.self) { try InverseFisher(gradients: g, blockSize: 0) }
    let inverse = try InverseFisher(gradients: g)
    for x in [Tensor<Double>.ones([4]), .ones([2, 4]), Tensor([1, .infinity, 0])] {
      #expect(throws: InvalidArgument.self) { try inverse.apply(x) }
    }
    for weights in [Tensor<Double>.ones([4]), Tensor([1, .nan, 0])] {
      #expect(throws: InvalidArgument.self) { try inverse.remove(1, from: weights) }
    }
    #expect(throws: InvalidArgument.self) { try inverse.remove(4, from: .ones([3])) }
    let mask = Tensor([true, false, false])
    #expect(throws: InvalidArgument.self) { try inverse.remove(2, from: .ones([3]), where: mask) }
  }

  // MARK: The sliding window

  @Test(arguments: 0..<6)
  func windowGivesTheStaticResultInAnyOrder(seed: UInt64) throws {
    let (g, damping, x) = problem(seed + 200)
    let m = g.rows
    let wanted = try InverseFisher(gradients: g, damping: damping).apply(x)
    var random = RandomStream(seed: seed)
    for order in [Array(0..<m), random.permutation(m).scalars] {
      var window = try SlidingInverseFisher<Double>(window: m, dimension: g.columns, damping: damping)
      // Others first, so that all rows are replaced.
      for _ in 0..<Int(seed) { try window.push(x) }
      for i in order { try window.push(g[i]) }
      #expect(window.filled == m && window.pushCount == m + Int(seed))
      #expect(distance(try window.apply(x), wanted) < 1e-9, "seed \(seed)")
    }
  }

  @Test(arguments: 0..<4)
  func windowIsLinearSymmetricAndPositive(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let d = 17
    var window = try SlidingInverseFisher<Double>(window: 5, dimension: d, damping: 0.3)
    let g: Tensor<Double> = generator.tensor([8, d])
    for i in 0..<8 {
      let direct = try window.pushAndApply(g[i])
      #expect(distance(direct, try window.apply(g[i])) < 1e-11)
      let last = max(0, i - 4)...i
      let rows = Tensor.concatenated([g[last], .zeros([5 - last.count, d])])
      let wanted = try InverseFisher(gradients: rows, damping: 0.3).apply(g[i])
      #expect(distance(direct, wanted) < 1e-9, "the divisor is the window's length; seed \(seed)")
    }
    let (x, y): (Tensor<Double>, Tensor<Double>) = (generator.tensor([d]), generator.tensor([d]))
    let (u, v) = (try window.apply(x), try window.apply(y))
    #expect(distance(try window.apply(x * 2 + y), u * 2 + v) < 1e-11)
    #expect(abs(x.dot(v).scalar - y.dot(u).scalar) < 1e-11)
    #expect(x.dot(u).scalar > 0)
  }

  @Test func aGradientPushedTwiceCountsTwice() throws {
    let g = Tensor<Double>([1, 2, 3])
    var window = try SlidingInverseFisher<Double>(window: 2, dimension: 3, damping: 0.1)
    try window.push(g)
    try window.push(g)
    let wanted = try InverseFisher(gradients: Tensor.stacked([g, g]), damping: 0.1).apply(g)
    #expect(distance(try window.apply(g), wanted) < 1e-12)
    let once = try InverseFisher(gradients: Tensor.stacked([g]), damping: 0.1).apply(g)
    #expect(distance(wanted, once) < 1e-12, "the mean of two equal ones")
  }

  @Test func badGradientsLeaveTheWindow() throws {
    var window = try SlidingInverseFisher<Float>(window: 3, dimension: 2)
    #expect(try window.apply(Tensor([1, 0])) == Tensor<Float>([1e5, 0]))
    try window.push(Tensor([1, 2]))
    let before = try window.apply(Tensor([1, 1]))
    for bad in [Tensor<Float>([.nan, 0]), Tensor([1, 2, 3]), Tensor([.infinity, 0])] {
      #expect(throws: InvalidArgument.self) { try window.push(bad) }
      #expect(throws: InvalidArgument.self) { try window.pushAndApply(bad) }
    }
    let after = try window.apply(Tensor([1, 1]))
    #expect(window.pushCount == 1 && after == before)
    #expect(throws: InvalidArgument.self) { try window.apply(Tensor([1])) }
    #expect(throws: InvalidArgument.self) { try SlidingInverseFisher<Float>(window: 0, dimension: 2) }
    #expect(throws: InvalidArgument.self) { try SlidingInverseFisher<Float>(window: 2, dimension: 0) }
    #expect(throws: InvalidArgument.self) { try SlidingInverseFisher<Float>(window: 2, dimension: 2, damping: 0) }
  }

  // MARK: The optimal brain surgeon

  /// On ½ (w - w₀)ᵀ F (w - w₀), removing one weight costs exactly its score, and several jointly what the best answer
  /// costs.
  @Test(arguments: 0..<8)
  func removalOnAQuadraticIsExact(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let (m, d) = (6, 9)
    let g: Tensor<Double> = generator.tensor([m, d])
    let w: Tensor<Double> = generator.tensor([d])
    let inverse = try InverseFisher(gradients: g, damping: 0.2)
    let fisher = g.multipliedByOwnTranspose(transposing: true) / Double(m) + Tensor.identity(d) * 0.2
    /// The least of the quadratic with the weights at `removed` held at zero.
    func least(_ removed: [Int]) throws -> (cost: Double, weights: Tensor<Double>) {
      let free = (0..<d).filter { !removed.contains($0) }
      let change = try LUDecomposition(
        of: fisher.gathered(Tensor<Int>(free)).gathered(Tensor<Int>(free), axis: 1)
      ).solve(
        fisher.gathered(Tensor<Int>(free)).gathered(Tensor<Int>(removed), axis: 1).matmul(
          w.gathered(Tensor<Int>(removed)))
      )
      var weights = w.scalars
      for place in removed { weights[place] = 0 }
      for (i, place) in free.enumerated() { weights[place] += change[at: i] }
      let step = Tensor(weights) - w
      return (step.dot(fisher.matmul(step)).scalar / 2, Tensor(weights))
    }
    let one = try inverse.remove(1, from: w)
    let best = try least(one.removed)
    #expect(abs(one.predictedIncrease - one.scores[at: one.removed[0]]) < 1e-12, "seed \(seed)")
    #expect(abs(one.predictedIncrease - best.cost) < 1e-12 && distance(one.weights, best.weights) < 1e-12)
    let others = try (0..<d).map { try least([$0]).cost }
    #expect(abs((others.min() ?? .nan) - one.predictedIncrease) < 1e-12, "the cheapest weight; seed \(seed)")
    for (place, cost) in others.enumerated() { #expect(abs(one.scores[at: place] - cost) < 1e-12) }
    let joint = try inverse.remove(4, from: w, compensation: .exact)
    let wanted = try least(joint.removed)
    #expect(abs(joint.predictedIncrease - wanted.cost) < 1e-10, "seed \(seed)")
    #expect(distance(joint.weights, wanted.weights) < 1e-10, "seed \(seed)")
    let together = try inverse.remove(4, from: w)
    let still = try inverse.remove(4, from: w, compensation: .none)
    #expect(together.removed == joint.removed && still.removed == joint.removed)
    #expect(joint.predictedIncrease <= min(together.predictedIncrease, still.predictedIncrease) + 1e-12)
    #expect(together.removed.allSatisfy { together.weights[at: $0] == 0 })
  }

  @Test func tiesGoByPlace() throws {
    let inverse = try InverseFisher(gradients: Tensor<Double>.zeros([2, 5]), damping: 1)
    #expect(try inverse.remove(3, from: Tensor([1, -1, 1, 1, 1])).removed == [0, 1, 2])
    let mask = Tensor([false, true, true, false, true])
    #expect(try inverse.remove(2, from: .ones([5]), where: mask).removed == [1, 2])
  }
}
