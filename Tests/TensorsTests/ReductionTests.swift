import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ReductionTests {
  @Test(arguments: 0..<150)
  func foldsAgreeWithTheModel(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    let x = generator.view(rank: 1...4)
    let axes = (0..<x.rank).filter { _ in Bool.random(using: &generator) }
    let model = Model(x)
    func expect(_ value: Tensor<Double>, _ name: String, _ body: ([Double]) -> Double) {
      let wanted = model.folded(axes: axes, body)
      let difference = distance(value, Tensor(shape: wanted.shape, scalars: wanted.scalars))
      #expect(difference < 1e-12, "\(name) over \(axes) of \(x.shape), seed \(seed)")
    }
    expect(x.sum(axes: axes), "sum") { $0.reduce(0, +) }
    expect(x.product(axes: axes), "product") { $0.reduce(1, *) }
    expect(x.maximum(axes: axes), "maximum") { $0.max() ?? -.infinity }
    expect(x.minimum(axes: axes), "minimum") { $0.min() ?? .infinity }
    expect(x.mean(axes: axes), "mean") { $0.reduce(0, +) / Double($0.count) }
    expect(x.sumOfSquares(axes: axes), "squares") { $0.reduce(0) { $0 + $1 * $1 } }
    expect(x.variance(axes: axes), "variance") { values in
      let mean = values.reduce(0, +) / Double(values.count)
      return values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
    }
    #expect(x.sum(axes: axes, keepingAxes: true).shape == x.shape.indices.map { axes.contains($0) ? 1 : x.shape[$0] })
    let axis = Int.random(in: 0..<x.rank, using: &generator)
    let logSum = model.folded(axes: [axis]) { log($0.reduce(0) { $0 + exp($1) }) }
    #expect(distance(x.logSumExp(axis: axis), Tensor(shape: logSum.shape, scalars: logSum.scalars)) < 1e-13)
    #expect(distance(x.softmax(axis: axis).sum(axis: axis), .ones(logSum.shape)) < 1e-13)
    #expect(distance(x.logSoftmax(axis: axis).exp(), x.softmax(axis: axis)) < 1e-13)
    let running = x.cumulativeSum(axis: axis)
    #expect(running.slice(axis: axis, at: x.shape[axis] - 1).isClose(to: x.sum(axis: axis), tolerance: 1e-13))
    let first = model.folded(axes: [axis]) { values in Double(values.firstIndex(of: values.max()!)!) }
    #expect(Model(Tensor<Double>(x.argmax(axis: axis))) == first)
  }

  @Test func largeSumsAreAccurateInSinglePrecision() {
    // One million copies of 0.1: a running sum in f32 is off by 1 %.
    let x = Tensor<Float>(repeating: 0.1, shape: [1_000_000])
    #expect(abs(Double(x.sum().scalar) / (1e6 * Double(Float(0.1))) - 1) < 1e-6)
    let columns = Tensor<Float>(repeating: 0.1, shape: [100_000, 3]).sum(axis: 0)
    #expect(columns.scalars.allSatisfy { abs($0 / 10_000 - 1) < 1e-5 })
  }

  @Test func extremeRowsOfLogSumExp() {
    let huge = Tensor<Double>([[1_000, 1_000], [-1_000, -1_000], [-.infinity, -.infinity], [.infinity, 0]])
    let value = huge.logSumExp(axis: 1).scalars
    #expect(abs(value[0] - 1_000 - log(2)) < 1e-12 && abs(value[1] + 1_000 - log(2)) < 1e-12)
    #expect(value[2] == -.infinity && value[3] == .infinity)
    #expect(huge[0..<2].softmax(axis: 1).scalars == [0.5, 0.5, 0.5, 0.5])
  }

  @Test(arguments: 0..<60)
  func sortingOrders(seed: UInt64) {
    var generator = TestGenerator(seed: seed)
    // Rounded, so that there are ties.
    let x = (generator.view(rank: 1...3, extents: 1...9) * 3).rounded()
    let axis = Int.random(in: 0..<x.rank, using: &generator)
    for descending in [false, true] {
      let order = x.argsort(axis: axis, descending: descending)
      let sorted = x.sorted(axis: axis, descending: descending)
      #expect(x.taken(order, along: axis) == sorted, "seed \(seed)")
      let rows = sorted.exchangingAxes(axis, -1).reshaped([-1, x.shape[axis]])
      for row in 0..<rows.rows {
        let values = rows[row].scalars
        #expect(zip(values, values.dropFirst()).allSatisfy { descending ? $0 >= $1 : $0 <= $1 }, "seed \(seed)")
      }
      let k = Int.random(in: 0...x.shape[axis], using: &generator)
      let top = x.topK(k, axis: axis, largest: descending)
      #expect(top.values == sorted.slice(axis: axis, 0..<k), "seed \(seed)")
      #expect(top.indices == order.slice(axis: axis, 0..<k) || descending, "ties go to the first, seed \(seed)")
    }
  }

  @Test func sortingPutsNaNLast() {
    let x = Tensor<Float>([3, .nan, -1, .infinity])
    #expect(x.argsort().scalars == [2, 0, 3, 1])
    #expect(x.sorted().scalars[0..<3].elementsEqual([-1, 3, .infinity]) && x.sorted().scalars[3].isNaN)
    #expect(x.topK(1).indices.scalars == [1])
    #expect(Tensor<Int>([3, 1, 3, 2]).uniqueValues().counts.scalars == [1, 1, 2])
  }

  @Test func quantilesInterpolate() {
    let x = Tensor<Double>([4, 1, 3, 2])
    #expect(x.quantiles([0, 0.25, 0.5, 1]).scalars == [1, 1.75, 2.5, 4])
    #expect(x.median().scalar == 2.5)
    #expect(Tensor<Double>([1, .nan, 2]).median().scalar.isNaN)
  }

  @Test func threadsDoNotChangeResults() {
    var generator = TestGenerator(seed: 1)
    let x: Tensor<Float> = generator.tensor([700, 900])
    let y: Tensor<Float> = generator.tensor([900, 300])
    func results() -> [Tensor<Float>] {
      [
        x.sum(), x.sum(axis: 0), x.sum(axis: 1), x.exp(), x.softmax(axis: 1), x.matmul(y), x.sumOfSquares(),
        x.multipliedByOwnTranspose(), y.matmul(x, transposingA: true, transposingB: true), x.tanh(),
      ]
    }
    let single = withThreads(1, results)
    for count in [2, 3] {
      for (a, b) in zip(single, withThreads(count, results)) { #expect(a == b, "\(count) threads") }
    }
  }

  @Test func axesOfNoExtentReduceToTheNeutralElement() {
    let none = Tensor<Double>.zeros([0, 3])
    #expect(none.product(axes: [0]) == .ones([3]))
    #expect(none.product(axes: [1]) == .ones([0]))
    #expect(Tensor<Double>.zeros([2, 0, 3]).product(axes: [1, 2]) == .ones([2]))
  }
}
