import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

/// What is below the diagonal, or above it when transposed.
private func belowDiagonal<Scalar: LinearScalar>(_ a: Tensor<Scalar>) -> Double {
  var worst = 0.0
  for i in 0..<a.rows { for j in 0..<min(i, a.columns) { worst.raise(to: Double(a[at: i, j].magnitude)) } }
  return worst
}

struct QRTests {
  static func checkLaws<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ context: String) throws {
    let (m, n) = (a.rows, a.columns)
    let k = min(m, n)
    let limit = bound(a)
    for basis in [OrthonormalBasis.thin, .full] {
      let qr = try QRDecomposition(of: a, basis: basis)
      let count = basis == .full ? m : k
      #expect(qr.orthogonal.shape == [m, count] && qr.upper.shape == [count, n], "\(context)")
      #expect(distance(qr.orthogonal.matmul(qr.upper), a) <= limit, "\(context) \(basis)")
      #expect(orthogonalityDefect(qr.orthogonal) <= limit, "\(context) \(basis)")
      #expect(belowDiagonal(qr.upper) == 0, "\(context)")
      #expect(qr.upper.diagonal.scalars.allSatisfy { $0 >= 0 }, "\(context)")

      let pivoted = try PivotedQRDecomposition(of: a, basis: basis)
      #expect(distance(pivoted.reconstructed(), a) <= limit, "\(context) \(basis)")
      #expect(orthogonalityDefect(pivoted.orthogonal) <= limit, "\(context) \(basis)")
      #expect(belowDiagonal(pivoted.upper) == 0, "\(context)")
      let diagonal = pivoted.upper.diagonal.scalars.map(Double.init)
      #expect(zip(diagonal, diagonal.dropFirst()).allSatisfy { $0 >= $1 - limit }, "\(context)")
      #expect(pivoted.permutation.sorted() == Array(0..<n), "\(context)")
    }
  }

  @Test(arguments: shapes) func laws(shape: [Int]) throws {
    for seed in 0..<4 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      try Self.checkLaws(generator.tensor(shape, of: Double.self), "Double \(shape) seed \(seed)")
      try Self.checkLaws(generator.tensor(shape, of: Float.self), "Float \(shape) seed \(seed)")
    }
  }

  @Test func rankRevealed() throws {
    var generator = TestGenerator(seed: 11)
    for rank in 0...6 {
      let values = (0..<6).map { $0 < rank ? 1.0 + Double($0) : 0 }
      let a: Tensor<Double> = generator.matrix(10, 6, singularValues: values)
      #expect(try PivotedQRDecomposition(of: a).rank() == rank)
      #expect(try PivotedQRDecomposition(of: a.transposed).rank() == rank)
      try Self.checkLaws(a, "rank \(rank)")
    }
    let graded: Tensor<Double> = generator.matrix(12, 9, singularValues: geometric(9, to: 1e-12))
    try Self.checkLaws(graded, "condition 1e12")
    #expect(try PivotedQRDecomposition(of: graded).rank(tolerance: 1e-7) < 9)
  }

  @Test func badInput() {
    #expect(throws: InvalidArgument.self) { try QRDecomposition(of: Tensor<Double>([[1, .nan]])) }
    #expect(throws: InvalidArgument.self) { try PivotedQRDecomposition(of: Tensor<Double>([1, 2])) }
  }
}

