public import LinearAlgebra
public import Networks
import Tensors

/// Keeps the weights of a network of low rank while it is trained, so that factoring it afterwards costs nothing.
///
/// Every `period` steps the listed weights are replaced by their truncations before the forward pass, and the gradient
/// of λ‖W‖_* is added to the loss's; the optimizer's memory is left alone. In between, training goes on as ever.
///
/// ```swift
/// var pruning = try TrainedRankPruning<Float>(layers: .hiddenWeights(of: model), period: 20, rule: .energy(0.98))
/// for step in 0..<steps {
///   try pruning.beforeForward(step: step, &model)
///   var (loss, gradient) = model.valueAndGradient { ... }
///   pruning.addSubgradient(step: step, to: &gradient)
///   optimizer.update(&model, along: gradient)
/// }
/// try pruning.finish(&model)
/// let (small, report) = try factorise(model, like: pruning)
/// ```
/// - Source: Xu et al., "Trained Rank Pruning for Efficient Deep Neural Networks", arXiv 1812.02402, algorithm 1; in the
///   form of IJCAI 2020, arXiv 2004.14566.
public struct TrainedRankPruning<Scalar: LinearScalar>: Sendable {
  /// A weight whose rank is cut, by its parameter's name.
  public struct Layer: Sendable, Hashable {
    public var name: String
    public var matricisation: Matricisation

    public init(_ name: String, _ matricisation: Matricisation) {
      self.name = name
      self.matricisation = matricisation
    }
  }

  /// The ranks after a truncation.
  public struct Ranks: Sendable, Hashable {
    public var step: Int
    /// In the order of the layers; nil for one whose decomposition failed.
    public var ranks: [Int?]
  }

  public let layers: [Layer]
  /// Steps from one truncation to the next (m).
  public let period: Int
  public let rule: TruncationRule
  /// λ; zero for truncation alone.
  public let nuclearWeight: Double
  /// Whether weights are truncated; otherwise only the nuclear norm acts.
  public let truncates: Bool
  public private(set) var rankHistory: [Ranks] = []
  /// Truncations that were left out because a decomposition did not converge: the weight stayed as it was.
  public private(set) var skipped = 0
  private var subgradients: [String: Tensor<Scalar>] = [:]

  /// - Throws: `InvalidArgument` for no layers, one named twice, a period below one, a negative λ, or a rule out of range.
  public init(
    layers: [Layer], period: Int = 20, rule: TruncationRule = .energy(0.9), nuclearWeight: Double = 3e-4,
    truncates: Bool = true
  ) throws {
    guard !layers.isEmpty, Set(layers.map(\.name)).count == layers.count else {
      throw InvalidArgument("layers", found: "\(layers.map(\.name))", wanted: "at least one name, each once")
    }
    guard period >= 1 else { throw InvalidArgument("period", found: "\(period)", wanted: "at least 1") }
    guard nuclearWeight >= 0, nuclearWeight.isFinite else {
      throw InvalidArgument("nuclearWeight", found: "\(nuclearWeight)", wanted: "at least 0")
    }
    try rule.validate()
    self.layers = layers
    self.period = period
    self.rule = rule
    self.nuclearWeight = nuclearWeight
    self.truncates = truncates
  }

  /// Truncates the listed weights in place where `step`, counted from zero, is a multiple of the period.
  ///
  /// - Throws: `InvalidArgument` for a listed name that the model does not have, a weight of another kind, and numbers
  ///   that are not finite.
  public mutating func beforeForward(step: Int, _ model: inout some Module<Scalar>) throws {
    subgradients = [:]
    guard step % period == 0 else { return }
    try truncate(&model, step: step)
  }

  /// Adds λ G to the gradient of the step whose weights were just truncated.
  public func addSubgradient(step: Int, to gradient: inout NamedTensors<Scalar>) {
    guard nuclearWeight > 0, step % period == 0 else { return }
    for (i, name) in gradient.names.enumerated() {
      if let subgradient = subgradients[name] { gradient.tensors[i] += subgradient * Scalar(nuclearWeight) }
    }
  }

  /// A last truncation, so that the ranks of what is kept are exact.
  public mutating func finish(_ model: inout some Module<Scalar>) throws {
    try truncate(&model, step: (rankHistory.last?.step ?? -1) + 1)
    subgradients = [:]
  }

  private mutating func truncate(_ model: inout some Module<Scalar>, step: Int) throws {
    var weights: [String: Tensor<Scalar>] = [:]
    model.forEachParameter { name, tensor in weights[name] = tensor }
    var ranks: [Int?] = []
    var replaced: [String: Tensor<Scalar>] = [:]
    for layer in layers {
      guard let weight = weights[layer.name] else {
        throw InvalidArgument(
          "layers", found: layer.name, wanted: "one of \(weights.keys.sorted().joined(separator: ", "))")
      }
      try layer.matricisation.require(weight.shape, layer.name)
      try weight.requireFinite(layer.name)
      do {
        let truncation = try RankTruncation(weight, layer.matricisation, rule)
        ranks.append(truncation.rank)
        if truncates { replaced[layer.name] = truncation.weight }
        if nuclearWeight > 0 { subgradients[layer.name] = truncation.subgradient }
      } catch is DecompositionError {
        skipped += 1
        ranks.append(nil)
      }
    }
    rankHistory.append(Ranks(step: step, ranks: ranks))
    guard !replaced.isEmpty else { return }
    model.forEachParameter { name, tensor in
      if let weight = replaced[name] { tensor = weight }
    }
  }
}

extension Array {
  /// The weights of all dense layers of a network but the last, and of its convolutions with more than one tap but the
  /// first: what the paper lists.
  public static func hiddenWeights<Scalar: LinearScalar>(
    of model: some Module<Scalar>, filters: Matricisation = .channel
  ) -> Self where Element == TrainedRankPruning<Scalar>.Layer {
    let parameters = model.parameters
    let shapes = zip(parameters.names, parameters.tensors.map(\.shape))
    let dense = shapes.filter { $0.1.count == 2 }.dropLast()
    let convolutions = shapes.filter { $0.1.count == 4 && $0.1[2] * $0.1[3] > 1 }.dropFirst()
    let wanted = Set(dense.map(\.0) + convolutions.map(\.0))
    return shapes.filter { wanted.contains($0.0) }.map { Element($0.0, $0.1.count == 2 ? .dense : filters) }
  }
}
