// What a low-rank network becomes: layers in pairs.

import Convolutions
public import LinearAlgebra
public import Networks
public import Tensors

/// One layer before and after factoring.
public struct FactoredLayerReport: Sendable, Hashable {
  public var name: String
  public var matricisation: Matricisation
  public var rank: Int
  /// Whether two layers took its place: not where they would be larger.
  public var isFactored: Bool
  public var parametersBefore: Int, parametersAfter: Int
  /// Multiplications for one example; nil where the size of the layer's output is not known.
  public var multiplicationsBefore: Int?, multiplicationsAfter: Int?
  /// ‖W - W_r‖ / ‖W‖. Where this is not rounding alone, statistics of normalisations are worth taking again.
  public var relativeError: Double
}

/// A network before and after factoring.
public struct FactorisationReport: Sendable, Hashable {
  public var layers: [FactoredLayerReport]
  /// Of the whole network.
  public var parametersBefore: Int, parametersAfter: Int

  /// Parameters that are left, as a share.
  public var keptFraction: Double { Double(parametersAfter) / Double(parametersBefore) }

  /// Multiplications before over those after, in the layers whose output is known.
  public var speedUp: Double? {
    let known = layers.filter { $0.multiplicationsBefore != nil }
    let before = known.reduce(0) { $0 + ($1.multiplicationsBefore ?? 0) }
    let after = known.reduce(0) { $0 + ($1.multiplicationsAfter ?? 0) }
    return after > 0 ? Double(before) / Double(after) : nil
  }
}

extension Linear where Scalar: LinearScalar {
  /// Two layers with the truncated weight as their product, the singular values shared evenly.
  public func factored(_ rule: TruncationRule) throws -> (first: Linear, second: Linear) {
    pair(of: try RankTruncation(weight, .dense, rule))
  }

  fileprivate func pair(of truncation: RankTruncation<Scalar>) -> (first: Linear, second: Linear) {
    let factors = truncation.balancedFactors()
    return (Linear(weight: factors.right[0].dense), Linear(weight: factors.left[0].dense, bias: bias))
  }
}

extension Convolution where Scalar: LinearScalar {
  /// Two convolutions that have the truncated filters as their product.
  ///
  /// The stride and padding go to the first (`channel`), along each axis to the one with taps on it (`spatial`), or to
  /// the second (`decoupled`).
  /// - Throws: `InvalidArgument` for filters in groups or without two spatial axes, and rules out of range.
  public func factored(_ matricisation: Matricisation, _ rule: TruncationRule) throws -> (
    first: Convolution, second: Convolution
  ) {
    try pair(of: RankTruncation(weight, matricisation, rule))
  }

  fileprivate func pair(of truncation: RankTruncation<Scalar>) throws -> (first: Convolution, second: Convolution) {
    guard options.groups == 1 else {
      throw InvalidArgument("layer", found: "\(options.groups) groups", wanted: "filters over all channels")
    }
    let shape = weight.shape
    let (outputs, channels, height, width) = (shape[0], shape[1], shape[2], shape[3])
    let rank = truncation.rank
    let (left, right) = truncation.balancedFactors()
    switch truncation.matricisation {
    case .dense: throw InvalidArgument("matricisation", found: "dense", wanted: "one for filters")
    case .channel:
      return (
        Convolution(weight: right.reshaped([rank, channels, height, width]), options),
        Convolution(weight: left.reshaped([outputs, rank, 1, 1]), bias: bias)
      )
    case .spatial:
      let columns = left.reshaped([channels, height, rank]).permuted([2, 0, 1]).reshaped([rank, channels, height, 1])
      let rows = right.reshaped([rank, outputs, width]).permuted([1, 0, 2]).reshaped([outputs, rank, 1, width])
      return (
        Convolution(weight: columns, options.along(axis: 0)),
        Convolution(weight: rows, bias: bias, options.along(axis: 1))
      )
    case .decoupled:
      // Row j of output n sums the channels; its filter then slides over that sum.
      let sums = left.permuted([0, 2, 1]).reshaped([outputs * rank, channels, 1, 1])
      var own = options
      own.groups = outputs
      return (
        Convolution(weight: sums),
        Convolution(weight: right.reshaped([outputs, rank, height, width]), bias: bias, own)
      )
    }
  }
}

extension ConvolutionOptions {
  /// The same along one of two axes; nothing along the other.
  fileprivate func along(axis: Int) -> ConvolutionOptions {
    func kept(_ numbers: [Int], otherwise: Int) -> [Int] {
      let both = numbers.count == 1 ? [numbers[0], numbers[0]] : numbers
      return axis == 0 ? [both[0], otherwise] : [otherwise, both[1]]
    }
    var result = self
    result.stride = kept(stride, otherwise: 1)
    result.padding = kept(padding, otherwise: 0)
    result.paddingBehind = paddingBehind.map { kept($0, otherwise: 0) }
    result.dilation = kept(dilation, otherwise: 1)
    return result
  }
}

