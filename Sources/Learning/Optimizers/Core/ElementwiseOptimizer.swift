// The first-order optimizers that treat each element by itself: what differs between them is one small rule, a C kernel;
// walking, memory, groups and threads are here.

import CVectorKernels
import Networks
import Tensors

/// An optimizer that is a rule for the single element.
protocol ElementwiseOptimizer<Scalar>: Optimizer {
  var learningRate: Double { get }
  var weightDecay: Double { get }
  var groups: [ParameterGroup] { get }
  var memory: ParameterMemory<Scalar> { get set }

  /// What is kept for each parameter, in the order of the kernel's slots.
  var slots: [ParameterMemory<Scalar>.Slot] { get }

  /// The kernel and its constants for a parameter's update number `update`, counted from one.
  func rule(update: Int, learningRate: Double, weightDecay: Double) -> apus_rule
}

extension ElementwiseOptimizer {
  public mutating func update(
    _ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) {
    walk(&model, gradient, rateFactor) { rule, entry, parameter, slope in
      let shape = parameter.shape
      parameter.withUnsafeMutableBuffer { buffer in
        rule.apply(shape, UnsafePointer(buffer.baseAddress), slope, &entry.slots, to: buffer.baseAddress)
      }
    }
  }

  public mutating func change(
    of model: some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) -> NamedTensors<Scalar> {
    var changes: [Tensor<Scalar>] = []
    var walked = model
    walk(&walked, gradient, rateFactor) { rule, entry, parameter, slope in
      var rule = rule
      rule.kept -= 1
      let shape = parameter.shape
      let change = parameter.withUnsafeBuffer { buffer in
        Tensor<Scalar>(uninitializedShape: shape) { result in
          rule.apply(shape, buffer.baseAddress, slope, &entry.slots, to: result.baseAddress)
        }
      }
      changes.append(change)
    }
    return NamedTensors(names: gradient.names, tensors: changes)
  }

  private mutating func walk(
    _ model: inout some Module<Scalar>, _ gradient: NamedTensors<Scalar>, _ rateFactor: Double,
    _ body: (
      _ rule: apus_rule, _ entry: inout ParameterMemory<Scalar>.Entry, _ parameter: inout Tensor<Scalar>,
      _ slope: Tensor<Scalar>
    ) -> Void
  ) {
    // Taken out for the walk: the rule reads the other properties meanwhile.
    var memory = ParameterMemory<Scalar>()
    swap(&memory, &self.memory)
    memory.walk(&model, along: gradient, slots: slots) { entry, parameter, slope in
      let setting = groups.setting(of: entry, learningRate: learningRate, weightDecay: weightDecay)
      let rule = rule(
        update: entry.updates, learningRate: setting.learningRate * rateFactor, weightDecay: setting.weightDecay)
      body(rule, &entry, &parameter, slope)
    }
    swap(&memory, &self.memory)
  }

  public var state: OptimizerState<Scalar> {
    get { memory.state }
    set { restoreOrTrap(newValue) }
  }

  public mutating func restore(_ state: OptimizerState<Scalar>) throws { try memory.restore(state, slots: slots) }
}

extension apus_rule {
  /// A rule that moves `parameter` to (1 - rate · decoupled) parameter - rate · direction.
  init(_ kind: apus_rule_kind, rate: Double, decay: Double = 0, decoupledDecay: Double = 0) {
    self.init()
    self.kind = kind
    self.rate = rate
    self.kept = 1 - rate * decoupledDecay
    self.decay = decay
  }

  /// Applies the rule to all elements of a parameter, on several threads where there are many.
  func apply<Scalar: RealScalar>(
    _ shape: [Int], _ parameter: UnsafePointer<Scalar>?, _ slope: Tensor<Scalar>, _ slots: inout [Tensor<Scalar>],
    to result: UnsafeMutablePointer<Scalar>?
  ) {
    guard let parameter, let result, slope.count > 0 else { return }
    // Once a tensor is dense and owned its memory stays where it is, for as long as nobody else touches the slots.
    var pointers: (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?, UnsafeMutableRawPointer?)
    if slots.count > 0 { pointers.0 = slots[0].withUnsafeMutableBuffer { UnsafeMutableRawPointer($0.baseAddress) } }
    if slots.count > 1 { pointers.1 = slots[1].withUnsafeMutableBuffer { UnsafeMutableRawPointer($0.baseAddress) } }
    if slots.count > 2 { pointers.2 = slots[2].withUnsafeMutableBuffer { UnsafeMutableRawPointer($0.baseAddress) } }
    withExtendedLifetime(slots) {
      slope.withUnsafeBuffer { slope in
        withUnsafeBytes(of: &pointers) { pointers in
          let slotPointers = pointers.assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
          withUnsafePointer(to: self) { rule in
            // About four microseconds of work.
            parallelRanges(slope.count, grain: 1 << 14) { range in
              apus_apply_rule(
                rule, MemoryLayout<Scalar>.size, parameter, slope.baseAddress!, slotPointers.baseAddress!, result,
                range.lowerBound, range.upperBound)
            }
          }
        }
      }
    }
  }
}
