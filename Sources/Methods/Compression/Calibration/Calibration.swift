public import Networks
public import Tensors

/// What is known of the data that goes through one linear layer.
public struct LayerCalibration: Sendable {
  /// Of the layer's inputs.
  public var activations: ActivationMoments?
  /// Of the loss's gradient with respect to its weight.
  public var fisher: FisherMoments?

  public init(activations: ActivationMoments? = nil, fisher: FisherMoments? = nil) {
    (self.activations, self.fisher) = (activations, fisher)
  }
}

/// Statistics of a network's linear layers by name. Layers with one input share its moments.
///
/// Those of disjoint sets of data merge, so that a pass can be split or resumed.
public struct Calibration: Sendable {
  /// The moments of each input, by the name of the first layer that has it.
  public private(set) var activations: [String: ActivationMoments]
  public private(set) var fisher: [String: FisherMoments]
  /// The first layer with the same input, by the name of each layer.
  public private(set) var inputs: [String: String]

  public init(
    groups: [[String]] = [], activations: [String: ActivationMoments] = [:], fisher: [String: FisherMoments] = [:]
  ) {
    (self.activations, self.fisher) = (activations, fisher)
    inputs = [:]
    for group in groups { for layer in group { inputs[layer] = group[0] } }
  }

  /// What is known of a layer; nothing when it was not met.
  public subscript(layer: String) -> LayerCalibration? {
    let found = LayerCalibration(
      activations: inputs[layer].flatMap { activations[$0] } ?? activations[layer], fisher: fisher[layer])
    return found.activations == nil && found.fisher == nil ? nil : found
  }

  /// Takes in what was gathered from other data.
  ///
  /// - Throws: `InvalidArgument` with the name of a layer whose statistics are of another shape or kind.
  public mutating func merge(_ other: Calibration) throws {
    inputs.merge(other.inputs) { mine, _ in mine }
    for (name, moments) in other.activations {
      try naming(name) {
        var mine = activations[name] ?? ActivationMoments(width: moments.width)
        try mine.merge(moments)
        activations[name] = mine
      }
    }
    for (name, moments) in other.fisher {
      try naming(name) {
        var mine = fisher[name] ?? FisherMoments(shape: moments.squares.shape)
        try mine.merge(moments)
        fisher[name] = mine
      }
    }
  }

  /// Tokens that went through the layer about which least is known; nothing without activations.
  public var fewestTokens: Int? { activations.values.map(\.tokens).min() }
}

/// What a calibration sends through a network, batch by batch.
public struct CalibrationData<Model: Module<Float>>: Sendable {
  /// The number of batches.
  public var count: Int
  /// Evaluates a model on a batch; the outputs do not matter.
  public var evaluate: @Sendable (_ model: Model, _ batch: Int) throws -> Void
  /// The loss of each example of a batch, which lie on the first axis of every layer's input; shape [examples].
  public var losses: (@Sendable (_ model: Model, _ batch: Int) throws -> Tensor<Float>)?
  /// Which tokens of a batch count, in the shape of the layers' inputs without the last axis; all unless given. Padding
  /// does not count.
  public var counted: (@Sendable (_ batch: Int) -> Tensor<Bool>)?

  public init(
    count: Int, evaluate: @escaping @Sendable (_ model: Model, _ batch: Int) throws -> Void,
    losses: (@Sendable (_ model: Model, _ batch: Int) throws -> Tensor<Float>)? = nil,
    counted: (@Sendable (_ batch: Int) -> Tensor<Bool>)? = nil
  ) {
    (self.count, self.evaluate, self.losses, self.counted) = (count, evaluate, losses, counted)
  }
}

extension CalibrationData where Model == GPT<Float> {
  /// Windows of tokens for a language model, each of shape [sequences, positions]. Losses are sums over the positions of
  /// a sequence.
  public init(tokens: [Tensor<Int>]) {
    self.init(
      count: tokens.count, evaluate: { model, batch in _ = model(tokens[batch]) },
      losses: { model, batch in
        let window = tokens[batch]
        let length = window.columns - 1
        let scores = model(window[.all, 0..<length])
        return crossEntropy(scores, labels: window[.all, 1...], reduction: .none).sum(axis: 1)
      })
  }
}

func naming<Result>(_ layer: String, _ body: () throws -> Result) throws -> Result {
  do { return try body() } catch let error as InvalidArgument {
    throw InvalidArgument(layer, found: "\(error.name): \(error.found)", wanted: error.wanted)
  }
}
