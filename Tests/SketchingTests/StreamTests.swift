import FileFormats
import LinearAlgebra
import Sketching
import Tensors
import TestSupport
import Testing

/// cos² of the angle between two vectors.
private func correlation(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Double {
  let product = (a * b).sum().scalar
  return product * product / (a.sumOfSquares().scalar * b.sumOfSquares().scalar)
}

/// Light rows of a falling spectrum, in random order.
private func lightRows(_ n: Int, _ d: Int, gap: Double = 4, seed: UInt64) -> Tensor<Double> {
  var random = RandomStream(seed: seed)
  var scale = Tensor<Double>.ones([d])
  scale[at: 0] = gap.squareRoot()
  return random.normal([n, d]) * scale
}

private func run(_ rows: Tensor<Double>, chunk: Int? = nil, _ make: () throws -> TopEigenvectorStream<Double>) throws
  -> StreamEigenvector<Double>
{
  var stream = try make()
  for first in stride(from: 0, to: rows.rows, by: chunk ?? rows.rows) {
    try stream.observe(rows[first..<min(first + (chunk ?? rows.rows), rows.rows), .all])
  }
  return try stream.finish()
}

@Suite struct TopEigenvectorStreamTests {
  @Test func rankOneIsExact() throws {
    var random = RandomStream(seed: 1)
    let v: Tensor<Double> = random.sphere([30])
    let rows = random.normal([3_000], of: Double.self).outer(v)
    let found = try run(rows) { try TopEigenvectorStream(dimension: 30, expectedRows: 3_000) }
    #expect(correlation(found.vector, v) > 1 - 1e-12)
  }

  @Test func heavyRowsAreExact() throws {
    // Two hundred dimensions and sixty rows of like norm: all heavy.
    var random = RandomStream(seed: 2)
    let rows: Tensor<Double> = random.normal([60, 200])
    let exact = try SingularValueDecomposition(of: rows)
    let found = try run(rows) { try TopEigenvectorStream(dimension: 200, expectedRows: 60) }
    #expect(found.heavyRows == 60 && found.chosen == .heavy)
    #expect(1 - correlation(found.vector, exact.right[.all, 0].dense) < 1e-10)
    #expect(abs(found.eigenvalueEstimate / (exact.values[at: 0] * exact.values[at: 0]) - 1) < 1e-10)
  }

  @Test func lightRowsConverge() throws {
    let rows = lightRows(20_000, 40, gap: 8, seed: 3)
    let exact = try SymmetricEigendecomposition(of: rows.multipliedByOwnTranspose(transposing: true)).largest(1)
    let found = try run(rows) { try TopEigenvectorStream(dimension: 40, expectedRows: 20_000) }
    #expect(1 - correlation(found.vector, exact.vectors[.all, 0].dense) < 0.02)
    #expect(abs(found.eigenvalueEstimate / exact.values[at: 0] - 1) < 0.15)
    #expect(found.heavyRows == 0 && found.blocks >= 7 && !found.gapWarning && !found.endedEarly)
    #expect(found.memoryVectors < 30)
    #expect(found.vectors.shape == [40, 1])
    // Without the length, and in single precision.
    let unknown = try run(rows) { try TopEigenvectorStream(dimension: 40) }
    #expect(1 - correlation(unknown.vector, exact.vectors[.all, 0].dense) < 0.05)
    var single = try TopEigenvectorStream<Float>(dimension: 40, expectedRows: 20_000)
    try single.observe(Tensor<Float>(rows))
    #expect(1 - correlation(Tensor<Double>(try single.finish().vector), found.vector) < 1e-5)
  }

  @Test func tinyRowsMayBeSampled() throws {
    // Nine rows in ten are tiny: most of them need not be added.
    var random = RandomStream(seed: 21)
    let size = random.bernoulli([20_000, 1], probability: 0.1).select(
      Tensor<Double>.ones([20_000, 1]), Tensor(repeating: 0.02, shape: [20_000, 1]))
    let rows = lightRows(20_000, 40, gap: 8, seed: 22) * size
    let exact = try SymmetricEigendecomposition(of: rows.multipliedByOwnTranspose(transposing: true)).largest(1)
    for share in [100.0, 400] {
      let found = try run(rows, chunk: 700) {
        try TopEigenvectorStream(dimension: 40, expectedRows: 20_000, normSampling: share)
      }
      #expect(1 - correlation(found.vector, exact.vectors[.all, 0].dense) < 0.05)
      #expect(abs(found.eigenvalueEstimate / exact.values[at: 0] - 1) < 0.3)
      let whole = try run(rows) { try TopEigenvectorStream(dimension: 40, expectedRows: 20_000, normSampling: share) }
      #expect(found.vector == whole.vector)
    }
    // With every row certain, nothing changes.
    let all = try run(rows) { try TopEigenvectorStream(dimension: 40, expectedRows: 20_000, normSampling: 1e9) }
    let plain = try run(rows) { try TopEigenvectorStream(dimension: 40, expectedRows: 20_000) }
    #expect(1 - correlation(all.vector, plain.vector) < 1e-12)
    #expect(throws: InvalidArgument.self) { _ = try TopEigenvectorStream<Double>(dimension: 4, normSampling: 0) }
  }

  @Test func severalVectors() throws {
    var random = RandomStream(seed: 4)
    var scale = Tensor<Double>.ones([30])
    scale[at: 0] = 4
    scale[at: 1] = 3
    let rows = random.normal([20_000, 30]) * scale
    let found = try run(rows) { try TopEigenvectorStream(dimension: 30, count: 2, expectedRows: 20_000) }
    #expect(found.vectors.shape == [30, 2] && found.eigenvalueEstimates.count == 2)
    let inside = found.vectors[0..<2, .all].sumOfSquares().scalar
    #expect(inside > 1.97, "\(inside)")
  }

  @Test(arguments: [1, 7, 1_000, 4_096]) func chunksDoNotShow(chunk: Int) throws {
    var rows = lightRows(6_000, 24, seed: 5)
    for i in [5, 800, 801, 4_400] { rows[i, .all] = rows[i, .all] * 40 }
    let make = { try TopEigenvectorStream<Double>(dimension: 24, expectedRows: 6_000) }
    let whole = try run(rows, make)
    let parts = try run(rows, chunk: chunk, make)
    #expect(parts.vector == whole.vector && parts.eigenvalueEstimate == whole.eigenvalueEstimate)
    #expect(parts.heavyRows == whole.heavyRows && whole.heavyRows > 0)
    // Signs of rows, and the unit, are of no consequence.
    var random = RandomStream(seed: 6)
    let signs = random.bernoulli([6_000, 1], probability: 0.5).select(
      Tensor(repeating: 1.0, shape: [6_000, 1]), Tensor(repeating: -1.0, shape: [6_000, 1]))
    #expect(distance(try run(rows * signs, make).vector, whole.vector) < 1e-12)
    #expect(distance(try run(rows * 1_024, make).vector, whole.vector) < 1e-12)
  }

  @Test func coordinatesMayBeTurned() throws {
    let rows = lightRows(4_000, 16, seed: 7)
    var random = RandomStream(seed: 8)
    let q: Tensor<Double> = try random.orthogonal([16, 16])
    let start: Tensor<Double> = random.sphere([16])
    let first = try run(rows) { try TopEigenvectorStream(dimension: 16, expectedRows: 4_000, start: start) }
    let second = try run(rows.matmul(q)) {
      try TopEigenvectorStream(dimension: 16, expectedRows: 4_000, start: start.matmul(q))
    }
    #expect(1 - correlation(first.vector.matmul(q), second.vector) < 1e-10)
  }

  /// Small rows first make every later one look heavy: they are put back when more is known.
  @Test func energyIsNeverLost() throws {
    var rows = lightRows(9_000, 20, seed: 9)
    rows[0..<400, .all] = rows[0..<400, .all] * 0.05
    var stream = try TopEigenvectorStream<Double>(dimension: 20, expectedRows: 9_000)
    for first in stride(from: 0, to: 9_000, by: 450) { try stream.observe(rows[first..<first + 450, .all]) }
    #expect(abs(stream.energy / rows.sumOfSquares().scalar - 1) < 1e-12)
    let found = try stream.finish()
    #expect(found.heavyRows == 0 && abs(stream.heavyEnergy) < 1e-9 * stream.energy)
    #expect(found.vector[at: 0].magnitude > 0.95)
    // Finishing does not end the stream.
    try stream.observe(rows)
    #expect(stream.rowCount == 18_000)
  }

  @Test func tooManyHeavyRowsAreCompressed() throws {
    var random = RandomStream(seed: 10)
    var scale = Tensor<Double>.ones([300])
    scale[at: 0] = 6
    let rows = random.normal([200, 300]) * scale
    let found = try run(rows) { try TopEigenvectorStream(dimension: 300, expectedRows: 200, mostHeavy: 40) }
    #expect(found.isHeavyCompressed && found.memoryVectors <= 90)
    let exact = try SingularValueDecomposition(of: rows).right[.all, 0].dense
    #expect(correlation(found.vector, exact) > 0.9)
  }

  @Test func shortAndStrangeStreams() throws {
    let few = lightRows(6, 50, seed: 11)
    let found = try run(few) { try TopEigenvectorStream(dimension: 50, expectedRows: 10_000) }
    #expect(found.chosen == .exact && found.endedEarly)
    #expect(1 - correlation(found.vector, try SingularValueDecomposition(of: few).right[.all, 0].dense) < 1e-12)
    // No gap at all, and blocks of fewer rows than dimensions.
    let flat = lightRows(400, 64, gap: 1, seed: 12)
    #expect(try run(flat) { try TopEigenvectorStream(dimension: 64, expectedRows: 400) }.gapWarning)
    let paper = try run(lightRows(9_000, 16, gap: 9, seed: 13)) {
      try TopEigenvectorStream(dimension: 16, expectedRows: 9_000, merge: .paper)
    }
    #expect(paper.vector[at: 0].magnitude > 0.98 && paper.chosen != .heavy)
    var sparse = try TopEigenvectorStream<Double>(dimension: 16, expectedRows: 9_000)
    let rows = lightRows(9_000, 16, seed: 14)
    try sparse.observe(SparseMatrix(rows))
    let dense = try run(rows) { try TopEigenvectorStream(dimension: 16, expectedRows: 9_000) }
    #expect(try sparse.finish().vector == dense.vector)
  }

  @Test func badInputIsNamedAndLeavesTheStreamAlone() throws {
    var stream = try TopEigenvectorStream<Double>(dimension: 3, expectedRows: 100)
    #expect { _ = try stream.finish() } throws: { "\($0)".contains("no rows") }
    try stream.observe(Tensor([[0.0, 0, 0], [0, 0, 0]]))
    #expect { _ = try stream.finish() } throws: { "\($0)".contains("zeros") }
    #expect { try stream.observe(Tensor([[1.0, 2, 3], [1, .nan, 0]])) } throws: { "\($0)".hasPrefix("row 3:") }
    #expect(stream.rowCount == 2 && stream.energy == 0)
    #expect { try stream.observe(Tensor([1.0, 2])) } throws: { "\($0)".hasPrefix("row 2:") }
    try stream.observe(Tensor([3.0, 0, 4]))
    #expect(distance(try stream.finish().vector.absolute(), Tensor([0.6, 0, 0.8])) < 1e-12)
    func fails(_ name: String, _ body: () throws -> Void) {
      #expect { try body() } throws: { ($0 as? InvalidArgument)?.name == name }
    }
    fails("dimension") { _ = try TopEigenvectorStream<Double>(dimension: 0) }
    fails("count") { _ = try TopEigenvectorStream<Double>(dimension: 3, count: 4) }
    fails("expectedRows") { _ = try TopEigenvectorStream<Double>(dimension: 3, expectedRows: 0) }
    fails("gapHint") { _ = try TopEigenvectorStream<Double>(dimension: 3, gapHint: 1) }
    fails("heavyConstant") { _ = try TopEigenvectorStream<Double>(dimension: 3, heavyConstant: 0) }
    fails("mostHeavy") { _ = try TopEigenvectorStream<Double>(dimension: 3, mostHeavy: 1) }
    fails("start") { _ = try TopEigenvectorStream<Double>(dimension: 3, start: Tensor([1.0, 2])) }
    fails("rate") { _ = try OjaStream<Double>(dimension: 3, rate: 0) }
    fails("rates") { _ = try PriceXunStream<Double>(dimension: 3, rates: []) }
  }
}

@Suite struct StreamBaselineTests {
  @Test func ojaAtATinyRateIsAStepOfThePowerMethod() throws {
    let rows = lightRows(50, 6, seed: 1)
    var oja = try OjaStream<Double>(dimension: 6, rate: 1e-9, seed: 4)
    let start = oja.vector
    try oja.observe(rows)
    let step = rows.matmul(rows.matmul(start), transposingA: true)
    let moved = start + step * 1e-9
    #expect(distance(oja.vector, moved / moved.norm().scalar) < 1e-13)
    #expect(abs(oja.logGrowth - (start * step).sum().scalar * 1e-9) < 1e-14)
  }

  @Test func ojaAndItsGridConverge() throws {
    let rows = lightRows(20_000, 12, gap: 20, seed: 2)
    var grid = try PriceXunStream<Double>(dimension: 12, rates: (0..<8).map { 1e-5 * Double(1 << $0) })
    for first in stride(from: 0, to: 20_000, by: 500) { try grid.observe(rows[first..<first + 500, .all]) }
    #expect(grid.chosen.logGrowth >= 10 * 2.4849 && grid.vector[at: 0].magnitude > 0.99)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func frequentDirectionsKeepTheirBound(seed: UInt64) throws {
    let rows = lightRows(500, 20, gap: 30, seed: seed)
    var sketch = FrequentDirections<Double>(dimension: 20, rows: 12)
    for first in stride(from: 0, to: 500, by: 70) { try sketch.observe(rows[first..<min(first + 70, 500), .all]) }
    let difference =
      rows.multipliedByOwnTranspose(transposing: true) - sketch.sketch.multipliedByOwnTranspose(transposing: true)
    let values = try difference.symmetrized.symmetricEigenvalues()
    #expect(values.minimum().scalar > -1e-8, "\(seed)")
    #expect(values.maximum().scalar <= sketch.errorBound * (1 + 1e-10))
    #expect(sketch.errorBound <= rows.sumOfSquares().scalar / 6 && sketch.rowCount <= 12)
    #expect(try sketch.vector()[at: 0].magnitude > 0.95)
  }

  @Test func reservoirsAreUniform() throws {
    let rows = Tensor<Double>(from: 1, through: 40, count: 40).reshaped([40, 1])
    var counts = [Int](repeating: 0, count: 41)
    for seed in 0..<2_000 as Range<UInt64> {
      var reservoir = RowReservoir<Double>(dimension: 1, rows: 1, seed: seed)
      try reservoir.observe(rows[0..<10, .all])
      try reservoir.observe(rows[10..<40, .all])
      counts[0] += try reservoir.vector()[at: 0].magnitude == 1 ? 1 : 0
    }
    #expect(counts[0] == 2_000)
    #expect(throws: InvalidArgument.self) { _ = try RowReservoir<Double>(dimension: 2, rows: 3).vector() }
  }

  @Test func aFileIsReadInPieces() throws {
    let folder = TemporaryFolder()
    let rows = lightRows(5_000, 8, gap: 6, seed: 3)
    try writeNPY(rows, to: folder.file("rows.npy"))
    var reader = try NumPyRowReader(folder.file("rows.npy"))
    var stream = try TopEigenvectorStream<Double>(dimension: reader.rowCount, expectedRows: reader.rows)
    while let piece = try reader.next(atMost: 700, as: Double.self) { try stream.observe(piece) }
    let whole = try run(rows) { try TopEigenvectorStream(dimension: 8, expectedRows: 5_000) }
    #expect(try stream.finish().vector == whole.vector)
  }
}
