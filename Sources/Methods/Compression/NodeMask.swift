// Sub-networks of a perceptron that use some of its hidden nodes.

public import Networks
public import Tensors

/// A choice of the hidden nodes of a perceptron.
public struct NodeMask: Sendable, Hashable {
  /// The kept nodes of each hidden layer, increasing.
  public let layers: [[Int]]
  /// The widths of the hidden layers that these are chosen from.
  public let widths: [Int]

  /// How random masks are drawn.
  public enum Sampling: Sendable, Hashable {
    /// max(1, round((1 - sparsity) · width)) nodes of each layer, all choices equally likely.
    case exact
    /// Each node by itself with probability 1 - sparsity; an empty layer gets one node.
    case bernoulli
  }

  /// - Throws: `InvalidArgument` when layers and widths do not fit, a layer is empty, or nodes do not increase or are
  ///   out of range.
  public init(layers: [[Int]], widths: [Int]) throws {
    guard layers.count == widths.count else {
      throw InvalidArgument("layers", found: "\(layers.count) layers", wanted: "\(widths.count), one for each width")
    }
    for (layer, width) in zip(layers, widths) {
      guard let first = layer.first, let last = layer.last, first >= 0, last < width,
        zip(layer, layer.dropFirst()).allSatisfy({ $0 < $1 })
      else {
        throw InvalidArgument("layers", found: "\(layer)", wanted: "at least one node, increasing, below \(width)")
      }
    }
    self.layers = layers
    self.widths = widths
  }

  /// A random mask.
  ///
  /// - Parameters:
  ///   - widths: of the hidden layers.
  ///   - sparsity: the share of nodes left out, in [0, 1).
  /// - Throws: `InvalidArgument`.
  public init(
    randomOf widths: [Int], sparsity: Double, sampling: Sampling = .exact, random: inout RandomStream
  ) throws {
    guard sparsity >= 0, sparsity < 1 else {
      throw InvalidArgument("sparsity", found: "\(sparsity)", wanted: "at least 0 and below 1")
    }
    guard let least = widths.min(), least >= 1 else {
      throw InvalidArgument("widths", found: "\(widths)", wanted: "hidden layers of at least one node")
    }
    layers = widths.map { width in
      if sampling == .exact {
        let count = max(1, Int(((1 - sparsity) * Double(width)).rounded()))
        return random.sample(count, below: width).scalars.sorted()
      }
      let kept = random.bernoulli([width], probability: 1 - sparsity).trueIndices.scalars
      return kept.isEmpty ? random.sample(1, below: width).scalars : kept
    }
    self.widths = widths
  }

  /// The share of hidden nodes left out.
  public var sparsity: Double {
    1 - Double(layers.reduce(0) { $0 + $1.count }) / Double(max(widths.reduce(0, +), 1))
  }

  /// The number of weights and biases of the sub-network.
  public func parameterCount(inputs: Int, outputs: Int) -> Int {
    let counts = [inputs] + layers.map(\.count) + [outputs]
    return zip(counts, counts.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 + $1.1 }
  }

  /// The share of the parent's weights, biases not counted, that the sub-network does not use.
  public func weightSparsity(inputs: Int, outputs: Int) -> Double {
    func weights(_ hidden: [Int]) -> Double {
      let counts = [inputs] + hidden + [outputs]
      return zip(counts, counts.dropFirst()).reduce(0.0) { $0 + Double($1.0 * $1.1) }
    }
    return 1 - weights(layers.map(\.count)) / weights(widths)
  }

  /// This mask with `count` kept nodes of each layer exchanged for ones left out, as far as there are any.
  public func exchanging(_ count: Int, random: inout RandomStream) -> NodeMask {
    let changed = zip(layers, widths).map { kept, width in
      let isKept = Set(kept)
      let others = (0..<width).filter { !isKept.contains($0) }
      let number = min(count, min(kept.count, others.count))
      let leaving = Set(random.sample(number, below: kept.count).scalars)
      let entering = random.sample(number, below: others.count).scalars.map { others[$0] }
      return (kept.indices.filter { !leaving.contains($0) }.map { kept[$0] } + entering).sorted()
    }
    return NodeMask(trusted: changed, widths: widths)
  }

  private init(trusted layers: [[Int]], widths: [Int]) { (self.layers, self.widths) = (layers, widths) }
}

extension MLP {
  /// The widths of the hidden layers.
  public var hiddenWidths: [Int] { layers.dropLast().map(\.outputs) }

