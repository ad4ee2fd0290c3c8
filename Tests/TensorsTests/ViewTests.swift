import Tensors
import TestSupport
import Testing

@Suite struct ViewTests {
  @Test(arguments: 0..<200)
  func slicesPickWhatTheModelPicks(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let x = generator.view(rank: 1...3, extents: 2...6)
    let axis = Int.random(in: 0..<x.rank, using: &generator)
    let lower = Int.random(in: 0..<x.shape[axis], using: &generator)
    let upper = Int.random(in: lower...x.shape[axis], using: &generator)
    let part = x.slice(axis: axis, lower..<upper)
    for index in Model.indices(part.shape) {
      var source = index
      source[axis] += lower
      #expect(Model(part)[index] == Model(x)[source], "seed \(seed)")
    }
    #expect(x.slice(axis: axis, at: lower) == x.slice(axis: axis, lower..<lower + 1).squeezed(axis: axis))
    #expect(x.reversed(axis: axis).reversed(axis: axis) == x)
    #expect(x.flattened.reshaped(x.shape) == x)
    #expect(x.dense == x && x.dense.isDense)
  }

  @Test(arguments: 0..<100)
  func writingToOneNeverChangesAnother(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let original = generator.view(rank: 1...3, extents: 1...5)
    let before = original.scalars
    var writers = [original, original.permuted(Array(0..<original.rank).reversed()), original.reversed(axis: 0)]
    writers.append(original.slice(axis: 0, 0..<1))
    writers.append(original.expanded(axis: 0).broadcast(to: [2] + original.shape))
    for i in writers.indices {
      let untouched = writers[i].scalars
      let copy = writers[i]
      writers[i] += 1
      #expect(original.scalars == before && copy.scalars == untouched, "seed \(seed), view \(i)")
      writers[i].withUnsafeMutableBuffer { $0[0] = 99 }
      #expect(original.scalars == before && copy.scalars == untouched, "seed \(seed), view \(i)")
    }
  }

  @Test func subscriptsReadAndWrite() {
    var x = Tensor<Int>(0..<24).reshaped([2, 3, 4])
    #expect(x[1].scalars == Array(12..<24))
    #expect(x[.all, 1].scalars == [4, 5, 6, 7, 16, 17, 18, 19])
    #expect(x[0, 1..., stride(from: 0, to: 4, by: 2)].scalars == [4, 6, 8, 10])
    #expect(x[0, 0, stride(from: 3, to: -1, by: -2)].scalars == [3, 1])
    #expect(x[1, ...1, ..<2].scalars == [12, 13, 16, 17])
    let before = x
    x[0, .all, 1...2] = Tensor(-1)
    #expect(x[0].scalars == [0, -1, -1, 3, 4, -1, -1, 7, 8, -1, -1, 11] && x[1] == before[1])
    x[.all, 0] = Tensor([[1, 2, 3, 4], [5, 6, 7, 8]])
    #expect(x[at: 1, 0, 2] == 7)
    x[at: 1, 0, 2] = 70
    #expect(x[1, 0].scalars == [5, 6, 70, 8])
    #expect(before[at: 1, 0, 2] == 14)
    x[0, 0] = x[1, 0]
    #expect(x[0, 0].scalars == [5, 6, 70, 8])
  }

  @Test func permutationsFollowTheirOrder() {
    let x = Tensor<Int>(0..<24).reshaped([2, 3, 4])
    let y = x.permuted([2, 0, 1])
    #expect(y.shape == [4, 2, 3])
    for index in Model.indices(y.shape) {
      #expect(y[at: index[0], index[1], index[2]] == x[at: index[1], index[2], index[0]])
    }
    #expect(x.exchangingAxes(0, -1).shape == [4, 3, 2])
    #expect(x.transposed.transposed == x)
    #expect(x[0].diagonal.scalars == [0, 5, 10])
  }

  @Test(arguments: [(1, 1), (1, 70), (70, 1), (33, 65), (300, 257), (1_024, 512)])
  func transposedCopiesAreExact(rows: Int, columns: Int) {
    let x = Tensor<Float>(shape: [rows, columns], scalars: (0..<rows * columns).map(Float.init))
    let y = x.transposed.dense
    #expect(y.shape == [columns, rows])
    let scalars = y.scalars
    #expect((0..<rows * columns).allSatisfy { scalars[$0] == Float(($0 % rows) * columns + $0 / rows) })
  }

