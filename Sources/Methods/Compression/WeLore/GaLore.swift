public import LinearAlgebra
public import Networks
import Numerics
public import Optimizers
import Tensors

/// Adam in a subspace of the gradient that is chosen anew now and then; AdamW for everything that is not projected.
///
/// With P the leading r singular vectors of the gradient G on its shorter side, taken every `refreshInterval` steps:
///
///     R = Pᵀ G        N = Adam's direction for R        W ← (1 - rate · weightDecay) W - rate · scale · P N
///
/// The moments have the shape of R, [r, n]: r / m of what Adam keeps for a matrix of m rows. They are carried over from
/// one subspace to the next as they are.
///
/// - Complexity: two products m × r × n a step, a singular value decomposition each `refreshInterval` steps.
/// - Source: Zhao et al., "GaLore: memory-efficient LLM training by gradient low-rank projection", ICML 2024, algorithm 2.
public struct GaLore<Scalar: LinearScalar>: Optimizer {
  public var learningRate: Double
  /// r. Matrices with no side longer than this are not projected.
  public var rank: Int
  /// Steps between two choices of the subspace.
  public var refreshInterval: Int
  /// Of the projected step.
  public var scale: Double
  public var firstDecay: Double
  public var secondDecay: Double
  public var stability: Double
  /// Times the learning rate: the part of a parameter that each step takes away.
  public var weightDecay: Double
  /// Which parameters with two axes are projected.
  public var isProjected: @Sendable (_ name: String) -> Bool
  /// For all other parameters.
  public var rest: AdamW<Scalar>
  private var entries: [String: Entry] = [:]
  private var step = 0

  /// What is kept for one matrix.
  private struct Entry {
    /// P, shape [shorter side, r].
    var basis: Tensor<Scalar>
    var first: Tensor<Scalar>
    var second: Tensor<Scalar>
    var updates = 0
  }

  public init(
    learningRate: Double = 1e-2, rank: Int, refreshInterval: Int = 200, scale: Double = 0.25, firstDecay: Double = 0.9,
    secondDecay: Double = 0.999, stability: Double = 1e-8, weightDecay: Double = 0,
    rest: AdamW<Scalar> = AdamW(learningRate: 1e-3, weightDecay: 0),
    isProjected: @escaping @Sendable (_ name: String) -> Bool = { _ in true }
  ) {
    precondition(rank >= 1 && refreshInterval >= 1, "a subspace of rank \(rank), chosen every \(refreshInterval) steps")
    (self.learningRate, self.rank, self.refreshInterval, self.scale) = (learningRate, rank, refreshInterval, scale)
    (self.firstDecay, self.secondDecay, self.stability) = (firstDecay, secondDecay, stability)
    (self.weightDecay, self.rest, self.isProjected) = (weightDecay, rest, isProjected)
  }

  /// The numbers kept beside the parameters.
  public var stateCount: Int {
    entries.values.reduce(0) { $0 + $1.basis.count + $1.first.count + $1.second.count }
      + rest.state.tensors.tensors.reduce(0) { $0 + $1.count }
  }

  /// - Precondition: a gradient that is finite, in the order of the model's visit.
  public mutating func update(
    _ model: inout some Module<Scalar>, along gradient: NamedTensors<Scalar>, rateFactor: Double
  ) {
    var projected: [String: Tensor<Scalar>] = [:]
    var others = NamedTensors<Scalar>()
    for (name, slope) in zip(gradient.names, gradient.tensors) {
      if slope.rank == 2, min(slope.rows, slope.columns) > rank, isProjected(name) {
        projected[name] = slope
      } else {
        others.append(name, slope)
      }
    }
    step += 1
    model.forEachParameter { name, parameter in
      guard let slope = projected.removeValue(forKey: name) else { return }
      precondition(
        slope.shape == parameter.shape,
        "parameter \(name) has shape \(parameter.shape), but its gradient \(slope.shape)")
      let rate = learningRate * rateFactor
      let direction = direction(name, slope)
      if weightDecay > 0 { parameter *= Scalar(1 - rate * weightDecay) }
      parameter -= direction * Scalar(rate * scale)
    }
    precondition(projected.isEmpty, "\(projected.keys.sorted().first ?? "") is not a parameter of the model")
    rest.update(&model, along: others, rateFactor: rateFactor)
  }

