import LinearAlgebra
import Sketching
import Tensors
import TestSupport
import Testing

/// Normal rows, and some that alone span the last two coordinates.
private func rows(_ n: Int, _ d: Int, rare: Int, seed: UInt64) -> Tensor<Double> {
  var random = RandomStream(seed: seed)
  var a: Tensor<Double> = random.normal([n, d])
  a[.all, d - 2..<d] = .zeros([n, 2])
  a[0..<rare, .all] = .zeros([rare, d])
  a[0..<rare, d - 2..<d] = random.normal([rare, 2])
  return a.gathered(random.permutation(n))
}

private func sampled(
  _ a: Tensor<Double>, p: Double, keep: Int, chunk: Int? = nil, seed: UInt64 = 1
) throws -> LpStreamSample {
  var stream = try LpRowStream(p: p, dimension: a.columns, rows: keep, seed: seed)
  for first in stride(from: 0, to: a.rows, by: chunk ?? a.rows) {
    try stream.observe(a[first..<min(first + (chunk ?? a.rows), a.rows), .all])
  }
  return try stream.finish()
}

@Suite struct LpRowStreamTests {
  @Test(arguments: [1.0, 1.5, 2]) func normsAreKept(p: Double) throws {
    let a = rows(20_000, 8, rare: 60, seed: 3)
    let sample = try sampled(a, p: p, keep: 500)
    #expect(sample.indices.count <= 500 && sample.indices.count > 250)
    #expect(sample.indices == sample.indices.sorted() && sample.rowCount == 20_000)
    #expect(distance(sample.rows, a.gathered(Tensor(sample.indices))) == 0)
    #expect(sample.probabilities.maximum().scalar <= 1 && sample.probabilities.minimum().scalar > 0)
    let distortion = try LpDistortion(p: p).measure(a, sample.asRowSample)
    #expect(distortion.value < 0.45, "\(distortion.value)")
    // As many uniform rows miss two of the coordinates, or nearly.
    let uniform = try LpRowSampling(p: p, rows: 500, scheme: .uniform).sample(a)
    #expect(try LpDistortion(p: p).measure(a, uniform).value > 1.5 * distortion.value)
    // The sum of the weights is of the order of d.
    #expect(sample.weightSum > 7 && sample.weightSum < 24, "\(sample.weightSum)")
  }

  /// E ‖S A x‖_p^p = ‖A x‖_p^p, to four standard errors.
  @Test(arguments: [1.0, 1.5]) func normsAreRightOnAverage(p: Double) throws {
    let a = rows(3_000, 5, rare: 20, seed: 4)
    let x = Tensor<Double>([0.3, -1, 0.5, 2, -1])
    let exact = a.matmul(x).absolute().power(p).sum().scalar
    let ratios = try (0..<200 as Range<UInt64>).map { seed in
      try sampled(a, p: p, keep: 120, seed: seed).weightedRows.matmul(x).absolute().power(p).sum().scalar / exact
    }
    let mean = ratios.reduce(0, +) / 200
    let variance = ratios.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 199
    #expect((mean - 1).magnitude < 4 * (variance / 200).squareRoot(), "\(mean)")
  }

  @Test func piecesDoNotMatter() throws {
    let a = rows(3_000, 6, rare: 30, seed: 5)
    let whole = try sampled(a, p: 1, keep: 100)
    for chunk in [1, 37, 512, 1_000] {
      let other = try sampled(a, p: 1, keep: 100, chunk: chunk)
      #expect(other.indices == whole.indices && other.weights == whole.weights)
    }
    var single = try LpRowStream(p: 1, dimension: 6, rows: 100)
    for i in 0..<600 { try single.observe(a[i].dense) }
    #expect(single.rowCount == 600)
    #expect(try single.finish().indices == sampled(a[0..<600, .all].dense, p: 1, keep: 100).indices)
  }

