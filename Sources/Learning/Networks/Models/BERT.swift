// An encoder of texts: each token's vector depends on all others.

public import FileFormats
public import Tensors

/// A BERT encoder.
///
/// Parameters have the names of Hugging Face's `BertModel`, whose checkpoints load.
/// - Source: Devlin et al., NAACL 2019.
public struct BERT<Scalar: RealScalar>: Module {
  public let configuration: BERTConfiguration
  public var wordEmbedding: Embedding<Scalar>
  public var positionEmbedding: Embedding<Scalar>
  public var segmentEmbedding: Embedding<Scalar>
  public var embeddingNorm: LayerNorm<Scalar>
  public var blocks: [EncoderBlock<Scalar>]
  /// A layer on the first token's vector that some tasks use; absent in many checkpoints.
  public var pooler: Linear<Scalar>?
  let dropout: Dropout<Scalar>

  /// A model with random weights, normal of deviation 0.02.
  ///
  /// - Throws: `InvalidArgument` when no such model can exist.
  public init(_ configuration: BERTConfiguration, hasPooler: Bool = true, random: inout RandomStream) throws {
    try configuration.validate()
    self.configuration = configuration
    let width = configuration.width
    func embedding(_ count: Int) -> Embedding<Scalar> {
      Embedding(count, width, initializer: .normal(deviation: 0.02), random: &random)
    }
    wordEmbedding = embedding(configuration.vocabulary)
    positionEmbedding = embedding(configuration.positions)
    segmentEmbedding = embedding(configuration.segments)
    embeddingNorm = LayerNorm(width, epsilon: configuration.epsilon)
    blocks = (0..<configuration.layers).map { _ in EncoderBlock(configuration, random: &random) }
    pooler = hasPooler ? initialLinear(width, width, &random) : nil
    dropout = Dropout(configuration.dropout)
  }

  /// The model in a checkpoint, with or without `bert.` before its names.
  ///
  /// - Throws: `FileError` or `StateMismatch` when the tensors are not those of the configuration.
  public init(from checkpoint: Checkpoint, configuration: BERTConfiguration) throws {
    try checkpoint.requireRoom(for: configuration.parameterCount)
    let prefix = checkpoint.entry(named: "bert.embeddings.word_embeddings.weight") == nil ? "" : "bert."
    let hasPooler = try FactoredCheckpoint(checkpoint).entry(named: prefix + "pooler.dense.weight") != nil
    var random = RandomStream(seed: 0)
    try self.init(configuration, hasPooler: hasPooler, random: &random)
    // Some checkpoints store the numbers of the positions beside the weights.
    try load(from: checkpoint, prefix: prefix, allowingUnexpected: true)
  }

  /// The vectors of all tokens.
  ///
  /// - Parameters:
  ///   - tokens: shape [batch, positions], no more positions than the configuration has.
  ///   - mask: shape [batch, positions], false where there is only padding.
  ///   - segments: shape [batch, positions]; the first segment unless given.
  /// - Returns: shape [batch, positions, width].
  public func callAsFunction(
    _ tokens: Tensor<Int>, mask: Tensor<Bool>? = nil, segments: Tensor<Int>? = nil, in pass: ForwardPass = .inference
  ) -> Tensor<Scalar> {
    precondition(
      tokens.rank == 2 && tokens.columns <= configuration.positions,
      "tokens of shape \(tokens.shape) for a model of \(configuration.positions) positions")
    let positions = positionEmbedding.weight[0..<tokens.columns]
    let segment = segments.map { segmentEmbedding($0) } ?? segmentEmbedding.weight[0..<1]
    var x = dropout(embeddingNorm(wordEmbedding(tokens) + (positions + segment)), in: pass)
    for block in blocks { x = block(x, mask: mask, in: pass) }
    return x
  }

  /// tanh of the pooler on the first token's vector: shape [batch, width].
  public func pooled(_ vectors: Tensor<Scalar>) -> Tensor<Scalar>? { pooler?(vectors[.all, 0]).tanh() }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("embeddings.word_embeddings", &wordEmbedding)
    visitor.module("embeddings.position_embeddings", &positionEmbedding)
    visitor.module("embeddings.token_type_embeddings", &segmentEmbedding)
    visitor.module("embeddings.LayerNorm", &embeddingNorm)
    visitor.modules("encoder.layer", &blocks)
    visitor.module("pooler.dense", &pooler)
  }
}

