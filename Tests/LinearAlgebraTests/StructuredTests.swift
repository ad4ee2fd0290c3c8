import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct StructuredSystemTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func tridiagonal(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 3, 10, 100] {
      let lower: Tensor<Double> = generator.tensor([size - 1])
      let upper: Tensor<Double> = generator.tensor([size - 1])
      let weak: Tensor<Double> = generator.tensor([size])
      let x: Tensor<Double> = generator.tensor([size, 3])
      func matrix(_ diagonal: Tensor<Double>) -> Tensor<Double> {
        var a = Tensor<Double>(diagonal: diagonal)
        for i in 0..<size - 1 {
          a[i + 1, i] = lower[i]
          a[i, i + 1] = upper[i]
        }
        return a
      }
      // Without dominance only the pivoted solver is stable.
      let plain = matrix(weak)
      let found = try TridiagonalDecomposition(lower: lower, diagonal: weak, upper: upper)
      let b = plain.matmul(x)
      #expect(distance(plain.matmul(try found.solve(b)), b) < 1e-9, "\(size) seed \(seed)")
      #expect(distance(try found.solve(b)[.all, 1], try found.solve(b[.all, 1].dense)) < 1e-9)
      let strong = weak + 3
      let dominant = matrix(strong)
      let right = dominant.matmul(x).transposed.dense
      let padding = Tensor<Double>.zeros([1])
      let rows = (Tensor.concatenated([padding, lower]), Tensor.concatenated([upper, padding]))
      let batch = try TridiagonalBatch.solve(lower: rows.0, diagonal: strong, upper: rows.1, rightSide: right)
      #expect(distance(batch, x.transposed) < 1e-13)
      let each = try TridiagonalBatch.solve(
        lower: rows.0.broadcast(to: [3, size]), diagonal: strong.broadcast(to: [3, size]),
        upper: rows.1.broadcast(to: [3, size]), rightSide: right)
      #expect(each == batch)
    }
    #expect(throws: DecompositionError.singular(pivot: 1)) {
      try TridiagonalDecomposition(lower: Tensor([0.0]), diagonal: Tensor([1.0, 0])).solve(Tensor([1, 1]))
    }
    #expect(throws: DecompositionError.singular(pivot: 0)) {
      let one = Tensor<Double>([1, 1])
      return try TridiagonalBatch.solve(lower: one, diagonal: Tensor([0, 1]), upper: one, rightSide: one)
    }
    #expect(throws: InvalidArgument.self) {
      try TridiagonalDecomposition(lower: Tensor([1.0, 2]), diagonal: Tensor([1.0, 0]))
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func banded(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (size, below, above) in [(1, 0, 0), (5, 1, 2), (6, 3, 0), (30, 2, 4), (4, 0, 3)] {
      let diagonals: Tensor<Double> = generator.tensor([above + 1 + below, size])
      var a = Tensor<Double>.zeros([size, size])
      for i in 0..<size {
        for j in max(0, i - below)...min(size - 1, i + above) { a[i, j] = Tensor(diagonals[at: above + i - j, j]) }
      }
      a = a + Tensor.identity(size) * 2
      var shifted = diagonals
      shifted[above] = shifted[above] + 2
      let x: Tensor<Double> = generator.tensor([size, 2])
      let solver = try BandedDecomposition(diagonals: shifted, below: below)
      #expect(distance(try solver.solve(a.matmul(x)), x) < 1e-10, "\(size) \(below) \(above) seed \(seed)")
      #expect(distance(try solver.solve(a.matmul(x, transposingA: true), transposing: true), x) < 1e-10)
      // Bᵀ B of an upper band matrix is a positive definite band matrix.
      let gram = a.multipliedByOwnTranspose(transposing: true)
      let width = min(size - 1, below + above)
      var lower = Tensor<Double>.zeros([width + 1, size])
      for k in 0...width { for j in 0..<size - k { lower[k, j] = Tensor(gram[at: j + k, j]) } }
      let cholesky = try BandedCholeskyDecomposition(diagonals: lower)
      #expect(distance(try cholesky.solve(gram.matmul(x)), x) < 1e-8)
      #expect(abs(cholesky.logDeterminant - (try gram.logDeterminant().logarithm)) < 1e-10)
    }
    #expect(throws: DecompositionError.self) { try BandedCholeskyDecomposition(diagonals: Tensor<Double>([[1, -1]])) }
    #expect(throws: InvalidArgument.self) { try BandedDecomposition(diagonals: Tensor<Double>([[1, 2]]), below: 1) }
    #expect(throws: DecompositionError.self) {
      try BandedDecomposition(diagonals: Tensor<Double>([[1, 0]]), below: 0).solve(Tensor([1, 1]))
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func toeplitz(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 3, 20, 101] {
      var column: Tensor<Double> = generator.tensor([size])
      let row: Tensor<Double> = generator.tensor([size])
      column[0] = Tensor(Double(size))
      let t = try ToeplitzMatrix(column: column, row: row)
      let a = t.dense()
      for i in 0..<size { for j in 0..<size { #expect(a[at: i, j] == (i >= j ? column[at: i - j] : row[at: j - i])) } }
      let x: Tensor<Double> = generator.tensor([size, 2])
      #expect(distance(t.multiply(x[.all, 1].dense), a.matmul(x[.all, 1])) < 1e-12)
      #expect(distance(try t.solve(a.matmul(x)), x) < 1e-12, "\(size) seed \(seed)")
      let symmetric = try ToeplitzMatrix(column: column)
      #expect(distance(try symmetric.solve(symmetric.multiply(x[.all, 0].dense)), x[.all, 0]) < 1e-12)
    }
    let reference = try DenseReference.load().decompositions
    let t = try ToeplitzMatrix(
      column: Tensor<Double>(reference.toeplitzColumn), row: Tensor(reference.toeplitzRow))
    #expect(distance(try t.solve(Tensor([1, 2, 3, 4, 5])), Tensor(reference.toeplitz)) < 1e-13)
    let wide = try ToeplitzMatrix(column: Tensor<Double>([1, 2]), row: Tensor([1, 3, 5]))
    #expect(wide.dense() == Tensor([[1, 3, 5], [2, 1, 3]]) && wide.multiply(Tensor([1, 1, 1])) == Tensor([9, 6]))
    #expect(throws: InvalidArgument.self) { try wide.solve(Tensor([1, 2])) }
    #expect(throws: DecompositionError.singular(pivot: 0)) {
      try ToeplitzMatrix(column: Tensor<Double>([0, 1])).solve(Tensor([1, 2]))
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func blockTridiagonal(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (count, size) in [(1, 3), (2, 1), (5, 4)] {
      let lower: Tensor<Double> = generator.tensor([count - 1, size, size])
      let upper: Tensor<Double> = generator.tensor([count - 1, size, size])
      let diagonal =
        (generator.tensor([count, size, size]) as Tensor<Double>) + Tensor.identity(size) * Double(4 * size)
      var a = Tensor<Double>.zeros([count * size, count * size])
      func range(_ i: Int) -> Range<Int> { i * size..<(i + 1) * size }
      for i in 0..<count {
        a[range(i), range(i)] = diagonal[i]
        if i + 1 < count {
          a[range(i + 1), range(i)] = lower[i]
          a[range(i), range(i + 1)] = upper[i]
        }
      }
      let x: Tensor<Double> = generator.tensor([count * size, 2])
      let solver = try BlockTridiagonalDecomposition(lower: lower, diagonal: diagonal, upper: upper)
      #expect(distance(try solver.solve(a.matmul(x)), x) < 1e-12)
      #expect(distance(try solver.solve(a.matmul(x[.all, 0])), x[.all, 0]) < 1e-12)
    }
    #expect(throws: DecompositionError.singular(pivot: 2)) {
      try BlockTridiagonalDecomposition(
        lower: Tensor<Double>.zeros([1, 2, 2]),
        diagonal: .stacked([.identity(2), .zeros([2, 2])]), upper: .zeros([1, 2, 2]))
    }
  }
}

struct UpdateTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func cholesky(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 7, 60] {
      let half: Tensor<Double> = generator.tensor([size, size])
      let a = half.multipliedByOwnTranspose() + Tensor.identity(size)
      let x: Tensor<Double> = generator.tensor([size])
      var factor = try UpdatableCholesky(of: a)
      try factor.update(x)
      let updated = a + x.outer(x)
      #expect(distance(factor.reconstructed(), updated) < bound(updated))
      #expect(distance(factor.upper, try CholeskyDecomposition(of: updated).upper) < 1e-11)
      #expect(abs(factor.logDeterminant - (try updated.logDeterminant().logarithm)) < 1e-11)
      #expect(distance(try factor.solve(updated.matmul(x)), x) < 1e-10)
      try factor.downdate(x)
      #expect(distance(factor.reconstructed(), a) < 10 * bound(a))
      for i in 0..<size { for j in 0..<i { #expect(factor.upper[at: i, j] == 0) } }
      let before = factor.upper
      #expect(throws: DecompositionError.self) { try factor.downdate(x * 1e3) }
      #expect(factor.upper == before)
    }
    var identity = try UpdatableCholesky(of: Tensor<Double>.identity(3))
    #expect(throws: DecompositionError.notPositiveDefinite(leadingMinor: 2)) {
      try identity.downdate(Tensor([0.8, 0.7, 0]))
    }
    #expect(throws: InvalidArgument.self) { try identity.update(Tensor([1.0])) }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func qr(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    func check(_ qr: UpdatableQR<Double>, _ a: Tensor<Double>, _ what: String) {
      #expect(distance(qr.reconstructed(), a) < 1e-13 * Double(a.rows), "\(what) seed \(seed)")
      #expect(orthogonalityDefect(qr.orthogonal) < 1e-13 * Double(a.rows), "\(what) seed \(seed)")
      for i in 0..<a.columns { for j in 0..<i { #expect(qr.upper[at: i, j] == 0, "\(what)") } }
    }
    for (m, n) in [(1, 1), (5, 5), (8, 3), (40, 20), (6, 0)] {
      var a: Tensor<Double> = generator.tensor([m, n])
      var qr = try UpdatableQR(of: a)
      check(qr, a, "start")
      let u: Tensor<Double> = generator.tensor([m])
      let v: Tensor<Double> = generator.tensor([n])
      try qr.update(u, v)
      a = a + u.outer(v)
      check(qr, a, "rank one of \(m)x\(n)")
      for index in [0, n / 2, n] where m > a.columns {
        let column: Tensor<Double> = generator.tensor([m])
        try qr.insertColumn(column, at: index)
        a = .concatenated([a[.all, 0..<index], column.expanded(axis: 1), a[.all, index..<a.columns]], axis: 1)
        check(qr, a, "insertion at \(index) into \(m)x\(n)")
      }
      if m > a.columns && n > 0 {
        // A column that is there already.
        try qr.insertColumn(a[.all, 0].dense, at: 1)
        a = .concatenated([a[.all, 0..<1], a[.all, 0..<1], a[.all, 1..<a.columns]], axis: 1)
        check(qr, a, "repeated column")
        qr.removeColumn(at: 0)
        a = a[.all, 1..<a.columns].dense
      }
      if m > n && n > 0 {
        let b: Tensor<Double> = generator.tensor([m])
        #expect(distance(try qr.solve(b), try a.leastSquares(b).solution) < 1e-9)
      }
      for index in [0, m / 2, m] {
        let row: Tensor<Double> = generator.tensor([a.columns])
        try qr.insertRow(row, at: index)
        a = .concatenated([a[0..<index, .all], row.expanded(axis: 0), a[index..<a.rows, .all]], axis: 0)
        check(qr, a, "insertion of row \(index) into \(m)x\(n)")
      }
      for index in [a.rows - 1, a.rows / 2, 0] where a.rows > a.columns {
        let index = min(index, a.rows - 1)
        try qr.removeRow(at: index)
        a = .concatenated([a[0..<index, .all], a[(index + 1)..<a.rows, .all]], axis: 0)
        check(qr, a, "removal of row \(index) of \(m)x\(n)")
      }
      while a.columns > 0 {
        let index = a.columns / 2
        qr.removeColumn(at: index)
        a = .concatenated([a[.all, 0..<index], a[.all, (index + 1)..<a.columns]], axis: 1)
        check(qr, a, "removal of \(index)")
      }
    }
    #expect(throws: InvalidArgument.self) { try UpdatableQR(of: Tensor<Double>.zeros([2, 3])) }
    // A row that alone spans its axis leaves a singular factor; a square matrix keeps its rows.
    var axes = try UpdatableQR(of: Tensor<Double>.identity(3, columns: 2))
    try axes.removeRow(at: 0)
    check(axes, Tensor([[0, 1], [0, 0]]), "removal of a whole direction")
    #expect(throws: InvalidArgument.self) { try axes.removeRow(at: 0) }
    #expect(throws: InvalidArgument.self) { try axes.insertRow(Tensor([1, .nan]), at: 0) }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func woodbury(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (size, rank) in [(1, 1), (6, 2), (40, 3), (5, 0)] {
      let a = (generator.tensor([size, size]) as Tensor<Double>) + Tensor.identity(size) * 4
      let u: Tensor<Double> = generator.tensor([size, rank])
      let v: Tensor<Double> = generator.tensor([size, rank])
      let lu = try LUDecomposition(of: a)
      let system = try WoodburySystem(left: u, right: v, solve: lu.solve)
      let full = a + u.matmul(v, transposingB: true)
      let b: Tensor<Double> = generator.tensor([size, 2])
      #expect(distance(try system.solve(full.matmul(b)), b) < 1e-10)
      #expect(distance(try system.solve(full.matmul(b[.all, 0])), b[.all, 0]) < 1e-10)
      let (change, whole, base) = (system.logDeterminantChange, try full.logDeterminant(), lu.logDeterminant)
      #expect(change.sign * base.sign == whole.sign)
      #expect(abs(change.logarithm + base.logarithm - whole.logarithm) < 1e-10)
    }
    let one = Tensor<Double>([[1]])
    #expect(throws: DecompositionError.self) { try WoodburySystem(left: one, right: -one) { $0 } }
  }
}