  @Test(arguments: 0..<60)
  func gatherAndScatterAreAdjoint(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let x = generator.view(rank: 1...3, extents: 1...5)
    let axis = Int.random(in: 0..<x.rank, using: &generator)
    let indices = Tensor<Int>((0..<4).map { _ in Int.random(in: 0..<x.shape[axis], using: &generator) })
    let taken = x.gathered(indices, axis: axis)
    for (i, index) in indices.scalars.enumerated() {
      #expect(taken.slice(axis: axis, at: i) == x.slice(axis: axis, at: index), "seed \(seed)")
    }
    // <gather(x), y> = <x, scatter(y)>
    let y: Tensor<Double> = generator.tensor(taken.shape)
    let scattered = Tensor.zeros(x.shape).scatterAdded(y, at: indices, axis: axis)
    #expect(abs((taken * y).sum().scalar - (x * scattered).sum().scalar) < 1e-12, "seed \(seed)")
  }

  @Test func takenFollowsIndicesRowByRow() {
    let x = Tensor<Int>([[10, 11, 12], [20, 21, 22]])
    #expect(x.taken(Tensor([[2, 0], [1, 1]]), along: 1).scalars == [12, 10, 21, 21])
    #expect(x.taken(Tensor([[1, 0, 1]]), along: 0).scalars == [20, 11, 22])
    #expect(x.masked(x .> 11).scalars == [12, 20, 21, 22])
  }

  @Test(arguments: 0..<60)
  func concatenationAndSplittingAreInverse(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let x = generator.view(rank: 1...3, extents: 1...6)
    let axis = Int.random(in: 0..<x.rank, using: &generator)
    let cut = Int.random(in: 0...x.shape[axis], using: &generator)
    let parts = x.split(sizes: [cut, x.shape[axis] - cut], axis: axis)
    #expect(Tensor.concatenated(parts, axis: axis) == x, "seed \(seed)")
    let stack = Tensor.stacked([x, x + 1], axis: axis)
    #expect(stack.slice(axis: axis, at: 0) == x && stack.slice(axis: axis, at: 1) == x + 1, "seed \(seed)")
    let padded = x.padded(x.shape.map { _ in (before: 1, after: 2) }, with: 5)
    #expect(padded.shape == x.shape.map { $0 + 3 })
    let border = 5 * Double(padded.count - x.count)
    #expect(abs(padded.sum().scalar - x.sum().scalar - border) < 1e-13 * max(border, 1), "seed \(seed)")
    var inner = padded
    for axis in 0..<x.rank { inner = inner.slice(axis: axis, 1..<1 + x.shape[axis]) }
    #expect(inner == x)
    let tiled = x.tiled(x.shape.enumerated().map { $0.offset == axis ? 3 : 1 })
    #expect(tiled == Tensor.concatenated([x, x, x], axis: axis), "seed \(seed)")
  }

  @Test func mappedMemoryIsReadInPlaceAndNeverWritten() {
    final class Owner: Sendable {}
    let memory = UnsafeMutablePointer<Double>.allocate(capacity: 4)
    defer { memory.deallocate() }
    memory.initialize(from: [1, 2, 3, 4], count: 4)
    var x = Tensor<Double>(reading: memory, shape: [2, 2], owner: Owner())
    #expect(x.scalars == [1, 2, 3, 4])
    x += 1
    #expect(x.scalars == [2, 3, 4, 5] && memory[0] == 1)
  }

  @Test func descriptionsAreReadable() {
    #expect(Tensor<Double>([[1, 2.5], [-3, 0]]).description == "[[  1, 2.5],\n [ -3,   0]]  Tensor<Double>[2, 2]")
    #expect(Tensor<Int>(7).description == "7  Tensor<Int>")
    #expect(Tensor<Bool>([true, false]).description == "[ true, false]  Tensor<Bool>[2]")
    #expect(Tensor<Int>(0..<2_000).description == "[   0,    1,    2, ..., 1997, 1998, 1999]  Tensor<Int>[2000]")
    #expect(Tensor<Double>.zeros([0, 2]).description == "[]  Tensor<Double>[0, 2]")
  }
}
