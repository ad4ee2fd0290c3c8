import CVectorKernels
public import LinearAlgebra
public import Networks
public import Tensors

/// Momentum whose direction is made orthogonal, for the matrices between hidden layers; AdamW for everything else.
///
/// With μ the momentum and G the gradient of a matrix:
///
///     B ← μ B + (1 - μ) G        D = nesterov ? μ B + (1 - μ) G : B
///     parameter ← (1 - rate · weightDecay) parameter - rate · scale · orthogonalized(D)
///
/// Weights with more than two axes, where ``isHidden`` admits them, count as matrices [first, rest].
/// - Complexity: six multiply-adds of an m × n matrix with a square one of min(m, n), for each of the five iterations.
/// - Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; the scaling also Liu et
///   al., "Muon is scalable for LLM training", 2025, equation 4.
public struct Muon<Scalar: RealScalar>: Optimizer {
  /// How long a step is for a matrix of some shape [rows, columns].
  public enum Scaling: String, Sendable, Codable, Hashable {
    /// √max(1, rows / columns): equal growth of outputs whatever the shape (Jordan et al.).
    case spectral
    /// 0.2 √max(rows, columns): the size of AdamW's steps, whose learning rate and decay then fit too (Liu et al.).
    case matchingAdam
    /// One.
    case none

    public func callAsFunction(rows: Int, columns: Int) -> Double {
      switch self {
      case .spectral: max(1, Double(rows) / Double(max(columns, 1))).squareRoot()
      case .matchingAdam: 0.2 * Double(max(rows, columns)).squareRoot()
      case .none: 1
      }
    }
  }

  public var learningRate: Double
  /// How much of the mean of gradients is kept in a step.
  public var momentum: Double
  /// Whether to look ahead by one step of momentum.
  public var nesterov: Bool
  /// Times the learning rate: the part of a parameter that each step takes away.
  public var weightDecay: Double
  public var scaling: Scaling
  /// How a direction is made orthogonal.
  ///
  /// By default the products of f32 matrices are taken in bfloat16 where the processor has it, as in the original and in
  /// `torch.optim.Muon`; `orthogonalization.precision = .full` gives the same steps on every processor.
  public var orthogonalization: NewtonSchulz
  /// For the matrices alone; `rest` has its own.
  public var groups: [ParameterGroup]
  /// Which parameters are matrices between hidden layers.
  public var isHidden: @Sendable (_ name: String, _ shape: [Int]) -> Bool
  /// For all other parameters.
  public var rest: AdamW<Scalar>
  private var memory = ParameterMemory<Scalar>()

  public init(
    learningRate: Double = 0.02, momentum: Double = 0.95, nesterov: Bool = true, weightDecay: Double = 0,
    scaling: Scaling = .spectral, orthogonalization: NewtonSchulz = .muon, groups: [ParameterGroup] = [],
    rest: AdamW<Scalar> = AdamW(learningRate: 3e-4, secondDecay: 0.95, stability: 1e-10, weightDecay: 0),
    isHidden: @escaping @Sendable (_ name: String, _ shape: [Int]) -> Bool = Muon.isHiddenMatrix
  ) {
    self.learningRate = learningRate
    self.momentum = momentum
    self.nesterov = nesterov
    self.weightDecay = weightDecay
    self.scaling = scaling
    self.orthogonalization = orthogonalization
    self.groups = groups
    self.rest = rest
    self.isHidden = isHidden
  }

  /// Two axes, and a name that is not one of an embedding's or of a head's; torchvision's `fc` counts as a head. Where
  /// names do not tell, as in an `MLP` whose last layer is the next number, say it in ``isHidden``.
  @Sendable public static func isHiddenMatrix(_ name: String, _ shape: [Int]) -> Bool {
    guard shape.count == 2 else { return false }
    let name = name.lowercased()
    return !outerNames.contains { $0.matches(name) }
  }

  public mutating func update(
    _ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) {
    let (hidden, others) = parts(of: gradient)
    walk(&model, hidden, rateFactor) { rule, direction, parameter in
      let shape = parameter.shape
      var none: [Tensor<Scalar>] = []
      parameter.withUnsafeMutableBuffer { buffer in
        rule.apply(shape, UnsafePointer(buffer.baseAddress), direction, &none, to: buffer.baseAddress)
      }
    }
    rest.update(&model, along: others, rateFactor: rateFactor)
  }

