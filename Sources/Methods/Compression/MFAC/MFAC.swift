public import LinearAlgebra
public import Networks
public import Optimizers
import Tensors

/// Descent along the gradient times the inverse of the damped empirical Fisher matrix of the last gradients.
///
/// With g the gradient plus weight decay times the parameters, taken into the window before it is used:
///
///     u = F⁻¹ g,   v ← momentum · v + (1 - momentum) · u,   parameter ← parameter - rate · v
///
/// All trained parameters are one vector. A gradient with numbers that are not finite is not taken into the window and
/// changes no parameter.
///
/// ```swift
/// var optimizer = MFAC<Float>(learningRate: 1e-2, momentum: 0.9, window: 32)
/// optimizer.update(&model, along: gradient)
/// ```
/// - Complexity: memory for `window` gradients; two passes over them and O(window³) a step.
/// - Source: Frantar, Kurtic and Alistarh, NeurIPS 2021, arXiv 2107.03356, section 4.
public struct MFAC<Scalar: LinearScalar>: Optimizer {
  public var learningRate: Double
  /// Share of the last direction that is kept.
  public var momentum: Double
  /// Added to the gradient, times the parameter.
  public var weightDecay: Double
  /// Whether parameters that are exactly zero at the first step stay so, and have no part in the Fisher matrix.
  public let keepsZeros: Bool
  /// Gradients in the window (m).
  public let window: Int
  /// λ.
  public let damping: Double
  /// Steps that were left out because the gradient was not finite.
  public private(set) var rejectedSteps = 0
  private var inverse: SlidingInverseFisher<Scalar>?
  private var velocity: Tensor<Scalar>?
  /// One for parameters that may move, zero for the others; nil where all may.
  private var support: Tensor<Scalar>?

  public init(
    learningRate: Double = 1e-3, momentum: Double = 0, weightDecay: Double = 0, window: Int = 1_024,
    damping: Double = 1e-5, keepsZeros: Bool = false
  ) {
    precondition(window >= 1, "a window holds at least one gradient, not \(window)")
    precondition(damping > 0, "the damping is positive, not \(damping)")
    self.learningRate = learningRate
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.window = window
    self.damping = damping
    self.keepsZeros = keepsZeros
  }

  public mutating func update(
    _ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) {
    let layout = ParameterLayout(gradient)
    var slope = layout.flat(gradient)
    let needsParameters = weightDecay != 0 || (keepsZeros && support == nil)
    if needsParameters {
      let parameters = layout.flat(of: model)
      if keepsZeros, support == nil { support = Tensor<Scalar>(parameters .!= 0) }
      if weightDecay != 0 { slope += parameters * Scalar(weightDecay) }
    }
    guard let direction = direction(along: slope) else { return }
    layout.add(direction * Scalar(-learningRate * rateFactor), to: &model)
  }

  /// v after this step, or nil when the gradient was rejected.
  private mutating func direction(along slope: Tensor<Scalar>) -> Tensor<Scalar>? {
    let places = support.map { ($0 .!= 0).trueIndices }
    let own = places.map { slope.gathered($0) } ?? slope
    guard own.count > 0 else { return nil }
    var mixed: Tensor<Scalar>
    do {
      if inverse == nil { inverse = try SlidingInverseFisher(window: window, dimension: own.count, damping: damping) }
      guard let product = try inverse?.pushAndApply(own) else { return nil }
      mixed = product
    } catch {
      rejectedSteps += 1
      return nil
    }
    if momentum != 0 {
      mixed *= Scalar(1 - momentum)
      if let velocity { mixed += velocity * Scalar(momentum) }
      velocity = mixed
    }
    guard let places else { return mixed }
    return Tensor.zeros(slope.shape).scatterAdded(mixed, at: places)
  }

  // MARK: State

  public var state: OptimizerState<Scalar> {
    get {
      var tensors = NamedTensors<Scalar>()
      if let inverse { tensors.append("window/all", inverse.gradients) }
      if let velocity { tensors.append("momentum/all", velocity) }
      if let support { tensors.append("support/all", support) }
      return OptimizerState(step: inverse?.pushCount ?? 0, tensors: tensors)
    }
    set {
      do { try restore(newValue) } catch { preconditionFailure("\(error)") }
    }
  }

  public mutating func restore(_ state: OptimizerState<Scalar>) throws {
    let known = ["window/all", "momentum/all", "support/all"]
    for name in state.tensors.names where !known.contains(name) {
      throw InvalidArgument("optimizer state", found: name, wanted: known.joined(separator: ", "))
    }
    let gradients = state.tensors["window/all"]
    guard (gradients == nil) == (state.step == 0), gradients?.rank ?? 2 == 2 else {
      throw InvalidArgument(
        "optimizer state", found: "window/all of shape \(gradients?.shape ?? []) after \(state.step) steps",
        wanted: "one gradient a row")
    }
    let velocity = state.tensors["momentum/all"]
    let support = state.tensors["support/all"]
    if let gradients {
      for (name, tensor) in [("momentum/all", velocity), ("support/all", support)] {
        guard let tensor else { continue }
        let count = name == "support/all" ? (tensor .!= 0).trueCount : tensor.count
        guard tensor.rank == 1, count == gradients.columns else {
          throw InvalidArgument(
            "optimizer state", found: "\(name) of shape \(tensor.shape)",
            wanted: "\(gradients.columns) numbers beside the gradients")
        }
      }
    }
    inverse = try gradients.map {
      try SlidingInverseFisher(window: window, damping: damping, gradients: $0, pushCount: state.step)
    }
    self.velocity = velocity
    self.support = support
  }
}
