import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct FastfoodTests {
  @Test(arguments: 0..<6) func applicationAndTransposeAreAdjoint(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let rows = [1, 5, 64, 100, 3_000, 70_000][Int(seed)]
    let columns = [1, 3, 64, 9, 100, 513][Int(seed)]
    let map = try Fastfood<Double>(rows: rows, columns: columns, random: &random)
    let v: Tensor<Double> = random.normal([columns, 2])
    let u: Tensor<Double> = random.normal([rows, 2])
    let left = (map.apply(v) * u).sum(axis: 0)
    let right = (v * map.applyTransposed(u)).sum(axis: 0)
    #expect(distance(left, right) < 1e-10 * Double(rows).squareRoot(), "seed \(seed)")
    #expect(distance(map.apply(v.slice(axis: 1, at: 0)), map.apply(v).slice(axis: 1, at: 0)) == 0)
  }

  @Test func longTransformsAreTheProductOfShortOnes() {
    var random = RandomStream(seed: 1)
    let x: Tensor<Double> = random.normal([1 << 17])
    let y = x.walshHadamard()
    #expect(distance(y.walshHadamard(), x * Double(1 << 17)) < 1e-8)
    // One coefficient by its definition.
    for index in [0, 1, 77, 70_001, (1 << 17) - 1] {
      let expected = x.scalars.enumerated().reduce(0.0) { sum, entry in
        sum + (((entry.offset & index).nonzeroBitCount & 1) == 0 ? entry.element : -entry.element)
      }
      #expect(abs(y[at: index] - expected) < 1e-9)
    }
    #expect(Tensor([1.0, 0, 1, 0, 0, 1, 1, 0]).walshHadamard().scalars == [4, 2, 0, -2, 0, 2, 0, 2])
  }

  @Test func threadsDoNotShow() throws {
    var random = RandomStream(seed: 2)
    let map = try Fastfood<Float>(rows: 200_000, columns: 300, random: &random)
    let v: Tensor<Float> = random.normal([300])
    let u: Tensor<Float> = random.normal([200_000])
    let (forward, backward) = withThreads(1) { (map.apply(v), map.applyTransposed(u)) }
    for count in [2, 3] {
      let (other, back) = withThreads(count) { (map.apply(v), map.applyTransposed(u)) }
      #expect(other == forward && back == backward, "\(count) threads")
    }
  }

  @Test(arguments: 0..<4) func sampledProductsAreEntriesOfTheProduct(seed: UInt64) throws {
    var random = RandomStream(seed: seed)
    let places = random.bernoulli([13, 8], probability: 0.4)
    let width = [1, 7, 16, 50][Int(seed)]
    let left: Tensor<Double> = random.normal([13, width])
    let right: Tensor<Double> = random.normal([8, width])
    let full = left.matmul(right, transposingB: true)
    for layout in [SparseMatrix<Double>.Layout.rows, .columns] {
      let matrix = try SparseMatrix<Double>(Tensor<Double>(places), layout: layout)
      let sampled = matrix.withValues(matrix.sampledProduct(left, right)).dense
      #expect(distance(sampled, places.select(full, .zeros([13, 8]))) < 1e-13, "seed \(seed)")
    }
  }

  @Test func isotonicRegressionPoolsWhatDecreases() {
    #expect(isotonicRegression([1, 3, 2, 4]) == [1, 2.5, 2.5, 4])
    #expect(isotonicRegression([3, 2, 1]) == [2, 2, 2])
    #expect(isotonicRegression([3, 1], weights: [1, 3]) == [1.5, 1.5])
    #expect(isotonicRegression([]).isEmpty)
  }

  @Test func badInputIsRefused() {
    var random = RandomStream(seed: 1)
    for (rows, columns) in [(4, 0), (4, 5), (0, 1)] {
      #expect(throws: InvalidArgument.self) { try Fastfood<Float>(rows: rows, columns: columns, random: &random) }
    }
  }
}
