import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct SingularValueTests {
  static func checkLaws<Scalar: LinearScalar>(_ a: Tensor<Scalar>, _ context: String) throws {
    let (m, n) = (a.rows, a.columns)
    let k = min(m, n)
    let limit = bound(a)
    for basis in [OrthonormalBasis.thin, .full] {
      let svd = try SingularValueDecomposition(of: a, basis: basis)
      #expect(svd.left.shape == [m, basis == .full ? m : k], "\(context)")
      #expect(svd.right.shape == [n, basis == .full ? n : k], "\(context)")
      #expect(svd.values.shape == [k], "\(context)")
      #expect(distance(svd.reconstructed(), a) <= limit, "\(context) \(basis)")
      #expect(orthogonalityDefect(svd.left) <= limit && orthogonalityDefect(svd.right) <= limit, "\(context) \(basis)")
      let s = svd.values.scalars
      #expect(s.allSatisfy { $0 >= 0 } && zip(s, s.dropFirst()).allSatisfy { $0 >= $1 }, "\(context)")
      #expect(distance(try a.singularValues(), svd.values) <= limit, "\(context)")
    }
  }

  @Test(arguments: shapes) func laws(shape: [Int]) throws {
    for seed in 0..<4 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      try Self.checkLaws(generator.tensor(shape, of: Double.self), "Double \(shape) seed \(seed)")
      try Self.checkLaws(generator.tensor(shape, of: Float.self), "Float \(shape) seed \(seed)")
    }
  }

  @Test(arguments: 0..<6 as Range<UInt64>) func prescribedSpectra(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for values in [
      geometric(9, to: 1e-12), [3, 3, 3, 3, 3, 3], [5, 2, 2, 2, 1], [4, 3, 0, 0, 0, 0], [0, 0, 0],
      geometric(40, to: 1e-6),
    ] {
      let a: Tensor<Double> = generator.matrix(values.count + 5, values.count, singularValues: values)
      try Self.checkLaws(a, "\(values) seed \(seed)")
      let svd = try SingularValueDecomposition(of: a)
      #expect(distance(svd.values, Tensor(values)) <= 1e-14 * Double(values.count), "\(values) seed \(seed)")
      let wanted = values.count { $0 > 1e-11 * max(values[0], 1e-300) && $0 > 0 }
      #expect(svd.rank(tolerance: 3e-13) == values.count { $0 > 3e-13 * values[0] }, "\(values) \(wanted)")
      #expect(svd.rank() == values.count { $0 > 0 }, "\(values) seed \(seed)")
    }
  }

  @Test func viewsAndAliasing() throws {
    var generator = TestGenerator(seed: 5)
    let a: Tensor<Double> = generator.tensor([12, 9])
    let before = a.scalars
    try Self.checkLaws(a.transposed, "transposed")
    try Self.checkLaws(a[.all, stride(from: 0, to: 9, by: 2)], "columns")
    try Self.checkLaws(a[2..<7, 1..<4], "block")
    #expect(a.scalars == before)
  }

  @Test func signsAreStandard() throws {
    var generator = TestGenerator(seed: 2)
    let a: Tensor<Double> = generator.tensor([30, 12])
    let svd = try SingularValueDecomposition(of: a)
    let negated = try SingularValueDecomposition(of: -a)
    for j in 0..<12 {
      let vector = svd.right[.all, j].scalars
      let largest = vector.map(\.magnitude).max()!
      #expect(vector.first { $0.magnitude >= 0.99 * largest }! > 0)
    }
    #expect(distance(svd.right, negated.right) < 1e-12)
    #expect(distance(svd.left, -negated.left) < 1e-12)
    // Entries of one magnitude: the first is positive whatever rounding did to it.
    let tied = try SingularValueDecomposition(of: Tensor<Double>([[2, 1], [1, 2]]))
    #expect(tied.right[at: 0, 0] > 0 && tied.right[at: 0, 1] > 0)
  }

  @Test func truncation() throws {
    var generator = TestGenerator(seed: 3)
    let values = [8.0, 4, 2, 1, 0.5]
    let a: Tensor<Double> = generator.matrix(9, 5, singularValues: values)
    let svd = try SingularValueDecomposition(of: a)
    for rank in 0...6 {
      let rest = values.dropFirst(rank).map { $0 * $0 }.reduce(0, +).squareRoot()
      #expect(abs((a - svd.reconstructed(rank: rank)).frobeniusNorm() - rest) < 1e-13, "Eckart–Young at rank \(rank)")
    }
    #expect(svd.truncated(rank: 2).left.shape == [9, 2])
    #expect(svd.rank(retaining: 1) == 5 && svd.rank(retaining: 0) == 0)
    #expect(svd.rank(retaining: 0.75) == 1)  // 64 of 85.25
    #expect(svd.rank(retaining: 0.76) == 2)
    #expect(abs(svd.conditionNumber - 16) < 1e-12)
  }

  @Test func extremes() throws {
    // Far from one in both directions: no overflow in between.
    for scale in [1e-200, 1e200] {
      let a = Tensor<Double>([[3, 0], [4, 5]]) * scale
      let values = try a.singularValues().scalars
      #expect(abs(values[0] / scale - 45.squareRoot()) < 1e-12 && abs(values[1] / scale - 5.squareRoot()) < 1e-12)
    }
  }

  @Test func badInput() {
    #expect(throws: InvalidArgument.self) { try SingularValueDecomposition(of: Tensor<Double>([1, 2])) }
    #expect(throws: InvalidArgument.self) { try SingularValueDecomposition(of: Tensor<Double>([[1, .nan]])) }
    #expect(throws: InvalidArgument.self) { try Tensor<Float>([[1], [.infinity]]).singularValues() }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>.zeros([2, 2, 2]).singularValues() }
  }
}
