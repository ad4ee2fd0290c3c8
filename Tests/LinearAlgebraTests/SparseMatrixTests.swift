import LinearAlgebra
import Tensors
import TestSupport
import Testing

private let extents: [[Int]] = [
  [1, 1], [5, 5], [7, 3], [3, 7], [1, 9], [9, 1], [40, 60], [64, 64], [0, 0], [0, 4], [4, 0],
]

struct SparseMatrixTests {
  @Test(arguments: 0..<6 as Range<UInt64>) func assemblyAgreesWithDense(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in extents {
      let count = shape[0] * shape[1] == 0 ? 0 : 3 * max(shape[0], shape[1])
      let i = (0..<count).map { _ in Int.random(in: 0..<shape[0], using: &generator) }
      let j = (0..<count).map { _ in Int.random(in: 0..<shape[1], using: &generator) }
      let values: Tensor<Double> = generator.tensor([count])
      var dense = Tensor<Double>.zeros(shape)
      for k in 0..<count { dense[at: i[k], j[k]] += values[at: k] }
      for layout in [SparseMatrix<Double>.Layout.rows, .columns] {
        let a = try SparseMatrix(
          rows: shape[0], columns: shape[1], rowIndices: Tensor(i), columnIndices: Tensor(j), values: values,
          layout: layout)
        #expect(a.layout == layout && distance(a.dense, dense) < 1e-15, "\(seed) \(shape) \(layout)")
        // The structure is what the checked initializer accepts, and every rearrangement keeps the matrix.
        let again = try SparseMatrix(
          rows: shape[0], columns: shape[1], layout: layout, starts: a.starts, indices: a.indices, values: a.values)
        #expect(again == a)
        let other = a.stored(by: layout == .rows ? .columns : .rows)
        #expect(other.dense == a.dense && other.stored(by: layout) == a, "\(seed) \(shape)")
        #expect(a.transposed.dense == a.dense.transposed)
        // In order already: the short way must give the same.
        let sorted = try SparseMatrix(
          rows: shape[0], columns: shape[1], rowIndices: a.rowIndices, columnIndices: a.columnIndices,
          values: a.values, layout: layout)
        #expect(sorted == a, "\(seed) \(shape)")
        let fromDense = try SparseMatrix(dense, layout: layout)
        #expect(fromDense.dense == dense && fromDense.pruned() == fromDense)
      }
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func productsAgreeWithDense(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in extents {
      for layout in [SparseMatrix<Double>.Layout.rows, .columns] {
        let a: SparseMatrix<Double> = try generator.sparse(
          shape[0], shape[1], entries: 4 * shape.max()!, layout: layout)
        let dense = a.dense
        let x: Tensor<Double> = generator.tensor([shape[1]])
        let y: Tensor<Double> = generator.tensor([shape[0]])
        let context = "\(seed) \(shape) \(layout)"
        #expect(distance(a.matmul(x), dense.matmul(x)) < 1e-13, "\(context)")
        #expect(distance(a.matmul(y, transposing: true), y.matmul(dense)) < 1e-13, "\(context)")
        // Adjointness.
        let (left, right) = (a.matmul(x).dot(y).scalar, x.dot(a.matmul(y, transposing: true)).scalar)
        #expect((left - right).magnitude < 1e-13, "\(context)")
        // Widths around those that the kernels treat apart.
        for width in [0, 1, 2, 7, 8, 9, 16, 31, 32, 40, 64, 71, 135] {
          let block: Tensor<Double> = generator.tensor([shape[1], width])
          #expect(distance(a.matmul(block), dense.matmul(block)) < 1e-13, "\(context) \(width)")
        }
        let back: Tensor<Double> = generator.tensor([shape[0], 5])
        #expect(
          distance(a.matmul(back, transposing: true), dense.matmul(back, transposingA: true)) < 1e-13, "\(context)")
        let b: SparseMatrix<Double> = try generator.sparse(shape[1], 11, entries: 50)
        let product = try a.matmul(b)
        #expect(product.layout == layout && distance(product.dense, dense.matmul(b.dense)) < 1e-13, "\(context)")
      }
    }
  }

  @Test func singlePrecisionProducts() throws {
    var generator = TestGenerator(seed: 1)
    let a: SparseMatrix<Float> = try generator.sparse(50, 70, entries: 400)
    for width in [1, 15, 16, 17, 64, 80, 128, 200] {
      let x: Tensor<Float> = generator.tensor([70, width])
      #expect(distance(a.matmul(x), a.dense.matmul(x)) < 1e-5, "\(width)")
    }
    let y: Tensor<Float> = generator.tensor([50])
    #expect(distance(a.matmul(y, transposing: true), y.matmul(a.dense)) < 1e-5)
  }

  /// Large enough for several threads, for the parts of the transposed product and for writing past the caches.
  @Test func largeProductsDoNotDependOnThreads() throws {
    let side = 400
    let a = SparseMatrix<Double>.gridLaplacian([side, side])
    var random = RandomStream(seed: 3)
    // A scattered matrix, whose parts overlap, and the banded one.
    let scattered = try SparseMatrix<Double>(
      rows: 30_000, columns: 20_000, rowIndices: random.integers([300_000], in: 0..<30_000),
      columnIndices: random.integers([300_000], in: 0..<20_000), values: random.normal([300_000]))
    for matrix in [a, scattered] {
      let x: Tensor<Double> = random.normal([matrix.columns])
      let y: Tensor<Double> = random.normal([matrix.rows])
      let block: Tensor<Double> = random.normal([matrix.columns, 16])
      let results = try [1, 2, 3].map { threads in
        try withThreads(threads) {
          [
            matrix.matmul(x), matrix.matmul(y, transposing: true), matrix.matmul(block),
            try matrix.matmul(matrix.transposed).values,
          ]
        }
      }
      #expect(results[0] == results[1] && results[0] == results[2])
      let adjoint = (results[0][0].dot(y).scalar - x.dot(results[0][1]).scalar).magnitude
      #expect(adjoint < 1e-9)
      #expect(distance(results[0][1], matrix.transposed.stored(by: .rows).matmul(y)) < 1e-11)
      for column in [0, 7, 15] {
        #expect(distance(results[0][2][.all, column].dense, matrix.matmul(block[.all, column].dense)) < 1e-11)
      }
    }
    // The Laplacian of a function known on the grid: x² has second difference 2 inside.
    let squares = Tensor<Double>((0..<side * side).map { Double(($0 / side) * ($0 / side)) })
    let image = a.matmul(squares)
    for point in [side + 1, 5 * side + 7, (side - 2) * side + side - 2] { #expect(image[at: point] == -2) }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func arithmetic(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in extents {
      let a: SparseMatrix<Double> = try generator.sparse(shape[0], shape[1], entries: 3 * shape.max()!)
      let b: SparseMatrix<Double> = try generator.sparse(
        shape[0], shape[1], entries: 2 * shape.max()!, layout: .columns)
      #expect(distance((a + b).dense, a.dense + b.dense) < 1e-15, "\(shape)")
      #expect(distance((b - a).dense, b.dense - a.dense) < 1e-15, "\(shape)")
      #expect(distance(a.combined(2, with: b, -0.5).dense, a.dense * 2 - b.dense * 0.5) < 1e-15)
      #expect((-a * 3 / 2).dense == -a.dense * 3 / 2)
      let rowFactors: Tensor<Double> = generator.tensor([shape[0]])
      let columnFactors: Tensor<Double> = generator.tensor([shape[1]])
      #expect(a.scalingRows(by: rowFactors).dense == a.dense * rowFactors.expanded(axis: 1))
      #expect(b.scalingColumns(by: columnFactors).dense == b.dense * columnFactors)
      for matrix in [a, b] {
        let dense = matrix.dense
        #expect(matrix.diagonal.scalars == (0..<shape.min()!).map { dense[at: $0, $0] })
        #expect((matrix.frobeniusNorm() - dense.frobeniusNorm()).magnitude < 1e-13)
        #expect((matrix.oneNorm() - dense.oneNorm()).magnitude < 1e-13)
        #expect((matrix.infinityNorm() - dense.infinityNorm()).magnitude < 1e-13)
        #expect(matrix.maximumNorm() == dense.maximumNorm())
        let half = shape[0] / 3..<shape[0]
        #expect(matrix[rows: half].dense == dense[half, .all])
        let some = shape[1] / 2..<shape[1]
        #expect(matrix[columns: some].dense == dense[.all, some])
        let lower = matrix.triangle(.lower)
        #expect((lower + matrix.triangle(.upper, strictly: true)).dense == dense)
        #expect((matrix.triangle(.lower, strictly: true) + matrix.triangle(.upper)).dense == dense)
        for i in 0..<shape[0] {
          for j in 0..<shape[1] { #expect(lower.dense[at: i, j] == (j <= i ? dense[at: i, j] : 0)) }
        }
        #expect(matrix.pruned(threshold: 0.5).dense == (dense.absolute() .> 0.5).select(dense, dense * 0))
      }
    }
    let symmetric = try generator.sparseDefinite(20, entries: 30)
    #expect(symmetric.isSymmetric() && symmetric.stored(by: .columns).isSymmetric())
    let other: SparseMatrix<Double> = try generator.sparse(20, 20, entries: 30)
    #expect(!other.isSymmetric() && !SparseMatrix<Double>.zeros(2, 3).isSymmetric())
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func triangularSolves(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 9, 50] {
      let a = try generator.sparse(size, size, entries: 3 * size) + 4 * SparseMatrix<Double>.identity(size)
      for matrix in [a, a.stored(by: .columns)] {
        for triangle in [SparseMatrix<Double>.Triangle.lower, .upper] {
          for (transposing, unit) in [(false, false), (true, false), (false, true), (true, true)] {
            var dense = matrix.triangle(triangle, strictly: unit).dense
            if unit { dense += .identity(size) }
            if transposing { dense = dense.transposed.dense }
            for shape in [[size], [size, 1], [size, 4]] {
              let b: Tensor<Double> = generator.tensor(shape)
              let x = try matrix.solveTriangular(
                b, triangle: triangle, transposing: transposing, unitDiagonal: unit)
              #expect(
                distance(dense.matmul(x), b) < 1e-10 * max(1, x.largestMagnitude), "\(seed) \(size) \(triangle)")
            }
          }
        }
      }
    }
    let reference = try SparseReference.load()
    let x = try SparseReference.laplacian.solveTriangular(SparseReference.rightSide, triangle: .lower)
    #expect(distance(x, Tensor(reference.lowerSolution)) < 1e-14)
  }

  @Test func laplacians() throws {
    for grid in [[1], [5], [4, 3], [3, 1, 2], [2, 3, 4]] {
      let a = SparseMatrix<Double>.gridLaplacian(grid)
      #expect(a.isSymmetric())
      let exact = SparseMatrix<Double>.gridLaplacianEigenvalues(grid)
      #expect(distance(try a.dense.symmetricEigenvalues(), exact) < 1e-13, "\(grid)")
      _ = try SparseMatrix(
        rows: a.rows, columns: a.columns, starts: a.starts, indices: a.indices, values: a.values)
    }
    #expect(SparseMatrix<Float>.gridLaplacian([30, 20]).diagonal == Tensor(repeating: 4, shape: [600]))
  }

  @Test func badInputNamesTheEntry() throws {
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "nothing thrown"
      } catch { return "\(error)" }
    }
    let ones = Tensor<Double>.ones([3])
    #expect(
      message {
        _ = try SparseMatrix(
          rows: 4, columns: 2, rowIndices: Tensor([0, 4, 1]), columnIndices: Tensor([0, 0, 0]), values: ones)
      } == "rowIndices: found 4 at entry 1, wanted at least 0, below 4")
    #expect(
      message {
        _ = try SparseMatrix(
          rows: 4, columns: 2, rowIndices: Tensor([0, 3, 1]), columnIndices: Tensor([0, 0, -1]), values: ones)
      } == "columnIndices: found -1 at entry 2, wanted at least 0, below 2")
    #expect(throws: InvalidArgument.self) {
      _ = try SparseMatrix(
        rows: 4, columns: 2, rowIndices: Tensor([0, 3]), columnIndices: Tensor([0, 0, 1]), values: ones)
    }
    for (starts, indices) in [
      ([0, 2, 1, 3], [0, 1, 0]), ([0, 1, 2], [0, 1, 0]), ([0, 2, 3, 3], [1, 0, 0]), ([0, 2, 3, 3], [1, 1, 0]),
      ([0, 1, 2, 3], [0, 2, 0]), ([1, 1, 2, 3], [0, 1, 0]), ([0, 1, 2, 4], [0, 1, 0]), ([0, 1, 2, 3], [0, -1, 0]),
    ] as [([Int32], [Int32])] {
      #expect(throws: InvalidArgument.self, "\(starts) \(indices)") {
        _ = try SparseMatrix(
          rows: 3, columns: 2, starts: Tensor(starts), indices: Tensor(indices), values: ones)
      }
    }
    #expect(throws: InvalidArgument.self) { _ = try SparseMatrix(Tensor<Double>.ones([3])) }
    let notFinite = try SparseMatrix(Tensor<Double>([[1, 0], [.nan, 2]]))
    #expect(message { try notFinite.requireFinite() } == "matrix: found nan at [1, 0], wanted finite numbers")
    #expect(throws: InvalidArgument.self) { _ = try notFinite.solveTriangular(Tensor([1, 1]), triangle: .lower) }
    let singular = try SparseMatrix(Tensor<Double>([[1, 0], [3, 0]]))
    #expect(throws: DecompositionError.singular(pivot: 1)) {
      _ = try singular.solveTriangular(Tensor([1, 1]), triangle: .lower)
    }
    #expect(throws: InvalidArgument.self) { _ = try singular.solveTriangular(ones, triangle: .lower) }
    #expect(throws: InvalidArgument.self) {
      _ = try SparseMatrix<Double>.zeros(2, 3).solveTriangular(Tensor([1, 1]), triangle: .lower)
    }
  }
}
