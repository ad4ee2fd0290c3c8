// Hidden units of a decoder's feed-forward layers, and the heads of its attention.

public import LinearAlgebra
public import Networks
public import Tensors

extension ModHiFiPruner {
  /// Removes hidden units of the feed-forward layers: rows of gate and up, columns of down.
  ///
  /// Every layer keeps as many, so that the model is one of a smaller `hidden` and is saved and loaded as ever.
  /// - Parameter calibration: tokens, shape [windows, positions].
  /// - Throws: `InvalidArgument` for an amount that is neither a fraction nor equal counts, and settings out of range.
  public func prune<Scalar: LinearScalar>(
    _ model: GPT<Scalar>, calibration: Tensor<Int>, progress: WorkProgress = .silent
  ) throws -> (model: GPT<Scalar>, layers: [PrunedLayerReport]) {
    guard calibration.rank == 2, calibration.count > 0 else {
      throw InvalidArgument("calibration", found: "shape \(calibration.shape)", wanted: "[windows, positions]")
    }
    guard !isCentred else {
      throw InvalidArgument("isCentred", found: "true", wanted: "false: feed-forward layers have no bias for the means")
    }
    let hidden = model.configuration.hidden
    let count: Int
    switch amount {
    case .fraction(let share): count = try kept(of: hidden, removing: share)
    case .counts(let counts) where counts.count == model.blocks.count && Set(counts).count == 1: count = counts[0]
    default:
      throw InvalidArgument("amount", found: "\(amount)", wanted: "a fraction, or the same count for every layer")
    }
    var configuration = model.configuration
    configuration.hidden = count
    var random = RandomStream(seed: 0)
    var result = try GPT<Scalar>(configuration, random: &random)
    (result.embedding, result.norm, result.head) = (model.embedding, model.norm, model.head)
    var reports: [PrunedLayerReport] = []
    var x = model.embedding(calibration)
    for (i, block) in model.blocks.enumerated() {
      try progress.report(i, of: model.blocks.count)
      x += block.attention(block.attentionNorm(x), in: .inference)
      let inner = block.feedForwardNorm(x)
      var layer = block.feedForward
      let units = swiGLU(gate: layer.gateProjection(inner), up: layer.upProjection(inner))
      var moments = InputMoments<Scalar>(components: hidden)
      try moments.add(units)
      let weight = layer.downProjection.weight
      let gram = try ComponentGram(weight: weight, moments: moments)
      let selection = try selectComponents(gram, .count(count), rule: rule, ridge: ridge)
      let places = Tensor<Int>(selection.kept)
      layer.gateProjection = Linear(weight: layer.gateProjection.weight.gathered(places))
      layer.upProjection = Linear(weight: layer.upProjection.weight.gathered(places))
      let down = try compensated(weight, selection, moments).gathered(places, axis: 1)
      layer.downProjection = Linear(weight: down)
      result.blocks[i] = block
      result.blocks[i].feedForward = layer
      x += layer(inner, in: .inference)
      reports.append(PrunedLayerReport("layers.\(i).mlp", gram, selection, scaled: compensation == .scales))
    }
    try progress.report(model.blocks.count, of: model.blocks.count)
    return (result, reports)
  }
}

extension ComponentGram {
  /// The Gram matrix of what the heads of an attention contribute to its output.
  ///
  /// - Parameter inputs: of the attention, shape [batch, positions, width].
  public init<Scalar: LinearScalar>(
    headsOf attention: Attention<Scalar>, inputs: Tensor<Scalar>
  ) throws {
    var open = attention
    let width = attention.outputProjection.inputs
    open.outputProjection = Linear(weight: .identity(width))
    var moments = InputMoments<Scalar>(components: attention.heads, width: width / attention.heads)
    try moments.add(open(inputs, in: .inference))
    try self.init(weight: attention.outputProjection.weight, moments: moments)
  }
}
