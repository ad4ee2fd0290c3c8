public import Networks
public import Tensors

/// Quasi-Newton steps from the last few changes of parameters and gradient, for losses that are no random sample.
///
/// ```swift
/// var optimizer = LBFGS<Double>()
/// let result = try optimizer.minimize(&model) { model in model.valueAndGradient { squaredError($0(x), y) } }
/// ```
///
/// As an ``Optimizer``, without a line search, one update is one step of fixed length.
/// - Complexity: 4 · historyCount multiply-adds a parameter in a step, and memory for 2 · historyCount + 2 vectors.
/// - Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Mathematical Programming
///   45, 1989; Nocedal and Wright, "Numerical optimization", algorithm 7.4.
public struct LBFGS<Scalar: RealScalar>: Optimizer {
  /// The step that a line search tries first, and the length of steps without one.
  public var learningRate: Double
  /// Pairs of changes that are remembered.
  public var historyCount: Int
  /// Nil for steps of fixed length.
  public var lineSearch: StrongWolfe?
  /// Ends a minimization: the largest element of the gradient is not above this.
  public var gradientTolerance: Double
  /// Ends a minimization: neither the largest change of a parameter nor that of the value is above this.
  public var changeTolerance: Double

  /// Changes of the parameters (s) and of the gradient (y), the oldest first.
  private var changes: [(parameters: Tensor<Scalar>, gradient: Tensor<Scalar>)] = []
  private var previousGradient: Tensor<Scalar>?
  private var lastChange: Tensor<Scalar>?
  private var step = 0

  public init(
    learningRate: Double = 1, historyCount: Int = 10, lineSearch: StrongWolfe? = StrongWolfe(),
    gradientTolerance: Double = 1e-7, changeTolerance: Double = 1e-9
  ) {
    precondition(historyCount >= 1, "a history holds at least one change, not \(historyCount)")
    self.learningRate = learningRate
    self.historyCount = historyCount
    self.lineSearch = lineSearch
    self.gradientTolerance = gradientTolerance
    self.changeTolerance = changeTolerance
  }

  /// How a minimization went.
  public struct Minimization: Sendable, Hashable {
    /// The value at the end.
    public var value: Double
    /// Evaluations of value and gradient.
    public var evaluations: Int
    /// Its residual is the largest element of the gradient, its tolerance the optimizer's.
    public var convergence: Convergence
  }

  /// Takes steps until the gradient or all changes are small, or a limit is reached.
  ///
  /// Minimizations one after the other on one model go on where the last one ended.
  /// - Parameters:
  ///   - iterationLimit: steps at most.
  ///   - evaluationLimit: evaluations at most, but for the last line search's first two; by default 5/4 iterations.
  ///   - valueAndGradient: must give the same result for the same model. Gradients of some parameters leave the others.
  /// - Throws: what `valueAndGradient` throws, or `CancellationError`; the model is then where its last step led.
  public mutating func minimize<M: Module<Scalar>>(
    _ model: inout M, iterationLimit: Int = 20, evaluationLimit: Int? = nil, progress: WorkProgress = .silent,
    _ valueAndGradient: (M) throws -> (value: Tensor<Scalar>, gradient: NamedTensors<Scalar>)
  ) throws -> Minimization {
    let evaluationLimit = evaluationLimit ?? iterationLimit * 5 / 4
    var convergence = Convergence(tolerance: gradientTolerance)
    let start = try valueAndGradient(model)
    let layout = start.gradient
    var value = Double(start.value.scalar)
    var gradient = Self.flat(layout)
    var evaluations = 1
    var isWanted = convergence.continues(residual: gradient.largest)
    for iteration in 0..<iterationLimit where isWanted {
      try progress.report(iteration, of: iterationLimit)
      let previousValue = value
      let (direction, firstStep) = nextDirection(gradient, rateFactor: 1)
      let slope = Double(gradient.dot(direction).scalar)
      guard slope <= -changeTolerance else { break }
      var length = firstStep
      if let lineSearch {
        let before = model
        let end = try lineSearch.search(
          from: StrongWolfe.Point(step: 0, value: value, slope: slope, gradient: gradient), firstStep: firstStep,
          limit: evaluationLimit - evaluations, shortest: changeTolerance / direction.largest
        ) { step in
          evaluations += 1
          var moved = before
          moved.add(direction, times: step, layout: layout)
          let (value, slopes) = try valueAndGradient(moved)
          let gradient = Self.flat(slopes)
          return StrongWolfe.Point(
            step: step, value: Double(value.scalar), slope: Double(gradient.dot(direction).scalar), gradient: gradient)
        }
        (length, value, gradient) = (end.step, end.value, end.gradient)
        model.add(direction, times: length, layout: layout)
      } else {
        model.add(direction, times: length, layout: layout)
        let (newValue, slopes) = try valueAndGradient(model)
        (value, gradient) = (Double(newValue.scalar), Self.flat(slopes))
        evaluations += 1
      }
      let change = direction * Scalar(length)
      lastChange = change
      isWanted =
        convergence.continues(residual: gradient.largest) && evaluations < evaluationLimit
        && change.largest > changeTolerance && abs(value - previousValue) >= changeTolerance
    }
    try progress.report(iterationLimit, of: iterationLimit)
    return Minimization(value: value, evaluations: evaluations, convergence: convergence)
  }

  public mutating func update(
    _ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) {
    let (direction, length) = nextDirection(Self.flat(gradient), rateFactor: rateFactor)
    lastChange = direction * Scalar(length)
    model.add(direction, times: length, layout: gradient)
  }

