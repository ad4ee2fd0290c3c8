// What an optimizer remembers of each parameter, and the walk on which it uses it.

public import Networks
public import Tensors

/// The memory of an optimizer: some tensors of the parameter's shape, its slots, for each parameter met so far.
///
/// Parameters are found by name, those of a step in one walk over the model and this memory together. A parameter that
/// starts to be trained later starts then: with fresh slots and its own count of updates.
public struct ParameterMemory<Scalar: RealScalar>: Sendable {
  /// A tensor that is kept for each parameter.
  public struct Slot: Sendable, Hashable {
    public var name: String
    /// What its elements are before the first update.
    public var initialValue: Double

    public init(_ name: String, initialValue: Double = 0) {
      self.name = name
      self.initialValue = initialValue
    }
  }

  /// What is kept for one parameter.
  public struct Entry: Sendable {
    public let name: String
    public let shape: [Int]
    /// Updates of this parameter, the one at hand included.
    public internal(set) var updates: Int
    /// In the order of the slots that the walk asked for.
    public var slots: [Tensor<Scalar>]
  }

  /// Steps taken.
  public private(set) var step = 0
  private var slots: [Slot] = []
  private var entries: [Entry] = []

  public init() {}

  /// Takes a step: calls `body` for each parameter that `gradient` has an entry for, with what is kept for it.
  public mutating func walk(
    _ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, slots wanted: [Slot],
    _ body: (_ entry: inout Entry, _ parameter: inout Tensor<Scalar>, _ slope: Tensor<Scalar>) -> Void
  ) {
    if slots != wanted { adopt(wanted) }
    step += 1
    var next = 0
    model.forEachParameter(in: gradient) { name, parameter, slope in
      let index = place(of: name, shape: parameter.shape, expectedAt: next)
      next = index + 1
      entries[index].updates += 1
      body(&entries[index], &parameter, slope)
    }
  }

  /// Where a parameter's entry is, or now is. Entries are in the order of the walk, so it is nearly always where it is
  /// expected.
  private mutating func place(of name: String, shape: [Int], expectedAt expected: Int) -> Int {
    if expected < entries.count, entries[expected].name == name { return checked(expected, shape) }
    if let index = entries.firstIndex(where: { $0.name == name }) { return checked(index, shape) }
    let fresh = slots.map { Tensor(repeating: Scalar($0.initialValue), shape: shape) }
    entries.insert(Entry(name: name, shape: shape, updates: 0, slots: fresh), at: expected)
    return expected
  }

  private func checked(_ index: Int, _ shape: [Int]) -> Int {
    precondition(
      entries[index].shape == shape,
      "parameter \(entries[index].name) has shape \(shape), but the optimizer's state is for \(entries[index].shape)")
    return index
  }

  /// Other slots, after a hyper-parameter was changed: those that stay keep their tensors.
  private mutating func adopt(_ wanted: [Slot]) {
    for i in entries.indices {
      let old = Dictionary(zip(slots.map(\.name), entries[i].slots)) { first, _ in first }
      let shape = entries[i].shape
      entries[i].slots = wanted.map { old[$0.name] ?? Tensor(repeating: Scalar($0.initialValue), shape: shape) }
    }
    slots = wanted
  }

  // MARK: State

  /// The count of updates of a parameter that was not part of every step.
  private static var updatesName: String { "updates" }

  /// What is kept, as tensors named `slot/parameter`.
  public var state: OptimizerState<Scalar> {
    var tensors = NamedTensors<Scalar>()
    for entry in entries where !slots.isEmpty {
      for (slot, tensor) in zip(slots, entry.slots) { tensors.append("\(slot.name)/\(entry.name)", tensor) }
      if entry.updates != step { tensors.append("\(Self.updatesName)/\(entry.name)", Tensor(Scalar(entry.updates))) }
    }
    return OptimizerState(step: step, tensors: tensors)
  }

  /// Takes over a state with these slots.
  ///
  /// - Throws: `InvalidArgument` when a slot is missing, unknown or of another shape; nothing is changed then.
  public mutating func restore(_ state: OptimizerState<Scalar>, slots wanted: [Slot]) throws {
    guard state.step >= 0 else {
      throw InvalidArgument("step", found: "\(state.step)", wanted: "the number of steps taken")
    }
    var restored: [Entry] = []
    var places: [String: Int] = [:]
    var found: [Set<String>] = []
    for (name, tensor) in zip(state.tensors.names, state.tensors.tensors) {
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      let slot = wanted.firstIndex { $0.name == parts.first }
      let isCount = parts.first == Self.updatesName
      guard parts.count == 2, slot != nil || isCount, !isCount || tensor.count == 1 else {
        throw InvalidArgument(
          "optimizer state", found: "\(name) of shape \(tensor.shape)",
          wanted: "tensors of \(wanted.isEmpty ? "no slots" : wanted.map(\.name).joined(separator: ", "))")
      }
      if isCount {
        guard let count = Int(exactly: tensor.reshaped([]).scalar), (0...1 << 48).contains(count) else {
          throw InvalidArgument(
            "optimizer state", found: "\(name) of \(tensor.scalars)", wanted: "a number of updates")
        }
        if let place = places[parts[1]] { restored[place].updates = count }
        continue
      }
      let place = places[parts[1], default: restored.count]
      if place == restored.count {
        places[parts[1]] = place
        let empty = [Tensor<Scalar>](repeating: tensor, count: wanted.count)
        restored.append(Entry(name: parts[1], shape: tensor.shape, updates: state.step, slots: empty))
        found.append([])
      }
      guard restored[place].shape == tensor.shape else {
        throw InvalidArgument(
          "optimizer state", found: "\(name) of shape \(tensor.shape)", wanted: "shape \(restored[place].shape)")
      }
      restored[place].slots[slot ?? 0] = tensor
      found[place].insert(parts[0])
    }
    for (entry, found) in zip(restored, found) where found.count < wanted.count {
      let missing = wanted.map(\.name).filter { !found.contains($0) }.joined(separator: ", ")
      throw InvalidArgument("optimizer state", found: "no \(missing) of \(entry.name)", wanted: "every slot of it")
    }
    step = state.step
    slots = wanted
    entries = restored
  }
}
