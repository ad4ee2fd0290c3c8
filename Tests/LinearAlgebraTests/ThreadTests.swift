import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Results do not depend on the number of threads, to the last bit.
@Suite(.serialized) struct ThreadTests {
  @Test func sameBitsOnAnyNumberOfThreads() throws {
    var generator = TestGenerator(seed: 1)
    let a: Tensor<Double> = generator.tensor([533, 533])
    let tall: Tensor<Double> = generator.tensor([700, 150])
    let positive = a.multipliedByOwnTranspose() + Tensor.identity(533)
    func everything() throws -> [Tensor<Double>] {
      let qr = try QRDecomposition(of: tall)
      let full = try QRDecomposition(of: tall, basis: .full)
      let lu = try LUDecomposition(of: a)
      let svd = try SingularValueDecomposition(of: a)
      return [
        qr.orthogonal, qr.upper, full.orthogonal, try PivotedQRDecomposition(of: tall.transposed).orthogonal,
        lu.lower, lu.upper, try lu.solve(tall[0..<533, .all]), try a.inverse(),
        try CholeskyDecomposition(of: positive).upper, try CholeskyDecomposition(of: positive).solve(a),
        svd.left, svd.right, try tall.singularValues(), try SymmetricEigendecomposition(of: positive).vectors,
        try tall.leastSquares(tall[.all, 0..<2]).solution,
      ]
    }
    let expected = try withThreads(1, everything)
    for threads in [2, 3, 7] {
      for (i, (x, y)) in zip(try withThreads(threads, everything), expected).enumerated() {
        #expect(x == y, "\(i) on \(threads) threads")
      }
    }
  }

  /// LAPACK is called from many threads at once.
  @Test func concurrentCalls() async throws {
    var generator = TestGenerator(seed: 2)
    let a: Tensor<Double> = generator.tensor([150, 150])
    @Sendable func work() throws -> [Tensor<Double>] {
      let svd = try SingularValueDecomposition(of: a)
      let qr = try QRDecomposition(of: a)
      let eigen = try SymmetricEigendecomposition(of: a.symmetrized)
      return [svd.left, svd.right, qr.orthogonal, eigen.vectors, try a.inverse(), try a.pseudoInverse()]
    }
    let expected = try work()
    try await withThrowingTaskGroup(of: [Tensor<Double>].self) { group in
      for _ in 0..<12 { group.addTask { try work() } }
      for try await result in group { #expect(result == expected) }
    }
  }

  @Test func sameBitsInBFloat16() {
    var generator = TestGenerator(seed: 6)
    let a: Tensor<Float> = generator.tensor([300, 500])
    func everything() -> [Tensor<Float>] {
      [NewtonSchulz.muon.orthogonalize(a), a.matmul(a, transposingB: true, precision: .bfloat16)]
    }
    let original = threadCount
    defer { threadCount = original }
    threadCount = 1
    let expected = everything()
    for threads in [2, 3, 7] {
      threadCount = threads
      #expect(everything() == expected, "\(threads) threads")
    }
  }
}