struct KroneckerTests {
  /// Entry by entry.
  private func formed(_ a: Tensor<Double>, _ b: Tensor<Double>) -> Tensor<Double> {
    let scalars = (0..<a.rows * b.rows).flatMap { i in
      (0..<a.columns * b.columns).map { j in
        a[at: i / b.rows, j / b.columns] * b[at: i % b.rows, j % b.columns]
      }
    }
    return Tensor(shape: [a.rows * b.rows, a.columns * b.columns], scalars: scalars)
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func products(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shapes in [
      [[2, 3]], [[2, 3], [4, 2]], [[3, 3], [2, 2], [4, 4]], [[1, 5], [5, 1], [2, 3]], [[3, 2], [2, 3]],
    ] {
      let factors = shapes.map { generator.tensor($0) as Tensor<Double> }
      let product = try KroneckerProduct(factors)
      let matrix = factors.dropFirst().reduce(factors[0], formed)
      #expect(product.dense() == matrix)
      let x: Tensor<Double> = generator.tensor([product.columns, 3])
      #expect(distance(product.multiply(x), matrix.matmul(x)) < 1e-13, "\(shapes) seed \(seed)")
      #expect(distance(product.multiply(x[.all, 0].dense), matrix.matmul(x[.all, 0])) < 1e-13)
      let y: Tensor<Double> = generator.tensor([product.rows, 3])
      #expect(distance(product.multiply(y, transposing: true), matrix.matmul(y, transposingA: true)) < 1e-13)
      #expect(distance(product.transposed.multiply(y), matrix.matmul(y, transposingA: true)) < 1e-13)
    }
    for sizes in [[1], [3, 2], [2, 3, 4]] {
      let factors = sizes.map { (generator.tensor([$0, $0]) as Tensor<Double>) - Tensor.identity($0) * 2 }
      let product = try KroneckerProduct(factors)
      let x: Tensor<Double> = generator.tensor([product.rows, 2])
      #expect(distance(try product.solve(product.multiply(x)), x) < 1e-11)
      let (found, wanted) = (try product.logDeterminant(), try product.dense().logDeterminant())
      #expect(found.sign == wanted.sign && abs(found.logarithm - wanted.logarithm) < 1e-11)
    }
    let singular = try KroneckerProduct([Tensor<Double>.zeros([2, 2]), .identity(3)])
    #expect(try singular.logDeterminant().sign == 0)
    #expect(throws: DecompositionError.self) { try singular.solve(.ones([6])) }
    #expect(throws: InvalidArgument.self) { try KroneckerProduct<Double>([]) }
    #expect(throws: InvalidArgument.self) { try KroneckerProduct([Tensor<Double>.zeros([2, 3])]).solve(.ones([2])) }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func sums(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let a: Tensor<Double> = generator.symmetric(eigenvalues: [1, 2, 5])
    let b: Tensor<Double> = generator.symmetric(eigenvalues: [0.5, 3, 4, 9])
    let sum = try SymmetricKroneckerSum(a, b)
    let matrix = formed(a, .identity(4)) + formed(.identity(3), b)
    #expect(distance(sum.values.flattened.sorted(), try matrix.symmetricEigenvalues()) < 1e-13)
    let c: Tensor<Double> = generator.tensor([3, 4])
    let x = try sum.solve(c)
    #expect(distance(a.matmul(x) + x.matmul(b), c) < 1e-13)
    #expect(distance(x, try SylvesterEquation(a, b).solve(c)) < 1e-13)
    let heat = sum.applying({ (-$0).exp() }, to: c)
    let wanted = try (-a).matrixExponential().matmul(c).matmul((-b).matrixExponential())
    #expect(distance(heat, wanted) < 1e-13)
    #expect(throws: MatrixEquationError.commonEigenvalues) {
      try SymmetricKroneckerSum(a, -a).solve(.ones([3, 3]))
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func higherOrderSVD(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let x: Tensor<Double> = generator.tensor([4, 5, 6])
    for axis in 0..<3 {
      let matrix: Tensor<Double> = generator.tensor([2, x.shape[axis]])
      let wanted = x.exchangingAxes(axis, 2).dense.matmul(matrix, transposingB: true).exchangingAxes(axis, 2)
      #expect(distance(x.modeProduct(matrix, axis: axis), wanted) < 1e-14)
    }
    let full = try HigherOrderSVD(of: x)
    #expect(distance(full.reconstructed(), x) < 1e-13)
    for axis in 0..<3 {
      #expect(orthogonalityDefect(full.factors[axis]) < 1e-13)
    }
    // A tensor of low rank comes back from its core.
    let small: Tensor<Double> = generator.tensor([2, 1, 3])
    let factors = [4, 5, 6].enumerated().map { generator.tensor([$1, small.shape[$0]]) as Tensor<Double> }
    let low = factors.enumerated().reduce(small) { $0.modeProduct($1.element, axis: $1.offset) }
    let found = try HigherOrderSVD(of: low, ranks: [2, 1, 3])
    #expect(found.core.shape == [2, 1, 3] && distance(found.reconstructed(), low) < 1e-13)
    let truncated = try HigherOrderSVD(of: x, ranks: [2, 2, 2])
    // What each axis alone must lose, and what all together lose at most.
    let lost = try (0..<3).map { axis in
      let unfolded = x.exchangingAxes(0, axis).dense.reshaped([x.shape[axis], -1])
      return try unfolded.singularValues()[2...].sumOfSquares().scalar
    }
    let error = (truncated.reconstructed() - x).sumOfSquares().scalar
    #expect(error <= lost.reduce(0, +) * (1 + 1e-12) && error >= (lost.max() ?? .infinity) * (1 - 1e-12))
    #expect(try HigherOrderSVD(of: generator.tensor([5, 1, 2]) as Tensor<Double>).core.shape == [5, 1, 2])
    #expect(throws: InvalidArgument.self) { try HigherOrderSVD(of: x, ranks: [5, 1, 1]) }
    #expect(throws: InvalidArgument.self) { try HigherOrderSVD(of: x, ranks: [1, 1]) }
  }
}
