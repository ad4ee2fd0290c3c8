import Synchronization
import Tensors
import TestSupport
import Testing

/// Counts results that are alive, by the owners of their memory.
private final class Census: Sendable {
  private let alive = Mutex(0)
  private let most = Mutex(0)

  var count: Int { alive.withLock { $0 } }
  var peak: Int { most.withLock { $0 } }

  fileprivate func enter() {
    let now = alive.withLock { alive in
      alive += 1
      return alive
    }
    most.withLock { $0 = max($0, now) }
  }
  fileprivate func leave() { alive.withLock { $0 -= 1 } }

  /// x², in memory that is counted, and kept by the pullback as the argument of the next step.
  func step(_ x: Tensor<Double>, onTheWayBack: @escaping @Sendable (Int) -> Void = { _ in }) -> Tensor<Double> {
    customDerivative(at: x) { x in
      let value = counted((x * 0.5).sin())
      return (
        value,
        { g in
          onTheWayBack(self.count)
          return g * (x * 0.5).cos() * 0.5 + value.withoutDerivative * 0
        }
      )
    }
  }

  fileprivate func counted(_ x: Tensor<Double>) -> Tensor<Double> {
    let block = Block(x.scalars, self)
    let value = Tensor<Double>(reading: UnsafeRawPointer(block.memory), shape: x.shape, owner: block)
    // Inside another transform the numbers stay and the derivative is that of x.
    return x.isDifferentiated ? x + (value - x.withoutDerivative) : value
  }

  private final class Block: @unchecked Sendable {
    let memory: UnsafeMutablePointer<Double>
    let census: Census

    init(_ scalars: [Double], _ census: Census) {
      memory = .allocate(capacity: max(scalars.count, 1))
      memory.initialize(from: scalars, count: scalars.count)
      self.census = census
      census.enter()
    }

    deinit {
      memory.deallocate()
      census.leave()
    }
  }
}

@Suite struct DerivativeMemoryTests {
  @Test func theWayBackFreesAsItProceeds() {
    let census = Census()
    let seen = Mutex<[Int]>([])
    _ = gradient(at: Tensor<Double>([1, 2])) { x in
      var y = x
      for _ in 0..<20 { y = census.step(y) { alive in seen.withLock { $0.append(alive) } } }
      return y.sum()
    }
    // Each step's result is gone before the one before it is reached.
    let counts = seen.withLock { $0 }
    #expect(counts.count == 20 && census.peak == 20 && census.count == 0)
    for (i, alive) in counts.enumerated() { #expect(alive <= 20 - i, "step \(19 - i): \(alive)") }
  }

  @Test func theValueDoesNotKeepTheTape() {
    let census = Census()
    let (value, slope) = valueAndGradient(at: Tensor<Double>([1, 2])) { x in census.step(census.step(x)).sum() }
    #expect(census.count == 0 && value.isFinite && slope.isFinite && !value.isDifferentiated)
    // Nor does a tensor that escapes keep the others.
    var escaped = Tensor<Double>(0)
    _ = gradient(at: Tensor<Double>([1, 2])) { x in
      var y = x
      for _ in 0..<5 { y = census.step(y) }
      escaped = y
      return y.sum()
    }
    #expect(census.count <= 1 && escaped.isFinite)
  }

  @Test func additionsKeepNoOperands() {
    let census = Census()
    let seen = Mutex(0)
    _ = gradient(at: Tensor<Double>([1, 2])) { x in
      var y = x
      for _ in 0..<10 { y = (y + x).reshaped([2, 1]).broadcast(to: [2, 3]).sum(axis: 1) + census.addition(y) }
      seen.withLock { $0 = census.count }
      return y.sum()
    }
    #expect(seen.withLock { $0 } <= 1 && census.count == 0)
  }

  @Test(arguments: [1, 2]) func checkpointsNeedTheRootOfTheMemory(order: Int) {
    let groups = 8
    let census = (Census(), Census())
    let plain: @Sendable (Tensor<Double>) -> Tensor<Double> = { x in
      var y = x
      for _ in 0..<groups * groups { y = census.0.step(y) }
      return y.sum()
    }
    let saving: @Sendable (Tensor<Double>) -> Tensor<Double> = { x in
      var y = x
      for _ in 0..<groups {
        y = checkpointed(y) { y in
          var y = y
          for _ in 0..<groups { y = census.1.step(y) }
          return y
        }
      }
      return y.sum()
    }
    let x = Tensor<Double>([0.4, -1.3])
    if order == 1 {
      #expect(gradient(at: x, of: plain) == gradient(at: x, of: saving))
      #expect(census.0.peak == groups * groups)
      #expect(census.1.peak <= 2 * groups + 2, "\(census.1.peak)")
    } else {
      let v = Tensor<Double>([1, 2])
      let a = hessianVectorProduct(at: x, along: v, of: plain)
      let b = hessianVectorProduct(at: x, along: v, of: saving)
      #expect(distance(a.product, b.product) < 1e-15 && distance(a.gradient, b.gradient) < 1e-15)
    }
    #expect(census.0.count == 0 && census.1.count == 0)
  }

  @Test func checkpointsOfSeveralInputs() {
    var random = TestGenerator(seed: 5)
    let inputs: [Tensor<Double>] = [random.tensor([3, 4]), random.tensor([4, 2]), random.tensor([2])]
    let body: @Sendable ([Tensor<Double>]) -> Tensor<Double> = { ($0[0].matmul($0[1]) + $0[2]).tanh() }
    let saved = valueAndGradients(at: inputs) { checkpointed($0, body).squared().sum() }
    let plain = valueAndGradients(at: inputs) { body($0).squared().sum() }
    #expect(saved.value == plain.value && saved.gradients == plain.gradients)
    // A constant among the inputs.
    let some = gradient(at: inputs[2]) { checkpointed([inputs[0], inputs[1], $0], body).sum() }
    #expect(some == gradient(at: inputs[2]) { body([inputs[0], inputs[1], $0]).sum() })
    // Nothing is differentiated: just the value.
    #expect(checkpointed(inputs, body) == body(inputs))
  }

  @Test func capturedTensorsTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = gradient(at: Tensor<Double>([1, 2])) { w in checkpointed(Tensor<Double>([3, 4])) { $0 * w }.sum() }
      // A constant input: the product is then simply recorded, so use a differentiated one.
      _ = gradient(at: Tensor<Double>([1, 2])) { w in checkpointed(w.exp()) { $0 * w }.sum() }
    }
  }

  @Test func otherThreadsTrap() async {
    await #expect(processExitsWith: .failure) {
      threadCount = 2
      _ = gradient(at: Tensor<Double>([1, 2])) { x in
        for _ in 0..<1000 {
          parallelTasks(64) { _ in
            for _ in 0..<1000 { _ = x * 2 }
          }
        }
        return x.sum()
      }
    }
  }
}

extension Census {
  /// x + 1 in memory that is counted; its rule keeps nothing.
  fileprivate func addition(_ x: Tensor<Double>) -> Tensor<Double> {
    customDerivative(at: x) { x in (self.counted(x + 1), { $0 }) }
  }
}