/// A network with the listed layers in two parts where that makes them smaller, as a `Sequential`.
///
/// - Parameters:
///   - layers: which weights, and how they are read; names as in `TrainedRankPruning`.
///   - rule: by default all singular values but those that truncation left as rounding.
///   - example: an input of one example, from which the sizes of outputs are learned; nil leaves multiplications of
///     convolutions unknown.
/// - Throws: `InvalidArgument` for a name that is no dense layer or convolution of the network, and rules out of range.
public func factorise<Scalar: LinearScalar>(
  _ model: Sequential<Scalar>, layers: [TrainedRankPruning<Scalar>.Layer], rule: TruncationRule = .relativeValue(1e-4),
  example: Tensor<Scalar>? = nil
) throws -> (model: Sequential<Scalar>, report: FactorisationReport) {
  var reports: [FactoredLayerReport] = []
  var result: [any Layer<Scalar>] = []
  let outputs = example.map { model.intermediates($0) }
  let wanted = Dictionary(uniqueKeysWithValues: layers.map { ($0.name, $0.matricisation) })
  var found: Set<String> = []
  for (i, layer) in model.layers.enumerated() {
    let name = "\(i).weight"
    guard let matricisation = wanted[name] else {
      result.append(layer)
      continue
    }
    found.insert(name)
    let weight: Tensor<Scalar>
    switch layer {
    case let layer as Linear<Scalar>: weight = layer.weight
    case let layer as Convolution<Scalar>: weight = layer.weight
    default: throw InvalidArgument(name, found: "\(type(of: layer))", wanted: "a dense layer or a convolution")
    }
    try matricisation.require(weight.shape, name)
    let truncation = try RankTruncation(weight, matricisation, rule)
    let parameters = matricisation.parameterCount(weight.shape, rank: truncation.rank)
    let isSmaller = parameters < weight.count
    var places = layer is Linear<Scalar> ? (1, 1) : nil
    if let outputs, layer is Convolution<Scalar> {
      let area = outputs[i].shape[2...].reduce(1, *)
      places = (area, area)
    }
    if isSmaller {
      switch layer {
      case let layer as Linear<Scalar>:
        let pair = layer.pair(of: truncation)
        result += [pair.first, pair.second]
      case let layer as Convolution<Scalar>:
        let pair = try layer.pair(of: truncation)
        result += [pair.first, pair.second]
        if let outputs {
          let input = i > 0 ? outputs[i - 1] : example
          if let input { places?.0 = pair.first(input).shape[2...].reduce(1, *) }
        }
      default: break
      }
    } else {
      result.append(layer)
    }
    reports.append(
      FactoredLayerReport(
        name: name, matricisation: matricisation, rank: truncation.rank, isFactored: isSmaller,
        parametersBefore: weight.count, parametersAfter: isSmaller ? parameters : weight.count,
        multiplicationsBefore: places.map { $0.1 * weight.count },
        multiplicationsAfter: places.map { first, second in
          guard isSmaller else { return second * weight.count }
          let firstCount = matricisation.firstFactorCount(weight.shape, rank: truncation.rank)
          return first * firstCount + second * (parameters - firstCount)
        },
        relativeError: isSmaller ? truncation.droppedEnergy.squareRoot() : 0))
  }
  if let missing = layers.first(where: { !found.contains($0.name) }) {
    throw InvalidArgument("layers", found: missing.name, wanted: "names of layers, such as 0.weight")
  }
  let factored = Sequential(result)
  return (
    factored,
    FactorisationReport(
      layers: reports, parametersBefore: model.parameterCount, parametersAfter: factored.parameterCount)
  )
}

/// A perceptron with the listed layers in two parts where that makes them smaller.
public func factorise<Scalar: LinearScalar>(
  _ model: MLP<Scalar>, layers: [TrainedRankPruning<Scalar>.Layer], rule: TruncationRule = .relativeValue(1e-4)
) throws -> (model: Sequential<Scalar>, report: FactorisationReport) {
  try factorise(model.sequential, layers: layers, rule: rule)
}

extension MLP {
  /// The same network as layers in a row, with the same names.
  var sequential: Sequential<Scalar> {
    var parts: [any Layer<Scalar>] = []
    let activation = activation
    for layer in layers { parts += [layer, Mapping { activation($0) }] }
    return Sequential(parts.dropLast())
  }
}

extension Matricisation {
  /// Numbers in the first of the two layers.
  fileprivate func firstFactorCount(_ shape: [Int], rank: Int) -> Int {
    switch self {
    case .dense: rank * shape[1]
    case .channel: rank * shape[1...].reduce(1, *)
    case .spatial: rank * shape[1] * shape[2]
    case .decoupled: shape[0] * rank * shape[1]
    }
  }
}
