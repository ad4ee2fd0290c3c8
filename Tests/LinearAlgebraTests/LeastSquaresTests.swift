import LinearAlgebra
import Tensors
import TestSupport
import Testing

struct LeastSquaresTests {
  static let methods: [LeastSquaresMethod] = [.qr, .completeOrthogonal, .singularValues]

  @Test(arguments: 0..<4 as Range<UInt64>) func fullRank(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (m, n) in [(1, 1), (6, 6), (12, 5), (50, 7), (7, 1), (200, 40)] {
      let a: Tensor<Double> = generator.matrix(m, n, singularValues: geometric(n, to: 0.05))
      let b: Tensor<Double> = generator.tensor([m, 3])
      for method in Self.methods {
        let found = try a.leastSquares(b, method: method)
        let residual = a.matmul(found.solution) - b
        #expect(distance(a.matmul(residual, transposingA: true), .zeros([n, 3])) < 1e-12, "\(m)x\(n) \(method)")
        #expect(distance(found.residualNorms, residual.sumOfSquares(axes: [0]).sqrt()) < 1e-13, "\(m)x\(n) \(method)")
        #expect(found.rank == n)
        let one = try a.leastSquares(b[.all, 1], method: method)
        #expect(one.solution.shape == [n] && one.residualNorms.shape == [])
        #expect(distance(one.solution, found.solution[.all, 1]) < 1e-12)
      }
    }
  }

  @Test(arguments: 0..<4 as Range<UInt64>) func shortestSolution(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    for (m, n, rank) in [(5, 9, 5), (9, 6, 3), (6, 9, 2), (40, 8, 5), (4, 4, 0), (1, 6, 1), (30, 100, 20)] {
      let values = (0..<min(m, n)).map { $0 < rank ? 1 + Double($0 % 5) : 0 }
      let a: Tensor<Double> = generator.matrix(m, n, singularValues: values)
      let b: Tensor<Double> = generator.tensor([m, 2])
      let inverse = try a.pseudoInverse()
      for method in [LeastSquaresMethod.completeOrthogonal, .singularValues] {
        let found = try a.leastSquares(b, method: method)
        #expect(found.rank == rank, "\(m)x\(n) \(method)")
        #expect(distance(found.solution, inverse.matmul(b)) < 1e-11, "\(m)x\(n) rank \(rank) \(method)")
      }
      if rank < n {
        #expect(throws: DecompositionError.self) { try a.leastSquares(b, method: .qr) }
      }
    }
  }

  /// The four equations that define the Moore–Penrose inverse.
  @Test(arguments: shapes) func pseudoInverse(shape: [Int]) throws {
    for seed in 0..<3 as Range<UInt64> {
      var generator = TestGenerator(seed: seed)
      let full: Tensor<Double> = generator.tensor(shape)
      let rank = shape.min()! / 2
      let values = (0..<shape.min()!).map { $0 < rank ? 1 / Double($0 + 1) : 0 }
      let deficient: Tensor<Double> = generator.matrix(shape[0], shape[1], singularValues: values)
      for a in [full, deficient] {
        let p = try a.pseudoInverse()
        let limit = 1e-10 * max(1, p.largestMagnitude)
        let ap = a.matmul(p)
        let pa = p.matmul(a)
        #expect(distance(ap.matmul(a), a) < limit && distance(pa.matmul(p), p) < limit * max(1, p.largestMagnitude))
        #expect(distance(ap, ap.transposed) < limit && distance(pa, pa.transposed) < limit)
      }
    }
  }

  @Test func emptySystems() throws {
    for method in [LeastSquaresMethod.completeOrthogonal, .singularValues] {
      #expect(try Tensor<Double>.zeros([0, 3]).leastSquares(.zeros([0]), method: method).solution == .zeros([3]))
      #expect(
        try Tensor<Double>.zeros([3, 0]).leastSquares(Tensor([3, 0, 4]), method: method).residualNorms.scalar == 5)
    }
    #expect(try Tensor<Double>.zeros([3, 0]).leastSquares(Tensor([3, 0, 4]), method: .qr).residualNorms.scalar == 5)
  }

  @Test func badInput() {
    let a = Tensor<Double>([[1, 2], [3, 4], [5, 6]])
    #expect(throws: InvalidArgument.self) { try a.leastSquares(Tensor([1, 2])) }
    #expect(throws: InvalidArgument.self) { try a.leastSquares(Tensor([1, 2, .infinity])) }
    #expect(throws: InvalidArgument.self) { try (a / 0).leastSquares(Tensor([1, 2, 3])) }
  }
}
