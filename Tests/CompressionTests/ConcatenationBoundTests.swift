import Compression
import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct ConcatenationBoundTests {
  @Test(arguments: 0..<250)
  func everyBoundIsOne(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let blocks = randomBlocks(&generator)
    let rank = Int.random(in: 1...12, using: &generator)
    let exact = try concatenationError(blocks, rank: rank)
    #expect(abs(exact - (try directError(blocks, rank: rank))) < 2e-7, "seed \(seed)")
    let oversampling = Int.random(in: 0...6, using: &generator)
    let bounds: [ConcatenationBound] = [.weylBase, .weylMax, .residual, .incremental(oversampling: oversampling)]
    let errors = try bounds.map { try concatenationErrorBound(blocks, rank: rank, bound: $0) }
    for (bound, error) in zip(bounds, errors) {
      #expect(error * error >= exact * exact - 1e-12 && error <= 1, "seed \(seed), \(bound): \(error) below \(exact)")
    }
    #expect(errors[1] <= errors[0] + 1e-12 && errors[2] <= errors[0] + 1e-12, "seed \(seed)")
    let width = blocks.reduce(0) { $0 + $1.columns }
    if min(width, blocks[0].rows) <= rank + oversampling {
      #expect(abs(errors[3] * errors[3] - exact * exact) < 1e-10, "seed \(seed): exact while the rank fits")
    }
  }

  @Test(arguments: 0..<20)
  func incrementalIsExactAtLowRank(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let basis: Tensor<Double> = generator.tensor([30, 9])
    let blocks = (0..<7).map { _ in basis.matmul(generator.tensor([9, Int.random(in: 1...14, using: &generator)])) }
    var svd = IncrementalSVD<Double>(rank: 6, oversampling: 3)
    for block in blocks { try svd.append(block) }
    let whole = Tensor.concatenated(blocks, axis: 1)
    let wanted = try whole.singularValues()[0..<9]
    #expect(svd.singularValues.count == 9, "seed \(seed): dependent columns add no directions")
    #expect(distance(svd.singularValues / wanted, .ones([9])) < 1e-10, "seed \(seed)")
    #expect(abs(svd.relativeError - (try directError(blocks, rank: 6))) < 1e-10)
    let gram = svd.basis.multipliedByOwnTranspose(transposing: true)
    #expect(distance(gram, .identity(9)) < 1e-12, "seed \(seed)")
    let projected = svd.basis.matmul(svd.basis.matmul(whole, transposingA: true))
    #expect(distance(projected, whole) < 1e-10, "seed \(seed)")
  }

  @Test(arguments: 0..<20)
  func estimatesNeverExceedTheSingularValues(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let blocks = (0..<8).map { _ in generator.tensor([25, Int.random(in: 1...30, using: &generator)], of: Double.self) }
    var svd = IncrementalSVD<Double>(rank: 5, oversampling: 2)
    for (i, block) in blocks.enumerated() {
      try svd.append(block)
      let exact = try Tensor.concatenated(Array(blocks[0...i]), axis: 1).singularValues().scalars
      for (estimate, value) in zip(svd.singularValues.scalars, exact) {
        #expect(estimate <= value * (1 + 1e-12), "seed \(seed), block \(i)")
      }
      #expect(distance(svd.basis.multipliedByOwnTranspose(transposing: true), .identity(svd.basis.columns)) < 1e-12)
    }
  }

  @Test func appendingNearlyDependentColumnsKeepsTheBasisOrthonormal() throws {
    var generator = TestGenerator(seed: 2)
    let first: Tensor<Double> = generator.tensor([40, 6])
    var svd = IncrementalSVD<Double>(rank: 20)
    try svd.append(first)
    // New directions of all sizes down to where they are dropped, behind large parts that are known already.
    for exponent in 3...13 {
      let small = Double.pow(10, -Double(exponent))
      try svd.append(first.matmul(generator.tensor([6, 4])) + generator.tensor([40, 4]) * small)
      let gram = svd.basis.multipliedByOwnTranspose(transposing: true)
      #expect(distance(gram, .identity(gram.rows)) < 1e-12, "10^-\(exponent)")
    }
  }

  @Test(arguments: 0..<6)
  func invariances(seed: UInt64) throws {
    var generator = TestGenerator(seed: seed)
    let blocks = try groupedBlocks(6, groups: 2, rows: 20, &generator)
    let rotation = try orthogonal(20, &generator)
    let rotated = blocks.map { rotation.matmul($0) }
    let exact = try concatenationError(blocks, rank: 5)
    for bound in [ConcatenationBound.weylBase, .weylMax, .residual, .incremental(oversampling: 2)] {
      let error = try concatenationErrorBound(blocks, rank: 5, bound: bound)
      #expect(abs(error - (try concatenationErrorBound(rotated, rank: 5, bound: bound))) < 1e-10, "\(bound)")
    }
    #expect(abs(exact - (try concatenationError(blocks.shuffled(using: &generator), rank: 5))) < 1e-10)
    let twice = try concatenationError([blocks[0], blocks[0]], rank: 2)
    #expect(abs(twice - (try concatenationError([blocks[0]], rank: 2))) < 1e-12)
    let huge = blocks.map { $0 * 1e200 }
    #expect(abs(exact - (try concatenationError(huge, rank: 5))) < 1e-10, "no overflow of squares")
  }

  @Test func orthogonalColumnSpacesHaveTheUnionOfSpectra() throws {
    var generator = TestGenerator(seed: 6)
    let basis = try orthogonal(24, &generator)
    let blocks = (0..<3).map { i in basis[.all, 8 * i..<8 * i + 8].matmul(generator.tensor([8, 10], of: Double.self)) }
    let union = try blocks.flatMap { try $0.singularValues().scalars }.sorted(by: >)
    let whole = try Tensor.concatenated(blocks, axis: 1).singularValues().scalars
    for (a, b) in zip(union, whole) { #expect(abs(a - b) < 1e-12) }
    for rank in [1, 4, 9, 20] {
      let exact = try concatenationError(blocks, rank: rank)
      #expect(abs(exact - (try concatenationErrorBound(blocks, rank: rank, bound: .residual))) < 1e-10)
    }
  }

  @Test func mergingStatesIsABoundToo() throws {
    var generator = TestGenerator(seed: 7)
    let blocks = try groupedBlocks(8, groups: 1, &generator)
    var a = IncrementalSVD<Double>(rank: 4)
    var b = a
    for i in 0..<4 { try a.append(blocks[i]) }
    for i in 4..<8 { try b.append(blocks[i]) }
    try a.merge(b)
    let exact = try directError(blocks, rank: 4)
    #expect(a.relativeError >= exact - 1e-12 && a.relativeError < exact + 0.01)
    let energy = blocks.reduce(0.0) { $0 + $1.sumOfSquares().scalar }
    #expect(abs(a.totalEnergy - energy) < 1e-10 * energy)
  }

  @Test func badInput() throws {
    let a = Tensor<Double>.ones([3, 2])
    let none: [Tensor<Double>] = []
    #expect(throws: InvalidArgument.self) { try concatenationError(none, rank: 1) }
    #expect(throws: InvalidArgument.self) { try concatenationError([a], rank: 0) }
    let error = #expect(throws: InvalidArgument.self) { try concatenationError([a, a, .ones([4, 2])], rank: 1) }
    #expect(error?.name == "block 2")
    #expect(throws: InvalidArgument.self) { try concatenationErrorBound([a * .infinity], rank: 1, bound: .residual) }
    #expect(throws: InvalidArgument.self) {
      try concatenationErrorBound([a], rank: 1, bound: .incremental(oversampling: -1))
    }
    var svd = IncrementalSVD<Double>(rank: 2)
    try svd.append(.zeros([3, 1]))
    #expect(svd.relativeError == 0 && svd.singularValues.isEmpty)
    try svd.append(a)
    #expect(throws: InvalidArgument.self) { try svd.append(.ones([4, 1])) }
    #expect(throws: InvalidArgument.self) { try svd.append(Tensor([1, 2, 3])) }
    var other = IncrementalSVD<Double>(rank: 2)
    try other.append(.ones([4, 1]))
    #expect(throws: InvalidArgument.self) { try svd.merge(other) }
  }
}