  @Test func theOrderMayBeAny() throws {
    // The rows that matter come last, when the sample is long full; or first.
    var random = RandomStream(seed: 6)
    var a: Tensor<Double> = random.normal([30_000, 8])
    a[.all, 6..<8] = .zeros([30_000, 2])
    for place in [0, 29_940] {
      var ordered = a
      ordered[place..<place + 60, 6..<8] = random.normal([60, 2])
      let sample = try sampled(ordered, p: 1, keep: 500)
      #expect(try LpDistortion(p: 1).measure(ordered, sample.asRowSample).value < 0.6)
    }
  }

  @Test func memoryIsBounded() throws {
    var random = RandomStream(seed: 7)
    var stream = try LpRowStream(p: 1, dimension: 10, rows: 100)
    var held: [Int] = []
    for piece in 1...40 {
      try stream.observe(random.normal([2_048, 10], of: Double.self))
      if [10, 20, 40].contains(piece) { held.append(try stream.finish().memoryRows) }
    }
    #expect(held[2] <= 200 + 512 + 512 + 20 && held[2] - held[0] <= 100, "\(held)")
  }

  @Test func shortStreamsAreKeptWhole() throws {
    let a = rows(50, 6, rare: 5, seed: 8)
    let sample = try sampled(a, p: 1, keep: 100)
    #expect(sample.indices == Array(0..<50) && sample.weights == Tensor.ones([50]))
    // Rows of zeros have no weight.
    let padded = Tensor.concatenated([a, .zeros([10, 6])], axis: 0)
    #expect(try sampled(padded, p: 1, keep: 100).indices == Array(0..<50))
  }

  @Test func columnsOfUnlikeSizeAndDependentOnes() throws {
    var random = RandomStream(seed: 9)
    let a: Tensor<Double> = random.normal([5_000, 3])
    let scaled = a * Tensor<Double>([1e-9, 1, 1e9])
    #expect(try sampled(scaled, p: 1, keep: 200).indices == sampled(a, p: 1, keep: 200).indices)
    let dependent = a.matmul(Tensor<Double>([[1, 0, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]]))
    let sample = try sampled(dependent, p: 1, keep: 300)
    #expect(try LpDistortion(p: 1).measure(dependent, sample.asRowSample).value < 0.5)
    // In single precision.
    #expect(
      try { () -> Int in
        var stream = try LpRowStream(p: 1.5, dimension: 3, rows: 50)
        try stream.observe(Tensor<Float>(a))
        return try stream.finish().indices.count
      }() <= 50)
  }

  @Test func badInputIsRefused() throws {
    #expect(throws: InvalidArgument.self) { _ = try LpRowStream(p: 0.5, dimension: 3, rows: 10) }
    #expect(throws: InvalidArgument.self) { _ = try LpRowStream(p: 3, dimension: 3, rows: 10) }
    #expect(throws: InvalidArgument.self) { _ = try LpRowStream(p: 1, dimension: 0, rows: 10) }
    #expect(throws: InvalidArgument.self) { _ = try LpRowStream(p: 1, dimension: 3, rows: 0) }
    var stream = try LpRowStream(p: 1, dimension: 3, rows: 10)
    #expect(throws: InvalidArgument.self) { _ = try stream.finish() }
    #expect(throws: InvalidArgument.self) { try stream.observe(Tensor<Double>.ones([4, 2])) }
    try stream.observe(Tensor<Double>.ones([4, 3]))
    var bad = Tensor<Double>.ones([5, 3])
    bad[at: 2, 1] = .nan
    #expect { try stream.observe(bad) } throws: { "\($0)".contains("row 6") }
    #expect(stream.rowCount == 4)
    var zeros = try LpRowStream(p: 1, dimension: 3, rows: 10)
    try zeros.observe(Tensor<Double>.zeros([4, 3]))
    #expect(throws: InvalidArgument.self) { _ = try zeros.finish() }
  }
}