  /// The sub-network of some hidden nodes as a small dense perceptron, with this one's weights.
  ///
  /// - Throws: `InvalidArgument` when the mask is for other widths.
  public func extracted(_ mask: NodeMask) throws -> MLP {
    try requireFit(mask)
    var result = self
    result.layers = layers.indices.map { l in
      var weight = layers[l].weight
      var bias = layers[l].bias
      if l < mask.layers.count {
        let kept = Tensor(mask.layers[l])
        weight = weight.gathered(kept)
        bias = bias?.gathered(kept)
      }
      if l > 0 { weight = weight.gathered(Tensor(mask.layers[l - 1]), axis: 1) }
      return Linear(weight: weight, bias: bias)
    }
    return result
  }

  /// A network of this one's shape that computes what the sub-network does: its weights in their places, zero elsewhere.
  ///
  /// - Throws: `InvalidArgument` when mask and sub-network do not fit.
  public func embedding(_ small: MLP, _ mask: NodeMask) throws -> MLP {
    try requireFit(mask)
    guard small.hiddenWidths == mask.layers.map(\.count) else {
      throw InvalidArgument(
        "network", found: "hidden widths \(small.hiddenWidths)", wanted: "\(mask.layers.map(\.count)), as the mask")
    }
    var result = self
    for l in layers.indices {
      let rows = l < mask.layers.count ? mask.layers[l] : Array(0..<layers[l].outputs)
      let columns = l > 0 ? mask.layers[l - 1] : Array(0..<layers[l].inputs)
      let wide = Tensor<Scalar>.zeros([rows.count, layers[l].inputs])
        .scatterAdded(small.layers[l].weight, at: Tensor(columns), axis: 1)
      result.layers[l].weight = Tensor.zeros(layers[l].weight.shape).scatterAdded(wide, at: Tensor(rows))
      if let bias = small.layers[l].bias {
        result.layers[l].bias = Tensor.zeros([layers[l].outputs]).scatterAdded(bias, at: Tensor(rows))
      }
    }
    return result
  }

  fileprivate func requireFit(_ mask: NodeMask) throws {
    guard mask.widths == hiddenWidths else {
      throw InvalidArgument("mask", found: "widths \(mask.widths)", wanted: "\(hiddenWidths), the network's")
    }
  }
}

/// Losses of many sub-networks of one perceptron on one batch.
///
/// What the first hidden layer's nodes do with the batch does not depend on which of them are kept: it is computed once,
/// and an evaluation costs the small layers behind it.
public struct SubnetworkLoss<Scalar: RealScalar>: Sendable {
  private let parent: MLP<Scalar>
  /// Activations of the first hidden layer, shape [nodes, examples].
  private let first: Tensor<Scalar>
  private let labels: Tensor<Int>

  /// - Parameters: x, shape [examples, inputs]; labels, shape [examples].
  /// - Throws: `InvalidArgument` for a parent without hidden layers, or data that do not fit.
  public init(parent: MLP<Scalar>, x: Tensor<Scalar>, labels: Tensor<Int>) throws {
    guard parent.layers.count >= 2 else {
      throw InvalidArgument("parent", found: "no hidden layer", wanted: "at least one")
    }
    guard x.rank == 2, x.columns == parent.layers[0].inputs, labels.shape == [x.rows], x.rows > 0 else {
      throw InvalidArgument(
        "x", found: "shape \(x.shape) with labels of shape \(labels.shape)",
        wanted: "shape [examples, \(parent.layers[0].inputs)] and a label for each")
    }
    self.parent = parent
    self.labels = labels
    first = parent.activation(parent.layers[0](x)).transposed.dense
  }

  /// The scores of the sub-network, shape [examples, outputs].
  public func logits(_ mask: NodeMask) throws -> Tensor<Scalar> {
    try parent.requireFit(mask)
    var x = first.gathered(Tensor(mask.layers[0]))
    for l in 1..<parent.layers.count {
      var weight = parent.layers[l].weight.gathered(Tensor(mask.layers[l - 1]), axis: 1)
      var bias = parent.layers[l].bias
      let isHidden = l < mask.layers.count
      if isHidden {
        let kept = Tensor(mask.layers[l])
        weight = weight.gathered(kept)
        bias = bias?.gathered(kept)
      }
      x = weight.matmul(x)
      if let bias { x = x + bias.expanded(axis: 1) }
      if isHidden { x = parent.activation(x) }
    }
    return x.transposed
  }

  /// The mean cross-entropy of the untrained sub-network.
  public func callAsFunction(_ mask: NodeMask) throws -> Double {
    Double(crossEntropy(try logits(mask), labels: labels).scalar)
  }

  /// The share of examples that the untrained sub-network has wrong.
  public func errorRate(_ mask: NodeMask) throws -> Double {
    let right = (try logits(mask).argmax(axis: 1) .== labels).scalars.count { $0 }
    return 1 - Double(right) / Double(labels.count)
  }
}
