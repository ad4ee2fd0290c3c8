// Setting single weights of a model to zero: the schedule, the report and the simple rules that methods share.

import LinearAlgebra
public import Networks
public import Tensors

/// What became of a model's weights.
public struct PruningReport<Scalar: RealScalar>: Sendable {
  /// One round of pruning.
  public struct Round: Sendable, Hashable {
    /// The share of the eligible weights that is left.
    public var density: Double
    /// Weights set to zero in this round.
    public var dropped: Int
    /// By how much the loss grows according to the quadratic model of the round; nil for rules that have none.
    public var predictedIncrease: Double?
    /// What the caller's evaluation of the model gave after the round.
    public var evaluation: Double?
  }

  /// True where a weight stayed; for the eligible parameters.
  public var kept: [(name: String, mask: Tensor<Bool>)]
  /// The scores of the last round, infinite for parameters that were not to be pruned or are gone.
  public var scores: NamedTensors<Scalar>
  public var rounds: [Round]

  /// The share of the eligible weights that is zero.
  public var sparsity: Double {
    let count = kept.reduce(0) { $0 + $1.mask.count }
    let left = kept.reduce(0) { $0 + $1.mask.trueCount }
    return count == 0 ? 0 : 1 - Double(left) / Double(count)
  }

  /// Sets what was pruned to zero again, after a step of training.
  public func apply(to model: inout some Module<Scalar>) {
    let masks = Dictionary(uniqueKeysWithValues: kept.map { ($0.name, $0.mask) })
    model.forEachParameter { name, tensor in
      if let mask = masks[name] { tensor = tensor * Tensor<Scalar>(mask) }
    }
  }
}

/// Which parameters are pruned by default: matrices and filters, not biases, scales and shifts.
public func isWeight(_ name: String, _ shape: [Int]) -> Bool { shape.count >= 2 }

/// Removes the weights of least magnitude, or of least magnitude in each parameter.
public struct MagnitudePruner: Sendable {
  /// Whether every parameter gets the same sparsity, instead of one threshold for all.
  public var isUniform = false

  public init(isUniform: Bool = false) { self.isUniform = isUniform }

  /// - Throws: `InvalidArgument` for a sparsity outside [0, 1) or below what the model has.
  public func prune<Model: Module>(
    _ model: inout Model, to sparsity: Double, where isEligible: (String, [Int]) -> Bool = isWeight
  ) throws -> PruningReport<Model.Scalar> where Model.Scalar: LinearScalar {
    try pruneOnce(&model, to: sparsity, isUniform: isUniform, where: isEligible) { $0.absolute() }
  }
}

/// Removes weights at random: what every other rule must beat.
public struct RandomPruner: Sendable {
  public var seed: UInt64

  public init(seed: UInt64) { self.seed = seed }

  /// - Throws: `InvalidArgument` for a sparsity outside [0, 1) or below what the model has.
  public func prune<Model: Module>(
    _ model: inout Model, to sparsity: Double, where isEligible: (String, [Int]) -> Bool = isWeight
  ) throws -> PruningReport<Model.Scalar> where Model.Scalar: LinearScalar {
    var random = RandomStream(seed: seed)
    return try pruneOnce(&model, to: sparsity, isUniform: false, where: isEligible) { random.uniform($0.shape) }
  }
}

private func pruneOnce<Model: Module>(
  _ model: inout Model, to sparsity: Double, isUniform: Bool, where isEligible: (String, [Int]) -> Bool,
  _ score: (Tensor<Model.Scalar>) -> Tensor<Model.Scalar>
) throws -> PruningReport<Model.Scalar> where Model.Scalar: LinearScalar {
  var survivors = try SurvivingWeights(of: model, to: sparsity, where: isEligible)
  let scores = score(survivors.weights)
  let dropped: Int
  if isUniform {
    dropped = try survivors.dropUniformly(scores, sparsity)
  } else {
    dropped = survivors.drop(scores, downTo: survivors.target)
  }
  survivors.layout.assign(survivors.weights, to: &model)
  let round = PruningReport<Model.Scalar>.Round(density: survivors.density, dropped: dropped)
  return survivors.report(scores, [round])
}

