public import LinearAlgebra
public import Networks
public import Tensors

/// Removes single weights by the rule of the optimal brain surgeon, with the inverse empirical Fisher matrix of M-FAC.
///
/// Weight k costs s_k = w_k² / (2 [F⁻¹]_kk). The cheapest are removed together, and the weights that stay move by
/// F⁻¹ x, x_k = -w_k / [F⁻¹]_kk on those removed: for one weight the best answer under the quadratic model, for many at
/// once an approximation, which is why fresh gradients are taken in several rounds. Densities fall by the same factor
/// in each round. F is that of the numbers that are left; biases are part of it and move, but stay.
///
/// ```swift
/// let report = try MFACPruner(recomputations: 8).prune(&model, to: 0.9) { model, index in
///   model.valueAndGradient { crossEntropy($0(batch(index).features), labels: batch(index).labels) }.gradient
/// }
/// ```
/// - Complexity: in each round, `gradientCount` gradients and d · gradientCount² operations; memory for
///   `gradientCount` gradients.
/// - Source: Frantar, Kurtic and Alistarh, NeurIPS 2021, section 3.1; Hassibi and Stork, "Second order derivatives for
///   network pruning: optimal brain surgeon", NIPS 1992.
public struct MFACPruner: Sendable {
  /// λ.
  public var damping = 1e-5
  /// Coordinates whose cross terms are kept; nil for all.
  public var blockSize: Int?
  /// Gradients of small batches in a round (m).
  public var gradientCount = 64
  /// Rounds with gradients of their own (R).
  public var recomputations = 16
  public var compensation = RemovalCompensation.simultaneous

  public init(
    damping: Double = 1e-5, blockSize: Int? = nil, gradientCount: Int = 64, recomputations: Int = 16,
    compensation: RemovalCompensation = .simultaneous
  ) {
    self.damping = damping
    self.blockSize = blockSize
    self.gradientCount = gradientCount
    self.recomputations = recomputations
    self.compensation = compensation
  }

  /// Prunes `model` until a share `sparsity` of its eligible weights is zero; those that are zero already count.
  ///
  /// - Parameters:
  ///   - isEligible: which parameters may lose weights.
  ///   - evaluation: what the report shall say after each round, such as the accuracy.
  ///   - gradient: of all parameters at the model as it is, in the order of its `visit`: the mean over batch number
  ///     `index`, which counts through all rounds. The model should be evaluated as at inference.
  /// - Throws: `InvalidArgument` for a sparsity outside [0, 1) or below what the model has, settings out of range, and
  ///   gradients that are not finite; what the closures throw. The model is then unchanged.
  public func prune<Model: Module>(
    _ model: inout Model, to sparsity: Double, where isEligible: (String, [Int]) -> Bool = isWeight,
    progress: WorkProgress = .silent, evaluation: ((Model) throws -> Double)? = nil,
    gradient: (_ model: Model, _ index: Int) throws -> NamedTensors<Model.Scalar>
  ) throws -> PruningReport<Model.Scalar> where Model.Scalar: LinearScalar {
    for (name, value) in [("gradientCount", gradientCount), ("recomputations", recomputations)] where value < 1 {
      throw InvalidArgument(name, found: "\(value)", wanted: "at least 1")
    }
    try requireDamping(damping)
    var pruned = model
    var survivors = try SurvivingWeights(of: model, to: sparsity, where: isEligible)
    var rounds: [PruningReport<Model.Scalar>.Round] = []
    var scores = Tensor<Model.Scalar>.zeros(survivors.weights.shape)
    let start = survivors.density
    let end = Double(survivors.target) / Double(survivors.eligibleCount)
    for round in 1...recomputations {
      let share = Double(round) / Double(recomputations)
      let density = end > 0 && start > 0 ? start * Double.pow(end / start, share) : end
      let wanted =
        round == recomputations ? survivors.target : Int((density * Double(survivors.eligibleCount)).rounded())
      let gradients = try gradients(of: pruned, survivors, round: round - 1, progress, gradient)
      let step = try self.step(&survivors, gradients, downTo: min(wanted, survivors.aliveCount))
      scores = step.scores
      survivors.layout.assign(survivors.weights, to: &pruned)
      rounds.append(
        .init(
          density: survivors.density, dropped: step.removed.count, predictedIncrease: step.predictedIncrease,
          evaluation: try evaluation?(pruned)))
    }
    model = pruned
    return survivors.report(scores, rounds)
  }

  /// Gradients at the numbers that are left, one a row.
  private func gradients<Model: Module>(
    of model: Model, _ survivors: SurvivingWeights<Model.Scalar>, round: Int, _ progress: WorkProgress,
    _ gradient: (Model, Int) throws -> NamedTensors<Model.Scalar>
  ) throws -> Tensor<Model.Scalar> {
    let places = Tensor<Int>(survivors.places)
    var rows = Tensor<Model.Scalar>.zeros([gradientCount, places.count])
    for i in 0..<gradientCount {
      let index = round * gradientCount + i
      let own = survivors.layout.flat(try gradient(model, index)).gathered(places)
      try own.requireFinite("gradient \(index)")
      rows.withUnsafeMutableBuffer { rows in
        own.withUnsafeBuffer { own in
          for k in own.indices { rows[i * own.count + k] = own[k] }
        }
      }
      try progress.report(index + 1, of: gradientCount * recomputations)
    }
    return rows
  }

  /// One selection among the numbers that are left, and the move that goes with it.
  private func step<Scalar: LinearScalar>(
    _ survivors: inout SurvivingWeights<Scalar>, _ gradients: Tensor<Scalar>, downTo count: Int
  ) throws -> WeightRemoval<Scalar> {
    let places = survivors.places
    let inverse = try InverseFisher(gradients: gradients, damping: damping, blockSize: blockSize)
    let removal = try inverse.remove(
      survivors.aliveCount - count, from: survivors.weights.gathered(Tensor<Int>(places)),
      where: Tensor(places.map { survivors.isEligible[$0] }), compensation: compensation)
    survivors.weights.set(removal.weights, at: places)
    survivors.remove(removal.removed.map { places[$0] })
    var scores = Tensor<Scalar>(repeating: .infinity, shape: survivors.weights.shape)
    scores.set(removal.scores, at: places)
    return WeightRemoval(
      weights: survivors.weights, removed: removal.removed, scores: scores,
      predictedIncrease: removal.predictedIncrease)
  }
}
