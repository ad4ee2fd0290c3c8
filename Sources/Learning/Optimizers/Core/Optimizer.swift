// What an optimizer is: a value with hyper-parameters and a memory, and one verb that moves the parameters of a module.

public import Networks
public import Tensors

/// A rule that moves parameters along a gradient; a value with its own memory.
///
/// ```swift
/// var optimizer = AdamW<Float>(learningRate: 1e-3)
/// let (loss, gradient) = model.valueAndGradient { squaredError($0(x), y) }
/// optimizer.update(&model, along: gradient)
/// ```
public protocol Optimizer<Scalar>: Sendable {
  associatedtype Scalar: RealScalar

  /// One step: changes the parameters in place.
  ///
  /// - Parameters:
  ///   - gradient: of the trainable parameters: all of the model's or some of them, in the order of its `visit`. A name
  ///     out of order or a shape that differs traps.
  ///   - rateFactor: what the learning rates are multiplied with in this step; see ``Schedule``.
  mutating func update(_ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double)

  /// One step that changes the optimizer alone: what `update` would add to each parameter, under the gradient's names.
  ///
  /// For what scales, projects or mixes the steps of other optimizers.
  mutating func change(
    of model: some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) -> NamedTensors<Scalar>

  /// Everything beside the hyper-parameters that is needed to go on exactly as before. Setting a state that does not fit
  /// traps; `restore` throws instead.
  var state: OptimizerState<Scalar> { get set }

  /// Goes on from a saved state; the hyper-parameters stay those of this optimizer.
  ///
  /// - Throws: `InvalidArgument` naming the tensor that is missing, unknown or of another shape than its companions.
  mutating func restore(_ state: OptimizerState<Scalar>) throws
}

/// What an optimizer has accumulated.
public struct OptimizerState<Scalar: RealScalar>: Sendable {
  /// Steps taken.
  public var step: Int
  /// Named `slot/parameter`, such as `momentum/layers.0.weight`.
  public var tensors: NamedTensors<Scalar>

  public init(step: Int = 0, tensors: NamedTensors<Scalar> = NamedTensors()) {
    self.step = step
    self.tensors = tensors
  }
}

extension Optimizer {
  /// One step at the optimizer's own learning rate.
  public mutating func update(_ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>) {
    update(&model, along: gradient, rateFactor: 1)
  }

  /// One step on plain tensors, which are called "0", "1", ... in the optimizer's groups and state.
  public mutating func update(
    tensors: inout [Tensor<Scalar>], along gradient: [Tensor<Scalar>], rateFactor: Double = 1
  ) {
    precondition(tensors.count == gradient.count, "\(gradient.count) gradients for \(tensors.count) tensors")
    var list = TensorList<Scalar>()
    // Moved there and back, so that nothing is shared and all stays in place.
    swap(&list.tensors, &tensors)
    let names = list.tensors.indices.map { "\($0)" }
    update(&list, along: NamedTensors(names: names, tensors: gradient), rateFactor: rateFactor)
    swap(&list.tensors, &tensors)
  }

  /// What `update` would add at the optimizer's own learning rate.
  public mutating func change(
    of model: some Module<Scalar>, along gradient: NamedTensors<Scalar>
  ) -> NamedTensors<Scalar> {
    change(of: model, along: gradient, rateFactor: 1)
  }

  /// The difference that an update makes to a copy of the model.
  public mutating func change(
    of model: some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) -> NamedTensors<Scalar> {
    var before: [Tensor<Scalar>] = []
    var after: [Tensor<Scalar>] = []
    var moved = model
    moved.forEachParameter(in: gradient) { _, parameter, _ in before.append(parameter) }
    update(&moved, along: gradient, rateFactor: rateFactor)
    moved.forEachParameter(in: gradient) { _, parameter, _ in after.append(parameter) }
    return NamedTensors(names: gradient.names, tensors: zip(after, before).map { $0 - $1 })
  }
}

extension Optimizer {
  /// For the setters of `state`.
  mutating func restoreOrTrap(_ state: OptimizerState<Scalar>) {
    do {
      try restore(state)
    } catch {
      preconditionFailure("\(error)")
    }
  }
}

extension Module {
  /// Calls `body` with the parameters that `gradient` has an entry for, in place, and that entry.
  mutating func forEachParameter(
    in gradient: NamedTensors<Scalar>,
    _ body: (_ name: String, _ parameter: inout Tensor<Scalar>, _ slope: Tensor<Scalar>) -> Void
  ) {
    var position = 0
    forEachParameter { name, parameter in
      guard position < gradient.count, gradient.names[position] == name else { return }
      let slope = gradient.tensors[position]
      precondition(
        slope.shape == parameter.shape,
        "parameter \(name) has shape \(parameter.shape), but its gradient \(slope.shape)")
      position += 1
      body(name, &parameter, slope)
    }
    precondition(
      position == gradient.count,
      "\(position < gradient.count ? gradient.names[position] : "") is not a parameter of the model, or is out of order"
    )
  }
}

/// Tensors as a module.
private struct TensorList<Scalar: RealScalar>: Module {
  var tensors: [Tensor<Scalar>] = []

  mutating func visit(_ visitor: Visitor<Scalar>) {
    for i in tensors.indices { visitor.parameter("\(i)", &tensors[i]) }
  }
}
