// A network of layers in a row, as a chain of those whose inputs are components of their outputs.

import Convolutions
import LinearAlgebra
import Networks
import Tensors

/// A dense layer or a convolution, its producer, and what lies between.
struct ChainLink {
  /// Positions in the row of layers.
  let producer: Int, consumer: Int
  /// Outputs of the producer, which are the components of the consumer's input.
  let components: Int
  /// Inputs of the consumer that belong to a component.
  let width: Int
  /// Positions of normalisations of the components.
  let normalizations: [Int]
  /// Whether components are single numbers of flattened channels: the producer then stays as it is.
  let isFlattened: Bool
}

extension Sequential where Scalar: LinearScalar {
  /// Every dense layer and convolution that has another before it.
  ///
  /// - Parameter splitsChannels: whether the single numbers of flattened channels count as components.
  /// - Throws: `InvalidArgument` where something lies between that does not act on each channel by itself.
  func links(splittingChannels splitsChannels: Bool) throws -> [ChainLink] {
    var links: [ChainLink] = []
    var producer: (position: Int, outputs: Int)?
    var normalizations: [Int] = []
    for (i, layer) in layers.enumerated() {
      switch layer {
      case is Linear<Scalar>, is Convolution<Scalar>:
        let weight = try weight(at: i)
        if let producer {
          let inputs = weight.shape[1...].reduce(1, *)
          guard inputs % producer.outputs == 0 else {
            throw InvalidArgument(
              "\(i).weight", found: "shape \(weight.shape)", wanted: "inputs for \(producer.outputs) components")
          }
          let isFlattened = splitsChannels && weight.rank == 2 && inputs > producer.outputs
          links.append(
            ChainLink(
              producer: producer.position, consumer: i, components: isFlattened ? inputs : producer.outputs,
              width: isFlattened || weight.rank > 2 ? 1 : inputs / producer.outputs, normalizations: normalizations,
              isFlattened: isFlattened))
        }
        producer = (i, weight.shape[0])
        normalizations = []
      case is BatchNorm<Scalar>: normalizations.append(i)
      case is Mapping<Scalar>, is Flatten<Scalar>, is MaximumPooling<Scalar>, is AveragePooling<Scalar>,
        is AdaptiveAveragePooling<Scalar>, is Dropout<Scalar>:
        break
      default:
        throw InvalidArgument(
          "layer \(i)", found: "\(type(of: layer)), which has no contributions of single channels",
          wanted:
            "dense layers and convolutions with functions of single numbers, pooling, normalisation or dropout between")
      }
    }
    return links
  }

  /// The weight of the dense layer or convolution at a position.
  func weight(at i: Int) throws -> Tensor<Scalar> {
    switch layers[i] {
    case let layer as Linear<Scalar>: return layer.weight
    case let layer as Convolution<Scalar>:
      guard layer.options.groups == 1 else {
        throw InvalidArgument(
          "\(i).weight", found: "\(layer.options.groups) groups", wanted: "filters over all channels")
      }
      return layer.weight
    default:
      throw InvalidArgument("layer \(i)", found: "\(type(of: layers[i]))", wanted: "a dense layer or a convolution")
    }
  }

  /// What the layers before a position hand on.
  func input(of position: Int, _ x: Tensor<Scalar>) -> Tensor<Scalar> {
    layers[..<position].reduce(x) { $1($0, in: .inference) }
  }

  /// Replaces weight and bias at a position.
  mutating func set(_ weight: Tensor<Scalar>, _ bias: Tensor<Scalar>?, at i: Int) {
    switch layers[i] {
    case is Linear<Scalar>: layers[i] = Linear(weight: weight, bias: bias)
    case let layer as Convolution<Scalar>: layers[i] = Convolution(weight: weight, bias: bias, layer.options)
    default: preconditionFailure("layer \(i) has no weight")
    }
  }

  func bias(at i: Int) -> Tensor<Scalar>? {
    switch layers[i] {
    case let layer as Linear<Scalar>: layer.bias
    case let layer as Convolution<Scalar>: layer.bias
    default: nil
    }
  }

  /// Empty moments for the inputs of a link's consumer.
  func moments(of link: ChainLink) throws -> InputMoments<Scalar> {
    if let layer = layers[link.consumer] as? Convolution<Scalar> {
      return try InputMoments(convolutionOf: layer.weight.shape, layer.options)
    }
    return InputMoments(components: link.components, width: link.width)
  }

  /// Moments of those inputs over batches of 64 examples.
  func moments(of link: ChainLink, over inputs: Tensor<Scalar>) throws -> InputMoments<Scalar> {
    var moments = try moments(of: link)
    for start in stride(from: 0, to: inputs.shape[0], by: 64) {
      try moments.add(input(of: link.consumer, inputs[start..<min(start + 64, inputs.shape[0])]))
    }
    return moments
  }

  /// Takes away all but the given components of a link; positions behind it may change.
  mutating func keep(_ kept: [Int], of link: ChainLink) throws {
    let places = Tensor<Int>(kept)
    if link.isFlattened {
      let weight = try weight(at: link.consumer).gathered(places, axis: 1)
      set(weight, bias(at: link.consumer), at: link.consumer)
      layers.insert(Mapping { $0.gathered(places, axis: 1) }, at: link.consumer)
      return
    }
    let (producer, consumer) = (try weight(at: link.producer), try weight(at: link.consumer))
    set(producer.gathered(places), bias(at: link.producer)?.gathered(places), at: link.producer)
    for i in link.normalizations {
      guard var normalization = layers[i] as? BatchNorm<Scalar> else { continue }
      normalization.forEachTensor { _, _, tensor in tensor = tensor.gathered(places) }
      layers[i] = normalization
    }
    let blocks = consumer.reshaped([consumer.shape[0], link.components, -1]).gathered(places, axis: 1)
    let shape =
      layers[link.consumer] is Convolution<Scalar>
      ? [consumer.shape[0], kept.count] + consumer.shape[2...] : [consumer.shape[0], kept.count * link.width]
    set(blocks.reshaped(shape), bias(at: link.consumer), at: link.consumer)
  }
}
