import LinearAlgebra
import Numerics
import Tensors
import TestSupport
import Testing

struct NormTests {
  @Test(arguments: 0..<5 as Range<UInt64>) func againstDefinitions(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for shape in [[1, 1], [4, 7], [9, 2], [30, 30]] {
      let a: Tensor<Double> = generator.tensor(shape)
      let rows = (0..<shape[0]).map { i in (0..<shape[1]).map { abs(a[at: i, $0]) } }
      let columns = (0..<shape[1]).map { j in (0..<shape[0]).map { abs(a[at: $0, j]) } }
      let squares = rows.joined().map { $0 * $0 }.reduce(0, +)
      #expect(abs(a.frobeniusNorm() - squares.squareRoot()) < 1e-12)
      #expect(abs(a.oneNorm() - columns.map { $0.reduce(0, +) }.max()!) < 1e-12)
      #expect(abs(a.infinityNorm() - rows.map { $0.reduce(0, +) }.max()!) < 1e-12)
      #expect(a.maximumNorm() == rows.joined().max()!)
      let lengths = columns.map { $0.map { $0 * $0 }.reduce(0, +).squareRoot() }
      #expect(abs(a.columnwiseNorm(p: 2, q: 1) - lengths.reduce(0, +)) < 1e-12)
      #expect(abs(a.columnwiseNorm(p: 2, q: .infinity) - lengths.max()!) < 1e-12)
      #expect(abs(a.columnwiseNorm(p: 1, q: .infinity) - a.oneNorm()) < 1e-12)
      let cubes = rows.joined().map { $0 * $0 * $0 }.reduce(0, +)
      #expect(abs(a.columnwiseNorm(p: 3, q: 3) - Double.root(cubes, 3)) < 1e-12)
      // Singular values: their norms through independent identities.
      #expect(abs(try a.schattenNorm(2) - a.frobeniusNorm()) < 1e-12)
      let gram = a.multipliedByOwnTranspose()
      #expect(abs(try a.schattenNorm(4) - gram.frobeniusNorm().squareRoot()) < 1e-12)
      let largest = try gram.symmetricEigenvalues().scalars.last!
      #expect(abs(try a.spectralNorm() - largest.squareRoot()) < 1e-12)
      #expect(abs(try a.nuclearNorm() - a.singularValues().sum().scalar) < 1e-12)
      #expect(abs(try a.stableRank() - squares / largest) < 1e-10)
    }
  }

  @Test func ranks() throws {
    var generator = TestGenerator(seed: 2)
    let equal: Tensor<Double> = generator.matrix(9, 7, singularValues: [2, 2, 2, 0, 0, 0, 0])
    #expect(abs(try equal.stableRank() - 3) < 1e-12)
    #expect(abs(try equal.effectiveRank() - 3) < 1e-10)
    #expect(try Tensor<Double>.zeros([3, 3]).stableRank() == 0)
    #expect(try Tensor<Double>.zeros([3, 3]).effectiveRank() == 0)
  }

  @Test func extremesAndCorners() throws {
    #expect(abs(Tensor<Double>([3e200, 4e200]).frobeniusNorm() / 5e200 - 1) < 1e-15)
    #expect(abs(Tensor<Double>([3e-200, 4e-200]).frobeniusNorm() / 5e-200 - 1) < 1e-15)
    #expect(abs(Tensor<Float>([3e30, 4e30]).frobeniusNorm() / 5e30 - 1) < 1e-6)
    #expect(Tensor<Double>([.infinity, 1]).frobeniusNorm() == .infinity)
    #expect(Tensor<Double>([.nan, 1]).frobeniusNorm().isNaN)
    let large = Tensor<Double>([[3e200, 0], [4e200, 0]])
    #expect(abs(large.columnwiseNorm(p: 2, q: 2) / 5e200 - 1) < 1e-14)
    #expect(abs(try large.schattenNorm(3) / 5e200 - 1) < 1e-14)
    let empty = Tensor<Double>.zeros([0, 3])
    #expect(empty.frobeniusNorm() == 0 && empty.oneNorm() == 0 && empty.maximumNorm() == 0)
    #expect(try empty.spectralNorm() == 0)
    #expect(empty.columnwiseNorm(p: 2, q: 1) == 0)
  }

  @Test func badInput() {
    #expect(throws: InvalidArgument.self) { try Tensor<Double>.ones([2, 2]).schattenNorm(0.5) }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>.ones([2, 2]).schattenNorm(.nan) }
    #expect(throws: InvalidArgument.self) { try Tensor<Double>([[.nan]]).nuclearNorm() }
  }
}