  /// Adam's direction in the subspace, back in the matrix's own space.
  private mutating func direction(_ name: String, _ slope: Tensor<Scalar>) -> Tensor<Scalar> {
    let isWide = slope.rows <= slope.columns
    let gradient = isWide ? slope : slope.transposed
    var entry =
      entries.removeValue(forKey: name)
      ?? Entry(
        basis: .zeros([gradient.rows, rank]), first: .zeros([rank, gradient.columns]),
        second: .zeros([rank, gradient.columns]))
    if entry.updates % refreshInterval == 0, let basis = leadingBasis(gradient) { entry.basis = basis }
    entry.updates += 1
    let small = entry.basis.matmul(gradient, transposingA: true)
    entry.first = entry.first * Scalar(firstDecay) + small * Scalar(1 - firstDecay)
    entry.second = entry.second * Scalar(secondDecay) + small * small * Scalar(1 - secondDecay)
    let firstScale = Scalar(1 / (1 - Double.pow(firstDecay, entry.updates)))
    let secondScale = Scalar(1 / (1 - Double.pow(secondDecay, entry.updates)))
    let step = entry.first * firstScale / ((entry.second * secondScale).sqrt() + Scalar(stability))
    let full = entry.basis.matmul(step)
    entries[name] = entry
    return isWide ? full : full.transposed
  }

  /// The leading left singular vectors; nil where they cannot be had, as after a gradient with a NaN.
  private func leadingBasis(_ gradient: Tensor<Scalar>) -> Tensor<Scalar>? {
    guard let parts = try? SingularValueDecomposition(of: gradient) else { return nil }
    return parts.left[.all, ..<rank].copied()
  }

  // MARK: State

  private static var slotNames: [String] { ["basis", "firstMoment", "secondMoment", "updates"] }

  public var state: OptimizerState<Scalar> {
    get {
      var tensors = NamedTensors<Scalar>()
      for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
        let parts = [entry.basis, entry.first, entry.second, Tensor(Scalar(entry.updates))]
        for (slot, tensor) in zip(Self.slotNames, parts) { tensors.append("\(slot)/\(name)", tensor) }
      }
      let others = rest.state.tensors
      for (name, tensor) in zip(others.names, others.tensors) { tensors.append("rest.\(name)", tensor) }
      return OptimizerState(step: step, tensors: tensors)
    }
    set {
      do { try restore(newValue) } catch { preconditionFailure("\(error)") }
    }
  }

  public mutating func restore(_ state: OptimizerState<Scalar>) throws {
    var own: [String: [String: Tensor<Scalar>]] = [:]
    var others = OptimizerState<Scalar>(step: state.step)
    for (name, tensor) in zip(state.tensors.names, state.tensors.tensors) {
      if name.hasPrefix("rest.") {
        others.tensors.append(String(name.dropFirst("rest.".count)), tensor)
        continue
      }
      let parts = name.split(separator: "/", maxSplits: 1).map(String.init)
      guard parts.count == 2, Self.slotNames.contains(parts[0]) else {
        throw InvalidArgument(
          "optimizer state", found: name, wanted: "tensors of \(Self.slotNames.joined(separator: ", "))")
      }
      own[parts[1], default: [:]][parts[0]] = tensor
    }
    var restored: [String: Entry] = [:]
    for (name, slots) in own {
      let parts = Self.slotNames.compactMap { slots[$0] }
      guard parts.count == 4, parts[0].rank == 2, parts[0].columns == rank, parts[1].rank == 2, parts[1].rows == rank,
        parts[2].shape == parts[1].shape, parts[3].count == 1,
        let updates = Int(exactly: parts[3].reshaped([]).scalar), updates >= 0
      else {
        throw InvalidArgument(
          "optimizer state", found: "\(parts.count) tensors of \(name)",
          wanted: "a basis and two moments of rank \(rank), and a count")
      }
      restored[name] = Entry(basis: parts[0], first: parts[1], second: parts[2], updates: updates)
    }
    try rest.restore(others)
    (entries, step) = (restored, state.step)
  }
}