struct LUTests {
  @Test(arguments: shapes) func laws(shape: [Int]) throws {
    for seed in 0..<4 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      let a: Tensor<Double> = generator.tensor(shape)
      let lu = try LUDecomposition(of: a)
      let context = "\(shape) seed \(seed)"
      let (m, n) = (shape[0], shape[1])
      let k = min(m, n)
      #expect(lu.lower.shape == [m, k] && lu.upper.shape == [k, n], "\(context)")
      #expect(distance(lu.reconstructed(), a) <= bound(a), "\(context)")
      #expect(belowDiagonal(lu.upper) == 0 && belowDiagonal(lu.lower.transposed) == 0, "\(context)")
      #expect(lu.lower.diagonal.scalars.allSatisfy { $0 == 1 } && lu.lower.largestMagnitude <= 1, "\(context)")
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func solutions(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for size in [1, 2, 3, 17, 60, 140] {
      let a: Tensor<Double> = generator.matrix(size, size, singularValues: geometric(size, to: 0.01))
      let x: Tensor<Double> = generator.tensor([size, 5])
      let limit = 1e-12 * Double(size)
      #expect(distance(try a.solve(a.matmul(x)), x) < limit, "size \(size) seed \(seed)")
      #expect(distance(try a.transposed.solve(a.matmul(x, transposingA: true)), x) < limit, "size \(size) seed \(seed)")
      #expect(distance(try a.solve(a.matmul(x[.all, 2])), x[.all, 2]) < limit, "size \(size) seed \(seed)")
      #expect(distance(try a.inverse().matmul(a), .identity(size)) < limit, "size \(size) seed \(seed)")
      let floats = Tensor<Float>(a)
      #expect(distance(try floats.solve(floats.matmul(Tensor<Float>(x))), Tensor<Float>(x)) < 6e-4 * Double(size))
      // Many right sides take the parallel path; a column's solution must not depend on its neighbours.
      let wide: Tensor<Double> = generator.tensor([size, 300])
      let lu = try LUDecomposition(of: a)
      #expect(distance(a.matmul(try lu.solve(wide)), wide) < limit, "size \(size) seed \(seed)")
    }
  }

  @Test func determinants() throws {
    #expect(try Tensor<Double>([[0, 2], [3, 0]]).determinant() == -6)
    #expect(try Tensor<Double>.zeros([0, 0]).determinant() == 1)
    #expect(try Tensor<Double>([[1, 2], [2, 4]]).determinant() == 0)
    let (sign, logarithm) = try Tensor<Double>([[1, 2], [2, 4]]).logDeterminant()
    #expect(sign == 0 && logarithm == -.infinity)
    // 1000! and beyond, where the determinant itself overflows.
    let diagonal = Tensor<Double>(diagonal: Tensor((1...300).map(Double.init)))
    let large = try diagonal.logDeterminant()
    #expect(large.sign == 1 && abs(large.logarithm - Double.logGamma(301)) < 1e-10)
    var generator = TestGenerator(seed: 4)
    for size in 1...7 {
      let a: Tensor<Double> = generator.tensor([size, size])
      let b: Tensor<Double> = generator.tensor([size, size])
      let product = try a.matmul(b).determinant()
      let expected = try a.determinant() * b.determinant()
      #expect(abs(product - expected) < 1e-12, "det(AB) = det A det B at size \(size)")
      let log = try a.logDeterminant()
      let plain = try a.determinant()
      #expect(abs(log.sign * .exp(log.logarithm) - plain) < 1e-13)
    }
  }

  @Test func conditionAndSingularity() throws {
    var generator = TestGenerator(seed: 6)
    let ill: Tensor<Double> = generator.matrix(20, 20, singularValues: geometric(20, to: 1e-12))
    let estimate = try LUDecomposition(of: ill).reciprocalCondition
    let truth = try 1 / (ill.oneNorm() * ill.inverse().oneNorm())
    #expect(estimate > truth / 3 && estimate < truth * 3 && estimate < 1e-11)
    #expect(abs(try LUDecomposition(of: Tensor<Double>.identity(4)).reciprocalCondition - 1) < 1e-15)
    let singular = Tensor<Double>([[1, 2, 3], [2, 4, 6], [1, 1, 1]])
    #expect(try LUDecomposition(of: singular).zeroPivot == 2)
    #expect(try LUDecomposition(of: singular).reciprocalCondition == 0)
    #expect(throws: DecompositionError.singular(pivot: 2)) { try singular.solve(Tensor([1, 2, 3])) }
    #expect(throws: DecompositionError.singular(pivot: 0)) { try Tensor<Double>.zeros([2, 2]).inverse() }
  }

  @Test func badInput() {
    let square = Tensor<Double>([[2, 1], [1, 3]])
    #expect(throws: InvalidArgument.self) { try Tensor<Double>.zeros([2, 3]).solve(Tensor([1, 2])) }
    #expect(throws: InvalidArgument.self) { try square.solve(Tensor([1, 2, 3])) }
    #expect(throws: InvalidArgument.self) { try square.solve(Tensor([1, .nan])) }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[1, .nan], [1, 1]]).inverse() }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[1, 2]]).determinant() }
  }
}

struct CholeskyTests {
  @Test(arguments: [0, 1, 2, 5, 40, 200]) func laws(size: Int) throws {
    for seed in 0..<4 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      let half: Tensor<Double> = generator.tensor([size, size + 3])
      let a = half.matmul(half, transposingB: true) + Tensor.identity(size)
      let cholesky = try CholeskyDecomposition(of: a)
      let context = "size \(size) seed \(seed)"
      #expect(distance(cholesky.lower.matmul(cholesky.lower, transposingB: true), a) <= bound(a), "\(context)")
      #expect(distance(cholesky.reconstructed(), a) <= bound(a), "\(context)")
      #expect(belowDiagonal(cholesky.upper) == 0 && cholesky.upper.diagonal.scalars.allSatisfy { $0 > 0 }, "\(context)")
      let x: Tensor<Double> = generator.tensor([size, 3])
      #expect(distance(try cholesky.solve(a.matmul(x)), x) < 1e-9, "\(context)")
      #expect(distance(cholesky.inverse().matmul(a), .identity(size)) < 1e-9, "\(context)")
      let lu = try LUDecomposition(of: a)
      #expect(abs(cholesky.logDeterminant - lu.logDeterminant.logarithm) < 1e-10 * Double(size + 1), "\(context)")
      if size > 0 {
        #expect(abs(cholesky.reciprocalCondition / lu.reciprocalCondition - 1) < 0.5, "\(context)")
        let floats = try CholeskyDecomposition(of: Tensor<Float>(a))
        #expect(distance(floats.reconstructed(), Tensor<Float>(a)) <= bound(Tensor<Float>(a)), "\(context)")
      }
    }
  }