  public mutating func change(
    of model: some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) -> NamedTensors<Scalar> {
    let (hidden, others) = parts(of: gradient)
    var changes: [String: Tensor<Scalar>] = [:]
    var walked = model
    var names = hidden.names[...]
    walk(&walked, hidden, rateFactor) { rule, direction, parameter in
      changes[names.removeFirst()] = parameter * Scalar(rule.kept - 1) - direction * Scalar(rule.rate)
    }
    let restChanges = rest.change(of: model, along: others, rateFactor: rateFactor)
    for (name, change) in zip(restChanges.names, restChanges.tensors) { changes[name] = change }
    return NamedTensors(names: gradient.names, tensors: gradient.names.compactMap { changes[$0] })
  }

  /// The gradients of the hidden matrices, and the others.
  private func parts(of gradient: NamedTensors<Scalar>) -> (hidden: NamedTensors<Scalar>, others: NamedTensors<Scalar>)
  {
    var hidden = NamedTensors<Scalar>()
    var others = NamedTensors<Scalar>()
    for (name, tensor) in zip(gradient.names, gradient.tensors) {
      if isHidden(name, tensor.shape) && tensor.rank >= 2 {
        hidden.append(name, tensor)
      } else {
        others.append(name, tensor)
      }
    }
    return (hidden, others)
  }

  /// Calls `body` with the orthogonal direction of each matrix and the rule that applies it.
  private mutating func walk(
    _ model: inout some Module<Scalar>, _ gradient: NamedTensors<Scalar>, _ rateFactor: Double,
    _ body: (_ rule: apus_rule, _ direction: Tensor<Scalar>, _ parameter: inout Tensor<Scalar>) -> Void
  ) {
    var memory = ParameterMemory<Scalar>()
    swap(&memory, &self.memory)
    memory.walk(&model, along: gradient, slots: Self.slots) { entry, parameter, slope in
      let rows = entry.shape[0]
      let columns = entry.shape.dropFirst().reduce(1, *)
      let mixed = momentumDirection(&entry, slope).reshaped([rows, columns])
      let direction = orthogonalization.orthogonalize(mixed).reshaped(entry.shape)
      let setting = groups.setting(of: entry, learningRate: learningRate, weightDecay: weightDecay)
      let rate = setting.learningRate * rateFactor
      var rule = apus_rule(APUS_RULE_DESCENT, rate: rate, decoupledDecay: setting.weightDecay)
      rule.rate *= scaling(rows: rows, columns: columns)
      body(rule, direction, &parameter)
    }
    swap(&memory, &self.memory)
  }

  private func momentumDirection(
    _ entry: inout ParameterMemory<Scalar>.Entry, _ slope: Tensor<Scalar>
  ) -> Tensor<Scalar> {
    var rule = apus_rule(APUS_RULE_MOMENTUM, rate: -1)
    rule.kept = 0
    rule.first_decay = momentum
    rule.first_share = 1 - momentum
    rule.mixture = nesterov ? 1 - momentum : 0
    rule.first_correction = nesterov ? momentum : 1
    let shape = entry.shape
    return Tensor(uninitializedShape: shape) { result in
      slope.withUnsafeBuffer { rule.apply(shape, $0.baseAddress, slope, &entry.slots, to: result.baseAddress) }
    }
  }

  // MARK: State

  private static var slots: [ParameterMemory<Scalar>.Slot] { [.init("orthogonalMomentum")] }

  public var state: OptimizerState<Scalar> {
    get {
      var result = memory.state
      let others = rest.state.tensors
      for (name, tensor) in zip(others.names, others.tensors) { result.tensors.append("rest.\(name)", tensor) }
      return result
    }
    set { restoreOrTrap(newValue) }
  }

  public mutating func restore(_ state: OptimizerState<Scalar>) throws {
    var own = OptimizerState<Scalar>(step: state.step)
    var others = OptimizerState<Scalar>(step: state.step)
    for (name, tensor) in zip(state.tensors.names, state.tensors.tensors) {
      if name.hasPrefix("rest.") {
        others.tensors.append(String(name.dropFirst("rest.".count)), tensor)
      } else {
        own.tensors.append(name, tensor)
      }
    }
    var restored = memory
    try restored.restore(own, slots: Self.slots)
    try rest.restore(others)
    memory = restored
  }
}

/// Embeddings and heads, as they are usually called.
private let outerNames = [
  "*embed*", "*head*", "*classifier*", "wte*", "*.wte*", "wpe*", "*.wpe*", "fc.*", "*.fc.*",
].map(NamePattern.init)
