import Networks
import Synchronization
import Tensors

/// What a sweep knows of a group's inputs when it comes to it.
struct SweepMoments {
  /// Nothing where the method does not look at inputs.
  var moments: ActivationMoments?
  /// Of batches that nothing is fitted to.
  var heldOut: ActivationMoments?
}

/// A network on its way from the original to the compressed one, and the data that goes through both.
struct Sweep<Model: SequentialLinearGroups<Float>> {
  private(set) var current: Model
  private let original: Model
  private let mode: SAESSVD.Mode
  private let data: CalibrationData<Model>?
  /// Inputs of the original network by batch and group; nothing when they would not fit.
  private var references: [[String: Tensor<Float>]]?

  init(
    model: Model, groups: [[String]], data: CalibrationData<Model>?, mode: SAESSVD.Mode, memory: Int
  ) throws {
    (current, original, self.mode, self.data) = (model, model, mode, data)
    guard mode != .plain, mode != .whitened else { return }
    guard let data, data.count > 0 else {
      throw InvalidArgument("data", found: "none", wanted: "data to evaluate the network on while it is compressed")
    }
    guard mode != .whitenedSequential else { return }
    var kept: [[String: Tensor<Float>]] = []
    var bytes = 0
    for batch in 0..<data.count {
      let inputs = try inputs(of: model, groups.map { $0[0] }, batch)
      bytes += inputs.values.reduce(0) { $0 + $1.count * MemoryLayout<Float>.size }
      if bytes > memory { return }
      kept.append(inputs)
    }
    references = kept
  }

  mutating func install(_ forms: [(name: String, form: LinearForm<Float>?)]) { current = current.installing(forms) }

  /// The moments of a group's inputs in the network as it is now.
  func fit(_ name: String, original moments: ActivationMoments?) throws -> SweepMoments {
    switch mode {
    case .plain: return SweepMoments()
    case .whitened: return SweepMoments(moments: moments)
    default: break
    }
    guard let data, let width = moments?.width else { return SweepMoments() }
    var fitted = ActivationMoments(width: width)
    var heldOut = ActivationMoments(width: width)
    let isHoldingOut = mode == .heldOut
    if isHoldingOut, data.count < 2 {
      throw InvalidArgument("data", found: "one batch", wanted: "at least two, to hold one out")
    }
    let kept = isHoldingOut ? data.count - max(1, data.count / 4) : data.count
    let (compressed, untouched) = (beginning(of: current, before: name), beginning(of: original, before: name))
    for batch in 0..<data.count {
      let input = try inputs(of: compressed, [name], batch)[name]
      guard let input else { throw InvalidArgument("data", found: "no input", wanted: "data that reaches this layer") }
      var reference: Tensor<Float>?
      if mode != .whitenedSequential {
        reference = try references.map { $0[batch][name] } ?? inputs(of: untouched, [name], batch)[name]
      }
      if batch < kept {
        try fitted.add(input, reference: reference)
      } else {
        try heldOut.add(input, reference: reference)
      }
    }
    return SweepMoments(moments: fitted, heldOut: isHoldingOut ? heldOut : nil)
  }

  /// The same network with layers that cost nothing from the group of `name` on: what goes into that group is the same.
  private func beginning(of model: Model, before name: String) -> Model {
    let skipped = Set(model.linearGroups.drop { !$0.contains(name) }.joined())
    var result = model
    result.forEachLinear { name, layer in
      guard skipped.contains(name) else { return }
      let shape = layer.form.shape
      layer.form = .lowRank(left: .zeros([shape[0], 1]), right: .zeros([1, shape[1]]))
    }
    return result
  }

  /// What goes into the named layers, token by token, without those that do not count.
  private func inputs(of model: Model, _ names: [String], _ batch: Int) throws -> [String: Tensor<Float>] {
    guard let data else { return [:] }
    let found = Mutex([String: Tensor<Float>]())
    let watched = Set(names)
    let tapped = model.tapped { name in
      guard watched.contains(name) else { return nil }
      return LinearTap(input: { x in found.withLock { $0[name] = x.withoutDerivative } })
    }
    try data.evaluate(tapped, batch)
    let inputs = found.withLock { $0 }
    guard let places = data.counted?(batch).flattened.trueIndices else { return inputs }
    return inputs.mapValues { x in x.reshaped([-1, x.shape.last ?? 1]).gathered(places) }
  }
}