  @Test func illConditioned() throws {
    var generator = TestGenerator(seed: 9)
    let a: Tensor<Double> = generator.symmetric(eigenvalues: geometric(20, to: 1e-12))
    let cholesky = try CholeskyDecomposition(of: a)
    #expect(distance(cholesky.reconstructed(), a) < 1e-15)
    #expect(cholesky.reciprocalCondition < 1e-11)
  }

  @Test func badInput() {
    let indefinite = Tensor<Double>([[4, 2, 1], [2, 1, 0], [1, 0, 9]])
    #expect(throws: DecompositionError.notPositiveDefinite(leadingMinor: 2)) {
      try CholeskyDecomposition(of: indefinite)
    }
    #expect(throws: DecompositionError.notPositiveDefinite(leadingMinor: 1)) {
      try CholeskyDecomposition(of: Tensor<Double>.zeros([3, 3]))
    }
    #expect(throws: InvalidArgument.self) { try CholeskyDecomposition(of: Tensor<Double>([[1, 0.5], [0.4, 1]])) }
    #expect(throws: InvalidArgument.self) { try CholeskyDecomposition(of: Tensor<Double>([[1, 0.5]])) }
    #expect(throws: InvalidArgument.self) { try CholeskyDecomposition(of: Tensor<Double>([[.infinity]])) }
  }
}

struct TriangularTests {
  @Test(arguments: 0..<4 as Range<UInt64>) func solutions(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (size, width) in [(1, 1), (4, 3), (30, 1), (90, 400)] {
      // Well-conditioned triangles inside a matrix whose other half is not to be read.
      let full: Tensor<Double> = generator.tensor([size, size]) * (1 / Double(size)) + Tensor.identity(size)
      let b: Tensor<Double> = generator.tensor([size, width])
      for triangle in [Triangle.lower, .upper] {
        for unit in [false, true] {
          var t = full
          for i in 0..<size {
            for j in 0..<size {
              if triangle == .lower ? j > i : j < i { t[at: i, j] = 0 }
              if unit && i == j { t[at: i, j] = 1 }
            }
          }
          let x = try full.solveTriangular(b, triangle, unitDiagonal: unit)
          let y = try full.solveTriangular(b, triangle, transposing: true, unitDiagonal: unit)
          #expect(distance(t.matmul(x), b) < 1e-12 && distance(t.matmul(y, transposingA: true), b) < 1e-12)
        }
      }
    }
  }

  @Test func badInput() {
    let triangle = Tensor<Double>([[1, 0], [1, 0]])
    #expect(throws: DecompositionError.singular(pivot: 1)) { try triangle.solveTriangular(Tensor([1, 1]), .lower) }
    #expect(throws: InvalidArgument.self) { try triangle.solveTriangular(Tensor([1, 1, 1]), .lower) }
  }
}
