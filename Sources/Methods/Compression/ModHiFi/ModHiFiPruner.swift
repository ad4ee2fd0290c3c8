public import LinearAlgebra
public import Networks
public import Tensors

/// Removes neurons, channels or hidden units of a trained network, given nothing but inputs: no labels, no gradients.
///
/// Layer by layer from the front, the components of a layer's input that best explain its output are kept, each
/// contribution multiplied with its best scale; the others go together with what produced them. Inputs are those that
/// the network as it is by then makes of the calibration data.
///
/// ```swift
/// let pruned = try ModHiFiPruner(amount: .fraction(0.5)).prune(network, inputs: images)
/// let small = pruned.network            // half the channels
/// ```
/// - Source: Kashyap et al., NeurIPS 2025, arXiv 2511.19566 ("ModHiFi-P").
public struct ModHiFiPruner: Sendable {
  /// How much goes.
  public enum Amount: Sendable, Hashable {
    /// The same share, in [0, 1), of every layer's components.
    case fraction(Double)
    /// In every layer as many as leave a fidelity of at least 1 - level.
    case level(Double)
    /// How many stay in each layer.
    case counts([Int])
    /// A share, in [0, 1), of the multiplications of all layers that can lose any, taken where fidelity suffers least for
    /// each; weighted by how far errors of a layer can grow behind it where `usesLipschitz`.
    case multiplications(Double, usesLipschitz: Bool)
  }

  /// What happens to the weights that stay.
  public enum Compensation: String, Sendable, Hashable, CaseIterable {
    case none
    /// One factor for each component.
    case scales
    /// The weights that come nearest to the layer's output with the inputs that are left.
    case leastSquares = "least-squares"
  }

  public var amount = Amount.fraction(0.5)
  public var rule = SelectionRule.greedy
  public var compensation = Compensation.scales
  /// Whether contributions are compared without their means, which then go to the bias.
  public var isCentred = false
  /// Whether a dense layer behind flattened channels loses single numbers of them instead of whole channels. The filters
  /// in front then stay.
  public var splitsChannels = false
  /// Added to Gram matrices, relative to the mean of the diagonal.
  public var ridge = 1e-6

  public init(
    amount: Amount = .fraction(0.5), rule: SelectionRule = .greedy, compensation: Compensation = .scales,
    isCentred: Bool = false, splitsChannels: Bool = false, ridge: Double = 1e-6
  ) {
    self.amount = amount
    self.rule = rule
    self.compensation = compensation
    self.isCentred = isCentred
    self.splitsChannels = splitsChannels
    self.ridge = ridge
  }

