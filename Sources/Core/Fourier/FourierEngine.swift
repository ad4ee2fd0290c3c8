import Synchronization
import Tensors

/// The kernels of one scalar type, and the plans made so far: a plan is made once for each length.
public final class FourierEngine<Scalar: FourierScalar>: Sendable {
  let kernels: FourierKernels<Scalar>
  private let complex = PlanCache<FourierPlan<Scalar>>()
  private let real = PlanCache<RealFourierPlan<Scalar>>()
  private let cosines = PlanCache<Planes<Scalar>>()
  private let typeIVCosines = PlanCache<Planes<Scalar>>()

  init(kernels: FourierKernels<Scalar>) { self.kernels = kernels }

  func plan(_ length: Int) -> FourierPlan<Scalar> { complex.plan(length) { FourierPlan(length: length) } }

  /// For an even length.
  func realPlan(_ length: Int) -> RealFourierPlan<Scalar> { real.plan(length) { RealFourierPlan(length: length) } }

  /// exp(-pi i k / (2 length)), k <= length / 2: what turns a spectrum into a cosine transform.
  func cosineRoots(_ length: Int) -> Planes<Scalar> {
    cosines.plan(length) { Planes(count: length / 2 + 1) { UnitRoot(-$0, of: 4 * length) } }
  }

  /// exp(-pi i (8 k + 1) / (8 length)), k < length / 2, for an even length.
  func typeIVRoots(_ length: Int) -> Planes<Scalar> {
    typeIVCosines.plan(length) { Planes(count: length / 2) { UnitRoot(-(8 * $0 + 1), of: 16 * length) } }
  }
}

/// Plans by length, for any number of threads. It is emptied when it holds very many numbers.
private final class PlanCache<Plan: Sendable>: Sendable {
  private static var capacity: Int { 1 << 24 }
  private struct State: Sendable {
    var plans: [Int: Plan] = [:]
    var size = 0
  }
  private let state = Mutex(State())

  func plan(_ length: Int, _ make: () -> Plan) -> Plan {
    if let plan = state.withLock({ $0.plans[length] }) { return plan }
    let plan = make()  // outside the lock: a plan may need another one
    state.withLock { state in
      if state.size + length > Self.capacity { state = State() }
      state.plans[length] = plan
      state.size += length
    }
    return plan
  }
}