/// The parameters of a model as one vector, and which of them are still there.
struct SurvivingWeights<Scalar: LinearScalar> {
  let layout: ParameterLayout<Scalar>
  var weights: Tensor<Scalar>
  /// By parameter.
  let eligible: [Bool]
  /// By number: eligible and still there; not eligible.
  private(set) var isAlive: [Bool]
  let isEligible: [Bool]
  let eligibleCount: Int
  private(set) var aliveCount: Int
  /// Eligible weights that shall be left.
  let target: Int

  init<Model: Module<Scalar>>(
    of model: Model, to sparsity: Double, where isEligible: (String, [Int]) -> Bool
  ) throws {
    guard sparsity >= 0, sparsity < 1 else {
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "in [0, 1)")
    }
    let parameters = model.parameters
    layout = ParameterLayout(parameters)
    weights = layout.flat(parameters)
    try weights.requireFinite("weights")
    eligible = zip(parameters.names, parameters.tensors).map { isEligible($0, $1.shape) }
    var isPart = [Bool](repeating: false, count: layout.count)
    for i in eligible.indices where eligible[i] {
      for k in layout.range(i) { isPart[k] = true }
    }
    self.isEligible = isPart
    eligibleCount = isPart.count { $0 }
    guard eligibleCount > 0 else {
      throw InvalidArgument("parameters", found: "none that may be pruned", wanted: "at least one matrix")
    }
    isAlive = weights.withUnsafeBuffer { w in isPart.indices.map { !isPart[$0] || w[$0] != 0 } }
    aliveCount = isPart.indices.count { [isAlive] in isPart[$0] && isAlive[$0] }
    target = eligibleCount - Int((sparsity * Double(eligibleCount)).rounded())
    guard target <= aliveCount else {
      let present = 1 - Double(aliveCount) / Double(eligibleCount)
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "at least \(present), what the model has already")
    }
  }

  var density: Double { Double(aliveCount) / Double(eligibleCount) }

  /// Where the numbers that are left lie, those that are not eligible included.
  var places: [Int] { isAlive.indices.filter { isAlive[$0] } }

  /// The eligible weights to drop, least score first and ties by place.
  func candidates(_ scores: Tensor<Scalar>, count: Int, in range: Range<Int>? = nil) -> [Int] {
    let range = range ?? 0..<isAlive.count
    let own = Tensor<Int>(range.filter { isAlive[$0] && isEligible[$0] })
    let order = scores.gathered(own).argsort()
    return own.gathered(order[0..<min(count, own.count)]).scalars
  }

  mutating func remove(_ places: [Int]) {
    weights.withUnsafeMutableBuffer { w in for place in places { w[place] = 0 } }
    for place in places { isAlive[place] = false }
    aliveCount -= places.count
  }

  mutating func drop(_ scores: Tensor<Scalar>, downTo count: Int) -> Int {
    let places = candidates(scores, count: aliveCount - count)
    remove(places)
    return places.count
  }

  mutating func dropUniformly(_ scores: Tensor<Scalar>, _ sparsity: Double) throws -> Int {
    let before = aliveCount
    for i in eligible.indices where eligible[i] {
      let range = layout.range(i)
      let left = range.count - Int((sparsity * Double(range.count)).rounded())
      remove(candidates(scores, count: max(0, range.count { isAlive[$0] } - left), in: range))
    }
    return before - aliveCount
  }

  func report(_ scores: Tensor<Scalar>, _ rounds: [PruningReport<Scalar>.Round]) -> PruningReport<Scalar> {
    let masks = eligible.indices.filter { eligible[$0] }.map { i in
      (name: layout.names[i], mask: Tensor<Bool>(shape: layout.shapes[i], scalars: isAlive[layout.range(i)]))
    }
    var scores = scores
    scores.withUnsafeMutableBuffer { s in
      for i in s.indices where !isEligible[i] { s[i] = .infinity }
    }
    return PruningReport(
      kept: masks, scores: NamedTensors(names: layout.names, tensors: layout.split(scores).map { $0.copied() }),
      rounds: rounds)
  }
}
