import LinearAlgebra
import Sketching
import Tensors
import TestSupport
import Testing

private let families: [SketchFamily] = [.hadamard, .gaussian, .cosine, .countSketch, .blockSigns(4)]

/// S as a matrix.
private func matrix(_ sketch: any RowSketch<Double>) throws -> Tensor<Double> {
  try sketch.apply(Tensor<Double>.identity(sketch.columns))
}

@Suite struct SketchTests {
  @Test(arguments: families) func applicationsAgree(family: SketchFamily) throws {
    var random = RandomStream(seed: 3)
    for (rows, columns) in [(1, 1), (5, 5), (12, 37), (16, 64), (40, 300)] {
      if case .blockSigns(let nonzeros) = family, nonzeros > rows { continue }
      let sketch = try family.makeSketch(rows: rows, columns: columns, random: &random, of: Double.self)
      let s = try matrix(sketch)
      #expect(sketch.shape == [rows, columns] && sketch.isDense == family.isDense)
      let x: Tensor<Double> = random.normal([columns, 3])
      let y: Tensor<Double> = random.normal([rows, 3])
      #expect(distance(try sketch.apply(x), s.matmul(x)) < 1e-12, "\(family) \(rows) \(columns)")
      #expect(distance(try sketch.applyTransposed(y), s.matmul(y, transposingA: true)) < 1e-12)
      #expect(distance(try sketch.apply(x[.all, 0].dense), s.matmul(x[.all, 0].dense)) < 1e-12)
      #expect(
        distance(try sketch.applyTransposed(y[.all, 0].dense), s.matmul(y[.all, 0].dense, transposingA: true)) < 1e-12)
    }
  }

  /// E SᵀS = I: the mean over draws is within five standard errors, entry by entry.
  @Test(arguments: families) func sketchesAreIsotropic(family: SketchFamily) throws {
    let (rows, columns, draws) = (6, 11, 800)
    var random = RandomStream(seed: 8)
    var sum = Tensor<Double>.zeros([columns, columns])
    var squares = sum
    for _ in 0..<draws {
      let sketch = try family.makeSketch(rows: rows, columns: columns, random: &random, of: Double.self)
      let gram = try matrix(sketch).multipliedByOwnTranspose(transposing: true)
      sum += gram
      squares += gram * gram
    }
    let mean = sum / Double(draws)
    let deviation = (squares / Double(draws) - mean * mean).maximum(1e-20).sqrt() / Double(draws).squareRoot()
    let score = ((mean - .identity(columns)).absolute() - deviation * 5).maximum().scalar
    #expect(score <= 1e-9, "\(family) \(score)")
  }

  /// Long enough that data goes by in blocks, with sizes that are no multiples of anything.
  @Test func blocksGiveWhatTheWholeTransformGives() throws {
    for (rows, columns, width) in [(64, 9_000, 40), (200, 70_001, 7), (33, 40_000, 1)] {
      var random = RandomStream(seed: 5)
      let sketch = try HadamardSketch<Double>(rows: rows, columns: columns, random: &random)
      let x: Tensor<Double> = random.normal([columns, width])
      let small = sketch.apply(x)
      // ⟨S x, y⟩ = ⟨x, Sᵀ y⟩, and the transpose is computed by the whole transform.
      let y: Tensor<Double> = random.normal([rows, 3])
      let left = small.matmul(y, transposingA: true)
      let right = x.matmul(sketch.applyTransposed(y), transposingA: true)
      #expect(distance(left, right) < 1e-9, "\(rows) \(columns) \(width)")
      let single = try HadamardSketch<Float>(rows: rows, columns: columns, random: &random)
      #expect(single.apply(Tensor<Float>(x)).shape == [rows, width])
    }
  }

  @Test func allRowsOnceAreOrthogonal() throws {
    var random = RandomStream(seed: 2)
    for size in [1, 2, 64, 256] {
      let sketch = try HadamardSketch<Double>(rows: size, columns: size, withReplacement: false, random: &random)
      let s = try matrix(sketch)
      #expect(distance(s.multipliedByOwnTranspose(transposing: true), .identity(size)) < 1e-13)
    }
  }

  @Test(arguments: [0, 3, 6]) func transformAgreesWithItsMatrix(exponent: Int) {
    let size = 1 << exponent
    var random = RandomStream(seed: 1)
    let x: Tensor<Double> = random.normal([size, 2])
    let h = Tensor<Double>(
      shape: [size, size],
      scalars: (0..<size * size).map { ($0 / size & $0 % size).nonzeroBitCount % 2 == 0 ? 1.0 : -1.0 })
    let y = x.walshHadamard(axis: 0, normalizing: true)
    #expect(distance(y, h.matmul(x) / Double(size).squareRoot()) < 1e-13)
    #expect(distance(y.walshHadamard(axis: 0, normalizing: true), x) < 1e-14 * Double(exponent + 1))
    #expect(abs(y.norm().scalar - x.norm().scalar) < 1e-14 * Double(exponent + 1) * x.norm().scalar)
  }

  @Test func sparseSketchesHaveTheirShape() throws {
    var random = RandomStream(seed: 4)
    let count = try matrix(SignSketch<Double>(rows: 9, columns: 200, nonzeros: 1, random: &random))
    let signs = try matrix(SignSketch<Double>(rows: 10, columns: 200, nonzeros: 4, random: &random))
    for j in 0..<200 {
      let column = count[.all, j].scalars.filter { $0 != 0 }
      #expect(column.count == 1 && abs(column[0]) == 1)
      let several = signs[.all, j].scalars
      #expect(several.count { $0 != 0 } == 4 && several.allSatisfy { $0 == 0 || abs($0) == 0.5 })
      // One in each block of rows: 0..<2, 2..<5, 5..<7, 7..<10.
      for block in [0..<2, 2..<5, 5..<7, 7..<10] { #expect(several[block].count { $0 != 0 } == 1) }
    }
    let a = try SparseMatrix<Double>(
      rows: 200, columns: 3, rowIndices: Tensor((0..<300).map { $0 % 200 }),
      columnIndices: Tensor((0..<300).map { $0 % 3 }), values: random.normal([300]))
    let sketch = try SignSketch<Double>(rows: 10, columns: 200, nonzeros: 4, random: &random)
    #expect(distance(sketch.apply(a), sketch.apply(a.dense)) < 1e-13)
  }

  @Test func tensorSketchEqualsTheKroneckerProduct() throws {
    var random = RandomStream(seed: 6)
    let sketch = try TensorHadamardSketch<Double>(rows: 20, firstRows: 5, secondRows: 6, random: &random)
    let a: Tensor<Double> = random.normal([5, 2])
    let b: Tensor<Double> = random.normal([6, 3])
    let s = sketch.apply(.identity(5), .identity(6))  // the explicit matrix on all 30 rows
    let product = (a.reshaped([5, 1, 2, 1]) * b.reshaped([1, 6, 1, 3])).reshaped([30, 6])
    #expect(distance(sketch.apply(a, b), s.matmul(product)) < 1e-12)
    let x = a[.all, 0].dense
    let y = b[.all, 0].dense
    #expect(distance(sketch.apply(x, y), s.matmul(product[.all, 0].dense)) < 1e-12)
    // Entries of S are products of signs: each row of squares sums to n₁ n₂ / rows.
    #expect(distance(s.squared(), Tensor(repeating: 1.0 / 20, shape: [20, 30])) < 1e-15)
  }

  @Test func extentsAreChecked() {
    var random = RandomStream(seed: 1)
    for family in families {
      for (rows, columns) in [(0, 5), (5, 0), (200, 5)] {
        #expect(throws: InvalidArgument.self) {
          _ = try family.makeSketch(rows: rows, columns: columns, random: &random, of: Double.self)
        }
      }
    }
    #expect(throws: InvalidArgument.self) {
      _ = try SignSketch<Double>(rows: 3, columns: 9, nonzeros: 4, random: &random)
    }
    #expect(throws: InvalidArgument.self) {
      _ = try TensorHadamardSketch<Double>(rows: 3, firstRows: 0, secondRows: 4, random: &random)
    }
  }
}
