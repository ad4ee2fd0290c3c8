import Networks
import Synchronization
public import Tensors

// Gathering statistics: taps on the linear layers tell what goes through them.

extension Calibration {
  /// The moments of the inputs of a network's linear layers, in one pass over the data.
  ///
  /// ```swift
  /// let calibration = try Calibration.activations(of: model, groups: model.linearGroups, on: data)
  /// let moments = calibration["model.layers.0.self_attn.q_proj"]?.activations
  /// ```
  /// - Parameters:
  ///   - groups: names of layers, those with one input together.
  ///   - reference: a network of the same structure that sees the same data; adds cross moments.
  /// - Throws: `InvalidArgument` for a layer that the model does not have or that no batch reached, and with the layer's
  ///   name for inputs that are not finite; `CancellationError`.
  /// - Complexity: one evaluation (two with a reference) and O(tokens n²) for each group.
  public static func activations<Model: Module<Float>>(
    of model: Model, groups: [[String]], on data: CalibrationData<Model>, reference: Model? = nil,
    progress: WorkProgress = .silent
  ) throws -> Calibration {
    let layers = Dictionary(uniqueKeysWithValues: model.linearLayers)
    for name in groups.joined() where layers[name] == nil { throw unknown(name, layers.keys) }
    let watched = Set(groups.compactMap(\.first))
    let moments = Mutex(
      Dictionary(uniqueKeysWithValues: watched.map { ($0, ActivationMoments(width: layers[$0]?.inputs ?? 0)) }))
    let references = Mutex([String: Tensor<Float>]())
    let failure = Mutex((any Error)?.none)
    for batch in 0..<data.count {
      try progress.report(batch, of: data.count)
      let places = data.counted?(batch).flattened.trueIndices
      let counted: @Sendable (Tensor<Float>) -> Tensor<Float> = { x in
        let x = x.withoutDerivative
        guard let places, let width = x.shape.last else { return x }
        return x.reshaped([-1, width]).gathered(places)
      }
      if let reference {
        let tapped = reference.tapped { name in
          guard watched.contains(name) else { return nil }
          return LinearTap(input: { x in references.withLock { $0[name] = x.withoutDerivative } })
        }
        try data.evaluate(tapped, batch)
      }
      let tapped = model.tapped { name in
        guard watched.contains(name) else { return nil }
        return LinearTap(input: { x in
          let other = references.withLock { $0.removeValue(forKey: name) }
          do {
            try moments.withLock { moments in
              try naming(name) { try moments[name]?.add(counted(x), reference: other.map(counted)) }
            }
          } catch { failure.withLock { $0 = $0 ?? error } }
        })
      }
      try data.evaluate(tapped, batch)
      if let error = failure.withLock({ $0 }) { throw error }
    }
    try progress.report(data.count, of: data.count)
    let result = moments.withLock { $0 }
    if let missed = groups.compactMap(\.first).first(where: { result[$0]?.tokens == 0 }) {
      throw InvalidArgument(missed, found: "no input in \(data.count) batches", wanted: "data that reaches this layer")
    }
    return Calibration(groups: groups, activations: result)
  }

  /// The squared gradients of a network's linear layers, by example.
  ///
  /// - Parameter layers: the names of the layers.
  /// - Throws: `InvalidArgument` when the data has no losses, for a layer that the model does not have, and with the
  ///   layer's name for gradients that are not finite; `CancellationError`.
  /// - Complexity: one evaluation and the way back without the gradients of the weights, and O(tokens · outputs · inputs)
  ///   for each layer. The gradients of a batch are never held.
  public static func fisher<Model: Module<Float>>(
    of model: Model, layers names: [String], on data: CalibrationData<Model>, progress: WorkProgress = .silent
  ) throws -> Calibration {
    guard let losses = data.losses else {
      throw InvalidArgument("data", found: "no losses", wanted: "data with a loss for each example")
    }
    let layers = Dictionary(uniqueKeysWithValues: model.linearLayers)
    for name in names where layers[name] == nil { throw unknown(name, layers.keys) }
    let watched = Set(names)
    let moments = Mutex(
      Dictionary(uniqueKeysWithValues: watched.map { ($0, FisherMoments(shape: layers[$0]?.form.shape ?? [0, 0])) }))
    let failure = Mutex((any Error)?.none)
    for batch in 0..<data.count {
      try progress.report(batch, of: data.count)
      // A zero that every watched output depends on: the way back then passes through all of them, and weights stay
      // constants, whose gradients nobody forms.
      _ = try valueAndGradients(at: [Tensor<Float>(0)]) { zero in
        let inputs = Mutex([String: Tensor<Float>]())
        let tapped = model.tapped { name in
          guard watched.contains(name) else { return nil }
          return LinearTap(
            input: { x in inputs.withLock { $0[name] = x.withoutDerivative } },
            output: { y in
              let x = inputs.withLock { $0.removeValue(forKey: name) }
              return customDerivatives(at: [y, zero[0]]) { arguments in
                (
                  [arguments[0]],
                  { cotangents, wanted in
                    guard let g = cotangents[0] else { return [nil, nil] }
                    do {
                      try moments.withLock { moments in
                        try naming(name) { try moments[name]?.add(inputs: x ?? g, outputGradients: g) }
                      }
                    } catch { failure.withLock { $0 = $0 ?? error } }
                    return [wanted[0] ? g : nil, wanted[1] ? Tensor<Float>(0) : nil]
                  }
                )
              }[0]
            })
        }
        return try losses(tapped, batch).sum()
      }
      if let error = failure.withLock({ $0 }) { throw error }
    }
    try progress.report(data.count, of: data.count)
    return Calibration(fisher: moments.withLock { $0 })
  }

  private static func unknown(_ name: String, _ known: some Collection<String>) -> InvalidArgument {
    let some = known.sorted().prefix(3).map { "'\($0)'" }.joined(separator: ", ")
    return InvalidArgument("layers", found: "'\(name)', which is no linear layer", wanted: "names such as \(some)")
  }
}