  public mutating func change(
    of model: some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) -> NamedTensors<Scalar> {
    let (direction, length) = nextDirection(Self.flat(gradient), rateFactor: rateFactor)
    let change = direction * Scalar(length)
    lastChange = change
    return NamedTensors(names: gradient.names, tensors: change.parts(like: gradient.tensors))
  }

  // MARK: Direction

  /// The direction from a new gradient, and the first length to try.
  private mutating func nextDirection(
    _ gradient: Tensor<Scalar>, rateFactor: Double
  ) -> (direction: Tensor<Scalar>, length: Double) {
    step += 1
    let rate = learningRate * rateFactor
    defer { previousGradient = gradient }
    guard let previousGradient else {
      // Nothing is known of the curvature yet: the first step changes no parameter by more than the rate.
      let total = Double(gradient.absolute().sum().scalar)
      return (-gradient, min(1, 1 / total) * rate)
    }
    precondition(
      previousGradient.count == gradient.count,
      "the gradient has \(gradient.count) numbers, but the optimizer's history is of \(previousGradient.count)")
    if let lastChange {
      let difference = gradient - previousGradient
      // Only upward curvature keeps the matrix positive definite.
      if Double(difference.dot(lastChange).scalar) > 1e-10 {
        if changes.count >= historyCount { changes.removeFirst(changes.count - historyCount + 1) }
        changes.append((lastChange, difference))
      }
    }
    lastChange = nil
    return (twoLoopRecursion(gradient), rate)
  }

  /// Minus the inverse Hessian that the history stands for, times the gradient.
  private func twoLoopRecursion(_ gradient: Tensor<Scalar>) -> Tensor<Scalar> {
    var direction = -gradient
    let curvatures = changes.map { $0.gradient.dot($0.parameters).scalar }
    var shares = [Scalar](repeating: 0, count: changes.count)
    for i in changes.indices.reversed() {
      shares[i] = changes[i].parameters.dot(direction).scalar / curvatures[i]
      direction -= changes[i].gradient * shares[i]
    }
    if let last = changes.last, let curvature = curvatures.last {
      direction *= curvature / last.gradient.sumOfSquares().scalar
    }
    for i in changes.indices {
      let share = changes[i].gradient.dot(direction).scalar / curvatures[i]
      direction += changes[i].parameters * (shares[i] - share)
    }
    return direction
  }

  private static func flat(_ gradient: NamedTensors<Scalar>) -> Tensor<Scalar> {
    Tensor.concatenated(gradient.tensors.map { $0.reshaped([-1]) }, axis: 0)
  }

  // MARK: State

  public var state: OptimizerState<Scalar> {
    get {
      var tensors = NamedTensors<Scalar>()
      for (i, change) in changes.enumerated() {
        tensors.append("parameterChange/\(i)", change.parameters)
        tensors.append("gradientChange/\(i)", change.gradient)
      }
      if let previousGradient { tensors.append("previousGradient/all", previousGradient) }
      if let lastChange { tensors.append("lastChange/all", lastChange) }
      return OptimizerState(step: step, tensors: tensors)
    }
    set { restoreOrTrap(newValue) }
  }

  public mutating func restore(_ state: OptimizerState<Scalar>) throws {
    var restored: [(Tensor<Scalar>, Tensor<Scalar>)] = []
    while let parameters = state.tensors["parameterChange/\(restored.count)"],
      let gradient = state.tensors["gradientChange/\(restored.count)"]
    {
      restored.append((parameters, gradient))
    }
    let previous = state.tensors["previousGradient/all"]
    let last = state.tensors["lastChange/all"]
    let known = 2 * restored.count + (previous == nil ? 0 : 1) + (last == nil ? 0 : 1)
    guard known == state.tensors.count else {
      throw InvalidArgument(
        "optimizer state", found: state.tensors.names.joined(separator: ", "),
        wanted: "parameterChange/i and gradientChange/i, previousGradient/all, lastChange/all")
    }
    guard let shape = state.tensors.tensors.first?.shape ?? previous?.shape else {
      (changes, previousGradient, lastChange, step) = ([], nil, nil, state.step)
      return
    }
    for (name, tensor) in zip(state.tensors.names, state.tensors.tensors)
    where tensor.shape != shape || tensor.rank != 1 {
      throw InvalidArgument("optimizer state", found: "\(name) of shape \(tensor.shape)", wanted: "one vector's shape")
    }
    (changes, previousGradient, lastChange, step) = (restored, previous, last, state.step)
  }
}

extension Module {
  /// Adds the pieces of a flat vector, times a number, to the parameters that `layout` names.
  fileprivate mutating func add(_ vector: Tensor<Scalar>, times factor: Double, layout: NamedTensors<Scalar>) {
    var parts = vector.parts(like: layout.tensors)[...]
    forEachParameter(in: layout) { _, parameter, _ in parameter += parts.removeFirst() * Scalar(factor) }
  }
}

extension Tensor where Scalar: RealScalar {
  fileprivate var largest: Double { isEmpty ? 0 : Double(absolute().maximum().scalar) }

  /// The pieces of a vector, in the shapes of `tensors`.
  fileprivate func parts(like tensors: [Tensor]) -> [Tensor] {
    var start = 0
    return tensors.map { tensor in
      defer { start += tensor.count }
      return self[start..<(start + tensor.count)].reshaped(tensor.shape)
    }
  }
}
