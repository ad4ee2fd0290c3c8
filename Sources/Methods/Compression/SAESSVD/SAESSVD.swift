public import Networks
import Synchronization
public import Tensors

/// Low-rank compression of a network, layer after layer, that makes good the errors of the layers before.
///
/// Each layer is fitted on the inputs that it really gets, from layers that are compressed already, to an output between
/// its own and the one the original network had; see ``CumulativeTarget``. Ranks are the same fraction everywhere.
///
/// ```swift
/// let data = CalibrationData<GPT<Float>>(tokens: windows)
/// let small = try SAESSVD().compress(model, keeping: 0.6, data: data)
/// ```
/// - Source: Hu et al., "SAES-SVD: Self-Adaptive Suppression of Accumulated and Local Errors for SVD-based LLM
///   Compression", 2026, arXiv 2602.03051.
public struct SAESSVD: NetworkCompressor {
  /// What a layer is fitted to.
  public enum Mode: Sendable, Hashable {
    /// Its own matrix: truncated singular value decompositions.
    case plain
    /// Its own output on the original network's inputs.
    case whitened
    /// Its own output on the inputs that it really gets.
    case whitenedSequential
    /// The cumulative target at one beta for all layers.
    case cumulative(beta: Double)
    /// The cumulative target, with the beta of each layer at which rank r retains the largest share of it.
    case adaptive(range: ClosedRange<Double>)
    /// The cumulative target, with the beta of each group, out of five in [0, 1], whose outputs are nearest to the
    /// original network's on the last quarter of the batches, which nothing else is fitted to. (No part of the paper.)
    case heldOut
  }

  public var mode: Mode
  public var solver: BetaSolver
  /// Of the mean square of the inputs, what is added to their second moment.
  public var damping: Double
  /// Inputs of the original network are kept up to so many bytes in all, and evaluated again beyond.
  public var memory = 1 << 29

  public init(mode: Mode = .adaptive(range: 0.5...0.9), solver: BetaSolver = .exact(), damping: Double = 1e-6) {
    (self.mode, self.solver, self.damping) = (mode, solver, damping)
  }

  public var needs: CalibrationNeeds {
    switch mode {
    case .plain: []
    case .whitened: .activations
    default: [.activations, .data]
    }
  }

  /// Compresses group after group.
  ///
  /// Figures of a layer: `beta`, `ratio` and `ratio at lowest beta` (of the range; at zero for a fixed beta), `damping`,
  /// `local error` ‖(W' - W) X‖ / ‖W X‖ and `cumulative error` ‖W' X - W X_f‖ / ‖W X_f‖.
  /// - Throws: `InvalidArgument`, with the layer's name, for a fraction outside (0, 1], a beta or range outside [0, 1],
  ///   data that is missing, inputs that are not finite, or a second moment that no damping repairs.
  /// - Complexity: for g groups g evaluations of the network up to that group (2 g when its inputs do not fit in `memory`),
  ///   and O(N n² + n³ + m n² + min(m, n)³) a layer, with a symmetric eigenvalue problem more for each beta tried.
  public func compress<Model: SequentialLinearGroups<Float>>(
    _ model: Model, keeping fraction: Double, calibration: Calibration?, data: CalibrationData<Model>?,
    where isIncluded: (String) -> Bool, progress: WorkProgress
  ) throws -> NetworkCompression<Model> {
    try validate()
    _ = try lowRank(keeping: fraction, of: [1, 1])
    let groups = try chosenGroups(of: model, where: isIncluded)
    let weights = Dictionary(uniqueKeysWithValues: model.linearLayers).mapValues(\.weight)
    var sweep = try Sweep(model: model, groups: groups, data: data, mode: mode, memory: memory)
    var layers: [NetworkCompression<Model>.Layer] = []
    for (i, group) in groups.enumerated() {
      try progress.report(i, of: groups.count, group[0])
      let original = calibration?[group[0]]?.activations
      guard needs.isEmpty || original != nil else {
        throw InvalidArgument(group[0], found: "no calibration", wanted: "moments of its inputs")
      }
      let fit = try naming(group[0]) { try sweep.fit(group[0], original: original) }
      let root = try fit.moments.map { moments in
        try naming(group[0]) { try DampedRoot(of: moments.gram, damping: damping) }
      }
      let targets = try group.map { name in
        try naming(name) { try target(weights[name] ?? .zeros([0, 0]), fit.moments, root) }
      }
      let ranks = try group.map { try lowRank(keeping: fraction, of: weights[$0]?.shape ?? [1, 1]) }
      let shared = try heldOutBeta(targets, ranks, fit)
      var forms: [(name: String, form: LinearForm<Float>?)] = []
      for (j, name) in group.enumerated() {
        let weight = weights[name] ?? .zeros([0, 0])
        let result = try naming(name) { try compress(weight, ranks[j], targets[j], shared, fit, original) }
        forms.append((name, result.form))
        layers.append(.init(name: name, shape: weight.shape, result: result))
      }
      sweep.install(forms)
    }
    try progress.report(groups.count, of: groups.count)
    return NetworkCompression(model: sweep.current, layers: layers)
  }