  /// Prunes the inputs of every dense layer and convolution but the first.
  ///
  /// - Parameters:
  ///   - network: layers in a row; functions between them act on each number by itself.
  ///   - inputs: shape [examples, ...], what the network is used on or something like it.
  /// - Throws: `InvalidArgument` for layers without an additive decomposition, amounts out of range, and inputs that are
  ///   not finite or on which a layer's output is zero.
  /// - Complexity: the passes through the network, and for each layer O(places · inputs²) for the second moments.
  public func prune<Scalar: LinearScalar>(
    _ network: Sequential<Scalar>, inputs: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> PrunedNetwork<Scalar> {
    let links = try network.links(splittingChannels: splitsChannels)
    try requireInputs(inputs, links.count)
    let sizes = try self.sizes(network, links, inputs)
    var masked = network
    var selections: [ComponentSelection] = []
    var reports: [PrunedLayerReport] = []
    for (i, link) in links.enumerated() {
      try progress.report(i, of: links.count)
      let moments = try masked.moments(of: link, over: inputs)
      let weight = try masked.weight(at: link.consumer)
      let gram = try ComponentGram(weight: weight, moments: moments, isCentred: isCentred)
      let selection = try selectComponents(gram, sizes[i], rule: rule, ridge: ridge)
      try replace(&masked, link, weight, selection, moments)
      selections.append(selection)
      reports.append(PrunedLayerReport("\(link.consumer).weight", gram, selection, scaled: compensation == .scales))
    }
    try progress.report(links.count, of: links.count)
    var shrunk = masked
    for (link, selection) in zip(links, selections).reversed() { try shrunk.keep(selection.kept, of: link) }
    return PrunedNetwork(network: shrunk, masked: masked, layers: reports, kept: selections.map(\.kept))
  }

  /// The same for a perceptron: its hidden units.
  public func prune<Scalar: LinearScalar>(
    _ model: MLP<Scalar>, inputs: Tensor<Scalar>, progress: WorkProgress = .silent
  ) throws -> (model: MLP<Scalar>, layers: [PrunedLayerReport]) {
    let pruned = try prune(model.sequential, inputs: inputs, progress: progress)
    var result = model
    result.layers = pruned.network.layers.compactMap { $0 as? Linear<Scalar> }
    return (result, pruned.layers)
  }

  func requireInputs<Scalar: LinearScalar>(_ inputs: Tensor<Scalar>, _ layers: Int) throws {
    guard inputs.rank >= 2, inputs.shape[0] > 0 else {
      throw InvalidArgument("inputs", found: "shape \(inputs.shape)", wanted: "at least one example")
    }
    try inputs.requireFinite("inputs")
    guard layers > 0 else {
      throw InvalidArgument("network", found: "no layer behind another", wanted: "two layers with weights at least")
    }
  }

  // MARK: How many

  /// How many components of each layer stay.
  private func sizes<Scalar: LinearScalar>(
    _ network: Sequential<Scalar>, _ links: [ChainLink], _ inputs: Tensor<Scalar>
  ) throws -> [SelectionSize] {
    switch amount {
    case .fraction(let share): return try links.map { .count(try kept(of: $0.components, removing: share)) }
    case .level(let level): return links.map { _ in .level(level) }
    case .counts(let counts):
      guard counts.count == links.count else {
        throw InvalidArgument("counts", found: "\(counts.count)", wanted: "one for each of \(links.count) layers")
      }
      return counts.map { .count($0) }
    case .multiplications(let share, let usesLipschitz):
      guard share >= 0, share < 1 else {
        throw InvalidArgument("amount", found: "\(share)", wanted: "a share in [0, 1)")
      }
      return try BudgetSplit(network, links, inputs, isCentred, ridge, usesLipschitz).counts(removing: share).map {
        .count($0)
      }
    }
  }

  func kept(of count: Int, removing share: Double) throws -> Int {
    guard share >= 0, share < 1 else { throw InvalidArgument("amount", found: "\(share)", wanted: "a share in [0, 1)") }
    return max(1, count - Int((share * Double(count)).rounded()))
  }

  // MARK: Weights

  /// The weight, of shape [outputs, inputs], with components scaled or gone; and what the mean input loses by it.
  func compensated<Scalar: LinearScalar>(
    _ weight: Tensor<Scalar>, _ selection: ComponentSelection, _ moments: InputMoments<Scalar>
  ) throws -> Tensor<Scalar> {
    let (outputs, width) = (weight.shape[0], moments.width)
    var factors = [Scalar](repeating: 0, count: moments.components)
    for (component, scale) in zip(selection.kept, selection.scales) {
      factors[component] = compensation == .scales ? Scalar(scale) : 1
    }
    let blocks = weight.reshaped([outputs, moments.components, width])
    guard compensation == .leastSquares else {
      return (blocks * Tensor(factors).expanded(axis: 1)).reshaped([outputs, moments.dimension])
    }
    let places = Tensor<Int>(selection.kept.flatMap { c in (0..<width).map { c * width + $0 } })
    let second = moments.secondMoment(isCentred: isCentred)
    let rows = second.gathered(places)
    let own = rows.gathered(places, axis: 1)
    let shift = max(ridge, 1e-12) * own.diagonal.mean().scalar
    let system = try CholeskyDecomposition(of: own.symmetrized + Tensor.identity(places.count) * shift)
    let flat = Tensor<Double>(weight.reshaped([outputs, moments.dimension]))
    let solved = try system.solve(rows.matmul(flat, transposingB: true)).transposed
    let zeros = Tensor<Double>.zeros([outputs, moments.dimension])
    return Tensor<Scalar>(zeros.scatterAdded(solved.dense, at: places, axis: 1))
  }

  private func replace<Scalar: LinearScalar>(
    _ network: inout Sequential<Scalar>, _ link: ChainLink, _ weight: Tensor<Scalar>,
    _ selection: ComponentSelection, _ moments: InputMoments<Scalar>
  ) throws {
    let changed = try compensated(weight, selection, moments)
    var bias = network.bias(at: link.consumer)
    if isCentred {
      let lost = weight.reshaped(changed.shape) - changed
      let shift = Tensor<Scalar>(Tensor<Double>(lost).matmul(moments.mean))
      bias = bias.map { $0 + shift } ?? shift
    }
    network.set(changed.reshaped(weight.shape), bias, at: link.consumer)
  }
}

/// A network after structured pruning.
public struct PrunedNetwork<Scalar: LinearScalar>: Sendable {
  /// Without what was removed.
  public let network: Sequential<Scalar>
  /// Of the original shape, with zeros instead: the same function.
  public let masked: Sequential<Scalar>
  /// From the front.
  public let layers: [PrunedLayerReport]
  /// The components that stay in each layer.
  public let kept: [[Int]]
}

/// What happened to the input of one layer.
public struct PrunedLayerReport: Sendable, Hashable {
  public var name: String
  public var componentCount: Int
  public var keptCount: Int
  /// F of those kept, each with its best scale.
  public var fidelity: Double
  /// The least and the greatest scale used.
  public var leastScale: Double, greatestScale: Double
  /// sqrt(1 - F) sqrt(E‖y‖²): the error of the layer's output, root mean square.
  public var localError: Double

