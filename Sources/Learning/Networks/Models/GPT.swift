// A decoder in LLaMA's layout: normalisation by root mean square, rotary positions, gated feed-forward layers.

public import FileFormats
public import Tensors

/// A language model that predicts each token from those before it.
///
/// Parameters have the names of Hugging Face's `LlamaForCausalLM`, whose checkpoints load.
///
/// ```swift
/// var model = try GPT<Float>(GPTConfiguration(vocabulary: 256), random: &random)
/// let step = model.valueAndGradient { $0.loss(tokens) }
/// let text = try model.generate([10], count: 100, temperature: 0.8, random: &random)
/// ```
/// - Source: Touvron et al., "LLaMA", 2023.
public struct GPT<Scalar: RealScalar>: Module {
  public let configuration: GPTConfiguration
  public var embedding: Embedding<Scalar>
  public var blocks: [DecoderBlock<Scalar>]
  public var norm: RMSNorm<Scalar>
  /// The output projection; nil where it is the embedding's weight.
  public var head: Linear<Scalar>?
  let dropout: Dropout<Scalar>

  /// A model with random weights: normal of deviation 0.02, those before a residual sum less by √(2 layers).
  ///
  /// - Throws: `InvalidArgument` when no such model can exist.
  public init(_ configuration: GPTConfiguration, random: inout RandomStream) throws {
    try configuration.validate()
    self.configuration = configuration
    let initializer = Initializer.normal(deviation: 0.02)
    let positions = RotaryPositions<Scalar>(
      width: configuration.headWidth, count: configuration.contextLength, base: configuration.rotaryBase)
    embedding = Embedding(
      configuration.vocabulary, configuration.width, initializer: initializer, random: &random)
    blocks = (0..<configuration.layers).map { _ in
      DecoderBlock(configuration, positions: positions, random: &random)
    }
    norm = RMSNorm(configuration.width, epsilon: configuration.epsilon)
    head =
      configuration.isTied
      ? nil : Linear(weight: initializer([configuration.vocabulary, configuration.width], from: &random))
    dropout = Dropout(configuration.dropout)
  }

  /// The model in a checkpoint that says its configuration, as `save(to:metadata:)` with
  /// `configuration.metadata` writes it.
  ///
  /// - Throws: `FileError`, `InvalidArgument` or `StateMismatch` when the file is not such a checkpoint.
  public init(from checkpoint: Checkpoint) throws {
    try self.init(from: checkpoint, configuration: GPTConfiguration(of: checkpoint))
  }

  /// The model in a checkpoint without a configuration of its own.
  public init(from checkpoint: Checkpoint, configuration: GPTConfiguration) throws {
    var random = RandomStream(seed: 0)
    try self.init(configuration, random: &random)
    try load(from: checkpoint)
  }

  /// The scores of every possible next token.
  ///
  /// - Parameter tokens: shape [batch, positions], each below the vocabulary's size.
  /// - Returns: shape [batch, positions, vocabulary].
  public func callAsFunction(_ tokens: Tensor<Int>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    var x = dropout(embedding(tokens), in: pass)
    for block in blocks { x = block(x, in: pass) }
    return scores(norm(x))
  }

  /// The scores after new tokens that follow those in the cache.
  public func callAsFunction(_ tokens: Tensor<Int>, cache: inout DecoderCache<Scalar>) -> Tensor<Scalar> {
    precondition(cache.layers.count == blocks.count, "a cache of \(cache.layers.count) layers for \(blocks.count)")
    var x = embedding(tokens)
    for (i, block) in blocks.enumerated() { x = block(x, cache: &cache.layers[i]) }
    return scores(norm(x))
  }

  private func scores(_ x: Tensor<Scalar>) -> Tensor<Scalar> { head?(x) ?? linear(x, weight: embedding.weight) }

  /// The mean of -log p(token | those before it) in nats.
  ///
  /// - Parameter tokens: shape [batch, positions + 1]: the inputs and, one further, what they should predict.
  public func loss(_ tokens: Tensor<Int>, in pass: ForwardPass = .inference) -> Tensor<Scalar> {
    precondition(tokens.rank == 2 && tokens.columns > 1, "tokens of shape \(tokens.shape) have no next token")
    let inputs = tokens[.all, 0..<tokens.columns - 1]
    return crossEntropy(self(inputs, in: pass), labels: tokens[.all, 1...])
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("model.embed_tokens", &embedding)
    visitor.modules("model.layers", &blocks)
    visitor.module("model.norm", &norm)
    visitor.module("lm_head", &head)
  }
}

/// One layer of a `GPT`: attention to earlier positions, then a feed-forward layer, each beside a residual path.
public struct DecoderBlock<Scalar: RealScalar>: Layer {
  public var attentionNorm: RMSNorm<Scalar>
  public var attention: Attention<Scalar>
  public var feedForwardNorm: RMSNorm<Scalar>
  public var feedForward: SwiGLU<Scalar>
  let dropout: Dropout<Scalar>

  public init(
    _ configuration: GPTConfiguration, positions: RotaryPositions<Scalar>, random: inout RandomStream
  ) {
    let initializer = Initializer.normal(deviation: 0.02)
    let last = Initializer.normal(deviation: 0.02 / Double(2 * configuration.layers).squareRoot())
    attentionNorm = RMSNorm(configuration.width, epsilon: configuration.epsilon)
    attention = Attention(
      configuration.width, heads: configuration.heads, keyValueHeads: configuration.keyValueHeads,
      headWidth: configuration.headWidth, isCausal: true, normalizesHeads: configuration.normalizesHeads,
      epsilon: configuration.epsilon, positions: positions, initializer: initializer, outputInitializer: last,
      random: &random)
    feedForwardNorm = RMSNorm(configuration.width, epsilon: configuration.epsilon)
    feedForward = SwiGLU(
      configuration.width, hidden: configuration.hidden, initializer: initializer, outputInitializer: last,
      random: &random)
    dropout = Dropout(configuration.dropout)
  }

  public func callAsFunction(_ x: Tensor<Scalar>, in pass: ForwardPass) -> Tensor<Scalar> {
    let x = x + dropout(attention(attentionNorm(x)), in: pass)
    return x + dropout(feedForward(feedForwardNorm(x)), in: pass)
  }

  func callAsFunction(_ x: Tensor<Scalar>, cache: inout KeyValueCache<Scalar>) -> Tensor<Scalar> {
    let x = x + attention(attentionNorm(x), cache: &cache)
    return x + feedForward(feedForwardNorm(x))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("input_layernorm", &attentionNorm)
    visitor.module("self_attn", &attention)
    visitor.module("post_attention_layernorm", &feedForwardNorm)
    visitor.module("mlp", &feedForward)
  }
}

/// The keys and values of all layers of a `GPT`.
public struct DecoderCache<Scalar: RealScalar>: Sendable {
  var layers: [KeyValueCache<Scalar>]

  public init(for model: GPT<Scalar>) { layers = model.blocks.map { _ in KeyValueCache() } }

  /// How many positions it holds.
  public var count: Int { layers.first?.count ?? 0 }
}

extension GPT: SequentialLinearGroups {
  /// Of each block: queries, keys and values; attention's output; gate and up; down. Without the output projection.
  public var linearGroups: [[String]] {
    blocks.indices.flatMap { i in
      let block = "model.layers.\(i)"
      return [
        ["q_proj", "k_proj", "v_proj"].map { "\(block).self_attn.\($0)" }, ["\(block).self_attn.o_proj"],
        ["gate_proj", "up_proj"].map { "\(block).mlp.\($0)" }, ["\(block).mlp.down_proj"],
      ]
    }
  }
}