  private func validate() throws {
    switch mode {
    case .cumulative(let beta):
      guard 0...1 ~= beta else { throw InvalidArgument("beta", found: "\(beta)", wanted: "in [0, 1]") }
    case .adaptive(let range):
      guard range.lowerBound >= 0, range.upperBound <= 1 else {
        throw InvalidArgument("range", found: "\(range)", wanted: "within [0, 1]")
      }
    default: break
    }
  }

  private func target(
    _ weight: Tensor<Float>, _ moments: ActivationMoments?, _ root: DampedRoot?
  ) throws -> CumulativeTarget? {
    try weight.requireMatrix("weight")
    guard let moments, let root else { return nil }
    guard weight.columns == moments.width else {
      throw InvalidArgument("moments", found: "\(moments.width) inputs", wanted: "\(weight.columns)")
    }
    return try CumulativeTarget(weight: weight, moments: moments, root: root)
  }

  /// The one beta of a group, where it is not each layer's own.
  private func heldOutBeta(_ targets: [CumulativeTarget?], _ ranks: [Int?], _ fit: SweepMoments) throws -> Double? {
    guard mode == .heldOut, let heldOut = fit.heldOut else { return nil }
    let grid = [0, 0.25, 0.5, 0.75, 1]
    let errors = try grid.map { beta in
      try zip(targets, ranks).reduce(0.0) { sum, layer in
        guard let target = layer.0, let rank = layer.1 else { return sum }
        let change = try target.factors(rank: rank, beta: beta).reconstructed() - target.weight
        return sum + alignment(change, target.weight, heldOut)
      }
    }
    return zip(grid, errors).min { $0.1 < $1.1 }?.0
  }

  /// ‖W' X - W X_f‖² without ‖W E‖², by the change W' - W.
  private func alignment(_ change: Tensor<Double>, _ weight: Tensor<Double>, _ moments: ActivationMoments) -> Double {
    let cross = moments.cross.map { inner(weight.matmul($0), change) } ?? 0
    return inner(change.matmul(moments.gram), change) - 2 * cross
  }

  private func compress(
    _ weight: Tensor<Float>, _ rank: Int?, _ target: CumulativeTarget?, _ shared: Double?, _ fit: SweepMoments,
    _ original: ActivationMoments?
  ) throws -> CompressedLayer {
    guard let rank else { return CompressedLayer(form: nil) }
    guard let target, let moments = fit.moments else {
      let factors = try FactoredMatrix(truncating: weight, rank: rank)
      return CompressedLayer(
        form: .lowRank(left: factors.left, right: factors.right),
        figures: [("weight error", factors.relativeError(to: weight))])
    }
    var figures: [(name: String, value: Double)] = []
    var beta = 0.0
    var lowest = 0.0
    switch mode {
    case .cumulative(let fixed): beta = fixed
    case .adaptive(let range):
      let search = try target.search(rank: rank, range: range, solver: solver)
      (beta, lowest) = (search.beta, range.lowerBound)
      figures = [("ratio", search.ratio)]
    case .heldOut: beta = shared ?? 0
    default: break
    }
    if figures.isEmpty { figures = [("ratio", try target.ratio(rank: rank, beta: beta))] }
    figures.insert(("beta", beta), at: 0)
    figures.append(("ratio at lowest beta", try target.ratio(rank: rank, beta: lowest)))
    let factors = try target.factors(rank: rank, beta: beta)
    let change = factors.reconstructed() - target.weight
    let local = inner(change.matmul(moments.gram), change)
    let output = inner(target.weight.matmul(moments.gram), target.weight)
    figures.append(("local error", relative(local, output)))
    if let original, moments.cross != nil, original.tokens == moments.tokens {
      // ‖W E‖² = ‖W X_f‖² - ‖W X‖² - 2 <W X, W E>.
      let reference = inner(target.weight.matmul(original.gram), target.weight)
      let mixed = moments.cross.map { inner(target.weight.matmul($0), target.weight) } ?? 0
      let error = alignment(change, target.weight, moments) + reference - output - 2 * mixed
      figures.append(("cumulative error", relative(error, reference)))
    }
    figures.append(("damping", target.damping))
    let warnings =
      moments.isUnderdetermined
      ? ["\(moments.tokens) tokens for \(moments.width) inputs: the second moment is singular, and was damped"] : []
    return CompressedLayer(
      form: .lowRank(left: Tensor<Float>(factors.left), right: Tensor<Float>(factors.right)), figures: figures,
      warnings: warnings)
  }

  private func relative(_ square: Double, _ total: Double) -> Double {
    total > 0 ? (max(square, 0) / total).squareRoot() : 0
  }
}