  init(_ name: String, _ gram: ComponentGram, _ selection: ComponentSelection, scaled: Bool) {
    self.name = name
    componentCount = gram.count
    keptCount = selection.kept.count
    fidelity = selection.fidelity
    leastScale = scaled ? selection.scales.min() ?? 1 : 1
    greatestScale = scaled ? selection.scales.max() ?? 1 : 1
    localError = ((1 - selection.fidelity) * gram.total).squareRoot()
  }
}

/// A share of all multiplications, taken where fidelity suffers least for each.
private struct BudgetSplit {
  private struct Layer {
    /// F of the best k components, by k.
    let fidelities: [Double]
    let weight: Double
    /// Multiplications that go with one component, here and in its producer.
    let cost: Double
  }
  private let layers: [Layer]

  init<Scalar: LinearScalar>(
    _ network: Sequential<Scalar>, _ links: [ChainLink], _ inputs: Tensor<Scalar>, _ isCentred: Bool, _ ridge: Double,
    _ usesLipschitz: Bool
  ) throws {
    let outputs = network.intermediates(inputs[0..<1])
    func places(_ i: Int) -> Double { Double(outputs[i].shape.dropFirst(2).reduce(1, *)) }
    var behind = [Double](repeating: 1, count: network.layers.count + 1)
    if usesLipschitz {
      for i in network.layers.indices.reversed() {
        behind[i] =
          behind[i + 1] * (try network.lipschitzConstant(at: i, input: i > 0 ? outputs[i - 1] : inputs[0..<1]))
      }
    }
    layers = try links.map { link in
      let weight = try network.weight(at: link.consumer)
      let moments = try network.moments(of: link, over: inputs)
      let gram = try ComponentGram(weight: weight, moments: moments, isCentred: isCentred)
      let fanIn = Double(try network.weight(at: link.producer).shape[1...].reduce(1, *))
      let own = Double(weight.count / link.components) * places(link.consumer)
      let growth = usesLipschitz ? gram.total * behind[link.consumer + 1] * behind[link.consumer + 1] : 1
      return Layer(
        fidelities: greedyFidelities(gram, ridge: ridge).fidelities, weight: growth,
        cost: own + (link.isFlattened ? 0 : fanIn * places(link.producer)))
    }
  }

  /// How many components of each layer stay.
  func counts(removing share: Double) -> [Int] {
    var counts = layers.map { $0.fidelities.count - 1 }
    let total = layers.reduce(0) { $0 + $1.cost * Double($1.fidelities.count - 1) }
    var removed = 0.0
    while removed < share * total {
      var (cheapest, price) = (-1, Double.infinity)
      for (i, layer) in layers.enumerated() where counts[i] > 1 {
        let loss = layer.fidelities[counts[i]] - layer.fidelities[counts[i] - 1]
        let own = layer.weight * loss / layer.cost
        if own < price { (cheapest, price) = (i, own) }
      }
      guard cheapest >= 0 else { break }
      counts[cheapest] -= 1
      removed += layers[cheapest].cost
    }
    return counts
  }
}
