public import LinearAlgebra
public import Networks
public import Tensors

/// Makes a classifier forget a class by removing inputs of its last layer, without training.
///
/// Components that matter much on inputs to forget and little on the others go first. More are removed until the
/// class is no longer recognised.
///
/// ```swift
/// let result = try ModHiFiUnlearner().unlearn(3, from: network, forget: threes, retain: others)
/// ```
/// - Source: Kashyap et al., NeurIPS 2025, arXiv 2511.19566 ("ModHiFi-U").
public struct ModHiFiUnlearner: Sendable {
  /// How components are compared on inputs to forget and to retain.
  public enum Score: String, Sendable, Hashable, CaseIterable {
    /// The share of the class's own score on inputs to forget that a component contributes, less its share of the whole
    /// output on the others: E⟨y_c, y⟩ / E‖y‖² for both. Unlike fidelity it is without a scale, and thereby with a sign.
    case contribution
    /// F_f - F_r, with the fidelities of single components on both sets.
    case difference
    /// F_f / (F_r + 0.01 max F_r).
    case ratio
  }

  public var score = Score.contribution
  /// The share of components that goes in each step.
  public var step = 0.05
  /// The largest share that goes.
  public var mostRemoved = 0.35
  /// The share of forget inputs that may still be given the class.
  public var target = 0.05
  /// Whether what is left is scaled to its best on the inputs to retain.
  public var compensates = false
  public var ridge = 1e-6

  public init(
    score: Score = .contribution, step: Double = 0.05, mostRemoved: Double = 0.35, target: Double = 0.05,
    compensates: Bool = false, ridge: Double = 1e-6
  ) {
    self.score = score
    self.step = step
    self.mostRemoved = mostRemoved
    self.target = target
    self.compensates = compensates
    self.ridge = ridge
  }

  /// A layer that has forgotten.
  public struct Result<Scalar: RealScalar>: Sendable {
    /// Of the original shape, with zeros for what was removed.
    public var head: Linear<Scalar>
    /// In the order of removal.
    public var removed: [Int]
    /// By component; the highest go first.
    public var scores: [Double]
    /// The share of inputs to forget that were given the class, after each step; the first before any.
    public var history: [Step]
    public var reachedTarget: Bool

    public struct Step: Sendable, Hashable {
      public var removedShare: Double
      /// The share of inputs to forget that are given the class.
      public var forgetRate: Double
      /// Mean of the class's score less the best other's, on the inputs to forget.
      public var forgetMargin: Double
    }
  }

  /// Removes inputs of the last layer.
  ///
  /// - Parameters:
  ///   - label: the class, a row of the head's weight.
  ///   - forget: inputs of the head for examples of the class, shape [n, inputs]; retain: for others.
  /// - Throws: `InvalidArgument` for empty sets, other shapes, numbers that are not finite, a class that does not exist and
  ///   settings out of range.
  public func unlearn<Scalar: LinearScalar>(
    _ label: Int, from head: Linear<Scalar>, forget: Tensor<Scalar>, retain: Tensor<Scalar>
  ) throws -> Result<Scalar> {
    try validate()
    guard 0..<head.outputs ~= label else {
      throw InvalidArgument("class", found: "\(label)", wanted: "0 to \(head.outputs - 1)")
    }
    func gram(_ inputs: Tensor<Scalar>, _ name: String, _ weight: Tensor<Scalar>) throws -> ComponentGram {
      guard inputs.rank == 2, inputs.rows > 0, inputs.columns == head.inputs else {
        throw InvalidArgument(name, found: "shape \(inputs.shape)", wanted: "[examples, \(head.inputs)], at least one")
      }
      var moments = InputMoments<Scalar>(components: head.inputs)
      try moments.add(inputs)
      return try ComponentGram(weight: weight, moments: moments)
    }
    let own = score == .contribution ? head.weight[label..<(label + 1)].dense : head.weight
    let (forgetGram, retainGram) = (try gram(forget, "forget", own), try gram(retain, "retain", head.weight))
    let scores = self.scores(forgetGram, retainGram)
    let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
    var result = Result<Scalar>(head: head, removed: [], scores: scores, history: [], reachedTarget: false)
    var share = 0.0
    while true {
      result.removed = Array(order.prefix(Int((share * Double(order.count)).rounded())))
      result.head = try removing(result.removed, from: head, retainGram)
      let state = Self.state(result.head, label, forget, share)
      result.history.append(state)
      result.reachedTarget = state.forgetRate <= target
      let next = share + step
      if result.reachedTarget || next > mostRemoved + 1e-9 { return result }
      share = next
    }
  }