/// One layer of a `BERT`: attention, then a feed-forward layer, each added to its input and normalised.
public struct EncoderBlock<Scalar: RealScalar>: Module {
  public var query: Linear<Scalar>
  public var key: Linear<Scalar>
  public var value: Linear<Scalar>
  public var attentionOutput: Linear<Scalar>
  public var attentionNorm: LayerNorm<Scalar>
  public var input: Linear<Scalar>
  public var output: Linear<Scalar>
  public var outputNorm: LayerNorm<Scalar>
  public let heads: Int
  public let activation: Activation
  let dropout: Dropout<Scalar>

  public init(_ configuration: BERTConfiguration, random: inout RandomStream) {
    let width = configuration.width
    query = initialLinear(width, width, &random)
    key = initialLinear(width, width, &random)
    value = initialLinear(width, width, &random)
    attentionOutput = initialLinear(width, width, &random)
    attentionNorm = LayerNorm(width, epsilon: configuration.epsilon)
    input = initialLinear(width, configuration.hidden, &random)
    output = initialLinear(configuration.hidden, width, &random)
    outputNorm = LayerNorm(width, epsilon: configuration.epsilon)
    heads = configuration.heads
    activation = configuration.activation
    dropout = Dropout(configuration.dropout)
  }

  public func callAsFunction(
    _ x: Tensor<Scalar>, mask: Tensor<Bool>? = nil, in pass: ForwardPass = .inference
  ) -> Tensor<Scalar> {
    let shape = [x.shape[0], x.shape[1], heads, x.shape[2] / heads]
    let attended = scaledDotProductAttention(
      queries: affine(x, query).reshaped(shape), keys: affine(x, key).reshaped(shape),
      values: affine(x, value).reshaped(shape), keyMask: mask)
    let middle = attentionNorm(x + dropout(affine(attended.reshaped(x.shape), attentionOutput), in: pass))
    let hidden = affine(middle, input, activation: activation)
    return outputNorm(middle + dropout(affine(hidden, output), in: pass))
  }

  public mutating func visit(_ visitor: Visitor<Scalar>) {
    visitor.module("attention.self.query", &query)
    visitor.module("attention.self.key", &key)
    visitor.module("attention.self.value", &value)
    visitor.module("attention.output.dense", &attentionOutput)
    visitor.module("attention.output.LayerNorm", &attentionNorm)
    visitor.module("intermediate.dense", &input)
    visitor.module("output.dense", &output)
    visitor.module("output.LayerNorm", &outputNorm)
  }
}

private func initialLinear<Scalar: RealScalar>(
  _ inputs: Int, _ outputs: Int, _ random: inout RandomStream
) -> Linear<Scalar> {
  Linear(
    weight: Initializer.normal(deviation: 0.02)([outputs, inputs], from: &random), bias: .zeros([outputs]))
}

/// The mean of the vectors that are not padding, of length one: a sentence's embedding.
///
/// - Parameters:
///   - vectors: shape [batch, positions, width].
///   - mask: shape [batch, positions].
/// - Returns: shape [batch, width].
/// - Source: Reimers and Gurevych, "Sentence-BERT", EMNLP 2019.
public func meanPooled<Scalar: RealScalar>(_ vectors: Tensor<Scalar>, mask: Tensor<Bool>) -> Tensor<Scalar> {
  let weights = Tensor<Scalar>(mask)
  let total = weights.expanded(axis: 1).matmul(vectors).squeezed(axis: 1)
  let mean = total / weights.sum(axis: 1, keepingAxis: true).maximum(Scalar(1e-9))
  return mean / mean.sumOfSquares(axes: [1], keepingAxes: true).sqrt().maximum(Scalar(1e-12))
}

extension BERT: SequentialLinearGroups {
  /// Of each block: queries, keys and values; attention's output; the two layers after it. Without the pooler.
  public var linearGroups: [[String]] {
    blocks.indices.flatMap { i in
      let block = "encoder.layer.\(i)"
      return [
        ["query", "key", "value"].map { "\(block).attention.self.\($0)" }, ["\(block).attention.output.dense"],
        ["\(block).intermediate.dense"], ["\(block).output.dense"],
      ]
    }
  }
}