  /// The same for a network whose last layer is dense: inputs are those of the network.
  public func unlearn<Scalar: LinearScalar>(
    _ label: Int, from network: Sequential<Scalar>, forget: Tensor<Scalar>, retain: Tensor<Scalar>
  ) throws -> (network: Sequential<Scalar>, result: Result<Scalar>) {
    guard let head = network.layers.last as? Linear<Scalar> else {
      throw InvalidArgument("network", found: "no dense layer at the end", wanted: "a classifier's head")
    }
    for (name, inputs) in [("forget", forget), ("retain", retain)] where inputs.rank < 2 || inputs.shape[0] == 0 {
      throw InvalidArgument(name, found: "shape \(inputs.shape)", wanted: "at least one example")
    }
    let last = network.layers.count - 1
    let result = try unlearn(
      label, from: head, forget: network.input(of: last, forget), retain: network.input(of: last, retain))
    var changed = network
    changed.layers[last] = result.head
    return (changed, result)
  }

  private func validate() throws {
    guard step > 0, step < 1 else { throw InvalidArgument("step", found: "\(step)", wanted: "in (0, 1)") }
    guard mostRemoved >= 0, mostRemoved < 1 else {
      throw InvalidArgument("mostRemoved", found: "\(mostRemoved)", wanted: "in [0, 1)")
    }
    guard (0...1).contains(target) else { throw InvalidArgument("target", found: "\(target)", wanted: "in [0, 1]") }
  }

  private func scores(_ forgetGram: ComponentGram, _ retainGram: ComponentGram) -> [Double] {
    let (forget, retain) = (forgetGram.singletonFidelities, retainGram.singletonFidelities)
    switch score {
    case .contribution: return (forgetGram.shares / forgetGram.total - retainGram.shares / retainGram.total).scalars
    case .difference: return zip(forget, retain).map { $0 - $1 }
    case .ratio:
      let least = 0.01 * (retain.max() ?? 0)
      return zip(forget, retain).map { $0 > 0 ? $0 / ($1 + least) : 0 }
    }
  }

  private func removing<Scalar: LinearScalar>(
    _ removed: [Int], from head: Linear<Scalar>, _ retain: ComponentGram
  ) throws -> Linear<Scalar> {
    let gone = Set(removed)
    let kept = (0..<head.inputs).filter { !gone.contains($0) }
    var factors = [Scalar](repeating: 0, count: head.inputs)
    let scales = compensates && !removed.isEmpty ? try subsetFidelity(retain, of: kept, ridge: ridge).scales : nil
    for (i, component) in kept.enumerated() { factors[component] = scales.map { Scalar($0[i]) } ?? 1 }
    return Linear(weight: head.weight * Tensor(factors), bias: head.bias)
  }

  private static func state<Scalar: LinearScalar>(
    _ head: Linear<Scalar>, _ label: Int, _ forget: Tensor<Scalar>, _ share: Double
  ) -> Result<Scalar>.Step {
    let scores = head(forget)
    let own = scores[.all, label]
    let others = (0..<head.outputs).filter { $0 != label }
    let best = scores.gathered(Tensor<Int>(others), axis: 1).maximum(axis: 1)
    let rate = Double((scores.argmax(axis: 1) .== label).trueCount) / Double(forget.rows)
    return .init(removedShare: share, forgetRate: rate, forgetMargin: Double((own - best).mean().scalar))
  }
}
